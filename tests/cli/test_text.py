import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.cli import text


@given(st.text())
def test_a_cleaned_text_is_one_printable_line(value):
    shown = text.clean(value)
    assert shown.isprintable() and text.clean(shown) == shown


@given(st.text(alphabet='abc XYZ,é漢字'))
def test_printable_words_stay(value):
    assert text.clean(value) == ' '.join(value.split())


def test_escape_sequences_vanish_whole(markup):
    assert text.clean(markup) == 'red <script>alert(1)</script> next | $x$'
    assert text.clean('\x1b]8;;http://x\x07link') == ']8;;http://xlink'


@given(st.lists(st.tuples(st.text(max_size=150), st.text(max_size=150)), max_size=4))
def test_lines_fit_whatever_stands_in_elastic_columns(rows):
    whole = text.columns(rows, ('one', 'two'), elastic=(0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, 'line_width', lambda: 60)
        lines = text.columns(rows, ('one', 'two'), elastic=(0, 1))
    assert all(text.width(line) <= 60 for line in lines)
    assert whole == lines or any(text.width(line) > 60 for line in whole)


def test_columns_are_aligned_and_empty_ones_left_out():
    lines = text.columns(
        [('a', '', 5), ('longer', '', 12)], ('name', 'none', 'count'), right=('count',)
    )
    assert lines == ['name    count', 'a           5', 'longer     12']


def test_wide_characters_count_twice():
    assert text.columns([('漢', 'x'), ('ab', 'y')], ('n', 'm')) == ['n   m', '漢  x', 'ab  y']
    assert text.cut('漢字漢字', 5) == '漢字…'


@pytest.mark.parametrize(
    ('value', 'shown'),
    [
        (None, ''),
        (0, '0'),
        (999, '999'),
        (1500, '1.50 k'),
        (23_480_000_000, '23.5 G'),
        (714e15, '714 P'),
    ],
)
def test_quantities(value, shown):
    assert text.quantity(value) == shown


@pytest.mark.parametrize(
    ('seconds', 'shown'),
    [
        (None, ''),
        (45, '45 s'),
        (720, '12 min'),
        (3600 * 3 + 300, '3 h 05 min'),
        (3600 * 52, '2 d 4 h'),
        (3595, '1 h 00 min'),
    ],
)
def test_durations(seconds, shown):
    assert text.duration(seconds) == shown


def test_nothing_is_cut_where_output_is_no_terminal():
    assert text.columns([('x' * 300, 'y' * 300)], ('n', 'm'))[1] == f'{"x" * 300}  {"y" * 300}'
    assert text.cut('x' * 300, text.line_width()) == 'x' * 300


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    assert text.colour('x', 'red') == 'x'
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    monkeypatch.delenv('NO_COLOR', raising=False)
    assert text.colour('x', 'red') == '\x1b[31mx\x1b[0m'
    monkeypatch.setenv('NO_COLOR', '1')
    assert text.colour('x', 'red') == 'x'
    monkeypatch.delenv('NO_COLOR')
    monkeypatch.setenv('TERM', 'dumb')
    assert text.colour('x', 'red') == 'x'


def test_sentences_are_folded_to_the_terminal_and_their_words_stay_whole(monkeypatch):
    sentence = 'a/rather/long/path/to/a/file.txt and a few words'
    assert text.fold(sentence, '  ') == [f'  {sentence}']
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    monkeypatch.setenv('COLUMNS', '20')
    assert text.line_width() == 20
    assert text.fold(sentence, rest='  ') == [
        'a/rather/long/path/to/a/file.txt',
        '  and a few words',
    ]
