import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.report.figures import PageFigure
from mmaction_ext.report.markup import breakable, render

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def embedded(value):
    """A value as a figure embeds it."""
    figure = PageFigure('id', 'title', 'caption', value, {}, 1)
    page = render('figure.html.j2', figure=figure)
    return page.partition('"application/json">')[2].partition('</script>')[0]


@given(values)
def test_embedded_json_reads_back_and_ends_no_script(value):
    text = embedded(value)
    assert json.loads(text)['data'] == value
    assert not set(text) & set('<>&\u2028\u2029\n')


def test_embedded_json_is_the_same_whatever_the_order():
    assert embedded({'a': 1, 'b': 2}) == embedded({'b': 2, 'a': 1})


def test_embedded_json_refuses_what_is_no_json():
    with pytest.raises(ValueError):
        embedded([float('nan')])


def test_paths_break_after_their_slashes_and_are_text():
    assert breakable('a/<b>/ c') == 'a/<wbr>&lt;b&gt;/<wbr> c' and breakable(None) == ''
