"""W&B logs made by hand, and what tests look up in logs beside what the reader gives."""

import json
import struct
import time
import zlib

from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.wandb_log import BLOCK_SIZE, iter_payloads, read_log

HEADER = b':W&B\xe1\xbe\x00'


def records(path) -> list:
    """(kind, content) of every record of a log, in order."""
    from wandb.proto.wandb_internal_pb2 import Record

    with open(path, 'rb') as stream:
        found = [Record.FromString(payload) for payload in iter_payloads(stream, Attempt())]
    kinds = [each.WhichOneof('record_type') for each in found]
    return [(kind, getattr(each, kind)) for kind, each in zip(kinds, found, strict=True)]


def written_whole(path):
    """Path of the log of a closed run, once the W&B service has written the end of it."""
    for _ in range(600):
        if read_log(path).exit_code is not None:
            return path
        time.sleep(0.1)
    raise AssertionError(f'{path} was never closed')


def encode(payloads) -> bytes:
    """The log format written down a second time, independently of the reader."""
    data = bytearray(HEADER)
    for payload in payloads:
        parts, rest = [], payload
        position = len(data)
        while True:
            room = BLOCK_SIZE - position % BLOCK_SIZE
            if room < 7:
                parts.append((b'\0' * room, None))
                position += room
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            parts.append((part, len(part)))
            position += 7 + len(part)
            if not rest:
                break
        chunks = [i for i, (_, length) in enumerate(parts) if length is not None]
        for i, (part, length) in enumerate(parts):
            if length is None:
                data += part
                continue
            first, last = i == chunks[0], i == chunks[-1]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[
                first, last
            ]
            checksum = zlib.crc32(bytes([kind]) + part)
            data += struct.pack('<IHB', checksum, length, kind) + part
    return bytes(data)


def history_record(number, values, typed=False, **step):
    """Bytes of a history record."""
    from wandb.proto.wandb_internal_pb2 import Record

    record = Record(num=number)
    for name, value in values.items():
        fields = dict(number=float(value)) if typed else {}
        record.history.item.add(nested_key=[name], value_json=json.dumps(value), **fields)
    if step:
        record.history.step.num = step['step']
    return record.SerializeToString()


def write_run(
    folder, uid, config=None, rows=(), summary=None, *, exit_code=0, start=0, tags=(), **names
):
    """An offline log as wandb 0.31 leaves it: a run, its rows, its summary and its end.

    Args:
        folder: of all runs; the log lies in one of its own below it.
        uid: id of the run.
        config, rows, summary: as a script gives them to ``wandb``.
        exit_code: ``None`` for a run that was killed.
        start: when it began, in seconds since the epoch.
        tags: tags.
        names: ``display_name``, ``run_group``, ``job_type``.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    first = Record(num=1)
    first.run.run_id, first.run.host = uid, 'h'
    first.run.start_time.seconds = start
    first.run.tags.extend(tags)
    for name, value in names.items():
        setattr(first.run, name, value)
    for key, value in (config or {}).items():
        first.run.config.update.add(key=key, value_json=json.dumps(value))
    payloads = [first.SerializeToString()]
    for number, row in enumerate(rows, 2):
        payloads.append(history_record(number, row))
    last = Record(num=len(payloads) + 1)
    for key, value in (summary or {}).items():
        last.summary.update.add(nested_key=[key], value_json=json.dumps(value))
    payloads.append(last.SerializeToString())
    if exit_code is not None:
        end = Record(num=len(payloads) + 1)
        end.exit.exit_code = exit_code
        payloads.append(end.SerializeToString())
    path = folder / f'offline-run-{uid}' / f'run-{uid}.wandb'
    path.parent.mkdir(parents=True)
    path.write_bytes(encode(payloads))
    return path
