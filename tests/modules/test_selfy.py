"""SELFY against a plain re-statement of its layers, its counts, and known motion."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.modules.selfy import SELFY

SMALL = dict(mid_channels=5, extraction_channels=(2, 3, 4, 3), integration_channels=(4, 3, 2, 5))
TWO_SIDED = (-2, -1, 0, 1, 2)
TEMPERATURE = 0.01


def features(*shape, dtype=torch.float64, seed=0):
    """Features as a ReLU leaves them."""
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)).relu()


def trained(channels=4, **arguments):
    """A module whose normalisations are no longer trivial, in float64."""
    torch.manual_seed(0)
    module = SELFY({3: channels}, **{**SMALL, **arguments}).double()
    for norm in module.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, std=0.3)
            norm.running_mean.normal_(std=0.3)
            norm.running_var.uniform_(0.5, 2)
    return module


class PlainBlock:
    """The block as its paper's authors laid it out, from its numbers in the order of the layers.

    One sample per clip, frame and pixel, offsets as an axis of it; weights of the extraction as
    (out, in, 1, u, v) there.
    """

    def __init__(self, block, training):
        self.numbers = iter(
            [
                value
                for name, value in block.state_dict(keep_vars=True).items()
                if not name.endswith('num_batches_tracked')
            ]
        )
        self.training = training

    def norm(self, y):
        gain, bias, mean, variance = (next(self.numbers) for _ in range(4))
        others = [dim for dim in range(y.dim()) if dim != 1]
        if self.training:
            mean, variance = y.mean(others), y.var(others, correction=0)
        shape = [-1 if dim == 1 else 1 for dim in range(y.dim())]
        mean, variance, gain, bias = (v.view(shape) for v in (mean, variance, gain, bias))
        return (y - mean) / (variance + 1e-5).sqrt() * gain + bias

    def volume(self, x, offsets, window):
        n, c, t, h, w = x.shape
        frames = x.transpose(1, 2).reshape(n * t, c, h, w)
        y = self.norm(F.conv2d(frames, next(self.numbers), stride=2, padding=1)).clamp(min=0)
        return plain_volume(y.view(n, t, *y.shape[1:]), offsets, window)

    def conv_extraction(self, volume):
        n, t, h, w, num_offsets, *window = volume.shape
        y = volume.reshape(-1, 1, num_offsets, *window)
        for stride, padding in ((1, 1), (2, 1), (2, 1), (1, 0)):
            weight = next(self.numbers)
            weight = weight.reshape(*weight.shape[:2], 1, *weight.shape[2:4])
            y = F.conv3d(y, weight, stride=(1, stride, stride), padding=(0, padding, padding))
            y = self.norm(y).clamp(min=0)
        assert y.shape[3:] == (1, 1)
        return y.reshape(n, t, h, w, y.shape[1], num_offsets).permute(0, 5, 4, 1, 2, 3)

    def mlp_extraction(self, volume):
        y = volume.flatten(-2)
        for _ in range(4):
            weight = next(self.numbers)
            y = F.linear(y, weight.reshape(weight.shape[:2]))
            y = self.norm(y.movedim(-1, 1)).clamp(min=0).movedim(1, -1)
        return y.permute(0, 4, 5, 1, 2, 3)

    def soft_argmax_extraction(self, volume):
        weights = (volume.flatten(-2) / TEMPERATURE).softmax(-1).view(volume.shape)
        rows, columns = (torch.arange(side) - side // 2 for side in volume.shape[-2:])
        dy = (weights * rows[:, None]).sum((-2, -1))
        dx = (weights * columns).sum((-2, -1))
        return torch.stack((dy, dx), -1).permute(0, 4, 5, 1, 2, 3)

    def integration(self, y, size, num_shared):
        n, _, _, *small = y.shape
        y = y.flatten(0, 1)
        for index in range(num_shared + 1):
            if index == num_shared:  # the layer over all offsets
                y = y.reshape(n, -1, *small)
            weight = next(self.numbers)
            y = F.conv3d(y, weight, padding=[side // 2 for side in weight.shape[2:]])
            y = self.norm(y).clamp(min=0)
        weight = next(self.numbers)
        z = y.new_zeros(n, weight.shape[1], *size)
        z[..., ::2, ::2] = torch.einsum('nkthw,kc->ncthw', y, weight[..., 0, 0, 0])
        return self.norm(z)

    def motion_feature(self, x, offsets, window, extraction='conv', num_shared=3):
        extract = getattr(self, f'{extraction}_extraction')
        y = extract(self.volume(x, offsets, window))
        return self.integration(y, x.shape[2:], num_shared)


def plain_volume(y, offsets, window):
    """(N, T, D, h, w) -> (N, T, h, w, L, U, V), one frame, offset and displacement at a time."""
    y = y / (y.square().sum(2, keepdim=True) + 1e-6).sqrt()
    n, t, _, h, w = y.shape
    (u, v), above, left = window, window[0] // 2, window[1] // 2
    volume = y.new_zeros(n, t, h, w, len(offsets), u, v)
    padded = F.pad(y, (left, left, above, above))
    for frame, (index, offset) in itertools.product(range(t), enumerate(offsets)):
        if not 0 <= frame + offset < t:
            continue
        for a, b in itertools.product(range(u), range(v)):
            neighbour = padded[:, frame + offset, :, a : a + h, b : b + w]
            volume[:, frame, :, :, index, a, b] = (y[:, frame] * neighbour).sum(1)
    return volume


def plain_output(block, x, offsets, window=(9, 9), training=False, **layout):
    return (x + PlainBlock(block, training).motion_feature(x, offsets, window, **layout)).relu()


def assert_same(module, x, expected):
    """Outputs, and gradients of everything by a random direction."""
    actual, carried = module(x, 3)
    assert carried == ()
    torch.testing.assert_close(actual, expected)
    direction = features(*actual.shape, seed=1)
    wanted = [x, *module.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(actual, wanted, direction),
        torch.autograd.grad(expected, wanted, direction),
    )


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('size', [(8, 6), (7, 9), (3, 1)])
def test_equals_the_released_layers(training, size):
    module = trained().train(training)
    x = features(2, 4, 4, *size).requires_grad_()
    expected = plain_output(module.blocks['3'][0], x, TWO_SIDED, training=training)
    assert_same(module, x, expected)


@pytest.mark.parametrize(
    'offsets',
    [(0,), (1,), (-1,), (1, -1), (-1, 0, 1), (2, 0, -1), (3, 1), (-3, -2, -1, 0, 1, 2, 3)],
)
def test_any_offsets(offsets):
    module = trained(offsets=offsets)
    x = features(2, 4, 4, 6, 5).requires_grad_()
    assert_same(module, x, plain_output(module.blocks['3'][0], x, offsets, training=True))


@pytest.mark.parametrize('window', [3, 5, 13, (3, 7), (11, 5)])
def test_any_window(window):
    sides = (window, window) if isinstance(window, int) else window
    module = trained(window=window, offsets=(-1, 1))
    x = features(1, 4, 3, 9, 12).requires_grad_()
    expected = plain_output(module.blocks['3'][0], x, (-1, 1), sides, training=True)
    assert_same(module, x, expected)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    'arguments, layout',
    [
        (dict(extraction='mlp'), dict(extraction='mlp')),
        (dict(extraction='soft_argmax', window=(3, 5)), dict(extraction='soft_argmax')),
        (dict(integration='none'), dict(num_shared=0)),
        (dict(integration='pointwise'), {}),
        (dict(integration='spatiotemporal'), {}),
    ],
)
def test_our_constructions(arguments, layout, training):
    module = trained(offsets=(-1, 2), **arguments).train(training)
    x = features(2, 4, 3, 6, 5).requires_grad_()
    expected = plain_output(
        module.blocks['3'][0],
        x,
        (-1, 2),
        arguments.get('window', (9, 9)),
        training=training,
        **layout,
    )
    assert_same(module, x, expected)


def test_fusion_by_multiplication():
    module = trained(fusion='multiply')
    x = features(2, 4, 3, 6, 5).requires_grad_()
    z = PlainBlock(module.blocks['3'][0], True).motion_feature(x, TWO_SIDED, (9, 9))
    assert_same(module, x, (x * (1 + z)).relu())


def test_fusion_by_concatenation():
    module = trained(fusion='concat')
    x = features(2, 4, 3, 6, 5).requires_grad_()
    plain = PlainBlock(module.blocks['3'][0], True)
    z = plain.motion_feature(x, TWO_SIDED, (9, 9))
    weight = next(plain.numbers)[..., 0, 0, 0]
    assert_same(module, x, torch.einsum('oc,ncthw->nothw', weight, torch.cat((x, z), 1)).relu())


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (2, 3, 3, 9, 9))),
    offsets=st.lists(st.integers(-3, 3), min_size=1, max_size=4, unique=True),
    window=st.tuples(*[st.sampled_from([3, 5, 7, 9])] * 2),
    seed=st.integers(0, 2**31),
)
def test_any_shape(shape, offsets, window, seed):
    """Single frames, maps smaller than the window, steps as long as the clip among them."""
    module = trained(shape[1], offsets=offsets, window=window).eval()
    clips, channels, more, *size = shape
    x = features(clips, channels, module.min_frames - 1 + more, *size, seed=seed)
    actual, _ = module(x, 3)
    expected = plain_output(module.blocks['3'][0], x, offsets, window)
    torch.testing.assert_close(actual, expected)


def test_volume_of_a_constant_feature():
    """1 wherever there is a pixel; by hand, a corner sees 4 of 9 and an edge 6 of 9."""
    transformation = selecting(SELFY({3: 4}, mid_channels=4, window=3, offsets=(0, 1)), 4)
    volume = transformation(torch.ones(1, 4, 2, 6, 6))
    seen = volume.view(2, 3, 3, 2, 3, 3)[0, :, :, 0]
    torch.testing.assert_close(seen[:, :, 0, 0], torch.tensor([[0.0, 0, 0], [0, 1, 1], [0, 1, 1]]))
    torch.testing.assert_close(seen[:, :, 2, 1], torch.tensor([[1.0, 1, 1], [1, 1, 1], [0, 0, 0]]))
    torch.testing.assert_close(seen[:, :, 1, 1], torch.ones(3, 3))
    assert not volume[0, 1, :, 1].any()  # the last frame has no next one


def selecting(module, channels):
    """Make the down-projection take every second pixel as it is; returns the transformation."""
    transformation = module.eval().blocks['3'][0].transformation
    with torch.no_grad():
        transformation.conv.weight.zero_()
        transformation.conv.weight[:, :, 1, 1] = torch.eye(channels)
    return transformation


def moving_texture(dy, dx, frames, height, width, channels=32):
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(channels, height, width, generator=generator)
    return torch.stack([texture.roll((t * dy, t * dx), (1, 2)) for t in range(frames)], 1)[None]


@pytest.mark.parametrize('size', [(48, 52), (49, 51)])
@pytest.mark.parametrize('offsets', [(1,), (-1, 0, 1), (2, -1), (-2, 1)])
@pytest.mark.parametrize('dy, dx', [(0, 0), (2, 0), (0, 2), (-2, 4), (4, -2), (-4, -4)])
def test_known_motion(dy, dx, offsets, size):
    """Down and right are positive; ``l`` frames later the texture is ``l`` times as far."""
    module = SELFY({3: 32}, mid_channels=32, offsets=offsets, temperature=0.001)
    selecting(module, 32)
    found = module.motion(moving_texture(dy, dx, 5, *size), 3)
    moving = [offset for offset in offsets if offset]
    assert found.names == tuple(f't+{offset}' if offset > 0 else f't{offset}' for offset in moving)
    assert found.displacement.shape == (1, len(moving), 2, 5, *size)
    assert found.confidence.shape == (1, len(moving), 5, *size)
    border = 18  # where the texture leaves the map, and the window reaches there
    inner = found.displacement[0, :, :, 2, border:-border, border:-border]
    for displacement, offset in zip(inner, moving, strict=True):
        expected = torch.tensor([offset * dy, offset * dx]).float()
        torch.testing.assert_close(displacement, expected.view(2, 1, 1).expand_as(displacement))
    seen = found.confidence[0, :, 2, border:-border, border:-border]
    torch.testing.assert_close(seen, torch.ones_like(seen))


@pytest.mark.parametrize('window, dy, dx', [((5, 3), 4, -2), ((3, 9), -2, 8)])
def test_known_motion_in_a_rectangular_window(window, dy, dx):
    """The first side is the vertical one: the peak stands at row-major (u, v)."""
    module = SELFY({3: 32}, mid_channels=32, offsets=(1,), window=window)
    volume = selecting(module, 32)(moving_texture(dy, dx, 2, 48, 48))
    peak = (window[0] // 2 + dy // 2) * window[1] + window[1] // 2 + dx // 2
    assert torch.all(volume[0, 0, :, 0, 8:-8, 8:-8].argmax(0) == peak)


def test_motion_shares_one_value_among_four_pixels():
    module = SELFY({3: 8}, mid_channels=8, offsets=(1,))
    volume = selecting(module, 8)(x := torch.rand(1, 8, 2, 5, 7))
    found = module.motion(x, 3)
    for i, j in itertools.product(range(5), range(7)):
        assert found.confidence[0, 0, 0, i, j] == volume[0, 0, :, 0, i // 2, j // 2].max()
    assert torch.equal(found.displacement[..., 0, 0], found.displacement[..., 1, 1])
    assert not torch.equal(found.displacement[..., 1, 1], found.displacement[..., 2, 2])


def test_motion_towards_frames_outside_the_clip_is_none():
    found = SELFY({3: 4}, mid_channels=8).eval().motion(torch.rand(1, 4, 3, 8, 8), 3)
    assert found.names == ('t-2', 't-1', 't+1', 't+2')
    there = found.confidence.amax(dim=(-2, -1))[0] > 0
    assert there.tolist() == [
        [False, False, True],
        [False, True, True],
        [True, True, False],
        [True, False, False],
    ]
    outside = found.displacement.masked_select(~there[None, :, None, :, None, None])
    assert outside.abs().max() < 1e-5


def test_motion_needs_another_frame():
    with pytest.raises(ValueError, match=r'\(0,\)'):
        SELFY({3: 4}, offsets=(0,)).motion(torch.rand(1, 4, 2, 8, 8), 3)


@pytest.mark.parametrize('temperature', [1.0, 0.001])
def test_temperature_reaches_the_soft_argmax(temperature):
    module = SELFY({3: 32}, mid_channels=32, offsets=(1,), temperature=temperature)
    selecting(module, 32)
    found = module.motion(moving_texture(0, 4, 2, 48, 48), 3).displacement
    dx = found[0, 0, 1, 0, 18:-18, 18:-18]
    assert (dx - 4).abs().max() < 1e-4 if temperature < 1 else dx.max() < 1


@pytest.mark.parametrize('window, reach', [(9, 8), (5, 4), ((5, 13), 12), ((7, 3), 6)])
def test_reach(window, reach):
    assert SELFY({3: 4}, window=window).reach(3) == reach


@pytest.mark.parametrize(
    'offsets, frames', [(TWO_SIDED, 3), ((0,), 1), ((1,), 2), ((-4, 1), 5), ((2, 0, -1), 3)]
)
def test_min_frames(offsets, frames):
    assert SELFY({3: 4}, offsets=offsets).min_frames == frames


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    'channels, num_offsets, parameters',
    [
        (512, 5, 966_284),
        (512, 9, 1_113_740),
        (128, 5, 498_572),
        (512, 1, 966_284 - 4 * 36_864),
        (128, 7, 498_572 + 2 * 36_864),
    ],
)
def test_parameters_are_the_released_ones(channels, num_offsets, parameters):
    with torch.device('meta'):
        assert count(SELFY({3: channels}, offsets=range(num_offsets))) == parameters


@pytest.mark.parametrize(
    'channels, num_offsets, frames, giga',
    [
        (512, 5, 8, 3.29),
        (512, 5, 16, 6.58),
        (512, 9, 16, 10.28),
        (128, 5, 8, 2.56),
        (512, 1, 8, 1.44),
        (512, 3, 8, 2.36),
        (512, 7, 8, 4.21),
        (512, 9, 8, 5.14),
        (128, 1, 8, 0.71),
        (128, 3, 8, 1.63),
        (128, 7, 8, 3.48),
        (128, 9, 8, 4.41),
    ],
)
def test_multiply_adds_are_the_released_ones(channels, num_offsets, frames, giga):
    offsets = range(-(num_offsets // 2), num_offsets // 2 + 1)
    with torch.device('meta'), FlopCounterMode(display=False) as counter:
        SELFY({3: channels}, offsets=offsets)(torch.empty(1, channels, frames, 28, 28), 3)
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, abs=0.005)


def test_numbers_stand_in_the_released_order():
    """So that a released checkpoint is renamed, its extraction kernels reshaped, and fits."""
    block = SELFY({3: 512}).blocks['3'][0]
    shapes = [tuple(v.shape) for k, v in block.state_dict().items() if k.endswith('conv.weight')]
    names = [k for k in block.state_dict() if k.split('.')[-1] == 'weight']
    assert shapes == [
        (128, 512, 3, 3),
        (4, 1, 3, 3, 1),
        (16, 4, 3, 3, 1),
        (64, 16, 3, 3, 1),
        (64, 64, 3, 3, 1),
        (64, 64, 1, 3, 3),
        (64, 64, 1, 3, 3),
        (64, 64, 1, 3, 3),
        (64, 320, 1, 3, 3),
    ]
    assert block.integration.up.weight.shape == (64, 512, 1, 1, 1)
    assert names[-2:] == ['integration.up.weight', 'integration.bn.weight']
    assert list(block.state_dict())[:7] == [
        f'transformation.{name}'
        for name in (
            'conv.weight',
            'bn.weight',
            'bn.bias',
            'bn.running_mean',
            'bn.running_var',
            'bn.num_batches_tracked',
        )
    ] + ['extraction.layers.0.conv.weight']


@pytest.mark.parametrize(
    'window, kernel',
    [(3, (1, 1)), (5, (2, 2)), (7, (2, 2)), (9, (3, 3)), (13, (4, 4)), ((5, 9), (2, 3))],
)
def test_the_last_kernel_covers_what_remains_of_the_window(window, kernel):
    extraction = SELFY({3: 4}, window=window).blocks['3'][0].extraction
    assert extraction.layers[-1].conv.kernel_size == (*kernel, 1)


@pytest.mark.parametrize(
    'integration, kernel, shared',
    [
        ('conv', (1, 3, 3), 3),
        ('none', (1, 3, 3), 0),
        ('pointwise', (1, 1, 1), 3),
        ('spatiotemporal', (3, 3, 3), 3),
    ],
)
def test_kernels_of_the_integration(integration, kernel, shared):
    built = SELFY({3: 4}, integration=integration).blocks['3'][0].integration
    layers = [*built.shared, built.fuse]
    assert [layer.conv.kernel_size for layer in layers] == [kernel] * (shared + 1)


def test_fewer_layers():
    module = trained(extraction_channels=(3,), integration_channels=(4,), window=5)
    x = features(1, 4, 3, 6, 6)
    assert module.blocks['3'][0].extraction.layers[0].conv.kernel_size == (5, 5, 1)
    assert len(module.blocks['3'][0].integration.shared) == 0
    assert module(x, 3)[0].shape == x.shape


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    'arguments',
    [
        {},
        dict(fusion='multiply'),
        dict(fusion='concat'),
        dict(extraction='mlp'),
        dict(extraction='soft_argmax'),
        dict(integration='none'),
        dict(num_blocks=2),
    ],
)
def test_starts_as_identity(arguments, training):
    module = SELFY({2: 6, 4: 3}, **SMALL, **arguments).train(training)
    for stage, channels in module.in_channels.items():
        x = features(2, channels, 3, 7, 8, dtype=torch.float32)
        assert torch.equal(module(x, stage)[0], x)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('fusion', ['add', 'multiply', 'concat'])
def test_starts_as_identity_on_negative_features_without_a_relu(fusion, training):
    x = torch.randn(2, 4, 3, 7, 8)
    plain, cut = (
        SELFY({3: 4}, **SMALL, fusion=fusion, relu=relu, num_blocks=2).train(training)
        for relu in ('none', 'after_sum')
    )
    assert torch.equal(plain(x, 3)[0], x)
    assert torch.equal(cut(x, 3)[0], x.relu())


@pytest.mark.parametrize('fusion', ['add', 'multiply', 'concat'])
def test_the_relu_comes_last(fusion):
    plain, cut = (trained(fusion=fusion, relu=relu).eval() for relu in ('none', 'after_sum'))
    x = features(1, 4, 3, 6, 6) - 0.5
    assert plain(x, 3)[0].min() < 0
    assert torch.equal(cut(x, 3)[0], plain(x, 3)[0].relu())


def test_without_zero_init_it_starts_otherwise():
    x = features(2, 4, 3, 8, 8, dtype=torch.float32)
    assert not torch.equal(SELFY({3: 4}, **SMALL, zero_init=False)(x, 3)[0], x)


@pytest.mark.parametrize('fusion', ['add', 'multiply', 'concat'])
def test_learns_although_it_starts_as_identity(fusion):
    torch.manual_seed(0)
    module = SELFY({3: 4}, fusion=fusion, num_blocks=2, mid_channels=16)
    x = features(2, 4, 4, 12, 12, dtype=torch.float32)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    before = {name: value.clone() for name, value in module.named_parameters()}
    for _ in range(2):  # the first step moves the last normalisation only
        optimizer.zero_grad()
        y, _ = module(x, 3)
        (y * torch.randn_like(y)).sum().backward()
        optimizer.step()
    still = [name for name, value in module.named_parameters() if torch.equal(value, before[name])]
    assert not still


def test_convolutions_start_by_fan_out():
    """Standard deviation sqrt(2 / fan_out): the released initialisation."""
    block = SELFY({3: 64}).blocks['3'][0]
    for conv, fan_out in (
        (block.transformation.conv, 128 * 9),
        (block.integration.fuse.conv, 576),
        (block.extraction.layers[3].conv, 576),
    ):
        assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)


def test_blocks_stand_one_behind_the_other():
    module = trained(num_blocks=3).eval()
    x = features(1, 4, 3, 6, 6)
    expected = x
    assert len(module.blocks['3']) == 3
    for block in module.blocks['3']:
        expected = plain_output(block, expected, TWO_SIDED)
    torch.testing.assert_close(module(x, 3)[0], expected)


def test_only_even_rows_and_columns_are_filled():
    integration = trained().eval().blocks['3'][0].integration
    z = integration(features(1, 5, 3, 2, 4, 3), (2, 8, 5))
    filled = (z != z[..., 1:2, 1:2]).any(dim=(0, 1, 2))
    assert filled.tolist() == [
        [row % 2 == 0 and column % 2 == 0 for column in range(5)] for row in range(8)
    ]


def test_nothing_is_kept_between_calls():
    module = trained().eval()
    attributes = [set(vars(m)) for m in module.modules()]
    x = features(1, 4, 3, 6, 6)
    first, _ = module(x, 3)
    module(features(2, 4, 5, 9, 9), 3)
    assert torch.equal(module(x, 3)[0], first)
    assert [set(vars(m)) for m in module.modules()] == attributes


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(arrange):
    module = trained()
    x = features(2, 4, 3, 6, 5)
    arranged = arrange(x).requires_grad_()
    expected, actual = module(x.requires_grad_(), 3)[0], module(arranged, 3)[0]
    torch.testing.assert_close(actual, expected)
    direction = features(*x.shape, seed=1)
    torch.testing.assert_close(
        torch.autograd.grad(actual, arranged, direction)[0],
        torch.autograd.grad(expected, x, direction)[0],
    )


def test_frames_of_a_2d_backbone_come_back_as_they_lie():
    """So that the backbone's (N*T, C, H, W) needs no copy."""
    x = features(2, 4, 3, 6, 6).transpose(1, 2).contiguous().transpose(1, 2)
    assert trained()(x, 3)[0].transpose(1, 2).is_contiguous()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.half])
@pytest.mark.parametrize('extraction', ['conv', 'mlp', 'soft_argmax'])
def test_autocast(extraction, dtype):
    """Rounding of the features remains; similarities are single precision."""
    module = trained(extraction=extraction, mid_channels=16).float()
    x = features(2, 4, 4, 12, 12, dtype=torch.float32).requires_grad_()
    expected, _ = module(x, 3)
    with torch.autocast('cpu', dtype):
        assert module.blocks['3'][0].transformation(x).dtype == torch.float32
        y, _ = module(x, 3)
    y.float().square().sum().backward()
    assert torch.isfinite(x.grad).all()
    error = (y.float() - expected).abs()
    assert error.mean() < 0.05 * expected.std()


def test_a_module_in_bfloat16():
    module = trained().to(torch.bfloat16)
    y, _ = module(features(1, 4, 3, 8, 8, dtype=torch.bfloat16), 3)
    assert y.dtype == torch.bfloat16 and torch.isfinite(y).all()


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(in_channels={}), 'none'),
        (dict(offsets=()), r'offsets.*\(\)'),
        (dict(offsets=(1, 0, 1)), r'\(1, 0, 1\)'),
        (dict(offsets=2), 'offsets.* 2'),
        (dict(offsets=(1.5,)), r'offsets.*\(1\.5,\)'),
        (dict(offsets='ab'), "offsets.*'ab'"),
        (dict(window=9.0), r'9\.0'),
        (dict(relu='both'), "relu.*'both'"),
        (dict(window=8), '8'),
        (dict(window=1), '1'),
        (dict(window=(9, 4)), r'\(9, 4\)'),
        (dict(window=(9, 9, 9)), r'\(9, 9, 9\)'),
        (dict(mid_channels=0), 'mid_channels.*0'),
        (dict(extraction='magic'), "'magic'"),
        (dict(integration='magic'), "'magic'"),
        (dict(fusion='magic'), "'magic'"),
        (dict(extraction_channels=()), r'extraction_channels.*\(\)'),
        (dict(integration_channels=(4, 0)), 'integration_channels.* 0'),
        (dict(num_blocks=0), 'num_blocks.*0'),
        (dict(num_blocks=1.5), 'num_blocks .*1.5'),
        (dict(extraction_channels=64), 'extraction_channels .* got 64'),
        (dict(temperature=-1), 'temperature.*-1'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        SELFY(**{'in_channels': {3: 4}, **arguments})


def test_compiles_without_a_graph_break():
    """By the tracer and the differentiation of traces; inductor is tested on each operator."""
    module = trained().float()
    x = features(2, 4, 3, 7, 6, dtype=torch.float32).requires_grad_()
    compiled = torch.compile(lambda y: module(y, 3)[0], fullgraph=True, backend='aot_eager')

    def run(network):
        y = network(x)
        wanted = [x, *module.parameters()]
        return y, *torch.autograd.grad(y, wanted, torch.ones_like(y).cumsum(-1))

    expected = run(lambda y: module(y, 3)[0])
    torch.testing.assert_close(run(compiled), expected, rtol=1e-3, atol=1e-3)


def test_soft_argmax_in_a_half_precision_model():
    module = SELFY({3: 16}, extraction='soft_argmax', mid_channels=8).eval().bfloat16()
    out, _ = module(torch.rand(1, 16, 8, 8, 8).bfloat16(), 3)
    assert out.dtype == torch.bfloat16 and out.isfinite().all()
