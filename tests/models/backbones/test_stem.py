"""The stem keeps every frame and a quarter of the rows and columns."""

import pytest
import torch

from mmaction_ext.models.backbones.stem import build_stem


@pytest.mark.parametrize('kernel_size, size', [((3, 5, 5), (5, 33, 40)), ((1, 7, 7), (1, 32, 31))])
def test_names_and_sizes(kernel_size, size):
    stem = build_stem(3, 8, kernel_size)
    assert [name for name, _ in stem.named_children()] == ['conv', 'bn', 'relu', 'pool']
    assert stem.conv.weight.shape == (8, 3, *kernel_size) and stem.conv.bias is None
    frames, height, width = size
    assert stem(torch.rand(2, 3, *size)).shape == (2, 8, frames, -(-height // 4), -(-width // 4))
