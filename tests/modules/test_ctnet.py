"""The channel tensorization module against loops over the groups of its convolutions."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.ctnet import CT, GATES, ChannelTensorization

KERNELS = {'space': (1, 3, 3), 'time': (3, 1, 1), 'channel': (1, 1, 1)}


def trained(module):
    """The module in float64, with normalisations that are no longer trivial, in evaluation."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, 0.1, 0.3)
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return module.double().eval()


def features(*size):
    return torch.randn(size, dtype=torch.float64, requires_grad=True)


def grouped(x, weight, groups, kernel):
    """Convolution in groups of neighbouring channels, one ordinary convolution each."""
    read, written = x.shape[1] // groups, len(weight) // groups
    assert weight.shape[1:] == (read, *kernel)
    padding = [side // 2 for side in kernel]
    return torch.cat(
        [
            F.conv3d(
                x[:, g * read : (g + 1) * read],
                weight[g * written : (g + 1) * written],
                padding=padding,
            )
            for g in range(groups)
        ],
        1,
    )


def normalised(x, norm):
    shape = (1, -1, 1, 1, 1)
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    shifted = x - norm.running_mean.view(shape)
    return (shifted * scale.view(shape) + norm.bias.view(shape)).clamp(min=0)


def gate(x, kind, layer, groups):
    if isinstance(layer, nn.Identity):
        return 1
    frames, pixels = x.shape[2], x.shape[3] * x.shape[4]
    if kind == 'space':
        mean = x.sum(2, keepdim=True) / frames
    else:
        mean = x.sum((3, 4), keepdim=True) / pixels
    narrow, wide = layer
    mean = normalised(grouped(mean, narrow.conv.weight, groups, KERNELS[kind]), narrow.bn)
    return 1 / (1 + torch.exp(-grouped(mean, wide.conv.weight, groups, KERNELS[kind])))


def half(x, part, groups):
    space = normalised(grouped(x, part.space.conv.weight, groups, (1, 3, 3)), part.space.bn)
    time = normalised(grouped(x, part.time.conv.weight, groups, (3, 1, 1)), part.time.bn)
    both = space * gate(space, 'space', part.gates['space'], groups)
    both = both + time * gate(time, 'time', part.gates['time'], groups)
    return both * gate(both, 'channel', part.gates['channel'], groups)


def by_loops(clips, module, rows, columns):
    """Clips (N, T, C, H, W) through a module whose channels make a table of such a size."""
    x = half(clips.transpose(1, 2), module.by_row, rows)
    x = normalised(grouped(x, module.fusion.conv.weight, 1, (1, 1, 1)), module.fusion.bn)
    # channel i * columns + j comes to j * rows + i
    order = [i * columns + j for j in range(columns) for i in range(rows)]
    x = half(x[:, order], module.by_column, columns)
    back = [j * rows + i for i in range(rows) for j in range(columns)]
    return x[:, back].transpose(1, 2)


@pytest.mark.parametrize(
    'rows, columns, gates',
    [
        (4, 8, GATES),
        (4, 4, GATES),
        (3, 4, GATES),
        *((2, 4, gates) for n in range(3) for gates in itertools.combinations(GATES, n)),
    ],
)
def test_equals_its_restatement_and_so_do_its_gradients(rows, columns, gates):
    module = trained(ChannelTensorization(rows * columns, gates))
    clips = features(2, 3, rows * columns, 4, 5)
    found, expected = module(clips), by_loops(clips, module, rows, columns)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    towards, inputs = torch.randn_like(found), [clips, *module.parameters()]
    for mine, theirs in zip(
        torch.autograd.grad(found, inputs, towards),
        torch.autograd.grad(expected, inputs, towards),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    'channels, rows, columns',
    # those of ResNet-50, as in the code, and numbers that it does not know
    [(64, 8, 8), (128, 8, 16), (256, 16, 16), (512, 16, 32), (432, 18, 24), (24, 4, 6), (7, 1, 7)],
)
def test_table_of_channels(channels, rows, columns):
    module = ChannelTensorization(channels)
    assert (module.rows, module.columns) == (rows, columns)
    groups = (
        {layer.groups for layer in module.by_row.modules() if isinstance(layer, nn.Conv3d)},
        {layer.groups for layer in module.by_column.modules() if isinstance(layer, nn.Conv3d)},
    )
    assert groups == ({rows}, {columns})


def test_shapes_of_the_weights_are_those_of_the_code():
    """Of 128 channels, 8 x 16."""
    module = ChannelTensorization(128).to('meta')
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters() if p.dim() > 1}
    assert shapes == {
        'by_row.space.conv.weight': (128, 16, 1, 3, 3),
        'by_row.time.conv.weight': (128, 16, 3, 1, 1),
        'by_row.gates.space.0.conv.weight': (32, 16, 1, 3, 3),
        'by_row.gates.space.1.conv.weight': (128, 4, 1, 3, 3),
        'by_row.gates.time.0.conv.weight': (32, 16, 3, 1, 1),
        'by_row.gates.time.1.conv.weight': (128, 4, 3, 1, 1),
        'by_row.gates.channel.0.conv.weight': (32, 16, 1, 1, 1),
        'by_row.gates.channel.1.conv.weight': (128, 4, 1, 1, 1),
        'fusion.conv.weight': (128, 128, 1, 1, 1),
        'by_column.space.conv.weight': (128, 8, 1, 3, 3),
        'by_column.time.conv.weight': (128, 8, 3, 1, 1),
        'by_column.gates.space.0.conv.weight': (32, 8, 1, 3, 3),
        'by_column.gates.space.1.conv.weight': (128, 2, 1, 3, 3),
        'by_column.gates.time.0.conv.weight': (32, 8, 3, 1, 1),
        'by_column.gates.time.1.conv.weight': (128, 2, 3, 1, 1),
        'by_column.gates.channel.0.conv.weight': (32, 8, 1, 1, 1),
        'by_column.gates.channel.1.conv.weight': (128, 2, 1, 1, 1),
    }


def test_convolutions_start_by_kaimings_rule():
    torch.manual_seed(0)
    module = ChannelTensorization(256)
    weight = module.by_row.space.conv.weight
    # fan out as torch has it: all channels, groups or not
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    weight = module.by_row.gates['time'][1].conv.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 3)) ** 0.5, rel=0.05)


def test_a_new_module_is_the_identity_and_a_trained_one_adds_the_normalised_core():
    module, x = CT({3: 12}).double(), features(2, 12, 4, 5, 5).detach()
    assert module(x, 3)[0].equal(x)
    assert not CT({3: 12}, zero_init=False).double()(x, 3)[0].equal(x)
    block = trained(module).block(3)
    core, norm = by_loops(x.transpose(1, 2), block.core, 3, 4).flatten(0, 1), block.bn
    added = F.batch_norm(core, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    expected = x + added.unflatten(0, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(module(x, 3)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('gates', ['space', ('space', 'space'), ('row',)])
def test_unknown_gates_are_named(gates):
    with pytest.raises(InputError, match='gates must be'):
        CT({3: 8}, gates=gates)
