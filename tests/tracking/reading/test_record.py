"""What a record makes of its attempts."""

import math
from pathlib import Path

import pytest

from mmaction_ext.tracking.reading.record import (
    AttemptLog,
    Evaluation,
    Fragment,
    RunRecord,
    is_web_address,
    order,
)


def fragment(exit_code=0, corrupt=False, truncated=False, last_iter=8):
    return Fragment('path', 1.0, 'host', 'commit', last_iter, exit_code, corrupt, truncated)


@pytest.mark.parametrize(
    'attempts, expected',
    [
        ([fragment()], (0, False, False, True, 8)),
        ([fragment(1, last_iter=4), fragment()], (0, False, False, True, 8)),
        ([fragment(), fragment(None, last_iter=None)], (None, False, False, False, None)),
        ([fragment(corrupt=True), fragment()], (0, True, False, False, 8)),  # of any
        ([fragment(truncated=True), fragment()], (0, False, False, True, 8)),  # of the last
        ([fragment(), fragment(1, truncated=True)], (1, False, True, False, 8)),
    ],
)
def test_what_a_run_is_by_its_attempts(attempts, expected):
    record = RunRecord('u', 'train', fragments=tuple(attempts))
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
    tests = () if tested is None else (Evaluation({'iter': tested}, fragment()),)
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


def test_attempt_of_a_log():
    log = AttemptLog(
        'csv', path='x.csv', host='h', commit='c', exit_code=3, last_iter=5, corrupt=True, number=2
    )
    assert log.fragment() == Fragment('x.csv', math.inf, 'h', 'c', 5, 3, True, False, 2, 'csv')
    log.start_time = 0
    assert log.fragment().start_time == 0
