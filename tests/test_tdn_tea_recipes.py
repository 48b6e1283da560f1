"""The configs of TDN and TEA train as the released code does, number by number."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.models.building import build_model

CONFIGS = Path(__file__).parents[1] / 'configs'
TDN, TEA = 'rivals/sthv1/tdn_r50_8f.py', 'rivals/sthv1/tea_8f.py'
KINETICS = 'dcf/table5_k400/tdn_r50_16f.py'


def load(name):
    return Config.fromfile(CONFIGS / name)


@pytest.mark.parametrize(
    'name, batch, epochs, milestones, decay',
    [
        (TDN, 64, 60, [30, 45, 55], 5e-4),
        (KINETICS, 128, 100, [50, 75, 90], 1e-4),
        (TEA, 64, 50, [30, 40, 45], 5e-4),
    ],
)
def test_schedule(name, batch, epochs, milestones, decay):
    cfg = load(name)
    (steps,) = cfg.param_scheduler
    assert (steps.type, steps.milestones, steps.gamma) == ('MultiStepLR', milestones, 0.1)
    assert cfg.train_cfg.max_epochs == epochs and cfg.global_batch_size == batch
    assert cfg.optim_wrapper.clip_grad.max_norm == 20
    assert cfg.optim_wrapper.optimizer.weight_decay == decay
    head = cfg.model.cls_head
    assert (head.dropout_ratio, head.init_std, head.consensus.type) == (0.5, 0.001, 'AvgConsensus')


@pytest.mark.parametrize(
    'name, expected',
    [
        (TDN, dict.fromkeys(('weight', 'bias', 'norm', 'classifier', 'intercept'), (0.01, 5e-4))),
        (
            TEA,
            dict(
                weight=(0.02, 5e-4),
                norm=(0.02, 0),
                classifier=(0.1, 5e-4),
                intercept=(0.2, 0),
            ),
        ),
    ],
)
def test_parameter_groups(name, expected):
    """TDN's code never applies the multipliers that it names."""
    cfg = load(name)
    model = build_model(cfg.model, 'meta')
    with DefaultScope.overwrite_default_scope('mmaction'):
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    groups = {
        id(parameter): (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    assert not any(group['nesterov'] for group in optimizer.param_groups)
    found = {}
    for part in model.modules():
        for leaf, parameter in part.named_parameters(recurse=False):
            kind = 'norm' if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) else leaf
            if isinstance(part, torch.nn.Linear):
                kind = {'weight': 'classifier', 'bias': 'intercept'}[leaf]
            found.setdefault(kind, set()).add(groups.pop(id(parameter)))
    assert not groups
    assert found == {kind: {pair} for kind, pair in expected.items()}


@pytest.mark.parametrize(
    'name, row, flip', [(TDN, 5, 'swap'), (KINETICS, 5, None), (TEA, 1, 'none')]
)
def test_images_of_training(name, row, flip):
    cfg = load(name)
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['SampleTSNSegments'].num_segments == cfg.num_segments
    assert steps['SampleTSNSegments'].consecutive == row
    assert steps.get('FramesToChannels', dict(frames=1))['frames'] == row
    assert cfg.input_shape[0] == 3 * row == len(cfg.model.data_preprocessor.mean)
    assert tuple(steps['MultiScaleCrop'].scales) == (1, 0.875, 0.75, 0.66)
    assert steps['MultiScaleCrop'].num_fixed_crops == 13
    assert tuple(steps['Resize'].scale) == (224, 224)
    flips = {'swap': 'DirectionAwareFlip', None: 'Flip'}
    assert {key for key in steps if 'Flip' in key} == ({flips[flip]} if flip in flips else set())
    if flip == 'swap':
        assert steps['DirectionAwareFlip'].sided == 'swap'
        assert steps['DirectionAwareFlip'].classes == {
            86: 87,
            87: 86,
            93: 94,
            94: 93,
            166: 167,
            167: 166,
        }


@pytest.mark.parametrize(
    'name, clips, crop',
    [
        (TDN, 1, 'CenterCrop'),
        (KINETICS, 10, 'ThreeCrop'),
        (TEA, 1, 'CenterCrop'),
        ('rivals/sthv2/tea_16f.py', 10, 'ThreeCrop'),
    ],
)
def test_views_of_the_test(name, clips, crop):
    cfg = load(name)
    steps = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    assert steps['SampleTSNSegments'].num_clips == clips
    assert steps['SampleTSNSegments'].random_clips == (clips > 1)
    assert tuple(steps['Resize'].scale) == (-1, 256)
    assert steps[crop].crop_size == cfg.input_shape[-1] == (224 if clips == 1 else 256)


@pytest.mark.parametrize('name', ['tdn', 'tea'])
def test_thin_network_trains_a_step(name):
    """With the colours of each of TDN's fifteen channels."""
    torch.manual_seed(0)
    cfg = load(f'synthmotion/rivals/{name}.py')
    model = build_model(cfg.model)
    model.init_weights()
    frames = torch.randint(0, 256, (2, 8, cfg.input_shape[0], 64, 64), dtype=torch.uint8)
    inputs = model.data_preprocessor(dict(inputs=list(frames), data_samples=None))['inputs']
    torch.testing.assert_close(inputs, (frames.float() - 127.5) / 64)
    scores = model.train()(inputs, stage='head')
    torch.nn.functional.cross_entropy(scores, torch.tensor([3, 4])).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
