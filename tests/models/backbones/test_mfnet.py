"""MFNet against its published size and a second, functional, implementation."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import nn

from mmaction_ext.models import MFNet
from mmaction_ext.models.complexity import count

SMALL = dict(stem_channels=4, channels=(8, 8, 16, 16), depths=(2, 1, 1, 1), groups=4)


def randomised(network):
    """Weights and statistics that no two normalisations share."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.double().eval()


def recognizer(num_classes):
    return dict(
        type='Recognizer3D',
        backbone=dict(type='MFNet'),
        cls_head=dict(type='I3DHead', num_classes=num_classes, in_channels=768),
    )


@pytest.mark.parametrize('num_classes, params', [(400, 7_996_368), (51, 7_727_987)])
def test_size_of_the_published_network(num_classes, params):
    found = count(recognizer(num_classes), (3, 16, 224, 224))
    assert found.params == params
    assert found.macs_by_kind == {'convolution': 11_045_142_528, 'addmm': 768 * num_classes}


def test_shapes_of_the_stages():
    """The layer table of the paper, for 16 frames."""
    network, x = MFNet().to('meta'), torch.empty(1, 3, 16, 224, 224, device='meta')
    shapes = []
    for name in ('stage1', 'stage2', 'stage3', 'stage4', 'stage5'):
        x = network.get_submodule(name)(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (16, 16, 56, 56),
        (96, 8, 56, 56),
        (192, 8, 28, 28),
        (384, 8, 14, 14),
        (768, 8, 7, 7),
    ]


def pre_activated(x, state, name, **how):
    mean, var, weight, bias = (
        state[f'{name}.bn.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    x = F.relu(F.batch_norm(x, mean, var, weight, bias))
    return F.conv3d(x, state[f'{name}.conv.weight'], **how)


def unit(x, state, name, stride, groups, first):
    joined = x + pre_activated(
        pre_activated(x, state, f'{name}.multiplexer_in'), state, f'{name}.multiplexer_out'
    )
    y = pre_activated(joined, state, f'{name}.conv1', stride=stride, padding=1, groups=groups)
    if first:
        y = pre_activated(y, state, f'{name}.conv2')
        return y + pre_activated(x, state, f'{name}.shortcut', stride=stride)
    return x + pre_activated(y, state, f'{name}.conv2', padding=(0, 1, 1), groups=groups)


def test_equals_a_functional_implementation():
    network = randomised(MFNet(**SMALL))
    state = network.state_dict()
    clip = torch.randn(2, 3, 4, 33, 35, dtype=torch.double)
    x = F.conv3d(clip, state['stage1.conv.weight'], stride=(1, 2, 2), padding=(1, 2, 2))
    mean, var, weight, bias = (
        state[f'stage1.bn.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    x = F.relu(F.batch_norm(x, mean, var, weight, bias))
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage, depth in zip((2, 3, 4, 5), SMALL['depths'], strict=True):
        for i in range(depth):
            stride = ((2, 1, 1) if stage == 2 else (1, 2, 2)) if i == 0 else (1, 1, 1)
            x = unit(x, state, f'stage{stage}.{i}', stride, 4, i == 0)
    mean, var, weight, bias = (
        state[f'tail.bn.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    expected = F.relu(F.batch_norm(x, mean, var, weight, bias))
    assert expected.abs().sum() > 0
    torch.testing.assert_close(network(clip), expected)


def test_no_convolution_has_a_bias():
    assert all(
        module.bias is None for module in MFNet(**SMALL).modules() if isinstance(module, nn.Conv3d)
    )


def test_is_registered_and_initialised_by_mmengine():
    torch.manual_seed(0)
    network = MODELS.build(dict(type='MFNet', **SMALL))
    assert isinstance(network, BaseModule)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7)
    network.init_weights()
    conv, bn = network.stage2[0].conv1.conv, network.tail.bn
    # Xavier's uniform rule; a kernel of 27 reads one channel and writes eight
    limit = (6 / ((1 + 8) * 27)) ** 0.5
    assert 0.95 * limit < conv.weight.abs().max().item() <= limit
    assert bn.weight.eq(1).all() and bn.bias.eq(0).all()


def test_checkpoint_by_init_cfg(tmp_path):
    other = randomised(MFNet(**SMALL)).float()
    path = str(tmp_path / 'mfnet.pth')
    torch.save(other.state_dict(), path)
    network = MFNet(**SMALL, init_cfg=dict(type='Pretrained', checkpoint=path))
    network.init_weights()
    for name, value in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(groups=5), '16 channels.*groups=5'),
        (dict(channels=(96, 192, 384, 770)), '770 channels.*groups=16'),
        (dict(channels=(96, 192), depths=(1, 1)), r'\(96, 192\)'),
        (dict(depths=(3, 4, 6)), r'\(3, 4, 6\)'),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MFNet(**arguments)
