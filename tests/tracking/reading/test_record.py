"""What a record makes of its attempts."""

import math
from pathlib import Path

import pytest

from mmaction_ext.tracking.reading.record import (
    Attempt,
    Evaluation,
    RunRecord,
    is_web_address,
    oldest_first,
    order,
)


def attempt(exit_code=0, corrupt=False, truncated=False, last_iter=8, resumed_from=None):
    return Attempt(
        path='path',
        start_time=1.0,
        host='host',
        commit='commit',
        last_iter=last_iter,
        exit_code=exit_code,
        corrupt=corrupt,
        truncated=truncated,
        resumed_from=resumed_from,
    )


@pytest.mark.parametrize(
    'attempts, expected',
    [
        ([attempt()], (0, False, False, True, 8)),
        ([attempt(1, last_iter=4), attempt()], (0, False, False, True, 8)),
        ([attempt(), attempt(None, last_iter=None)], (None, False, False, False, None)),
        # resumed, with nothing left to do
        ([attempt(), attempt(last_iter=None, resumed_from=8)], (0, False, False, True, 8)),
        ([attempt(corrupt=True), attempt()], (0, True, False, False, 8)),  # of any
        ([attempt(truncated=True), attempt()], (0, False, False, True, 8)),  # of the last
        ([attempt(), attempt(1, truncated=True)], (1, False, True, False, 8)),
    ],
)
def test_what_a_run_is_by_its_attempts(attempts, expected):
    record = RunRecord('u', 'train', attempts=tuple(attempts))
    assert (
        record.exit_code,
        record.corrupt,
        record.truncated,
        record.finished,
        record.last_iter,
    ) == expected


NAN, SOUND = ({'iter': 8, 'train/loss': loss} for loss in (math.nan, 0.5))


@pytest.mark.parametrize(
    'rows, tested, expected',
    [
        ([NAN], None, True),
        ([{'iter': 4, 'train/loss': math.inf}, SOUND], None, False),
        ([SOUND], None, False),
        ([{'iter': 4, 'train/time': 1.0}], None, False),
        ([NAN, {'iter': 9, 'train/time': 1.0}], None, True),
        ([NAN], 4, True),
        ([NAN], 8, False),
    ],
)  # a test of sound scores, before or since
def test_a_run_whose_last_loss_is_not_finite_diverged(rows, tested, expected):
    tests = () if tested is None else (Evaluation({'iter': tested}, attempt()),)
    record = RunRecord('u', 'train', rows=dict(train=rows), evaluations=tests)
    assert record.diverged is expected


def test_path_needs_a_folder_and_where_it_lies():
    assert RunRecord('u', 'train', folder='a/b', root=Path('runs')).path == Path('runs/a/b')
    assert RunRecord('u', 'train', folder='a/b').path is None
    assert RunRecord('u', 'train', root=Path('runs')).path is None


@pytest.mark.parametrize(
    'text, expected',
    [
        ('https://wandb.ai/a/b', True),
        ('http://localhost:8080', True),
        ('https://', False),
        ('ftp://a', False),
        ('javascript:alert(1)', False),
        (' https://a', False),
        ('https://a b', False),
        ('https://a\n', False),
        ('', False),
    ],
)
def test_address_of_the_web(text, expected):
    assert is_web_address(text) is expected


def test_records_stand_by_config_seed_hash_and_id_the_training_first():
    records = [
        RunRecord('u', 'train'),
        RunRecord('u', 'train', 'a'),
        RunRecord('u', 'train', 'a', 2),
        RunRecord('u', 'test', 'a', 2),
        RunRecord('u', 'train', 'a', 2, folder='x'),
        RunRecord('v', 'train', 'a', 2),
        RunRecord('a', 'train', 'a', 2, 'h'),
        RunRecord('u', 'train', 'a', 10),
        RunRecord('u', 'train', 'b', 0),
    ]
    expected = [0, 1, 2, 4, 3, 5, 6, 7, 8]
    assert sorted(records, key=order) == [records[place] for place in expected]


def test_attempt_of_which_nobody_knows_the_start_has_just_begun():
    open_log, old = Attempt(host='h', pid=7), Attempt(host='h', pid=7, start_time=1.00049)
    assert open_log.origin == ('h', 7, math.inf) and old.origin == ('h', 7, 1.0)
    assert oldest_first([open_log, old]) == [old, open_log]
    first, second = Attempt(number=1, start_time=9.0), Attempt(number=2, start_time=1.0)
    assert oldest_first([first, second]) == [first, second], 'clocks go back'


def test_attempt_in_a_record_holds_no_rows():
    rows = {'train': {(1, 0): {'iter': 1}}}
    attempt = Attempt(number=1, phases=rows, config=dict(a=1), exit_code=0)
    assert attempt.without_rows() == Attempt(number=1, exit_code=0) and attempt.phases == rows
