"""A file of TDN's code: its names, and its logits by a restatement that works with them."""

import pytest
import torch
import torch.nn.functional as F
from restated import Layers, batch_norm_names, drawn_state, unfilled

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import convert_file, nearest_config
from mmaction_ext.engine.official_checkpoints import convert, identify
from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError
from mmaction_ext.models.building import build_model

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def biased(name, shape):
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


def layer_shapes(name, inplanes, planes, blocks, long_term):
    """Of a layer whose convolutions have biases."""
    found = {}
    r = planes // 16
    for i in range(blocks):
        at = f'{name}.{i}'
        found |= biased(f'{at}.conv1', (planes, inplanes, 1, 1))
        found |= batch_norm_names(f'{at}.bn1', planes)
        if long_term:
            for own, shape in {
                'conv1': (r, planes, 1, 1),
                'conv2': (r, 1, 3, 3),
                'conv3': (planes, r, 1, 1),
                'conv3_smallscale2': (r, r, 3, 3),
                'conv3_smallscale4': (r, r, 3, 3),
            }.items():
                found[f'{at}.mse.{own}.weight'] = shape
            norms = {'bn1': r, 'bn3': planes, 'bn3_smallscale2': r, 'bn3_smallscale4': r}
            for own, channels in norms.items():
                found |= batch_norm_names(f'{at}.mse.{own}', channels)
            found[f'{at}.shift.conv.weight'] = (planes, 1, 3)
        found |= biased(f'{at}.conv2', (planes, planes, 3, 3))
        found |= batch_norm_names(f'{at}.bn2', planes)
        found |= biased(f'{at}.conv3', (4 * planes, planes, 1, 1))
        found |= batch_norm_names(f'{at}.bn3', 4 * planes)
        if i == 0:
            found |= biased(f'{at}.downsample.0', (4 * planes, inplanes, 1, 1))
            found |= batch_norm_names(f'{at}.downsample.1', 4 * planes)
        inplanes = 4 * planes
    return found


def shapes(depth=50, classes=174):
    """Every name of a file and its shape, without prefixes."""
    found = biased('conv1', (64, 3, 7, 7)) | batch_norm_names('bn1', 64)
    found |= biased('conv1_temp', (64, 3, 7, 7))
    found |= {'conv1_5.0.weight': (64, 12, 7, 7)} | batch_norm_names('conv1_5.1', 64)
    found |= layer_shapes('resnext_layer1', 64, 64, 3, False)
    inplanes = 64
    for layer, blocks in enumerate(BLOCKS[depth], 1):
        planes = 64 * 2 ** (layer - 1)
        found |= layer_shapes(f'layer{layer}_bak', inplanes, planes, blocks, layer > 1)
        inplanes = 4 * planes
    return found | {'new_fc.weight': (classes, 2048), 'new_fc.bias': (classes,)}


def gate(net, d, name):
    a = net.conv(F.avg_pool2d(d, 2, 2), f'{name}.conv3_smallscale2', padding=1)
    a = F.interpolate(net.bn(a, f'{name}.bn3_smallscale2'), d.shape[2:])
    b = net.conv(d, f'{name}.conv3_smallscale4', padding=1)
    b = net.bn(b, f'{name}.bn3_smallscale4')
    y = net.conv(d / 3 + a / 3 + b / 3, f'{name}.conv3')
    return torch.sigmoid(net.bn(y, f'{name}.bn3')) - 0.5


def long_term(net, x, name, frames):
    """The gate of each frame by its differences to the next and to the one before."""
    q = net.bn(net.conv(x, f'{name}.conv1'), f'{name}.bn1')
    k = net.conv(q, f'{name}.conv2', padding=1, groups=q.shape[1])
    forward, backward = torch.zeros_like(q), torch.zeros_like(q)
    for n in range(len(q)):
        if n % frames < frames - 1:
            forward[n] = k[n + 1] - q[n]
        if n % frames > 0:
            backward[n] = k[n - 1] - q[n]
    return x + x * (gate(net, forward, name) / 2 + gate(net, backward, name) / 2)


def block(net, x, name, frames, stride, first):
    y = F.relu(net.bn(net.conv(x, f'{name}.conv1'), f'{name}.bn1'))
    if f'{name}.shift.conv.weight' in net.state:
        y = long_term(net, y, f'{name}.mse', frames)
        y = net.over_time(y, f'{name}.shift.conv', frames)
    y = F.relu(net.bn(net.conv(y, f'{name}.conv2', stride, 1), f'{name}.bn2'))
    y = net.bn(net.conv(y, f'{name}.conv3'), f'{name}.bn3')
    if first:
        x = net.bn(net.conv(x, f'{name}.downsample.0', stride), f'{name}.downsample.1')
    return F.relu(x + y)


def layer(net, x, name, blocks, frames, stride):
    for i in range(blocks):
        x = block(net, x, f'{name}.{i}', frames, stride if i == 0 else 1, i == 0)
    return x


def logits(state, x, frames):
    """Of clips, (N*T, 15, H, W): (N, classes)."""
    net = Layers(state)
    x1, x2, x3, x4, x5 = x.split(3, dim=1)
    d1 = F.avg_pool2d(torch.cat((x2 - x1, x3 - x2, x4 - x3, x5 - x4), dim=1), 2, 2)
    d1 = F.relu(net.bn(net.conv(d1, 'conv1_5.0', 2, 3), 'conv1_5.1'))
    d1 = F.max_pool2d(d1, 3, 2, 1)
    d2 = layer(net, d1, 'resnext_layer1', 3, frames, 1)
    alpha, beta = (0.5, 0.5) if frames == 8 else (0.75, 0.25)
    s = F.max_pool2d(F.relu(net.bn(net.conv(x3, 'conv1', 2, 3), 'bn1')), 3, 2, 1)
    s = alpha * s + beta * F.interpolate(d1, s.shape[2:])
    s = layer(net, s, 'layer1_bak', 3, frames, 1)
    s = alpha * s + beta * F.interpolate(d2, s.shape[2:])
    for number in (2, 3, 4):
        s = layer(net, s, f'layer{number}_bak', BLOCKS[50][number - 1], frames, 2)
    scores = F.linear(s.mean((2, 3)), state['new_fc.weight'], state['new_fc.bias'])
    return scores.unflatten(0, (-1, frames)).mean(1)


@pytest.mark.parametrize('frames', [8, 16])
def test_converted_file_gives_the_official_logits(frames, tmp_path):
    state = drawn_state(shapes())
    prefixed = {
        ('module.' if name.startswith('new_fc') else 'module.base_model.') + name: tensor
        for name, tensor in state.items()
    }
    torch.save({'epoch': 59, 'state_dict': prefixed}, tmp_path / 'in.pth.tar')
    told = convert_file('tdn', tmp_path / 'in.pth.tar', tmp_path / 'out.pth', frames)
    assert told[-1].endswith(f'configs/rivals/sthv1/tdn_r50_{frames}f.py')
    assert 'note: conv1_temp, which the released code never runs, is left out' in told
    model = build_model(read_config(told[-1]).model)
    model.load_state_dict(torch.load(tmp_path / 'out.pth')['state_dict'], strict=True)
    clips = torch.randn(16 // frames, frames, 15, 48, 64, dtype=torch.float64)
    with torch.no_grad():
        found = model.double().eval()(clips, stage='head')
        state = {name: tensor.double() for name, tensor in state.items()}
        expected = logits(state, clips.flatten(0, 1), frames)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10 * expected.std().item())


@pytest.mark.parametrize(
    'depth, classes, frames, config, differing',
    [
        (101, 174, 8, 'rivals/sthv1/tdn_r101_8f.py', set()),
        (101, 174, 16, 'rivals/sthv1/tdn_r101_16f.py', set()),
        (50, 400, 16, 'dcf/table5_k400/tdn_r50_16f.py', set()),
        (
            101,
            400,
            16,
            'dcf/table5_k400/tdn_r50_16f.py',
            {'model.backbone.depth', 'model.backbone.pretrained'},
        ),
    ],
)
def test_depth_and_classes_are_told_by_the_shapes(depth, classes, frames, config, differing):
    """And every weight of the network has its own in the file."""
    weights = unfilled(shapes(depth, classes))
    path, changes = nearest_config('tdn', identify('tdn', weights, frames).settings)
    assert path.as_posix().endswith(config) and set(changes) == differing
    target = build_model(read_config(path, changes).model, 'meta').state_dict()
    assert convert('tdn', weights, target).keys() == target.keys()


def test_segments_must_be_told():
    weights = unfilled(shapes())
    with pytest.raises(InputError, match=r'TDN do not tell the frames .* --num-segments'):
        identify('tdn', weights)
