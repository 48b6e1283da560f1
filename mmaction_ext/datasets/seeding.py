"""Random numbers that depend on (seed, epoch, sample) alone.

mmengine seeds each loader process once. What a sample looks like then depends on how many
processes load it, on how many GPUs train, and on whether the run was resumed. With
:class:`SeedSample` first in a training pipeline and :class:`EpochSeedHook` in the hooks, one
seed gives one stream of clips: a run on two processes sees the batches of a run on one, and a
run that is resumed with another number of loader processes repeats the uninterrupted one.
"""

import random
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner


def derive_seed(*keys: int) -> int:
    """A 32-bit seed that depends on every one of the non-negative ``keys``."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


@TRANSFORMS.register_module()
class SeedSample(BaseTransform):
    """Seed ``numpy.random`` and ``random`` for one sample of one epoch.

    Required key: ``sample_idx`` (set by mmengine's ``BaseDataset``). The seed and the epoch
    come from :class:`EpochSeedHook`, through shared memory, so that loader processes that
    outlive an epoch see them too.

    Args:
        seed_torch: seed ``torch`` too, for pipelines with steps of torchvision. Without loader
            processes dropout then depends on the sample that was loaded last.
    """

    def __init__(self, seed_torch: bool = False) -> None:
        self.seed_torch = seed_torch
        self._seed_epoch = torch.full((2,), -1, dtype=torch.int64).share_memory_()

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Announce the run's seed and the epoch that is about to begin."""
        self._seed_epoch[0], self._seed_epoch[1] = seed, epoch

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Seed, and pass ``results`` on unchanged."""
        if self._seed_epoch.min() < 0:
            raise ValueError('SeedSample was told no epoch: custom_hooks lacks EpochSeedHook')
        seed = derive_seed(*self._seed_epoch.tolist(), results['sample_idx'])
        np.random.seed(seed)
        random.seed(seed)
        if self.seed_torch:
            torch.manual_seed(seed)
        return results


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Tell :class:`SeedSample` the epoch and reseed torch (dropout) at each epoch's start."""

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the epoch ``runner.epoch`` on this rank."""
        torch.manual_seed(derive_seed(runner.seed, runner.epoch, runner.rank))
        set_epoch(runner.train_dataloader.dataset, runner.seed, runner.epoch)


def set_epoch(dataset: Any, seed: int, epoch: int) -> None:
    """Announce an epoch to every :class:`SeedSample` of a data set, also inside wrappers."""
    for transform in _transforms(dataset):
        if isinstance(transform, SeedSample):
            transform.set_epoch(seed, epoch)


def seeds_samples(dataset: Any) -> bool:
    """Whether every sample of a data set is seeded by itself."""
    return any(isinstance(transform, SeedSample) for transform in _transforms(dataset))


def _transforms(dataset: Any) -> list[Any]:
    """Transforms of a data set, also inside wrappers such as ``RepeatDataset``."""
    inner = list(getattr(dataset, 'datasets', ())) or [getattr(dataset, 'dataset', None)]
    own = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    return list(own) + [step for each in inner if each is not None for step in _transforms(each)]
