"""The oracle against numbers worked out by hand."""

import pytest
import torch

from mmaction_ext.ops.correlation.reference import (
    correlation_reference,
    pair_reference,
    source_frame,
)


def test_by_hand():
    """Two frames of one row: [1 2 3] and [4 5 6]."""
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 1, 2, 1, 3)
    forward, backward = correlation_reference(x, (1, -1), (3, 3), (1, 1), 'zeros', 10.0).reshape(
        2, 3, 3, 2, 3
    )
    # the window's middle row; above and below lies nothing
    assert forward[1, :, 0].tolist() == [[0, 80, 150], [40, 100, 180], [50, 120, 0]]
    assert backward[1, :, 1].tolist() == [[0, 50, 120], [40, 100, 180], [80, 150, 0]]
    assert not forward[:, :, 1].any() and not backward[:, :, 0].any()
    assert not forward[[0, 2]].any() and not backward[[0, 2]].any()


def test_a_pair_by_hand():
    """Columns [1 2] and [3 4] seen three rows far, rows as wide as the map."""
    queries, keys = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(2, 1, 1, 2, 1)
    volume = pair_reference(queries, keys, (3, 1), 1, 10.0)
    assert volume.flatten(2)[0].tolist() == [[0, 60], [30, 80], [40, 0]]
    assert not pair_reference(queries, keys, (3, 1), 2, 10.0)[0, [0, 2]].any()


@pytest.mark.parametrize(
    'border, expected',
    [
        ('zeros', [None, None, 0, 1, 2, None, None]),
        ('replicate', [0, 0, 0, 1, 2, 2, 2]),
        ('circular', [1, 2, 0, 1, 2, 0, 1]),
    ],
)
def test_frames_outside_the_clip(border, expected):
    assert [source_frame(frame, 3, border) for frame in range(-2, 5)] == expected
