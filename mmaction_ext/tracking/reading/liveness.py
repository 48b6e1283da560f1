"""Whether the process of an attempt without an end is alive."""

import time
from pathlib import Path

from mmaction_ext.files.locks import is_locked
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import (
    HEARTBEAT_SECONDS,
    HEARTBEAT_STALE_SECONDS,
    LOCK_FILE,
)
from mmaction_ext.tracking.ledger.forms import AttemptEntry, HeartbeatFile

#: what a server calls a run that is over without having said so
_DEAD = ('crashed', 'killed', 'preempted')


def state_of(entry: AttemptEntry, heartbeat: HeartbeatFile | None, folder: Path | str) -> str:
    """State of a run by its last attempt.

    On the machine of the attempt, the lock on the run's folder decides, which the system takes
    away from a dead process. Loader processes may hold on to it for a while; so it does not count
    where the process itself is gone and its heart has missed three beats. On another machine, or
    where there are no locks, the age of the last sign of life decides; one that lies in the
    future by more than that age means that the clocks disagree, and then nobody can tell.

    Args:
        entry: the attempt in ``run.json``.
        heartbeat: content of ``heartbeat``, if any.
        folder: the run's folder.

    Returns:
        ``'finished'``, ``'failed'``, ``'running'``, ``'killed'`` or ``'unknown'``.
    """
    if entry.exit_code is not None:
        return 'failed' if entry.exit_code else 'finished'
    age = _age(entry, heartbeat)
    if _is_here(entry):
        held = is_locked(Path(folder) / LOCK_FILE)
        if held is not None:
            alive = held and (not _is_gone(entry) or age < 3 * HEARTBEAT_SECONDS)
            return 'running' if alive else 'killed'
    if age < -HEARTBEAT_STALE_SECONDS:
        return 'unknown'
    return 'running' if age < HEARTBEAT_STALE_SECONDS else 'killed'


def state_at_server(told: str, last_sign: float | None) -> str:
    """State of a run without an end of which only a W&B server, or its copy, tells.

    Args:
        told: what the server called it when it was asked.
        last_sign: when the server had last heard of it, in seconds since the epoch.

    Returns:
        ``'running'``, ``'killed'``, or ``'unknown'``, which is also a run that was going on when
        it was copied, but may have ended since.
    """
    if told in _DEAD:
        return 'killed'
    is_fresh = (
        told == 'running'
        and isinstance(last_sign, (int, float))
        and abs(time.time() - last_sign) < HEARTBEAT_STALE_SECONDS
    )
    return 'running' if is_fresh else 'unknown'


def _age(entry: AttemptEntry, heartbeat: HeartbeatFile | None) -> float:
    """Seconds since the last sign of life, which is the start if the heart has not beaten yet."""
    is_its_own = heartbeat is not None and heartbeat.attempt == entry.number
    last = heartbeat.time if heartbeat and is_its_own else entry.start
    try:
        return float('inf') if last is None else time.time() - last
    except OverflowError:  # an integer beyond all clocks
        return float('inf')


def _is_here(entry: AttemptEntry) -> bool:
    here = process.host(), process.boot_id()
    return (entry.host, entry.boot_id) == here


def _is_gone(entry: AttemptEntry) -> bool:
    """Whether no process of this machine has the number and start of the attempt's."""
    started = entry.process_start
    return started is not None and process.process_start(entry.pid) != started
