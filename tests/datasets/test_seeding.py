"""One seed, one stream of samples: whatever the number of loader processes, and after resume."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from torch.utils.data import DataLoader, Dataset

from mmaction_ext.datasets.seeding import EpochSeedHook, SeedSample, derive_seed


class Draws(Dataset):
    """Each sample is two random numbers, drawn after SeedSample."""

    def __init__(self):
        self.pipeline = Compose([SeedSample(), lambda r: (np.random.rand(), random.random())])

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return index, self.pipeline(dict(sample_idx=index))


def epoch_of(num_workers, seed, epochs, persistent=False):
    """Draws of each of ``epochs``, keyed by sample."""
    dataset = Draws()
    loader = DataLoader(
        dataset,
        batch_size=3,
        num_workers=num_workers,
        collate_fn=list,
        persistent_workers=persistent,
    )
    runner = SimpleNamespace(seed=seed, rank=0, train_dataloader=loader)
    stream = []
    for epoch in epochs:
        runner.epoch = epoch
        EpochSeedHook().before_train_epoch(runner)
        stream.append(dict(sample for batch in loader for sample in batch))
    return stream


def test_stream_does_not_depend_on_loader_processes():
    alone = epoch_of(0, seed=3, epochs=[0, 1])
    assert alone == epoch_of(2, seed=3, epochs=[0, 1])
    assert alone == epoch_of(2, seed=3, epochs=[0, 1], persistent=True)


def test_resuming_at_an_epoch_repeats_it():
    assert epoch_of(1, seed=3, epochs=[0, 1, 2])[2] == epoch_of(1, seed=3, epochs=[2])[0]


def test_samples_epochs_and_seeds_differ():
    first, second = epoch_of(0, seed=3, epochs=[0, 1])
    assert len(set(first.values())) == 12
    assert not set(first.values()) & set(second.values())
    assert not set(first.values()) & set(epoch_of(0, seed=4, epochs=[0])[0].values())


def test_torch_is_reseeded_per_epoch_and_rank():
    def drawn(**keys):
        runner = SimpleNamespace(
            **dict(dict(seed=1, epoch=2, rank=0), **keys),
            train_dataloader=SimpleNamespace(dataset=None),
        )
        EpochSeedHook().before_train_epoch(runner)
        return torch.rand(4).tolist()

    assert drawn() == drawn()
    assert drawn() != drawn(epoch=3) and drawn() != drawn(rank=1) and drawn() != drawn(seed=2)


def test_derived_seeds_depend_on_order_and_stay_in_32_bits():
    assert derive_seed(1, 2) != derive_seed(2, 1)
    assert 0 <= derive_seed(0, 0, 0) < 2**32


def test_wrapped_data_sets_are_seeded_too():
    inner = [Draws(), Draws()]
    wrapped = SimpleNamespace(datasets=[inner[0], SimpleNamespace(dataset=inner[1])])
    runner = SimpleNamespace(
        seed=5, epoch=6, rank=0, train_dataloader=SimpleNamespace(dataset=wrapped)
    )
    EpochSeedHook().before_train_epoch(runner)
    assert inner[0][3] == inner[1][3]


def test_missing_hook_is_said_instead_of_repeating_one_epoch():
    with pytest.raises(ValueError, match='EpochSeedHook'):
        Draws()[0]
