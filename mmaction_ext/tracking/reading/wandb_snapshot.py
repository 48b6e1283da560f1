"""Snapshots of online W&B runs, as ``import-wandb`` leaves them in a runs folder."""

import json
from pathlib import Path

from mmaction_ext.tracking.ledger.format import from_plain
from mmaction_ext.tracking.reading.record import AttemptLog
from mmaction_ext.tracking.reading.rows import flat, last_iteration, split_by_phase, thin

SNAPSHOT_FOLDER = '.online'
#: what the server calls a run that ended, to the exit code where it does not tell that
EXIT_CODES = {'finished': 0, 'failed': 1}


def read_attempts(path) -> list:
    """The attempts that one snapshot tells of, oldest first; none if it is no snapshot.

    The server has one history for all attempts. A new one begins where the iteration goes back.

    Args:
        path: the JSON file.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        content = from_plain(json.loads(Path(path).read_bytes()))
        return _attempts(content, [flat(row) for row in content['rows']])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [AttemptLog('wandb-online', uid=Path(path).stem, job_type='train', corrupt=True)]


def _attempts(content: dict, rows: list) -> list:
    shared = dict(
        uid=content['uid'], job_type=content.get('job_type') or 'train',
        name=content.get('name') or '', group=content.get('group') or '',
        host=content.get('host') or '', commit=content.get('commit') or '',
        start_time=content.get('start_time'), config=content.get('config') or {},
        state=content.get('state') or '', last_sign=(content.get('seen') or {}).get('updated'),
        url=content.get('url') or '', imported=bool(content.get('imported')))
    logs = []
    for part in _parts(rows):
        phases = split_by_phase(part)
        last_iter = last_iteration(phases)
        if 'train' in phases:
            phases['train'] = thin(phases['train'])
        logs.append(AttemptLog('wandb-online', last_iter=last_iter, phases=phases, **shared))
    logs[-1].exit_code = _exit_code(content)
    return logs


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
