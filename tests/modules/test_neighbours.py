"""The convolution over time and the differences of TEA and TDN against loops."""

import pytest
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.modules.neighbours import TemporalConv, differences


def features(*size):
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('frames', [1, 2, 5])
def test_temporal_convolution_equals_loops(frames):
    """Values, and gradients of the input and the weight."""
    layer, x = TemporalConv(3, None).double(), features(2, frames, 3, 2, 4).requires_grad_()
    layer.weight.data = features(3, 1, 3)
    actual = layer(x)
    padded = [torch.zeros_like(x[:, 0]), *x.unbind(1), torch.zeros_like(x[:, 0])]
    weight = layer.weight[:, 0].view(3, 3, 1, 1)  # channel, tap
    expected = torch.stack(
        [sum(padded[t + tap] * weight[:, tap] for tap in range(3)) for t in range(frames)],
        dim=1,
    )
    torch.testing.assert_close(actual, expected)
    grad = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, (x, layer.weight), grad),
        torch.autograd.grad(expected, (x, layer.weight), grad),
    )


@pytest.mark.parametrize(
    'channels, shift_div, sources',
    [
        (4, None, [0, 0, 0, 0]),
        (10, 8, [1, -1, 0, 0, 0, 0, 0, 0, 0, 0]),  # TDN: an eighth each way
        (4, 2, [1, 1, -1, -1]),  # TEA: the halves, and nothing stays
        (5, 2, [1, 1, -1, -1, 0]),
        (3, 8, [0, 0, 0]),
    ],
)
def test_it_starts_as_a_shift(channels, shift_div, sources):
    x = features(1, 4, channels, 2, 2)
    expected = torch.zeros_like(x)
    for channel, offset in enumerate(sources):
        for t in range(4):
            if 0 <= t + offset < 4:
                expected[:, t, channel] = x[:, t + offset, channel]
    assert torch.equal(TemporalConv(channels, shift_div).double()(x), expected)


@pytest.mark.parametrize('step', [1, -1])
def test_differences(step):
    queries, keys = features(2, 4, 3, 2, 2), features(2, 4, 3, 2, 2).flip(0)
    actual = differences(queries, keys, step)
    for t in range(4):
        other = t + step
        expected = keys[:, other] - queries[:, t] if 0 <= other < 4 else torch.zeros(2, 3, 2, 2)
        torch.testing.assert_close(actual[:, t], expected.double())


def test_a_shift_of_everything_is_refused():
    with pytest.raises(InputError, match='shift_div must be at least 2, got 1'):
        TemporalConv(8, 1)
