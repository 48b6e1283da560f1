import hypothesis.strategies as st
from hypothesis import given

from mmaction_ext.report.addresses import slug


@given(st.text(), st.text())
def test_slugs_differ_as_their_texts_do(one, other):
    assert (slug(one) == slug(other)) == (one == other)


@given(st.text())
def test_slug_holds_no_markup_and_no_colon(text):
    assert not set(slug(text)) & set(':<>&"\'# ')
