"""Which implementation multiplies; that their values are right is tested on the operations."""

import pytest
import torch

from mmaction_ext.ops import local_correlation, pair_correlation
from mmaction_ext.ops.correlation import gram, shifts


@pytest.fixture
def called(monkeypatch):
    """Names of the implementations in the order they were called."""
    names = []
    for module in (gram, shifts):
        for function in ('multiply_frames', 'multiply_frames_backward'):
            monkeypatch.setattr(
                module, function, counting(getattr(module, function), module, names)
            )
    return names


def counting(function, module, names):
    def counted(*arguments):
        names.append(module.__name__.rpartition('.')[2])
        return function(*arguments)

    return counted


@pytest.mark.parametrize(
    'size, window, name, expected',
    [
        ((8, 8), 5, 'auto', 'gram'),  # 25 of 64 pixels
        ((14, 14), 5, 'auto', 'shifts'),  # 25 of 196
        ((14, 14), (7, 7), 'auto', 'gram'),  # a quarter
        ((14, 14), (7, 5), 'auto', 'shifts'),
        ((14, 15), (7, 7), 'auto', 'shifts'),
        ((1, 4097), (1, 2049), 'auto', 'shifts'),  # too large a matrix
        ((8, 8), 5, 'shifts', 'shifts'),
        ((14, 14), 5, 'gram', 'gram'),
    ],
)
def test_the_quicker_implementation_multiplies_both_ways(called, size, window, name, expected):
    x = torch.randn(1, 2, 2, *size, requires_grad=True)
    local_correlation(x, (1,), window, implementation=name).sum().backward()
    pair_correlation(*x.unbind(2), window, implementation=name).sum().backward()
    assert called == [expected] * 4
