"""What a run on the meta device tells of a backbone."""

import pytest
import torch
from torch import nn

from mmaction_ext.models.host.building import build_backbone
from mmaction_ext.models.host.shape_inference import (
    StageOutput,
    example_input,
    infer_shapes,
    meta_copy,
    sees_frames,
)

VIT = dict(type='timm.vit_tiny_patch16_224', depth=4, embed_dim=8, num_heads=2)
SWIN = dict(type='timm.swin_tiny_patch4_window7_224', embed_dim=8, depths=(1, 1), num_heads=(1, 1))


def build(config):
    with torch.device('meta'):
        return build_backbone(config)


class Net(nn.Module):
    """Stages of all kinds, some of which no map can be made of."""

    def __init__(self):
        super().__init__()
        self.entry = nn.Conv3d(1, 4, 3, (1, 2, 2), 1)
        self.trunk = nn.Sequential(nn.Conv3d(4, 6, (1, 3, 1), (2, 4, 2)), nn.BatchNorm3d(6))
        self.unused, self.pair, self.vector = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, x):
        self.pair((x, x))
        x = self.trunk(self.entry(x))
        self.vector(x.mean((2, 3, 4)))
        return x


@pytest.mark.parametrize(
    'config, frames, shape',
    [
        (dict(type='ResNet', depth=18), True, (5, 3, 224, 224)),
        (dict(type='C2D', depth=18), False, (1, 3, 64, 224, 224)),
        (dict(type='X3D', in_channels=2), False, (1, 2, 64, 224, 224)),
        (dict(type='timm.resnet18', in_chans=1), True, (5, 1, 224, 224)),
        (dict(VIT, img_size=(64, 32)), True, (5, 3, 64, 32)),
    ],
)
def test_input_is_what_the_backbone_was_built_for(config, frames, shape):
    """Of five frames, or of one long clip where a length is not told."""
    backbone = build(config)
    x = example_input(backbone, 5 if frames else None)
    assert sees_frames(backbone) is frames
    assert (tuple(x.shape), x.device.type) == (shape, 'meta')
    assert 5 in example_input(backbone, 5).shape


def test_size_that_timm_holds_fixed():
    """Without an embedding of patches that says so."""
    backbone = Net()
    backbone.pretrained_cfg = dict(fixed_input_size=True, input_size=(3, 96, 64))
    assert example_input(backbone, None).shape[-2:] == (96, 64)
    backbone.pretrained_cfg['fixed_input_size'] = False
    assert example_input(backbone, None).shape[-2:] == (224, 224)


def test_backbone_without_a_convolution_is_refused():
    with pytest.raises(ValueError, match='Linear has no 2-D or 3-D convolution'):
        sees_frames(nn.Linear(2, 2))


def test_copy_is_for_evaluation_and_the_original_stays():
    network = Net()
    copied = meta_copy(network)
    assert not copied.training and {p.device.type for p in copied.parameters()} == {'meta'}
    assert network.training and {p.device.type for p in network.parameters()} == {'cpu'}


def test_stages_by_hand():
    """Rows and columns stand for themselves, and no hook stays."""
    network = meta_copy(Net())
    found = infer_shapes(
        network, {2: 'entry', 4: 'trunk.0'}, torch.empty(1, 1, 8, 64, 32, device='meta')
    )
    # rows: 64 / 2 = 32, then (32 - 3) // 4 + 1; columns: 32 / 2 = 16, then 16 / 2
    assert found == {2: StageOutput(4, (32, 16), False), 4: StageOutput(6, (8, 8), False)}
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    'config, name, expected',
    [
        (dict(VIT, img_size=(64, 32)), 'blocks.1', StageOutput(8, (4, 2), True)),
        (SWIN, 'layers.0', StageOutput(8, (56, 56), True)),
        (
            dict(type='timm.convnext_atto', depths=(1, 1, 1, 1)),
            'stages.1',
            StageOutput(80, (28, 28), False),
        ),
    ],
)
def test_layouts_of_timm(config, name, expected):
    backbone = meta_copy(build(config))
    assert infer_shapes(backbone, {3: name}, example_input(backbone, 2)) == {3: expected}


@pytest.mark.parametrize(
    'name, message',
    [
        ('unused', r'stage 2 \(unused\) of Net gives no feature map: it is never run'),
        ('pair', r'stage 2 \(pair\) of Net.*a tuple is no feature map'),
        ('vector', r'stage 2 \(vector\) of Net.*\(1, 6\) is no feature map'),
    ],
)
def test_stage_without_a_map_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        infer_shapes(meta_copy(Net()), {2: name}, torch.empty(1, 1, 8, 64, 32, device='meta'))


@pytest.mark.parametrize(
    'config, name, message',
    [
        (dict(type='timm.hiera_tiny_224'), 'blocks.0', r'stage 2 \(blocks\.0\).*3136.*unknown'),
        (dict(type='timm.xcit_nano_12_p16_224'), 'patch_embed', r'stage 2 \(patch_embed\).*tuple'),
    ],
)
def test_stage_of_timm_without_a_map_is_refused(config, name, message):
    backbone = meta_copy(build(config))
    with pytest.raises(ValueError, match=message):
        infer_shapes(backbone, {2: name}, example_input(backbone, 2))
