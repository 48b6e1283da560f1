"""What it takes to train a row: data, iterations, multiply-adds."""

from dataclasses import dataclass

from mmaction_ext.tables.results import training_length
from mmaction_ext.tables.static import static_result
from mmaction_ext.tracking.identity import (config_hash, config_name, ensemble_members,
                                            load_config, weights_source)
from mmaction_ext.tracking.ledger.facts import data_lists

#: multiply-adds of a training step over those of its forward pass: the backward pass takes the
#: gradients of both the inputs and the weights
STEP_FACTOR = 3


@dataclass(frozen=True)
class Cost:
    """What a row costs; ``None`` is what nobody here knows.

    Attributes:
        params: number of parameters.
        macs: multiply-adds of one view.
        length: ``('epoch', n)`` or ``('iter', n)``.
        samples: training samples of one epoch.
        clips: clips that a whole training feeds to the network.
    """

    params: int | None = None
    macs: int | None = None
    length: tuple | None = None
    samples: int | None = None
    clips: int | None = None

    @property
    def training(self) -> int | None:
        """Multiply-adds of a whole training, an estimate: clips of the size that is tested."""
        if self.macs is None or self.clips is None:
            return None
        return self.macs * self.clips * STEP_FACTOR


def row_cost(place, content: dict, records, complexity: dict) -> Cost:
    """Cost of training a row once; without training, as for an ensemble, that of the network.

    Args:
        place: :class:`mmaction_ext.cli.matrix.Place`.
        content: its resolved config.
        records: run records, of which one may tell what no file here does.
        complexity: as for :func:`mmaction_ext.tables.static.static_result`.
    """
    figures = {name: static_result(records, place.config, name, complexity).value
               for name in ('params', 'macs')}
    figures = {name: None if value is None else int(value) for name, value in figures.items()}
    if kind_of(content) != 'train':
        return Cost(**figures)
    samples = training_samples(content) or _recorded_samples(place, records)
    length = training_length(content)
    return Cost(**figures, length=length, samples=samples, clips=_clips(content, length, samples))


def kind_of(content: dict) -> str:
    """What is done with a resolved config: ``'train'``, ``'weights_of'`` or ``'ensemble'``."""
    if 'ensemble' in content:
        return 'ensemble'
    return 'weights_of' if content.get('weights_of') else 'train'


class Configs(dict):
    """Resolved configs by their files, each read when it is first asked for."""

    def __missing__(self, path):
        self[path] = load_config(path)
        return self[path]


@dataclass(frozen=True)
class Source:
    """A config whose run has to be made before another one can be tested.

    Attributes:
        path: the config file.
        kind: see :func:`kind_of`.
        name, digest: of the config, as run records tell them.
    """

    path: str
    kind: str
    name: str
    digest: str

    def has_finished(self, seed: int, records) -> bool:
        """Whether any of some run records is of it under a seed, and finished."""
        wanted = self.name, seed, self.digest
        return any((record.config, record.seed, record.config_hash) == wanted
                   and record.finished and not record.overrides for record in records)


def sources_of(path, configs: Configs) -> list:
    """What a config of an ensemble, or one with ``weights_of``, is tested on.

    Returns:
        :class:`Source` list, in the order in which to make them.
    """
    content = configs[path]
    if kind_of(content) == 'train':
        return []
    found = []
    for source in (*ensemble_members(path, content), weights_source(path, content)):
        if source:
            found += sources_of(source, configs)
            found.append(Source(source, kind_of(configs[source]), config_name(source),
                                config_hash(configs[source])))
    return found


def training_samples(content: dict) -> int | None:
    """Entries of a config's training lists; ``None`` where a list is not on this machine."""
    train = data_lists({'train_dataloader': content.get('train_dataloader')}).get('train')
    if train is None:
        return None
    return train['num_samples'] * _repetitions(content['train_dataloader']['dataset'])


def _repetitions(dataset: dict) -> int:
    times = 1
    while isinstance(dataset, dict) and 'ann_file' not in dataset:
        times *= dataset.get('times', 1)
        dataset = dataset.get('dataset')
    return times


def _recorded_samples(place, records) -> int | None:
    """What a run of the config says about its training list, also one of another seed."""
    counts = {record.data.get('train', {}).get('num_samples') for record in records
              if (record.config, record.config_hash) == (place.config.name, place.config.digest)}
    return max((count for count in counts if isinstance(count, int)), default=None)


def _clips(content, length, samples) -> int | None:
    if length is None:
        return None
    unit, number = length
    if unit == 'epoch':
        return None if samples is None else samples * number
    batch = global_batch(content)
    return None if batch is None else batch * number


def global_batch(content: dict) -> int | None:
    """Samples of one iteration of a resolved config that trains in one process."""
    loader = content.get('train_dataloader')
    batch = loader.get('batch_size') if isinstance(loader, dict) else None
    return content.get('global_batch_size') or batch
