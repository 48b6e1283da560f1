"""Snapshots of online W&B runs, as ``import-wandb`` leaves them in a runs folder."""

import json
from collections import defaultdict
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.ledger.format import NewerVersion
from mmaction_ext.tracking.ledger.forms import SnapshotFile, WrongForm
from mmaction_ext.tracking.reading.record import Attempt, Row, oldest_first
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
K = TypeVar('K')


def read_attempts(path: Path | str) -> list[Attempt]:
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
        content = SnapshotFile.parse(data, SNAPSHOT_VALUES)
        return _attempts(content, [flat(row) for row in content.rows])
    except (ValueError, RecursionError) as error:
        told = data.decode(errors='replace')
        attempt = damaged(Path(path).stem, told, isinstance(error, NewerVersion))
        attempt.problem = f'damaged: {error}' if isinstance(error, WrongForm) else ''
        return [attempt]


def run_uid(run_id: str, job_type: str) -> str:
    """The id that all attempts at a run share: a test's W&B run is ``<uid>-<job type>``.

    >>> run_uid('0a1b-test', 'test'), run_uid('0a1b', 'train')
    ('0a1b', '0a1b')
    """
    return run_id if job_type in ('', 'train') else run_id.removesuffix(f'-{job_type}')


def damaged(name: str, text: str = '', newer: bool = False) -> Attempt:
    """The attempt that a snapshot tells of which is damaged.

    Args:
        name: its name without its ending.
        text: what is left of its content.
        newer: whether it is of a version that this program does not know.
    """
    run_id, job_type = map(unquote, (name if '-' in name else f'{name}-train').rsplit('-', 1))
    return Attempt(
        'wandb-online',
        uid=run_uid(run_id, job_type),
        job_type=job_type,
        corrupt=True,
        newer=newer,
        config=_told(text, 'config', dict) or {},
        imported=_told(text, 'imported', bool) or False,
    )


def _told(text: str, name: str, kind: type[K]) -> K | None:
    """What a damaged file holds under a name; ``None`` if nothing that can be read."""
    _, found, rest = text.partition(f'"{name}": ')
    try:
        value, _ = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        return None
    return value if found and isinstance(value, kind) else None


def _attempts(content: SnapshotFile, rows: list[Row]) -> list[Attempt]:
    shared = dict(
        uid=content.uid,
        job_type=content.job_type or 'train',
        name=_text(content.name),
        group=_text(content.group),
        host=_text(content.host),
        commit=content.commit or '',
        start_time=content.start_time,
        config=content.config or {},
        state=content.state or '',
        last_sign=content.seen.updated if content.seen else None,
        url=content.url or '',
        imported=bool(content.imported),
    )
    told = told_of_attempts(rows)
    parts: dict[float | None, list[Row]] = defaultdict(list)
    for row in rows:
        parts[start_of(row)].append(row)
    logs = [_attempt(part, shared) for part in _parts(parts.pop(None, [])) if part or not told]
    named = {start: _attempt(part, shared) for start, part in parts.items() if start is not None}
    for start, log in named.items():
        log.take(start, told[start])
    logs += oldest_first(named.values())
    exit_code = _exit_code(content)
    if logs[-1].exit_code is None and (exit_code or len(logs) == 1 or not told):
        logs[-1].exit_code = exit_code
    return logs


def _attempt(rows: list[Row], shared: Row) -> Attempt:
    """The attempt that logged some rows, with what is known of all."""
    phases = split_by_phase(rows)
    last_iter = last_iteration(phases)
    if 'train' in phases:
        phases['train'] = thin(phases['train'])
    return Attempt('wandb-online', last_iter=last_iter, rows=phases, **shared)


def _text(value: str | float | None) -> str:
    return value if isinstance(value, str) else ''


def _exit_code(content: SnapshotFile) -> int | None:
    if content.state not in EXIT_CODES:
        return None
    return EXIT_CODES[content.state] if content.exit_code is None else content.exit_code


def _parts(rows: list[Row]) -> list[list[Row]]:
    """Rows cut before each that belongs to an earlier iteration than the one before."""
    parts: list[list[Row]] = [[]]
    last = None
    for row in rows:
        iteration = row.get('iter')
        if isinstance(iteration, int):
            if last is not None and iteration < last:
                parts.append([])
            last = iteration
        parts[-1].append(row)
    return parts
