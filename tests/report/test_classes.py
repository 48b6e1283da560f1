from dataclasses import replace

import numpy as np
import pytest

from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.report.classes import row_accuracies
from mmaction_ext.report.runs import runs_by_uid
from mmaction_ext.tables.run_summary import summaries


def accuracies(table, runs, row='base', checked=True):
    [found] = [each for each in table.rows if each.id == row]
    values, is_checked = row_accuracies(table, found, runs_by_uid(summaries(runs, [table])))
    assert is_checked is checked
    return values


def logged(make, row, seed, *values, **facts):
    metrics = {f'test/class/top1_{i:03d}': value for i, value in enumerate(values)}
    return make.run(row, seed, metrics, **facts)


@pytest.fixture
def runs(make, tmp_path):
    """Three seeds of one row, which logged no accuracies of classes."""
    return [make.run('base', seed, folder=f'base/seed{seed}', root=tmp_path) for seed in range(3)]


def write(record, labels, predicted, sha):
    scores = np.eye(3, dtype=np.float32)[predicted]
    record.path.mkdir(parents=True, exist_ok=True)
    record.evaluations[0].values['test/num_samples'] = len(labels)
    path = record.path / 'predictions.npz'
    write_predictions(
        path,
        Predictions(
            np.array([f'{i}' for i in range(len(labels))]),
            np.array(labels),
            scores,
            dict(checkpoint_sha256=sha),
        ),
    )
    return path


def tell(record, **facts):
    """Let a run's result say more of its test."""
    record.evaluations = tuple(replace(item, **facts) for item in record.evaluations)


def test_mean_over_seeds_of_what_was_logged(table, make):
    runs = [logged(make, 'base', seed, seed / 2, 1.0) for seed in range(3)]
    assert accuracies(table, runs) == {'class 0': 0.5, 'class 1': 1.0}


def test_a_seed_without_them_leaves_none(table, make):
    runs = [logged(make, 'base', seed, 1.0) for seed in range(2)] + [make.run('base', 2)]
    assert accuracies(table, runs) == {}
    assert accuracies(table, []) == {} == accuracies(table, runs, 'other')


def test_another_checkpoint_does_not_count(table, make):
    runs = [logged(make, 'base', seed, 1.0) for seed in range(3)]
    runs[1].evaluations[0].values['test/checkpoint_sha256'] = 'another'
    assert accuracies(table, runs) == {}


def test_test_of_an_attempt_that_failed_does_not_count(table, make):
    """Nor does one of an attempt without an end: another of the same checkpoint may."""
    for exit_code in (1, None):
        runs = [
            logged(make, 'base', seed, 1.0, attempt=make.attempt(exit_code)) for seed in range(3)
        ]
        assert accuracies(table, runs) == {}
        runs += [logged(make, 'base', seed, 0.5) for seed in range(3)]
        assert accuracies(table, runs) == {'class 0': 0.5}


def test_predictions_tell_where_nothing_was_logged(table, runs):
    for seed, record in enumerate(runs):
        predicted = [0, seed == 0, 1, 2]  # the second of class 0 is right under seeds 1 and 2
        write(record, [0, 0, 1, 1], np.array(predicted, int), f'sha of base {seed}')
    expected = pytest.approx({'class 0': (0.5 + 1 + 1) / 3, 'class 1': 0.5})
    assert accuracies(table, runs, checked=False) == expected
    for record in runs:
        digest = file_sha256(record.path / 'predictions.npz')
        tell(record, predictions=dict(path='predictions.npz', sha256=digest))
    assert accuracies(table, runs) == expected


@pytest.mark.parametrize('what', ['another file', 'gone', 'samples', 'classes', 'elsewhere'])
def test_predictions_that_are_not_those_of_the_test_do_not_count(table, runs, what):
    for seed, record in enumerate(runs):
        path = write(record, [0], [0], f'sha of base {seed}')
        if what in ('another file', 'gone'):
            facts = dict(path='predictions.npz', sha256=file_sha256(path))
            tell(record, predictions=facts)
    assert accuracies(table, runs, checked=what in ('another file', 'gone')) == {'class 0': 1.0}
    if what == 'another file':
        write(runs[1], [1], [1], 'sha of base 1')
    elif what == 'gone':
        path.unlink()
    elif what == 'elsewhere':
        tell(runs[2], predictions=dict(path='../gone.npz', sha256='0' * 64))
    elif what == 'samples':
        runs[1].evaluations[0].values['test/num_samples'] = 2
    else:
        runs[1].recipe = dict(model=dict(cls_head=dict(num_classes=4)))
    assert accuracies(table, runs, checked=what in ('another file', 'gone')) == {}


def test_predictions_of_another_checkpoint_do_not_count(table, runs):
    for seed, record in enumerate(runs):
        write(record, [0], [0], 'of a later test' if seed else 'sha of base 0')
    assert accuracies(table, runs, checked=False) == {}


def test_damaged_predictions_do_not_count(table, runs):
    for record in runs:
        record.path.mkdir(parents=True)
        (record.path / 'predictions.npz').write_bytes(b'PK\x03\x04 no archive')
    assert accuracies(table, runs) == {}
