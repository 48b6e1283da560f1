"""Which tensors are widened."""

import pytest
import torch

from mmaction_ext.ops.precision import wide_dtype, widened


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_becomes_single(dtype):
    x = torch.tensor([0.1, 300.0]).to(dtype)
    assert widened(x).dtype == torch.float32
    assert torch.equal(widened(x).to(dtype), x)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_the_others_stay(dtype):
    x = torch.ones(2, dtype=dtype)
    assert widened(x) is x


@pytest.mark.parametrize(
    'dtype, wide',
    [
        (torch.half, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.int64, torch.float32),
    ],
)
def test_what_is_summed_in_what(dtype, wide):
    assert wide_dtype(dtype) == wide
    assert widened(torch.ones(2, dtype=dtype)).dtype == wide
