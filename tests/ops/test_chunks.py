"""How the first dimension of a tensor is cut."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.ops.chunks import chunks


@given(length=st.integers(0, 50), values_of_one=st.integers(1, 30), limit=st.integers(1, 100))
def test_everything_once_and_as_much_as_fits(length, values_of_one, limit):
    x = torch.arange(length)
    parts = [x[part] for part in chunks(x, values_of_one, limit)]
    assert [value for part in parts for value in part.tolist()] == list(range(length))
    assert all(len(part) == 1 or len(part) * values_of_one <= limit for part in parts)
    assert all((len(part) + 1) * values_of_one > limit for part in parts[:-1])


def test_items_without_values_fit():
    assert list(chunks(torch.empty(3, 0), 0, 10)) == [slice(0, 10)]


@pytest.mark.parametrize('device, expected', [('cpu', 4), ('meta', 1)])
def test_the_limit_is_that_of_the_cpu(device, expected):
    assert len(list(chunks(torch.empty(8, device=device), 5, 10))) == expected
