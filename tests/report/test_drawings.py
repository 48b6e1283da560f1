import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import pytest

from mmaction_ext.report.drawings import draw, panels, shows_the_same
from mmaction_ext.tables.cells import Cell, CellStatus
from mmaction_ext.tables.spec import Column, Drawing

#: 50, 51, 52: 51 ± 4.3027 * 1 / √3
HALF = 4.302653 / 3**0.5
SVG = '{http://www.w3.org/2000/svg}'


def level(number, scale):
    return Column(f'at_{number}', f'Top-1, {number}', 'test/acc/top1', Fraction(scale))


@pytest.fixture
def levels(make):
    """Rows of three seeds, of two, and of none, over two levels, the second of which is half."""
    return make.table(
        make.row('base', [50.0, 51.0, 52.0], macs=2.0),
        make.row('part', [51.0, None, 54.0], macs=3.0),
        make.row('other', [None, None, None], macs=None),
        columns=(level(3, 100), level(12, 50), make.columns[0]),
    )


LINES = Drawing(lines=('at_3', 'at_12'), x='Radius', y='Top-1 (%)', chance=8.3)


def test_means_and_intervals_at_the_levels_in_the_heads(levels):
    [panel] = panels(LINES, levels, {})
    assert (panel.x, panel.ticks) == ('Radius', {3.0: '3', 12.0: '12'})
    first, second = panel.lines['base']
    assert (first.x, first.y, second.x, second.y) == (3.0, 51.0, 12.0, 25.5)
    assert (first.low, first.high) == pytest.approx((51 - HALF, 51 + HALF))
    assert second.high - second.low == pytest.approx(HALF)


def test_of_cells_that_lack_a_seed_nothing_is_drawn(levels):
    [panel] = panels(LINES, levels, {})
    assert panel.lines['part'] == panel.lines['other'] == [None, None]
    svg = draw(LINES, levels, {})
    assert 'base' in svg and 'part' not in svg and 'other' not in svg


def test_without_a_number_there_is_no_figure(make):
    table = make.table(make.row('base', [50.0, 51.0]), columns=(level(3, 100), level(12, 50)))
    assert panels(LINES, table, {}) == [] and draw(LINES, table, {}) == ''


def test_heads_without_numbers_stand_side_by_side(levels):
    levels.columns = tuple(
        replace(column, head=head)
        for column, head in zip(levels.columns, ('Slow', 'Fast', 'GMACs'), strict=True)
    )
    [panel] = panels(LINES, levels, {})
    assert panel.ticks == {0.0: 'Slow', 1.0: 'Fast'}
    assert [mark.x for mark in panel.lines['base']] == [0.0, 1.0]


def test_rows_of_one_label_are_a_line_over_their_marks(make):
    frames = Column('frames', 'Frames', 'row.frames')
    table = make.table(
        make.row('a4', [10.0, 10.5, 11.0], label='A'),
        make.row('a16', [30.0, 30.5, 31.0], label='A'),
        make.row('b4', [20.0, 20.5, 21.0], label='B'),
        columns=(frames, make.columns[3]),
    )
    for row, text in zip(table.body, ('4', '16', '4'), strict=True):
        row.cells[0] = Cell(CellStatus.OK, text)
    [panel] = panels(Drawing(lines='frames', x='Frames', y='Top-1'), table, {})
    found = {label: [(mark.x, mark.y) for mark in line] for label, line in panel.lines.items()}
    assert found == {'A': [(4.0, 10.5), (16.0, 30.5)], 'B': [(4.0, 20.5)]}


def test_accuracy_against_costs(levels):
    scatter = Drawing(scatter=('macs', 'step'), y='Top-1 (%)')
    macs, step = panels(scatter, levels, {'step': {'base': 1.5}})
    assert (macs.x, [mark.x for mark in macs.lines['base']]) == ('GMACs', [2.0])
    assert step.lines['base'] == [replace(macs.lines['base'][0], x=1.5)]
    assert len(panels(scatter, levels, {'part': 1.5})) == 1  # nobody timed what is drawn


def test_the_file_says_what_it_shows_and_is_the_same_every_time(levels):
    svg = draw(LINES, levels, {})
    assert draw(LINES, levels, {}) == svg
    texts = {node.text for node in ET.fromstring(svg).iter(f'{SVG}text')}
    assert {'Radius', 'Top-1 (%)', '3', '12', 'base', 'chance'} <= texts
    assert f'base, Radius 3: 51.00 [{51 - HALF:.2f}, {51 + HALF:.2f}]' in svg
    assert shows_the_same(svg, svg.replace('Matplotlib v', 'Matplotlib v9'))
    assert not shows_the_same(svg, svg.replace('51.00', '51.01'))
    assert not shows_the_same(svg, '') and shows_the_same('', '')


def test_texts_that_are_markup_stay_texts(make, levels):
    levels.body[0].label = make.markup
    levels.caption = make.markup
    svg = draw(LINES, levels, {})
    assert '<script' not in svg
    assert make.markup.split()[0] in ''.join(ET.fromstring(svg).itertext())
