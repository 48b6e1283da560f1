"""Models that are built to be looked at: without what only training needs."""

import pytest
from mmengine.config import Config

from mmaction_ext.errors import InputError
from mmaction_ext.models.building import build_model

MODEL = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        num_segments=4,
        with_cp=True,
        backbone=dict(type='timm.resnet10t', pretrained=True, channels=(8, 8, 8, 8), stem_width=8),
    ),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=3),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', blending=dict(type='MixupBlending', num_classes=3)
    ),
)


@pytest.mark.parametrize('config', [MODEL, Config(dict(model=MODEL)).model])
def test_what_only_training_needs_is_left_out(monkeypatch, config):
    monkeypatch.setattr(
        'timm.models._builder.load_pretrained',
        lambda *_, **__: pytest.fail('weights were asked for'),
    )
    model = build_model(config)
    assert not model.backbone.with_cp and model.data_preprocessor.blending is None
    assert config['backbone']['with_cp'] and config['backbone']['backbone']['pretrained']
    assert config['data_preprocessor']['blending']['type'] == 'MixupBlending'


def test_checkpointing_may_be_kept():
    model = build_model(MODEL, 'meta', with_checkpointing=True)
    assert model.backbone.with_cp
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(type='Unheard'), 'the model cannot be built: .*Unheard'),
        (dict(type='Recogniser2D'), "there is no model 'Recogniser2D'; did you mean Recognizer2D"),
        (dict(colour='red'), 'the model cannot be built: .*colour'),
        (dict(backbone=dict(MODEL['backbone'], num_segments=0)), 'the model cannot be built: .*0'),
    ],
)
def test_what_cannot_be_built(change, message):
    with pytest.raises(InputError, match=message):
        build_model(dict(MODEL, **change))
