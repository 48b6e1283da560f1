import csv
import io
import statistics

import pytest

from mmaction_ext.tables.render.csv import HEADER, render
from mmaction_ext.tables.render.text import visible


def read(table):
    return list(csv.DictReader(io.StringIO(render(table))))


def test_one_line_per_cell(table, nasty):
    lines = read(table)
    assert len(lines) == sum(len(row.cells) for row in table.rows)
    assert tuple(lines[0]) == HEADER
    assert lines[0]['label'] == lines[0]['head'] == visible(nasty)
    assert [line['section'] for line in lines[:3]] == ['', '', f'Section {visible(nasty)}']


def test_numbers_are_not_rounded(table):
    line = read(table)[1]
    assert (line['status'], line['text']) == ('partial', '83.3 ± 1.1 (2/3)')
    assert (float(line['value']), float(line['std'])) == (83.3, 1.28)
    assert (line['n'], line['seeds']) == ('2', '3')


def test_mean_can_be_recomputed_from_the_line(table):
    line = read(table)[1]
    values = [float(part.split(': ')[1]) for part in line['values'].split('; ')]
    assert round(statistics.mean(values), 9) == float(line['value'])
    assert line['runs'] == '0: r0; 1: r1'


def test_differences_of_means_hold_nothing_to_recompute_them_from(unpaired):
    line = read(unpaired)[1]
    assert (line['text'], line['value'], line['seeds']) == ('+13.0 (1/3 paired)', '13.0', '3')
    assert line['note'].endswith('difference of the means')
    assert line['n'] == line['values'] == line['runs'] == ''


def test_footnotes_of_row_and_cell_are_in_the_note(table, nasty):
    nasty = visible(nasty)
    notes = [line['note'] for line in read(table)]
    assert notes[:4] == [nasty, f'{nasty}; {nasty}', '', '']


def test_cells_without_a_number_have_empty_fields(table):
    [imported] = [line for line in read(table) if line['status'] == 'imported']
    assert (imported['low'], imported['high']) == ('-3.1', '0.2')
    line = read(table)[-1]
    assert (
        line['status'] == 'n/a'
        and [line[key] for key in ('value', 'std', 'low', 'high', 'n')] == [''] * 5
    )


@pytest.mark.parametrize(
    'text, shown',
    [
        ('=1+1', "'=1+1"),
        ('@SUM(A1)', "'@SUM(A1)"),
        ('\t=1', "'\t=1"),
        (' =1', "' =1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ('+SUM(A1:A9)', "'+SUM(A1:A9)"),
        ('- sheet!A1', "'- sheet!A1"),
        ('-a\nb(1)', "'-a\nb(1)"),
        ('+ basic correlation', '+ basic correlation'),
        ('- TDN', '- TDN'),
        ('-1.5', '-1.5'),
        ('+60.8 ± 3.5 [+1.0, +9.0] (2/3)', '+60.8 ± 3.5 [+1.0, +9.0] (2/3)'),
        ('-1.5 (imported)', '-1.5 (imported)'),
        ('8+16', '8+16'),
        ('a=b', 'a=b'),
    ],
)
def test_no_text_is_a_formula(table, text, shown):
    table.rows[0].label = text
    table.rows[0].note = ''
    table.rows[0].cells[0].note = table.rows[0].cells[0].text = text
    line = read(table)[0]
    assert line['label'] == line['text'] == line['note'] == shown


def test_dated_rows_say_so_beside_their_measurements(table):
    table.rows[0].dated = True
    notes = [line['note'] for line in read(table)]
    assert [note.endswith('modules or host') for note in notes[:3]] == [False, True, False]
