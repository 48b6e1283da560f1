"""The correlation block against a restatement with loops, its counts, and known motion."""

import itertools
import math

import pytest
import torch
from matching_reference import moving_texture, normalised, staying, trained
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.modules.correlation_block import CorrelationBlock

TINY = dict(reduction=2, groups=2, window=3, dilation=2)


def small(channels=8, **arguments):
    torch.manual_seed(0)
    module = CorrelationBlock({3: channels}, **{**TINY, **arguments})
    return trained(module).double()


def correlated(centre, other, weight, groups, sides, dilation):
    """The volume (G * U * V, H, W) of two maps (C, H, W), pixel by pixel."""
    channels, height, width = centre.shape
    values = []
    for group, a, b, i, j in itertools.product(
        range(groups), *map(range, sides), range(height), range(width)
    ):
        y, x = i + dilation * (a - sides[0] // 2), j + dilation * (b - sides[1] // 2)
        each = slice(group * channels // groups, (group + 1) * channels // groups)
        inside = 0 <= y < height and 0 <= x < width
        products = centre[each, i, j] * other[each, y, x] if inside else centre[each, i, j] * 0
        values.append((products * weight[each, a, b]).mean())
    return torch.stack(values).view(-1, height, width)


def convolved(weight, x):
    return torch.einsum('oi,ihw->ohw', weight[:, :, 0, 0], x)


def block_by_loops(block, x, groups, sides, dilation, displaced, border, fusion, relu):
    """The block on clips (N, C, T, H, W)."""
    clips = []
    for clip in x:
        frames = clip.unbind(1)
        reduced = [
            normalised(convolved(block.conv1.weight, frame), block.bn1).clamp(min=0)
            for frame in frames
        ]
        out = []
        for t, frame in enumerate(frames):
            current = reduced[t]
            if t:
                previous = reduced[t - 1]
            else:
                previous = current if border == 'replicate' else torch.zeros_like(current)
            ones = current.new_ones(len(current), *sides)
            weight = ones if block.weight is None else block.weight[:, t % block.weight.shape[1]]
            pair = (current, previous) if displaced == 'previous' else (previous, current)
            volume = correlated(*pair, weight, groups, sides, dilation)
            if fusion == 'sum':
                y = frame + normalised(convolved(block.conv2.weight, volume), block.bn2)
            else:
                beside = normalised(convolved(block.conv2.weight, current), block.bn2)
                y = torch.cat((volume, beside))
            out.append(y.clamp(min=0) if relu else y)
        clips.append(torch.stack(out, dim=1))
    return torch.stack(clips)


@pytest.mark.parametrize(
    'channels, arguments',
    [
        (8, {}),
        (8, dict(weight_frames=3)),
        (8, dict(weight_frames=0, groups=1, window=(1, 3))),
        (8, dict(displaced='current', dilation=1)),
        (8, dict(clip_border='zeros', relu='none', groups=4, window=(3, 1))),
        (24, dict(fusion='concat', reduction=6)),
        (12, dict(fusion='concat', groups=1, relu='none', displaced='current')),
    ],
)
def test_equals_the_restatement(channels, arguments):
    """Values, and gradients of the input and of every parameter."""
    module = small(channels, **arguments)
    x = torch.randn(2, channels, 3, 3, 4, dtype=torch.float64).requires_grad_()
    actual, carried = module(x, 3)
    stated = {**TINY, **arguments}
    window = stated['window']
    expected = block_by_loops(
        module.blocks['3'],
        x,
        stated['groups'],
        (window, window) if isinstance(window, int) else window,
        stated['dilation'],
        stated.get('displaced', 'previous'),
        stated.get('clip_border', 'replicate'),
        stated.get('fusion', 'sum'),
        stated.get('relu', 'after_sum') == 'after_sum',
    )
    assert carried == () and actual.shape == x.shape
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    inputs = (x, *module.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


@pytest.mark.parametrize('displaced', ['previous', 'current'])
@pytest.mark.parametrize('dy, dx', [(0, 0), (2, -4), (-6, 2)])
def test_known_motion(displaced, dy, dx):
    """In pixels, not steps of the dilation; backwards in time where the previous frame moves."""
    module = CorrelationBlock({3: 64}, reduction=1, displaced=displaced).eval()
    with torch.no_grad():
        module.blocks['3'].conv1.weight.copy_(torch.eye(64)[..., None, None])
    assert module.reach(3) == 6
    motion = module.motion(moving_texture(dy, dx, 3, (19, 23)), 3)
    assert motion.displacement.shape == (1, 1, 2, 3, 19, 23)
    sign = -1 if displaced == 'previous' else 1
    assert (motion.names, motion.sources) == (
        (('t-1',), ((0, 1, 2),)) if sign == -1 else (('t+1',), ((0, 0, 1),))
    )
    valid = staying(sign * dy, sign * dx, (19, 23))
    expected = sign * torch.tensor([dy, dx], dtype=torch.float32)[:, None]
    for frame in (1, 2):
        found = motion.displacement[0, 0, :, frame][:, valid]
        torch.testing.assert_close(found, expected.expand_as(found), rtol=0, atol=1e-3)
        sure = motion.confidence[0, 0, frame][valid]
        torch.testing.assert_close(sure, torch.ones_like(sure), rtol=0, atol=1e-4)
    assert motion.displacement[0, 0, :, 0].abs().max() < 1e-3  # the first is matched with itself


def test_nothing_stands_before_the_first_frame():
    motion = small(clip_border='zeros').motion(torch.rand(1, 8, 3, 5, 5).double(), 3)
    assert not motion.confidence[:, :, 0].any() and motion.confidence[:, :, 1:].all()
    assert motion.displacement[:, :, :, 0].abs().max() < 1e-12


@pytest.mark.parametrize('channels', [256, 512])
def test_parameters_and_multiply_adds_as_on_res2_and_res3(channels):
    """K = 7, D = 2, G = 32 on a quarter of the channels, 32 frames."""
    module = CorrelationBlock({2: channels}).to('meta')
    quarter, volume = channels // 4, 32 * 7 * 7
    expected = channels * quarter + 2 * quarter + quarter * 49 + volume * channels + 2 * channels
    assert sum(p.numel() for p in module.parameters()) == expected
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, channels, 32, 14, 14, device='meta'), 2)
    per_pixel = channels * quarter + quarter * 49 + volume * channels
    assert counter.get_total_flops() == 2 * 32 * 14 * 14 * per_pixel


def test_learnt_weights_start_as_asked():
    torch.manual_seed(0)
    kaiming = CorrelationBlock({3: 512}, weight_frames=8).blocks['3'].weight
    assert kaiming.shape == (128, 8, 7, 7)
    assert kaiming.std().item() == pytest.approx((2 / (8 * 49)) ** 0.5, rel=0.05)
    ones = CorrelationBlock({3: 512}, weight_init='ones').blocks['3'].weight
    assert torch.all(ones == 1)
    assert CorrelationBlock({3: 512}, weight_frames=0).blocks['3'].weight is None


def test_starts_as_identity_where_asked():
    x = torch.randn(2, 8, 3, 5, 5).relu()
    for zero_init in (True, False):
        module = CorrelationBlock({3: 8}, **TINY, zero_init=zero_init)
        assert torch.equal(module(x, 3)[0], x) == zero_init


def test_weights_of_frames_that_the_clip_has_not_are_refused():
    with pytest.raises(ValueError, match='1 or 4'):
        small(weight_frames=3)(torch.rand(1, 8, 4, 3, 3).double(), 3)


def test_everything_learns():
    torch.manual_seed(0)
    module = CorrelationBlock({2: 8, 3: 16}, **TINY)
    x = {2: torch.randn(2, 8, 4, 8, 8), 3: torch.randn(2, 16, 4, 4, 4)}
    sum((module(x[stage], stage)[0] * torch.randn_like(x[stage])).sum() for stage in x).backward()
    assert [name for name, p in module.named_parameters() if not p.grad.any()] == []


def test_compiles_without_a_graph_break():
    module = small()
    x = torch.randn(2, 8, 3, 5, 5, dtype=torch.float64).requires_grad_()
    compiled = torch.compile(lambda y: module(y, 3)[0], fullgraph=True, backend='aot_eager')
    expected, actual = module(x, 3)[0], compiled(x)
    torch.testing.assert_close(actual, expected)
    inputs = (x, *module.parameters())
    weight = torch.randn_like(x)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(reduction=0), 'reduction must be at least 1, got 0'),
        (dict(reduction=16), 'groups must divide the 0 correlated of 8 channels, got 2'),
        (dict(groups=3), 'groups must divide the 4 correlated of 8 channels, got 3'),
        (dict(groups=0), 'groups must be at least 1, got 0'),
        (dict(window=4), 'odd'),
        (dict(dilation=0), 'dilation must be at least 1, got 0'),
        (dict(weight_frames=-1), 'weight_frames must be at least 0, got -1'),
        (dict(weight_init='zeros'), "weight_init .*'zeros'"),
        (dict(displaced='next'), "displaced .*'next'"),
        (dict(clip_border='circular'), "clip_border .*'circular'"),
        (dict(fusion='mean'), "fusion .*'mean'"),
        (dict(fusion='concat'), '2 groups make a volume of 18 channels, which leaves none of 8'),
        (dict(fusion='concat', groups=1, window=1, zero_init=True), "'concat'"),
        (dict(relu='both'), "relu .*'both'"),
        (dict(temperature=math.inf), 'temperature must be positive, got inf'),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        CorrelationBlock({3: 8}, **{**TINY, **arguments})
