"""A ledger's rows of metrics as attempts."""

import functools
import operator
import re
from pathlib import Path

from mmaction_ext.files.reading import DOCUMENT_BYTES, open_regular
from mmaction_ext.tracking.ledger.format import CHECKSUM_BYTES, decode_rows, is_intact_line
from mmaction_ext.tracking.reading.record import Attempt, Row
from mmaction_ext.tracking.reading.rows import EvenSample, flat

#: the phase is any JSON string
_PLACE = re.compile(
    rb'\{"attempt": (\d{1,18}), "phase": "([^"\\]*(?:\\.[^"\\]*)*)", '
    rb'"iter": (-?\d{1,18}), '
)
_NAME = re.compile(rb'"(train/[^"]*)": ')
_CHECKSUM = b', "crc32": "'


def read_attempts(path: Path | str) -> list[Attempt]:
    """What one ``metrics.jsonl`` tells of each attempt, by its number.

    Of the training rows of an attempt with the same metrics, an :class:`EvenSample` is kept. A
    line that was cut off is what a kill leaves behind where nothing else of its attempt follows
    (``truncated``); any other line that is not as it was written is ``corrupt``, and one longer
    than :data:`DOCUMENT_BYTES` the last that is read.

    Args:
        path: the file; it may be damaged, empty, or still being written.

    Raises:
        OSError: the file cannot be read.
    """
    attempts: dict[int, _Rows] = {}
    start = end = 0
    number, cut = 1, None  # of the line at hand; of the line before, if that was cut off
    with open_regular(path) as stream:
        for line in iter(functools.partial(stream.readline, DOCUMENT_BYTES), b''):
            start, end = end, end + len(line)
            line = line.removesuffix(b'\n')
            place = _PLACE.match(line)
            is_whole = line.endswith(b'"}') and line.startswith(_CHECKSUM, -CHECKSUM_BYTES)
            is_intact = place is not None and is_intact_line(line)
            names_attempt = is_intact or not is_whole
            if place and names_attempt:
                number = int(place[1])
            attempt = attempts.get(number) or attempts.setdefault(number, _Rows(number))
            attempt.log.corrupt |= cut == number or (is_whole and not is_intact)
            attempt.log.truncated |= not is_whole
            if len(line) == DOCUMENT_BYTES:
                attempt.log.corrupt = True
                break
            cut = None if is_whole else number
            if place and names_attempt:
                attempt.take_bytes(start, start + len(line))
            if place and is_intact:
                attempt.add(place, line)
    return [attempts[number].finish() for number in sorted(attempts)]


class _Rows:
    """The rows of one attempt as they are met."""

    def __init__(self, number: int) -> None:
        self.log = Attempt('ledger', number=number)
        self._rows: list[tuple[int, bytes]] = []
        self._samples: dict[tuple[bytes, ...], EvenSample[tuple[int, bytes]]] = {}

    def take_bytes(self, start: int, end: int) -> None:
        """Note where in the file one of its lines stands, the newline not counted."""
        if self.log.first_byte is None:
            self.log.first_byte = start
        self.log.end_byte = end

    def add(self, place: re.Match[bytes], line: bytes) -> None:
        """Take an intact line, whose beginning was matched as ``place``."""
        self.log.count += 1
        self.log.last_iter = max(int(place[3]), self.log.last_iter or 0)
        if place[2] != b'train':
            self._rows.append((self.log.count, line))
            return
        names = tuple(_NAME.findall(line))
        sample = self._samples.get(names)
        if sample is None:
            sample = self._samples[names] = EvenSample()
        sample.add((self.log.count, line))

    def finish(self) -> Attempt:
        """The attempt with its rows decoded, in the order they were written."""
        lines = self._rows + [item for sample in self._samples.values() for item in sample.items()]
        lines.sort(key=operator.itemgetter(0))
        for row in decode_rows([line for _, line in lines]):
            if row is None:
                self.log.corrupt = True
                continue
            place: Row = (
                {'iter': row.iter} if row.epoch is None else {'iter': row.iter, 'epoch': row.epoch}
            )
            self.log.rows.setdefault(row.phase, []).append({**place, **flat(row.metrics)})
        return self.log
