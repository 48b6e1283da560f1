"""Losses of several processes in one log."""

from types import SimpleNamespace

import pytest
import torch

from mmaction_ext.engine import mean_loss
from mmaction_ext.engine.mean_loss import MeanLossHook


@pytest.mark.parametrize('world_size, calls', [(1, 0), (2, 1)])
def test_losses_are_averaged_where_there_are_several_processes(monkeypatch, world_size, calls):
    asked = []
    monkeypatch.setattr(mean_loss, 'all_reduce_dict', lambda data, op: asked.append((data, op)))
    losses = dict(loss=torch.tensor(2.0))
    MeanLossHook().after_train_iter(SimpleNamespace(world_size=world_size), 0, None, losses)
    MeanLossHook().after_train_iter(SimpleNamespace(world_size=world_size), 0)
    assert asked == [(losses, 'mean')] * calls
