"""Reader of the transaction log (``run-<id>.wandb``) that wandb writes for an offline run.

A log is a 7-byte header (``:W&B``, magic 0xBEE1, version) followed by LevelDB log blocks of
32 KiB. A block holds chunks: CRC-32 (seeded with the type byte), length, type, data; one
record is one chunk or several in a row. A record is a ``wandb_internal.Record`` protobuf.

wandb has no public reader for these files. This one opens them read-only, goes on at the next
block after damage, and reports the damage; it never raises because of what a file contains.
"""

import contextlib
import functools
import json
import operator
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmaction_ext.files.reading import open_regular
from mmaction_ext.tracking.ledger.format import from_plain
from mmaction_ext.tracking.reading.record import Attempt, Row
from mmaction_ext.tracking.reading.rows import EvenSample

BLOCK_SIZE = 32 * 1024
#: name of a log
LOG_NAME = re.compile(r'run-(?P<uid>.+)\.wandb')
_FILE_HEADER = struct.pack('<4sHB', b':W&B', 0xBEE1, 0)
_CHUNK_HEADER = struct.Struct('<IHB')  # checksum, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SEEDS = [zlib.crc32(bytes([kind])) for kind in range(5)]
_ZEROS = bytes(BLOCK_SIZE)
_LOST = (None, b'')  # stands for chunks that could not be read

# first bytes of protobuf tags: of history records, and of types that hold nothing for us
_HISTORY = bytes([2 << 3 | 2])
_SUMMARY = bytes([3 << 3 | 2])
_UNUSED = frozenset(bytes([number << 3 | 2]) for number in (3, 4, 6, 7, 8, 9, 10, 11, 12, 13))
_NUMBER_OF_RECORD = re.compile(rb'(?:\x08[\x80-\xff]*[\x00-\x7f])?')
_ITERATION = re.compile(rb'\x04iter\x82\x01(.)([0-9]+)', re.DOTALL)  # value_json after the key
# an item of a row: tag, length, tag of the key, its length, the key, and a number in value_json
_NUMBER = re.compile(rb'\n.[\n\x12].([!-~]+)\x82\x01.(NaN|-?Infinity|[-+.0-9eE]+)', re.DOTALL)
_NUMBER_BYTES = 7
_STEP = 2 << 3 | 2  # the field after the items
_decoded = functools.lru_cache(1024)(bytes.decode)
_TRAIN_NAME = re.compile(rb'.train/[!-~]*', re.DOTALL)  # with the byte that tells its length


def read_log(path: Path | str, summary: bool = False) -> Attempt:
    """The attempt that one ``.wandb`` file tells of.

    It is ``corrupt`` where something that was written cannot be read, and ``truncated`` where the
    file ends, or turns into zeros, in the middle of a record. Its ``history`` has the rows in the
    order they were logged, keys of nested values joined by dots, without wandb's own entries
    (``_step``, ...). Of rows with the same training metrics and no others, an :class:`EvenSample`.
    Id and names are as given to ``wandb.init`` and empty if they were lost, but for the id, which
    the file's name tells, too.

    Args:
        path: the file; it may be damaged, empty, or still being written.
        summary: whether to read the run's summary, too, which W&B writes anew with every row.

    Raises:
        OSError: the file cannot be opened or read.
    """
    log = Attempt(path=str(path))
    named = LOG_NAME.fullmatch(Path(path).name)
    log.uid = named['uid'] if named else ''
    history = _History(log)
    with open_regular(path) as stream:
        for payload in iter_payloads(stream, log):
            kind = payload[_number_end(payload) :][:1]
            if kind == _HISTORY and _is_training(payload):
                history.add_training(payload)
            elif kind not in _UNUSED or (summary and kind == _SUMMARY):
                _take_payload(log, history, payload)
    log.history, log.count = history.rows(), history.count
    if log.exit_code is not None:  # the last record: whatever follows was not written by wandb
        log.corrupt |= log.truncated
    return log


class _History:
    """The rows of a log; of those that hold training metrics only, an even sample.

    A row that the sample passes over is never decoded: most of the time that a long log takes.
    """

    def __init__(self, log: Attempt) -> None:
        self._log, self._names = log, _Names()
        self.count = 0
        self._rows: list[tuple[int, Row]] = []
        self._samples: dict[frozenset[bytes], EvenSample[tuple[int, bytes | Row]]] = {}

    def add(self, record: Any) -> None:
        """Take one decoded record."""
        self.count += 1
        self._keep(self.count, _history_row(record.history.item))

    def add_training(self, payload: bytes) -> None:
        """Take the bytes of a record with training metrics alone."""
        self.count += 1
        iteration, row = _iteration(payload), None
        if iteration is None:  # in an encoding that only protobuf reads, or without one
            with _report_to(self._log):
                row = _history_row(record_class().FromString(payload).history.item)
            iteration = row.get('iter') if row else None
        if not isinstance(iteration, int):
            self._keep(self.count, row or {})
            return
        self._log.last_iter = max(iteration, self._log.last_iter or 0)
        names = frozenset(map(self._names.__getitem__, _TRAIN_NAME.findall(payload)))
        sample = self._samples.get(names)
        if sample is None:
            sample = self._samples[names] = EvenSample()
        sample.add((self.count, payload if row is None else row))

    def rows(self) -> list[Row]:
        """Rows in the order they were logged."""
        for sample in self._samples.values():
            for place, item in sample.items():
                with _report_to(self._log):
                    self._keep(place, item if isinstance(item, dict) else _training_row(item))
        return [row for _, row in sorted(self._rows, key=operator.itemgetter(0))]

    def _keep(self, place: int, row: Row) -> None:
        if isinstance(row.get('iter'), int):
            self._log.last_iter = max(row['iter'], self._log.last_iter or 0)
        if row:
            self._rows.append((place, row))


def _number_end(payload: bytes) -> int:
    """Where the number of a record, which may have none, ends."""
    found = _NUMBER_OF_RECORD.match(payload)
    return found.end() if found else 0


def _is_training(payload: bytes) -> bool:
    """Whether a row may be passed over: it holds training metrics and no evaluation."""
    return b'train/' in payload and b'val/' not in payload and b'test/' not in payload


def _message(payload: bytes, place: int) -> tuple[int, int]:
    """Beginning and end of the message whose tag of one byte stands at ``place``."""
    length = shift = 0
    for start, byte in enumerate(payload[place + 1 : place + 6], place + 2):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return start, start + length
    return len(payload), len(payload)


def _iteration(payload: bytes) -> int | None:
    """``iter`` of a row in the encoding that wandb uses by default; ``None`` in another."""
    found = _ITERATION.search(payload)
    return int(found[2]) if found and found[1][0] == len(found[2]) else None


class _Names(dict[bytes, bytes]):
    """Training metrics as they stand in a row, with their length in front, to their names.

    In some encodings the value follows without a gap; the length says where the name ends.
    """

    def __missing__(self, found: bytes) -> bytes:
        name = found[: found[0] + 1]
        if name == found:
            self[found] = name
        return name


@functools.cache
def record_class() -> Any:
    """The protobuf class of a record."""
    from wandb.proto import wandb_internal_pb2  # 0.7 s, so not at import

    return cast(Any, wandb_internal_pb2).Record


@contextlib.contextmanager
def _report_to(damage: Attempt) -> Iterator[None]:
    """Enter into ``damage`` that a record, though its checksum is right, cannot be decoded."""
    from google.protobuf.message import DecodeError

    try:
        yield
    except (DecodeError, ValueError, RecursionError):
        damage.corrupt = True


def _take_payload(log: Attempt, history: _History, payload: bytes) -> None:
    with _report_to(log):
        record = record_class().FromString(payload)
        kind = record.WhichOneof('record_type')
        if kind == 'history':
            history.add(record)
        elif kind in _TAKERS:
            _TAKERS[kind](log, record)


def iter_payloads(stream: BinaryIO, damage: Attempt) -> Iterator[bytes]:
    """Yield the bytes of every whole record of a log.

    Args:
        stream: binary file at its beginning.
        damage: told what is wrong with the file while it is read.
    """
    parts: list[bytes] | None = None  # data of the record being put together
    for kind, data in _chunks(stream, damage):
        if kind is None:
            parts = None
            continue
        if kind in (_FULL, _FIRST):
            damage.corrupt |= parts is not None  # the end of the record before is missing
            parts = []
        elif parts is None:  # the beginning of this record is missing
            damage.corrupt = True
            continue
        parts.append(data)
        if kind in (_FULL, _LAST):
            yield b''.join(parts)
            parts = None
    damage.truncated |= parts is not None


def _chunks(stream: BinaryIO, damage: Attempt) -> Iterator[tuple[int | None, bytes]]:
    """Yield (type, data) of every intact chunk and ``_LOST`` where some could not be read."""
    block = stream.read(BLOCK_SIZE)
    if len(block) < len(_FILE_HEADER):
        damage.truncated = True
        return
    damage.corrupt |= not block.startswith(_FILE_HEADER)
    damage.newer = (
        block.startswith(_FILE_HEADER[:-1]) and block[: len(_FILE_HEADER)] > _FILE_HEADER
    )
    position = len(_FILE_HEADER)
    while block:
        if block == _ZEROS:  # as below, but in a file of holes there are many
            damage.truncated = True
            yield _LOST
        else:
            yield from _block_chunks(block, position, damage)
        position = 0
        block = stream.read(BLOCK_SIZE)


def _block_chunks(
    block: bytes, position: int, damage: Attempt
) -> Iterator[tuple[int | None, bytes]]:
    while len(block) - position >= _CHUNK_HEADER.size:
        checksum, length, kind = _CHUNK_HEADER.unpack_from(block, position)
        start = position + _CHUNK_HEADER.size
        data = block[start : start + length]
        if not _is_intact(checksum, length, kind, data):
            cut_off = len(data) < length and len(block) < BLOCK_SIZE
            if cut_off or not block[position:].strip(b'\0'):
                damage.truncated = True
            else:
                damage.corrupt = True
            yield _LOST
            return
        damage.corrupt |= damage.truncated  # the supposed end was not the end
        yield kind, data
        position = start + length
    if BLOCK_SIZE - position >= _CHUNK_HEADER.size:
        damage.truncated |= position < len(block)
    else:
        damage.corrupt |= any(block[position:])  # padding


def _is_intact(checksum: int, length: int, kind: int, data: bytes) -> bool:
    return (
        _FULL <= kind <= _LAST
        and len(data) == length
        and zlib.crc32(data, _SEEDS[kind]) == checksum
    )


def _take_run(log: Attempt, record: Any) -> None:
    run = record.run
    log.uid, log.name, log.group = run.run_id or log.uid, run.display_name, run.run_group
    log.job_type, log.host, log.tags = run.job_type, run.host, tuple(run.tags)
    log.commit = run.git.commit or log.commit
    log.start_time = run.start_time.seconds + run.start_time.nanos / 1e9
    _update_config(log.config, run.config)


def _take_config(log: Attempt, record: Any) -> None:
    _update_config(log.config, record.config)


def _take_summary(log: Attempt, record: Any) -> None:
    _update_config(log.summary, record.summary)


def _take_environment(log: Attempt, record: Any) -> None:
    log.commit = record.environment.git.commit or log.commit
    log.host = record.environment.host or log.host


def _take_exit(log: Attempt, record: Any) -> None:
    log.exit_code = record.exit.exit_code


_TAKERS = {
    'run': _take_run,
    'config': _take_config,
    'summary': _take_summary,
    'environment': _take_environment,
    'exit': _take_exit,
}


def _row_of_numbers(payload: bytes) -> Row | None:
    """As :func:`_history_row`, of a row in which all values are numbers; else ``None``.

    The protobuf library takes twice as long for the very same.
    """
    start, end = _message(payload, _number_end(payload))
    items = _NUMBER.findall(payload, start, end)
    if not items:
        return None
    names, texts = zip(*items, strict=True)
    rest = end - start - len(b''.join(names + texts)) - _NUMBER_BYTES * len(items)
    if rest and payload[end - rest : end - rest + 2] != bytes((_STEP, rest - 2 & 127)):
        return None
    values = json.loads(f'[{b",".join(texts).decode()}]')
    return {
        name: value
        for name, value in zip(map(_decoded, names), values, strict=True)
        if name[0] != '_'
    }


def _training_row(payload: bytes) -> Row:
    row = _row_of_numbers(payload)
    return _history_row(record_class().FromString(payload).history.item) if row is None else row


def _history_row(items: Any) -> Row:
    """Values of a row by name, without wandb's own."""
    names, texts, row = [], [], {}
    for item in items:
        name = '.'.join(item.nested_key) or item.key
        if name.startswith('_'):
            continue
        if item.value_json:
            names.append(name)
            texts.append(item.value_json)
        row[name] = None if item.value_json else _typed_value(item)
    row.update(zip(names, _json_values(texts), strict=True))
    return row


def _json_values(texts: list[str]) -> list[Any]:
    """Parse JSON texts at once: a parser takes longer to start than to read a number."""
    values = json.loads(f'[{",".join(texts)}]')
    values = values if len(values) == len(texts) else [json.loads(text) for text in texts]
    return [
        value if isinstance(value, (str, float)) else from_plain(value, {}) for value in values
    ]


def _typed_value(item: Any) -> Any:
    """Value of a history item in the encoding that has a field for each type."""
    kind = item.WhichOneof('value')
    if kind in (None, 'none'):
        return None
    value = getattr(item, kind)
    return from_plain(json.loads(value), {}) if kind == 'json' else value


def _update_config(config: Row, change: Any) -> None:
    for item in change.remove:
        parent, key = _descend(config, item)
        parent.pop(key, None)
    for item in change.update:
        parent, key = _descend(config, item)
        if key != '_wandb':
            parent[key] = from_plain(json.loads(item.value_json), {})


def _descend(config: Row, item: Any) -> tuple[Row, str]:
    """Dict that holds an item's value, and the key under which it does."""
    *path, key = list(item.nested_key) or [item.key]
    for name in path:
        if not isinstance(config.get(name), dict):
            config[name] = {}
        config = config[name]
    return config, key
