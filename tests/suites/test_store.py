"""The journal of a suite, and who has which run."""

import json
import time

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.suites import store
from mmaction_ext.suites.store import Handed, Suite, all_suites, handing_time, in_hand


def handed(run, handle='', executor='local', when=1.0):
    return Handed(f'{run}/seed0', executor, handle, 'hash', when)


def test_last_word_on_a_run_counts(tmp_path):
    suite = Suite(tmp_path, 'demo').make()
    assert suite.handed() == {}
    suite.hand([handed('a'), handed('b')])
    suite.take_back(['a/seed0'], 'done')
    assert suite.handed() == {'b/seed0': handed('b')}
    suite.hand([handed('a', '7_1', 'slurm', 2.0)])
    assert suite.handed()['a/seed0'].handle == '7_1'


def test_line_that_a_kill_cut_costs_no_other(tmp_path):
    suite = Suite(tmp_path, 'demo').make()
    suite.hand([handed('a')])
    journal = suite.folder / 'journal.jsonl'
    whole = journal.read_bytes()
    for end in range(len(whole)):
        journal.write_bytes(whole[:end])
        assert suite.handed() in ({}, {'a/seed0': handed('a')})
        suite.hand([handed('b')])
        assert suite.handed()['b/seed0'] == handed('b')


def test_lines_that_are_none_of_ours_are_passed_over(tmp_path):
    suite = Suite(tmp_path, 'demo').make()
    suite.hand([handed('a')])
    line = dict(vars(handed('b', '1_0', 'slurm')), event='handed')
    damaged = (
        {},
        dict(line, run=7),
        dict(line, handle=[]),
        dict(line, time='x'),
    )
    with open(suite.folder / 'journal.jsonl', 'a') as journal:
        journal.writelines(json.dumps(each) + '\n' for each in damaged)
    assert suite.handed() == {'a/seed0': handed('a')}
    odd = Handed('x', 'local', '', 'hash', 1.0)
    assert (odd.row, odd.seed) == ('x', 0)
    assert (handed('a/b').row, handed('a/b').seed) == ('b', 0)


def test_journal_of_many_launches_is_read_once_between_two_changes(tmp_path, monkeypatch):
    suite = Suite(tmp_path, 'demo').make()
    suite.hand([handed('a'), handed('b')])
    suite.take_back(['a/seed0'], 'x' * (17 << 20))
    assert suite.handed() == {'b/seed0': handed('b')}
    with monkeypatch.context() as patch:
        patch.setattr(store, 'read_regular', lambda *_: 1 / 0)
        assert suite.handed() == {'b/seed0': handed('b')}
    Suite(tmp_path, 'demo').cancel(['b/seed0'])  # as another process does
    assert suite.cancelled() == {'b/seed0'}


def test_cluster_that_is_gone_need_not_be_asked_about_runs_that_are_through(project):
    """Its journals name the jobs for ever; a machine without that cluster goes on."""
    suite = Suite(project.runs, 'demo').make()
    suite.hand([Handed('demo/full/seed0', 'slurm', '1_0', 'hash', 1.0)])

    def queued(handles):
        raise InputError('squeue cannot be called')

    project.train('full', 0)
    assert in_hand(project.runs, queued) == {}
    project.train('full', 0, exit_code=None)
    with pytest.raises(InputError, match='still has runs of suite demo: squeue cannot be called'):
        in_hand(project.runs, queued)


def test_runs_in_hand_of_all_suites(tmp_path):
    mine, cluster = (Suite(tmp_path, name).make() for name in ('mine', 'cluster'))
    mine.hand([handed('a')])
    cluster.hand([handed('b', '1_0', 'slurm'), handed('c', '1_1', 'slurm')])
    asked = []

    def queued(handles):
        asked.append(set(handles))
        return {'1_1'}

    found = in_hand(tmp_path, queued)
    assert list(found) == ['c/seed0']
    assert asked == [{'1_0', '1_1'}]
    assert str(found['c/seed0']) == 'suite cluster: slurm job 1_1'
    with mine.launch.held('launch of mine'):
        assert set(in_hand(tmp_path, queued)) == {'a/seed0', 'c/seed0'}
        assert 'launch of mine' in str(in_hand(tmp_path, queued)['a/seed0'])
    assert [suite.name for suite in all_suites(tmp_path)] == ['cluster', 'mine']


def test_no_cluster_is_asked_without_jobs_on_one(tmp_path):
    Suite(tmp_path, 'mine').make().hand([handed('a')])
    assert in_hand(tmp_path, lambda handles: 1 / 0) == {}


@pytest.mark.parametrize('name', ['', '.', '../x', 'a/b', '-x', 'a b', 'x' * 200])
def test_names_that_are_no_folder_are_refused(tmp_path, name):
    with pytest.raises(InputError, match='a suite is named'):
        Suite(tmp_path, name)


def test_run_is_handed_over_later_than_ever_before_whatever_the_clock_says(tmp_path):
    now = time.time()
    assert handing_time(tmp_path, {'a/seed0'}) >= now
    ahead = Suite(tmp_path, 'ahead').make()
    ahead.hand([handed('a', when=now + 9000), handed('b', when=now + 500)])
    ahead.take_back(['a/seed0'], 'done')
    assert now + 9000 < handing_time(tmp_path, {'a/seed0', 'b/seed0'}) < now + 9001
    assert now + 500 < handing_time(tmp_path, {'b/seed0'}) < now + 501
    assert handing_time(tmp_path, {'c/seed0'}) < now + 400
