"""Which submodules are taken for which stages."""

import pytest
import timm
import torch
from mmaction.registry import MODELS
from torch import nn

import mmaction_ext.models  # noqa: F401  (mmaction2's registry is filled on the way)
from mmaction_ext.models.backbones.stages import find_stages

RESIDUAL = {2: 'layer1', 3: 'layer2', 4: 'layer3', 5: 'layer4'}


@pytest.mark.parametrize('config, expected', [
    (dict(type='X3D'), {1: 'conv1_t', **RESIDUAL}),
    (dict(type='X3D', num_stages=3, spatial_strides=(2, 2, 2)),
     {1: 'conv1_t', 2: 'layer1', 3: 'layer2', 4: 'layer3'}),
    (dict(type='ResNet', depth=18), {1: 'maxpool', **RESIDUAL}),
    (dict(type='ResNetTSM', depth=50), {1: 'maxpool', **RESIDUAL}),
    (dict(type='ResNet3dSlowOnly', depth=50, pretrained=None), {1: 'maxpool', **RESIDUAL}),
    (dict(type='MobileNetV2TSM'),
     {1: 'layer1', 2: 'layer2', 3: 'layer3', 4: 'layer5', 5: 'layer7'}),
])
def test_backbones_of_mmaction2(config, expected):
    with torch.device('meta'):
        assert find_stages(MODELS.build(config)) == expected


@pytest.mark.parametrize('name, expected', [
    ('resnet10t', {1: 'maxpool', **RESIDUAL}),
    ('convnext_atto', {2: 'stages.0', 3: 'stages.1', 4: 'stages.2', 5: 'stages.3'}),
    ('efficientnet_b0', {1: 'blocks.0', 2: 'blocks.1', 3: 'blocks.2', 4: 'blocks.4',
                         5: 'blocks.6'}),
])
def test_backbones_of_timm(name, expected):
    with torch.device('meta'):
        assert find_stages(timm.create_model(name)) == expected


def network():
    return nn.ModuleDict({'stem': nn.Conv2d(3, 4, 1), 'body': nn.Sequential(nn.ReLU())})


def test_an_unknown_backbone_has_no_stages_until_they_are_named():
    assert find_stages(network()) == {}
    assert find_stages(network(), {2: 'body.0', 1: 'stem'}) == {1: 'stem', 2: 'body.0'}


def test_names_replace_known_ones():
    with torch.device('meta'):
        backbone = timm.create_model('resnet10t')
    assert find_stages(backbone, {1: 'act1'})[1] == 'act1'


@pytest.mark.parametrize('names, message', [
    ({2: 'neck'}, "'neck'.*stage 2.*ModuleDict.*stem, body"),
    ({7: 'stem'}, '7'),
    ({'2': 'stem'}, "'2'"),
])
def test_errors_name_the_value(names, message):
    with pytest.raises(ValueError, match=message):
        find_stages(network(), names)
