"""How runs ended, in how many attempts they were made, and who tells of them."""

import time
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.tracking.doctor.finding import Finding, run_name
from mmaction_ext.tracking.doctor.run_file import (
    attempt_numbers,
    attempts_in,
    read_run,
)
from mmaction_ext.tracking.ledger.format import HEARTBEAT_STALE_SECONDS
from mmaction_ext.tracking.ledger.forms import HeartbeatFile, RunFile
from mmaction_ext.tracking.reading.record import RunRecord

_RESUME = 'the same command with --resume goes on from the newest checkpoint'


def look(records: Iterable[RunRecord]) -> list[Finding]:
    """Runs that did not end, whose sources disagree, or that one source or attempt is not all of.

    Args:
        records: :class:`RunRecord` list, each with its folder from
            the working folder on.

    Returns:
        :class:`Finding` list.
    """
    checks = (
        _killed,
        _diverged,
        _ended,
        _unknown,
        _silent,
        _contradictions,
        _one_sided,
        _behind,
        _stitched,
    )
    return [finding for record in records for check in checks for finding in check(record)]


def _where(record: RunRecord) -> str:
    return f' at iteration {record.last_iter}' if record.last_iter else ''


def _killed(record: RunRecord) -> list[Finding]:
    if record.state != 'killed':
        return []
    return [
        Finding(
            'warning',
            'killed',
            run_name(record),
            f'its process died{_where(record)} without a word',
            _RESUME,
        )
    ]


def _diverged(record: RunRecord) -> list[Finding]:
    if not record.diverged or record.state == 'running':
        return []
    return [
        Finding(
            'warning',
            'diverged',
            run_name(record),
            f'its losses or scores are not finite{_where(record)}',
            'change its recipe, such as the learning rate: trained or tested again it is the same',
        )
    ]


def _ended(record: RunRecord) -> list[Finding]:
    signal = record.attempts[-1].signal
    if record.state != 'failed' or not signal:
        return []
    return [
        Finding(
            'warning', 'ended', run_name(record), f'was ended by {signal}{_where(record)}', _RESUME
        )
    ]


def _unknown(record: RunRecord) -> list[Finding]:
    if record.state != 'unknown':
        return []
    return [
        Finding(
            'note',
            'unfinished',
            run_name(record),
            'has no exit record and no ledger to tell whether it runs',
            'if it does not, train it again with --resume',
        )
    ]


def _silent(record: RunRecord) -> list[Finding]:
    if record.state != 'running' or not _is_overdue(record.heartbeat):
        return []
    return [
        Finding(
            'warning',
            'silent',
            run_name(record),
            'its process lives, but gives no sign of life',
            'it was stopped or hangs; look at process '
            f'{record.heartbeat and record.heartbeat.pid}',
        )
    ]


def _is_overdue(heartbeat: HeartbeatFile | None) -> bool:
    if heartbeat is None or heartbeat.time is None:
        return False
    return time.time() - heartbeat.time > HEARTBEAT_STALE_SECONDS


def _contradictions(record: RunRecord) -> list[Finding]:
    return [
        Finding(
            'error',
            'conflict',
            run_name(record),
            text,
            'find out which source was altered or belongs to another run, and take it away',
        )
        for text in record.conflicts + record.disagreements
    ]


def _one_sided(record: RunRecord) -> list[Finding]:
    """A run of which the ledger or the W&B log alone tells."""
    if record.imported or not record.read_from:
        return []
    if set(record.read_from) == {'ledger'} and not record.mirrors:
        return [
            Finding(
                'note',
                'no W&B log',
                run_name(record),
                'only its ledger tells of it',
                'tables need no more; W&B was off or its log is gone',
            )
        ]
    if 'ledger' in record.read_from:
        return []
    return [
        Finding(
            'note',
            'no ledger',
            run_name(record),
            'only its W&B log tells of it',
            'tables read it; it was made elsewhere or before ledgers were kept',
        )
    ]


def _behind(record: RunRecord) -> list[Finding]:
    """A run whose W&B log did not take all rows in time."""
    entries = attempts_in(_run_file(record))
    missing = sum(entry.wandb_rows_missing or 0 for entry in entries)
    is_open = any(entry.wandb_closed is False for entry in entries if entry.wandb)
    if missing <= 0 and not is_open:
        return []
    parts = [f'did not take {missing} of its rows'] if missing > 0 else []
    parts += ['did not close its log in time, which may lack rows'] if is_open else []
    text = f'W&B {" and ".join(parts)}'
    return [
        Finding(
            'note',
            'W&B behind',
            run_name(record),
            text,
            'tables need no more than the ledger, which has every row',
        )
    ]


def _run_file(record: RunRecord) -> RunFile | None:
    return read_run(Path(record.folder)) if 'ledger' in record.read_from else RunFile()


def _stitched(record: RunRecord) -> list[Finding]:
    count = len(record.attempts)
    if count == 1 or not _knows_its_attempts(record):
        return []
    return [
        Finding(
            'note',
            'attempts',
            run_name(record),
            f'was made in {count} attempts',
            'they are joined when they are read; nothing is to be done',
        )
    ]


def _knows_its_attempts(record: RunRecord) -> bool:
    """Whether ``run.json`` tells of all attempts of which the rest of the ledger tells."""
    numbers = {item.number for item in record.attempts if item.source == 'ledger'}
    known = _run_file(record)
    return known is not None and numbers <= attempt_numbers(known)
