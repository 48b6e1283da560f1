import pytest

from mmaction_ext.tracking.doctor.finding import and_more, run_name, unreadable
from mmaction_ext.tracking.reading.record import RunRecord


@pytest.mark.parametrize(
    ('facts', 'name'),
    [
        (dict(folder='a/b', config='demo/full'), 'a/b'),
        (dict(config='demo/full', seed=0), 'demo/full/seed0'),
        (dict(config='demo/full'), 'demo/full'),
        ({}, 'run x'),
    ],
)
def test_names_of_runs(facts, name):
    assert run_name(RunRecord('x', 'train', **facts)) == name


@pytest.mark.parametrize(
    ('names', 'text'),
    [('a', ''), ('aa', ''), ('ab', ' and 1 more run'), ('abca', ' and 2 more runs')],
)
def test_runs_beside_the_one_that_is_named(names, text):
    assert and_more(names) == text


def test_why_a_file_cannot_be_read():
    assert unreadable('a', 'no right').text == 'cannot be read: no right'
    assert unreadable('a').text == 'cannot be read'
