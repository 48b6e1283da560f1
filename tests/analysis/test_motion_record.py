"""What a module gets is recorded as it got it, and nothing of the recording stays."""

import pytest
import torch

from mmaction_ext.analysis.motion_record import (
    check_stages,
    find_motion_module,
    record_inputs,
    watch_motion,
)
from mmaction_ext.errors import InputError
from mmaction_ext.modules import MotionModule
from mmaction_ext.modules.base import Displacements


class Sum(MotionModule):
    """Spoils its input in place; sees the mean of its features as motion."""

    min_frames = 1

    def forward(self, x, stage, carried=()):
        x += 100 * stage
        return x, carried

    def motion(self, x, stage):
        assert not torch.is_grad_enabled()
        mean = x.mean(dim=1)[:, None]
        return Displacements(
            (f'sum {stage}',), (tuple(range(x.shape[2])),), torch.stack((mean, -mean), dim=2), mean
        )


class Recognizer(torch.nn.Module):
    """Gives each of its stages the data times the stage's number."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(Sum({3: 4, 2: 4}))

    def test_step(self, data):
        self.inner[0](data * 2, 2, ())
        self.inner[0](data * 3, 3, ())


@pytest.fixture
def model():
    return Recognizer().eval()


def test_inputs_are_those_before_the_module_changed_them(model):
    data = torch.rand(1, 4, 2, 5, 6)
    with record_inputs(find_motion_module(model)) as inputs:
        model.test_step(data)
    assert sorted(inputs) == [2, 3]
    assert torch.equal(inputs[2], data * 2) and torch.equal(inputs[3], data * 3)


def test_nothing_stays_on_the_module(model):
    module = find_motion_module(model)
    before = set(vars(module))
    with pytest.raises(KeyError), record_inputs(module) as inputs:
        raise KeyError
    model.test_step(torch.rand(1, 4, 2, 5, 6))
    assert not inputs and not module._forward_pre_hooks and set(vars(module)) == before


def test_motion_of_the_chosen_stages(model):
    data = torch.rand(1, 4, 2, 5, 6)
    seen = watch_motion(model, data, [3])
    assert list(seen) == [3] and seen[3].motion.names == ('sum 3',)
    assert torch.equal(seen[3].features, data * 3)
    assert torch.allclose(seen[3].motion.confidence[0, 0], 3 * data[0].mean(dim=0))
    assert list(watch_motion(model, data)) == [2, 3]


def test_stages(model):
    module = find_motion_module(model)
    assert check_stages(module, [3, 2, 3]) == (2, 3)
    assert check_stages(module, None) == (2, 3)
    with pytest.raises(InputError, match='Sum does not work after stage 5, but after 2, 3'):
        check_stages(module, [2, 5])


def test_plain_model_has_no_module():
    assert find_motion_module(torch.nn.Linear(2, 2)) is None
