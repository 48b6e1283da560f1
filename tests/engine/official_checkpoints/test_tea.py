"""A file of TEA's code: its names, and its logits by a restatement that works with them."""

import pytest
import torch
import torch.nn.functional as F
from restated import Layers, batch_norm_names, drawn_state, unfilled

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import convert_file
from mmaction_ext.engine.official_checkpoints import identify
from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError
from mmaction_ext.models.building import build_model

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def shapes(depth=50, classes=174):
    """Every name of a file and its shape, without prefixes."""
    found = {'conv1.weight': (64, 3, 7, 7)} | batch_norm_names('bn1', 64)
    inplanes = 64
    for layer, blocks in enumerate(BLOCKS[depth], 1):
        w, out = 26 * 2 ** (layer - 1), 256 * 2 ** (layer - 1)
        wide, r = 4 * w, 4 * w // 16
        for i in range(blocks):
            convolutions = {
                'me.conv1': (r, wide, 1, 1),
                'me.conv2': (r, 1, 3, 3),
                'me.conv3': (wide, r, 1, 1),
                'conv1': (wide, inplanes, 1, 1),
                **{f'convs.{j}': (w, w, 3, 3) for j in range(3)},
                **{f'shifts.{j}.conv': (w, 1, 3) for j in range(4)},
                'conv3': (out, wide, 1, 1),
            }
            norms = {'me.bn1': r, 'me.bn3': wide, 'bn1': wide, 'bn3': out}
            norms |= {f'bns.{j}': w for j in range(3)}
            if i == 0:
                convolutions['downsample.0'], norms['downsample.1'] = (out, inplanes, 1, 1), out
            for name, shape in convolutions.items():
                found[f'layer{layer}.{i}.{name}.weight'] = shape
            for name, channels in norms.items():
                found |= batch_norm_names(f'layer{layer}.{i}.{name}', channels)
            inplanes = out
    return found | {'new_fc.weight': (classes, 2048), 'new_fc.bias': (classes,)}


def excited(net, x, name, frames):
    """Motion excitation, frame by frame."""
    q = net.bn(net.conv(x, f'{name}.conv1'), f'{name}.bn1')
    k = net.conv(q, f'{name}.conv2', padding=1, groups=q.shape[1])
    out = []
    for n, feature in enumerate(x):
        last = n % frames == frames - 1
        d = torch.zeros_like(q[n]) if last else k[n + 1] - q[n]
        y = net.conv(d.mean((1, 2))[None, :, None, None], f'{name}.conv3')
        y = torch.sigmoid(net.bn(y, f'{name}.bn3'))[0] - 0.5
        out.append(feature + feature * y)
    return torch.stack(out)


def block(net, x, name, frames, stride, first):
    y = F.relu(net.bn(net.conv(x, f'{name}.conv1'), f'{name}.bn1'))
    parts = excited(net, y, f'{name}.me', frames).chunk(4, dim=1)
    outputs = []
    for i in range(3):
        s = parts[i] if first or i == 0 else parts[i] + outputs[-1]
        s = net.over_time(s, f'{name}.shifts.{i}.conv', frames)
        s = net.conv(s, f'{name}.convs.{i}', stride, 1)
        outputs.append(F.relu(net.bn(s, f'{name}.bns.{i}')))
    last = net.over_time(parts[3], f'{name}.shifts.3.conv', frames)
    outputs.append(F.avg_pool2d(last, 3, stride, 1) if first else last)
    y = net.bn(net.conv(torch.cat(outputs, dim=1), f'{name}.conv3'), f'{name}.bn3')
    if first:
        x = net.bn(net.conv(x, f'{name}.downsample.0', stride), f'{name}.downsample.1')
    return F.relu(x + y)


def logits(state, x, frames):
    """Of clips, (N*T, 3, H, W): (N, classes)."""
    net = Layers(state)
    x = F.max_pool2d(F.relu(net.bn(net.conv(x, 'conv1', 2, 3), 'bn1')), 3, 2, 1)
    for layer, blocks in enumerate(BLOCKS[50], 1):
        for i in range(blocks):
            stride = 2 if layer > 1 and i == 0 else 1
            x = block(net, x, f'layer{layer}.{i}', frames, stride, i == 0)
    scores = F.linear(x.mean((2, 3)), state['new_fc.weight'], state['new_fc.bias'])
    return scores.unflatten(0, (-1, frames)).mean(1)


@pytest.mark.parametrize('frames', [8, 16])
def test_converted_file_gives_the_official_logits(frames, tmp_path):
    state = drawn_state(shapes())
    prefixed = {
        ('module.' if name.startswith('new_fc') else 'module.base_model.') + name: tensor
        for name, tensor in state.items()
    }
    torch.save({'epoch': 49, 'arch': 'tea50', 'state_dict': prefixed}, tmp_path / 'in.pth.tar')
    told = convert_file('tea', tmp_path / 'in.pth.tar', tmp_path / 'out.pth', frames)
    assert told[-1].endswith(f'configs/rivals/sthv1/tea_{frames}f.py')
    model = build_model(read_config(told[-1]).model)
    model.load_state_dict(torch.load(tmp_path / 'out.pth')['state_dict'], strict=True)
    clips = torch.randn(16 // frames, frames, 3, 48, 64, dtype=torch.float64)
    with torch.no_grad():
        found = model.double().eval()(clips, stage='head')
        state = {name: tensor.double() for name, tensor in state.items()}
        expected = logits(state, clips.flatten(0, 1), frames)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10 * expected.std().item())


def test_frames_must_be_told():
    weights = unfilled(shapes(101, 5))
    with pytest.raises(InputError, match=r'TEA do not tell the frames .* --num-segments'):
        identify('tea', weights)
    settings = identify('tea', weights, 12).settings
    assert settings['model.backbone.depth'] == 101
    assert settings['model.cls_head.num_classes'] == 5
    assert settings['input_shape'] == (3, 12, 224, 224)
