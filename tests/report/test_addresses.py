import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.report.addresses import embedded_json, figure_text, slug
from mmaction_ext.tables.render.text import one_line

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_embedded_json_reads_back_and_ends_no_script(value):
    text = embedded_json(value)
    assert json.loads(text) == value
    assert not set(text) & set('<>&\u2028\u2029\n')


def test_embedded_json_is_the_same_whatever_the_order():
    assert embedded_json({'a': 1, 'b': 2}) == embedded_json({'b': 2, 'a': 1})


def test_embedded_json_refuses_what_is_no_json():
    with pytest.raises(ValueError):
        embedded_json([float('nan')])


@given(st.text(), st.text())
def test_slugs_differ_as_their_texts_do(one, other):
    assert (slug(one) == slug(other)) == (one == other)


@given(st.text())
def test_slug_holds_no_markup_and_no_colon(text):
    assert not set(slug(text)) & set(':<>&"\'# ')


@given(st.text())
def test_figure_text_has_no_tags_and_reads_back(text):
    shown = figure_text(text)
    assert '<' not in shown and '>' not in shown
    assert shown.replace('&lt;', '<').replace('&gt;', '>').replace('&amp;', '&') == one_line(text)
