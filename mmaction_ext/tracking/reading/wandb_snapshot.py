"""Snapshots of online W&B runs, as ``import-wandb`` leaves them in a runs folder."""

import json
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.ledger.format import NewerVersion, decode_object
from mmaction_ext.tracking.reading.ledger import of_kinds
from mmaction_ext.tracking.reading.record import AttemptLog, in_order
from mmaction_ext.tracking.reading.rows import (
    flat,
    last_iteration,
    split_by_phase,
    start_of,
    thin,
    told_of_attempts,
)

SNAPSHOT_FOLDER = '.online'
#: a copy of a history has no more bytes and values
SNAPSHOT_BYTES, SNAPSHOT_VALUES = 256 << 20, 5_000_000
#: what the server calls a run that ended, to the exit code where it does not tell that
EXIT_CODES = {'finished': 0, 'failed': 1}
_NUMBER = (int, float)
#: what is read as a number may have been a text: a run can be called "NaN"
_TEXT = (str, float)
_KINDS = dict(
    uid=str,
    job_type=str,
    name=_TEXT,
    group=_TEXT,
    state=str,
    exit_code=int,
    host=_TEXT,
    commit=str,
    start_time=_NUMBER,
    imported=bool,
    url=str,
    config=dict,
    seen=dict,
    rows=list,
)
_SEEN = dict(updated=_NUMBER)


def read_attempts(path) -> list:
    """The attempts that one snapshot tells of, oldest first.

    The server has one history for all attempts, in the order in which they were uploaded, and
    its state is that of the one that was uploaded last. Rows say which attempt they are of, and
    attempts how they ended; where they do not, a new one begins where the iteration goes back.
    Of a damaged snapshot there is one attempt without rows, ``corrupt``: its name tells which run
    it is of, and what is left of it of which config and seed.

    Args:
        path: the JSON file.

    Raises:
        OSError: the file cannot be read.
    """
    data = read_regular(path, SNAPSHOT_BYTES)
    try:
        content = decode_snapshot(data)
        return _attempts(content, [flat(row) for row in content['rows']])
    except (ValueError, RecursionError) as error:
        return [
            damaged(
                Path(path).stem, data.decode(errors='replace'), isinstance(error, NewerVersion)
            )
        ]


def decode_snapshot(data: bytes) -> dict:
    """The content of a snapshot.

    Raises:
        NewerVersion: they are of a version that this program does not know.
        ValueError: the bytes are no snapshot, or were altered after they were written.
    """
    content = decode_object(data, SNAPSHOT_VALUES)
    if not _is_snapshot(content):
        raise ValueError('no snapshot')
    return content


def _is_snapshot(content: dict) -> bool:
    if content != of_kinds(content, _KINDS) or not content.get('uid'):
        return False
    seen, rows = content.get('seen') or {}, content.get('rows')
    return (
        seen == of_kinds(seen, _SEEN)
        and rows is not None
        and all(isinstance(row, dict) for row in rows)
    )


def run_uid(run_id: str, job_type: str) -> str:
    """The id that all attempts at a run share: a test's W&B run is ``<uid>-<job type>``.

    >>> run_uid('0a1b-test', 'test'), run_uid('0a1b', 'train')
    ('0a1b', '0a1b')
    """
    return run_id if job_type in ('', 'train') else run_id.removesuffix(f'-{job_type}')


def damaged(name: str, text: str = '', newer: bool = False) -> AttemptLog:
    """The attempt that a snapshot tells of which is damaged.

    Args:
        name: its name without its ending.
        text: what is left of its content.
        newer: whether it is of a version that this program does not know.
    """
    run_id, job_type = map(unquote, (name if '-' in name else f'{name}-train').rsplit('-', 1))
    return AttemptLog(
        'wandb-online',
        uid=run_uid(run_id, job_type),
        job_type=job_type,
        corrupt=True,
        newer=newer,
        config=_told(text, 'config', dict) or {},
        imported=_told(text, 'imported', bool) or False,
    )


def _told(text: str, name: str, kind):
    """What a damaged file holds under a name; ``None`` if nothing that can be read."""
    _, found, rest = text.partition(f'"{name}": ')
    try:
        value, _ = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        return None
    return value if found and isinstance(value, kind) else None


def _attempts(content: dict, rows: list) -> list:
    shared = dict(
        uid=content['uid'],
        job_type=content.get('job_type') or 'train',
        name=_text(content, 'name'),
        group=_text(content, 'group'),
        host=_text(content, 'host'),
        commit=content.get('commit') or '',
        start_time=content.get('start_time'),
        config=content.get('config') or {},
        state=content.get('state') or '',
        last_sign=(content.get('seen') or {}).get('updated'),
        url=content.get('url') or '',
        imported=bool(content.get('imported')),
    )
    told, parts = told_of_attempts(rows), defaultdict(list)
    for row in rows:
        parts[start_of(row)].append(row)
    logs = [_attempt(part, shared) for part in _parts(parts.pop(None, [])) if part or not told]
    named = {start: _attempt(part, shared) for start, part in parts.items()}
    for start, log in named.items():
        log.take(start, told[start])
    logs += in_order(named.values())
    exit_code = _exit_code(content)
    if logs[-1].exit_code is None and (exit_code or len(logs) == 1 or not told):
        logs[-1].exit_code = exit_code
    return logs


def _attempt(rows: list, shared: dict) -> AttemptLog:
    """The attempt that logged some rows, with what is known of all."""
    phases = split_by_phase(rows)
    last_iter = last_iteration(phases)
    if 'train' in phases:
        phases['train'] = thin(phases['train'])
    return AttemptLog('wandb-online', last_iter=last_iter, phases=phases, **shared)


def _text(content: dict, name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ''


def _exit_code(content: dict) -> int | None:
    state = content.get('state')
    if state not in EXIT_CODES:
        return None
    code = content.get('exit_code')
    return code if isinstance(code, int) else EXIT_CODES[state]


def _parts(rows: list) -> list:
    """Rows cut before each that belongs to an earlier iteration than the one before."""
    parts, last = [[]], None
    for row in rows:
        iteration = row.get('iter')
        if isinstance(iteration, int):
            if last is not None and iteration < last:
                parts.append([])
            last = iteration
        parts[-1].append(row)
    return parts
