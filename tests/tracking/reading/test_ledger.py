"""The small files of a run's folder, one by one."""

import json

import ledger_runs
import pytest
from ledger_runs import beat, write_ledger, write_test_result
from offline_runs import history

from mmaction_ext.tracking.ledger.forms import ResultFile, RunFile
from mmaction_ext.tracking.reading.ledger import LedgerRun, as_dict, read_ledger

TEST = history(0.75)[-1]


def test_folder_of_a_run(tmp_path):
    folder = write_ledger(tmp_path / 'a/b', history(0.75))
    write_test_result(folder, TEST)
    beat(folder, 0, 5.0)
    ledger = read_ledger(tmp_path, 'a/b')
    assert (ledger.path, ledger.folder, ledger.damage) == (folder, 'a/b', [])
    assert (ledger.uid, ledger.job_type) == (ledger_runs.identity().uid, 'train')
    assert ledger.run.attempts is None and ledger.run.seed == 0
    assert [entry.number for entry in ledger.entries] == [1]
    assert ledger.heartbeat.time == 5.0 and ledger.tells_of_attempts
    assert [(result.file, result.iter) for result in ledger.results] == [('results/1-8.json', 8)]
    assert ledger.read_rows is None and ledger.logs() == {}


def test_empty_folder_tells_nothing(tmp_path):
    ledger = read_ledger(tmp_path, '.')
    assert ledger == LedgerRun(tmp_path, '.') and not ledger.tells_of_attempts
    assert (ledger.uid, ledger.job_type) == ('', 'train')


def test_early_ledger_without_an_id_has_that_of_its_identity():
    known = dict(config='demo/full', seed=0, config_hash='0123456789abcdef')
    assert LedgerRun('root', 'a', RunFile(**known)).uid == ledger_runs.identity().uid
    assert LedgerRun('root', 'a', RunFile(**known, uid='u')).uid == 'u'
    assert LedgerRun('root', 'a').uid == ''


def test_results_stand_by_their_numbers(tmp_path):
    folder = write_ledger(tmp_path / 'a', history(0.75))
    path = write_test_result(folder, TEST)
    names = ['1-8.json', '1-8-2.json', '1-8-10.json', '1-10.json', '2-1.json', '10-1.json']
    for name in names[1:]:
        (path.parent / name).write_bytes(path.read_bytes())
    (path.parent / '2-1.json').write_text('{')
    (path.parent / 'notes.txt').write_text('no result')
    results = read_ledger(tmp_path, 'a').results
    assert [result.file for result in results] == [f'results/{name}' for name in names]
    assert results[4] == ResultFile(attempt=2, iter=1, file='results/2-1.json')


@pytest.mark.parametrize(
    'content, damaged',
    [
        (dict(name='of another program'), False),
        (dict(config='a', seed='0', config_hash='h'), True),
        (dict(config='a', seed=0), False),
    ],
)
def test_run_file_of_others_is_none_of_ours(tmp_path, content, damaged):
    (tmp_path / 'run.json').write_text(json.dumps(content))
    ledger = read_ledger(tmp_path, '.')
    assert ledger.run is None and bool(ledger.damage) == damaged


def test_file_of_another_form_is_refused_with_its_name_and_key(tmp_path):
    folder = write_ledger(tmp_path / 'a', history(0.75))
    path = write_test_result(folder, TEST)
    ledger_runs.change(path, num_samples='many')
    ledger_runs.change(folder / 'run.json', attempts=[ledger_runs.attempt(pid='x')])
    (folder / 'heartbeat').write_text('{"iter": [1]}')
    ledger = read_ledger(tmp_path, 'a')
    assert ledger.damage == [
        'a/run.json is damaged: attempts.0.pid: input should be a valid integer',
        'a/heartbeat is damaged: iter: input should be a valid integer',
        'a/results/1-8.json is damaged: num_samples: input should be a valid integer',
    ]
    assert (ledger.run, ledger.entries, ledger.heartbeat) == (None, [], None)
    ledger_runs.change(folder / 'run.json', attempts=[], data=dict(train='a.txt'))
    assert read_ledger(tmp_path, 'a').damage[0] == (
        'a/run.json is damaged: data.train: input should be a valid dictionary'
    )


def test_dicts():
    assert (as_dict({'a': 1}), as_dict([]), as_dict(None)) == ({'a': 1}, {}, {})
