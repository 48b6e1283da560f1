"""Conv3D against sums over neighbours in float64."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.conv3d import Conv3D


def by_loops(x, weight):
    """Convolution of a clip (C, T, H, W): a sum over the kernel, zeros beyond the edges."""
    sides = weight.shape[2:]
    padded = F.pad(x, [side // 2 for side in reversed(sides) for _ in range(2)])
    out = torch.zeros_like(x)
    for t, i, j in itertools.product(*map(range, sides)):
        frames, rows, columns = x.shape[1:]
        seen = padded[:, t : t + frames, i : i + rows, j : j + columns]
        out += torch.einsum('dc,cthw->dthw', weight[:, :, t, i, j], seen)
    return out


@pytest.mark.parametrize('kernel_size', [(3, 3, 3), (3, 1, 1), (1, 3, 5)])
def test_adds_the_normalised_convolution(kernel_size):
    torch.manual_seed(0)
    module = Conv3D({3: 4}, kernel_size=kernel_size).double()
    x = torch.randn(2, 4, 5, 6, 7, dtype=torch.float64)
    assert module(x, 3)[0].equal(x)
    assert not Conv3D({3: 4}, zero_init=False).double()(x, 3)[0].equal(x)
    block = module.eval().block(3)
    for numbers in (block.bn.weight, block.bn.bias, block.bn.running_mean):
        nn.init.normal_(numbers)
    nn.init.uniform_(block.bn.running_var, 0.5, 2)
    core = torch.stack([by_loops(clip, block.core.weight) for clip in x])
    norm = block.bn
    added = F.batch_norm(core, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    torch.testing.assert_close(module(x, 3)[0], x + added, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kernel_size', [(3, 3), (2, 3, 3), (3, 0, 3), (3, 1.5, 3)])
def test_a_kernel_that_is_none_is_named(kernel_size):
    with pytest.raises(InputError, match='kernel_size'):
        Conv3D({3: 4}, kernel_size=kernel_size)
