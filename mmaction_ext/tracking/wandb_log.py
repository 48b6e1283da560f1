"""Reader of the transaction log (``run-<id>.wandb``) that wandb writes for an offline run.

A log is a 7-byte header (``:W&B``, magic 0xBEE1, version) followed by LevelDB log blocks of
32 KiB. A block holds chunks: CRC-32 (seeded with the type byte), length, type, data; one
record is one chunk or several in a row. A record is a ``wandb_internal.Record`` protobuf.

wandb has no public reader for these files. This one opens them read-only, goes on at the next
block after damage, and reports the damage; it never raises because of what a file contains.
"""

import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

BLOCK_SIZE = 32 * 1024
_FILE_HEADER = struct.pack('<4sHB', b':W&B', 0xBEE1, 0)
_CHUNK_HEADER = struct.Struct('<IHB')  # checksum, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LOST = (None, b'')  # stands for chunks that could not be read


@dataclass
class Damage:
    """What is wrong with a log.

    Attributes:
        corrupt: bytes were altered: something that was written cannot be read.
        truncated: the file ends, or turns into zeros, in the middle of a record: the writer
            was killed or is still writing.
    """

    corrupt: bool = False
    truncated: bool = False


@dataclass
class WandbLog:
    """What one log says about one attempt at a run.

    Attributes:
        path: the file.
        run_id, name, group, job_type: as given to ``wandb.init``; empty if they were lost.
        host: machine the attempt ran on.
        commit: git commit that wandb saw, or an empty string.
        start_time: seconds since the epoch, ``None`` if it was lost.
        config: the run's W&B config, without wandb's own entries.
        rows: history rows in the order they were logged, keys of nested values joined by
            dots, without wandb's own entries (``_step``, ...).
        last_iter: largest ``iter`` of all rows, also of those that ``keys`` left out.
        exit_code: ``None`` without an exit record.
        damage: what is wrong with the file.
    """

    path: Path
    run_id: str = ''
    name: str = ''
    group: str = ''
    job_type: str = ''
    host: str = ''
    commit: str = ''
    start_time: float = None
    config: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    last_iter: int = None
    exit_code: int = None
    damage: Damage = field(default_factory=Damage)


def read_log(path, keys=None) -> WandbLog:
    """Read one ``.wandb`` file.

    Args:
        path: the file; it may be damaged, empty, or still being written.
        keys: names of the metrics wanted in ``rows``, ``None`` for all. The others are not
            decoded, which is most of the time a large log takes. Rows with none of them are
            left out; ``iter`` and ``epoch`` are kept always.

    Raises:
        OSError: the file cannot be opened or read.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record  # 0.7 s, so not at import
    log = WandbLog(Path(path))
    wanted = None if keys is None else frozenset(keys) | {'iter', 'epoch'}
    with open(path, 'rb') as stream:
        for payload in iter_payloads(stream, log.damage):
            try:
                _take_record(log, Record.FromString(payload), wanted)
            except (DecodeError, ValueError, RecursionError):
                log.damage.corrupt = True
    if log.exit_code is not None:  # the last record: whatever follows was not written by wandb
        log.damage.corrupt |= log.damage.truncated
    return log


def iter_payloads(stream, damage: Damage):
    """Yield the bytes of every whole record of a log.

    Args:
        stream: binary file at its beginning.
        damage: updated while the file is read.
    """
    parts = None  # data of the record being put together
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


def _chunks(stream, damage):
    """Yield (type, data) of every intact chunk and ``_LOST`` where some could not be read."""
    block = stream.read(BLOCK_SIZE)
    if len(block) < len(_FILE_HEADER):
        damage.truncated = True
        return
    damage.corrupt |= not block.startswith(_FILE_HEADER)
    position = len(_FILE_HEADER)
    while block:
        yield from _block_chunks(block, position, damage)
        position = 0
        block = stream.read(BLOCK_SIZE)


def _block_chunks(block, position, damage):
    while len(block) - position >= _CHUNK_HEADER.size:
        checksum, length, kind = _CHUNK_HEADER.unpack_from(block, position)
        start = position + _CHUNK_HEADER.size
        data = block[start:start + length]
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


def _is_intact(checksum, length, kind, data) -> bool:
    return (_FULL <= kind <= _LAST and len(data) == length
            and zlib.crc32(data, zlib.crc32(bytes((kind,)))) == checksum)


def _take_record(log, record, keys) -> None:
    take = _TAKERS.get(record.WhichOneof('record_type'))
    if take:
        take(log, record, keys)


def _take_run(log, record, keys) -> None:
    run = record.run
    log.run_id, log.name, log.group = run.run_id, run.display_name, run.run_group
    log.job_type, log.host = run.job_type, run.host
    log.commit = run.git.commit or log.commit
    log.start_time = run.start_time.seconds + run.start_time.nanos / 1e9
    _update_config(log.config, run.config)


def _take_config(log, record, keys) -> None:
    _update_config(log.config, record.config)


def _take_environment(log, record, keys) -> None:
    log.commit = record.environment.git.commit or log.commit
    log.host = record.environment.host or log.host


def _take_exit(log, record, keys) -> None:
    log.exit_code = record.exit.exit_code


def _take_history(log, record, keys) -> None:
    row = {}
    for item in record.history.item:
        name = '.'.join(item.nested_key) or item.key
        if not name.startswith('_') and (keys is None or name in keys):
            row[name] = _history_value(item)
    if isinstance(row.get('iter'), int):
        log.last_iter = max(row['iter'], log.last_iter or 0)
    if keys is None or row.keys() - {'iter', 'epoch'}:
        log.rows.append(row)


_TAKERS = {
    'run': _take_run,
    'config': _take_config,
    'environment': _take_environment,
    'history': _take_history,
    'exit': _take_exit,
}


def _history_value(item):
    """Value of a history item, in either of the two encodings wandb has."""
    if item.value_json:
        return json.loads(item.value_json)
    kind = item.WhichOneof('value')
    if kind in (None, 'none'):
        return None
    value = getattr(item, kind)
    return json.loads(value) if kind == 'json' else value


def _update_config(config, change) -> None:
    for item in change.remove:
        parent, key = _descend(config, item)
        parent.pop(key, None)
    for item in change.update:
        parent, key = _descend(config, item)
        if key != '_wandb':
            parent[key] = json.loads(item.value_json)


def _descend(config, item) -> tuple:
    """Dict that holds an item's value, and the key under which it does."""
    *path, key = list(item.nested_key) or [item.key]
    for name in path:
        if not isinstance(config.get(name), dict):
            config[name] = {}
        config = config[name]
    return config, key
