"""The configs of SELFY and TCM train as the released code does, number by number."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.tracking.identity import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
SELFY = 'selfy/table1_sthv1/selfy_tsm_r18_8f.py'
TCM = 'tcm/table_sthv1/tcm_r18_8f.py'


def load(name):
    return Config.fromfile(CONFIGS / name)


@pytest.mark.parametrize(
    'name, batch, milestones, max_norm', [(SELFY, 64, [30, 40], 20), (TCM, 32, [30, 40, 45], 200)]
)
def test_schedule(name, batch, milestones, max_norm):
    cfg = load(name)
    (decay,) = cfg.param_scheduler
    assert (decay.type, decay.milestones, decay.gamma) == ('MultiStepLR', milestones, 0.1)
    assert cfg.train_cfg.max_epochs == 50 and cfg.global_batch_size == batch
    assert cfg.optim_wrapper.clip_grad.max_norm == max_norm
    assert cfg.model.cls_head.dropout_ratio == 0.5


@pytest.mark.parametrize('name', [SELFY, TCM])
def test_parameter_groups(name):
    """Biases at twice the rate, and decay for the weights of layers alone."""
    cfg = load(name)
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        model = MODELS.build(cfg.model)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    groups = {id(group['params'][0]): group for group in optimizer.param_groups}
    kinds = Counter()
    for part in model.modules():
        is_norm = isinstance(part, torch.nn.modules.batchnorm._BatchNorm)
        for leaf, parameter in part.named_parameters(recurse=False):
            group = groups.pop(id(parameter))
            kind = 'norm' if is_norm else leaf
            kinds[kind] += 1
            expected = {'norm': (0.01, 0), 'weight': (0.01, 5e-4), 'bias': (0.02, 0)}[kind]
            assert (group['lr'], group['weight_decay']) == expected
            assert group['nesterov'] and group['momentum'] == 0.9
    assert not groups and kinds['bias'] == 1 and min(kinds.values()) > 0


@pytest.mark.parametrize('name', [SELFY, TCM])
def test_classifier_starts_as_in_the_released_code(name):
    """Xavier-uniform (the standard deviation is that of the range), and a bias of zero."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        head = MODELS.build(load(name).model.cls_head)
        head.fc_cls.bias.data.fill_(1)
        head.init_weights()
    weight = head.fc_cls.weight.detach()
    limit = (6 / sum(weight.shape)) ** 0.5
    assert limit * 0.99 < weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert not head.fc_cls.bias.any()


@pytest.mark.parametrize(
    'name, media',
    [
        (SELFY, 'NamedRawFrameDecode'),
        (TCM, 'NamedRawFrameDecode'),
        ('selfy/table1_sthv2/selfy_tsm_r50_16f.py', 'VideoDecode'),
    ],
)
def test_images(name, media):
    cfg = load(name)
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert media in steps
    assert steps['SampleTSNSegments'].num_segments == cfg.num_segments
    assert tuple(steps['MultiScaleCrop'].scales) == (1, 0.875, 0.75, 0.66)
    assert steps['MultiScaleCrop'].num_fixed_crops == 13
    assert steps['MultiScaleCrop'].max_wh_scale_gap == 1
    assert set(steps['DirectionAwareFlip'].classes) == {86, 87, 93, 94, 166, 167}
    assert steps['DirectionAwareFlip'].sided == 'skip'
    resizes = [step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'Resize']
    assert [tuple(step.scale) for step in resizes] == [(320, 240), (224, 224)]
    assert not any(step.keep_ratio for step in resizes)


@pytest.mark.parametrize(
    'depth, name',
    [
        (18, SELFY),
        (50, 'tcm/table_sthv1/tcm_r50_8f.py'),
        (101, 'tcm/table_k400/tcm_r101_16f.py'),
        (101, 'selfy/table1_sthv2/selfy_tsm_r101_8f.py'),
    ],
)
def test_networks_start_from_image_networks_of_their_depth(depth, name):
    backbone = load(name).model.backbone.backbone
    assert backbone.depth == depth and backbone.pretrained2d
    assert backbone.pretrained == f'torchvision://resnet{depth}'
    assert backbone.type == ('ResNetTSMEveryBlock' if depth == 101 else 'ResNetTSM')


def test_second_clip_is_for_the_test_alone():
    cfg = load('selfy/table1_sthv1/selfy_tsm_r50_16f_2clips.py')
    clips = [
        next(
            step.num_clips
            for step in cfg[f'{split}_dataloader'].dataset.pipeline
            if step.type == 'SampleTSNSegments'
        )
        for split in ('train', 'val', 'test')
    ]
    assert clips == [1, 1, 2]


@pytest.mark.parametrize('data', ['ucf101', 'hmdb51'])
@pytest.mark.parametrize('network', ['tcm_r50', 'tsm_r50'])
@pytest.mark.parametrize('split', [1, 2, 3])
def test_each_split_has_its_own_lists(data, network, split):
    cfg = Config(load_config(CONFIGS / f'tcm/table_{data}/{network}.py', fold=f'split{split}'))
    lists = [cfg[f'{part}_dataloader'].dataset.ann_file for part in ('train', 'val', 'test')]
    assert lists == [f'data/{data}/{part}_split{split}.txt' for part in ('train', 'test', 'test')]
    assert cfg.load_from == f'work_dirs/tcm/table_k400/{network}_8f/seed0/epoch_75.pth'
    assert not cfg.model.backbone.backbone.pretrained2d


REFERENCES = {'selfy': 'selfy_tsm_r50_8f.py', 'tcm': 'tcm_r50_8f.py'}
OWN = [
    path
    for paper in REFERENCES
    for path in sorted(CONFIGS.glob(f'{paper}/table*/*.py'))
    if path.stem.startswith(('selfy_', 'tcm_', 'tsm_', 'tsn_'))
]


@pytest.mark.parametrize('path', OWN, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_rows_with_the_recipe_of_the_paper_train_alike(path):
    """``varies`` of their tables lets other methods have other recipes."""
    folder = path.parent
    own = load(path)
    name = 'tcm_r50.py' if 'folds' in own else REFERENCES[folder.parent.name]
    reference = load(folder / name)
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'global_batch_size'):
        assert own[key] == reference[key]
