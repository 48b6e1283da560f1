from dataclasses import replace
from fractions import Fraction

import pytest

from mmaction_ext.report.complexity import complexity_scatter

#: As in :mod:`test_bars`.
REACH = 4.302652729 / 3**0.5


def test_costs_are_giga_multiply_adds_of_one_view(table):
    base, full, part, published = complexity_scatter(table).data
    assert [trace['name'] for trace in (base, full, part)] == ['base', 'full', 'part']
    assert (base['x'], base['y']) == ([2.0], [51.0])
    assert (part['x'], part['y']) == ([3.0], [52.5])
    assert full['error_y']['array'] == pytest.approx([REACH])
    # '4.2x30' is 30 views of 4.2; of '>100' nobody knows how much it is
    assert published['x'] == [2.1, 4.2] and published['y'] == [49.0, 52.0]
    assert published['marker']['symbol'] == 'diamond-open' and published['name'] == 'published'


def test_macs_in_other_units_are_converted(make):
    macs, *others = make.columns
    table = make.table(
        make.row('a', [1.0], macs=2.5), columns=(replace(macs, scale=Fraction(1, 10**6)), *others)
    )
    assert table.cell('a', 'macs').text == '2500.00'
    assert complexity_scatter(table).data[0]['x'] == [2.5]


def test_published_figures_alone_are_marked_as_such(make):
    none = [None, None]
    table = make.table(
        make.row('a', none, published=40.0, gflops='10'),
        make.row('b', none, published=50.0, gflops='900'),
    )
    figure = complexity_scatter(table)
    assert len(figure.data) == 1 and figure.data[0]['name'] == 'published'
    assert 'Nothing of this table has been measured here yet' in figure.caption
    assert figure.layout['xaxis']['type'] == 'log'


@pytest.mark.parametrize(
    'gflops, cost',
    [
        ('86', 86),
        ('8.6x6', 8.6),
        ('8.6 × 10 x 3', 8.6),
        (5, 5),
        ('>100', None),
        ('86x', None),
        ('0', None),
        ('n/a', None),
    ],
)
def test_published_costs_of_one_view(make, gflops, cost):
    """Of several views, crops and clips those of one; what is no number is not drawn."""
    figure = complexity_scatter(make.table(make.row('a', [None], published=40.0, gflops=gflops)))
    assert (figure and figure.data[0]['x']) == (cost and [cost])


@pytest.mark.parametrize('other, kind', [(20.0, None), (20.1, 'log')])
def test_costs_far_apart_have_a_logarithmic_axis(make, other, kind):
    table = make.table(make.row('a', [1.0], macs=1.0), make.row('b', [1.0], macs=other))
    assert complexity_scatter(table).layout['xaxis'].get('type') == kind


@pytest.mark.parametrize('rows, legend', [(12, True), (13, False)])
def test_many_rows_have_no_legend(make, rows, legend):
    table = make.table(*(make.row(f'r{i}', [1.0]) for i in range(rows)))
    assert complexity_scatter(table).layout['showlegend'] == legend


def test_without_measurements_there_is_nothing_to_tell_apart(make):
    figure = complexity_scatter(make.table(make.row('a', [None], published=40.0, gflops='10')))
    assert figure.layout['showlegend'] is False
    measured = complexity_scatter(make.table(make.row('a', [1.0], published=2.0, gflops=3)))
    assert 'Nothing' not in measured.caption
    assert measured.caption == 'Hollow: figures that papers print, not runs.'
