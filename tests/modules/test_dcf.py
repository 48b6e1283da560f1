"""The DCF block against Algorithm 1 of the paper, and each of its switches."""

import numpy as np
import pytest
import torch

from mmaction_ext.modules.dcf import DCF
from mmaction_ext.ops import local_correlation

CHANNELS = {2: 4, 3: 6, 4: 8}


def features(stage, frames=4, clips=2, size=32, channels=CHANNELS):
    """Features of a stage, as a ReLU leaves them."""
    side = size // 2 ** (stage - 2)
    return torch.randn(clips, channels[stage], frames, side, side).relu()


def run(module, xs):
    """Run a module over the features of all its stages; returns outputs and what is carried."""
    carried, outputs = (), {}
    for stage, x in xs.items():
        outputs[stage], carried = module(x, stage, carried)
    return outputs, carried


def trained(**arguments):
    """A module whose normalisations are no longer trivial."""
    module = DCF(CHANNELS, **arguments)
    for block in module.blocks.values():
        for norm in (block.bn1, block.bn2):
            torch.nn.init.uniform_(norm.weight, 0.5, 2)
            torch.nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return module


def algorithm_1(block, x, passed, offsets, dilations):
    """Algorithm 1 line by line, in evaluation mode and with matrix products as convolutions."""

    def conv(y, layer):
        return torch.einsum('oc,ncthw->nothw', layer.weight[:, :, 0, 0, 0], y)

    def norm(y, layer):
        shape = (1, -1, 1, 1, 1)
        y = y - layer.running_mean.view(shape)
        y = y / (layer.running_var + layer.eps).sqrt().view(shape)
        return y * layer.weight.view(shape) + layer.bias.view(shape)

    reduced = norm(conv(x, block.conv1), block.bn1).clamp(min=0)
    volume = local_correlation(reduced, offsets, 5, dilations, implementation='reference')
    field = norm(conv(torch.cat((volume, *passed), 1), block.conv2), block.bn2)
    return (x + field).clamp(min=0), volume


def halved(volume):
    n, d, t, h, w = volume.shape
    return volume.reshape(n, d, t, h // 2, 2, w // 2, 2).mean(dim=(4, 6))


def test_equals_algorithm_1():
    module = trained().eval()
    xs = {stage: features(stage) for stage in CHANNELS}
    long = ((-2, -1, 1, 2), (2, 1, 1, 2))
    y2, v2 = algorithm_1(module.blocks['2'], xs[2], (), *long)
    y3, v3 = algorithm_1(module.blocks['3'], xs[3], (halved(v2),), *long)
    y4, _ = algorithm_1(
        module.blocks['4'], xs[4], (halved(v3), halved(halved(v2))), (-1, 1), (1, 1)
    )
    outputs, _ = run(module, xs)
    for stage, expected in {2: y2, 3: y3, 4: y4}.items():
        torch.testing.assert_close(outputs[stage], expected, rtol=1e-4, atol=1e-4)


def input_channels(**arguments):
    module = DCF(CHANNELS, **arguments)
    return [block.conv2.in_channels for block in module.blocks.values()]


@pytest.mark.parametrize(
    'arguments, expected',
    [
        ({}, [100, 200, 250]),
        (dict(spatial_pyramid=False), [100, 100, 50]),
        (dict(long_term=False), [50, 100, 150]),
        (dict(long_term=False, spatial_pyramid=False), [50, 50, 50]),
        (dict(short_range_stages=()), [100, 200, 300]),
        (dict(bidirectional=False), [50, 100, 125]),
        (dict(temporal_range=3), [150, 300, 350]),
        (dict(window=3), [36, 72, 90]),
        (dict(window=(3, 5)), [60, 120, 150]),
        (dict(window=np.array([1, 3])), [12, 24, 30]),
    ],
)
def test_channels_of_the_volumes(arguments, expected):
    assert input_channels(**arguments) == expected
    outputs, _ = run(DCF(CHANNELS, **arguments), {s: features(s) for s in CHANNELS})
    assert [y.shape for y in outputs.values()] == [features(s).shape for s in CHANNELS]


def test_short_range_belongs_to_stage_4_and_not_to_the_last_one_chosen():
    assert len(DCF({1: 4, 3: 4}).blocks['3'].offsets) == 4
    assert len(DCF({2: 4, 4: 4}).blocks['4'].offsets) == 2


@pytest.mark.parametrize('reduction, expected', [(2, [2, 3, 4]), (4, [1, 1, 2])])
def test_reduction(reduction, expected):
    module = DCF(CHANNELS, reduction=reduction)
    assert [block.conv1.out_channels for block in module.blocks.values()] == expected


@pytest.mark.parametrize('dilate, expected', [(True, (2, 1, 1, 2)), (False, (1, 1, 1, 1))])
def test_dilation(dilate, expected):
    assert DCF(CHANNELS, dilate_with_step=dilate).blocks['2'].dilations == expected


def test_clip_border_reaches_the_correlation():
    x = features(2)
    torch.manual_seed(0)
    zeros, circular = (DCF({2: 4}, clip_border=border) for border in ('zeros', 'circular'))
    circular.load_state_dict(zeros.state_dict())
    first = [module.blocks['2'].eval()(x, ())[1][:, :50, 0] for module in (zeros, circular)]
    assert not first[0].any() and first[1].any()


@pytest.mark.parametrize('training', [True, False])
def test_starts_as_identity(training):
    module = DCF(CHANNELS).train(training)
    xs = {stage: features(stage) for stage in CHANNELS}
    outputs, _ = run(module, xs)
    for stage, x in xs.items():
        assert torch.equal(outputs[stage], x)


def test_learns_although_it_starts_as_identity():
    torch.manual_seed(0)
    module = DCF(CHANNELS)
    xs = {stage: features(stage) for stage in CHANNELS}
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    before = {name: value.clone() for name, value in module.named_parameters()}
    for _ in range(2):  # the first step moves the last normalisation only
        optimizer.zero_grad()
        outputs, _ = run(module, xs)
        sum((y * torch.randn_like(y)).sum() for y in outputs.values()).backward()
        optimizer.step()
    still = [name for name, value in module.named_parameters() if torch.equal(value, before[name])]
    assert not still


def test_relu_on_both_convolutions_adds_something_positive():
    module = trained(relu='both', zero_init=False).eval()
    x = features(2) - 1
    y, _ = module(x, 2)
    assert torch.all(y >= x) and torch.any(y < 0)


@pytest.mark.parametrize('training', [True, False])
def test_starts_as_identity_on_negative_features_without_a_relu(training):
    xs = {stage: features(stage) - 0.5 for stage in CHANNELS}
    for relu in ('none', 'after_sum'):
        outputs, _ = run(DCF(CHANNELS, relu=relu).train(training), xs)
        for stage, x in xs.items():
            assert torch.equal(outputs[stage], x if relu == 'none' else x.relu())


def test_the_relu_comes_last():
    plain, cut = trained(relu='none').eval(), DCF(CHANNELS).eval()
    cut.load_state_dict(plain.state_dict())
    x = features(2) - 1
    y, _ = plain(x, 2)
    assert y.min() < 0
    assert torch.equal(cut(x, 2)[0], y.relu())


def test_odd_sizes_are_rounded_up():
    """X3D-S tested at 182 pixels: 46, 23 and 12."""
    xs = {
        stage: torch.rand(1, CHANNELS[stage], 3, side, side)
        for stage, side in {2: 46, 3: 23, 4: 12}.items()
    }
    outputs, carried = run(trained(), xs)
    assert outputs[4].shape == (1, 8, 3, 12, 12)
    assert [v.shape[-1] for v in carried] == [12, 12, 12]


def test_rounding_up_averages_what_is_there():
    """The last cell of an odd map is the mean of two pixels, not of two pixels and zeros."""
    module = DCF({2: 2, 3: 2}, temporal_range=1, window=1, bidirectional=False)
    volume = torch.arange(5.0).expand(1, 1, 2, 5, 5)
    _, (_, pooled) = module(torch.rand(1, 2, 2, 3, 3), 3, (volume,))
    assert pooled[0, 0, 0, 0].tolist() == [0.5, 2.5, 4.0]


def test_a_stage_between_is_bridged():
    """Volumes of stage 1 reach stage 3 by pooling twice (Table 2, stages 1 and 3)."""
    module = DCF({1: 4, 3: 4})
    _, carried = module(torch.rand(1, 4, 4, 16, 16), 1)
    _, carried = module(torch.rand(1, 4, 4, 4, 4), 3, carried)
    assert [tuple(v.shape) for v in carried] == [(1, 100, 4, 4, 4)] * 2


@pytest.mark.parametrize('size', [(3, 8, 8), (4, 16, 8), (4, 7, 7), (4, 32, 32)])
def test_volumes_that_cannot_be_pooled_are_refused(size):
    module = DCF({2: 4, 3: 4})
    _, carried = module(torch.rand(1, 4, 4, 16, 16), 2)
    with pytest.raises(ValueError, match=r'\(4, 16, 16\).*' + str(size).replace('(', r'\(')[:-1]):
        module(torch.rand(1, 4, *size), 3, carried)


def test_nothing_is_kept_between_calls():
    module = DCF(CHANNELS).eval()
    attributes = [set(vars(m)) for m in module.modules()]
    x = features(3)
    passed = (torch.rand(2, 100, 4, 32, 32),)
    first = module(x, 3, passed)[0]
    module(features(2), 2)
    assert torch.equal(module(x, 3, passed)[0], first)
    assert [set(vars(m)) for m in module.modules()] == attributes


def test_min_frames():
    assert DCF(CHANNELS).min_frames == 3
    assert DCF(CHANNELS, long_term=False).min_frames == 2
    assert DCF({4: 8}).min_frames == 2
    assert DCF(CHANNELS, temporal_range=4).min_frames == 5


def test_reach():
    module = DCF(CHANNELS)
    assert [module.reach(stage) for stage in (2, 3, 4)] == [4, 4, 2]
    assert DCF(CHANNELS, dilate_with_step=False).reach(2) == 2
    assert DCF(CHANNELS, window=7, temporal_range=3).reach(3) == 9
    assert DCF(CHANNELS, window=(3, 7)).reach(2) == 6


def moving(dy, dx, channels=64, size=32, frames=5):
    """A texture that moves by (dy, dx) pixels a frame, (1, C, T, H, W)."""
    texture = torch.randn(1, channels, size, size)
    return torch.stack([texture.roll((t * dy, t * dx), (2, 3)) for t in range(frames)], dim=2)


@pytest.mark.parametrize('dy, dx', [(0, 0), (0, 1), (1, 0), (-2, 1), (2, -1), (-1, -2), (2, 2)])
def test_motion_finds_a_known_motion_for_every_offset(dy, dx):
    """Dilation grows with the offset, so that every offset reaches what its step leads to."""
    module = DCF({3: 64}, reduction=1).eval()
    motion = module.motion(moving(dy, dx), 3)
    assert motion.names == ('t-2', 't-1', 't+1', 't+2')
    assert motion.displacement.shape == (1, 4, 2, 5, 32, 32)
    inside = (..., slice(12, -12), slice(12, -12))
    for index, tau in enumerate((-2, -1, 1, 2)):
        there = slice(max(0, -tau), 5 - max(0, tau))
        found = motion.displacement[0, index, :, there][inside]
        expected = torch.tensor([tau * dy, tau * dx]).view(2, 1, 1, 1).expand_as(found).float()
        torch.testing.assert_close(found, expected, rtol=0, atol=0.01)
        confidence = motion.confidence[0, index, there][inside]
        torch.testing.assert_close(confidence, torch.ones_like(confidence))


@pytest.mark.parametrize('window, dy, dx', [((3, 7), 1, -3), ((7, 1), -3, 0)])
def test_a_rectangular_window_is_vertical_first(window, dy, dx):
    module = DCF({4: 64}, reduction=1, window=window).eval()
    motion = module.motion(moving(dy, dx), 4)
    forward = motion.displacement[0, motion.names.index('t+1'), :, 1, 12:-12, 12:-12]
    expected = torch.tensor([dy, dx]).view(2, 1, 1).expand_as(forward).float()
    torch.testing.assert_close(forward, expected, rtol=0, atol=0.01)


def test_sources():
    motion = DCF({2: 64}).eval().motion(moving(1, 1, frames=4), 2)
    assert motion.sources == ((0, 1, 2, 3),) * 4


def test_temperature_reaches_the_softmax_of_motion_alone():
    """Two matches 0.5 apart in cosine, at -1 and 1: weights 1 and e**(-0.5 / temperature)."""
    x = torch.zeros(1, 2, 2, 1, 3)
    x[0, 0, 0, 0, 1] = 1
    x[0, :, 1, 0, 0] = torch.tensor([0.5, 0.75**0.5])
    x[0, 0, 1, 0, 2] = 1
    sharp, soft = (
        DCF(
            {4: 2}, reduction=1, window=(1, 3), bidirectional=False, temperature=temperature
        ).eval()
        for temperature in (0.01, 0.5)
    )
    for module, expected in ((sharp, 1), (soft, (1 - np.exp(-1)) / (1 + np.exp(-1) + np.exp(-2)))):
        torch.nn.init.eye_(module.blocks['4'].conv1.weight.detach()[:, :, 0, 0, 0])
        dx = module.motion(x, 4).displacement[0, 0, 1, 0, 0, 1]
        assert dx.item() == pytest.approx(expected, abs=1e-4)
    soft.load_state_dict(sharp.state_dict())
    assert torch.equal(sharp(x, 4)[0], soft(x, 4)[0])


def test_motion_of_one_offset_and_undilated():
    module = DCF({2: 64}, reduction=1, bidirectional=False, dilate_with_step=False).eval()
    motion = module.motion(moving(-1, 1), 2)
    assert motion.names == ('t+1', 't+2')
    assert motion.displacement[0, :, :, 0, 16, 16].round().tolist() == [[-1, 1], [-2, 2]]


def test_no_motion_where_there_is_no_frame():
    motion = DCF({2: 64}).eval().motion(moving(1, 1), 2)
    forward = motion.names.index('t+2')
    assert not motion.displacement[:, forward, :, 3:].any()
    assert not motion.confidence[:, forward, 3:].any()
    assert motion.confidence[:, forward, :3].all()


def test_motion_does_not_follow_the_strongest_feature():
    """A raw product would be largest with the bright pixel beside the true match."""
    x = moving(0, 0, frames=2)
    x[:, :, 1, 16, 16] *= 10
    motion = DCF({4: 64}, reduction=1).eval().motion(x, 4)
    around = motion.displacement[0, motion.names.index('t+1'), :, 0, 14:19, 14:19]
    torch.testing.assert_close(around, torch.zeros_like(around), rtol=0, atol=0.01)


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(in_channels={}), 'none'),
        (dict(reduction=0), '0'),
        (dict(reduction=5), '4 channels.* 5'),
        (dict(temporal_range=0), '0'),
        (dict(window=4), '4'),
        (dict(window=(3, 4)), r'\(3, 4\)'),
        (dict(window=5.0), r'5\.0'),
        (dict(window={3: 5}), r'\{3: 5\}'),
        (dict(clip_border='mirror'), "clip_border.*'mirror'"),
        (dict(temperature=0), 'temperature.*0'),
        (dict(reduction=1.5), 'reduction must be a whole number, got 1.5'),
        (dict(temporal_range=0), 'temporal_range must be at least 1, got 0'),
        (dict(short_range_stages=4), 'short_range_stages .* got 4'),
        (dict(relu='never'), "'never'"),
        (dict(relu='both'), 'zero_init=False'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        DCF(**{'in_channels': CHANNELS, **arguments})


def test_bfloat16_autocast():
    module = DCF(CHANNELS)
    xs = {stage: features(stage).requires_grad_() for stage in CHANNELS}
    with torch.autocast('cpu', torch.bfloat16):
        outputs, carried = run(module, xs)
    assert {v.dtype for v in carried} == {torch.bfloat16}
    sum(y.float().square().sum() for y in outputs.values()).backward()
    assert all(torch.isfinite(x.grad).all() for x in xs.values())


def test_compiles_without_a_graph_break():
    """The correlation itself is compiled by inductor too, in the tests of the operator."""
    module, x = trained().eval(), features(2).requires_grad_()
    compiled = torch.compile(lambda y: module(y, 2), fullgraph=True, backend='aot_eager')
    (expected, (volume,)), (actual, (found,)) = module(x, 2), compiled(x)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(found, volume)
    weight = torch.randn_like(x)
    torch.testing.assert_close(
        torch.autograd.grad(actual, x, weight), torch.autograd.grad(expected, x, weight)
    )
