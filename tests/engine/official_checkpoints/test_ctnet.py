"""CT-Net's files and numbers: a restatement in the names of its released code."""

import pytest
import torch
import torch.nn.functional as F
from restated import Layers, batch_norm_names, converted, drawn_state, unfilled

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import nearest_config
from mmaction_ext.engine.official_checkpoints import identify, plain_names
from mmaction_ext.errors import InputError
from mmaction_ext.networks import ctnet_r50

FULL, SMALL = (3, 4, 6, 3), (2, 2, 2, 2)
SEVEN = {'1.1', '2.1', '2.3', '3.1', '3.3', '3.5', '4.1'}
SIDES = {16: (4, 4), 32: (4, 8), 64: (8, 8), 128: (8, 16), 256: (16, 16), 512: (16, 32)}


def half_shapes(name, side, first, c, groups):
    """Of ``conv1_x`` and ``conv1_z``, or ``conv2_y`` and ``conv2_z``, and their gates."""
    found = {
        f'{name}.conv{first}_{side}.0.weight': (c, c // groups, 1, 3, 3),
        **batch_norm_names(f'{name}.conv{first}_{side}.1', c),
        f'{name}.conv{first}_z.0.weight': (c, c // groups, 3, 1, 1),
        **batch_norm_names(f'{name}.conv{first}_z.1', c),
    }
    for gate, kernel in (('s', (1, 3, 3)), ('t', (3, 1, 1)), ('c', (1, 1, 1))):
        attention = f'{name}.{gate}{side}_attention'
        found |= {
            f'{attention}.fc1.0.weight': (c // 4, c // groups, *kernel),
            **batch_norm_names(f'{attention}.fc1.1', c // 4),
            f'{attention}.fc2.0.weight': (c, c // (4 * groups), *kernel),
        }
    return found


def shapes(blocks, places, stem=64, classes=174):
    """Names and shapes of a file with tensorised blocks at some places, layer and index."""
    found, before = {'conv1.weight': (stem, 3, 7, 7), **batch_norm_names('bn1', stem)}, stem
    for layer, count in enumerate(blocks, start=1):
        p = stem * 2 ** (layer - 1)
        for index in range(count):
            block = f'layer{layer}.{index}'
            if f'{layer}.{index}' in places:
                rows, columns = SIDES[p]
                found |= {
                    f'{block}.conv1.0.weight': (p, before, 1, 1),
                    **batch_norm_names(f'{block}.conv1.1', p),
                    **half_shapes(f'{block}.conv2', 'x', 1, p, rows),
                    f'{block}.conv2.fusion.0.weight': (p, p, 1, 1, 1),
                    **batch_norm_names(f'{block}.conv2.fusion.1', p),
                    **half_shapes(f'{block}.conv2', 'y', 2, p, columns),
                    f'{block}.conv3.0.weight': (4 * p, p, 1, 1),
                    **batch_norm_names(f'{block}.conv3.1', 4 * p),
                }
            else:
                for number, shape in (
                    (1, (p, before, 1, 1)),
                    (2, (p, p, 3, 3)),
                    (3, (4 * p, p, 1, 1)),
                ):
                    found[f'{block}.conv{number}.weight'] = shape
                    found |= batch_norm_names(f'{block}.bn{number}', shape[0])
            if index == 0:
                found[f'{block}.downsample.0.weight'] = (4 * p, before, 1, 1)
                found |= batch_norm_names(f'{block}.downsample.1', 4 * p)
            before = 4 * p
    found = {f'module.base_model.{name}': shape for name, shape in found.items()}
    return found | {
        'module.new_fc.weight': (classes, before),
        'module.new_fc.bias': (classes,),
    }


def restated(state, clips, blocks):
    """Logits of clips (N, T, 3, H, W)."""
    net = Layers(plain_names(state))

    def conv(x, name, groups=1, stride=1):
        sides = net.state[f'{name}.weight'].shape[2:]
        return net.conv(x, name, stride, [side // 2 for side in sides], groups)

    def layer(x, name, groups=1):
        return F.relu(net.bn(conv(x, f'{name}.0', groups), f'{name}.1'))

    def attended(x, name, groups, dims):
        y = layer(x.mean(dims, keepdim=True), f'{name}.fc1', groups)
        return x * torch.sigmoid(conv(y, f'{name}.fc2.0', groups))

    def half(x, name, side, first, groups):
        space = attended(
            layer(x, f'{name}.conv{first}_{side}', groups), f'{name}.s{side}_attention', groups, 2
        )
        time = attended(
            layer(x, f'{name}.conv{first}_z', groups), f'{name}.t{side}_attention', groups, (3, 4)
        )
        return attended(space + time, f'{name}.c{side}_attention', groups, (3, 4))

    def tensorised(frames, name):
        n, c, (rows, columns) = len(clips), frames.shape[1], SIDES[frames.shape[1]]
        x = frames.view(n, -1, *frames.shape[1:]).transpose(1, 2)
        x = layer(half(x, name, 'x', 1, rows), f'{name}.fusion')
        turned = torch.empty_like(x)
        for i in range(rows):
            for j in range(columns):
                turned[:, j * rows + i] = x[:, i * columns + j]
        y = half(turned, name, 'y', 2, columns)
        back = torch.stack([y[:, (i % columns) * rows + i // columns] for i in range(c)], 1)
        return back.transpose(1, 2).flatten(0, 1)

    x = clips.flatten(0, 1)
    x = F.max_pool2d(F.relu(net.bn(conv(x, 'conv1', stride=2), 'bn1')), 3, 2, 1)
    for number, count in enumerate(blocks, start=1):
        for index in range(count):
            block, shortcut = f'layer{number}.{index}', x
            stride = 2 if index == 0 and number > 1 else 1
            if index == 0:
                shortcut = conv(x, f'{block}.downsample.0', stride=stride)
                shortcut = net.bn(shortcut, f'{block}.downsample.1')
            if f'{block}.conv1.0.weight' in net.state:
                y = tensorised(layer(x, f'{block}.conv1'), f'{block}.conv2')
                y = net.bn(conv(y, f'{block}.conv3.0'), f'{block}.conv3.1')
            else:
                y = F.relu(net.bn(conv(x, f'{block}.conv1'), f'{block}.bn1'))
                y = conv(y, f'{block}.conv2', stride=stride)
                y = conv(F.relu(net.bn(y, f'{block}.bn2')), f'{block}.conv3')
                y = net.bn(y, f'{block}.bn3')
            x = F.relu(y + shortcut)
    of_frames = x.mean((2, 3)) @ net.state['new_fc.weight'].T + net.state['new_fc.bias']
    return of_frames.view(len(clips), -1, of_frames.shape[1]).mean(1)


def test_gives_the_released_numbers():
    state = drawn_state(shapes(SMALL, {'1.1', '2.1', '3.1', '4.1'}, stem=16, classes=5))
    config = ctnet_r50(5, 4)
    config['backbone'].update(depth=26, base_channels=16, pretrained=None)
    config['cls_head']['in_channels'] = 512
    model = converted('ctnet', config, state).double()
    clips = torch.randn(2, 4, 3, 45, 64, dtype=torch.float64)
    with torch.no_grad():
        found = model(clips, stage='head')
        expected = restated({n: tensor.double() for n, tensor in state.items()}, clips, SMALL)
    assert (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('frames', [8, 16])
def test_a_file_of_the_released_size_is_known_and_fits(frames):
    counters = {'module.total_ops': (1,), 'module.base_model.layer1.1.conv2.total_params': (1,)}
    file = unfilled(shapes(FULL, SEVEN) | counters)  # of a library that counts multiply-adds
    converted('ctnet', ctnet_r50(174, frames), file)
    network = identify('ctnet', plain_names(file), frames)
    path, differing = nearest_config('ctnet', network.settings)
    assert path.as_posix().endswith(f'configs/rivals/sthv1/ctnet_{frames}f.py') and not differing


def test_the_number_of_blocks_is_read_from_the_file():
    file = unfilled(shapes(FULL, {'2.3', '3.3', '3.5'}))
    network = identify('ctnet', plain_names(file), 8)
    assert network.settings['model.backbone.num_total'] == 3
    converted('ctnet', ctnet_r50(174, 8, num_total=3), file)
    file = {name: value for name, value in file.items() if 'layer2.3.conv2' not in name}
    with pytest.raises(InputError, match='2 blocks have channel tensorization'):
        identify('ctnet', plain_names(file), 8)


def test_frames_must_be_told():
    with pytest.raises(InputError, match='--num-segments 8 or 16'):
        identify('ctnet', plain_names(unfilled(shapes(FULL, SEVEN))))
