"""The TCM block against a restatement with loops, known motion, and each of its switches."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_reference import convolved, maps_by_loops, moving_texture, staying, trained
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.modules.tcm import TCM

RESNET_50, RESNET_18 = {3: 512}, {3: 128}


def small(channels=5, window=5, **arguments):
    """A small module in float64: with few channels, rounding to float32 would choose matches."""
    torch.manual_seed(0)
    return trained(TCM({3: channels}, window=window, mid_channels=4, **arguments)).double()


def features(*size):
    return torch.randn(size, dtype=torch.float64)


def tracker(channels=64, **arguments):
    """A module that correlates the channels of its input as they are."""
    module = TCM({3: channels}, mid_channels=channels, **arguments).eval()
    with torch.no_grad():
        module.blocks['3'].mtdm.conv.weight.copy_(torch.eye(channels)[..., None, None])
    return module


def features_by_hand(tam, maps, gated):
    """What the attention module makes of one clip's maps: (C, T, H, W)."""
    maps = convolved(maps, tam.transformation, (3, 3, 3, 1, 16, 1, 32, 1, 64, 1))
    features = maps.transpose(0, 1)
    if not gated:
        return features
    kernel = tam.gate.weight.flatten()
    frames = features.shape[1]
    weights = torch.zeros(features.shape[:2], dtype=features.dtype)
    for channel, t in itertools.product(*map(range, weights.shape)):
        for k, factor in enumerate(kernel):
            u = t + k - len(kernel) // 2
            if 0 <= u < frames:
                weights[channel, t] += factor * features[channel, u].mean()
    return features / (1 + torch.exp(-weights))[..., None, None]


def block_by_loops(
    module, x, tempos=('fast', 'slow'), window=(5, 5), sigma=5.0, temperature=0.01, gated=True
):
    block = module.blocks['3']
    clips = []
    for clip in x:
        maps = maps_by_loops(block.mtdm, clip, tempos, window, sigma, temperature)
        clips.append(clip + features_by_hand(block.tam, maps, gated))
    return torch.stack(clips)


@pytest.mark.parametrize(
    'size, arguments, stated',
    [
        ((2, 5, 3, 4, 5), {}, {}),
        ((1, 5, 8, 2, 3), dict(window=3), dict(window=(3, 3))),
        ((1, 5, 3, 4, 5), dict(window=(3, 5)), dict(window=(3, 5))),
        ((1, 5, 2, 5, 3), dict(num_segments=2), {}),
        ((1, 5, 4, 1, 2), dict(num_segments=16, window=7), dict(window=(7, 7))),
        ((1, 5, 3, 4, 4), dict(tempos=('fast',)), dict(tempos=('fast',))),
        ((1, 5, 3, 4, 4), dict(tempos=['slow']), dict(tempos=('slow',))),
        ((1, 5, 3, 4, 4), dict(sigma=0.7, temperature=0.3), dict(sigma=0.7, temperature=0.3)),
        ((1, 5, 3, 4, 4), dict(sigma=None), dict(sigma=math.inf)),
        ((1, 5, 3, 4, 4), dict(temporal_attention=False), dict(gated=False)),
    ],
)
def test_equals_the_restatement(size, arguments, stated):
    """Values, and gradients of the input and of every parameter."""
    module = small(**arguments)
    x = features(*size).requires_grad_()
    actual, carried = module(x, 3)
    expected = block_by_loops(module, x, **stated)
    assert carried == ()
    assert (actual - x).abs().max() > 0.01
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    inputs = (x, *module.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(
        st.integers(1, 2), st.just(3), st.integers(2, 4), st.integers(1, 4), st.integers(1, 4)
    ),
    window=st.tuples(*[st.sampled_from([3, 5])] * 2),
    sigma=st.floats(0.3, 10),
    temperature=st.floats(0.005, 10),
    seed=st.integers(0, 2**31),
)
def test_motion_equals_the_restatement(size, window, sigma, temperature, seed):
    module = small(3, window, sigma=sigma, temperature=temperature)
    x = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    motion = module.motion(x, 3)
    reach = torch.tensor(window).view(2, 1, 1, 1) // 2
    for n, clip in enumerate(x):
        maps = (
            maps_by_loops(
                module.blocks['3'].mtdm, clip, ('fast', 'slow'), window, sigma, temperature
            )
            .unflatten(1, (2, 3))
            .transpose(0, 1)
        )  # (M, T, 3, H, W)
        torch.testing.assert_close(
            motion.displacement[n], maps[:, :, :2].flip(2).transpose(1, 2) * reach
        )
        torch.testing.assert_close(motion.confidence[n], maps[:, :, 2])


@pytest.mark.parametrize('size', [(24, 20), (17, 23)])
@pytest.mark.parametrize('dy, dx', [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -2), (2, -1), (-2, 2)])
def test_known_motion(dy, dx, size):
    """Exact at every pixel that stays on the map; down and right are positive."""
    frames = 4
    motion = tracker().motion(moving_texture(dy, dx, frames, size), 3)
    assert motion.names == ('fast', 'slow')
    assert motion.displacement.shape == (1, 2, 2, frames, *size)
    assert motion.confidence.shape == (1, 2, frames, *size)
    for m, t in itertools.product(range(2), range(frames)):
        steps = 1 if m == 0 else min(t + 1, frames - 1)
        expected = torch.tensor([steps * dy, steps * dx], dtype=torch.float32)
        valid = staying(steps * dy, steps * dx, size)
        found = motion.displacement[0, m, :, t][:, valid]
        torch.testing.assert_close(found, expected[:, None].expand_as(found), rtol=0, atol=1e-3)
        sure = motion.confidence[0, m, t][valid]
        torch.testing.assert_close(sure, torch.ones_like(sure), rtol=0, atol=1e-4)


def test_motion_beyond_the_reach_is_not_found():
    size = (30, 30)
    motion = tracker(window=7).motion(moving_texture(0, 4, 2, size), 3)
    assert motion.displacement.abs().max() <= 3
    assert motion.confidence[0, 0, 0][staying(0, 4, size)].max() < 0.9


@pytest.mark.parametrize(
    'tempos, expected',
    [(('fast', 'slow'), ((0, 1, 2, 2), (0, 0, 0, 0))), (('slow',), ((0, 0, 0, 0),))],
)
def test_sources(tempos, expected):
    """Where a map says that something goes, its source frame has it."""
    clip = moving_texture(0, 1, 4, (6, 20))
    assert tracker(tempos=tempos).motion(clip, 3).sources == expected


@pytest.mark.parametrize('frames', [2, 8, 16])
def test_the_last_map_is_repeated(frames):
    """The slow texture goes on by one pixel a frame; the last map is the second last."""
    motion = tracker().motion(moving_texture(0, 1, frames, (6, 40)), 3)
    assert torch.equal(motion.displacement[:, :, :, -1], motion.displacement[:, :, :, -2])
    assert torch.equal(motion.confidence[:, :, -1], motion.confidence[:, :, -2])
    slow = motion.displacement[0, 1, 1, :, 3, 7].round().tolist()
    steps = [min(t + 1, frames - 1) for t in range(frames)]
    assert slow[:7] == steps[:7]


def test_a_narrow_mask_leaves_the_best_match():
    """Far from the best match the exponent is 0, so a match of 1 outweighs all others."""
    x = moving_texture(1, -2, 2, (12, 12))
    noisy = x + 0.3 * torch.rand(x.shape, generator=torch.Generator().manual_seed(2))
    motion = tracker(sigma=0.01).motion(noisy, 3)
    valid = staying(1, -2, (12, 12))
    found = motion.displacement[0, 0, :, 0][:, valid]
    torch.testing.assert_close(found[0], torch.ones_like(found[0]), rtol=0, atol=1e-4)
    torch.testing.assert_close(found[1], torch.full_like(found[1], -2), rtol=0, atol=1e-4)


def test_the_mask_keeps_a_second_match_away():
    """Two equal patterns: near the better one the mask decides, without it both count."""
    x = torch.zeros(1, 2, 2, 1, 15)
    x[0, 0, 0, 0, 7] = 1
    x[0, :, 1, 0, 4] = torch.tensor([1, 0.2])  # cosine 0.981
    x[0, 0, 1, 0, 11] = 1
    masked, free = (
        tracker(2, sigma=sigma, tempos=('fast',)).motion(x, 3).displacement[0, 0, 1, 0]
        for sigma in (2, None)
    )
    assert masked[0, 7].item() == pytest.approx(4, abs=1e-3)
    share = 1 / (1 + math.exp(100 * (1 - 1 / math.hypot(1, 0.2))))
    assert free[0, 7].item() == pytest.approx(4 - 7 * share, abs=1e-2)


def test_empty_frames_stay_where_they_are():
    module = tracker(8)
    x = torch.zeros(1, 8, 3, 9, 9, requires_grad=True)
    motion = module.motion(x, 3)
    assert motion.displacement.abs().max() < 1e-5
    assert not motion.confidence.any()
    module(x, 3)[0].sum().backward()
    assert torch.isfinite(x.grad).all()


def test_window_of_one_pixel():
    """Nothing moves, and nothing is divided by the reach of zero."""
    module = small(window=1)
    x = features(1, 5, 3, 4, 4)
    motion = module.motion(x, 3)
    assert not motion.displacement.any() and motion.confidence.any()
    assert torch.isfinite(module(x, 3)[0]).all()


@pytest.mark.parametrize(
    'in_channels, frames, expected',
    [(RESNET_50, 8, 71_163), (RESNET_50, 16, 71_165), (RESNET_18, 8, 21_243)],
)
def test_parameters_are_those_of_the_code(in_channels, frames, expected):
    module = TCM(in_channels, num_segments=frames)
    assert sum(p.numel() for p in module.parameters()) == expected


@pytest.mark.parametrize(
    'in_channels, frames, expected',
    [(RESNET_50, 8, 0.59), (RESNET_50, 16, 1.21), (RESNET_18, 8, 0.29)],
)
def test_multiply_adds_are_those_of_the_code(in_channels, frames, expected):
    module = TCM(in_channels, num_segments=frames).to('meta')
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, in_channels[3], frames, 28, 28, device='meta'), 3)
    assert round(counter.get_total_flops() / 2e9, 2) == expected


def test_multiply_adds_of_the_parts():
    module = TCM(RESNET_50).to('meta')
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 512, 8, 28, 28, device='meta'), 3)
    counts = {
        name: sum(by_operator.values()) / 2
        for name, by_operator in counter.get_flop_counts().items()
    }
    reduction = counts['TCM.blocks.3.mtdm.conv']
    assert reduction == 8 * 28**2 * 512 * 64
    assert counts['TCM.blocks.3.mtdm'] - reduction == 2 * 7 * 28**2 * 15**2 * 64
    per_pixel = 6 * 2 * 9 * 3 + 6 * 16 + 16 * 9 + 16 * 32 + 32 * 9 + 32 * 64 + 64 * 9 + 64 * 512
    assert counts['TCM.blocks.3.tam.transformation'] == 8 * 28**2 * per_pixel


def convolution(name, *shape):
    """Entries of a state dict for a convolution with its normalisation."""
    norms = [
        (f'{name}.bn.{entry}', shape[:1])
        for entry in ('weight', 'bias', 'running_mean', 'running_var')
    ]
    return [(f'{name}.conv.weight', shape), *norms, (f'{name}.bn.num_batches_tracked', ())]


def test_weights_have_the_order_and_the_shapes_of_the_code():
    layers = [
        (6, 2, 3, 3),
        (6, 2, 3, 3),
        (6, 2, 3, 3),
        (16, 6, 1, 1),
        (16, 1, 3, 3),
        (32, 16, 1, 1),
        (32, 1, 3, 3),
        (64, 32, 1, 1),
        (64, 1, 3, 3),
        (512, 64, 1, 1),
    ]
    expected = convolution('blocks.3.mtdm', 64, 512, 1, 1)
    for index, shape in enumerate(layers):
        expected += convolution(f'blocks.3.tam.transformation.{index}', *shape)
    expected.append(('blocks.3.tam.gate.weight', (1, 1, 3)))
    state = TCM(RESNET_50).state_dict()
    assert [(name, tuple(value.shape)) for name, value in state.items()] == expected


@pytest.mark.parametrize(
    'frames, kernel', [(2, 1), (3, 1), (4, 3), (7, 3), (8, 3), (15, 3), (16, 5), (32, 5), (64, 7)]
)
def test_kernel_of_the_gate(frames, kernel):
    gate = TCM({3: 4}, num_segments=frames).blocks['3'].tam.gate
    assert (gate.kernel_size, gate.padding) == ((kernel,), (kernel // 2,))


def test_starts_with_kaiming_and_changes_the_features():
    torch.manual_seed(0)
    module = TCM(RESNET_50, num_segments=4, window=3)
    block = module.blocks['3']
    for conv in (block.mtdm.conv, block.tam.transformation[9].conv):
        deviation = (2 / conv.out_channels) ** 0.5
        assert conv.weight.std().item() == pytest.approx(deviation, rel=0.05)
        assert conv.weight.abs().max() > 3 * deviation  # normal, not uniform
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 11
    assert all(torch.all(m.weight == 1) and not m.bias.any() for m in norms)
    x = torch.randn(2, 512, 4, 6, 6)
    added = module(x, 3)[0] - x
    features = block.tam.transformation(block.mtdm(x.transpose(1, 2)).flatten(0, 1))
    features = features.unflatten(0, (2, 4)).transpose(1, 2)
    courses = features.mean(dim=(3, 4)).flatten(0, 1)[:, None]
    gate = torch.sigmoid(F.conv1d(courses, block.tam.gate.weight, padding=1)).view(2, 512, 4, 1, 1)
    torch.testing.assert_close(added, gate * features, rtol=1e-4, atol=1e-5)
    assert added.max() > 0.1


def test_everything_learns():
    torch.manual_seed(0)
    module = TCM({2: 4, 3: 6}, num_segments=4, window=3, mid_channels=8)
    x = {2: torch.randn(2, 4, 4, 8, 8), 3: torch.randn(2, 6, 4, 4, 4)}
    sum((module(x[stage], stage)[0] * torch.randn_like(x[stage])).sum() for stage in x).backward()
    assert [name for name, p in module.named_parameters() if not p.grad.any()] == []


def test_several_stages_have_their_own_blocks():
    module = TCM({2: 4, 4: 8}, window=3).eval()
    x = {2: torch.randn(1, 4, 4, 9, 7), 4: torch.randn(1, 8, 4, 3, 2)}
    for stage, y in x.items():
        alone = TCM({stage: y.shape[1]}, window=3).eval()
        prefix = f'blocks.{stage}.'
        alone.load_state_dict(
            {name: value for name, value in module.state_dict().items() if name.startswith(prefix)}
        )
        assert torch.equal(module(y, stage)[0], alone(y, stage)[0])


@pytest.mark.parametrize(
    'window, expected',
    [
        (None, [7, 7, 7, 3, 1]),
        (9, [4] * 5),
        ({3: 5, 5: 7}, [7, 7, 2, 3, 3]),
        ((3, 7), [3] * 5),
        ({2: (9, 5), 4: 3}, [7, 4, 7, 1, 1]),
    ],
)
def test_window_by_stage(window, expected):
    stages = range(1, 6)
    module = TCM(dict.fromkeys(stages, 4), window=window)
    assert [module.reach(stage) for stage in stages] == expected
    assert [max(module.blocks[str(stage)].mtdm.window) // 2 for stage in stages] == expected


@pytest.mark.parametrize('tempo, index', [('fast', 0), ('slow', 1)])
def test_one_tempo(tempo, index):
    both, alone = small(), small(tempos=(tempo,))
    alone.blocks['3'].mtdm.load_state_dict(both.blocks['3'].mtdm.state_dict())
    x = features(2, 5, 4, 6, 6)
    motion, expected = alone.motion(x, 3), both.motion(x, 3)
    assert motion.names == (tempo,)
    torch.testing.assert_close(motion.displacement[:, 0], expected.displacement[:, index])
    torch.testing.assert_close(motion.confidence[:, 0], expected.confidence[:, index])
    shapes = [tuple(layer.conv.weight.shape) for layer in alone.blocks['3'].tam.transformation]
    assert shapes[:4] == [(3, 1, 3, 3)] * 3 + [(16, 3, 1, 1)]


def test_the_order_of_the_tempos_does_not_matter():
    assert TCM({3: 4}, tempos=('slow', 'fast')).tempos == ('fast', 'slow')


def test_without_temporal_attention_the_gate_is_gone():
    gated, plain = small(), small(temporal_attention=False)
    state = gated.state_dict()
    gate = state.pop('blocks.3.tam.gate.weight')
    plain.load_state_dict(state)
    gate.zero_()  # a weight of 1 / 2 for everything
    x = features(2, 5, 4, 6, 6)
    torch.testing.assert_close(2 * (gated(x, 3)[0] - x), plain(x, 3)[0] - x)


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),  # as a 2-D backbone gives it
        lambda x: x.flip(-1).flip(-1)[..., :5],
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(arrange):
    module = small(window=3)
    x = features(2, 5, 3, 7, 5)
    arranged = arrange(x).requires_grad_()
    x.requires_grad_()
    expected, actual = module(x, 3)[0], module(arranged, 3)[0]
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, arranged, weight)[0],
        torch.autograd.grad(expected, x, weight)[0],
    )


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_motion_is_exact_under_autocast(dtype):
    """Squares of the features overflow in half precision, and 100 * cosine would be rounded."""
    x = 300 * moving_texture(2, -1, 3, (14, 14))
    with torch.autocast('cpu', dtype):
        motion = tracker().motion(x, 3)
    assert motion.displacement.dtype == motion.confidence.dtype == torch.float32
    valid = staying(4, -2, (14, 14))
    found = motion.displacement[0, 1, :, 1][:, valid]
    expected = torch.tensor([4.0, -2.0])[:, None].expand_as(found)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)
    assert motion.confidence[0, 1, 1][valid].min() > 0.999


def test_bfloat16_autocast():
    torch.manual_seed(0)
    module = tracker(num_segments=3)
    x = moving_texture(1, 1, 3, (10, 10)).requires_grad_()
    expected = module(x, 3)[0]
    with torch.autocast('cpu', torch.bfloat16):
        actual = module(x, 3)[0]
    assert actual.dtype == torch.float32
    inner = (..., slice(3, 7), slice(3, 7))  # what leaves the map has no certain match
    torch.testing.assert_close(actual[inner], expected[inner], rtol=0.03, atol=0.03)
    actual.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_weights_in_bfloat16():
    module = small().bfloat16()
    x = torch.randn(1, 5, 3, 6, 6, dtype=torch.bfloat16)
    assert module(x, 3)[0].dtype == torch.bfloat16
    assert module.motion(x, 3).displacement.dtype == torch.float32


def test_nothing_is_kept_between_calls():
    module = small()
    attributes = [set(vars(m)) for m in module.modules()]
    x = features(2, 5, 4, 6, 6)
    first = module(x, 3)[0]
    module(features(1, 5, 3, 4, 8), 3)
    module.motion(x, 3)
    assert torch.equal(module(x, 3)[0], first)
    assert [set(vars(m)) for m in module.modules()] == attributes


def test_clips_do_not_see_each_other():
    module = small()
    x = features(3, 5, 4, 6, 6)
    together = module(x, 3)[0]
    for n in range(3):
        torch.testing.assert_close(module(x[n : n + 1], 3)[0], together[n : n + 1])


def test_min_frames():
    assert TCM({3: 4}).min_frames == 2


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(in_channels={}), 'none'),
        (dict(num_segments=1), '1'),
        (dict(mid_channels=0), '0'),
        (dict(tempos=('fast', 'medium')), "'medium'"),
        (dict(tempos='fast'), "sequence.*'fast'"),
        (dict(tempos=()), r'\(\)'),
        (dict(window=4), '4'),
        (dict(window=0), '0'),
        (dict(window={3: -5}), '-5 for stage 3'),
        (dict(window={3: (5, 4)}), r'\(5, 4\) for stage 3'),
        (dict(window={'3': 5}), r"ints \[3\], got '3'"),
        (dict(window='15'), "'15'"),
        (dict(window=15.0), r'15\.0'),
        (dict(window={2: 5}), r'\[3\], got 2'),
        (dict(in_channels={6: 4}), '6'),
        (dict(sigma=0), '0'),
        (dict(sigma=-1.5), '-1.5'),
        (dict(sigma=math.nan), 'nan'),
        (dict(temperature=0), '0'),
        (dict(temperature=-2.0), '-2.0'),
        (dict(temperature=math.inf), 'temperature must be positive, got inf'),
        (dict(num_segments=2.5), 'num_segments must be a whole number, got 2.5'),
        (dict(tempos=('fast', 'fast')), 'none twice'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        TCM(**{'in_channels': {3: 4}, **arguments})


def test_compiles_without_a_graph_break():
    """By the tracer and the differentiation of traces; inductor is tested on each operator."""
    module = small()
    x = features(2, 5, 4, 6, 6).requires_grad_()
    compiled = torch.compile(lambda y: module(y, 3)[0], fullgraph=True, backend='aot_eager')
    expected, actual = module(x, 3)[0], compiled(x)
    torch.testing.assert_close(actual, expected)
    inputs = (x, *module.parameters())
    weight = torch.randn_like(x)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )
