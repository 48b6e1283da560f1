"""The MotionSqueeze block against a restatement with loops, its counts, and known motion."""

import math

import pytest
import torch
from matching_reference import convolved, maps_by_loops, moving_texture, staying, trained
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.modules.motion_squeeze import MotionSqueeze
from mmaction_ext.modules.tcm import TCM

RESNET_50, RESNET_18 = {3: 512}, {3: 128}
#: Groups of the eight convolutions that make features of the maps.
GROUPS = (3, 1, 16, 1, 32, 1, 64, 1)


def block_by_loops(block, x, window=(5, 5), sigma=5.0, temperature=0.01):
    """The block on clips (N, C, T, H, W), from maps of each pixel by itself."""
    clips = []
    for clip in x:
        maps = maps_by_loops(block.matching, clip, ('fast',), window, sigma, temperature)
        clips.append(clip + convolved(maps, block.transformation, GROUPS).transpose(0, 1))
    return torch.stack(clips)


@pytest.mark.parametrize(
    'size, arguments, stated',
    [
        ((2, 5, 3, 4, 5), dict(window=5), {}),
        ((1, 5, 2, 5, 3), dict(window={3: (3, 5)}), dict(window=(3, 5))),
        ((1, 5, 4, 1, 2), {}, dict(window=(15, 15))),
        (
            (1, 5, 3, 4, 4),
            dict(window=5, sigma=0.7, temperature=0.3),
            dict(sigma=0.7, temperature=0.3),
        ),
        ((1, 5, 3, 4, 4), dict(window=5, sigma=None), dict(sigma=math.inf)),
    ],
)
def test_equals_the_restatement(size, arguments, stated):
    """Values, and gradients of the input and of every parameter."""
    torch.manual_seed(0)
    module = trained(MotionSqueeze({3: 5}, mid_channels=4, **arguments)).double()
    x = torch.randn(size, dtype=torch.float64).requires_grad_()
    actual, carried = module(x, 3)
    expected = block_by_loops(module.blocks['3'], x, **stated)
    assert carried == ()
    assert (actual - x).abs().max() > 0.01
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    inputs = (x, *module.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


def test_motion_is_that_of_the_fast_tempo_of_its_child():
    torch.manual_seed(0)
    parent = trained(MotionSqueeze({3: 5}, window=5, mid_channels=4)).double()
    child = TCM({3: 5}, window=5, mid_channels=4).double().eval()
    child.blocks['3'].mtdm.load_state_dict(parent.blocks['3'].matching.state_dict())
    x = torch.randn(2, 5, 4, 6, 6, dtype=torch.float64)
    motion, expected = parent.motion(x, 3), child.motion(x, 3)
    assert (motion.names, motion.sources) == (('t+1',), expected.sources[:1])
    torch.testing.assert_close(motion.displacement, expected.displacement[:, :1])
    torch.testing.assert_close(motion.confidence, expected.confidence[:, :1])


@pytest.mark.parametrize('dy, dx', [(0, 0), (1, -2), (-3, 2)])
def test_known_motion(dy, dx):
    """Exact at every pixel that stays on the map; down and right positive; the last map twice."""
    module = MotionSqueeze({3: 64}, mid_channels=64).eval()
    with torch.no_grad():
        module.blocks['3'].matching.conv.weight.copy_(torch.eye(64)[..., None, None])
    motion = module.motion(moving_texture(dy, dx, 4, (17, 23)), 3)
    expected = torch.tensor([dy, dx], dtype=torch.float32)[:, None]
    valid = staying(dy, dx, (17, 23))
    for frame in range(3):
        found = motion.displacement[0, 0, :, frame][:, valid]
        torch.testing.assert_close(found, expected.expand_as(found), rtol=0, atol=1e-3)
    assert torch.equal(motion.displacement[:, :, :, 3], motion.displacement[:, :, :, 2])
    assert motion.sources == ((0, 1, 2, 2),)


@pytest.mark.parametrize('in_channels, expected', [(RESNET_50, 70_905), (RESNET_18, 20_985)])
def test_parameters_are_those_of_the_code(in_channels, expected):
    module = MotionSqueeze(in_channels)
    assert sum(p.numel() for p in module.parameters()) == expected


def test_multiply_adds_of_the_parts():
    module = MotionSqueeze(RESNET_50).to('meta')
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 512, 8, 28, 28, device='meta'), 3)
    per_pixel = 49 * 3 + 3 * 16 + 16 * 9 + 16 * 32 + 32 * 9 + 32 * 64 + 64 * 9 + 64 * 512
    reduction, correlation = 8 * 28**2 * 512 * 64, 7 * 28**2 * 15**2 * 64
    assert round(correlation / 1e9, 2) == 0.08
    expected = reduction + correlation + 8 * 28**2 * per_pixel
    assert counter.get_total_flops() == 2 * expected


def test_layers_have_the_shapes_of_the_code():
    """And start by Kaiming's rule, as those of its child; nothing starts at zero."""
    torch.manual_seed(0)
    block = MotionSqueeze(RESNET_50).blocks['3']
    assert tuple(block.matching.conv.weight.shape) == (64, 512, 1, 1)
    assert [tuple(layer.conv.weight.shape) for layer in block.transformation] == [
        (3, 1, 7, 7),
        (16, 3, 1, 1),
        (16, 1, 3, 3),
        (32, 16, 1, 1),
        (32, 1, 3, 3),
        (64, 32, 1, 1),
        (64, 1, 3, 3),
        (512, 64, 1, 1),
    ]
    for conv in (block.matching.conv, block.transformation[7].conv):
        assert conv.bias is None
        assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.05)
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 9 and all(torch.all(m.weight == 1) for m in norms)


def test_windows_and_blocks_by_stage():
    module = MotionSqueeze({2: 4, 3: 6, 4: 8, 5: 8}, window={2: (9, 5)})
    assert [module.reach(stage) for stage in module.stages] == [4, 7, 3, 1]
    assert module(torch.randn(1, 8, 2, 4, 4), 4)[0].shape == (1, 8, 2, 4, 4)


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(mid_channels=0), 'mid_channels must be at least 1, got 0'),
        (dict(window=4), '4 for stage 3'),
        (dict(window={2: 5}), r'\[3\], got 2'),
        (dict(sigma=0), 'sigma must be positive, got 0'),
        (dict(temperature=-2.0), 'temperature must be positive, got -2.0'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        MotionSqueeze({3: 4}, **arguments)
