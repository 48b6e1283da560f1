"""Columns with a selection of checkpoints of their own: the best epoch beside the last one."""

from dataclasses import replace
from fractions import Fraction

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, locked_table
from mmaction_ext.tables.lock import lock_text, read_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.row_results import lost_results
from mmaction_ext.tables.row_seeds import row_seeds
from mmaction_ext.tables.spec import Column, Select, load_spec

BEST = Select('best', 'val/acc/top1')
COLUMNS = (
    Column('best1', 'Best epoch', 'val/acc/top1', Fraction(100), select=BEST),
    Column('best5', 'its top-5', 'val/acc/top5', Fraction(100), select=BEST),
    Column('last', 'Last epoch', 'val/acc/top1', Fraction(100)),
)
VAL = {
    'val': [
        {'iter': 4, 'epoch': 1, 'val/acc/top1': 0.5, 'val/acc/top5': 0.8},
        {'iter': 8, 'epoch': 2, 'val/acc/top1': 0.75, 'val/acc/top5': 0.7},
        {'iter': 12, 'epoch': 3, 'val/acc/top1': 0.25, 'val/acc/top5': 0.9},
    ]
}


@pytest.fixture
def spec(make):
    return make.spec('base', 'both', columns=(make.top1, *COLUMNS), seeds=(0,))


@pytest.fixture
def configs(make):
    """``both`` averages members, or tests the weights of another config."""
    found = make.configs('demo/base', 'demo/both', schedule=('epoch', 3))
    return {**found, 'both': replace(found['both'], is_only_tested=True)}


@pytest.fixture
def records(make):
    return [
        make.record(f'demo/{row}', 0, 0.2, iteration=12, epoch=3, rows=rows)
        for row, rows in (('base', VAL), ('both', {}))
    ]


def test_best_epoch_stands_beside_the_last_one(spec, configs, records):
    """Top-5 is that of the epoch which is best in top-1, not the best top-5 of any epoch."""
    table = build_table(spec, records, configs)
    base, both = ([cell.text for cell in row.cells] for row in table.rows)
    assert base == ['20.0', '75.0', '70.0', '25.0']
    assert both == ['20.0', '–', '–', '–'] and table.is_complete
    assert table.notes[0].endswith(
        'last checkpoint of each run; other splits: Best epoch: val, its top-5: val, Last epoch: '
        'val. Best epoch: checkpoint with the highest val/acc/top1. its top-5: checkpoint with '
        'the highest val/acc/top1.'
    )
    assert [row_seed.is_done for row_seed in row_seeds(spec, records, configs)] == [True, True]


def test_rows_that_are_only_tested_have_no_difference_in_validation(make, configs, records):
    delta = Column('delta', 'Δ', 'best1', fmt='+.1f', relative_to='reference')
    for rows in (('base', 'both'), ('both', 'base')):
        table = build_table(
            make.spec(*rows, columns=(COLUMNS[0], delta), seeds=(0,)), records, configs
        )
        assert [row.cells[1].text for row in table.rows] == ['–', '–']


def test_a_lock_keeps_both(spec, configs, records, tmp_path):
    table = build_table(spec, records, configs)
    path = tmp_path / 'table.lock.json'
    path.write_text(lock_text({'demo': locked_table(table, spec)}))
    kept = read_lock(path)['demo']
    again = build_table(spec, (), configs, locked=kept)
    assert [render(again) for render in RENDERERS.values()] == [
        render(table) for render in RENDERERS.values()
    ]
    # a config that was edited may drop its results where their runs were read, both selections'
    edited = {row: replace(config, digest='new') for row, config in configs.items()}
    empty = build_table(spec, records, edited)
    assert lost_results(kept, empty, spec, records, edited) == []
    only_best = [replace(records[0], evaluations=()), records[1]]
    assert [
        text.partition(',')[0] for text in lost_results(kept, empty, spec, only_best, edited)
    ] == ['row base']


def test_selection_of_a_column_is_checked(tmp_path):
    (tmp_path / 'a.py').write_text('')
    text = (
        'id: demo\ncaption: A\ncolumns:\n'
        '  - {{key: best, head: B, from: {source}, select: {select}}}\n'
        'rows: [{{id: a, config: a.py, reference: true}}]\n'
    )
    good = dict(source='val/acc/top1', select='{policy: best, metric: val/acc/top1}')
    for change, message in (
        ({}, None),
        (dict(source='static.macs'), "'static.macs' is no logged metric"),
        (dict(select='{policy: best}'), 'policy best needs a val/ metric'),
        (dict(select='best'), 'expected a mapping'),
    ):
        path = tmp_path / 'table.yaml'
        path.write_text(text.format(**{**good, **change}))
        if message is None:
            [column] = load_spec(path).columns
            assert column.select == BEST and load_spec(path).metrics == {'val/acc/top1'}
            continue
        with pytest.raises(InputError, match=f'table.yaml:4: .*{message}'):
            load_spec(path)
