"""The journal of a suite, and who has which run."""

import time

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.suites.store import Handed, Suite, all_suites, handing_time, in_hand


def handed(run, handle='', executor='local', when=1.0):
    return Handed(run, executor, handle, 'hash', when)


def test_last_word_on_a_run_counts(tmp_path):
    suite = Suite(tmp_path, 'demo').make()
    assert suite.handed() == {}
    suite.hand([handed('a'), handed('b')])
    suite.take_back(['a'], 'done')
    assert suite.handed() == {'b': handed('b')}
    suite.hand([handed('a', '7_1', 'slurm', 2.0)])
    assert suite.handed()['a'].handle == '7_1'


def test_line_that_a_kill_cut_costs_no_other(tmp_path):
    suite = Suite(tmp_path, 'demo').make()
    suite.hand([handed('a')])
    journal = suite.folder / 'journal.jsonl'
    whole = journal.read_bytes()
    for end in range(len(whole)):
        journal.write_bytes(whole[:end])
        assert suite.handed() in ({}, {'a': handed('a')})
        suite.hand([handed('b')])
        assert suite.handed()['b'] == handed('b')


def test_runs_in_hand_of_all_suites(tmp_path):
    mine, cluster = (Suite(tmp_path, name).make() for name in ('mine', 'cluster'))
    mine.hand([handed('a')])
    cluster.hand([handed('b', '1_0', 'slurm'), handed('c', '1_1', 'slurm')])
    asked = []

    def queued(handles):
        asked.append(set(handles))
        return {'1_1'}

    found = in_hand(tmp_path, queued)
    assert list(found) == ['c']
    assert asked == [{'1_0', '1_1'}]
    assert str(found['c']) == 'suite cluster: slurm job 1_1'
    with mine.launch.held('launch of mine'):
        assert set(in_hand(tmp_path, queued)) == {'a', 'c'}
        assert 'launch of mine' in str(in_hand(tmp_path, queued)['a'])
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
    assert handing_time(tmp_path, {'a'}) >= now
    ahead = Suite(tmp_path, 'ahead').make()
    ahead.hand([handed('a', when=now + 9000), handed('b', when=now + 500)])
    ahead.take_back(['a'], 'done')
    assert now + 9000 < handing_time(tmp_path, {'a', 'b'}) < now + 9001
    assert now + 500 < handing_time(tmp_path, {'b'}) < now + 501
    assert handing_time(tmp_path, {'c'}) < now + 400
