"""Pooling by two against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from mmaction_ext.ops.pooling import halved


@pytest.mark.parametrize('size', [(4, 6), (5, 6), (3, 3), (2, 2), (1, 4)])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16])
def test_equals_the_average_of_pytorch_and_so_does_its_gradient(size, dtype):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, *size, dtype=dtype, requires_grad=True)
    own, other = halved(maps), F.avg_pool2d(maps, 2, ceil_mode=True)
    torch.testing.assert_close(own, other)
    grad = torch.randn_like(own)
    torch.testing.assert_close(
        torch.autograd.grad(own, maps, grad), torch.autograd.grad(other, maps, grad)
    )


def test_takes_any_strides():
    maps = torch.randn(2, 4, 6, 3).permute(0, 3, 2, 1)
    torch.testing.assert_close(halved(maps), F.avg_pool2d(maps, 2))


def test_has_a_second_derivative():
    maps = torch.randn(1, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(halved, maps)
