from dataclasses import replace

import pytest

from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.tables.cells import CellStatus, TableRow

#: Reach of the 95 % t interval of three seeds one point apart: 4.302652729... / sqrt(3).
REACH = 4.302652729 / 3**0.5


def test_bars_are_the_means_and_whiskers_their_intervals(table):
    bar, dots = ablation_bars(table).data
    assert bar['x'] == [51.0, 53.0, 52.5] and bar['y'] == [0, 1, 2]
    assert bar['error_x']['array'][:2] == pytest.approx([REACH, REACH])
    assert bar['error_x']['arrayminus'][:2] == pytest.approx([REACH, REACH])
    assert bar['error_x']['array'][2] == pytest.approx(1.5 * 2**0.5)  # std of 51 and 54
    assert dots['x'] == [50.0, 51.0, 52.0, 52.0, 53.0, 54.0, 51.0, 54.0]
    assert dots['y'] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_bars_lead_to_the_seeds_of_their_rows(table):
    bar, dots = ablation_bars(table).data
    assert bar['customdata'] == ['#seeds:demo:base', '#seeds:demo:full', '#seeds:demo:part']
    assert dots['customdata'][-1] == '#seeds:demo:part'


def test_rows_stand_from_top_to_bottom_even_with_equal_labels(make):
    reference = [1.0, 2.0]
    table = make.table(
        make.row('a', reference, label='TDN'), make.row('b', [3.0, 4.0], label='TDN')
    )
    axis = ablation_bars(table).layout['yaxis']
    assert axis['ticktext'] == ['TDN', 'TDN'] and axis['tickvals'] == [0, 1]
    assert axis['range'][0] > axis['range'][1]


def test_one_seed_has_no_whiskers(make):
    figure = ablation_bars(make.table(make.row('a', [1.0])))
    assert 'error_x' not in figure.data[0] and 'Whiskers' not in figure.caption


def test_caption_says_what_whiskers_are(table):
    assert ablation_bars(table).caption == (
        'Rings: the seeds. Whiskers: 95 % interval of the mean (Student’s t); one standard '
        'deviation where there are only two seeds.'
    )


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


def test_a_cell_without_a_value_is_no_bar(table):
    assert table.cell('other', 'top1').status is CellStatus.MISSING
    assert 'other' not in str(ablation_bars(table).data)


def test_pointing_at_a_mark_shows_its_cell_and_its_interval(table):
    assert ablation_bars(table).data[0]['text'] == [
        '<b>base</b><br>51.0 ± 1.0<br>95 %: 48.52 to 53.48',
        '<b>full</b><br>53.0 ± 1.0<br>95 %: 50.52 to 55.48',
        '<b>part</b><br>52.5 ± 2.1 (2/3)',
    ]
    rings = difference_dots(table).data[1]
    assert rings['text'] == ['0', '1', '2', '0', '2']
    assert rings['hovertemplate'] == 'seed %{text}: %{x:+.1f}<extra></extra>'


def test_a_difference_of_means_has_no_rings(table):
    """Its pairs are not what it was computed from."""
    table.cell('part', 'delta').unpaired = True
    assert difference_dots(table).data[1]['y'] == [0, 0, 0]


def test_differences_are_those_of_the_first_column_that_has_some(make):
    other = replace(make.columns[4], key='other', head='Other')
    table = make.table(
        make.row('a', [1.0, 2.0]), make.row('b', [4.0, 6.0]), columns=(*make.columns, other)
    )
    for row in table.rows:
        row.cells[4] = row.cells[0]  # numbers without seeds, as of published figures
    figure = difference_dots(table)
    assert figure.layout['xaxis']['title']['text'] == 'Other' and figure.data[0]['x'] == [3.5]


def test_sections_are_no_bars(table):
    table.rows.insert(1, TableRow('section', 'A section'))
    figure = ablation_bars(table)
    assert figure.layout['yaxis']['ticktext'] == ['base', 'full', 'part']
    assert (figure.id, figure.title, figure.height) == (
        'figure:demo:bars',
        'Top-1 by row',
        110 + 3 * 38,
    )
