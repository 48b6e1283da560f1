"""Every format, parsed back by a reader of its own, holds the same table."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.render.text import one_line


class Cells(HTMLParser):
    """Rows of data cells of a page: text without footnote marks, and status."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.cell, self.in_mark = [], None, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == 'tr':
            self.rows.append([])
        if tag == 'td':
            self.cell = ['', dict(attrs)['data-status']]
            self.rows[-1].append(self.cell)
        self.in_mark = tag == 'sup'

    def handle_endtag(self, tag):
        self.in_mark = False
        if tag == 'td':
            self.cell = None

    def handle_data(self, data):
        if self.cell and not self.in_mark:
            self.cell[0] += data


def from_html(table):
    rows = [row for row in Cells(RENDERERS['html'](table)).rows if row]
    return [[(text.replace('−', '-'), status) for text, status in row] for row in rows]


def from_csv(table):
    cells = [
        (one_line(line['text']), line['status'])
        for line in csv.DictReader(io.StringIO(RENDERERS['csv'](table)))
    ]
    width = len(table.columns)
    return [cells[i : i + width] for i in range(0, len(cells), width)]


def from_json(table):
    return [
        [(one_line(cell['text']), cell['status']) for cell in row['cells'].values()]
        for row in json.loads(RENDERERS['json'](table))['rows']
        if 'cells' in row
    ]


def from_markdown(table):
    markdown_it = pytest.importorskip('markdown_it')
    tokens = (
        markdown_it.MarkdownIt('commonmark', {'html': True})
        .enable('table')
        .parse(RENDERERS['md'](table))
    )
    texts, in_cell = [], False
    for token in tokens:
        in_cell = token.type == 'td_open' or (in_cell and token.type != 'td_close')
        if token.type == 'inline' and in_cell:
            texts.append(
                re.sub('<sup>.*?</sup>', '', ''.join(child.content for child in token.children))
            )
    width = len(table.columns) + 1
    rows = [texts[i + 1 : i + width] for i in range(0, len(texts), width)]
    return [row for row, of_table in zip(rows, table.rows, strict=True) if not of_table.is_section]


def test_same_cells_in_every_format(table):
    expected = [
        [(one_line(cell.text), cell.status.value) for cell in row.cells]
        for row in table.rows
        if not row.is_section
    ]
    assert from_html(table) == from_csv(table) == from_json(table) == expected
    assert from_markdown(table) == [[text for text, _ in row] for row in expected]


def test_numbers_read_back_to_those_of_the_cells(table):
    cells = [cell for row in table.rows for cell in row.cells]
    lines = list(csv.DictReader(io.StringIO(RENDERERS['csv'](table))))
    found = [
        cell
        for row in json.loads(RENDERERS['json'](table))['rows']
        for cell in row.get('cells', {}).values()
    ]
    for cell, line, entry in zip(cells, lines, found, strict=True):
        for name in ('value', 'std'):
            number = getattr(cell, name)
            assert entry.get(name) == (None if number is None else float(number))
            assert line[name] == ('' if number is None else repr(entry[name]))


@pytest.mark.parametrize('name', RENDERERS)
def test_every_status_and_footnote_is_shown(table, nasty, name):
    text = RENDERERS[name](table)
    for status in set(CellStatus) - {CellStatus.OK, CellStatus.PARTIAL, CellStatus.NOT_APPLICABLE}:
        assert status.value in text
    assert '(2/3)' in text

    assert text.count('next') >= 3  # caption, footnotes and note


@pytest.mark.parametrize(
    'name, markup', [('md', '<script'), ('tex', '\\input{'), ('html', '<script')]
)
def test_markup_in_a_text_is_text(table, name, markup):
    text = RENDERERS[name](table)
    assert markup not in text
    assert not any(line.strip() == 'next' for line in text.splitlines())


def test_nothing_hidden_in_any_format(table):
    hidden = 'a\x1b[2J\u202eb\u2066\x9b\ud800'
    table.caption = table.rows[0].label = table.notes[0] = hidden
    table.rows[0].cells[0].text = table.rows[0].note = hidden
    for render in RENDERERS.values():
        text = render(table)
        text.encode()
        assert not set(text) & set('\x1b\u202e\u2066\x9b')
