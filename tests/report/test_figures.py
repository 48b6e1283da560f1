import hypothesis.strategies as st
from hypothesis import given

from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.report.complexity import complexity_scatter
from mmaction_ext.report.figures import figure_text, height_of, label_axis, wrapped
from mmaction_ext.tables.render.text import one_line


def test_rows_keep_their_colour_in_every_figure(table):
    bars = ablation_bars(table).data[0]['marker']['color']
    dots = difference_dots(table).data[0]['marker']['color']
    costs = [trace['marker']['color'] for trace in complexity_scatter(table).data[:3]]
    assert list(bars) == costs and list(bars[1:]) == list(dots) and len(set(bars)) == 3


def test_nothing_is_drawn_where_there_is_nothing(make):
    none = [None, None]
    table = make.table(make.row('a', none, published=40.0))
    assert [draw(table) for draw in (ablation_bars, difference_dots, complexity_scatter)] == [
        None
    ] * 3


def test_figures_carry_no_template(table):
    for figure in (ablation_bars(table), difference_dots(table), complexity_scatter(table)):
        assert 'template' not in figure.layout and figure.height > 100


def test_labels_are_text_and_not_markup(hostile):
    table, _ = hostile
    for figure in (ablation_bars(table), difference_dots(table), complexity_scatter(table)):
        shown = str(figure.data) + str(figure.layout)
        assert '<script' not in shown and '<b>x' not in shown and '&lt;script' in shown


def test_long_labels_are_wrapped():
    assert wrapped('a label that is much longer than a phone is wide').count('<br>') == 2
    assert wrapped('') == '' and wrapped('a <b') == 'a &lt;b'


def test_rows_with_labels_of_several_lines_are_higher():
    short, long = label_axis(['a', 'b']), label_axis(['a', 'b ' * 40])
    assert height_of(short, 38) == 110 + 2 * 38
    assert height_of(long, 38) == 110 + 2 * (8 + 17 * 4)


@given(st.text())
def test_figure_text_has_no_tags_and_reads_back(text):
    shown = figure_text(text)
    assert '<' not in shown and '>' not in shown
    assert shown.replace('&lt;', '<').replace('&gt;', '>').replace('&amp;', '&') == one_line(text)
