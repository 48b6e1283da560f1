"""The L2 normalisation: values, gradients, precision, errors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmaction_ext.ops import l2_normalize


def loop(x, dim, eps):
    """The docstring's formula, one vector at a time."""
    out = np.empty_like(x)
    vectors, results = np.moveaxis(x, dim, -1), np.moveaxis(out, dim, -1)
    for index in np.ndindex(vectors.shape[:-1]):
        results[index] = vectors[index] / (sum(v**2 for v in vectors[index]) + eps) ** 0.5
    return out


@given(
    x=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=1, max_dims=5, max_side=5),
        elements=st.floats(-100, 100),
    ),
    data=st.data(),
    eps=st.sampled_from([1e-6, 0.5]),
)
def test_equals_the_formula(x, data, eps):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    actual = l2_normalize(torch.from_numpy(x), dim, eps)
    torch.testing.assert_close(actual, torch.from_numpy(loop(x, dim, eps)))


def test_by_hand():
    x = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    torch.testing.assert_close(l2_normalize(x, 0), torch.tensor([[0.6, 0.0], [0.8, 0.0]]))
    torch.testing.assert_close(
        l2_normalize(x, 1, eps=16.0), torch.tensor([[0.6, 0.0], [4 / 32**0.5, 0.0]])
    )


def test_normalizes_channels_by_default():
    x = 1 + torch.rand(2, 3, 4, 5, 6)
    torch.testing.assert_close(l2_normalize(x).square().sum(1), torch.ones(2, 4, 5, 6))


def test_gradcheck():
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(l2_normalize, x)
    torch.autograd.gradgradcheck(l2_normalize, x)


def test_zeros_have_a_finite_gradient():
    x = torch.zeros(1, 4, 2, requires_grad=True)
    y = l2_normalize(x)
    y.sum().backward()
    assert not y.any()
    torch.testing.assert_close(x.grad, torch.full((1, 4, 2), 1e3))


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_is_summed_in_single(dtype):
    """Squares of 300 overflow float16, and an eps of 1e-6 would vanish in it."""
    x = torch.stack((torch.full((64,), 300.0), torch.zeros(64))).to(dtype)
    with torch.autocast('cpu', dtype):
        y = l2_normalize(x)
    assert y.dtype == dtype
    assert torch.equal(y, torch.tensor([[0.125], [0.0]], dtype=dtype).expand(2, 64))


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.mT.contiguous().mT,
    ],
)
def test_any_strides(arrange):
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(l2_normalize(arrange(x)), l2_normalize(x))


def test_meta_device():
    y = l2_normalize(torch.empty(2, 3, 4, device='meta'))
    assert y.shape == (2, 3, 4) and y.device.type == 'meta'


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(eps=0), '0'),
        (dict(eps=-1.5), '-1.5'),
        (dict(eps=float('nan')), 'nan'),
        (dict(x=torch.ones(2, 2, dtype=torch.int64)), 'int64'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        l2_normalize(**{'x': torch.ones(2, 2), **arguments})
