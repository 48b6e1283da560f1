"""Files of the released code of CGNL, CGD, ECO and MARS, by their lists of names, made ours.

A file's network is restated with the official names alone, and gives the logits of ours.
"""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from restated_networks import cgd, cgnl, eco, resnext3d

import mmaction_ext.register  # noqa: F401
from mmaction_ext.cli.convert import convert_file
from mmaction_ext.engine.official_checkpoints import identify
from mmaction_ext.errors import InputError

#: Convolutions of BN-Inception, with their channels in and out.
INCEPTIONS = """
inception_3a_: 1x1 192 64, 3x3_reduce 192 64, 3x3 64 64, double_3x3_reduce 192 64,
 double_3x3_1 64 96, double_3x3_2 96 96, pool_proj 192 32
inception_3b_: 1x1 256 64, 3x3_reduce 256 64, 3x3 64 96, double_3x3_reduce 256 64,
 double_3x3_1 64 96, double_3x3_2 96 96, pool_proj 256 64
inception_3c_: double_3x3_reduce 320 64, double_3x3_1 64 96, double_3x3_2 96 96,
 3x3_reduce 320 128, 3x3 128 160
inception_4a_: 1x1 576 224, 3x3_reduce 576 64, 3x3 64 96, double_3x3_reduce 576 96,
 double_3x3_1 96 128, double_3x3_2 128 128, pool_proj 576 128
inception_4b_: 1x1 576 192, 3x3_reduce 576 96, 3x3 96 128, double_3x3_reduce 576 96,
 double_3x3_1 96 128, double_3x3_2 128 128, pool_proj 576 128
inception_4c_: 1x1 576 160, 3x3_reduce 576 128, 3x3 128 160, double_3x3_reduce 576 128,
 double_3x3_1 128 160, double_3x3_2 160 160, pool_proj 576 128
inception_4d_: 1x1 608 96, 3x3_reduce 608 128, 3x3 128 192, double_3x3_reduce 608 160,
 double_3x3_1 160 192, double_3x3_2 192 192, pool_proj 608 128
inception_4e_: 3x3_reduce 608 128, 3x3 128 192, double_3x3_reduce 608 192,
 double_3x3_1 192 256, double_3x3_2 256 256
inception_5a_: 1x1 1056 352, 3x3_reduce 1056 192, 3x3 192 320, double_3x3_reduce 1056 160,
 double_3x3_1 160 224, double_3x3_2 224 224, pool_proj 1056 128
inception_5b_: 1x1 1024 352, 3x3_reduce 1024 192, 3x3 192 320, double_3x3_reduce 1024 192,
 double_3x3_1 192 224, double_3x3_2 224 224, pool_proj 1024 128"""
#: The part of ECO-Lite's.
LITE = 'inception_3c_double_3x3_1'
#: Convolutions of ECO's 3-D part, with what normalisation follows, if one does.
VOLUME = """
res3a_2 96 128 res3a_bn, res3b_1 128 128 res3b_1_bn, res3b_2 128 128 res3b_bn,
res4a_1 128 256 res4a_1_bn, res4a_2 256 256 res4a_bn, res4a_down 128 256 -,
res4b_1 256 256 res4b_1_bn, res4b_2 256 256 res4b_bn,
res5a_1 256 512 res5a_1_bn, res5a_2 512 512 res5a_bn, res5a_down 256 512 -,
res5b_1 512 512 res5b_1_bn, res5b_2 512 512 res5b_bn"""
CLASSES = 7


def normal(*shape):
    fan_in = torch.Size(shape[1:]).numel()
    return torch.randn(shape) * (2 / fan_in) ** 0.5


def norm_state(name, channels):
    return {
        f'{name}.weight': torch.rand(channels) + 0.5,
        f'{name}.bias': torch.randn(channels) / 10,
        f'{name}.running_mean': torch.randn(channels) / 10,
        f'{name}.running_var': torch.rand(channels) + 0.5,
        f'{name}.num_batches_tracked': torch.tensor(5),
    }


def conv_state(name, *shape, norm=None):
    state = {f'{name}.weight': normal(*shape), f'{name}.bias': torch.randn(shape[0]) / 10}
    return {**state, **norm_state(norm, shape[0])} if norm else state


def eco_state(full):
    state = conv_state('conv1_7x7_s2', 64, 3, 7, 7, norm='conv1_7x7_s2_bn')
    layers = [('conv2_3x3_reduce', 64, 64), ('conv2_3x3', 64, 192)]
    for line in INCEPTIONS.replace('\n ', ' ').strip().splitlines():
        place, _, listed = line.partition(': ')
        for layer in listed.split(', '):
            name, before, after = layer.split()
            layers.append((place + name, int(before), int(after)))
    for name, before, after in layers:
        side = 3 if name.endswith(('3x3', '_1', '_2')) else 1
        state.update(conv_state(name, after, before, side, side, norm=f'{name}_bn'))
        if name == LITE and not full:
            break
    for layer in VOLUME.split(','):
        name, before, after, norm = layer.split()
        norm = None if norm == '-' else norm
        state.update(conv_state(name, int(after), int(before), 3, 3, 3, norm=norm))
    classifier = 'fc_final' if full else 'new_fc'
    state.update(conv_state(classifier, CLASSES, 1536 if full else 512))
    return {
        f'module.{"" if name.startswith("new_fc") else "base_model."}{name}': value
        for name, value in state.items()
    }


def mars_state():
    state = {'conv1.weight': normal(64, 3, 7, 7, 7), **norm_state('bn1', 64)}
    before = 64
    for layer, planes, depth in ((1, 128, 3), (2, 256, 4), (3, 512, 23), (4, 1024, 3)):
        for index in range(depth):
            name = f'layer{layer}.{index}'
            state[f'{name}.conv1.weight'] = normal(planes, before, 1, 1, 1)
            state[f'{name}.conv2.weight'] = normal(planes, planes // 32, 3, 3, 3)
            state[f'{name}.conv3.weight'] = normal(2 * planes, planes, 1, 1, 1) / 10
            for number, width in (('1', planes), ('2', planes), ('3', 2 * planes)):
                state.update(norm_state(f'{name}.bn{number}', width))
            if index == 0:
                state[f'{name}.downsample.0.weight'] = normal(2 * planes, before, 1, 1, 1)
                state.update(norm_state(f'{name}.downsample.1', 2 * planes))
            before = 2 * planes
    state.update(conv_state('fc', CLASSES, 2048))
    return {f'module.{name}': value for name, value in state.items()}


def image_network():
    """torchvision's ResNet-50, whose layers both image networks share."""
    network = torchvision.models.resnet50(weights=None, num_classes=CLASSES).eval()
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.load_state_dict(
                {key.rpartition('.')[2]: v for key, v in norm_state(name, len(layer.bias)).items()}
            )
            if name.endswith('bn3'):
                layer.weight.data /= 10  # or features grow with every block
    return network


def cgnl_state(network):
    state = {}
    for name, value in network.state_dict().items():
        state[name.replace('layer3.5.', 'layer3.6.')] = value
    for part in 'tpg':
        state[f'layer3.5.{part}.weight'] = normal(512, 1024, 1, 1)
    state['layer3.5.z.weight'] = normal(1024, 64, 1, 1)
    state.update({f'layer3.5.gn.{part}': torch.randn(1024) for part in ('weight', 'bias')})
    return {f'module.{name}': value for name, value in state.items()}


def cgd_state(network):
    state = dict(network.state_dict())
    for name, layer in network.named_modules():
        if name.endswith('conv1') and '.' in name:
            channels, place = layer.out_channels, name.replace('conv1', 'attention')
            for i in range(3):
                state[f'{place}.w{i}'] = torch.randn(channels, 1)
                state[f'{place}.bias{i}'] = torch.randn(1, channels, 1, 1)
    return {f'module.{name}': value for name, value in state.items()}


def without_prefix(state):
    return {
        name.removeprefix('module.').removeprefix('base_model.'): (
            value.double() if value.is_floating_point() else value
        )
        for name, value in state.items()
    }


def convert(kind, state, folder):
    """The model that a file's config builds, with the weights that go with it."""
    torch.save(dict(epoch=3, arch='x', state_dict=state), folder / 'theirs.pth.tar')
    lines = convert_file(kind, folder / 'theirs.pth.tar', folder / 'ours.pth')
    cfg = Config.fromfile(lines[-1])
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    weights = torch.load(folder / 'ours.pth', weights_only=True)['state_dict']
    model.load_state_dict(weights, strict=True)
    return model.double().eval(), lines


def logits(model, inputs):
    with torch.no_grad():
        return model(inputs, stage='head')


def classified(vector, state, name):
    return F.linear(vector, state[f'{name}.weight'], state[f'{name}.bias'])


@pytest.mark.parametrize('full', [False, True])
def test_eco(full, tmp_path):
    torch.manual_seed(0)
    state = eco_state(full)
    model, lines = convert('eco', state, tmp_path)
    assert f'{"ECO" if full else "ECO-Lite"}, 7 classes' in lines[1]
    clips = torch.randn(2, 3, 4, 64, 64, dtype=torch.float64)
    plain = without_prefix(state)
    expected = classified(eco(clips, plain), plain, 'fc_final' if full else 'new_fc')
    torch.testing.assert_close(logits(model, clips[:, None]), expected, rtol=1e-10, atol=1e-10)


def test_mars(tmp_path):
    torch.manual_seed(0)
    state = mars_state()
    model, _ = convert('mars', state, tmp_path)
    clips = torch.randn(1, 3, 16, 48, 48, dtype=torch.float64)
    plain = without_prefix(state)
    features = resnext3d(clips, plain, (3, 4, 23, 3), groups=32).mean((2, 3, 4))
    expected = classified(features, plain, 'fc')
    torch.testing.assert_close(logits(model, clips[:, None]), expected, rtol=1e-10, atol=1e-10)


def test_cgd(tmp_path):
    torch.manual_seed(0)
    network = image_network()
    state = cgd_state(network)
    model, _ = convert('cgd', state, tmp_path)
    plain = without_prefix(state)
    for name, layer in network.double().named_modules():
        if name.endswith('conv1') and '.' in name:
            place = name.replace('conv1', 'attention')
            layer.register_forward_hook(lambda _, __, y, place=place: cgd(y, plain, place))
    frames = torch.randn(8, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = network(frames).mean(0, keepdim=True)
    torch.testing.assert_close(logits(model, frames[None]), expected, rtol=1e-10, atol=1e-10)


def test_cgnl(tmp_path):
    torch.manual_seed(0)
    network = image_network()
    state = cgnl_state(network)
    model, lines = convert('cgnl', state, tmp_path)
    assert any('CGNLx' in line for line in lines)
    plain = without_prefix(state)
    network.double().layer3[4].register_forward_hook(lambda _, __, y: cgnl(y, plain, 'layer3.5'))
    frames = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = network(frames).mean(0, keepdim=True)
    clip = frames.transpose(0, 1)[None, None]
    torch.testing.assert_close(logits(model, clip), expected, rtol=1e-10, atol=1e-10)


def test_files_of_other_networks_are_refused():
    image = {'fc.weight': torch.ones(7, 2048), 'conv1.weight': torch.ones(64, 3, 7, 7)}
    flow = {'fc.weight': torch.ones(7, 2048), 'conv1.weight': torch.ones(64, 2, 7, 7, 7)}
    with pytest.raises(InputError, match='none of mars'):
        identify('mars', image)
    with pytest.raises(InputError, match='flow stream'):
        identify('mars', flow)
    for kind in ('cgnl', 'cgd', 'eco'):
        with pytest.raises(InputError, match=f'none of {kind}'):
            identify(kind, image)
    with pytest.raises(InputError, match='clips of any length'):
        identify('eco', {'res5b_2.weight': torch.ones(1)}, 8)
