"""Grad-CAM of networks small enough to do it by hand."""

import copy

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.grad_cam import choose_layer, draw_grad_cam, last_convolution
from mmaction_ext.errors import InputError

FRAMES, SIZE = 3, 6


class Toy2D(nn.Module):
    """One 1x1 convolution of each frame."""

    def __init__(self, kind=nn.Conv2d):
        super().__init__()
        self.features = kind(3, 2, 1)

    def forward(self, x):
        return self.features(x)

    def init_weights(self):
        """For mmaction2."""


class Toy3D(Toy2D):
    """The same of each clip."""

    def __init__(self):
        super().__init__(nn.Conv3d)


class MiddleOfFive(Toy2D):
    """The same of the middle one of five frames that are the channels of one."""

    def forward(self, x):
        return super().forward(x[:, 6:9])


class Flat(Toy2D):
    """Its last submodule gives no map."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Flatten(2)

    def forward(self, x):
        return self.tokens(self.features(x)).unflatten(2, x.shape[-2:])


def build(kind):
    three = kind is Toy3D
    head = (
        dict(type='I3DHead', num_classes=4, in_channels=2, dropout_ratio=0)
        if three
        else dict(
            type='TSNHead',
            num_classes=4,
            in_channels=2,
            dropout_ratio=0,
            consensus=dict(type='AvgConsensus', dim=1),
        )
    )
    MODELS.register_module(name=kind.__name__, module=kind, force=True)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(
                type='Recognizer3D' if three else 'Recognizer2D',
                backbone=dict(type=kind.__name__),
                cls_head=dict(head, average_clips='prob'),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[100.0] * (15 if kind is MiddleOfFive else 3),
                    std=[50.0] * (15 if kind is MiddleOfFive else 3),
                    format_shape='NCTHW' if three else 'NCHW',
                ),
            )
        )
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            generator = torch.Generator().manual_seed(index)
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model.eval()


def batch(three):
    """A clip as test pipelines pack it, and its frames (T, C, H, W)."""
    from mmaction.structures import ActionDataSample

    frames = torch.randint(
        0,
        256,
        (FRAMES, 3, SIZE, SIZE),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(5),
    )
    inputs = frames.transpose(0, 1)[None] if three else frames
    return dict(inputs=[inputs], data_samples=[ActionDataSample()]), frames


def expected_pictures(model, frames):
    """Grad-CAM by its definition, one value after the other, in float64."""
    convolution, classifier = model.backbone.features, model.cls_head.fc_cls
    x = (frames.double().numpy() - 100) / 50
    weight = convolution.weight.detach().double().numpy().reshape(2, 3)
    maps = np.einsum('oc,tchw->tohw', weight, x)
    maps += convolution.bias.detach().double().numpy()[None, :, None, None]
    rows = classifier.weight.detach().double().numpy()
    scores = rows @ maps.mean(axis=(0, 2, 3)) + classifier.bias.detach().double().numpy()
    heat = np.zeros((FRAMES, SIZE, SIZE))
    for channel in range(2):
        # the score is the mean over frames and pixels of the classifier's row
        gradient = rows[scores.argmax(), channel] / (FRAMES * SIZE * SIZE)
        heat += gradient * maps[:, channel]
    heat = heat.clip(0)
    heat = (heat - heat.min()) / (heat.max() - heat.min())
    pixels = frames.permute(0, 2, 3, 1).double().numpy() / 255
    return 255 * (0.5 * colormaps['jet'](heat)[..., :3] + 0.5 * pixels)


@pytest.mark.parametrize('kind', [Toy2D, Toy3D])
def test_map_is_the_hand_computed_one(kind):
    model = build(kind)
    data, frames = batch(kind is Toy3D)
    found = draw_grad_cam(model, data, 'backbone.features')
    expected = expected_pictures(model, frames)
    assert found.shape == (FRAMES, SIZE, SIZE, 3) and found.dtype == np.uint8
    # a step of the colour map, 1/256 of the heat, changes a colour by up to 2
    assert abs(found - expected).max() < 3
    assert expected.std() > 20


def test_of_five_frames_the_middle_one_is_below_the_heat():
    data, frames = batch(False)
    expected = draw_grad_cam(build(Toy2D), data, 'backbone.features')
    others = 255 - frames
    data['inputs'] = [torch.cat((others, others, frames, others, others), dim=1)]
    assert (draw_grad_cam(build(MiddleOfFive), data, 'backbone.features') == expected).all()


def test_the_model_is_left_as_it_was():
    model = build(Toy2D)
    data, _ = batch(False)
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():  # as most callers have it
        draw_grad_cam(model, data, 'backbone.features')
    layer = model.backbone.features
    assert not layer._forward_hooks and not layer._backward_hooks
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.cls_head.average_clips == 'prob'
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layers_that_do_not_work_are_named():
    model = build(Flat)
    data, _ = batch(False)
    with pytest.raises(InputError, match=r"'backbone.nothing' is no submodule"):
        draw_grad_cam(model, data, 'backbone.nothing')
    with pytest.raises(InputError, match=r"the output of 'backbone.tokens' is none"):
        draw_grad_cam(model, data, 'backbone.tokens')


def test_layer_is_the_end_of_the_last_stage():
    model = build(Flat)
    data, _ = batch(False)
    assert choose_layer(model, data, {4: 'features'}) == 'backbone.features'
    assert choose_layer(model, data, {4: 'features', 5: 'tokens'}) == 'backbone'
    assert choose_layer(model, data) == 'backbone'
    assert not model.backbone._forward_hooks


@pytest.mark.parametrize(
    'backbone, layer',
    [
        (
            dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8),
            'backbone.backbone.layer4',
        ),
        (
            dict(
                type='timm.vit_tiny_patch16_224', img_size=32, embed_dim=12, depth=4, num_heads=2
            ),
            'backbone',
        ),
    ],
)
def test_layer_of_motion_backbones(backbone, layer):
    """A transformer's blocks give tokens; MotionBackbone makes a map of the last ones."""
    channels = backbone.get('embed_dim', 8)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(
                type='Recognizer2D',
                backbone=dict(type='MotionBackbone', num_segments=FRAMES, backbone=backbone),
                cls_head=dict(type='TSNHead', num_classes=4, in_channels=channels),
                data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW'),
            )
        ).eval()
    data, _ = batch(False)
    data['inputs'] = [torch.randint(0, 256, (FRAMES, 3, 32, 32), dtype=torch.uint8)]
    assert choose_layer(model, data) == layer
    assert draw_grad_cam(model, data, layer).shape == (FRAMES, 32, 32, 3)


def test_last_convolution_is_the_last_that_runs_and_gives_a_map():
    """Not the last that is written down, nor one of a gate, a branch or the head."""

    class Gated(Toy2D):
        def __init__(self):
            super().__init__()
            self.gate, self.late = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1)
            self.early = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            x = self.late(super().forward(self.early(x)))
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    model, (data, _) = build(Gated), batch(False)
    assert last_convolution(model, data) == 'backbone.late'
    assert not model.backbone.late._forward_hooks
    assert draw_grad_cam(model, data, 'backbone.late').shape == (FRAMES, SIZE, SIZE, 3)
    model.backbone.forward = lambda x: x[:, :2]
    with pytest.raises(InputError, match='no convolution of Gated gives a map'):
        last_convolution(model, data)


@pytest.mark.parametrize('row', ['mfnet', 'mf_kpsem'])
def test_last_convolution_of_kpsem_figure_9(row):
    """One of conv5 in both: KPSEM, whose own convolutions run after conv4, is passed over."""
    from pathlib import Path

    from mmaction.structures import ActionDataSample
    from mmengine.config import Config

    path = Path(__file__).parents[2] / f'configs/kpsem/table2a_regions/{row}.py'
    config = Config.fromfile(path).model
    config.backbone.backbone.update(
        stem_channels=8, channels=(16, 16, 32, 32), depths=(1, 1, 1, 1), groups=4
    )
    head = config.cls_head.get('head', config.cls_head)
    head.in_channels = 32
    if row == 'mf_kpsem':
        config.cls_head.branch_channels = 96 * 3
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(config).eval()
    data = dict(
        inputs=[torch.zeros(1, 3, 8, 64, 64, dtype=torch.uint8)], data_samples=[ActionDataSample()]
    )
    assert last_convolution(model, data).startswith('backbone.backbone.stage5.')
