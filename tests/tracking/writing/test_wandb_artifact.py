"""Names of artifacts, calls that may hang, and where W&B keeps its copies."""

import os
import threading

import pytest

from mmaction_ext.tracking.writing.wandb_artifact import artifact_name, staging_in, within


def test_artifact_is_named_by_config_and_seed():
    identity = dict(config='dcf/table1 (a)/full:x', seed=2)
    assert artifact_name(identity) == 'dcf-table1--a--full-x-seed2'


def test_long_names_are_cut_where_they_differ_least():
    names = {artifact_name(dict(config='a/' * 100 + 'full', seed=seed)) for seed in (1, 2)}
    assert {len(name) for name in names} == {128} and len(names) == 2


def test_a_call_that_ends_gives_what_it_gives():
    assert within(60, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        within(60, divmod, 7, 0)


def test_a_call_that_hangs_is_left_behind():
    released = threading.Event()
    with pytest.raises(TimeoutError, match=r'0.05 s'):
        within(0.05, released.wait)
    released.set()


def test_copies_lie_with_the_run_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv('WANDB_DATA_DIR', raising=False)
    with pytest.raises(KeyError), staging_in(tmp_path / 'run'):
        assert os.environ['WANDB_DATA_DIR'] == str(tmp_path / 'run')
        raise KeyError
    assert 'WANDB_DATA_DIR' not in os.environ
    monkeypatch.setenv('WANDB_DATA_DIR', '/scratch')
    with staging_in(tmp_path):
        assert os.environ['WANDB_DATA_DIR'] == '/scratch'
    assert os.environ['WANDB_DATA_DIR'] == '/scratch'
