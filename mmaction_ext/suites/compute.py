"""What compute it takes to train a row: samples, iterations, multiply-adds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmaction_ext.datasets.configs import data_lists
from mmaction_ext.tables.complexity import Counts, complexity_result
from mmaction_ext.tables.gaps import job_kind
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tracking.identity import training_length
from mmaction_ext.tracking.reading.record import RunRecord

#: multiply-adds of a training step over those of its forward pass: the backward pass takes the
#: gradients of both the inputs and the weights
STEP_FACTOR = 3


@dataclass(frozen=True)
class TrainingCompute:
    """What training a row takes; ``None`` is what nobody here knows.

    Attributes:
        params: number of parameters.
        macs: multiply-adds of one view.
        length: ``('epoch', n)`` or ``('iter', n)``.
        samples: training samples of one epoch.
        clips: clips that a whole training feeds to the network.
    """

    params: int | None = None
    macs: int | None = None
    length: tuple[str, int] | None = None
    samples: int | None = None
    clips: int | None = None

    @property
    def training(self) -> int | None:
        """Multiply-adds of a whole training, an estimate: clips of the size that is tested."""
        if self.macs is None or self.clips is None:
            return None
        return self.macs * self.clips * STEP_FACTOR


def training_compute(
    config: RowConfig,
    content: dict[str, Any],
    records: Iterable[RunRecord],
    counts: Counts,
) -> TrainingCompute:
    """What training a row once takes; of an ensemble, the parameters and multiply-adds alone.

    Args:
        config: the row's :class:`mmaction_ext.tables.seed_runs.RowConfig`.
        content: what it resolves to.
        records: run records, of which one may tell what no file here does.
        counts: as for :func:`mmaction_ext.tables.complexity.complexity_result`.
    """
    records = RunIndex.of(records).like(config)
    params, macs = (
        None if value is None else int(value)
        for value in (
            complexity_result(records, config, name, counts).value for name in ('params', 'macs')
        )
    )
    if job_kind(content) != 'train':
        return TrainingCompute(params, macs)
    samples = training_samples(content) or _recorded_samples(config, records)
    length = training_length(content)
    return TrainingCompute(params, macs, length, samples, _clips(content, length, samples))


def training_samples(content: dict[str, Any]) -> int | None:
    """Entries of a config's training lists; ``None`` where a list is not on this machine."""
    train = data_lists({'train_dataloader': content.get('train_dataloader')}).get('train')
    if train is None:
        return None
    return train['num_samples'] * _repetitions(content['train_dataloader']['dataset'])


def _repetitions(dataset: Any) -> int:
    times = 1
    while isinstance(dataset, dict) and 'ann_file' not in dataset:
        times *= dataset.get('times', 1)
        dataset = dataset.get('dataset')
    return times


def _recorded_samples(config: RowConfig, records: Iterable[RunRecord]) -> int | None:
    """What a run of the config says about its training list, also one of another seed."""
    counts = [
        record.data.get('train', {}).get('num_samples')
        for record in records
        if config.is_named(record.config, record.config_hash)
    ]
    return max((count for count in counts if isinstance(count, int)), default=None)


def _clips(
    content: dict[str, Any], length: tuple[str, int] | None, samples: int | None
) -> int | None:
    if length is None:
        return None
    unit, number = length
    if unit == 'epoch':
        return None if samples is None else samples * number
    batch = global_batch(content)
    return None if batch is None else batch * number


def global_batch(content: Mapping[str, Any]) -> int | None:
    """Samples of one iteration of a resolved config that trains in one process."""
    loader = content.get('train_dataloader')
    batch = loader.get('batch_size') if isinstance(loader, dict) else None
    return content.get('global_batch_size') or batch
