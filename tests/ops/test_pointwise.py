"""Pointwise convolution against the sum over channels, and its gradients."""

import pytest
import torch

from mmaction_ext.ops.pointwise import pointwise


def parts_of(*channels, dtype=torch.float64):
    torch.manual_seed(0)
    return [torch.randn(2, each, 3, 4, 5, dtype=dtype, requires_grad=True) for each in channels]


@pytest.mark.parametrize('channels', [(3,), (3, 1, 4)])
def test_equals_the_sum_over_channels_and_so_do_its_gradients(channels):
    parts = parts_of(*channels)
    weight = torch.randn(6, sum(channels), 1, 1, 1, dtype=torch.float64, requires_grad=True)
    expected = torch.einsum('oc,ncthw->nothw', weight[:, :, 0, 0, 0], torch.cat(parts, dim=1))
    y = pointwise(parts, weight)
    torch.testing.assert_close(y, expected)
    grad = torch.randn_like(y)
    for own, other in zip(
        torch.autograd.grad(y, [*parts, weight], grad),
        torch.autograd.grad(expected, [*parts, weight], grad),
        strict=True,
    ):
        torch.testing.assert_close(own, other)


def test_has_a_second_derivative():
    parts = parts_of(2, 1)
    weight = torch.randn(2, 3, 1, 1, 1, dtype=torch.float64, requires_grad=True)
    inputs = [part[:, :, :1, :2, :1].detach().requires_grad_() for part in parts]
    assert torch.autograd.gradgradcheck(
        lambda *given: pointwise(given[:2], given[2]), (*inputs, weight)
    )


def test_takes_channels_last_and_half_precision():
    (x,) = parts_of(4, dtype=torch.float32)
    weight = torch.randn(3, 4, 1, 1, 1)
    expected = torch.nn.functional.conv3d(x, weight)
    last = x.detach().contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(pointwise([last], weight), expected)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = pointwise([x], weight)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected, rtol=0.03, atol=0.03)
