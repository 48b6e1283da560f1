"""Files of the released code of SmallBigNet and RSANet, by their lists of names, made ours.

A file's network is restated with the official names alone, and gives the logits of ours.
"""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from restated import batch_norm_names, drawn_state

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import convert_file, nearest_config
from mmaction_ext.engine.official_checkpoints import identify, plain_names
from mmaction_ext.errors import InputError

CLASSES, FRAMES = 7, 3
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
ATTENDING = ('layer1.2', 'layer2.1', 'layer2.3', 'layer3.1', 'layer3.3', 'layer3.5', 'layer4.1')


def resnet_shapes(depth, second, more=lambda name, inplanes, planes: {}):
    """Names and shapes of a ResNet of 3-D convolutions, but for the classifier.

    Args:
        depth: 50 or 101.
        second: From the name and channels of a block to the weights of its second layer.
        more: From the name, channels of the input and inner channels of a block to what else it
            has.
    """
    found = {'conv1.weight': (64, 3, 1, 7, 7)} | batch_norm_names('bn1', 64)
    inplanes = 64
    for layer, blocks in enumerate(BLOCKS[depth], start=1):
        p = 32 * 2**layer
        for index in range(blocks):
            name = f'layer{layer}.{index}'
            found |= {f'{name}.conv1.weight': (p, inplanes, 1, 1, 1)}
            found |= batch_norm_names(f'{name}.bn1', p) | second(name, p)
            found |= batch_norm_names(f'{name}.bn2', p)
            found |= {f'{name}.conv3.weight': (4 * p, p, 1, 1, 1)}
            found |= batch_norm_names(f'{name}.bn3', 4 * p) | more(name, inplanes, p)
            if index == 0:
                found |= {f'{name}.downsample.0.weight': (4 * p, inplanes, 1, 1, 1)}
                found |= batch_norm_names(f'{name}.downsample.1', 4 * p)
            inplanes = 4 * p
    return found


def kernel_shapes(name, p):
    return {f'{name}.conv2.weight': (p, p, 1, 3, 3)}


def smallbig_shapes(depth=50, extra=False, classes=CLASSES):
    def views(name, c, p):
        if name.startswith('layer1'):
            return {}
        found = batch_norm_names(f'{name}.big1.1', p) | batch_norm_names(f'{name}.big2.1', p)
        found |= batch_norm_names(f'{name}.big3.1', 4 * p)
        if extra:
            found |= {f'{name}.big4_1.weight': (c // 4, c, 1, 1, 1)}
            found |= {f'{name}.big4_2.0.weight': (c, c // 4, 1, 1, 1)}
            found |= batch_norm_names(f'{name}.big4_2.1', c)
        return found

    found = resnet_shapes(depth, kernel_shapes, views)
    found |= {'fc.weight': (classes, 2048), 'fc.bias': (classes,)}
    return {f'module.{name}': shape for name, shape in found.items()}


def rsa_shapes(kernel_type='VplusR', feat_type='VplusR', classes=CLASSES):
    def second(name, p):
        if name not in ATTENDING:
            return kernel_shapes(name, p)
        d, name = p // 8, f'{name}.conv2'
        keys = 0 if kernel_type == 'V' else d
        found = {f'{name}.P1': (1, d, d)} if kernel_type == 'VplusR' else {}
        found |= {f'{name}.I': (1, d, d)} if feat_type == 'VplusR' else {}
        found |= {f'{name}.projection.weight': (p + keys + d, p, 1, 1, 1)}
        found |= {f'{name}.H1.weight': (d * d, 1, 5, 7, 7)} if keys else {}
        found |= {f'{name}.H2.weight': (d, 1, 5, 7, 7)}
        return found | ({f'{name}.G.weight': (d, 1, 5, 7, 7)} if feat_type != 'V' else {})

    found = resnet_shapes(50, second)
    found = {f'base_model.{name}': shape for name, shape in found.items()}
    found |= {'new_fc.weight': (classes, 2048, 1), 'new_fc.bias': (classes,)}
    return {f'module.{name}': shape for name, shape in found.items()}


def weightless(shapes):
    """A file's weights, without prefixes, on the meta device."""
    return plain_names({name: torch.empty(shape, device='meta') for name, shape in shapes.items()})


class Restated:
    """A ResNet of 3-D convolutions on clips (N, 3, T, H, W), by the names of a file."""

    def __init__(self, state):
        self.state = {
            name: value.double() if value.is_floating_point() else value
            for name, value in plain_names(state).items()
        }

    def conv(self, x, name, stride=1, padding=(0, 0, 0), groups=1):
        return F.conv3d(
            x, self.state[f'{name}.weight'], None, (1, stride, stride), padding, 1, groups
        )

    def bn(self, x, name):
        mean, var, weight, bias = (
            self.state[f'{name}.{leaf}']
            for leaf in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return F.batch_norm(x, mean, var, weight, bias)

    def shortcut(self, x, name, stride):
        if f'{name}.downsample.0.weight' not in self.state:
            return x
        return self.bn(self.conv(x, f'{name}.downsample.0', stride), f'{name}.downsample.1')

    def block(self, x, name, stride):
        y = self.bn(self.conv(x, f'{name}.conv1'), f'{name}.bn1').relu()
        y = self.second(y, name, stride)
        y = self.bn(self.conv(self.bn(y, f'{name}.bn2').relu(), f'{name}.conv3'), f'{name}.bn3')
        return (y + self.shortcut(x, name, stride)).relu()

    def second(self, y, name, stride):
        return self.conv(y, f'{name}.conv2', stride, (0, 1, 1))

    def features(self, x):
        x = self.bn(self.conv(x, 'conv1', 2, (0, 3, 3)), 'bn1').relu()
        x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        blocks = {name.split('.conv1.')[0] for name in self.state if '.conv1.' in name}
        for name in sorted(blocks, key=lambda name: [int(part) for part in name[5:].split('.')]):
            x = self.block(x, name, 2 if name in ('layer2.0', 'layer3.0', 'layer4.0') else 1)
        return x.mean((2, 3, 4))

    def logits(self, x, classifier):
        weight, bias = (self.state[f'{classifier}.{leaf}'] for leaf in ('weight', 'bias'))
        return F.linear(self.features(x), weight.flatten(1), bias)


class RestatedSmallBig(Restated):
    def block(self, x, name, stride):
        if name.startswith('layer1'):
            return super().block(x, name, stride)
        if f'{name}.big4_1.weight' in self.state:
            gate = self.conv(F.adaptive_max_pool3d(x, 1), f'{name}.big4_1').sigmoid()
            gated = self.conv(self.conv(x, f'{name}.big4_1') * gate, f'{name}.big4_2.0')
            x = x + self.bn(gated, f'{name}.big4_2.1')
        y = x
        for number, step, padding in ((1, 1, (0, 0, 0)), (2, stride, (0, 1, 1))):
            both = (y, F.max_pool3d(y, 3, 1, 1))
            small, big = (self.conv(z, f'{name}.conv{number}', step, padding) for z in both)
            y = self.bn(small, f'{name}.bn{number}') + self.bn(big, f'{name}.big{number}.1')
            y = y.relu()
        whole = F.max_pool3d(y, (y.shape[2], 3, 3), 1, (0, 1, 1))  # one step of time
        y = self.bn(self.conv(y, f'{name}.conv3'), f'{name}.bn3')
        y = y + self.bn(self.conv(whole, f'{name}.conv3'), f'{name}.big3.1')
        return (y + self.shortcut(x, name, stride)).relu()


class RestatedRSA(Restated):
    def second(self, y, name, stride):
        if name not in ATTENDING:
            return super().second(y, name, stride)
        n, p, *size = y.shape
        d, around, name = p // 8, (2, 3, 3), f'{name}.conv2'
        projected = self.conv(y, f'{name}.projection')
        query, value = projected[:, :p].unflatten(1, (8, d)), projected[:, -d:]
        query = query / (query.square().sum(2, keepdim=True) + 1e-6).sqrt()
        value = value / (value.square().sum(1, keepdim=True) + 1e-6).sqrt()
        kernel = query
        if f'{name}.H1.weight' in self.state:
            key = projected[:, p : p + d]
            key = key / (key.square().sum(1, keepdim=True) + 1e-6).sqrt()
            a = self.conv(key, f'{name}.H1', 1, around, groups=d).unflatten(1, (d, d))
            if f'{name}.P1' in self.state:
                a = a + self.state[f'{name}.P1'][..., None, None, None]
            kernel = torch.einsum('nlcthw,ncdthw->nldthw', query, a)
        context = torch.stack(
            [self.conv(value[:, e : e + 1], f'{name}.H2', 1, around) for e in range(d)], dim=1
        )
        if f'{name}.G.weight' in self.state:
            r = torch.stack(
                [self.conv(value[:, e : e + 1], f'{name}.G', 1, around) for e in range(d)], dim=1
            )
            if f'{name}.I' in self.state:
                r = r + self.state[f'{name}.I'][..., None, None, None]
            context = torch.einsum('nefthw,nedthw->nfdthw', r, context)
        return torch.einsum('nldthw,nfdthw->nflthw', kernel, context).reshape(n, p, *size)


def convert(kind, state, folder):
    """Our model, by the config that is printed, with the weights that go with it."""
    torch.save(dict(epoch=3, arch='x', state_dict=state), folder / 'theirs.pth.tar')
    lines = convert_file(kind, folder / 'theirs.pth.tar', folder / 'ours.pth', FRAMES)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(lines[-1]).model)
    weights = torch.load(folder / 'ours.pth', weights_only=True)['state_dict']
    model.load_state_dict(weights, strict=True)
    return model.double().eval(), lines


def same_logits(model, expected, clips):
    frames = clips.transpose(1, 2).contiguous()
    with torch.no_grad():
        found = model(frames, stage='head')
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert (expected[0] - expected[1]).abs().max() > 1e-3


@pytest.mark.parametrize('extra', [False, True])
def test_smallbignet(extra, tmp_path):
    state = drawn_state(smallbig_shapes(extra=extra))
    model, lines = convert('smallbig', state, tmp_path)
    assert f'SmallBigNet-50{", extra" if extra else ""}, 3 frames, 7 classes' in lines[1]
    clips = torch.randn(2, 3, FRAMES, 64, 64, dtype=torch.float64)
    same_logits(model, RestatedSmallBig(state).logits(clips, 'fc'), clips)


@pytest.mark.parametrize(
    'types',
    [{}, dict(kernel_type='V'), dict(kernel_type='R', feat_type='R'), dict(feat_type='V')],
    ids=str,
)
def test_rsanet(types, tmp_path):
    state = drawn_state(rsa_shapes(**types))
    model, lines = convert('rsa', state, tmp_path)
    assert 'RSANet-50, 3 frames, 7 classes' in lines[1]
    clips = torch.randn(2, 3, FRAMES, 32, 32, dtype=torch.float64)
    same_logits(model, RestatedRSA(state).logits(clips, 'new_fc'), clips)


@pytest.mark.parametrize(
    'kind, shapes, stem',
    [('smallbig', smallbig_shapes, 'smallbig'), ('rsa', rsa_shapes, 'rsanet')],
)
def test_frames_must_be_told_and_lead_to_a_config(kind, shapes, stem):
    weights = weightless(shapes(classes=174))
    with pytest.raises(InputError, match='--num-segments'):
        identify(kind, weights)
    for frames in (8, 16):
        path, differing = nearest_config(kind, identify(kind, weights, frames).settings)
        assert path.as_posix().endswith(f'rivals/sthv1/{stem}_{frames}f.py') and not differing


def test_depth_of_smallbignet_is_told_by_its_blocks():
    settings = identify('smallbig', weightless(smallbig_shapes(101)), 8).settings
    assert settings['model.backbone.depth'] == 101
    assert settings['model.backbone.pretrained'] == 'torchvision://resnet101'


def test_files_of_the_one_are_none_of_the_other():
    with pytest.raises(InputError, match='none of rsa'):
        identify('rsa', weightless(smallbig_shapes()), 8)
    with pytest.raises(InputError, match='none of smallbig'):
        identify('smallbig', weightless(rsa_shapes()), 8)
