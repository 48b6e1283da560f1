import re
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.errors import InputError
from mmaction_ext.tables.render.markdown import embed, escape, render
from mmaction_ext.tables.render.text import one_line


def cells_of(line):
    return [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


def embedded(table):
    """What stands in a document: all of the page but its last line."""
    page, _, last = render(table).rpartition('\n\n')
    assert last.startswith('`mmaction-ext explain demo')
    return f'{page}\n'


def test_a_page_says_how_explain_is_asked(table):
    table.rows = [row for row in table.rows if row.id in ('', 'first', 'second')]
    assert render(table).splitlines()[-1] == (
        '`mmaction-ext explain demo ROW COLUMN` leads from a number to its runs; rows: '
        '`first, second`; columns: `mark, top1`.'
    )


@pytest.mark.parametrize('key', ['a' * 300, 'a`b'])
def test_names_that_are_many_or_no_code_are_left_to_explain(table, key):
    table.columns = (table.columns[0], replace(table.columns[1], key=key))
    assert render(table).splitlines()[-1] == (
        '`mmaction-ext explain demo` lists the rows and columns; with one of each, it leads from '
        'a number to its runs.'
    )


def test_grid(table):
    lines = render(table).splitlines()
    grid = [line for line in lines if line.startswith('|')]
    assert len(grid) == 2 + len(table.rows)
    assert len({len(cells_of(line)) for line in grid}) == 1
    assert cells_of(grid[1])[1:] == [
        f':{"-" * (len(cell) - 2)}:' for cell in cells_of(grid[1])[1:]
    ]
    assert cells_of(grid[2])[1:] == ['✓', '83.3 ± 1.1 (2/3)<sup>a</sup>']
    assert cells_of(grid[4]) == ['Plain', '–', '**-1.5 ± 0.2**']
    [imported] = [line for line in grid if line.startswith('| imported')]
    assert cells_of(imported)[2] == r'-2.5 ± 0.1 \[-3.1, +0.2\] (imported)'


def test_embedding_replaces_only_the_named_table(table):
    text = (
        'before\n<!-- table: demo -->\nold \\1\n<!-- /table -->\nbetween\n'
        '<!-- table: other -->\nkept\n<!-- /table -->\nafter\n'
    )
    done = embed(text, [table])
    assert done == text.replace('old \\1\n', f'\n{embedded(table)}\n')
    assert embed(done, [table]) == done
    assert embed('no table here\n', [table]) == 'no table here\n'


@pytest.mark.parametrize(
    'text, every, message',
    [
        ('a\n\n<!-- table: gone -->\n<!-- /table -->\n', True, "3: there is no table 'gone'"),
        ('<!-- table: demo -->\nold\n', False, "1: the place of table 'demo' has no end"),
        ('<!-- table: other -->\n', False, "1: the place of table 'other' has no end"),
        (
            '<!-- table: demo -->\n<!-- table: other -->\n<!-- /table -->\n',
            False,
            "1: the place of table 'demo' has no end",
        ),
        ('<!-- /table -->\n<!--table:demo-->\n', False, "2: the place of table 'demo' has no end"),
    ],
)
def test_places_that_cannot_be_filled(table, text, every, message):
    with pytest.raises(InputError, match=f'^docs/a.md:{message}'):
        embed(text, [table], 'docs/a.md', every)


def test_cells_stand_within_a_line(table):
    row = next(row for row in table.rows if row.cells)
    first, last = table.columns[0].key, table.columns[-1].key
    start, end = f'<!-- cell: demo {row.id}', '<!-- /cell -->'
    text = (
        f'It is {start} {last} -->old{end} and {start} {first} -->{end}; <!--cell: x y z -->1{end}'
    )
    done = embed(text, [table])
    assert done == (
        f'It is {start} {last} -->{escape(row.cells[-1].text)}{end} and '
        f'{start} {first} -->{escape(row.cells[0].text)}{end}; <!--cell: x y z -->1{end}'
    )
    assert embed(done, [table]) == done


def test_differences_of_cells_stand_within_a_line(table):
    row = next(row for row in table.rows if row.cells and row.cells[1].counted)
    key = f'demo {row.id} {table.columns[1].key}'
    done = embed(f'<!-- cell: {key} - {key} -->old<!-- /cell -->', [table])
    assert done == f'<!-- cell: {key} - {key} -->0.0 ± 0.0<!-- /cell -->'


@pytest.mark.parametrize(
    'text, every, message',
    [
        ('\n<!-- cell: gone a b --><!-- /cell -->', True, "2: there is no table 'gone'"),
        (
            '<!-- cell: demo a b --><!-- /cell -->',
            False,
            "1: table demo has no row 'a'; it has",
        ),
        ('<!-- cell: other a b -->1', False, '1: a place of a cell has no end'),
        ('<!-- cell: other a -->1<!-- /cell -->', False, '1: a place of a cell has no end'),
    ],
)
def test_cells_that_cannot_be_filled(table, text, every, message):
    with pytest.raises(InputError, match=f'^docs/a.md:{message}'):
        embed(text, [table], 'docs/a.md', every)


def test_a_table_may_stand_in_several_places(table):
    place = '<!-- table: demo -->\n<!-- /table -->\n'
    filled = f'<!-- table: demo -->\n\n{embedded(table)}\n<!-- /table -->\n'
    assert embed(f'a\n{place}b\n{place}c', [table], every=True) == f'a\n{filled}b\n{filled}c'


def test_columns_are_aligned_for_the_terminal(table):
    table.rows = [row for row in table.rows if row.id == 'second']
    table.columns = table.columns[1:]
    table.rows[0].cells = table.rows[0].cells[1:]
    lines = [line for line in render(table).splitlines() if line.startswith('|')]
    assert lines == [
        '| Model | Top-1          |',
        '| ----- | :------------: |',
        '| Plain | **-1.5 ± 0.2** |',
    ]


@given(st.text())
def test_escaped_text_stays_in_its_cell(text):
    assert cells_of(f'| {escape(text)} | x |')[1:] == ['x']
    assert '\n' not in escape(text) and '<' not in escape(text)


def test_a_markdown_parser_shows_the_text(table, nasty):
    """An independent parser finds the structure, and every text as it was."""
    markdown_it = pytest.importorskip('markdown_it')
    tokens = (
        markdown_it.MarkdownIt('commonmark', {'html': True}).enable('table').parse(render(table))
    )
    assert {token.type for token in tokens} == {
        f'{name}_{end}'
        for name in ('paragraph', 'table', 'thead', 'tbody', 'tr', 'th', 'td')
        for end in ('open', 'close')
    } | {'inline'}
    inline = [token for token in tokens if token.type == 'inline']
    shown = [
        ''.join(child.content for child in token.children if child.type == 'text')
        for token in inline
    ]
    found = {
        child.content
        for token in inline
        for child in token.children
        if child.type == 'html_inline'
    }
    assert found == {'<sup>', '</sup>'}
    expected = one_line(nasty)
    # caption, head, label and section; the marks of all rows but three; warning, footnotes, note
    assert sum(expected in text for text in shown) == 4 + (len(table.rows) - 3) + 4
    for line in ('- no list', '1. no list', '# no heading'):
        assert line in shown


def test_footnote_of_a_row_stands_at_its_label(table):
    first = [line for line in render(table).splitlines() if line.startswith('| ')][2]
    assert first.split(' | ')[0].rstrip().endswith('<sup>b</sup>')
