"""What a training starts from must fit the backbone."""

import pathlib
import warnings

import pytest
import timm
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model.weight_init import PretrainedInit

from mmaction_ext.engine import initial_weights
from mmaction_ext.errors import InputError
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.models.building import build_model


def config(num_classes=3, **settings):
    backbone = dict(
        dict(type='ResNet', depth=18, norm_cfg=dict(type='BN')), **settings.pop('backbone', {})
    )
    return Config(
        dict(
            settings,
            model=dict(
                type='Recognizer2D',
                backbone=backbone,
                cls_head=dict(type='TSNHead', num_classes=num_classes, in_channels=512),
            ),
        )
    )


def check_fit(cfg):
    return initial_weights.check_fit(cfg, build_model(cfg.model, 'meta'))


@pytest.fixture(scope='module')
def weights():
    return build_model(config().model).state_dict()


def save(folder, content):
    path = folder / 'start.pth'
    torch.save(content, path)
    return str(path)


def renamed(weights, prefix):
    return {prefix + name: value for name, value in weights.items()}


@pytest.mark.parametrize(
    'content',
    [
        lambda weights: weights,
        lambda weights: dict(state_dict=weights, meta=dict(epoch=1)),
        lambda weights: dict(state_dict=renamed(weights, 'module.')),
    ],
    ids=['plain', 'nested', 'ddp'],
)
def test_what_fits_is_counted(tmp_path, weights, content):
    path = save(tmp_path, content(weights))
    total = sum(value.is_floating_point() for value in weights.values())
    (fit,) = check_fit(config(load_from=path))
    assert fit.facts() == dict(
        path=path,
        sha256=file_sha256(path),
        part='model',
        filled=total,
        total=total,
        backbone_filled=total - 2,
        backbone_total=total - 2,
    )
    assert fit.sentence() == f'{path} fills {total} of {total} weights of the model'
    (fit,) = check_fit(config(5, load_from=path))
    assert (fit.filled, fit.backbone_filled) == (total - 2, total - 2)
    assert '2 of another shape: cls_head.fc_cls.weight (3, 512) for (5, 512)' in fit.sentence()


@pytest.mark.parametrize(
    'content',
    [
        lambda weights: dict(state_dict=renamed(weights, 'net.encoder.')),
        lambda weights: dict(model=dict(weights), epoch=3),
        lambda weights: {name: value for name, value in weights.items() if 'cls_head' in name},
        lambda weights: {name: value[..., None] for name, value in weights.items()},
    ],
    ids=['other names', 'other nesting', 'head alone', 'other shapes'],
)
def test_a_file_of_which_nothing_fits_the_backbone_is_refused(tmp_path, weights, content):
    path = save(tmp_path, content(weights))
    with pytest.raises(InputError, match=f'would not start from {path}: nothing of it fits'):
        check_fit(config(load_from=path))
    init = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    with pytest.raises(InputError, match=r'nothing of it fits .* weights of backbone'):
        check_fit(config(backbone=dict(init_cfg=init)))


@pytest.mark.parametrize(
    'backbone',
    [
        lambda path: dict(init_cfg=dict(type='Pretrained', checkpoint=path)),
        lambda path: dict(init_cfg=dict(type='mmengine.Pretrained', checkpoint=path)),
        lambda path: dict(init_cfg=[dict(type=PretrainedInit, checkpoint=path)]),
        lambda path: dict(pretrained=path, torchvision_pretrain=False),
    ],
    ids=['init_cfg', 'with a scope', 'class', 'pretrained'],
)
def test_parts_that_start_from_a_file_of_their_own(tmp_path, weights, backbone):
    own = {
        name.removeprefix('backbone.'): value
        for name, value in weights.items()
        if name.startswith('backbone.layer')
    }
    (fit,) = check_fit(config(backbone=backbone(save(tmp_path, own))))
    assert fit.part == 'backbone' and 0 < fit.filled < fit.total
    assert fit.sentence().endswith(
        '5 without: conv1.conv.weight, conv1.bn.weight, conv1.bn.bias ...'
    )
    with pytest.raises(InputError, match='nothing of it fits'):
        check_fit(config(backbone=backbone(save(tmp_path, renamed(own, 'x.')))))


@pytest.mark.parametrize(
    'address, reason',
    [
        ('file:///nowhere/start.pth', 'can not be found'),
        ('s3://nowhere/start.pth', 'petrel_client'),
    ],
)
def test_an_address_that_nobody_can_read_is_named(address, reason):
    with pytest.raises(InputError, match=f'{address} cannot be loaded into the model: .*{reason}'):
        check_fit(config(load_from=address))


def test_what_lies_at_an_address_is_looked_at_too(tmp_path, weights, monkeypatch):
    """torch keeps what was fetched: nothing is asked of the network here."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    (tmp_path / 'checkpoints').mkdir()
    save(tmp_path / 'checkpoints', weights)
    url = 'https://nowhere.example/start.pth'
    (fit,) = check_fit(config(load_from=url))
    assert fit.source == url and fit.filled == fit.total
    save(tmp_path / 'checkpoints', renamed(weights, 'x.'))
    with pytest.raises(InputError, match=f'would not start from {url}: nothing of it fits'):
        check_fit(config(load_from=url))


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_named(tmp_path, weights, value):
    broken = {name: tensor.clone() for name, tensor in weights.items()}
    for name in ('backbone.layer1.0.conv1.conv.weight', 'backbone.layer2.0.conv1.bn.running_var'):
        broken[name].view(-1)[-1] = value
    path = save(tmp_path, broken)
    init = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    for start in (dict(load_from=path), dict(backbone=dict(init_cfg=init))):
        with pytest.raises(
            InputError,
            match=f'{path} holds weights that are not finite, the first '
            'of them for backbone.layer1.0.conv1.conv.weight$',
        ):
            check_fit(config(**start))


def torchvision_names(depth):
    from torchvision.models import resnet18, resnet50

    with torch.device('meta'):
        network = {18: resnet18, 50: resnet50}[depth](num_classes=1)
    return {name: torch.zeros(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize('hosted', [False, True], ids=['bare', 'hosted'])
def test_weights_of_another_depth_are_refused_in_a_line(tmp_path, hosted):
    path = save(tmp_path, torchvision_names(50))
    backbone = dict(
        type='mmaction.ResNetTSM',
        depth=18,
        num_segments=8,
        pretrained=path,
        norm_cfg=dict(type='BN'),
    )
    cfg = config()
    cfg.model.backbone = (
        backbone if not hosted else dict(type='MotionBackbone', backbone=backbone, num_segments=8)
    )
    with pytest.raises(InputError) as refused:
        check_fit(cfg)
    text = str(refused.value)
    part = 'backbone.backbone' if hosted else 'backbone'
    assert text.startswith(f'{path} cannot be loaded into {part}: size mismatch for ')
    assert '[64, 64, 1, 1]' in text and '[64, 64, 3, 3]' in text
    assert '\n' not in text and text.count('size mismatch') == 3


def test_the_weight_that_a_file_of_torchvision_lacks_is_named(tmp_path):
    path = save(tmp_path, torchvision_names(18))
    with pytest.raises(InputError, match=r"into backbone: it lacks 'layer1.0.conv3.weight'"):
        check_fit(config(backbone=dict(depth=50, pretrained=path)))


def timm_config(path, hosted):
    inner = dict(
        type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8, checkpoint_path=str(path)
    )
    cfg = config()
    cfg.model.cls_head.in_channels = 8
    cfg.model.backbone = (
        dict(type='MotionBackbone', backbone=inner, num_segments=4)
        if hosted
        else dict(inner, global_pool='')
    )
    return cfg


@pytest.fixture(scope='module')
def timm_state():
    """As timm saves it: the classifier is there."""
    net = timm.create_model('resnet10t', channels=(8, 8, 8, 8), stem_width=8, num_classes=5)
    return net.state_dict()


@pytest.mark.parametrize('hosted', [True, False], ids=['hosted', 'bare'])
def test_a_file_of_timms(tmp_path, timm_state, hosted):
    """What it fills is counted; nothing is loaded, nor said, where the model is only looked at."""
    bare = {name: value for name, value in timm_state.items() if not name.startswith('fc.')}
    path = save(tmp_path, timm_state if hosted else bare)
    cfg = timm_config(path, hosted)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        model = build_model(cfg.model, 'meta')
        (fit,) = initial_weights.check_fit(cfg, model)
    assert fit.part == ('backbone.backbone' if hosted else 'backbone')
    assert fit.filled == fit.total == fit.backbone_filled and not fit.missing
    assert fit.facts()['sha256'] == file_sha256(path)
    save(tmp_path, renamed(bare, 'x.'))
    with pytest.raises(InputError, match=f'{path} cannot be loaded into {fit.part}: ') as refused:
        check_fit(cfg)
    assert '\n' not in str(refused.value) and len(str(refused.value)) < 900


def test_a_hosted_file_of_timms_is_loaded_where_training_starts(tmp_path, timm_state):
    """Not where the model is built: what is tested or resumed needs no such file."""
    path = save(tmp_path, timm_state)
    built = MODELS.build(timm_config(path, True).model.backbone)
    inner = built.backbone.state_dict()
    assert any(not torch.equal(inner[name], timm_state[name]) for name in inner)
    built.init_weights()
    assert all(torch.equal(value, timm_state[name]) for name, value in inner.items())


def test_no_code_in_a_file_of_timms_runs(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save({'state_dict': Touch(tmp_path / 'touched')}, path)
    with pytest.raises(InputError, match=f'{path} cannot be loaded'):
        check_fit(timm_config(path, True))
    assert not (tmp_path / 'touched').exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)
