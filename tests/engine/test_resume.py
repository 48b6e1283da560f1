"""Training that is broken off anywhere and goes on: everything must be as if it had not been."""

import contextlib
import multiprocessing
import os
import random
import signal

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from nested import assert_equal
from tool_runs import free_port
from torch import nn

from mmaction_ext.engine.interruption import Interruption, InterruptionHook, read_interval
from mmaction_ext.engine.runner import ResumableRunner
from mmaction_ext.engine.work_dir import newest_checkpoint
from mmaction_ext.errors import InputError, Preempted

EPOCHS, BATCHES = 3, 6


@DATASETS.register_module()
class NoisySamples:
    """Samples that no two readings give alike; their numbers are kept."""

    def __init__(self):
        self.metainfo = dict(name='noisy')

    def __len__(self):
        return 12

    def __getitem__(self, index):
        noise = torch.rand(3) + torch.tensor(np.random.rand(3), dtype=torch.float32)
        return dict(inputs=noise + random.random() + index, data_samples=index)


@DATASETS.register_module()
class SeededSamples(NoisySamples):
    """Samples that all readings give alike."""

    def __getitem__(self, index):
        return dict(inputs=torch.full((3,), float(index)), data_samples=index)


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
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2)
                ),
                randomness=dict(seed=3, deterministic=True),
                default_scope='mmengine',
                log_level='ERROR',
            ),
            **settings,
        )
    )


def train(cfg, *hooks, interval=1, resume=None, interruption=None):
    """Train until the end or a hook's exception; the runner."""
    cfg = Config(dict(cfg.to_dict(), experiment_name=f'run{random.SystemRandom().random()}'))
    cfg.load_from, cfg.resume = resume, bool(resume)
    runner = ResumableRunner.from_cfg(cfg)
    runner.register_hook(InterruptionHook(interruption or Interruption(), interval))
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
            'mmengine_version',
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
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, save_best='acc', rule='greater')
        )
    ),
    'stopping': dict(
        custom_hooks=[dict(type='EarlyStoppingHook', monitor='acc', rule='greater', patience=1)]
    ),
    'counted': dict(
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3))
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
    ('before_save_checkpoint', 1),
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
        assert_equal(content(killed / name), content(whole / name), name)


class SeenHook(Hook):
    """Keeps which samples each iteration was trained with."""

    def __init__(self):
        self.seen = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen[runner.iter] = sorted(int(each) for each in data_batch['data_samples'])


class SignalHook(Hook):
    """Has this process get a signal in the middle of a step."""

    def __init__(self, signum, iteration):
        self.signum, self.iteration = signum, iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.signum)


def run_rank(rank, size, port, folder, resume, signal_at, answer):
    """Train as one of several processes, of which the second may get a warning."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(size),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
    )
    torch.distributed.init_process_group('gloo')
    cfg = config(folder)
    cfg.train_dataloader.batch_size = 4 // size
    if size > 1:
        cfg.launcher = 'pytorch'
        cfg.model_wrapper_cfg = dict(type='mmaction.CPUDistributedDataParallel')
    seen, interruption, end = SeenHook(), Interruption(), 'trained'
    hooks = [SignalHook(signal.SIGUSR1, signal_at)] * (rank == size - 1 and signal_at is not None)
    with interruption.expected():
        try:
            train(cfg, seen, *hooks, interval=None, resume=resume, interruption=interruption)
        except Preempted as error:
            end = str(error)
    answer.send((end, seen.seen))


def train_together(size, folder, resume=None, signal_at=None):
    """How training ended for each process, and which samples each iteration had."""
    context, port = multiprocessing.get_context('forkserver'), free_port()
    answers, processes = [], []
    for rank in range(size):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=run_rank, args=(rank, size, port, folder, resume, signal_at, sender)
        )
        process.start()
        sender.close()
        processes.append(process)
        answers.append(receiver)
    found = [receiver.recv() for receiver in answers]
    for process in processes:
        process.join()
    seen = {
        number: sorted(each for _, batches in found for each in batches[number])
        for number in found[0][1]
    }
    return [end for end, _ in found], seen


def test_processes_agree_to_stop_and_any_number_goes_on(tmp_path):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    _, seen = train_together(2, whole)
    ends, _ = train_together(2, broken, signal_at=3)
    # in the fourth of nine steps one of them is warned, at the end of the next one both stop
    assert ends == ['stopped on SIGUSR1 at iteration 5; --resume goes on from iter_5.pth'] * 2
    checkpoint = newest_checkpoint(broken)
    ends, rest = train_together(2, broken, checkpoint)
    assert ends == ['trained'] * 2 and rest == {number: seen[number] for number in range(5, 9)}
    assert_equal(content(broken / 'epoch_3.pth'), content(whole / 'epoch_3.pth'))
    ends, alone = train_together(1, tmp_path / 'alone', str(broken / 'epoch_2.pth'))
    assert alone == {number: seen[number] for number in range(6, 9)}


@pytest.mark.parametrize(
    'value, iterations, seconds',
    [(200, 200, 0), ('200', 200, 0), ('30s', 0, 30), ('10min', 0, 600), ('1.5 h', 0, 5400)],
)
def test_interval_of_checkpoints(value, iterations, seconds):
    assert read_interval(value) == (iterations, seconds)


@pytest.mark.parametrize('value', [0, -1, True, 2.5, '', 'often', '10', '0s', '3 weeks', '1e3'])
def test_interval_that_is_none_is_refused(value):
    if value == '10':
        assert read_interval(value) == (10, 0)
        return
    with pytest.raises(InputError, match='the interval of checkpoints must be iterations'):
        read_interval(value)


def test_checkpoints_come_by_the_clock(tmp_path, monkeypatch):
    times = iter(range(0, 1000, 4))
    monkeypatch.setattr('mmaction_ext.engine.interruption.time.monotonic', lambda: next(times))
    saved = []

    class Spy(Hook):
        def before_save_checkpoint(self, runner, checkpoint):
            saved.append(checkpoint['meta']['iter'])

    train(
        config(tmp_path, val_cfg=None, val_dataloader=None, val_evaluator=None),
        Spy(),
        interval='10s',
    )
    assert len(saved) > EPOCHS and sorted(path.name for path in tmp_path.glob('*.pth')) == [
        'epoch_2.pth',
        'epoch_3.pth',
    ]


@pytest.mark.parametrize(
    'signum, raised',
    [(signal.SIGUSR1, Preempted), (signal.SIGUSR2, Preempted), (2, KeyboardInterrupt)],
)
def test_signal_in_a_step_saves_a_checkpoint_first(tmp_path, signum, raised):
    interruption = Interruption()
    with interruption.expected(), pytest.raises(raised):
        train(config(tmp_path), SignalHook(signum, 7), interval=None, interruption=interruption)
    assert newest_checkpoint(tmp_path) == str(tmp_path / 'iter_8.pth')


def test_second_interrupt_and_a_warning_while_validating_stop_at_once(tmp_path):
    class Impatient(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 7:
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)

    class Warned(Hook):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            os.kill(os.getpid(), signal.SIGUSR1)
            raise AssertionError('it went on')

    for hook, raised in ((Impatient(), KeyboardInterrupt), (Warned(), Preempted)):
        interruption = Interruption()
        with interruption.expected(), pytest.raises(raised):
            train(config(tmp_path), hook, interval=None, interruption=interruption)
        assert newest_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')


def test_best_checkpoint_outlives_the_writing_of_the_next(tmp_path, monkeypatch):
    cfg = config(tmp_path, **FORMS['best'])
    whole = config(tmp_path / 'whole', **FORMS['best'])
    train(whole)
    best = [path.name for path in (tmp_path / 'whole').glob('best_*.pth')]
    assert len(best) == 1
    seen = []

    class Spy(Hook):
        def before_save_checkpoint(self, runner, checkpoint):
            seen.append(len(list(tmp_path.glob('best_*.pth'))))

    train(cfg, Spy(), interval=None)
    assert 0 not in seen[3:] and [path.name for path in tmp_path.glob('best_*.pth')] == best


def test_checkpoint_of_before_there_were_states_repeats_no_draw(tmp_path):
    """Where each epoch begins with a seed, loader processes that live on had been begun before."""

    class EpochSeed(Hook):
        def before_train_epoch(self, runner):
            torch.manual_seed(runner.epoch)

    loader = dict(dataset=dict(type='SeededSamples'), num_workers=1, persistent_workers=True)
    form = dict(train_dataloader=dict(loader, batch_size=2, sampler=dict(type='DefaultSampler')))
    train(config(tmp_path / 'whole', **form), EpochSeed(), interval=None)
    old = torch.load(tmp_path / 'whole' / 'epoch_2.pth', weights_only=False)
    del old['training_state']
    (tmp_path / 'old').mkdir()
    torch.save(old, tmp_path / 'old' / 'epoch_2.pth')
    train(config(tmp_path / 'old', **form), EpochSeed(), resume=str(tmp_path / 'old/epoch_2.pth'))
    found, whole = (content(tmp_path / each / 'epoch_3.pth') for each in ('old', 'whole'))
    for name in ('state_dict', 'optimizer'):
        assert_equal(found[name], whole[name], name)


def test_checkpoints_of_any_name_are_pruned(tmp_path):
    for template, names in (('e{:02d}.pth', ['e02.pth', 'e03.pth']), ('last.pth', ['last.pth'])):
        hook = dict(type='CheckpointHook', interval=1, filename_tmpl=template, max_keep_ckpts=2)
        train(config(tmp_path / template, default_hooks=dict(checkpoint=hook)))
        assert sorted(path.name for path in (tmp_path / template).glob('*.pth')) == names


def test_best_by_what_is_not_measured_is_refused(tmp_path):
    hook = dict(type='CheckpointHook', save_best='top', rule='greater')
    with pytest.raises(InputError, match='the best checkpoint by top cannot be kept: validation'):
        train(config(tmp_path, default_hooks=dict(checkpoint=hook)))


def test_folder_that_was_moved_loses_no_file_elsewhere(tmp_path):
    form = FORMS['best']
    with pytest.raises(Killed):
        train(config(tmp_path / 'old', **form), KillHook('after_validation', 1))
    (tmp_path / 'new').mkdir()
    for path in (tmp_path / 'old').glob('*.pth'):
        (tmp_path / 'new' / path.name).write_bytes(path.read_bytes())
    before = sorted((tmp_path / 'old').glob('*.pth'))
    train(config(tmp_path / 'new', **form), resume=newest_checkpoint(tmp_path / 'new'))
    assert sorted((tmp_path / 'old').glob('*.pth')) == before
    assert len(list((tmp_path / 'new').glob('best_*.pth'))) == 1
