from dataclasses import replace
from fractions import Fraction

import pytest

from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.report.cost import cost_scatter
from mmaction_ext.report.figures import height_of, label_axis, wrapped
from mmaction_ext.report.gains import class_gain_bars
from mmaction_ext.report.table_parts import counterpart, main_column, rows_with_runs
from mmaction_ext.tables.cells import CellStatus

#: Reach of the 95 % t interval of three seeds one point apart: 4.302652729... / sqrt(3).
REACH = 4.302652729 / 3 ** 0.5


def test_bars_are_the_means_and_whiskers_their_intervals(table):
    bar, dots = ablation_bars(table).data
    assert bar['x'] == [51.0, 53.0, 52.5] and bar['y'] == [0, 1, 2]
    assert bar['error_x']['array'][:2] == pytest.approx([REACH, REACH])
    assert bar['error_x']['arrayminus'][:2] == pytest.approx([REACH, REACH])
    assert bar['error_x']['array'][2] == pytest.approx(1.5 * 2 ** 0.5)  # std of 51 and 54
    assert dots['x'] == [50.0, 51.0, 52.0, 52.0, 53.0, 54.0, 51.0, 54.0]
    assert dots['y'] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_bars_lead_to_the_seeds_of_their_rows(table):
    bar, dots = ablation_bars(table).data
    assert bar['customdata'] == ['#seeds:demo:base', '#seeds:demo:full', '#seeds:demo:part']
    assert dots['customdata'][-1] == '#seeds:demo:part'


def test_rows_stand_from_top_to_bottom_even_with_equal_labels(make):
    reference = [1.0, 2.0]
    table = make.table(make.row('a', reference, label='TDN'),
                       make.row('b', [3.0, 4.0], label='TDN'))
    axis = ablation_bars(table).layout['yaxis']
    assert axis['ticktext'] == ['TDN', 'TDN'] and axis['tickvals'] == [0, 1]
    assert axis['range'][0] > axis['range'][1]


def test_one_seed_has_no_whiskers(make):
    figure = ablation_bars(make.table(make.row('a', [1.0])))
    assert 'error_x' not in figure.data[0] and 'Whiskers' not in figure.caption


def test_caption_says_what_whiskers_are(table):
    assert ablation_bars(table).caption == (
        'Rings: the seeds. Whiskers: 95 % interval of the mean (Student’s t); one standard '
        'deviation where there are only two seeds.')


def test_differences_are_those_of_the_column_without_the_reference(table):
    figure = difference_dots(table)
    dots, seeds = figure.data
    assert dots['x'] == [2.0, 1.5] and figure.title == 'Difference to “base”'
    assert figure.layout['yaxis']['ticktext'] == ['full', 'part']
    # the same difference under every seed: an interval without width, which is not drawn
    assert dots['error_x']['array'][0] == 0
    assert seeds['x'] == [2.0, 2.0, 2.0, 1.0, 2.0]


def test_caption_says_where_differences_are_not_paired(table):
    assert difference_dots(table).caption.startswith('Paired by seed. ')
    table.cell('part', 'delta').unpaired = True
    assert difference_dots(table).caption.startswith('Paired by seed, where a row shares two ')


def test_rows_keep_their_colour_in_every_figure(table):
    bars = ablation_bars(table).data[0]['marker']['color']
    dots = difference_dots(table).data[0]['marker']['color']
    costs = [trace['marker']['color'] for trace in cost_scatter(table).data[:3]]
    assert list(bars) == costs and list(bars[1:]) == list(dots) and len(set(bars)) == 3


def test_costs_are_giga_multiply_adds_of_one_view(table):
    base, full, part, published = cost_scatter(table).data
    assert [trace['name'] for trace in (base, full, part)] == ['base', 'full', 'part']
    assert (base['x'], base['y']) == ([2.0], [51.0])
    assert (part['x'], part['y']) == ([3.0], [52.5])
    assert full['error_y']['array'] == pytest.approx([REACH])
    # '4.2x30' is 30 views of 4.2; of '>100' nobody knows how much it is
    assert published['x'] == [2.1, 4.2] and published['y'] == [49.0, 52.0]
    assert published['marker']['symbol'] == 'diamond-open' and published['name'] == 'published'


def test_macs_in_other_units_are_converted(make):
    macs, *others = make.columns
    table = make.table(make.row('a', [1.0], macs=2.5),
                       columns=(replace(macs, scale=Fraction(1, 10**6)), *others))
    assert table.cell('a', 'macs').text == '2500.00'
    assert cost_scatter(table).data[0]['x'] == [2.5]


def test_published_figures_alone_are_marked_as_such(make):
    none = [None, None]
    table = make.table(make.row('a', none, published=40.0, gflops='10'),
                       make.row('b', none, published=50.0, gflops='900'))
    figure = cost_scatter(table)
    assert len(figure.data) == 1 and figure.data[0]['name'] == 'published'
    assert 'Nothing of this table has been measured here yet' in figure.caption
    assert figure.layout['xaxis']['type'] == 'log'


def test_nothing_is_drawn_where_there_is_nothing(make):
    none = [None, None]
    table = make.table(make.row('a', none, published=40.0))
    assert [draw(table) for draw in (ablation_bars, difference_dots, cost_scatter)] == [None] * 3


def test_counterpart_is_the_row_that_differences_are_taken_to(table):
    base, full, part, _ = table.rows
    assert [counterpart(table, row) for row in (base, full)] == [None, base]
    part.counterpart = 'full'
    assert counterpart(table, part) is full
    assert difference_dots(table).title == 'Difference to the row’s own counterpart'
    assert [row.id for row in rows_with_runs(table)] == ['base', 'full', 'part']
    assert main_column(table).key == 'top1'


def test_a_table_of_published_figures_has_no_main_column(make):
    table = make.table(make.row('a', [1.0]), columns=make.columns[:3])
    assert main_column(table) is None
    assert cost_scatter(table) is None and ablation_bars(table) is None


def test_figures_carry_no_template(table):
    for figure in (ablation_bars(table), difference_dots(table), cost_scatter(table)):
        assert 'template' not in figure.layout and figure.height > 100


def test_labels_are_text_and_not_markup(hostile):
    table, _ = hostile
    for figure in (ablation_bars(table), difference_dots(table), cost_scatter(table)):
        shown = str(figure.data) + str(figure.layout)
        assert '<script' not in shown and '<b>x' not in shown and '&lt;script' in shown


def test_long_labels_are_wrapped():
    assert wrapped('a label that is much longer than a phone is wide').count('<br>') == 2
    assert wrapped('') == '' and wrapped('a <b') == 'a &lt;b'


def test_rows_with_labels_of_several_lines_are_higher():
    short, long = label_axis(['a', 'b']), label_axis(['a', 'b ' * 40])
    assert height_of(short, 38) == 110 + 2 * 38
    assert height_of(long, 38) == 110 + 2 * (8 + 17 * 4)


def test_gains_of_classes_are_sorted(table):
    row = table.rows[1]
    before, after = {'x': 0.5, 'y': 0.5, 'z': 0.25}, {'x': 0.25, 'y': 1.0, 'z': 0.25}
    figure = class_gain_bars(table, row, before, after)
    assert figure.data[0]['x'] == [50.0, 0.0, -25.0]
    assert figure.layout['yaxis']['ticktext'] == ['y', 'z', 'x']
    colours = figure.data[0]['marker']['color']
    assert colours[0] == colours[1] != colours[2]
    assert figure.caption == 'Against “base”, means over seeds: 1 of 3 classes gain, 1 lose.'
    assert figure.title == 'Classes: full' and figure.id == 'figure:demo:classes:full'


def test_of_many_classes_the_extremes_are_shown(table):
    before = {f'class {i}': 0.0 for i in range(100)}
    after = {f'class {i}': (i - 50) / 100 for i in range(100)}
    figure = class_gain_bars(table, table.rows[1], before, after)
    gains = figure.data[0]['x']
    assert len(gains) == 24 and gains[0] == 49 and gains[15] == 34 and gains[-1] == -50
    assert figure.caption.endswith('Shown: 16 that gain most, 8 that lose most.')


def test_gains_need_the_same_classes(table):
    row = table.rows[1]
    assert class_gain_bars(table, row, {'x': 1.0}, {'y': 1.0}) is None
    assert class_gain_bars(table, row, {}, {}) is None


def test_a_cell_without_a_value_is_no_bar(table):
    assert table.cell('other', 'top1').status is CellStatus.MISSING
    assert 'other' not in str(ablation_bars(table).data)
