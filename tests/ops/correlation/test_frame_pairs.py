"""What the pairing saves; that its values are right is tested on the public operation."""

import pytest
import torch

from mmaction_ext.ops.correlation import frame_pairs


@pytest.fixture
def multiplied(monkeypatch):
    """Number of frame pairs in each call of the products."""
    counts = []
    plain = frame_pairs.multiply_frames

    def counting(queries, *arguments):
        counts.append(len(queries))
        return plain(queries, *arguments)

    monkeypatch.setattr(frame_pairs, 'multiply_frames', counting)
    return counts


@pytest.mark.parametrize(
    'offsets, dilations, border, expected',
    [
        ((-2, -1, 1, 2), (2, 1, 1, 2), 'zeros', [4, 5]),  # T - tau each, for both directions
        ((-2, -1, 1, 2), (2, 1, 1, 2), 'circular', [6, 6]),
        ((-1, 1), (1, 1), 'replicate', [7]),  # and the border frames with themselves
        ((-1, 1), (1, 2), 'zeros', [5, 5]),  # different dilations share nothing
        ((-1, 1), (1, 1), 'zeros', [5]),
        ((1,), (1,), 'zeros', [5]),
        ((0,), (1,), 'zeros', [6]),
        ((9, -9), (1, 1), 'zeros', []),  # longer than the clip: nothing to multiply
    ],
)
def test_each_pair_of_frames_is_multiplied_once(multiplied, offsets, dilations, border, expected):
    x = torch.randn(1, 2, 6, 4, 4)
    frame_pairs.correlation_forward(x, offsets, (3, 3), dilations, border, 1.0, 'shifts')
    assert multiplied == expected
