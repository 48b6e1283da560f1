"""TAda2D and CT-Net train as their released code does, number by number."""

import math
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from synthmotion_rows import train_some_steps_and_turn_clips

import mmaction_ext.register  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
LENGTH = 10  # iterations of an epoch


def load(name):
    return Config.fromfile(CONFIGS / name)


def rates(cfg):
    """The learning rate in each iteration; of epochs of a few."""
    base = cfg.optim_wrapper.optimizer.lr
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    by_iteration, by_epoch = [], []
    for scheduler in cfg.param_scheduler:
        scheduler = dict(scheduler)
        with DefaultScope.overwrite_default_scope('mmaction'):
            if scheduler.pop('convert_to_iter_based', False):
                kind = PARAM_SCHEDULERS.get(scheduler.pop('type'))
                by_iteration.append(
                    kind.build_iter_from_epoch(optimizer, **scheduler, epoch_length=LENGTH)
                )
            else:
                by_epoch.append(
                    PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=optimizer))
                )
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        for _ in range(LENGTH):
            found.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            for scheduler in by_iteration:
                scheduler.step()
        for scheduler in by_epoch:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    'name, batch, lr, epochs, warm_up, start',
    [
        ('rivals/sthv2/tada2d_8f.py', 128, 0.48, 64, 4, 1e-4),
        ('rivals/sthv2/tada2d_16f.py', 64, 0.24, 64, 4, 1e-4),
        ('rivals/sthv1/tada2d_16f.py', 64, 0.24, 64, 4, 1e-4),
        ('dcf/table5_k400/tada2d.py', 64, 0.12, 100, 8, 0.01),
    ],
)
def test_rates_of_tada2d(name, batch, lr, epochs, warm_up, start):
    cfg = load(name)
    assert cfg.global_batch_size == batch and cfg.train_cfg.max_epochs == epochs
    found, first = rates(cfg), warm_up * LENGTH
    cosine = [
        lr * (math.cos(math.pi * i / LENGTH / epochs) + 1) / 2 for i in range(epochs * LENGTH)
    ]
    assert found[first:] == pytest.approx(cosine[first:], rel=1e-6)
    assert found[0] == pytest.approx(start)
    for i in range(first):
        line = start + (cosine[first] - start) * i / (first - 1)
        assert line * 0.98 <= found[i] <= line * (1 + 1 / first)


def test_rates_of_ctnet():
    """By epoch: a tenth more in each of the first ten, then half a cosine that would end at 0."""
    cfg = load('rivals/sthv1/ctnet_8f.py')
    found = rates(cfg)
    assert cfg.global_batch_size == 64 and len(found) == 45 * LENGTH
    expected = [0.02 * (epoch + 1) / 10 for epoch in range(10)] + [
        0.01 * (1 + math.cos(math.pi * (epoch - 10) / 35)) for epoch in range(10, 45)
    ]
    assert found[::LENGTH] == pytest.approx(expected, rel=1e-6)
    assert found[LENGTH - 1 :: LENGTH] == pytest.approx(expected, rel=1e-6)
    assert cfg.optim_wrapper.clip_grad.max_norm == 20


def groups_of(name):
    """Rate and decay of each parameter, by its name."""
    cfg = load(name)
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        model = MODELS.build(cfg.model)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    found = {
        id(parameter): (group['lr'], group['weight_decay'], group['nesterov'])
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    norms = {
        id(parameter)
        for part in model.modules()
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)
        for parameter in part.parameters()
    }
    for parameter_name, parameter in model.named_parameters():
        yield parameter_name, id(parameter) in norms, found[id(parameter)]


def test_parameter_groups_of_tada2d():
    """Decay for the weights of layers alone."""
    for name, is_norm, found in groups_of('rivals/sthv2/tada2d_8f.py'):
        decay = 0 if is_norm or name.endswith('bias') else 1e-4
        assert found == (0.48, decay, True), name


def test_parameter_groups_of_ctnet():
    rate = {'cls_head.fc_cls.weight': (0.1, 5e-4), 'cls_head.fc_cls.bias': (0.2, 0)}
    for name, is_norm, found in groups_of('rivals/sthv1/ctnet_8f.py'):
        expected = rate.get(name, (0.02, 0 if is_norm else 5e-4))
        assert found == (*expected, False), name


def steps_of(name, split='train'):
    return load(name)[f'{split}_dataloader'].dataset.pipeline


@pytest.mark.parametrize('data', ['sthv1', 'sthv2'])
def test_images_of_tada2d(data):
    name = f'rivals/{data}/tada2d_8f.py'
    train = {step.type: step for step in steps_of(name)}
    assert tuple(train['RandomRescale'].scale_range) == (224, 339)
    flips = [step for step in steps_of(name) if 'Flip' in step.type]
    assert [step.type for step in flips] == ['Flip', 'DirectionAwareFlip']
    assert 'flip_label_map' not in flips[0] and flips[1].sided == 'swap'
    test = {step.type: step for step in steps_of(name, 'test')}
    assert test['SampleTAdaFrames'].num_clips == 2 and test['ThreeCrop'].crop_size == 256
    val = {step.type: step for step in steps_of(name, 'val')}
    assert val['SampleTAdaFrames'].num_clips == 1 and val['CenterCrop'].crop_size == 256


def test_images_of_tada2d_on_kinetics():
    name = 'dcf/table5_k400/tada2d.py'
    sampling = [steps_of(name, split)[1] for split in ('train', 'test')]
    assert sampling[0].type == 'VideoInit' and sampling[1].frame_interval == 5
    assert sampling[1].num_clips == 10 and 'ThreeCrop' in [s.type for s in steps_of(name, 'test')]
    assert [step.type for step in steps_of(name) if 'Flip' in step.type] == ['Flip']


@pytest.mark.parametrize('data', ['sthv1', 'sthv2'])
def test_images_of_ctnet(data):
    name = f'rivals/{data}/ctnet_16f.py'
    train = {step.type: step for step in steps_of(name)}
    assert train['MultiScaleCrop'].input_size == 256
    assert tuple(train['Resize'].scale) == (256, 256)
    assert not any('Flip' in kind for kind in train)
    test = {step.type: step for step in steps_of(name, 'test')}
    assert tuple(test['Resize'].scale) == (-1, 256) and test['CenterCrop'].crop_size == 256
    assert test['SampleTSNSegments'].num_clips == 1
    assert load(name).model.cls_head.dropout_ratio == 0.3


ROWS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for pattern in ('tada2d*', 'tada2d*/*', 'ctnet*', 'ctnet*/*')
    for path in CONFIGS.glob(f'synthmotion/rivals/{pattern}.py')
)


@pytest.mark.parametrize('name', ROWS)
def test_a_row_on_synthmotion_trains_and_tells_a_clip_from_its_reversal(name):
    train_some_steps_and_turn_clips(load(name))
