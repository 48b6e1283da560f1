"""Counts against the figures that the DCF paper prints, and what the counter refuses."""

import pytest
from mmengine.config import Config

from mmaction_ext.models.complexity import Complexity, count

DCF = dict(type='DCF', reduction=2)
SMALL, MEDIUM = (3, 13, 160, 160), (3, 16, 224, 224)


def x3d(module=None, stages=(2, 3, 4), num_classes=174):
    """X3D-S and X3D-M are one network; they differ in what they see."""
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='MotionBackbone',
            module=module,
            stages=stages,
            backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
        ),
        cls_head=dict(type='X3DHead', in_channels=432, num_classes=num_classes),
    )


@pytest.mark.parametrize(
    'model, shape, params, macs, printed',
    [
        (x3d(), SMALL, 3.331, 1.962, ('3.3', '2.0')),  # Table 3
        (x3d(DCF), SMALL, 3.374, 2.152, ('3.4', '2.2')),
        (x3d(), MEDIUM, 3.331, 4.732, ('3.3', '4.7')),
        (x3d(DCF), MEDIUM, 3.374, 5.189, ('3.4', '5.2')),
        (x3d(DCF, (1, 3)), SMALL, 3.345, 2.354, (None, '2.4')),  # Table 2
        (x3d(DCF, (2, 4)), SMALL, 3.353, 2.071, (None, '2.1')),
        (x3d(DCF, (1, 2, 3)), SMALL, 3.355, 2.510, (None, '2.5')),
        (x3d(num_classes=400), (3, 16, 256, 256), 3.794, 6.181, (None, '6.2')),
        (x3d(DCF, num_classes=400), (3, 16, 256, 256), 3.837, 6.778, (None, '6.8')),  # Table 5
    ],
)
def test_figures_of_the_paper(model, shape, params, macs, printed):
    complexity = count(model, shape)
    assert complexity.params / 1e6 == pytest.approx(params, abs=5e-4)
    assert complexity.macs / 1e9 == pytest.approx(macs, abs=5e-4)
    assert f'{complexity.macs / 1e9:.1f}' == printed[1]
    if printed[0]:
        assert f'{complexity.params / 1e6:.1f}' == printed[0]


@pytest.mark.parametrize(
    'switches, macs',
    [
        (dict(spatial_pyramid=False), 2.102),
        (dict(short_range_stages=()), 2.161),
        (dict(long_term=False), 2.071),
        (dict(reduction=4), 2.123),
    ],
)
def test_other_readings_cost_something_else(switches, macs):
    """The alternatives that the published figures rule out keep their own counts."""
    assert count(x3d(dict(DCF, **switches)), SMALL).macs / 1e9 == pytest.approx(macs, abs=6e-4)


def test_kinds_of_operations():
    """Each of the three correlations by equation 2: T * H * W * C * K^2 * 2L."""
    kinds = count(x3d(DCF), SMALL).macs_by_kind
    assert kinds['local_correlation'] == 13 * 25 * (
        40**2 * 12 * 4 + 20**2 * 24 * 4 + 10**2 * 48 * 2
    )
    assert sum(kinds.values()) == count(x3d(DCF), SMALL).macs
    assert kinds['mm'] + kinds['addmm'] == 432 * 2048 + 2048 * 174


def thin(**timm):
    return dict(
        type='Recognizer2D',
        backbone=dict(
            type='MotionBackbone',
            module=DCF,
            stages=(2,),
            num_segments=8,
            backbone=dict(type='timm.resnet10t', **timm),
        ),
        cls_head=dict(type='TSNHead', in_channels=512, num_classes=12),
    )


def test_a_2d_recognizer_sees_all_its_frames():
    """The head sees one vector a clip; everything else is done for each of the frames."""
    longer = thin()
    longer['backbone']['num_segments'] = 16
    half, whole = count(thin(), (3, 8, 64, 64)), count(longer, (3, 16, 64, 64))
    head = 512 * 12
    assert whole.macs - head == 2 * (half.macs - head)


def test_pretrained_weights_are_not_fetched(monkeypatch):
    monkeypatch.setattr(
        'timm.models._builder.load_pretrained',
        lambda *_, **__: pytest.fail('weights were asked for'),
    )
    config = thin(pretrained=True)
    assert count(config, (3, 8, 64, 64)) == count(thin(), (3, 8, 64, 64))
    assert config['backbone']['backbone']['pretrained'] is True


def test_shape_comes_from_the_argument_then_from_the_config():
    cfg = Config(dict(model=thin(), input_shape=(3, 8, 64, 64)))
    assert count(cfg).input_shape == (3, 8, 64, 64)
    assert count(cfg, [3, 8, 32, 32]).input_shape == (3, 8, 32, 32)


def test_without_a_shape_only_parameters_are_counted():
    complexity = count(dict(model=thin()))
    assert complexity == Complexity(params=count(thin(), (3, 8, 64, 64)).params)
    assert complexity.macs is None and complexity.input_shape == ()


@pytest.mark.parametrize(
    'shape, message',
    [
        ((3, 8, 64), r'\(3, 8, 64\)'),
        ((3, 0, 64, 64), r'\(3, 0, 64, 64\)'),
        ((3, 8, 64, 6.5), '6.5'),
        ((3, 7, 64, 64), '7 frames.*num_segments=8'),
        ((3, 16, 64, 64), '16 frames.*num_segments=8'),
    ],
)
def test_shapes_that_cannot_be_counted(shape, message):
    with pytest.raises(ValueError, match=message):
        count(thin(), shape)
