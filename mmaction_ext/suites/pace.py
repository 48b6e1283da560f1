"""How fast runs go on this machine, by those that went here."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mmaction_ext.suites.compute import STEP_FACTOR, TrainingCompute, global_batch
from mmaction_ext.suites.progress import schedule_of, total_iterations
from mmaction_ext.tables.seed_runs import RowConfig, is_finite
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.reading.record import RunRecord

#: the metric that tells how long a step took, in seconds
STEP_TIME = 'train/time'


@dataclass(frozen=True)
class Pace:
    """Seconds that trainings take on this machine, one run at a time as those before.

    Attributes:
        by_config: (name, hash) of a config to the seconds of a whole training of it.
        by_macs: seconds for a multiply-add, the median over the configs whose multiply-adds are
            known; ``None`` where none ran here.
    """

    by_config: dict[tuple[str, str], float] = field(default_factory=dict)
    by_macs: float | None = None

    @classmethod
    def of(cls, records: Iterable[RunRecord]) -> 'Pace':
        """By the runs whose last attempt was made on this machine.

        Args:
            records: run records with their :data:`STEP_TIME`.
        """
        times: dict[tuple[str, str], list[float]] = {}
        rates: dict[tuple[str, str], float] = {}
        for record in records:
            seconds = _seconds(record)
            if seconds is None or not record.config or not record.config_hash:
                continue
            key = record.config, record.config_hash
            times.setdefault(key, []).append(seconds)
            macs = _macs(record)
            if macs:
                rates[key] = seconds / macs
        return cls(
            {key: statistics.median(values) for key, values in times.items()},
            statistics.median(rates.values()) if rates else None,
        )

    def seconds(self, config: RowConfig, compute: TrainingCompute) -> float | None:
        """Seconds of a training of a config; ``None`` where nothing here tells."""
        for digest in config.hashes:
            if (config.name, digest) in self.by_config:
                return self.by_config[config.name, digest]
        if self.by_macs is None or compute.training is None:
            return None
        return self.by_macs * compute.training


def _seconds(record: RunRecord) -> float | None:
    """Seconds of a whole training: as long as it took, else its steps at the time each took."""
    last = record.attempts[-1] if record.attempts else None
    if last is None or last.host != process.host() or record.imported:
        return None
    start, end = last.start_time, last.end_time
    if record.finished and len(record.attempts) == 1 and start and end and end > start:
        return end - start
    times = [
        row[STEP_TIME] for row in record.rows.get('train', ()) if is_finite(row.get(STEP_TIME))
    ]
    total = total_iterations(record, schedule_of(record))
    return statistics.median(times) * total if times and total else None


def _macs(record: RunRecord) -> float | None:
    """Multiply-adds of a whole training, by what its run recorded."""
    macs: Any = record.complexity.get('macs')
    batch = global_batch(record.recipe)
    total = total_iterations(record, schedule_of(record))
    if not (is_finite(macs) and batch and total):
        return None
    return macs * STEP_FACTOR * batch * total
