import json
import time

import ledger_runs
import pytest
from ledger_runs import attempt, write_ledger
from offline_runs import MARKUP, history

from mmaction_ext.tracking.records import split_by_phase

WHOLE = history(0.75)
PHASES = split_by_phase(WHOLE)


@pytest.fixture
def snapshot(place):
    """Write a snapshot of the run; returns its path."""
    def write(rows, project='lab/p', **facts):
        path = place.root / '.online' / project / f'{place.uid}-train.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**dict(
            schema=1, url='https://example.org/x', uid=place.uid, job_type='train', name=MARKUP,
            group='g', state='finished', exit_code=0, host='h', commit='c', start_time=5.0,
            imported=False, rows=rows,
            config=dict(identity=dict(config='demo/full', seed=0, config_hash='h'))), **facts}))
        return path
    return write


def test_online_run_alone(place, snapshot):
    snapshot(WHOLE)
    [record] = place.find()
    assert record.finished and record.state == 'finished' and not record.imported
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert (record.name, record.config, record.sources) == (MARKUP, 'demo/full',
                                                            ('wandb-online',))
    assert record.fragments[0].path == f'.online/lab/p/{place.uid}-train.json'
    assert (record.fragments[0].host, record.folder) == ('h', '')


def test_history_of_a_resumed_run_is_cut_where_it_goes_back(place, snapshot):
    snapshot([*history(0.5, 1, 6), *history(0.75, 5, 8)])
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert [fragment.exit_code for fragment in record.fragments] == [None, 0]
    assert [item.fragment.exit_code for item in record.evaluations] == [None, 0]


@pytest.mark.parametrize(('told', 'exit_code', 'state', 'code'), [
    ('finished', None, 'finished', 0), ('failed', 7, 'failed', 7), ('failed', None, 'failed', 1),
    ('crashed', None, 'killed', None), ('crashed', 255, 'killed', None),
    ('running', None, 'unknown', None), ('preempted', None, 'killed', None),
    ('odd', None, 'unknown', None)])
def test_state(place, snapshot, told, exit_code, state, code):
    snapshot(WHOLE, state=told, exit_code=exit_code)
    [record] = place.find()
    assert (record.state, record.exit_code) == (state, code)


@pytest.mark.parametrize(('seconds_ago', 'state'), [
    (0, 'running'), (170, 'running'), (-170, 'running'), (190, 'unknown'), (-190, 'unknown')])
def test_copy_of_a_running_run_grows_old(place, snapshot, seconds_ago, state):
    """Nobody can tell what has become of it since."""
    snapshot(WHOLE, state='running', exit_code=None, seen=dict(updated=time.time() - seconds_ago))
    assert place.find()[0].state == state
    snapshot(WHOLE, state='finished', seen=dict(updated=time.time() - seconds_ago))
    assert place.find()[0].state == 'finished'


@pytest.mark.parametrize(('url', 'expected'), [
    ('https://example.org/x', 'https://example.org/x'), ('http://localhost:8080/a?b=c',) * 2,
    ('javascript:alert(1)', ''), ('https://x\nHost: y', ''), (7, ''), (None, '')])
def test_page_of_the_run(place, snapshot, url, expected):
    snapshot(WHOLE, url=url)
    assert place.find()[0].url == expected


def test_phase_that_nobody_else_has_replaces_nothing(place, snapshot):
    write_ledger(place.folder, [row for row in history(None, 1, 6, test=False)
                                if 'train/loss' in row], attempts=[attempt(1, None)])
    snapshot(WHOLE, config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}


def test_snapshot_of_a_run_that_is_here(place, snapshot):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb='https://example.org/x')])
    snapshot(WHOLE, config={})
    [record] = place.find()
    assert record.sources == ('ledger', 'wandb-online') and len(record.fragments) == 1
    assert not record.conflicts and len(record.evaluations) == 1 and record.finished


def test_snapshot_that_disagrees(place, snapshot):
    log = place.add_log('whole')
    path = snapshot(history(0.8)).relative_to(place.root)
    [record] = place.find()
    assert record.conflicts[0] == (
        f'test/acc/top1 at iteration 8: 0.8 (wandb-online {path}) against 0.75 '
        f'(wandb-offline demo/full/seed0/{log})')


def test_two_snapshots_that_disagree(place, snapshot):
    snapshot(WHOLE)
    snapshot(history(0.8), 'lab/q')
    assert [text.partition(' ')[0] for text in place.find()[0].conflicts] == [
        'test/acc/top1', 'test/checkpoint_sha256', 'test/motion/within_pair']


def test_run_that_went_on_elsewhere(place, snapshot):
    write_ledger(place.folder, history(None, 1, 6, test=False), attempts=[attempt(1, None)])
    snapshot([*history(None, 1, 6, test=False), *history(0.75, 5, 8)], config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert record.state == 'finished' and not record.conflicts
    assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75]


def test_run_that_began_elsewhere(place, snapshot):
    write_ledger(place.folder, history(0.75, 5, 8))
    snapshot(history(None, 1, 6, test=False), state='crashed', config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert record.finished and [fragment.source for fragment in record.fragments] == [
        'wandb-online', 'ledger']


def test_run_of_another_project(place, snapshot):
    snapshot(WHOLE, imported=True)
    assert place.find()[0].imported
    write_ledger(place.folder, WHOLE)
    assert not place.find()[0].imported


def test_numbers_that_json_does_not_have_and_nested_ones(place, snapshot):
    snapshot([{'iter': 1, 'train/loss': 'NaN', 'train/x': {'low': '-Infinity'}}])
    [row] = place.find()[0].rows['train']
    assert row['train/loss'] != row['train/loss'] and row['train/x.low'] == float('-inf')


@pytest.mark.parametrize('content', ['', '[]', '{"uid": "x"}', '{"uid": "x", "rows": 3}',
                                     '{"uid": "x", "rows": [1]}'])
def test_damaged_snapshot_is_seen(place, snapshot, content):
    snapshot(WHOLE).write_text(content)
    [record] = place.find()
    assert record.corrupt and not record.finished and record.damage


def test_only_snapshots_at_their_place_count(place, snapshot):
    path = snapshot(WHOLE)
    other = place.root / 'x/.online/lab/p'
    other.mkdir(parents=True)
    path.rename(other / path.name)
    assert place.find() == []


def test_long_history_is_thinned(place, snapshot):
    rows = [{'iter': i, 'train/loss': 1 / i} for i in range(1, 2501)]
    snapshot(rows)
    [record] = place.find()
    assert 500 <= len(record.rows['train']) <= 1000 and record.last_iter == 2500
    assert record.rows['train'][-1] == rows[-1]
    assert ledger_runs.identity().uid == record.uid
