"""Training that is broken off anywhere and goes on: everything must be as if it had not been."""

import contextlib
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn

from mmaction_ext.engine.interruption import Interruption, InterruptionHook
from mmaction_ext.engine.runner import ResumableRunner
from mmaction_ext.engine.work_dir import newest_checkpoint

EPOCHS, BATCHES = 3, 5


@DATASETS.register_module()
class NoisySamples:
    """Samples that no two readings give alike; their numbers are kept."""

    def __init__(self):
        self.metainfo = dict(name='noisy')

    def __len__(self):
        return 10

    def __getitem__(self, index):
        noise = torch.rand(3) + torch.tensor(np.random.rand(3), dtype=torch.float32)
        return dict(inputs=noise + random.random() + index, data_samples=index)


@MODELS.register_module()
class NoisyModel(BaseModel):
    """Batch statistics, dropout, and a module that is averaged."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        found = self.net(torch.stack(list(inputs)))
        if mode == 'loss':
            return dict(loss=(found - 1).square().mean())
        return [float(each) for each in found]


@METRICS.register_module()
class MeanOutput(BaseMetric):
    """A score that rises and falls."""

    def process(self, data_batch, data_samples):
        self.results += list(data_samples)

    def compute_metrics(self, results):
        return dict(acc=float(np.sin(1000 * np.mean(results))))


class Killed(BaseException):
    """A kill: nobody cleans up."""


class KillHook(Hook):
    """Breaks off after so many calls of a hook point, and counts them."""

    priority = 'LOWEST'

    def __init__(self, point=None, count=0):
        self.count = count
        if point:
            setattr(self, point, self.strike)

    def strike(self, runner, **kwargs):
        self.count -= 1
        if not self.count:
            raise Killed


def config(folder, workers=0, **settings):
    loader = dict(
        dataset=dict(type='NoisySamples'),
        batch_size=2,
        num_workers=workers,
        persistent_workers=settings.pop('persistent', False) and workers > 0,
    )
    return Config(
        dict(
            dict(
                model=dict(type='NoisyModel'),
                work_dir=str(folder),
                train_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=True)),
                val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
                val_evaluator=dict(type='MeanOutput'),
                train_cfg=dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1),
                val_cfg=dict(),
                optim_wrapper=dict(
                    optimizer=dict(type='AdamW', lr=0.01), clip_grad=dict(max_norm=1.0)
                ),
                param_scheduler=[
                    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=7),
                    dict(type='MultiStepLR', milestones=[2], by_epoch=True),
                ],
                default_hooks=dict(checkpoint=dict(type='CheckpointHook', max_keep_ckpts=2)),
                randomness=dict(seed=3, deterministic=True),
                default_scope='mmengine',
                log_level='ERROR',
            ),
            **settings,
        )
    )


def train(cfg, *hooks, interval=1, resume=None):
    """Train until the end or a hook's exception; the runner."""
    cfg = Config(dict(cfg.to_dict(), experiment_name=f'run{random.SystemRandom().random()}'))
    cfg.load_from, cfg.resume = resume, bool(resume)
    runner = ResumableRunner.from_cfg(cfg)
    runner.register_hook(InterruptionHook(Interruption(), interval))
    for hook in hooks:
        runner.register_hook(hook)
    try:
        runner.train()
    finally:
        MessageHub._instance_dict.clear()
        for loop in (runner._train_loop, runner._val_loop):
            if hasattr(loop, 'dataloader'):  # torch takes long over two that are left to Python
                loop.dataloader._iterator = None
    return runner


def content(path):
    """All of a checkpoint that does not tell when and where it was saved."""
    found = torch.load(path, weights_only=False)
    hub = found.pop('message_hub')
    info = {
        key: value
        for key, value in hub['runtime_info'].items()
        if key
        not in (
            'cfg',
            'experiment_name',
            'epoch',
            'iter',
            'eta',
            'last_ckpt',
            'best_ckpt',
            'loop_stage',
        )
    }
    scalars = {
        key: [each.tolist() for each in value.data]
        for key, value in hub['log_scalars'].items()
        if not key.endswith('time')
    }
    meta = {key: value for key, value in found.pop('meta').items() if key in ('epoch', 'iter')}
    return dict(found, info=info, scalars=scalars, meta=meta)


def equal(one, other, where=''):
    """Compare two nested contents to the bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            equal(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for place, pair in enumerate(zip(one, other, strict=True)):
            equal(*pair, f'{where}[{place}]')
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other), where
    else:
        assert one == other or (one != one and other != other), (where, one, other)


FORMS = {
    'plain': dict(),
    'workers': dict(workers=2),
    'persistent': dict(workers=2, persistent=True),
    'accumulation': dict(
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=4)
    ),
    'ema': dict(custom_hooks=[dict(type='EMAHook', momentum=0.1)]),
    'ema_buffers': dict(
        custom_hooks=[dict(type='EMAHook', momentum=0.1, update_buffers=True, begin_iter=4)]
    ),
    'best': dict(
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='acc', rule='greater'))
    ),
    'stopping': dict(
        custom_hooks=[dict(type='EarlyStoppingHook', monitor='acc', rule='greater', patience=1)]
    ),
    'seldom': dict(
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS, val_interval=2),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2)),
    ),
    'iterations': dict(
        train_cfg=dict(by_epoch=False, max_iters=EPOCHS * BATCHES, val_interval=4),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=6)),
    ),
    'infinite': dict(
        workers=2,
        train_cfg=dict(by_epoch=False, max_iters=EPOCHS * BATCHES, val_interval=4),
        train_dataloader=dict(
            dataset=dict(type='NoisySamples'),
            batch_size=2,
            num_workers=2,
            sampler=dict(type='InfiniteSampler'),
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=6)),
    ),
}
#: points of a training that are reached one after the other, each after so many calls
KILLS = [
    ('after_train_iter', 3),
    ('after_step', 2),
    ('after_train_epoch', 1),
    ('before_val', 1),
    ('after_val_iter', 2),
    ('after_val_epoch', 1),
    ('before_train_epoch', 1),
    ('after_train_iter', 1),
    ('after_step', 3),
    ('after_validation', 1),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No pauses between two passes of a loader, no git, no waiting for the disk."""
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    monkeypatch.setattr('os.fsync', lambda descriptor: None)
    monkeypatch.setattr('mmengine.runner.runner.get_git_hash', lambda: '')
    monkeypatch.setattr('mmengine.runner.Runner._log_env', lambda *args: None)


@pytest.mark.parametrize('form', FORMS)
def test_training_that_is_killed_anywhere_ends_as_if_it_had_not_been(form, tmp_path, capsys):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    train(config(whole, **FORMS[form]), interval=None)
    count = 0
    for kill in KILLS:
        with contextlib.suppress(Killed):
            train(
                config(killed, **FORMS[form]),
                KillHook(*kill),
                interval=2,
                resume=newest_checkpoint(killed),
            )
            count += 1
    train(config(killed, **FORMS[form]), resume=newest_checkpoint(killed))
    assert count <= 6 and 'damaged' not in capsys.readouterr().out
    names = sorted(path.name for path in whole.glob('*.pth'))
    assert sorted(path.name for path in killed.glob('*.pth')) == names
    for name in names:
        equal(content(killed / name), content(whole / name), name)
