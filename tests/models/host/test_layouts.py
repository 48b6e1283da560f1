"""Whatever a backbone's layout, the module gets (N, C, T, H, W) and the backbone gets it back."""

from typing import ClassVar

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from mmaction_ext.models import MotionBackbone
from mmaction_ext.models.host.layouts import (
    ChannelsLast,
    Maps,
    SizedTokens,
    Tokens,
    find_layout,
    from_clips,
    is_channels_last,
    to_clips,
    token_grid,
)
from mmaction_ext.models.host.stages import find_stages
from mmaction_ext.modules import MotionModule
from mmaction_ext.modules.base import Displacements

CLIPS, FRAMES = 2, 3


@pytest.fixture(autouse=True)
def same_weights_every_time():
    torch.manual_seed(0)


def numbered(*shape):
    """Elements that tell where they are: 1000 i + 100 j + 10 k + ... of their index."""
    axes = [torch.arange(n) * 10 ** (len(shape) - 1 - i) for i, n in enumerate(shape)]
    return sum(torch.meshgrid(*axes, indexing='ij')).float()


def test_channels_last():
    maps = ChannelsLast().take(numbered(2, 3, 4, 5))
    assert maps.shape == (2, 5, 3, 4)
    assert maps[1, 4, 2, 3] == 1234
    assert torch.equal(ChannelsLast().put(maps, None), numbered(2, 3, 4, 5))
    assert ChannelsLast().take(numbered(2, 6, 3, 4, 5)).shape == (2, 5, 6, 3, 4)


@pytest.mark.parametrize('prefix', [0, 1, 5])
def test_tokens(prefix):
    tokens = numbered(2, prefix + 2 * 3, 4)
    layout = Tokens((2, 3), prefix)
    maps = layout.take(tokens)
    assert maps.shape == (2, 4, 2, 3)
    # frame 1, channel 3, row 1, column 2 is token prefix + 1 * 3 + 2
    assert maps[1, 3, 1, 2] == 100 + 10 * (prefix + 5) + 3
    assert torch.equal(layout.put(maps, tokens), tokens)
    changed = layout.put(-maps, tokens)
    assert torch.equal(changed[:, :prefix], tokens[:, :prefix])
    assert torch.equal(changed[:, prefix:], -tokens[:, prefix:])


def test_sized_tokens():
    tokens = numbered(2, 1 + 2 * 3 * 4, 5)
    layout = find_layout((tokens, (2, 3, 4)))
    assert layout == SizedTokens((2, 3, 4), 1)
    maps = layout.take((tokens, (2, 3, 4)))
    assert maps.shape == (2, 5, 2, 3, 4)
    assert maps[1, 4, 1, 2, 3] == 100 + 10 * (1 + 12 + 8 + 3) + 4
    again, size = layout.put(maps, (tokens, (2, 3, 4)))
    assert torch.equal(again, tokens) and size == (2, 3, 4)


def test_clips_of_frames_and_of_clips():
    maps = numbered(2 * 3, 4, 5, 6)
    clips = to_clips(maps, num_clips=2)
    assert clips.shape == (2, 4, 3, 5, 6)
    assert clips[1, 3, 2, 4, 5] == 1000 * (1 * 3 + 2) + 345
    assert torch.equal(from_clips(clips, maps), maps)
    assert to_clips(clips, 2) is clips and from_clips(clips, clips) is clips


@pytest.mark.parametrize(
    'features, how, expected',
    [
        (torch.zeros(2, 3, 4, 5), dict(), Maps),
        (torch.zeros(2, 3, 4, 5), dict(grid=(4, 5)), Maps),
        (torch.zeros(2, 3, 4, 5, 6), dict(channels_last=True), ChannelsLast),
        (torch.zeros(2, 20, 3), dict(grid=(4, 5), max_prefix=1), Tokens),
        (torch.zeros(2, 21, 3), dict(grid=(4, 5), max_prefix=1), Tokens),
    ],
)
def test_layouts_are_told_apart(features, how, expected):
    layout = find_layout(features, **how)
    assert type(layout) is expected
    if expected is Tokens:
        assert layout.prefix == features.shape[1] - 20


@pytest.mark.parametrize(
    'features, how, message',
    [
        (
            torch.zeros(2, 22, 3),
            dict(grid=(4, 5), max_prefix=1),
            r'\(2, 22, 3\).*\(4, 5\).*1 prefix',
        ),
        (torch.zeros(2, 19, 3), dict(grid=(4, 5), max_prefix=1), r'\(2, 19, 3\)'),
        (torch.zeros(2, 20, 3), dict(), 'unknown'),
        (torch.zeros(2, 3), dict(grid=(1, 1)), r'\(2, 3\)'),
        ([torch.zeros(2, 3, 4, 5)], dict(), 'list'),
        (None, dict(), 'NoneType'),
    ],
)
def test_what_is_no_map_is_refused(features, how, message):
    with pytest.raises(ValueError, match=message):
        find_layout(features, **how)


class Probe(MotionModule):
    """Adds a ramp that differs at every place, and keeps what it saw and gave."""

    min_frames = 1
    calls: ClassVar[list] = []

    def forward(self, x, stage, carried=()):
        ramp = torch.arange(x.numel(), dtype=x.dtype, device=x.device).view(x.shape)
        y = x + ramp / x.numel()
        if x.device.type != 'meta':
            Probe.calls.append((stage, x, y))
        return y, carried

    def motion(self, x, stage):
        return Displacements(
            (), (), x.new_zeros(len(x), 0, 2, *x.shape[2:]), x.new_zeros(len(x), 0, *x.shape[2:])
        )


MODELS.register_module(name='LayoutProbe', module=Probe)

VIT = dict(
    type='timm.vit_tiny_patch16_224', img_size=32, patch_size=8, embed_dim=8, depth=6, num_heads=2
)
SWIN = dict(
    type='timm.swin_tiny_patch4_window7_224',
    img_size=32,
    window_size=2,
    embed_dim=4,
    depths=(1, 1, 1, 1),
    num_heads=(1, 1, 1, 1),
)
CONVNEXT = dict(type='timm.convnext_atto', depths=(1, 1, 1, 1), dims=(4, 8, 8, 16))


def from_maps(features, n, t, i, j):
    return features[n * FRAMES + t, :, i, j]


def from_channels_last(features, n, t, i, j):
    return features[n * FRAMES + t, i, j]


def from_tokens(prefix, columns):
    return lambda features, n, t, i, j: features[n * FRAMES + t, prefix + i * columns + j]


HOSTS = [
    pytest.param(CONVNEXT, (32, 64), 3, (4, 8), from_maps, id='convnext'),
    pytest.param(SWIN, (32, 32), 2, (8, 8), from_channels_last, id='swin'),
    pytest.param(
        dict(SWIN, img_size=(32, 64)), (32, 64), 3, (4, 8), from_channels_last, id='swin-wide'
    ),
    pytest.param(VIT, (32, 32), 1, (4, 4), from_tokens(0, 4), id='vit-embedding'),
    pytest.param(VIT, (32, 32), 3, (4, 4), from_tokens(1, 4), id='vit'),
    pytest.param(
        dict(VIT, img_size=(32, 64)), (32, 64), 5, (4, 8), from_tokens(1, 8), id='vit-wide'
    ),
    pytest.param(
        dict(VIT, dynamic_img_size=True), (48, 24), 4, (6, 3), from_tokens(1, 3), id='vit-dynamic'
    ),
    pytest.param(
        dict(VIT, dynamic_img_size=True),
        (48, 24),
        1,
        (6, 3),
        from_channels_last,
        id='vit-dynamic-embedding',
    ),
    pytest.param(
        dict(VIT, reg_tokens=4), (32, 32), 2, (4, 4), from_tokens(5, 4), id='vit-registers'
    ),
    pytest.param(
        dict(VIT, class_token=False), (32, 32), 2, (4, 4), from_tokens(0, 4), id='vit-no-class'
    ),
]


def plain_and_new(host, stage, x):
    """The stage's output without the module, and what the rest of the backbone gets."""
    outputs = []
    name = next(
        name
        for name, submodule in host.backbone.named_modules()
        if any(
            getattr(hook, 'args', None) == (stage,) for hook in submodule._forward_hooks.values()
        )
    )
    host.backbone.get_submodule(name).register_forward_hook(lambda _, __, y: outputs.append(y))
    host.backbone(x)  # by itself: without the module
    Probe.calls.clear()
    host(x)
    return outputs


@pytest.mark.parametrize('config, size, stage, grid, at', HOSTS)
def test_content_of_frames(config, size, stage, grid, at):
    host = MotionBackbone(config, dict(type='LayoutProbe'), (stage,), FRAMES).eval()
    x = torch.randn(CLIPS * FRAMES, 3, *size)
    with torch.no_grad():
        before, after = plain_and_new(host, stage, x)
    ((seen_stage, seen, given),) = Probe.calls
    assert seen_stage == stage and before.shape == after.shape
    channels = host.module.in_channels[stage]
    assert seen.shape == (CLIPS, channels, FRAMES, *grid)
    for n in range(CLIPS):
        for t in range(FRAMES):
            for i in range(grid[0]):
                for j in range(grid[1]):
                    assert torch.equal(seen[n, :, t, i, j], at(before, n, t, i, j))
                    assert torch.equal(given[n, :, t, i, j], at(after, n, t, i, j))
    extra = before.numel() - seen.numel()  # prefix tokens
    assert extra % (CLIPS * FRAMES * channels) == 0
    prefix = extra // (CLIPS * FRAMES * channels)
    if prefix:
        assert torch.equal(before[:, :prefix], after[:, :prefix])


@pytest.mark.parametrize('config, size, stage, grid, at', HOSTS)
@pytest.mark.parametrize('plain', [True, False])
def test_timm_ends_in_a_feature_map(config, size, stage, grid, at, plain):
    module = None if plain else dict(type='LayoutProbe')
    host = MotionBackbone(config, module, (stage,), FRAMES).eval()
    x = torch.randn(CLIPS * FRAMES, 3, *size)
    out, own = host(x), host.backbone(x)
    assert out.dim() == 4 and out.shape[1] == host.backbone.num_features
    if plain and own.dim() == 3:  # tokens, the last ones in rows
        rows, columns = out.shape[2:]
        own = own[:, own.shape[1] - rows * columns :]
        for i in range(rows):
            for j in range(columns):
                assert torch.equal(out[:, :, i, j], own[:, i * columns + j])
    elif plain:
        last = own.shape[-1] == host.backbone.num_features and own.shape[1] != own.shape[-1]
        assert torch.equal(out, own.permute(0, 3, 1, 2) if last else own)


@pytest.mark.parametrize(
    'config',
    [
        dict(
            type='SwinTransformer3D',
            window_size=(2, 2, 2),
            arch=dict(embed_dims=4, depths=[1, 1, 2, 1], num_heads=[1, 1, 1, 1]),
        ),
        dict(
            type='MViT',
            arch=dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2, 3]),
            drop_path_rate=0.0,
        ),
        dict(
            type='MViT',
            arch=dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2, 3]),
            drop_path_rate=0.0,
            with_cls_token=False,
            output_cls_token=False,
        ),
        dict(type='UniFormer', depth=[1, 2, 1, 1], embed_dim=[8, 8, 8, 16], head_dim=8),
    ],
    ids=['swin', 'mvit', 'mvit-no-class', 'uniformer'],
)
@pytest.mark.parametrize('stage', [2, 3, 4, 5])
def test_content_of_mmaction2_transformers(config, stage):
    """Convolutional or not, a clip stays a clip: (T/2, H/4, W/4), then halved per stage."""
    host = MotionBackbone(config, dict(type='LayoutProbe'), (stage,)).eval()
    clip = torch.randn(CLIPS, 3, 4, 64, 96)
    with torch.no_grad():
        before, after = plain_and_new(host, stage, clip)
    ((_, seen, given),) = Probe.calls
    shift = stage - 2
    assert seen.shape[0] == CLIPS and seen.shape[2:] == (2, 16 >> shift, 24 >> shift)
    for maps, own in ((seen, before), (given, after)):
        if config['type'] == 'UniFormer':
            expected = own
        elif config['type'] == 'SwinTransformer3D':
            expected = own.permute(0, 4, 1, 2, 3)
        else:
            tokens, size = own
            assert tuple(size) == tuple(seen.shape[2:])
            tokens = tokens[:, tokens.shape[1] - seen[0, 0].numel() :]
            expected = tokens.transpose(1, 2).reshape(seen.shape)
        assert torch.equal(maps, expected)


@pytest.mark.parametrize(
    'config, frames_of_stage',
    [
        (dict(type='C2D', depth=18), (8, 8, 4, 4, 4)),
        (
            dict(
                type='ResNet2Plus1d',
                depth=18,
                pretrained=None,
                pretrained2d=False,
                conv_cfg=dict(type='Conv2plus1d'),
                norm_cfg=dict(type='BN3d'),
            ),
            (8, 8, 8, 8, 8),
        ),
        (
            dict(type='ResNet3dCSN', depth=50, pretrained=None, base_channels=8, with_pool2=False),
            (8, 8, 4, 2, 1),
        ),
        (dict(type='ResNet3dSlowOnly', depth=18, pretrained=None, base_channels=8), (8,) * 5),
        (dict(type='TANet', depth=50, num_segments=8), (8,) * 5),
        (dict(type='MobileNetV2TSM', num_segments=8), (8,) * 5),
        (dict(type='MFNet', stem_channels=4, channels=(8, 8, 8, 8), groups=4), (8, 4, 4, 4, 4)),
        (dict(type='R2Plus1D', base_channels=4), (8,) * 5),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else None,
)
def test_content_of_convolutional_networks(config, frames_of_stage):
    with DefaultScope.overwrite_default_scope('mmaction'):
        host = MotionBackbone(config, dict(type='LayoutProbe'), (1, 2, 3, 4, 5)).eval()
    clip = torch.randn(CLIPS, 3, 8, 64, 64)
    x = (
        clip
        if config['type'] != 'TANet' and config['type'] != 'MobileNetV2TSM'
        else (clip.transpose(1, 2).flatten(0, 1))
    )
    outputs = []
    for name in find_stages(host.backbone).values():
        host.backbone.get_submodule(name).register_forward_hook(lambda _, __, y: outputs.append(y))
    Probe.calls.clear()
    with torch.no_grad():
        host(x)
    assert [stage for stage, _, _ in Probe.calls] == [1, 2, 3, 4, 5]
    for (_, _, given), num_frames, own in zip(Probe.calls, frames_of_stage, outputs, strict=True):
        assert given.shape[2:] == (num_frames, *own.shape[-2:])
        if own.dim() == 5:
            assert torch.equal(given, own)
            continue
        for n in range(CLIPS):
            for t in range(num_frames):
                assert torch.equal(given[n, :, t], own[n * num_frames + t])


def test_the_module_changes_what_a_transformer_returns():
    for config in (VIT, SWIN):
        host = MotionBackbone(config, dict(type='LayoutProbe'), (3,), FRAMES).eval()
        x = torch.randn(CLIPS * FRAMES, 3, 32, 32)
        plain = MotionBackbone(config, None, (), FRAMES).eval()
        plain.load_state_dict(host.state_dict())
        assert not torch.allclose(host(x), plain(x))


def test_dcf_trains_on_tokens():
    host = MotionBackbone(VIT, dict(type='DCF', window=3), (2, 3), 3)
    host(torch.randn(6, 3, 32, 32)).square().mean().backward()
    assert all(block.bn2.weight.grad.abs().sum() > 0 for block in host.module.blocks.values())


def test_grid_of_an_embedding():
    network = nn.Module()
    assert token_grid(network, (32, 32)) is None
    network.patch_embed = nn.Identity()
    assert token_grid(network, (32, 32)) is None
    network.patch_embed.grid_size = [2, 3]
    assert token_grid(network, (32, 32)) == (2, 3)


def test_timm_s_table_is_believed_before_its_format():
    network = nn.Module()
    network.stage = nn.Identity()
    network.output_fmt = 'NHWC'
    network.feature_info = [dict(module='stage', num_chs=7)]
    assert not is_channels_last(network, 'stage', torch.zeros(2, 7, 4, 4))
    assert is_channels_last(network, 'stage', torch.zeros(2, 4, 4, 7))
    assert is_channels_last(network, 'stage', torch.zeros(2, 7, 7, 7))
    network.stage.output_fmt = 'NCHW'
    assert not is_channels_last(network, 'stage', torch.zeros(2, 7, 7, 7))
