import math
import os
import random
import shutil

import offline_runs
import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.rows import split_by_phase


@pytest.fixture(scope='session')
def records(suite):
    return {(record.seed, record.job_type): record for record in find_runs(suite)}


def bare(rows, phase):
    """Rows of one phase out of what was logged."""
    return split_by_phase(rows)[phase]


def test_every_run_once_in_a_fixed_order(suite):
    found = [(record.config, record.seed, record.job_type) for record in find_runs(suite)]
    assert found == [
        ('demo/full', 0, 'train'),
        ('demo/full', 0, 'test'),
        *(('demo/full', seed, 'train') for seed in (1, 2, 3, 4, 5)),
    ]


def test_latest_run_links_are_not_counted(suite):
    links = [path for path in suite.rglob('latest-run') if path.is_symlink()]
    assert links
    assert all(
        len(record.attempts) == (2 if record.seed == 1 else 1) for record in find_runs(suite)
    )


def test_finished_run(records):
    record = records[0, 'train']
    assert record.finished and record.exit_code == 0
    assert record.rows['train'] == bare(offline_runs.history(0.8125), 'train')
    assert record.rows['val'] == bare(offline_runs.history(0.8125), 'val')
    [evaluation] = record.evaluations
    assert evaluation.values['test/acc/top1'] == 0.8125
    assert evaluation.values['test/num_samples'] == 240
    assert record.complexity == dict(params=3250000, macs=2000000000, input_shape=[3, 8, 80, 80])
    assert {'train/loss', 'val/acc/top1', 'test/acc/top1'} <= record.logged
    assert record.recipe == dict(train_cfg=dict(max_epochs=2))
    assert (record.env, record.git) == (dict(python='3'), dict(commit='abc'))
    assert (record.config_hash, record.overrides) == ('0123456789abcdef', {})


def test_resumed_run_equals_an_uninterrupted_one(records):
    record = records[1, 'train']
    assert [attempt.exit_code for attempt in record.attempts] == [None, 0]
    assert [attempt.last_iter for attempt in record.attempts] == [6, 8]
    assert record.finished
    for phase in ('train', 'val'):
        assert record.rows[phase] == bare(offline_runs.history(0.75), phase)
    assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75]


def test_killed_and_failed_runs_are_not_finished(records):
    assert records[2, 'train'].exit_code is None and not records[2, 'train'].finished
    assert records[2, 'train'].last_iter == 5
    assert records[3, 'train'].exit_code == 3 and not records[3, 'train'].finished


def test_not_finite_metrics_survive(records):
    [row] = records[4, 'train'].rows['train']
    assert math.isnan(row['train/loss']) and row['train/nested.grad'] == math.inf


def test_test_runs_stay_apart_from_their_training(records):
    assert records[0, 'test'].uid == records[0, 'train'].uid
    assert records[0, 'test'].rows == {}


def test_damage_anywhere_in_a_run_is_reported(suite, tmp_path):
    shutil.copytree(suite / 'demo/full/seed1', tmp_path / 'demo/full/seed1', symlinks=True)
    path = offline_runs.log_file(tmp_path / 'demo/full/seed1/first')
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    [record] = find_runs(tmp_path)
    assert record.corrupt and not record.finished and record.exit_code == 0


def test_truncated_last_attempt(suite, tmp_path):
    shutil.copytree(suite / 'demo/full/seed0/a', tmp_path / 'a', symlinks=True)
    path = offline_runs.log_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    [record] = find_runs(tmp_path)
    assert record.truncated and not record.finished and record.exit_code is None
    assert len(record.evaluations) == 1


@pytest.mark.parametrize('content', [b'', b':W&B', b'not a log at all' * 20])
def test_log_without_a_beginning_is_known_by_its_folder(tmp_path, content):
    path = tmp_path / 'demo/sub/full/seed12/wandb/offline-run-1-abc/run-abc.wandb'
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    [record] = find_runs(tmp_path)
    assert (record.uid, record.config, record.seed) == ('abc', 'demo/sub/full', 12)
    assert record.config_hash is None and not record.finished


def test_freshly_opened_attempt_is_the_last_one(suite, tmp_path):
    """A resumed run whose new log holds nothing yet is going on, not finished."""
    shutil.copytree(suite / 'demo/full/seed0/a', tmp_path / 'a', symlinks=True)
    uid = 'demo-full-0-012345'
    new = tmp_path / f'b/wandb/offline-run-20000101_000000-{uid}/run-{uid}.wandb'
    new.parent.mkdir(parents=True)
    new.write_bytes(b'')
    [record] = find_runs(tmp_path)
    assert [attempt.exit_code for attempt in record.attempts] == [0, None]
    assert not record.finished and record.seed == 0


def test_foreign_identity_is_no_identity(suite):
    [record] = find_runs(suite.parent / 'odd')
    assert (record.config, record.seed, record.config_hash) == (None, None, None)
    assert (record.overrides, record.complexity) == ({}, {})


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match='nowhere does not exist'):
        find_runs(tmp_path / 'nowhere')


@pytest.mark.skipif(os.geteuid() == 0, reason='root can read any file, whatever its mode')
def test_unreadable_log_is_named(suite, tmp_path):
    shutil.copytree(suite / 'demo/full/seed0/a', tmp_path / 'a', symlinks=True)
    offline_runs.log_file(tmp_path).chmod(0)
    with pytest.raises(InputError, match='run-demo'):
        find_runs(tmp_path)


def test_split_by_phase():
    rows = [
        {'iter': 1, 'epoch': 1, 'train/loss': 2, 'val/acc': 3, 'lr': 4},
        {'epoch': 1, 'train/loss': 9},
        {'iter': None, 'train/loss': 9},
        {'iter': 2, 'test/acc': 5},
    ]
    assert split_by_phase(rows) == {
        'train': [{'iter': 1, 'epoch': 1, 'train/loss': 2}],
        'val': [{'iter': 1, 'epoch': 1, 'val/acc': 3}],
        'test': [{'iter': 2, 'test/acc': 5}],
    }


def test_order_does_not_depend_on_the_file_system(suite, tmp_path, monkeypatch):
    expected = [(r.uid, r.job_type, r.attempts) for r in find_runs(suite)]
    listed = list(os.walk(suite))
    random.Random(0).shuffle(listed)
    monkeypatch.setattr(os, 'walk', lambda *args, **kwargs: iter(listed))
    assert [(r.uid, r.job_type, r.attempts) for r in find_runs(suite)] == expected
