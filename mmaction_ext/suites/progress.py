"""How far a run is, when it will be through, and what it said last."""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from mmaction_ext.files.reading import open_regular
from mmaction_ext.suites.compute import global_batch
from mmaction_ext.tables.seed_runs import is_finite
from mmaction_ext.tracking.identity import training_length
from mmaction_ext.tracking.ledger.format import (
    METRICS_FILE,
    MetricsRow,
    decode_rows,
    is_intact_line,
)
from mmaction_ext.tracking.reading.ledger import read_ledger
from mmaction_ext.tracking.reading.liveness import state_of
from mmaction_ext.tracking.reading.record import Attempt, RunRecord

#: rows of the training log over which the time of an iteration is taken
RECENT_ROWS = 20
#: so much of the end of a log is looked at to tell how a run that goes on fares
TAIL_BYTES = 1 << 16
#: no run has as many iterations or samples
MOST = 10**15


@dataclass(frozen=True)
class Progress:
    """Where a run stands; ``None`` is what nobody can tell.

    Attributes:
        iteration: training iterations completed.
        total: iterations of the whole schedule.
        fraction: of the schedule, 0 to 1.
        seconds_left: of training, if it goes on as it did lately; ``None`` unless it runs.
        metric, value: what it measured last.
        heartbeat_age: seconds since its last sign of life; ``None`` unless it runs or died
            without a word.
        error: last line of its last error.
        attempts: how often it was started.
    """

    iteration: int | None = None
    total: int | None = None
    fraction: float | None = None
    seconds_left: float | None = None
    metric: str = ''
    value: float | None = None
    heartbeat_age: float | None = None
    error: str = ''
    attempts: int = 0


def progress(
    record: RunRecord,
    schedule: tuple[str, int] | None = None,
    metrics: tuple[str, ...] = (),
    now: float | None = None,
) -> Progress:
    """Progress of one run.

    Args:
        record: its :class:`mmaction_ext.tracking.reading.record.RunRecord`.
        schedule: ``('epoch', n)`` or ``('iter', n)``; ``None`` if unknown.
        metrics: names of the metrics of interest, the most interesting first.
        now: seconds since the epoch.
    """
    now = time.time() if now is None else now
    iteration = _iteration(record)
    total = total_iterations(record, schedule)
    fraction = _fraction(record, iteration, total, schedule)
    metric, value = last_value(record, metrics)
    left = None
    if record.state == 'running' and iteration is not None and total is not None:
        left = _seconds_left(record, total - iteration)
    return Progress(
        iteration,
        total,
        fraction,
        left,
        metric,
        value,
        _heartbeat_age(record, now),
        last_error(record),
        len(record.attempts),
    )


def glance(root: Path, folder: str) -> Progress:
    """Progress of the last attempt at a run, however long its log is.

    Args:
        root: folder of all runs.
        folder: that of the run, below it.
    """
    ledger = read_ledger(root, folder)
    if not ledger.run or not ledger.entries:
        return Progress()
    entry = ledger.entries[-1]
    rows = [row for row in _last_rows(ledger.path / METRICS_FILE) if row.attempt == entry.number]
    record = RunRecord(
        ledger.uid,
        ledger.job_type,
        recipe=ledger.run.recipe or {},
        data=ledger.run.data or {},
        attempts=(Attempt('ledger', last_iter=max((row.iter for row in rows), default=None)),)
        * len(ledger.entries),
        rows={
            phase: [
                {'iter': row.iter, 'epoch': row.epoch, **row.metrics}
                for row in rows
                if row.phase == phase
            ]
            for phase in ('train', 'val')
        },
        state=state_of(entry, ledger.heartbeat, ledger.path),
        heartbeat=ledger.heartbeat,
        last_error=entry.last_error or '',
    )
    return progress(record, schedule_of(record))


def _last_rows(path: Path) -> list[MetricsRow]:
    """The rows in the last :data:`TAIL_BYTES` of a log; of one that cannot be read, none."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).split(b'\n')
    except OSError:
        return []
    return [row for row in decode_rows([*filter(is_intact_line, lines)]) if row]


def schedule_of(record: RunRecord) -> tuple[str, int] | None:
    """``('epoch', n)`` or ``('iter', n)`` by the config that a run recorded, if it says so."""
    length = training_length(record.recipe)
    return length if length and is_count(length[1]) else None


def is_count(value: object, least: int = 1) -> TypeGuard[int]:
    """Whether something that was recorded can be a number of iterations, epochs or samples."""
    return type(value) is int and least <= value < MOST


def last_error(record: RunRecord) -> str:
    """What the last attempt failed with, which may be a signal; empty where nothing did."""
    signal = record.attempts[-1].signal if record.attempts else None
    return record.last_error or (f'ended by {signal}' if signal else '')


def _iteration(record: RunRecord) -> int | None:
    """What the heartbeat says of a living run, else what was logged last."""
    beat = record.heartbeat and record.heartbeat.iter
    if record.state == 'running' and is_count(beat, least=0):
        return max(beat, record.last_iter or 0)
    return record.last_iter


def total_iterations(record: RunRecord, schedule: tuple[str, int] | None) -> int | None:
    """Iterations of the whole schedule, from the epochs that were logged or the data's size."""
    if schedule is None:
        return None
    unit, number = schedule
    if unit == 'iter':
        return number
    per_epoch = _logged_epoch(record) or _expected_epoch(record)
    return per_epoch and per_epoch * number


def _logged_epoch(record: RunRecord) -> int | None:
    """Iterations of an epoch, by a row that was logged at the end of one."""
    rows = [*record.rows.get('val', ()), *(item.values for item in record.evaluations)]
    for row in reversed(rows):
        iteration, epoch = row.get('iter'), row.get('epoch')
        if is_count(iteration) and is_count(epoch):
            return iteration // epoch if iteration % epoch == 0 else None
    return None


def _expected_epoch(record: RunRecord) -> int | None:
    """Iterations of an epoch, by the length of the training list and the size of a batch."""
    samples = record.data.get('train', {}).get('num_samples')
    batch = global_batch(record.recipe)
    return -(-samples // batch) if is_count(samples) and is_count(batch) else None


def _fraction(
    record: RunRecord, iteration: int | None, total: int | None, schedule: tuple[str, int] | None
) -> float | None:
    if iteration is not None and total:
        return min(1.0, iteration / total)
    train = record.rows.get('train')
    if not train or schedule is None or schedule[0] != 'epoch':
        return None
    epoch = train[-1].get('epoch')
    return min(1.0, (epoch - 1) / schedule[1]) if is_count(epoch) else None


def _seconds_left(record: RunRecord, iterations: int) -> float | None:
    times = [
        row['train/time']
        for row in record.rows.get('train', ())[-RECENT_ROWS:]
        if is_finite(row.get('train/time'))
    ]
    return statistics.median(times) * max(0, iterations) if times else None


def last_value(record: RunRecord, metrics: Sequence[str] = ()) -> tuple[str, Any]:
    """(name, value) of the last result of a run: a test's, else a validation's, else the loss.

    Args:
        record: the run.
        metrics: names of interest; a validation metric counts as the test metric of that name.
    """
    names = [name for name in metrics if name.startswith('test/')]
    tests = [item.values for item in record.evaluations]
    names_val = [name for name in metrics if name.startswith('val/')]
    names_val += [name.replace('test/', 'val/', 1) for name in names] + ['val/acc/top1']
    for phase, wanted in (
        ('test', [*names, 'test/acc/top1']),
        ('val', names_val),
        ('train', ['train/loss']),
    ):
        rows = tests if phase == 'test' else record.rows.get(phase, ())
        for name in wanted:
            values = [row[name] for row in rows if name in row]
            if values:
                return name, values[-1]
    return '', None


def _heartbeat_age(record: RunRecord, now: float) -> float | None:
    """Seconds; of a clock that went back since, none."""
    if record.state not in ('running', 'killed') or not record.heartbeat:
        return None
    last: Any = record.heartbeat.time
    return max(0.0, now - last) if is_finite(last) else None
