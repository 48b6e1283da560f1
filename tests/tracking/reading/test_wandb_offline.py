"""A log of wandb as an attempt."""

from pathlib import Path

import pytest

from mmaction_ext.tracking.reading.wandb_log import read_log
from mmaction_ext.tracking.reading.wandb_offline import read_attempt

LOG = Path(__file__).with_name('data') / 'wandb-0.31.0.log'


def test_attempt_says_what_the_log_says():
    log, [attempt] = read_log(LOG), read_attempt(LOG)
    assert (attempt.source, attempt.job_type, attempt.number) == ('wandb-offline', 'train', None)
    for name in (
        'name',
        'group',
        'host',
        'commit',
        'start_time',
        'exit_code',
        'last_iter',
        'config',
    ):
        assert getattr(attempt, name) == getattr(log, name), name
    assert attempt.uid == log.uid and attempt.rows.keys() == {'train', 'val', 'test'}
    assert [row['iter'] for row in attempt.rows['val']] == [4, 8]
    assert not attempt.corrupt and not attempt.truncated and not attempt.imported


@pytest.mark.parametrize(
    'change, corrupt, truncated',
    [
        (lambda data: data[:-3], False, True),
        (lambda data: data[:3000] + b'x' + data[3001:], True, False),
    ],
)
def test_damage_is_told(tmp_path, change, corrupt, truncated):
    path = tmp_path / 'run-u.wandb'
    path.write_bytes(change(LOG.read_bytes()))
    [attempt] = read_attempt(path)
    assert (attempt.corrupt, attempt.truncated) == (corrupt, truncated)


def test_log_of_which_nothing_is_left_is_a_training(tmp_path):
    (tmp_path / 'run-u.wandb').touch()
    [attempt] = read_attempt(tmp_path / 'run-u.wandb')
    assert (attempt.uid, attempt.job_type, attempt.rows) == ('u', 'train', {})
    assert attempt.truncated
