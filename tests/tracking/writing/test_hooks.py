"""Rows of the logging hook, which say where they belong, and the ledger that follows a runner."""

import contextlib
import hashlib
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from runner_stubs import Videos, make_runner

from mmaction_ext.datasets.samples import data_digest
from mmaction_ext.evaluation.predictions_hook import PredictionsHook
from mmaction_ext.tracking.ledger.format import decode_object
from mmaction_ext.tracking.writing.attempts import RunLedger, read_run_file
from mmaction_ext.tracking.writing.hooks import (
    RunLedgerHook,
    RunLoggerHook,
    file_sha256,
    record_mirror,
    record_progress,
)


def test_test_row_names_checkpoint_samples_and_position(tmp_path):
    checkpoint = tmp_path / 'epoch_6.pth'
    checkpoint.write_bytes(b'weights' * 500_000)
    runner, rows = make_runner('hook_test', iter=1080, epoch=6, test_checkpoint=str(checkpoint))
    hook = RunLoggerHook()
    hook.json_log_path = 'x.json'
    hook.after_test_epoch(runner)
    (row,) = rows
    assert row['test/acc/top1'] == 0.75
    assert (row['iter'], row['epoch'], row['test/num_samples']) == (1080, 6, 40)
    expected = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert row['test/checkpoint_sha256'] == expected == file_sha256(checkpoint)


def test_val_row_carries_its_position():
    runner, rows = make_runner('hook_val', iter=180, epoch=1)
    hook = RunLoggerHook()
    hook.json_log_path = 'x.json'
    hook.after_val_epoch(runner)
    (row,) = rows
    assert (row['val/acc/top1'], row['iter'], row['epoch']) == (0.75, 180, 1)


def train_runner(dataset):
    rows, errors = [], []
    loader = type('Loader', (), dict(dataset=dataset, __len__=lambda self: 2))()
    runner = SimpleNamespace(
        train_dataloader=loader,
        iter=2,
        epoch=1,
        experiment_name='',
        logger=SimpleNamespace(info=lambda text: None, error=errors.append),
        visualizer=SimpleNamespace(add_scalars=lambda row, **kwargs: rows.append(row)),
    )
    return runner, rows, errors


def batch(*marks):
    samples = [SimpleNamespace(metainfo=dict(replaced=mark) if mark else {}) for mark in marks]
    return dict(inputs=None, data_samples=samples)


def run_epoch(hook, runner, batches):
    hook.before_train_epoch(runner)
    for index, data in enumerate(batches):
        hook.every_n_train_iters = hook.every_n_inner_iters = lambda *args: False
        hook.end_of_epoch = lambda *args: False
        hook.after_train_iter(runner, index, data)
    hook.after_train_epoch(runner)


def test_replaced_samples_are_counted_by_epoch_and_named_once():
    runner, rows, errors = train_runner(SimpleNamespace(replaces=True))
    hook = RunLoggerHook()
    hook.json_log_path = 'x.json'
    a, b = ('a.mp4', 'a.mp4: torn'), ('b.mp4', 'b.mp4: gone')
    run_epoch(hook, runner, [batch(None, a), batch(b, a)])
    run_epoch(hook, runner, [batch(None, None), None])
    run_epoch(hook, runner, [batch(a)])
    assert rows == [
        {'train/replaced_samples': count, 'iter': 2, 'epoch': 1} for count in (3, 0, 1)
    ]
    assert errors == [
        'replaced by another sample: a.mp4: torn',
        'replaced by another sample: b.mp4: gone',
    ]


def test_count_is_logged_only_where_samples_may_be_replaced():
    for dataset in (Videos(), SimpleNamespace(replaces=False), SimpleNamespace(dataset=Videos())):
        runner, rows, _ = train_runner(dataset)
        run_epoch(RunLoggerHook(), runner, [batch(None)])
        assert rows == []
    runner, rows, _ = train_runner(SimpleNamespace(datasets=[SimpleNamespace(replaces=True)]))
    hook = RunLoggerHook()
    hook.json_log_path = 'x.json'
    run_epoch(hook, runner, [batch(None)])
    assert [row['train/replaced_samples'] for row in rows] == [0]


PIPELINE = [dict(type='SampleSegments', num_segments=8), dict(type='CenterCrop', crop_size=64)]


def make_visualizer(location):
    backend = SimpleNamespace(log_location=lambda: location)
    return SimpleNamespace(get_backend={'RunWandbBackend': backend}.get)


def test_ledger_follows_a_runner(tmp_path):
    runner, _ = make_runner('ledger_follow', iter=7)
    runner.visualizer, registered = make_visualizer('time/run-u.wandb'), []
    runner.register_hook = registered.append
    with RunLedger(tmp_path, {}) as attempt:
        record_progress(runner, attempt)
        assert attempt.heartbeat.iteration() == 7
        runner.message_hub.update_info('iter', 8)
        assert attempt.heartbeat.iteration() == 8
        [hook] = registered
        assert isinstance(hook, RunLedgerHook) and hook.attempt is attempt
        runner.visualizer.get_backend('RunWandbBackend').when_closed(
            wandb_closed=False, wandb_rows_missing=3
        )
    [entry] = read_run_file(tmp_path)['attempts']
    assert [entry[name] for name in ('wandb', 'wandb_closed', 'wandb_rows_missing')] == [
        'time/run-u.wandb',
        False,
        3,
    ]


def test_processes_without_a_ledger_follow_nothing():
    with contextlib.nullcontext() as attempt:
        record_progress(None, attempt)


def test_run_without_wandb_has_no_log(tmp_path):
    for visualizer in (SimpleNamespace(get_backend={}.get), make_visualizer(None)):
        with RunLedger(tmp_path, {}) as attempt:
            record_mirror(visualizer, attempt)
    assert [entry['wandb'] for entry in read_run_file(tmp_path)['attempts']] == [None, None]


@pytest.mark.parametrize('iteration, expected', [(0, 0), (12, 12)])
def test_ledger_names_where_training_goes_on_from(tmp_path, iteration, expected):
    with RunLedger(tmp_path, {}) as attempt:
        RunLedgerHook(attempt).before_train(SimpleNamespace(iter=iteration))
        assert read_run_file(tmp_path)['attempts'][0]['resumed_from_iter'] == expected


@pytest.mark.parametrize('written', [True, False])
def test_result_file_of_a_test(tmp_path, written):
    checkpoint, predictions = tmp_path / 'run/epoch_6.pth', tmp_path / 'run/test/predictions.npz'
    predictions.parent.mkdir(parents=True)
    checkpoint.write_bytes(b'weights'), predictions.write_bytes(b'numbers')
    runner, _ = make_runner(
        f'ledger_result_{written}', iter=1080, epoch=6, test_checkpoint=str(checkpoint)
    )
    hook = PredictionsHook(str(predictions), {})
    hook.written = written
    runner.hooks = [hook]
    runner.cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=PIPELINE))))
    with RunLedger(predictions.parent, dict(uid='u', job_type='test')) as attempt:
        RunLedgerHook(attempt).after_test_epoch(runner, {'acc/top1': 0.75})
    assert decode_object((predictions.parent / 'results/1-1080.json').read_bytes()) == dict(
        schema=2,
        uid='u',
        job_type='test',
        attempt=1,
        iter=1080,
        epoch=6,
        checkpoint=dict(path='../epoch_6.pth', sha256=hashlib.sha256(b'weights').hexdigest()),
        protocol=dict(
            split='test',
            clip_len=8,
            frame_interval=None,
            num_clips=1,
            num_crops=1,
            resolution=[64, 64],
        ),
        metrics={'test/acc/top1': 0.75},
        num_samples=40,
        data_digest=data_digest(Videos()),
        predictions=dict(path='predictions.npz', sha256=hashlib.sha256(b'numbers').hexdigest())
        if written
        else None,
        finished=True,
    )
