"""Whether all rows of metrics are there as they were written, and all tests that they tell of."""

import os
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.files.reading import open_regular
from mmaction_ext.tracking.doctor.finding import BACKUP, TEST_AGAIN, Finding
from mmaction_ext.tracking.doctor.run_file import (
    attempt_numbers,
    attempts_in,
    read_run,
)
from mmaction_ext.tracking.ledger.format import METRICS_FILE, NEWER, RESULTS_FOLDER, RUN_FILE
from mmaction_ext.tracking.reading.comparison import is_file
from mmaction_ext.tracking.reading.metrics import read_attempts
from mmaction_ext.tracking.reading.record import Attempt, RunRecord


def damaged(root: Path, records: Iterable[RunRecord]) -> list[Finding]:
    """Logs that were altered or cut off, but for those that :func:`incomplete` tells of.

    Args:
        root: the folder that was searched.
        records: :class:`RunRecord` list; paths of attempts begin
            there.

    Returns:
        :class:`Finding` list.
    """
    return [finding for record in records for finding in _damaged(root, record)]


def _damaged(root: Path, record: RunRecord) -> list[Finding]:
    whole = [
        item
        for item in record.attempts
        if not _lost_rows((root / item.path).parent)
        and f'{item.path} {NEWER}' not in record.damage
    ]  # which is told of by itself
    found = [
        finding for item in whole if item.corrupt for finding in _damage(item, root / item.path)
    ]
    last = record.attempts[-1]
    if record.truncated and record.state != 'running' and not record.corrupt and last in whole:
        found.append(
            Finding(
                'note',
                'truncated',
                (root / last.path).as_posix(),
                'ends in the middle of a record, as a kill or a full disk leaves it',
                'all before it is read; nothing is to be done',
            )
        )
    return found


def _damage(attempt: Attempt, place: Path) -> list[Finding]:
    """Why an attempt is not trusted; nothing where other findings tell of it."""
    text = (
        _reason(attempt, place)
        if attempt.source == 'ledger'
        else f'is {attempt.problem}'
        if attempt.problem
        else 'was altered after it was written'
    )
    return (
        [Finding('error', 'corrupt', place.as_posix(), f'{text}; tables do not trust it', BACKUP)]
        if text
        else []
    )


def _reason(attempt: Attempt, place: Path) -> str:
    run = read_run(place.parent)
    if run is None:
        return ''  # which is told of by itself
    if attempt.number not in attempt_numbers(run):
        return f'tells of attempt {attempt.number}, of which {RUN_FILE} does not tell'
    if not _can_be_read(place):
        return ''
    if attempt.truncated:
        return (
            f'is cut off, or lacks rows of attempt {attempt.number} that were there when it ended'
        )
    # else one of its other files was, which is told of by itself
    return 'was altered after it was written' if _has_altered_rows(attempt, place) else ''


def _can_be_read(place: Path) -> bool:
    try:
        open_regular(place).close()
    except OSError:
        return False
    return True


def _has_altered_rows(attempt: Attempt, place: Path) -> bool:
    return place.name == METRICS_FILE and any(
        log.corrupt for log in read_attempts(place) if log.number == attempt.number
    )


def incomplete(records: Iterable[RunRecord]) -> list[Finding]:
    """Ledgers that lack rows, or result files of tests of which their rows tell.

    Args:
        records: :class:`RunRecord` list, each with its folder from
            the working folder on.

    Returns:
        :class:`Finding` list.
    """
    found: list[Finding] = []
    for record in records:
        if 'ledger' in record.read_from:
            lost = _lost_rows(Path(record.folder))
            found += [lost] if lost else []
            found += _lost_results(record, Path(record.folder))
    return found


def _lost_rows(folder: Path) -> Finding | None:
    """What is wrong where ``metrics.jsonl`` is shorter than it was at the end of an attempt."""
    attempts, path = attempts_in(read_run(folder)), folder / METRICS_FILE
    sizes = [entry.metrics_bytes for entry in attempts if entry.metrics_bytes is not None]
    wanted = max(sizes, default=0)
    if is_file(path):
        size = path.stat().st_size
        return (
            None
            if size >= wanted
            else _incomplete(
                path,
                f'has {size} of the {wanted} bytes it had when an attempt ended: rows are missing',
            )
        )
    if os.path.lexists(path):
        return None  # it is no file: which is told of by itself
    if wanted > 0 or any(entry.exit_code == 0 for entry in attempts):
        return _incomplete(path, 'is gone: rows are missing')
    if not sizes and any(entry.exit_code is not None for entry in attempts):
        return Finding(
            'note',
            'incomplete',
            path.as_posix(),
            'is not there, though an attempt has ended',
            'it may have failed before its first row; else restore it',
        )
    return None


def _incomplete(path: Path, text: str) -> Finding:
    return Finding('error', 'incomplete', path.as_posix(), text, BACKUP)


def _lost_results(record: RunRecord, folder: Path) -> list[Finding]:
    """Tests of which rows tell, but no result file."""
    try:
        names = os.listdir(folder / RESULTS_FOLDER)
    except OSError:
        names = []
    stems = {
        f'{item.attempt.number}-{item.values.get("iter")}'
        for item in record.evaluations
        if item.attempt.source == 'ledger' and item.attempt.exit_code == 0
    }
    return [
        _lost_result(folder / RESULTS_FOLDER / f'{stem}.json')
        for stem in sorted(stems)
        if not any(name.startswith((f'{stem}.', f'{stem}-')) for name in names)
    ]


def _lost_result(path: Path) -> Finding:
    return Finding(
        'warning',
        'result gone',
        path.as_posix(),
        f'{METRICS_FILE} tells of the test, but its result file is not there',
        f'restore it from a backup, or {TEST_AGAIN}',
    )
