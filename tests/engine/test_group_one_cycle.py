"""One cycle of the learning rate per parameter group, against torch's own."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

import mmaction_ext.engine.group_one_cycle  # noqa: F401, registers it
from mmaction_ext.schedules import adamw_one_cycle

EPOCHS, STEPS = 4, 5


class Network(nn.Module):
    """A backbone with a module behind it, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({'host': nn.Linear(2, 2), 'module': nn.Linear(2, 2)})
        self.cls_head = nn.Linear(2, 2)


@pytest.mark.parametrize('mult', [1.0, 10.0])
def test_every_group_has_a_cycle_up_to_its_own_rate(mult):
    optim_wrapper, (cycle,) = adamw_one_cycle(lr=1e-3, epochs=EPOCHS, module_lr_mult=mult)
    network = Network()
    wrapper = build_optim_wrapper(network, dict(type='OptimWrapper', **optim_wrapper))
    scheduler = PARAM_SCHEDULERS.build(
        {key: value for key, value in cycle.items() if key != 'convert_to_iter_based'}
        | dict(optimizer=wrapper, total_steps=EPOCHS * STEPS, by_epoch=False)
    )
    fast = {id(p) for p in network.backbone['module'].parameters()}
    peaks = [
        1e-3 * (mult if any(id(p) in fast for p in group['params']) else 1.0)
        for group in wrapper.param_groups
    ]
    theirs = torch.optim.AdamW([dict(params=[nn.Parameter(torch.ones(1))]) for _ in peaks])
    expected = torch.optim.lr_scheduler.OneCycleLR(
        theirs, max_lr=peaks, total_steps=EPOCHS * STEPS
    )
    for _ in range(EPOCHS * STEPS - 1):
        ours = [group['lr'] for group in wrapper.param_groups]
        assert ours == pytest.approx([group['lr'] for group in theirs.param_groups])
        wrapper.optimizer.step()
        theirs.step()
        scheduler.step()
        expected.step()
