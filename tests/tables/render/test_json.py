import json

from mmaction_ext.tables.render.json import render


def test_everything_is_there_as_it_was(table, nasty):
    content = json.loads(render(table))
    assert (content['id'], content['caption'], content['row_head']) == ('demo', nasty, 'Model')
    assert content['columns'][1] == dict(key='top1', head='Top-1', source='test/acc/top1')
    assert content['rows'][1] == dict(section=f'Section {nasty}')
    first = content['rows'][0]
    assert (first['id'], first['label'], first['note'], first['mark']) == (
        'first',
        nasty,
        nasty,
        'b',
    )
    assert content['footnotes'] == [dict(mark='a', text=nasty), dict(mark='b', text=nasty)]
    assert content['notes'] == table.notes and content['warnings'] == [nasty]
    assert content['complete'] is False


def test_cells(table, nasty):
    rows = {row['id']: row['cells'] for row in json.loads(render(table))['rows'] if 'id' in row}
    assert rows['first']['top1'] == dict(
        status='partial',
        text='83.3 ± 1.1 (2/3)',
        value=83.3,
        std=1.28,
        n=2,
        note=nasty,
        mark='a',
        seeds=[
            dict(seed=0, status='ok', value=82.5, runs=['r0']),
            dict(seed=1, status='ok', value=84.1, runs=['r1']),
            dict(seed=2, status='failed', reason='exit code 1'),
        ],
    )
    assert rows['first']['mark'] == dict(status='ok', text='✓')
    assert rows['second']['top1']['best'] is True
    imported = [cells['top1'] for cells in rows.values() if cells['top1']['status'] == 'imported']
    assert [cell['interval'] for cell in imported] == [[-3.1, 0.2]]


def test_differences_of_means_are_marked_and_hold_no_other_number(unpaired):
    cells = json.loads(render(unpaired))['rows'][0]['cells']
    assert cells['top1'] == dict(
        status='partial',
        text='+13.0 (1/3 paired)',
        value=13.0,
        unpaired=True,
        note='difference of the means',
        mark='a',
        seeds=[
            dict(seed=0, status='missing', reason='of the reference row: no run', runs=['a0']),
            dict(seed=1, status='ok', runs=['b1', 'a1']),
            dict(seed=2, status='missing', reason='no run', runs=['b2']),
        ],
    )


def test_one_line_per_cell(table):
    lines = render(table).splitlines()
    cells = [cell for row in table.rows for cell in row.cells]
    assert sum(line.startswith(' "') for line in lines) == len(cells)


def test_table_without_rows_notes_and_columns(table):
    for name in ('rows', 'columns', 'footnotes', 'notes', 'warnings'):
        setattr(table, name, [])
    assert json.loads(render(table))['rows'] == []
