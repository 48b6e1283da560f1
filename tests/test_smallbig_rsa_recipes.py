"""SmallBigNet and RSANet: recipes number by number, and each row on SynthMotion trains."""

import math
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from synthmotion_rows import train_some_steps_and_turn_clips

import mmaction_ext.register  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
RSANET = 'rivals/sthv1/rsanet_8f.py'
SMALLBIG = 'rivals/sthv1/smallbig_8f.py'


def load(name):
    return Config.fromfile(CONFIGS / name)


def learning_rates(cfg):
    """Of each epoch, for schedules that change once per epoch."""
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr
    )
    schedulers = [
        PARAM_SCHEDULERS.build({**each, 'optimizer': optimizer}) for each in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def test_rate_of_rsanet():
    """Its code steps before each epoch, so that the first has a fifth of the warm-up behind it."""
    expected = []
    for step in range(1, 81):
        if step < 5:
            factor = 0.001 * (1 - step / 5) + step / 5
        else:
            factor = 0.001 + 0.999 * (1 + math.cos(math.pi * (step - 5) / 75)) / 2
        expected.append(0.02 * factor)
    assert learning_rates(load(RSANET)) == pytest.approx(expected)
    assert expected[0] == pytest.approx(0.00402, abs=5e-6)


def test_rate_of_smallbignet():
    expected = [0.005 * (1 + math.cos(math.pi * epoch / 100)) for epoch in range(100)]
    assert learning_rates(load(SMALLBIG)) == pytest.approx(expected)


@pytest.mark.parametrize('data, dropout', [('sthv1', 0.5), ('sthv2', 0.3)])
def test_rsanet_decays_all_weights_but_normalisations_and_biases(data, dropout):
    cfg = load(f'rivals/{data}/rsanet_8f.py')
    head = cfg.model.cls_head
    assert head.dropout_ratio == dropout and head.label_smooth_eps == 0.1
    assert cfg.optim_wrapper.clip_grad.max_norm == 100 and cfg.global_batch_size == 64
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        model = MODELS.build(cfg.model)
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    assert all(group['nesterov'] and group['lr'] == 0.02 for group in groups)
    decayed = {id(group['params'][0]) for group in groups if group['weight_decay']}
    assert {group['weight_decay'] for group in groups} == {0, 5e-4}
    assert {name for name, weight in model.named_parameters() if id(weight) in decayed} == {
        name
        for name, weight in model.named_parameters()
        if not name.endswith('bias') and weight.dim() > 1
    }


def test_smallbignet_decays_everything_and_drops_nothing():
    cfg = load(SMALLBIG)
    assert cfg.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4)
    )
    assert cfg.model.cls_head.dropout_ratio == 0 and cfg.global_batch_size == 64
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert 'MultiScaleCrop' in steps and not any('Flip' in step for step in steps)


def rows_of(*patterns):
    return sorted(
        path.relative_to(CONFIGS).as_posix()
        for pattern in patterns
        for path in CONFIGS.glob(f'synthmotion/{pattern}.py')
    )


@pytest.mark.parametrize('name', rows_of('rivals/rsanet*', 'rivals/rsanet*/*', 'cross/**/rsa'))
def test_a_row_with_rsa_trains_and_tells_a_clip_from_its_reversal(name):
    train_some_steps_and_turn_clips(load(name))


@pytest.mark.parametrize('name', rows_of('rivals/smallbig*'))
def test_a_row_of_smallbignet_trains_and_tells_no_clip_from_its_reversal(name):
    train_some_steps_and_turn_clips(load(name), blind=True)
