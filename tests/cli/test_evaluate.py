"""Evaluation from files alone: hand-made predictions, as files and behind the cells of a table."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.files.writing import file_sha256

#: true class of each of ten samples of three classes
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])


def predictions(predicted, seed=0, sure=0.8, **meta):
    """Probabilities of ``sure`` on a class, and of what is left on the next one mostly."""
    scores = np.full((len(predicted), 3), 0.0, np.float32)
    places = np.arange(len(predicted))
    scores[places, predicted] = sure
    scores[places, (np.array(predicted) + 1) % 3] = 1 - sure
    return Predictions(
        np.array([f'test/{index}.mp4' for index in range(len(predicted))]),
        LABELS[: len(predicted)],
        scores,
        dict(config='demo/full', seed=seed, data_digest='f00d', **meta),
    )


#: 8 and 6 of 10 right
GOOD = predictions([0, 0, 0, 1, 1, 1, 1, 2, 2, 0])
POOR = predictions([0, 0, 1, 1, 1, 1, 0, 2, 2, 0])


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_predictions('good.npz', GOOD)
    write_predictions('poor.npz', POOR)
    return tmp_path


@pytest.fixture
def tested(project):
    """A table of two rows and two seeds whose runs have predictions."""
    for row, content in (('base', POOR), ('full', GOOD)):
        for seed in (0, 1):
            folder = project.train(row, seed, 0.8 if row == 'full' else 0.6)
            meta = dict(content.meta, config=f'demo/{row}', seed=seed)
            write_predictions(folder / 'predictions.npz', replace(content, meta=meta))
            digest = file_sha256(folder / 'predictions.npz')
            known = dict(path='predictions.npz', sha256=digest)
            project.change(folder, 'results/1-8.json', predictions=known)
    return project


def found(command, *words):
    code, out, err = command('evaluate', *words, '--json')
    assert (code, err) == (0, '')
    return json.loads(out)


def test_accuracies_of_a_file(files, command):
    code, out, err = command('evaluate', 'good.npz', '--top', '1', '2')
    assert (code, err) == (0, '')
    # of the classes 3 of 4, 3 of 3, 2 of 3
    assert out.splitlines()[1].split() == ['good.npz', '10', '80.00', '80.00', '80.56']
    [scores] = found(command, 'good.npz')['predictions']
    assert scores['top'] == {'1': 0.8, '5': 1.0}
    assert scores['mean_class_accuracy'] == pytest.approx((3 / 4 + 1 + 2 / 3) / 3)


def test_two_models_on_the_same_samples(files, command):
    """2 samples are recognized by the first alone: p = 2 / 2**2."""
    [pair] = found(command, 'good.npz', '--versus', 'poor.npz')['comparisons']
    assert (pair['first_alone'], pair['second_alone'], pair['p_value']) == (2, 0, 0.5)
    assert pair['difference'] == pytest.approx(0.2)
    _, out, _ = command('evaluate', 'good.npz', '--versus', 'poor.npz')
    assert 'good.npz against poor.npz' in out
    assert 'top-1 +20.00 [+0.00, +50.00] (bootstrap over 10 samples)' in out
    assert 'right alone: 2 and 0; McNemar, exact: p = 0.5' in out


def test_an_ensemble_and_its_weights(files, command):
    """Where they differ, the surer one decides, and so does the one that weighs more."""
    write_predictions('unsure.npz', predictions(GOOD.scores.argmax(1), sure=0.55))
    words = ['unsure.npz', 'poor.npz', '--ensemble']
    [mean] = found(command, *words)['predictions']
    assert mean['name'] == 'mean of 2: unsure.npz, poor.npz' and mean['top']['1'] == 0.6
    [mean] = found(command, *words, '--weights', '10', '1')['predictions']
    assert mean['top']['1'] == 0.8
    both = found(command, *words, '--versus', 'good.npz', 'good.npz')
    assert both['comparisons'][0]['second_alone'] == 2


def test_classes_and_confusions(files, command):
    (files / 'names.txt').write_text('spin\nfall\n=cmd()\n')
    _, out, _ = command(
        'evaluate', 'good.npz', '--per-class', '--confusion', '--labels', 'names.txt'
    )
    lines = [' '.join(line.split()) for line in out.splitlines()]
    assert lines[4:7] == ['spin 4 75.0', 'fall 3 100.0', '=cmd() 3 66.7']
    assert lines[-2:] == ['spin fall 1 25.0', '=cmd() spin 1 33.3']
    words = ['--per-class', 'c.csv', '--confusion', 'm.csv']
    assert command('evaluate', 'good.npz', 'good.npz', *words)[0] == 0
    matrix = list(csv.reader((files / 'm.csv').open()))
    assert matrix[0] == ['true \\ predicted', 'class 0', 'class 1', 'class 2', 'none']
    assert [row[1:] for row in matrix[1:]] == [
        ['6', '2', '0', '0'],
        ['0', '6', '0', '0'],
        ['2', '0', '4', '0'],
    ]
    classes = list(csv.reader((files / 'c.csv').open()))
    assert classes[1] == ['class 0', '4', '0.75']
    gains = found(command, 'good.npz', '--versus', 'poor.npz', '--per-class')['classes']
    assert gains[0] == {
        'class': 'class 0',
        'samples': 4,
        'top-1': 0.75,
        'against': 0.5,
        'gain': 0.25,
    }


def test_rows_of_a_table_seed_by_seed(tested, command):
    content = found(command, 'demo/full', '--versus', 'demo/base')
    names = [each['name'] for each in content['predictions']]
    assert names == [f'demo/{row}/seed{seed}' for row in ('full', 'base') for seed in (0, 1)]
    assert [(each['first'], each['second']) for each in content['comparisons']] == [
        (f'demo/full/seed{seed}', f'demo/base/seed{seed}') for seed in (0, 1)
    ]
    assert content['predictions'][0]['protocol'] == dict(split='test', num_clips=1)
    _, out, _ = command('evaluate', 'demo/full')
    assert '80.00 ± 0.00' in out
    [one] = found(command, 'demo/full/1')['predictions']
    assert found(command, 'demo/full/seed1')['predictions'] == [one]
    [same] = found(command, tested.folder('full', 1))['predictions']
    assert same['top'] == one['top'] and same['protocol'] == one['protocol']


def test_another_protocol_is_told(tested, command):
    folder = tested.folder('base', 0)
    tested.change(folder, 'results/1-8.json', protocol=dict(split='test', num_clips=10))
    code, _, err = command('evaluate', 'demo/full/0', '--versus', folder)
    assert code == 0
    assert err == 'note: demo/full/seed0 was tested otherwise: num_clips 1 instead of 10\n'


def test_a_seed_without_a_result_is_told(tested, command):
    tested.change(tested.folder('full', 1), config_hash='of before')
    code, out, err = command('evaluate', 'demo/full')
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == 'note: demo/full/seed1 is stale: run of another version of the config\n'
    assert command('evaluate', 'demo/full/1')[0] == 2


@pytest.mark.parametrize(
    ('words', 'error'),
    [
        (['none.npz'], 'none.npz is no file, no folder and no TABLE/ROW or TABLE/ROW/SEED'),
        (['demo/none'], 'demo'),
        (['.'], 'there is no predictions.npz: mmaction-ext test makes it'),
        (['broken.npz'], 'broken.npz is no file of predictions'),
        (['good.npz', '--versus', 'short.npz'], 'cannot be compared: 10 and 4 samples'),
        (['good.npz', '--versus', 'other.npz'], 'but other files (their data digests differ)'),
        (['good.npz', 'poor.npz', '--versus', 'poor.npz'], '2 and 1 predictions: compare as many'),
        (['good.npz', 'other.npz', '--ensemble'], 'cannot be averaged'),
        (['good.npz', '--weights', '1'], '--weights are those of an --ensemble'),
        (['good.npz', '--ensemble', '--weights', '1', '2'], '2 weights for 1 predictions'),
        (['good.npz', '--ensemble', '--weights', '-1'], '--weights must be positive'),
        (['good.npz', '--top', '0'], '--top must be at least 1'),
        (['good.npz', '--top', '4'], '--top 4: good.npz has 3 classes'),
        (['good.npz', '--confusion', 'nowhere/m.csv'], 'nowhere/m.csv cannot be written'),
        (['good.npz', 'good.npz', '--versus', 'good.npz', 'seed3.npz'], 'their seeds are 0 and 3'),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_line(files, command, words, error):
    (files / 'broken.npz').write_bytes((files / 'good.npz').read_bytes()[:300])
    write_predictions('short.npz', predictions([0, 0, 0, 1]))
    write_predictions('other.npz', replace(GOOD, meta=dict(GOOD.meta, data_digest='beef')))
    write_predictions('seed3.npz', replace(GOOD, meta=dict(GOOD.meta, seed=3)))
    code, _, err = command('evaluate', *words)
    assert code == 2 and error in err and err.count('\n') == 1


def test_predictions_that_are_not_those_that_were_measured(tested, command):
    path = tested.folder('full', 0) / 'predictions.npz'
    write_predictions(path, POOR)
    code, _, err = command('evaluate', 'demo/full/0')
    assert code == 2 and 'is not that which was measured: mmaction-ext test makes it anew' in err
    path.unlink()
    code, _, err = command('evaluate', 'demo/full/0')
    assert code == 2 and 'predictions.npz is gone' in err
    code, _, err = command('evaluate', 'demo/both/0')
    assert code == 2 and 'no test of its own' in err


def test_names_in_files_paint_no_terminal(files, command, markup):
    (files / 'names.txt').write_text(markup.splitlines()[0] + '\nb\nc\n')
    _, out, _ = command('evaluate', 'good.npz', '--per-class', '--labels', 'names.txt')
    assert '\x1b' not in out and '\u202e' not in out
