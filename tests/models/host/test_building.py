"""From configs to backbones and modules, or to an error that a user can act on."""

import pytest
import timm
import torch
from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.models.host.building import build_backbone, build_module, is_timm
from mmaction_ext.modules.dcf import DCF

CHANNELS = {2: 8, 3: 16}


@pytest.mark.parametrize(
    'kind, expected',
    [
        ('timm.resnet18', True),
        ('ResNet', False),
        ('timm_resnet18', False),
        (nn.Identity, False),
        (None, False),
    ],
)
def test_names_of_timm(kind, expected):
    assert is_timm(dict(type=kind)) is expected and not is_timm({})


def test_backbone_of_timm_ends_in_a_map_and_is_not_initialised_again():
    backbone = build_backbone(dict(type='timm.resnet10t', stem_width=8, channels=(4, 8, 8, 8)))
    assert type(backbone) is timm.models.resnet.ResNet and backbone.is_init
    assert [layer[0].conv2.out_channels for layer in (backbone.layer1, backbone.layer4)] == [4, 8]
    assert backbone(torch.rand(2, 3, 64, 64)).shape == (2, 8, 2, 2)


@pytest.mark.parametrize('kind', ['X3D', MODELS.get('X3D')])
def test_registered_backbone_by_name_and_by_class(kind):
    with torch.device('meta'):
        backbone = build_backbone(dict(type=kind, num_stages=2, spatial_strides=(2, 2)))
    assert type(backbone) is MODELS.get('X3D') and not hasattr(backbone, 'layer3')


def test_module_learns_its_channels_and_keeps_its_arguments():
    config = dict(type='DCF', reduction=4)
    module = build_module(config, CHANNELS)
    assert type(module) is DCF and module.in_channels == CHANNELS
    assert module.blocks['3'].conv1.out_channels == 16 // 4
    assert config == dict(type='DCF', reduction=4), 'the config is somebody else’s'


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(type='timm.no_such_net'), "unknown timm model 'no_such_net'"),
        (dict(type='timm.resnet10t', colour='red'), "timm model 'resnet10t'.*colour"),
        (dict(type='NoSuchNet'), "unknown backbone type 'NoSuchNet'"),
        (dict(type='ResNetTSN'), "unknown backbone type 'ResNetTSN'; did you mean ResNetTSM?"),
        (dict(type='timm.resnet18s'), "unknown timm model 'resnet18s'; did you mean resnet"),
        (dict(), 'unknown backbone type None'),
    ],
)
def test_backbone_that_cannot_be_built(config, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(config)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(type='NoSuchModule'), "unknown module type 'NoSuchModule'"),
        (dict(), 'unknown module type None'),
        (dict(type='ResNet'), "'ResNet' is no MotionModule"),
        (dict(type='DCF', colour='red'), "module 'DCF'.*colour"),
    ],
)
def test_module_that_cannot_be_built(config, message):
    with pytest.raises(ValueError, match=message):
        build_module(config, CHANNELS)
