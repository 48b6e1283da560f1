"""Folders of runs: one owner at a time, nothing lost, no damaged checkpoint resumed."""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmaction_ext.engine import work_dir
from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.metrics_file import MetricsFile
from mmaction_ext.tracking.writing.results import write_result

RUN = RunIdentity('paper/table/row', 0, 'aaaa')


def test_claim_marks_a_folder_once(tmp_path):
    folder = tmp_path / 'seed0'
    folder.mkdir()
    work_dir.claim_work_dir(folder, RUN)
    (folder / 'epoch_1.pth').write_bytes(b'weights')
    work_dir.claim_work_dir(folder, RUN)
    assert json.loads((folder / 'run.json').read_text())['config_hash'] == 'aaaa'
    assert (folder / 'epoch_1.pth').exists()


def test_claim_moves_another_version_of_the_config_aside(tmp_path, capsys):
    folder = tmp_path / 'seed0'
    folder.mkdir()
    work_dir.claim_work_dir(folder, RUN)
    (folder / 'epoch_1.pth').write_bytes(b'weights')
    work_dir.claim_work_dir(folder, RunIdentity(RUN.config, 0, 'bbbb'))
    assert not (folder / 'epoch_1.pth').exists()
    assert (tmp_path / 'seed0.aaaa' / 'epoch_1.pth').read_bytes() == b'weights'
    assert 'another version' in capsys.readouterr().out


def test_claim_leaves_the_ledger_of_the_same_run_alone(tmp_path):
    for record in (
        dict(config=RUN.config, seed=0, config_hash='aaaa'),  # of before the ledger
        dict(
            config=RUN.config,
            seed=0,
            config_hash='aaaa',
            job_type='train',
            attempts=[dict(number=1)],
        ),
    ):
        (tmp_path / 'run.json').write_text(json.dumps(record))
        work_dir.claim_work_dir(tmp_path, RUN).close()
        assert json.loads((tmp_path / 'run.json').read_text()) == record


def test_run_of_an_earlier_rule_goes_on_under_its_own_name(tmp_path):
    now = RunIdentity(RUN.config, 0, 'bbbb', ('aaaa',))
    assert work_dir.as_begun(now, tmp_path) == now
    work_dir.claim_work_dir(tmp_path, RUN).close()
    begun = work_dir.as_begun(now, tmp_path / 'test', tmp_path)
    assert begun == RUN and begun.uid == RUN.uid
    work_dir.claim_work_dir(tmp_path, begun, movable=False).close()
    work_dir.claim_work_dir(tmp_path, now, movable=False).close()
    assert json.loads((tmp_path / 'run.json').read_text())['config_hash'] == 'aaaa'
    hub = dict(runtime_info=dict(config_hash='aaaa'))
    torch.save(dict(message_hub=hub, optimizer={}), tmp_path / 'a.pth')
    work_dir.check_resumable(tmp_path / 'a.pth', now)
    with pytest.raises(InputError, match='trained with another config'):
        work_dir.check_resumable(tmp_path / 'a.pth', RunIdentity(RUN.config, 0, 'bbbb'))


def test_folder_of_overridden_settings_is_found_by_its_old_hash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunIdentity('a/b', 0, 'new45678' * 2, ('old45678' * 2,))
    assert work_dir.default_work_dir(run, dict(x=1)) == 'work_dirs/a/b/seed0-new45678'
    (tmp_path / 'work_dirs/a/b/seed0-old45678').mkdir(parents=True)
    assert work_dir.default_work_dir(run, dict(x=1)) == 'work_dirs/a/b/seed0-old45678'
    assert work_dir.default_work_dir(run, {}) == 'work_dirs/a/b/seed0'


def test_training_and_test_do_not_share_a_folder(tmp_path):
    work_dir.claim_work_dir(tmp_path, RUN).close()
    with pytest.raises(InputError, match='or not to a test run: choose another --work-dir'):
        work_dir.claim_work_dir(tmp_path, RUN, movable=False, job_type='test')
    work_dir.claim_work_dir(tmp_path, RUN).close()


def test_second_process_leaves_the_ledger_untouched(tmp_path):
    lock = work_dir.claim_work_dir(tmp_path, RUN)
    with RunLedger(tmp_path, dict(config=RUN.config, seed=0, config_hash='aaaa'), lock=lock):
        before = (tmp_path / 'run.json').read_bytes()
        with pytest.raises(InputError, match=f'in use by process {os.getpid()}'):
            work_dir.claim_work_dir(tmp_path, RUN)
        assert (tmp_path / 'run.json').read_bytes() == before
    work_dir.claim_work_dir(tmp_path, RUN).close()


def test_claim_survives_a_broken_record(tmp_path):
    folder = tmp_path / 'seed0'
    folder.mkdir()
    (folder / 'run.json').write_text('{"conf')
    (folder / 'epoch_1.pth').write_bytes(b'weights')
    work_dir.claim_work_dir(folder, RUN)
    assert (tmp_path / 'seed0.unknown' / 'epoch_1.pth').exists()


def test_two_moves_aside_do_not_collide(tmp_path):
    folder = tmp_path / 'seed0'
    for digest in 'abab':
        folder.mkdir(exist_ok=True)
        work_dir.claim_work_dir(folder, RunIdentity(RUN.config, 0, digest))
    assert len(list(tmp_path.iterdir())) == 4


def test_newest_checkpoint_passes_over_a_damaged_one(tmp_path, capsys):
    for epoch in (1, 2, 10):
        torch.save(dict(epoch=epoch), tmp_path / f'epoch_{epoch}.pth')
    data = (tmp_path / 'epoch_10.pth').read_bytes()
    (tmp_path / 'epoch_10.pth').write_bytes(data[: len(data) // 2])
    (tmp_path / 'epoch_2_backup.pth').write_bytes(data)
    assert work_dir.newest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    assert 'epoch_10.pth is damaged' in capsys.readouterr().out
    assert work_dir.newest_checkpoint(tmp_path / 'nowhere') is None


def test_checkpoint_meta_refuses_what_is_no_checkpoint(tmp_path):
    path = tmp_path / 'x.pth'
    path.write_text('hello')
    with pytest.raises(InputError, match=f'{path} is damaged'):
        work_dir.checkpoint_meta(path)
    with pytest.raises(InputError, match=r'gone.pth cannot be read'):
        work_dir.checkpoint_meta(tmp_path / 'gone.pth')
    torch.save([torch.ones(1)], path)
    with pytest.raises(InputError, match=r'x.pth is no checkpoint: it holds a list'):
        work_dir.checkpoint_meta(path)


def test_folder_of_a_living_process_is_refused(tmp_path):
    code = f"""
import sys, time
from mmaction_ext.engine.work_dir import claim_work_dir
from mmaction_ext.tracking.identity import RunIdentity
lock = claim_work_dir({str(tmp_path)!r}, RunIdentity('a/b', 0, 'x'))
print('held', flush=True)
time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == 'held'
    with pytest.raises(InputError, match=f'in use by process {holder.pid}'):
        work_dir.claim_work_dir(tmp_path, RunIdentity('a/b', 0, 'x'))
    holder.kill()
    holder.wait()
    work_dir.claim_work_dir(tmp_path, RunIdentity('a/b', 0, 'x')).close()


def test_loader_process_does_not_hold_the_folder_of_a_killed_run(tmp_path):
    code = f"""
import os, time
from mmaction_ext.engine.work_dir import claim_work_dir
from mmaction_ext.tracking.identity import RunIdentity
lock = claim_work_dir({str(tmp_path)!r}, RunIdentity('a/b', 0, 'x'))
child = os.fork()
os.write(1, b'%d' % child + bytes([10]))  # at once, beside the other's
time.sleep(60)
"""
    holder = subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    children = {int(holder.stdout.readline()), int(holder.stdout.readline())}
    with open(tmp_path / 'run.lock') as reader:
        with pytest.raises(BlockingIOError):
            fcntl.flock(reader, fcntl.LOCK_SH | fcntl.LOCK_NB)
        holder.kill()
        holder.wait()
        [loader] = children - {0}
        os.kill(loader, 0)  # it lives
        fcntl.flock(reader, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.kill(loader, signal.SIGKILL)


class Command:
    def __reduce__(self):
        return os.system, ('false',)


@pytest.mark.parametrize('content', [argparse.Namespace(anything='but weights'), Command()])
def test_checkpoint_with_code_in_it_is_refused_rather_than_passed_over(tmp_path, content):
    torch.save(dict(x=content), tmp_path / 'epoch_1.pth')
    with pytest.raises(InputError, match=r'epoch_1.pth is refused: it asks for'):
        work_dir.newest_checkpoint(tmp_path)


def test_folder_the_user_chose_is_never_moved(tmp_path):
    (tmp_path / 'precious').touch()
    work_dir.claim_work_dir(tmp_path, RUN, movable=False).close()
    with pytest.raises(InputError, match='belongs to paper/table/row under seed 0'):
        work_dir.claim_work_dir(tmp_path, RunIdentity(RUN.config, 1, 'aaaa'), movable=False)
    assert (tmp_path / 'precious').exists()


def test_checkpoint_says_which_config_it_is_of(tmp_path):
    path = tmp_path / 'x.pth'
    content = dict(message_hub=dict(runtime_info=dict(config_hash='aaaa')), meta=dict(seed=0))
    torch.save(dict(content, optimizer={}), path)
    assert work_dir.trained_config_hash(path) == 'aaaa'
    work_dir.check_resumable(path, RUN)
    with pytest.raises(InputError, match=r'x.pth was trained under another seed \(0, not 1\)'):
        work_dir.check_resumable(path, RunIdentity(RUN.config, 1, 'aaaa'))
    torch.save(content, path)
    with pytest.raises(InputError, match=r'x.pth holds no state of the optimizer'):
        work_dir.check_resumable(path, RUN)
    torch.save(dict(state_dict={}), path)
    assert work_dir.trained_config_hash(path) == 'unknown'
    with pytest.raises(InputError, match=r'x.pth was trained with another config'):
        work_dir.check_resumable(path, RUN)


def test_newest_checkpoint_of_training_by_iteration(tmp_path):
    for iteration in (500, 1500):
        torch.save(dict(iter=iteration), tmp_path / f'iter_{iteration}.pth')
    assert work_dir.newest_checkpoint(tmp_path) == str(tmp_path / 'iter_1500.pth')


@pytest.mark.parametrize(
    'saved, newest',
    [
        ({'epoch_3': 18, 'iter_7': 7}, 'epoch_3'),
        ({'epoch_3': 18, 'iter_20': 20}, 'iter_20'),
        ({'epoch_3': 18, 'iter_18': 18}, 'epoch_3'),
        ({'epoch_2': 12, 'epoch_10': 60, 'iter_61': 61, 'iter_9': 9}, 'iter_61'),
    ],
)
def test_newest_checkpoint_is_that_with_the_most_iterations(tmp_path, saved, newest, capsys):
    for name, iteration in saved.items():
        torch.save(dict(meta=dict(iter=iteration), x=torch.ones(9)), tmp_path / f'{name}.pth')
    assert work_dir.newest_checkpoint(tmp_path) == str(tmp_path / f'{newest}.pth')
    path = tmp_path / f'{newest}.pth'
    whole = bytearray(path.read_bytes())
    whole[whole.index(torch.ones(9).numpy().tobytes()) + 5] ^= 4
    path.write_bytes(whole)
    rest = {each: saved[each] for each in saved if each != newest}
    found = work_dir.newest_checkpoint(tmp_path)
    assert found == str(tmp_path / f'{max(rest, key=rest.__getitem__)}.pth')
    assert f'{newest}.pth is damaged and is passed over' in capsys.readouterr().out
    with pytest.raises(InputError, match=f'{newest}.pth is damaged'):
        work_dir.check_resumable(path, RUN)


class Mean(BaseMetric):
    """The weight under test."""

    def process(self, data_batch, data_samples):
        self.results += [sample['weight'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(weight=float(np.mean(results)))


class OneWeight(BaseModel):
    """Learns its one weight from samples that are numbers."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='tensor'):
        if mode == 'loss':
            return dict(loss=(self.weight - 1).square().sum())
        return [dict(weight=self.weight.item())]


def averaging_runner(folder, **settings):
    loader = dict(
        batch_size=1,
        dataset=[dict(inputs=torch.ones(1))] * 3,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return Runner(
        OneWeight(),
        str(folder),
        train_dataloader=loader,
        test_dataloader=loader,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        test_evaluator=Mean(),
        train_cfg=dict(by_epoch=True, max_epochs=settings.pop('epochs', 1)),
        test_cfg=dict(),
        custom_hooks=[dict(type='EMAHook', momentum=0.25)],
        default_scope='mmaction',
        experiment_name=f'{folder.name}-{len(list(folder.glob("*")))}',
        **settings,
    )


def test_weights_that_a_hook_averages_are_tested_as_the_runner_tests_them(tmp_path):
    averaging_runner(tmp_path).train()
    checkpoint = str(tmp_path / 'epoch_1.pth')
    saved = torch.load(checkpoint, weights_only=True)
    averaged, last = (
        float(saved[key][name])
        for key, name in (('state_dict', 'weight'), ('ema_state_dict', 'module.weight'))
    )
    assert abs(averaged - last) > 0.05
    expected = averaging_runner(tmp_path, load_from=checkpoint).test()
    assert expected['weight'] == pytest.approx(averaged)
    runner = averaging_runner(tmp_path)
    work_dir.load_for_test(runner, checkpoint)
    assert runner.test() == expected
    # training that went on from a checkpoint tests the averaged weights of its last one
    runner = averaging_runner(tmp_path, load_from=checkpoint, resume=True, epochs=2)
    runner.train()
    work_dir.load_for_test(runner, tmp_path / 'epoch_2.pth')
    averaged = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['state_dict']['weight']
    assert runner.test()['weight'] == pytest.approx(float(averaged))


def test_a_checkpoint_of_another_model_is_refused_by_the_test(tmp_path):
    runner = averaging_runner(tmp_path)
    torch.save(dict(state_dict=dict(other=torch.ones(1))), tmp_path / 'other.pth')
    work_dir.load_for_test(runner, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'other.pth does not fit the model'):
        runner.test()


def claim(folder, identity=RUN, **kwargs):
    """Claim a folder, made where there is none; returns the id of its run."""
    folder.mkdir(parents=True, exist_ok=True)
    work_dir.claim_work_dir(folder, identity, **kwargs).close()
    return work_dir.claimed_uid(folder, identity)


def test_the_same_row_trained_twice_is_two_runs(tmp_path):
    first, second = claim(tmp_path / 'mine'), claim(tmp_path / 'yours')
    assert first != second and first.startswith(RUN.uid) and second.startswith(RUN.uid)
    assert claim(tmp_path / 'mine') == first, 'all attempts at a run share its id'
    with RunLedger(tmp_path / 'mine', dict(uid=first, **vars(RUN))):
        pass
    assert claim(tmp_path / 'mine') == first


def test_a_run_that_gave_way_to_another_version_keeps_its_id(tmp_path):
    first = claim(tmp_path / 'seed0', RunIdentity(RUN.config, 0, 'bbbb'))
    second = claim(tmp_path / 'seed0')
    assert second != first
    assert json.loads((tmp_path / 'seed0.bbbb/run.json').read_text())['uid'] == first


@pytest.mark.parametrize('uid', [None, RUN.uid])
def test_a_run_of_before_ids_were_drawn_keeps_its_id(tmp_path, uid):
    record = dict(config=RUN.config, seed=0, config_hash='aaaa', **({'uid': uid} if uid else {}))
    (tmp_path / 'run.json').write_text(json.dumps(record))
    assert claim(tmp_path) == RUN.uid
    assert claim(tmp_path / 'test', job_type='test') == RUN.uid


def test_a_test_shares_the_id_of_the_run_that_it_tests_and_of_no_other(tmp_path):
    uid = claim(tmp_path)
    assert claim(tmp_path / 'test', job_type='test') == uid
    assert claim(tmp_path.parent / f'{tmp_path.name}-2', job_type='test', tested=tmp_path) == uid
    assert claim(tmp_path.parent / f'{tmp_path.name}-3', job_type='test') != uid
    assert claim(tmp_path / 'other', RunIdentity('b/c', 0, 'x'), job_type='test') != uid


@pytest.mark.parametrize('digest', ['../../escaped', '/etc', 'a\0b', 'x' * 300, '', 'a b', 7])
def test_a_hash_that_is_no_name_moves_nothing(tmp_path, digest):
    folder = tmp_path / 'runs/seed0'
    folder.mkdir(parents=True)
    (folder / 'run.json').write_text(json.dumps(dict(config='x', seed=0, config_hash=digest)))
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(InputError, match=r'seed0/run.json has the config_hash .*, which is none'):
        work_dir.claim_work_dir(folder, RUN)
    assert set(tmp_path.rglob('*')) - set(before) <= {folder / 'run.lock'}


@pytest.mark.parametrize('uid', ['../../up', 'a\0b', 'a/b', 'x' * 300, '-x', 7])
def test_an_id_that_is_no_name_is_refused(tmp_path, uid):
    record = dict(config=RUN.config, seed=0, config_hash='aaaa', uid=uid)
    (tmp_path / 'run.json').write_text(json.dumps(record))
    with pytest.raises(InputError, match=r'run.json has the uid .*, which is none'):
        work_dir.claimed_uid(tmp_path, RUN)


def test_a_run_of_a_newer_version_is_left_alone(tmp_path):
    folder = tmp_path / 'seed0'
    claim(folder)
    (folder / 'run.json').write_text(text := json.dumps(dict(schema=9, config='x')))
    with pytest.raises(InputError, match=r'run.json was written by a newer version'):
        work_dir.claim_work_dir(folder, RUN)
    assert (folder / 'run.json').read_text() == text and os.listdir(tmp_path) == ['seed0']


@pytest.mark.parametrize(
    'name',
    [
        'run.json',
        'run.json.tmp',
        'run.json.spare',
        'heartbeat',
        'heartbeat.tmp',
        'run.lock',
        'metrics.jsonl',
        'results',
        'predictions.npz',
        'last_checkpoint',
        'epoch_1.pth',
    ],
)
def test_links_in_the_folder_of_a_run_are_not_followed(tmp_path, name):
    folder, target = tmp_path / 'seed0', tmp_path / 'precious'
    folder.mkdir()
    target.write_text('precious')
    (folder / name).symlink_to(target)
    with pytest.raises(InputError, match=f'seed0/{name} is a link'):
        work_dir.claim_work_dir(folder, RUN)
    assert target.read_text() == 'precious' and os.listdir(folder) == [name]


def test_a_folder_of_tests_that_is_a_link_is_not_followed(tmp_path):
    claim(tmp_path / 'seed0')
    (tmp_path / 'else').mkdir()
    (tmp_path / 'seed0/test').symlink_to(tmp_path / 'else')
    with pytest.raises(InputError, match='seed0/test is a link'):
        work_dir.claim_work_dir(tmp_path / 'seed0/test', RUN, job_type='test')
    (tmp_path / 'seed0/test').unlink()
    (tmp_path / 'linked').symlink_to(tmp_path / 'seed0')
    work_dir.claim_work_dir(tmp_path / 'linked', RUN).close()  # where a user keeps runs


@pytest.mark.parametrize('name', ['run.lock', 'metrics.jsonl', 'epoch_1.pth', 'last_checkpoint'])
@pytest.mark.parametrize('make', [os.link, lambda target, path: os.mkfifo(path)])
def test_hard_links_and_pipes_are_not_written_to(tmp_path, name, make):
    target, folder = tmp_path / 'precious', tmp_path / 'seed0'
    target.write_text('precious')
    folder.mkdir()
    make(target, folder / name)
    with pytest.raises(InputError, match=f'{name} is (a link|no regular file)'):
        work_dir.claim_work_dir(folder, RUN)
    if name == 'metrics.jsonl':
        with pytest.raises(InputError, match=r'metrics.jsonl is (a link|no regular file)'):
            MetricsFile(folder, 1)
    assert target.read_text() == 'precious'


@pytest.mark.parametrize('name', ['run.json.tmp', 'run.lock'])
def test_a_folder_in_the_place_of_a_file(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=r'is no regular file|run.json cannot be written'):
        work_dir.claim_work_dir(tmp_path, RUN)


@pytest.mark.parametrize('make', [os.mkdir, os.mkfifo])
def test_a_record_that_is_no_file_is_named_before_anything_is_made(tmp_path, make):
    make(tmp_path / 'run.json')
    for use in (work_dir.claim_work_dir, lambda folder, run: work_dir.as_begun(run, folder)):
        with pytest.raises(InputError, match=r'run.json (is no regular file|cannot be read: \w)'):
            use(tmp_path, RUN)
        assert os.listdir(tmp_path) in (
            ['run.json'],
            ['run.json', 'run.lock'],
            ['run.lock', 'run.json'],
        )


def test_an_attempt_writes_through_no_link_that_comes_late(tmp_path):
    """Both kinds of link, between the claim and the first entry."""
    uid, target = claim(tmp_path / 'run'), tmp_path / 'precious'
    target.write_text('precious')
    for name in ('run.json.tmp', 'run.json.spare', 'heartbeat.tmp'):
        (tmp_path / 'run' / name).symlink_to(target)
    os.link(target, tmp_path / 'run/results.tmp')
    with RunLedger(tmp_path / 'run', dict(uid=uid, **vars(RUN))):
        pass
    assert target.read_text() == 'precious'
    (tmp_path / 'run/metrics.jsonl').symlink_to(target)
    with pytest.raises(InputError, match=r'metrics.jsonl is a link'):
        MetricsFile(tmp_path / 'run', 1)
    (tmp_path / 'run/results').symlink_to(tmp_path)
    with pytest.raises(InputError, match='results is a link'):
        write_result(tmp_path / 'run', 1, dict(iter=1))
    assert target.read_text() == 'precious'


@pytest.mark.parametrize('content', [dict(attempts=3), dict(sources=[1])])
def test_a_record_with_other_kinds_of_values_is_named(tmp_path, content):
    (tmp_path / 'run.json').write_text(json.dumps(dict(vars(RUN), **content)))
    with pytest.raises(InputError, match=r'run.json holds what no run writes'):
        RunLedger(tmp_path, dict(uid='u'))


@pytest.mark.parametrize(
    'content', [dict(meta=[1], message_hub=[1]), dict(message_hub=dict(runtime_info='x'))]
)
def test_a_checkpoint_with_other_kinds_of_values_tells_nothing(tmp_path, content):
    torch.save(content, tmp_path / 'x.pth')
    assert work_dir.checkpoint_meta(tmp_path / 'x.pth') == {}
    assert work_dir.trained_config_hash(tmp_path / 'x.pth') == 'unknown'


def test_the_best_checkpoint_is_that_of_the_metric_that_is_asked_for(tmp_path):
    for name in ('best_acc_top1_epoch_2', 'best_acc_top1_epoch_10', 'epoch_11', 'best_epoch'):
        torch.save(dict(meta={}), tmp_path / f'{name}.pth')
    best = str(tmp_path / 'best_acc_top1_epoch_10.pth')
    assert work_dir.best_checkpoint(tmp_path) == best
    assert work_dir.best_checkpoint(tmp_path, 'acc/top1') == best
    assert work_dir.best_checkpoint(tmp_path, 'acc/top5') is None
    assert work_dir.best_checkpoint(tmp_path / 'nowhere') is None
    torch.save(dict(meta={}), tmp_path / 'best_auc_iter_7.pth')
    with pytest.raises(InputError, match='by acc_top1, auc: name one with --best METRIC'):
        work_dir.best_checkpoint(tmp_path)
    (tmp_path / 'best_auc_iter_7.pth').write_bytes(b'')
    with pytest.raises(InputError, match='best_auc_iter_7'):
        work_dir.best_checkpoint(tmp_path, 'auc')


def left_elsewhere(folder, age=0.0, **entry):
    """A folder whose last attempt, on another machine, said nothing of its end."""
    work_dir.claim_work_dir(folder, RUN).close()
    content = json.loads((folder / 'run.json').read_text())
    content.pop('crc32', None)
    attempts = [dict(number=1, host='elsewhere', boot_id='b', pid=7, start=1.0) | entry]
    (folder / 'run.json').write_text(json.dumps(dict(content, schema=1, attempts=attempts)))
    heart = folder / 'heartbeat'
    heart.write_text(json.dumps(dict(attempt=1, host='elsewhere', iter=3, time=1.0, beat=1)))
    os.utime(heart, (time.time() - age,) * 2)
    return heart


def test_folder_in_which_another_machine_works_is_refused_whatever_its_clock(
    tmp_path, monkeypatch
):
    """On a network folder two machines may each have the lock."""
    monkeypatch.setattr(work_dir, 'HEARTBEAT_STALE_SECONDS', 5)
    heart = left_elsewhere(tmp_path)
    timer = threading.Timer(0.2, heart.write_text, ['{"attempt": 1, "time": 1.0, "beat": 2}'])
    timer.start()
    with pytest.raises(InputError, match='is in use by process 7 on elsewhere'):
        work_dir.claim_work_dir(tmp_path, RUN)
    timer.join()
    assert (tmp_path / 'run.lock').exists()
    monkeypatch.setattr(work_dir, 'HEARTBEAT_STALE_SECONDS', 0.2)
    work_dir.claim_work_dir(tmp_path, RUN).close()


def test_folder_in_which_a_process_of_this_machine_works_without_its_lock(tmp_path):
    """As a network file system takes locks away from a machine that was cut off for a while."""
    other = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    here = dict(host=process.host(), boot_id=process.boot_id(), pid=other.pid)
    left_elsewhere(tmp_path, process_start=process.process_start(other.pid), **here)
    with pytest.raises(InputError, match=f'is in use by process {other.pid}'):
        work_dir.claim_work_dir(tmp_path, RUN)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and not yet buried
    work_dir.claim_work_dir(tmp_path, RUN).close()
    other.communicate()
    work_dir.claim_work_dir(tmp_path, RUN).close()


@pytest.mark.parametrize(
    'age, entry', [(9, {}), (0, dict(exit_code=1)), (0, dict(host=process.host())), (-9, {})]
)
def test_who_waits_for_a_sign_of_life(tmp_path, monkeypatch, capsys, age, entry):
    monkeypatch.setattr(work_dir, 'HEARTBEAT_STALE_SECONDS', 0.5)
    left_elsewhere(tmp_path, age, **entry)
    work_dir.claim_work_dir(tmp_path, RUN).close()
    assert ('left without a word' in capsys.readouterr().out) == (age < 0)
