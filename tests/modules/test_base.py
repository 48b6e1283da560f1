"""What all motion modules have in common: what they refuse, and what they show."""

import pytest
import torch
from motion_modules import every_module, every_seeing_module
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.base import Displacements, MotionModule

CHANNELS = {3: 8, 4: 12}


def small(kind):
    return kind(CHANNELS, **kind.small)


@every_module
def test_a_stage_it_is_not_for_is_named(kind):
    module, x = small(kind), torch.rand(1, 8, 4, 8, 8)
    for call in (
        module.block,
        module.reach,
        lambda stage: module(x, stage),
        lambda stage: module.motion(x, stage),
    ):
        for stage in (2, '3'):
            with pytest.raises(InputError, match=rf'stage {stage!r}.*\[3, 4\]'):
                call(stage)


@every_module
@pytest.mark.parametrize(
    'shape, named',
    [
        ((8, 4, 8, 8), r'4 dimensions: \(8, 4, 8, 8\)'),
        ((1, 12, 4, 8, 8), '8 channels at stage 3, got features with 12'),
        ((1, 8, 1, 8, 8), 'frames, got 1'),
    ],
)
def test_features_it_cannot_work_on_are_named(kind, shape, named):
    module = small(kind)
    for call in (module, module.motion):
        with pytest.raises(InputError, match=named):
            call(torch.rand(shape), 3)


@every_module
def test_fewer_frames_than_it_needs_are_refused(kind):
    module = small(kind)
    module(torch.rand(1, 8, module.min_frames, 8, 8), 3)
    with pytest.raises(InputError, match=f'at least {module.min_frames} frames'):
        module(torch.rand(1, 8, module.min_frames - 1, 8, 8), 3)


def tensors(motion):
    return {name: value for name, value in vars(motion).items() if isinstance(value, torch.Tensor)}


@every_seeing_module
def test_motion_is_single_precision_under_autocast(kind):
    torch.manual_seed(0)
    module, x = small(kind).eval(), torch.rand(1, 8, 4, 8, 8)
    with torch.autocast('cpu', torch.bfloat16):
        found = [module.motion(x, 3), module.motion(x.bfloat16(), 3)]
    for motion in found:
        assert {value.dtype for value in tensors(motion).values()} == {torch.float32}
    assert {v.dtype for v in tensors(small(kind).double().motion(x.double(), 3)).values()} == {
        torch.float64
    }


@every_seeing_module
def test_motion_of_a_module_in_half_precision_is_single(kind):
    motion = small(kind).bfloat16().eval().motion(torch.rand(1, 8, 4, 8, 8).bfloat16(), 3)
    assert {value.dtype for value in tensors(motion).values()} == {torch.float32}


@every_seeing_module
def test_displacements_name_a_source_for_every_map_and_frame(kind):
    motion = small(kind).eval().motion(torch.rand(1, 8, 4, 8, 8), 3)
    if not isinstance(motion, Displacements):
        pytest.skip('sees key points')
    assert len(motion.names) == len(motion.sources) == motion.displacement.shape[1]
    assert all(len(sources) == 4 and set(sources) <= set(range(4)) for sources in motion.sources)


@every_module
def test_meta_device(kind):
    x = torch.empty(1, 8, 4, 8, 8, device='meta')
    assert small(kind).to('meta')(x, 3)[0].shape == x.shape


@every_module
@pytest.mark.parametrize('channels', [0, -4, 1.5])
def test_stages_without_channels_are_named(kind, channels):
    with pytest.raises(InputError, match=f'channels of stage 3 .* got {channels}'):
        kind({3: channels})


def test_a_module_need_not_tell_its_motion_but_knows_its_stages():
    class Still(MotionModule):
        min_frames = 2

        def __init__(self, in_channels):
            super().__init__(in_channels)
            self.blocks = nn.ModuleDict({str(stage): nn.Identity() for stage in in_channels})

        def forward(self, x, stage, carried=()):
            return x, carried

    assert Still({3: 8}).motion(torch.rand(1, 8, 4, 8, 8), 3) is None
    with pytest.raises(InputError, match='no block of stage 4'):
        Still({3: 8}).motion(torch.rand(1, 8, 4, 8, 8), 4)
