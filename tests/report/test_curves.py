from dataclasses import replace

import pytest

from mmaction_ext.report.curves import learning_curves
from mmaction_ext.report.runs import runs_by_uid
from mmaction_ext.tables import CellStatus
from mmaction_ext.tables.run_summary import summaries


def by_uid(table, records):
    return runs_by_uid(summaries(records, [table]))


def test_a_line_per_row_and_seed(table, runs):
    validation, training = learning_curves(table, by_uid(table, runs))
    assert [trace['name'] for trace in validation.data] == ['base'] * 3 + ['full'] * 3 + [
        'part'
    ] * 2
    assert validation.data[0]['x'] == [4.0, 8.0]
    assert validation.data[0]['y'] == [25.0, 50.0]  # in the unit of the table
    assert training.data[0]['y'] == pytest.approx([2 / i for i in range(1, 9)])
    assert validation.id == 'figure:demo:curves:val' and training.id == 'figure:demo:curves:train'


def test_rows_have_colours_and_seeds_dashes(table, runs):
    lines = [trace['line'] for trace in learning_curves(table, by_uid(table, runs))[0].data]
    assert len({line['color'] for line in lines[:3]}) == 1
    assert lines[0]['color'] != lines[3]['color']
    assert [line['dash'] for line in lines[:3]] == ['solid', 'dot', 'dash']


def test_a_row_is_named_once(table, runs):
    data = learning_curves(table, by_uid(table, runs))[0].data
    assert [trace['showlegend'] for trace in data] == [True, False, False] * 2 + [True, False]


def test_lines_lead_to_their_runs(table, runs):
    data = learning_curves(table, by_uid(table, runs))[0].data
    assert data[-1]['meta']['link'] == '#run:part-2:train'


def test_what_is_no_number_is_left_out(table, make):
    run = make.run('base', 0)
    run.rows['train'][2]['train/loss'] = float('nan')
    run.rows['train'][3]['train/loss'] = 'Infinity'
    del run.rows['train'][4]['train/loss']
    run.rows['val'] = []
    [training] = learning_curves(table, by_uid(table, [run]))
    assert training.data[0]['x'] == [1.0, 2.0, 6.0, 7.0, 8.0]


def test_nothing_is_drawn_without_curves(table, make):
    assert learning_curves(table, {}) == []
    assert learning_curves(table, by_uid(table, [make.run('base', 0, rows={})])) == []


def test_the_mean_of_rows_has_no_curves_of_its_own(table, make):
    table.rows[2].cells[3].seeds[0].__dict__['runs'] = ('base-0', 'full-0')
    runs = [make.run('base', 0), make.run('full', 0)]
    validation, _ = learning_curves(table, by_uid(table, runs))
    assert [trace['name'] for trace in validation.data] == ['base', 'full']


def test_run_of_another_version_of_the_config_is_not_drawn(table, runs):
    cell = table.rows[0].cells[3]
    cell.seeds = tuple(replace(seed, status=CellStatus.STALE, value=None) for seed in cell.seeds)
    validation, _ = learning_curves(table, by_uid(table, runs))
    assert {trace['name'] for trace in validation.data} == {'full', 'part'}


def test_long_curves_are_averaged_and_say_so(table, make):
    rows = {'train': [{'iter': i, 'train/loss': float(i)} for i in range(1, 1001)]}
    [training] = learning_curves(table, by_uid(table, [make.run('base', 0, rows=rows)]))
    assert len(training.data[0]['x']) == 100 and training.data[0]['y'][0] == 5.5
    assert 'averaged' in training.caption
