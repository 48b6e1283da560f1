"""Loading a trained recognizer safely, and what it says about a clip."""

import pickle

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.recognition import Recognition, load_recognizer, predict
from mmaction_ext.datasets.clip_loading import Clip
from mmaction_ext.errors import InputError

MODEL = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        num_segments=4,
        with_cp=True,
        backbone=dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8),
    ),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=3, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3, format_shape='NCHW'
    ),
)


@pytest.fixture(scope='module')
def built():
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(Config(MODEL)._cfg_dict).eval()


@pytest.fixture
def checkpoint(built, tmp_path):
    torch.save(dict(state_dict=built.state_dict()), tmp_path / 'trained.pth')
    return tmp_path / 'trained.pth'


def test_weights_are_those_of_the_checkpoint(built, checkpoint):
    model = load_recognizer(Config(dict(model=MODEL)), checkpoint)
    assert not model.training
    assert all(
        torch.equal(value, built.state_dict()[name]) for name, value in model.state_dict().items()
    )


@pytest.mark.parametrize('average', ['prob', 'score', None])
def test_probabilities_do_not_depend_on_the_heads_averaging(built, average):
    data = dict(
        inputs=[torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)],
        data_samples=[ActionDataSample()],
    )
    expected = built.test_step(data)[0].pred_score
    built.cls_head.average_clips = average
    try:
        found = predict(built, data)
    finally:
        built.cls_head.average_clips = 'prob'
    assert found.shape == (3,) and torch.allclose(found, expected)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ('ran',)

    (tmp_path / 'evil.pth').write_bytes(pickle.dumps(dict(state_dict=Evil())))
    with pytest.raises(InputError, match=r'evil.pth is'):
        load_recognizer(Config(dict(model=MODEL)), tmp_path / 'evil.pth')


def test_what_cannot_be_loaded_is_named(built, checkpoint, tmp_path):
    torch.save(dict(state_dict={'one': torch.zeros(1)}), tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'other.pth does not fit'):
        load_recognizer(Config(dict(model=MODEL)), tmp_path / 'other.pth')
    with pytest.raises(InputError, match='has no model'):
        load_recognizer(Config(dict(input_shape=(3, 4, 32, 32))), checkpoint)
    with pytest.raises(InputError, match=r'the model cannot be built.*Unheard'):
        load_recognizer(Config(dict(model=dict(MODEL, type='Unheard'))), checkpoint)
    with pytest.raises(InputError, match='MotionBackbone is no recognizer'):
        load_recognizer(Config(dict(model=MODEL['backbone'])), checkpoint)


def test_verdict():
    seen = Recognition(Config(), None, Clip({}, None), torch.tensor([0.03, 0.876, 0.002, 0.092]))
    assert seen.verdict({1: 'up'}) == 'up (87.6%)' and seen.verdict({}) == 'class 1 (87.6%)'
    assert seen.verdict({1: 'up', 0: 'a'}, top=3) == 'up (87.6%), class 3 (9.2%), a (3.0%)'
    assert seen.verdict({}, top=9).count('class') == 4
