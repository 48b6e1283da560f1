"""Which submodules are taken for which stages."""

import pytest
import timm
import torch
from mmaction.registry import MODELS
from torch import nn

import mmaction_ext.models  # noqa: F401  (mmaction2's registry is filled on the way)
from mmaction_ext.models.host.stages import find_stages

RESIDUAL = {2: 'layer1', 3: 'layer2', 4: 'layer3', 5: 'layer4'}


@pytest.mark.parametrize(
    'config, expected',
    [
        (dict(type='X3D'), {1: 'conv1_t', **RESIDUAL}),
        (
            dict(type='X3D', num_stages=3, spatial_strides=(2, 2, 2)),
            {1: 'conv1_t', 2: 'layer1', 3: 'layer2', 4: 'layer3'},
        ),
        (dict(type='ResNet', depth=18), {1: 'maxpool', **RESIDUAL}),
        (dict(type='ResNetTSM', depth=50), {1: 'maxpool', **RESIDUAL}),
        (dict(type='ResNet3dSlowOnly', depth=50, pretrained=None), {1: 'maxpool', **RESIDUAL}),
        (
            dict(type='MobileNetV2TSM'),
            {1: 'layer1', 2: 'layer2', 3: 'layer3', 4: 'layer5', 5: 'layer7'},
        ),
        (dict(type='C2D', depth=18), {1: 'maxpool3d_1', **RESIDUAL}),
        (dict(type='ResNet3dCSN', depth=50, pretrained=None), {1: 'maxpool', **RESIDUAL}),
        (
            dict(type='MViT', arch='tiny'),
            {2: 'blocks.0', 3: 'blocks.2', 4: 'blocks.7', 5: 'blocks.9'},
        ),
        (dict(type='C3D'), {}),
        (dict(type='ResNet3dSlowFast', pretrained=None), {}),
    ],
)
def test_backbones_of_mmaction2(config, expected):
    with torch.device('meta'):
        assert find_stages(MODELS.build(config)) == expected


@pytest.mark.parametrize(
    'config, expected',
    [
        (dict(type='MFNet'), {stage: f'stage{stage}' for stage in range(1, 6)}),
        (dict(type='R2Plus1D'), {stage: f'stage{stage}' for stage in range(1, 6)}),
    ],
)
def test_our_backbones(config, expected):
    with torch.device('meta'):
        assert find_stages(MODELS.build(config)) == expected


@pytest.mark.parametrize(
    'config, expected',
    [
        (
            dict(
                type='SwinTransformer3D',
                arch=dict(embed_dims=4, depths=[1, 1], num_heads=[1, 1]),
                out_indices=(1,),
            ),
            {2: 'layers.0', 3: 'layers.1'},
        ),
        (
            dict(type='UniFormer', depth=[1, 2, 1, 3], embed_dim=[8, 8, 8, 8], head_dim=8),
            {2: 'blocks1.0', 3: 'blocks2.1', 4: 'blocks3.0', 5: 'blocks4.2'},
        ),
        (dict(type='VisionTransformer', img_size=32, embed_dims=8, depth=4, num_heads=2), {}),
    ],
)
def test_transformers_of_mmaction2(config, expected):
    """Not on the meta device, on which these cannot be built."""
    assert find_stages(MODELS.build(config)) == expected


@pytest.mark.parametrize(
    'name, expected',
    [
        ('resnet10t', {1: 'maxpool', **RESIDUAL}),
        ('convnext_atto', {2: 'stages.0', 3: 'stages.1', 4: 'stages.2', 5: 'stages.3'}),
        (
            'efficientnet_b0',
            {1: 'blocks.0', 2: 'blocks.1', 3: 'blocks.2', 4: 'blocks.4', 5: 'blocks.6'},
        ),
        (
            'swin_tiny_patch4_window7_224',
            {2: 'layers.0', 3: 'layers.1', 4: 'layers.2', 5: 'layers.3'},
        ),
        (
            'vit_tiny_patch16_224',
            {1: 'patch_embed', 2: 'blocks.2', 3: 'blocks.5', 4: 'blocks.8', 5: 'blocks.11'},
        ),
        ('mixer_s16_224', {4: 'blocks.7'}),
    ],
)
def test_backbones_of_timm(name, expected):
    with torch.device('meta'):
        assert find_stages(timm.create_model(name)) == expected


@pytest.mark.parametrize(
    'depth, ends', [(4, (0, 1, 2, 3)), (5, (1, 2, 3, 4)), (6, (1, 2, 4, 5)), (7, (1, 3, 5, 6))]
)
def test_quarters_of_a_plain_transformer(depth, ends):
    """Each ends with the first block that completes a quarter of the depth."""
    with torch.device('meta'):
        found = find_stages(timm.create_model('vit_tiny_patch16_224', depth=depth))
    assert found == {
        1: 'patch_embed',
        **{stage: f'blocks.{end}' for stage, end in zip((2, 3, 4, 5), ends, strict=True)},
    }
    for stage, end in zip((2, 3, 4, 5), ends, strict=True):
        assert 4 * end < (stage - 1) * depth <= 4 * (end + 1)


def network():
    return nn.ModuleDict({'stem': nn.Conv2d(3, 4, 1), 'body': nn.Sequential(nn.ReLU())})


def test_an_unknown_backbone_has_no_stages_until_they_are_named():
    assert find_stages(network()) == {}
    assert find_stages(network(), {2: 'body.0', 1: 'stem'}) == {1: 'stem', 2: 'body.0'}


def test_names_replace_known_ones():
    with torch.device('meta'):
        backbone = timm.create_model('resnet10t')
    assert find_stages(backbone, {1: 'act1'})[1] == 'act1'


@pytest.mark.parametrize(
    'names, message',
    [
        ({2: 'neck'}, "'neck'.*stage 2.*ModuleDict.*stem, body"),
        ({7: 'stem'}, '7'),
        ({'2': 'stem'}, "'2'"),
        ({True: 'stem'}, 'True'),
    ],
)
def test_errors_name_the_value(names, message):
    with pytest.raises(ValueError, match=message):
        find_stages(network(), names)
