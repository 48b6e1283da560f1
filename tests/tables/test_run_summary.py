import math
import random
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tables import build_table
from mmaction_ext.tables.run_summary import (
    MAX_POINTS,
    read_summaries,
    renewed_summaries,
    summaries,
    summaries_text,
    thinned,
)


@pytest.fixture
def table(make):
    return build_table(make.spec('base', 'full'), (), make.configs('demo/base', 'demo/full'))


@pytest.fixture
def records(make):
    """Runs that say everything a run can say, or hardly anything."""
    rows = {
        'train': [{'iter': i, 'train/loss': 2 / i} for i in range(1, 251)],
        'val': [{'iter': 8, 'val/acc/top1': 1 / 3, 'val/acc/top5': math.nan}],
    }
    full = make.record(
        'demo/full',
        1,
        1 / 3,
        rows=rows,
        overrides={'lr': 0.1, 'é"</script>': None},
        complexity=dict(params=7, input_shape=[3, 8, 64, 64]),
        env={'device': 'cpu \ud800'},
        git=dict(dirty=True),
        folder='a/b',
        conflicts=('one', 'two'),
        state='finished',
        code={'a.py': '1', 'b.py': '2'},
        url='https://wandb.example/a',
        values={'test/class/top1_0': 0.5, 'test/nan': math.nan},
        test=dict(protocol=dict(resolution=[64, 64]), checkpoint=dict(path='a.pth', sha256='f')),
        attempt=dict(path='https://wandb.example/a', number=2, end_time=5.5),
    )
    killed = make.record('demo/base', 0, None, exit_code=None, state='killed')
    imported = make.record('demo/base', 1, 0.5, uid='', imported=True)
    return [full, killed, replace(imported, uid='')]


@pytest.fixture
def path(tmp_path, records, table):
    path = tmp_path / 'runs.lock.json'
    path.write_text(summaries_text(summaries(records, [table])))
    return path


def test_what_is_read_is_what_was_written_but_for_where_runs_lie(path, records, table):
    made = summaries(records, [table])
    assert [run.folder for run in made] == ['', '', 'a/b']
    assert made[0].attempts[0].path == 'a.wandb'
    read = read_summaries(path)
    assert summaries_text(read) == path.read_text()
    full = read[-1]
    assert (full.folder, full.attempts[0].path) == ('', 'https://wandb.example/a')
    assert read[0].attempts[0].path == ''
    assert full.overrides == made[-1].overrides and full.source_files == 2
    assert full.tests[0].metrics == {'test/acc/top1': 1 / 3, 'test/nan': 'nan'}
    assert full.tests[0].classes == {'class 0': 0.5}
    assert full.curves == made[-1].curves and full.state == 'finished'


def test_curves_are_those_that_the_table_asks_for_thinned(path):
    full = read_summaries(path)[-1]
    assert sorted(full.curves) == ['train/loss', 'val/acc/top1']
    loss = full.curves['train/loss']
    assert loss.logged == 250 and len(loss.iters) == len(loss.values) == 84 <= MAX_POINTS
    assert loss.iters[0] == 2.0 and loss.values[0] == pytest.approx((2 + 1 + 2 / 3) / 3)
    assert full.curves['val/acc/top1'].values == (0.3333333,)


def test_bytes_do_not_depend_on_order(path, records, table):
    for seed in range(4):
        random.Random(seed).shuffle(records)
        assert summaries_text(summaries(records, [table])) == path.read_text()


def test_a_diverged_run_is_called_so(make, table):
    record = make.record(rows={'train': [{'iter': 1, 'train/loss': math.nan}]}, state='finished')
    record.evaluations = ()
    assert summaries([record], [table])[0].state == 'diverged'


def test_some_configs_are_renewed_and_all_others_stay(path, make, table):
    known = read_summaries(path)
    made = summaries([make.record('demo/full', 5), make.record('demo/other', 0)], [table])
    renewed = renewed_summaries(known, made, {'demo/full'})
    assert [(run.config, run.seed) for run in renewed] == [
        ('demo/base', 0),
        ('demo/base', 1),
        ('demo/full', 5),
    ]
    assert renewed_summaries(known, made, None) == made


def test_accuracies_of_known_predictions_are_not_read_again(make, table, tmp_path):
    def record():
        facts = dict(path='predictions.npz', sha256=file_sha256(path))
        return make.record(root=tmp_path, folder='.', test=dict(predictions=facts), samples=2)

    path = tmp_path / 'predictions.npz'
    meta = dict(checkpoint_sha256='demo/full 0 8')
    scores = np.eye(2, dtype=np.float32)
    write_predictions(path, Predictions(np.array(['a', 'b']), np.array([0, 0]), scores, meta))
    made = summaries([record()], [table])
    assert made[0].tests[0].classes == {'class 0': 0.5}
    again = record()
    path.unlink()
    assert summaries([again], [table], made) == made
    assert summaries([again], [table])[0].tests[0].classes == {}


def test_file_without_runs(tmp_path):
    path = tmp_path / 'runs.lock.json'
    path.write_text(summaries_text([]))
    assert read_summaries(path) == []


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('"killed"', '"finished"', 'was edited: its digest is not that of its runs'),
        ('"schema": 1', '"schema": 2', 'was written by a newer version'),
        ('"runs"', '"run"', 'is cut short or holds no runs'),
        (']\n}\n', '', 'is cut short or holds no runs'),
    ],
)
def test_edited_file(path, old, new, message):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_summaries(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_runs_of_another_form_are_named_by_their_key(path, records, table):
    [run, *_] = summaries(records, [table])
    path.write_text(summaries_text([replace(run, seed='seven')]))
    with pytest.raises(InputError, match=r'holds runs of another form, at 0\.seed'):
        read_summaries(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r'none\.json cannot be read: No such file'):
        read_summaries(tmp_path / 'none.json')


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1),
    st.integers(1, 20),
)
def test_thinning_keeps_the_ends_in_range_and_the_order(points, most):
    points = sorted(points)
    left = thinned(points, most)
    assert 1 <= len(left) <= most
    assert [x for x, _ in left] == sorted(x for x, _ in left)
    if len(points) <= most:
        assert [x for x, _ in left] == [x for x, _ in points]


def test_the_limit_of_points_holds():
    assert len(thinned([(i, i) for i in range(MAX_POINTS + 1)], MAX_POINTS)) <= MAX_POINTS
