"""What the writer and the reader of a run's ledger share: names, numbers and lines of metrics.

A run folder holds ``run.json`` (who the run is and its attempts), ``metrics.jsonl`` (one row per
line), ``heartbeat`` (a sign of life) and ``results/`` (one file per evaluation on the test split).

A line of metrics is an ASCII JSON object whose keys have a fixed order; the last is the CRC-32 of
all before it::

    {"attempt": 1, "phase": "train", "iter": 10, "epoch": 1, "time": 1700000000.1,
     "metrics": {"train/loss": 2.1}, "crc32": "0a1b2c3d"}

``run.json`` and the result files end in the same way.

Torch-free.
"""

import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pydantic_core

#: version of all the ledger's files
SCHEMA = 2
#: versions of ``run.json`` and of result files that had no checksum yet
_UNCHECKED_SCHEMAS = (None, 1)
RUN_FILE = 'run.json'
METRICS_FILE = 'metrics.jsonl'
HEARTBEAT_FILE = 'heartbeat'
RESULTS_FOLDER = 'results'
LOCK_FILE = 'run.lock'
#: names of the checkpoints that a training can go on from
CHECKPOINT_FILE = re.compile(r'(?P<unit>epoch|iter)_(?P<number>\d+)\.pth')
#: metric of a test: samples whose scores are not finite; only where there are any
NON_FINITE_SAMPLES = 'test/nonfinite_samples'
#: metric of training whose last value tells whether it diverged
TRAIN_LOSS = 'train/loss'
#: longest time between two heartbeats of a living run
HEARTBEAT_SECONDS = 10
#: a run on another host whose heartbeat is older is dead
HEARTBEAT_STALE_SECONDS = 180

#: how JSON texts name the numbers that JSON does not have
NON_FINITE = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}
#: JSON of ours is not nested as deeply.
DEEPEST = 64
#: A file that holds one object has no more values.
MOST_VALUES = 200_000
#: A whole number beyond it is read as an infinite one: no float holds it.
LARGEST = 10**300
#: what rows are looked through for beside endless digits: numbers that are none of JSON's, lists
_ODD = (b'NaN"', b'Infinity"', b'[')
#: the same of objects, whose strings may be told by numbers of letters
_ODD_WORDS = (b'NaN"', b'Infinity"', b'\\u')
_ALL_ZEROS, _ENDLESS = bytes.maketrans(b'123456789', b'0' * 9), b'0' * 300
#: a line ends in its checksum, which takes so many bytes
CHECKSUM_BYTES = len(', "crc32": "00000000"}')
_OBJECT_CHECKSUM = re.compile(rb',\n "crc32": "([0-9a-f]{8})"\n\}\n?\Z')
_OBJECT_CHECKSUM_BYTES = len(',\n "crc32": "00000000"\n}\n')


class DamagedLine(ValueError):
    """A line of metrics is not what was written."""


class NewerVersion(ValueError):
    """A file is of a later version than this program knows."""


#: what is said of such a file
NEWER = 'was written by a newer version of this program'


def is_newer(schema: Any, known: int = SCHEMA) -> bool:
    """Whether a file's ``schema`` is one of later than this program."""
    return isinstance(schema, (int, float)) and schema > known


class MetricsRow(NamedTuple):
    """Metrics of one phase at one iteration.

    Attributes:
        attempt: number of the attempt that logged it, from 1.
        phase: ``'train'``, ``'val'`` or ``'test'``.
        iter: training iterations completed.
        epoch: epoch, from 1; ``None`` if the row does not say.
        time: seconds since the epoch, for display; a clock may go backwards.
        metrics: full name (``train/loss``) to number, string, or lists and dicts of these.
    """

    attempt: int
    phase: str
    iter: int
    epoch: int | None
    time: float
    metrics: dict[str, Any]


def encode_row(row: MetricsRow) -> bytes:
    """The line of ``metrics.jsonl`` that holds a row, with its newline."""
    body = to_json(row._asdict())[:-1].encode()
    return body + _checksum(body) + b'\n'


def decode_row(line: bytes) -> MetricsRow:
    """The row that a line holds.

    Args:
        line: bytes between two newlines.

    Raises:
        DamagedLine: the line is cut off, was altered, or is no row.
    """
    [row] = decode_rows([line]) if is_intact_line(line) else [None]
    if row is None:
        raise DamagedLine(f'no row of metrics: {line[:80]!r}')
    return row


def decode_rows(lines: Sequence[bytes]) -> list[MetricsRow | None]:
    """The rows of lines, each an :func:`is_intact_line`; ``None`` for one that is none.

    They are parsed at once, where nothing in them is odd: a parser takes longer to start than to
    read a row.
    """
    text = b','.join(lines)
    if not _is_odd(text, _ODD) and text.count(b'{') == 2 * len(lines):
        try:
            contents = parse_json(b'[%b]' % text)
            if len(contents) == len(lines):
                return [_row(content) for content in contents]
        except (ValueError, RecursionError):
            pass
    return [_odd_row(line) for line in lines]


def _is_odd(text: bytes, parts: Sequence[bytes]) -> bool:
    # a regular expression for long runs of digits takes longer than parsing the rows
    return any(part in text for part in parts) or _ENDLESS in text.translate(_ALL_ZEROS)


def _row(content: Any) -> MetricsRow | None:
    try:
        del content['crc32']
        row = MetricsRow(**content)
    except (TypeError, KeyError):
        return None
    return row if isinstance(row.metrics, dict) else None


def _odd_row(line: bytes) -> MetricsRow | None:
    """A row with numbers that JSON does not have, or lists; its phase may be called like one."""
    try:
        content = json.loads(line)
        return _row(
            {key: value if key == 'phase' else from_plain(value) for key, value in content.items()}
        )
    except (ValueError, AttributeError, RecursionError):
        return None


def is_intact_line(line: bytes) -> bool:
    """Whether a line, without its newline, is whole and as it was written; it is not decoded."""
    return line.endswith(_checksum(line[:-CHECKSUM_BYTES]))


def _checksum(body: bytes) -> bytes:
    return b', "crc32": "%08x"}' % zlib.crc32(body)


def encode_object(content: dict[str, Any]) -> str:
    """The text of a file that holds one object: JSON whose last key is the checksum of the rest.

    Args:
        content: plain data, not empty.
    """
    body = to_json(content, indent=1).removesuffix('\n}')
    return f'{body},\n "crc32": "{zlib.crc32(body.encode()):08x}"\n}}\n'


def decode_object(data: bytes, most: int = MOST_VALUES) -> dict[str, Any]:
    """What :func:`encode_object` was given; a file of before there were checksums has none.

    How a later version checks its files is not known here: no checksum is asked for.

    Args:
        data: content of the file.
        most: how many values it may hold, about; a text of more is not parsed, nor one of more
            than :data:`MOST_VALUES` without the right checksum.

    Raises:
        NewerVersion: it is of a later version.
        ValueError: it holds no JSON object or too large a one, or was altered.
    """
    found = _OBJECT_CHECKSUM.search(data, max(0, len(data) - _OBJECT_CHECKSUM_BYTES))
    is_intact = found is not None and int(found[1], 16) == zlib.crc32(data[: found.start()])
    if data.count(b',') > (most if is_intact else MOST_VALUES):
        raise ValueError('too many values')
    try:
        content = from_json(data)
    except RecursionError as error:
        raise ValueError('brackets without end') from error
    if not isinstance(content, dict):
        raise ValueError('no JSON object')
    if is_newer(content.get('schema')):
        raise NewerVersion(f'schema {content["schema"]}, this program reads up to {SCHEMA}')
    if 'crc32' in content or content.get('schema') not in _UNCHECKED_SCHEMAS:
        content.pop('crc32', None)
        if not is_intact:
            raise ValueError('altered after it was written')
        if content.get('schema') not in (*_UNCHECKED_SCHEMAS, SCHEMA):
            raise ValueError(f'of no known version: {content["schema"]}')
    return content


def to_json(content: Any, indent: int | None = None) -> str:
    """JSON text of plain data, arrays and tensors; ASCII, other objects by ``str``.

    Numbers that are not finite become the strings of :data:`NON_FINITE`, so that every JSON
    reader takes the text.
    """
    return json.dumps(to_plain(content), indent=indent, default=str, allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """Inverse of :func:`to_json`.

    Raises:
        ValueError: the text is not JSON, or nested too deeply.
    """
    data = text.encode(errors='replace') if isinstance(text, str) else text
    if _is_odd(data, _ODD_WORDS):
        return from_plain(json.loads(text))
    node = parse_json(text)
    _check_depth(node, DEEPEST)
    return node


def parse_json(text: str | bytes) -> Any:
    """What ``json.loads`` gives, in half the time; texts of endless numbers are none for it.

    Raises:
        ValueError: the text is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return pydantic_core.from_json(text)
    except ValueError:  # it refuses half a surrogate, too
        return json.loads(text)


def _check_depth(node: Any, depth: int) -> None:
    """Refuse what a parser gave that is nested more deeply; level by level, which is quick."""
    level = [node] if isinstance(node, (dict, list)) else []
    while level:
        if not depth:
            raise ValueError('nested too deeply')
        depth -= 1
        level = [
            value
            for each in level
            for value in (each.values() if type(each) is dict else each)
            if type(value) is dict or type(value) is list
        ]


def from_plain(node: Any, names: Mapping[str, float] = NON_FINITE, depth: int = DEEPEST) -> Any:
    """JSON data as everything here can take it.

    Args:
        node: what a parser made of JSON.
        names: strings that stand for numbers.
        depth: how deeply it may be nested.

    Returns:
        The same with these numbers, and with infinite ones for those beyond :data:`LARGEST`.

    Raises:
        ValueError: it is nested more deeply.
    """
    if isinstance(node, (dict, list)) and not depth:
        raise ValueError('nested too deeply')
    if isinstance(node, dict):
        return {key: from_plain(value, names, depth - 1) for key, value in node.items()}
    if isinstance(node, list):
        return [from_plain(value, names, depth - 1) for value in node]
    if isinstance(node, int) and abs(node) > LARGEST:
        return math.inf if node > 0 else -math.inf
    return names.get(node, node) if isinstance(node, str) else node


def to_plain(node: Any) -> Any:
    """Plain data as JSON has it, of arrays and tensors, too.

    Keys become strings, and so do numbers that are not finite, see :data:`NON_FINITE`.
    """
    if isinstance(node, dict):
        return {str(key): to_plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [to_plain(value) for value in node]
    if hasattr(node, 'tolist'):  # NumPy and torch
        return to_plain(node.tolist())
    if isinstance(node, float) and not math.isfinite(node):
        return 'NaN' if math.isnan(node) else 'Infinity' if node > 0 else '-Infinity'
    return node
