"""How far a run is, by whatever its record says."""

from dataclasses import replace

import pytest

from mmaction_ext.suites.progress import (
    TAIL_BYTES,
    Progress,
    glance,
    is_count,
    last_error,
    last_value,
    progress,
    schedule_of,
    total_iterations,
)
from mmaction_ext.tracking.ledger.forms import HeartbeatFile
from mmaction_ext.tracking.reading.record import Attempt, RunRecord


def running(rows=(), last=8, **facts):
    """A record of a run that lives."""
    attempt = Attempt(
        path='path',
        start_time=1.0,
        host='host',
        commit='commit',
        last_iter=last,
        exit_code=None,
        corrupt=False,
        truncated=False,
    )
    return RunRecord(
        'uid',
        'train',
        attempts=(attempt,),
        state='running',
        rows=dict(train=list(rows)),
        **facts,
    )


@pytest.mark.parametrize(
    ('rows', 'schedule', 'total'),
    [
        ({'val': [{'iter': 30, 'epoch': 3}]}, ('epoch', 10), 100),
        ({'val': [{'iter': 31, 'epoch': 3}]}, ('epoch', 10), 50),  # not at the end of an epoch
        ({}, ('epoch', 10), 50),
        ({}, ('iter', 7), 7),
        ({}, None, None),
    ],
)
def test_length_of_a_schedule(rows, schedule, total):
    record = RunRecord('uid', 'train', rows=rows, recipe=dict(global_batch_size=4))
    record.data = dict(train=dict(num_samples=17))
    assert total_iterations(record, schedule) == total


def test_last_value_prefers_the_test_over_validation_over_the_loss():
    record = RunRecord('uid', 'train', rows={'train': [{'train/loss': 1.5}]})
    assert last_value(record) == ('train/loss', 1.5)
    record.rows['val'] = [{'val/acc/top1': 0.5}, {'val/mAP': 0.2}]
    assert last_value(record) == ('val/acc/top1', 0.5)
    assert last_value(record, ('test/mAP',)) == ('val/mAP', 0.2)


def test_time_left_is_that_of_the_rest_at_the_median_pace_of_late():
    rows = [{'iter': i, 'train/time': 100.0 if i < 30 else i % 3} for i in range(1, 51)]
    found = progress(running(rows, 50), ('iter', 60), now=0.0)
    assert (found.iteration, found.total, found.fraction, found.seconds_left) == (
        50,
        60,
        50 / 60,
        10.0,
    )
    record = running(rows, 50)
    record.state = 'killed'
    assert progress(record, ('iter', 60)).seconds_left is None
    assert progress(running(rows, 70), ('iter', 60)).seconds_left == 0
    assert progress(running(rows, 70), ('iter', 60)).fraction == 1


def test_heartbeat_of_a_living_run_is_ahead_of_its_log():
    beat = HeartbeatFile(iter=12, time=95.0)
    found = progress(running(heartbeat=beat), ('iter', 20), now=100.0)
    assert (found.iteration, found.heartbeat_age) == (12, 5.0)
    assert (
        progress(running(heartbeat=HeartbeatFile(iter=3, time=105.0)), None, now=100.0).iteration
        == 8
    )
    assert (
        progress(
            running(heartbeat=HeartbeatFile(iter=12, time=105.0)), None, now=100.0
        ).heartbeat_age
        == 0
    )
    record = running(heartbeat=beat)
    record.state = 'finished'
    found = progress(record, ('iter', 20), now=100.0)
    assert (found.iteration, found.heartbeat_age) == (8, None)


def test_share_by_epochs_where_nobody_knows_how_long_one_is():
    found = progress(running([{'iter': 8, 'epoch': 3}]), ('epoch', 4))
    assert (found.total, found.fraction) == (None, 0.5)


@pytest.mark.parametrize(
    'recipe, expected',
    [
        (dict(train_cfg=dict(max_epochs=3)), ('epoch', 3)),
        (dict(train_cfg=dict(max_iters=7)), ('iter', 7)),
        ({}, None),
        (dict(train_cfg=dict(max_epochs=0)), None),
    ],
)
def test_schedule_of_a_record(recipe, expected):
    assert schedule_of(running(recipe=recipe)) == expected


@pytest.mark.parametrize(
    'value, expected',
    [(1, True), (0, False), (True, False), (1.0, False), (10**15 - 1, True), (10**15, False)],
)
def test_what_can_be_a_number_of_iterations(value, expected):
    assert is_count(value) is expected
    assert is_count(0, least=0)


def test_error_is_its_last_line_or_the_signal():
    assert last_error(running()) == '' == last_error(RunRecord('uid', 'train'))
    assert last_error(running(last_error='ValueError: x')) == 'ValueError: x'
    killed = Attempt(
        path='path',
        start_time=1.0,
        host='host',
        commit='commit',
        last_iter=8,
        exit_code=143,
        corrupt=False,
        truncated=False,
        signal='SIGTERM',
    )
    assert last_error(RunRecord('uid', 'train', attempts=(killed,))) == 'ended by SIGTERM'


def test_a_glance_tells_the_same_without_the_whole_log(project, hold):
    folder = project.train('full', 0, exit_code=None, last=5)
    hold(folder)
    found = glance(project.runs, 'demo/full/seed0')
    assert (found.iteration, found.total, found.fraction) == (5, 8, 5 / 8)
    assert found.seconds_left == 3 * 0.5
    assert (found.metric, found.value) == ('val/acc/top1', 0.25)
    whole = (folder / 'metrics.jsonl').read_bytes()
    (folder / 'metrics.jsonl').write_bytes(b'x' * TAIL_BYTES + b'\n' + whole + whole[:30])
    assert glance(project.runs, 'demo/full/seed0') == replace(
        found, heartbeat_age=pytest.approx(found.heartbeat_age, abs=30)
    )


def test_a_glance_at_no_run(project):
    project.folder('full', 0).mkdir(parents=True)
    assert glance(project.runs, 'demo/full/seed0') == Progress()
    (project.folder('full', 0) / 'run.json').write_text('{')
    assert glance(project.runs, 'demo/full/seed0') == Progress()
