import re
from dataclasses import replace
from html.parser import HTMLParser

import hypothesis.strategies as st
import pytest
from hypothesis import given
from jinja2 import UndefinedError

from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.render.html import cell_id, environment, render, render_table
from mmaction_ext.tables.render.text import one_line

WITH_NUMBER = (CellStatus.IMPORTED, CellStatus.OUT_OF_TOLERANCE)


class Reader(HTMLParser):
    """Texts of table cells and paragraphs, all tags and all attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in ('meta', 'br'):
            self.open.append(tag)
        if tag in ('td', 'th', 'p', 'h1', 'title'):
            self.texts.append((tag, ''))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if set(self.open) & {'td', 'th', 'p', 'h1', 'title'}:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)


def texts(page, tag):
    return [text for found, text in Reader(page).texts if found == tag]


def test_every_text_is_shown_as_it_is(table, nasty):
    page = render(table)
    expected = one_line(nasty)
    assert texts(page, 'title') == texts(page, 'h1') == [expected]
    assert texts(page, 'th')[:4] == ['Model', expected, 'Top-1', f'{expected}b']
    assert texts(page, 'td')[:4] == ['✓', '83.3 ± 1.1 (2/3)a', '–', '−1.5 ± 0.2']
    assert texts(page, 'p')[:3] == [f'Warning: {expected}', f'a {expected}', f'b {expected}']


def test_a_page_says_how_explain_is_asked(table):
    assert texts(render(table), 'p')[-1].startswith('mmaction-ext explain demo ROW COLUMN leads')
    assert 'explain' not in render_table(table)


def test_no_markup_but_our_own(table):
    reader = Reader(render(table))
    assert set(reader.tags) == {
        'html',
        'head',
        'meta',
        'title',
        'style',
        'body',
        'main',
        'h1',
        'div',
        'table',
        'thead',
        'tbody',
        'tr',
        'th',
        'td',
        'span',
        'sup',
        'p',
    }
    assert not reader.open
    assert {name for _, name, _ in reader.attributes} <= {
        'lang',
        'charset',
        'http-equiv',
        'content',
        'name',
        'class',
        'tabindex',
        'role',
        'aria-label',
        'id',
        'scope',
        'colspan',
        'data-status',
        'data-runs',
        'title',
    }


def test_page_asks_for_nothing_from_elsewhere(table):
    page = render(table)
    assert "default-src 'none'" in page
    assert not any(word in page for word in ('http:', 'https:', '//', 'url(', '@import', 'src='))


def test_statuses_are_words_and_attributes(table):
    page = render_table(table)
    for status in CellStatus:
        assert f'data-status="{status.value}"' in page
    for status in set(CellStatus) - {
        CellStatus.OK,
        CellStatus.PARTIAL,
        *WITH_NUMBER,
        CellStatus.NOT_APPLICABLE,
    }:
        assert f'">{status.value}</span>' in page
    for status in WITH_NUMBER:
        assert f'−2.5<span class="std"> ± 0.1 [−3.1, +0.2] ({status.value})</span>' in page


def test_measured_cells_can_be_linked_to_and_name_their_runs(table):
    table.columns = (table.columns[0], replace(table.columns[1], key='a "b"/c'))
    page = render_table(table)
    name = cell_id('demo', 'first', 'a "b"/c')
    assert name == 'demo/first/a%20%22b%22%2Fc'
    assert f'<td data-status="partial" id="{name}" title=' in page
    assert page.count(' data-runs=') == page.count('id="demo/') == 1
    assert 'data-runs="r0 r1"' in page


def test_seeds_are_in_the_tooltip(table):
    assert 'title="seed 0: 82.5, seed 1: 84.1, seed 2: failed"' in render_table(table)


def test_titles_are_text(unpaired, nasty):
    """The note of a cell may carry a run's last words, which anyone may have chosen."""
    cell = unpaired.rows[0].cells[1]
    cell.note = f'seed 1 failed: "{nasty}'
    titles = [
        value for _, name, value in Reader(render_table(unpaired)).attributes if name == 'title'
    ]
    assert one_line(cell.note) in titles


def test_tooltip_of_a_difference_of_means_names_no_pair(unpaired):
    page = render_table(unpaired)
    assert 'title="difference of the means"' in page and '19.0' not in page


def test_both_colour_schemes_and_phones(table):
    page = render(table)
    assert 'prefers-color-scheme: dark' in page and 'width=device-width' in page


TEMPLATE = environment().from_string('<p title="{{ text }}">{{ text }}</p>')


@given(st.text())
def test_every_text_of_a_template_is_escaped(text):
    reader = Reader(TEMPLATE.render(text=text))
    assert reader.texts == [('p', one_line(text))]
    assert reader.attributes == [('p', 'title', one_line(text))]


def test_a_template_that_names_what_is_not_there_is_an_error():
    with pytest.raises(UndefinedError):
        environment().from_string('{{ texd }}').render(text='a')


def test_cells_from_runs_lead_where_their_row_does(table):
    """Whatever stands between their tags, and no cell of a row that leads nowhere."""
    page = render_table(table)
    linked = render_table(table, {'first': 'seeds:demo:first'})
    assert re.sub(r'<a href="[^"]*">|</a>', '', linked) == page
    assert re.findall(r'<a href="#seeds:demo:first">([^<]*)', linked) == ['83.3']
