import hashlib

import numpy as np
import pytest
from doctor_runs import history, only

from mmaction_ext.evaluation.predictions import Predictions, write_predictions

RIGHT = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]  # three of four
TIED = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]]


def predicted(path, scores) -> bytes:
    """Write predictions of four samples; returns the bytes of the file."""
    write_predictions(
        path, Predictions(np.array(list('abcd')), np.array([0, 1, 1, 0]), np.array(scores), {})
    )
    return path.read_bytes()


def test_files_that_are_gone_or_differ(runs):
    first, second = runs.train(0), runs.train(1)
    (first / 'epoch_2.pth').unlink()
    (second / 'predictions.npz').write_bytes(b'other')
    found = runs.find()
    assert only(found, 'checkpoint gone')[:2] == (f'{first}/epoch_2.pth', 'warning')
    assert only(found, 'predictions differs')[:2] == (f'{second}/predictions.npz', 'error')
    quick = {check for check, _ in runs.find(hash_files=False)}
    assert 'checkpoint gone' in quick and 'predictions differs' not in quick


def test_a_file_that_cannot_be_read_is_not_another(runs):
    folder = runs.train()
    runs.change(
        folder / 'results/1-8.json', checkpoint=dict(path='/proc/self/mem', sha256='a' * 64)
    )
    place, severity, text, _ = only(runs.find(), 'unreadable')
    assert (place, severity, text) == ('/proc/self/mem', 'error', 'cannot be read')
    assert not {'checkpoint gone', 'checkpoint differs'} & {check for check, _ in runs.find()}


@pytest.mark.parametrize(
    'facts',
    [
        None,
        'text',
        {},
        dict(path='epoch_2.pth'),
        dict(path=3, sha256='a'),
        dict(path='https://example.org/a.pth', sha256='a' * 64),
    ],
)
def test_results_that_name_no_file(runs, facts):
    folder = runs.train()
    runs.change(folder / 'results/1-8.json', checkpoint=facts)
    assert not {check for check, _ in runs.find() if 'checkpoint' in check}


def test_predictions_of_the_newest_test_alone_are_judged(runs):
    """A second test of one run writes its predictions over those of the first."""
    folder = runs.train(top1=1.0, predictions=predicted(runs.root / 'a.npz', TIED))
    assert not runs.problems()
    newest = predicted(runs.root / 'b.npz', RIGHT)
    runs.attempt(folder, history(0.75)[-1:])
    runs.test(folder, 0.75, number=2, predictions=newest)
    assert not runs.problems()
    place, severity, text, _ = only(runs.find(), 'predictions replaced')
    assert (place, severity) == (f'{folder}/predictions.npz', 'note')
    assert 'an earlier result' in text
    (folder / 'predictions.npz').write_bytes((runs.root / 'a.npz').read_bytes())
    assert runs.problems() == {('predictions differs', f'{folder}/predictions.npz')}


def test_a_second_test_that_predicts_the_same_replaces_nothing(runs):
    folder = runs.train(top1=0.75, predictions=predicted(runs.root / 'a.npz', RIGHT))
    runs.attempt(folder, history(0.75)[-1:])
    runs.test(folder, 0.75, number=2, predictions=(runs.root / 'a.npz').read_bytes())
    assert 'predictions replaced' not in {check for check, _ in runs.find()}
    (folder / 'predictions.npz').unlink()
    assert runs.problems() == {('predictions gone', f'{folder}/predictions.npz')}


def test_two_tests_of_one_attempt(runs):
    folder = runs.train(predictions=b'first', metrics_bytes=None)
    runs.append(folder, history(0.75)[-1:])
    runs.test(folder, 0.75, predictions=b'second')
    assert sorted(path.name for path in (folder / 'results').iterdir()) == [
        '1-8-2.json',
        '1-8.json',
    ]
    found = {check for check, _ in runs.find()}
    assert 'predictions replaced' in found and 'predictions differs' not in found


def test_runs_that_name_one_file_are_judged_each(runs):
    """A run that was trained again does not excuse what a test of its own folder tells."""
    first, second = runs.train(0), runs.train(1)
    (second / 'epoch_2.pth').write_bytes(b'others')
    digest = hashlib.sha256(b'others').hexdigest()
    runs.change(second / 'results/1-8.json', checkpoint=dict(path='epoch_2.pth', sha256=digest))
    runs.change(
        first / 'results/1-8.json',
        checkpoint=dict(
            path='../seed1/epoch_2.pth', sha256=hashlib.sha256(b'weights').hexdigest()
        ),
    )
    assert only(runs.find(), 'checkpoint differs')[:2] == (f'{second}/epoch_2.pth', 'error')


@pytest.mark.parametrize(
    ('scores', 'top1', 'is_wrong'),
    [
        (RIGHT, 0.75, False),
        (RIGHT, 0.5, True),
        (TIED, 0.75, False),
        (TIED, 1.0, False),
        (TIED, 0.5, True),
    ],
)
def test_accuracy_is_taken_again_from_predictions(runs, scores, top1, is_wrong):
    folder = runs.train(top1=top1, predictions=predicted(runs.root / 'a.npz', scores))
    assert ('accuracy differs' in {check for check, _ in runs.find()}) == is_wrong
    if is_wrong:
        place, severity, text, _ = only(runs.find(), 'accuracy differs')
        assert (severity, place) == ('error', f'{folder}/predictions.npz')
        assert text.endswith(f'a result of {folder} says {top1}')
    assert 'accuracy differs' not in {check for check, _ in runs.find(hash_files=False)}
