"""Where regions begin and end, by hand and by what must always hold."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.ops.keypoint.borders import coverage, keep_apart, pixel_borders, region_masks

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    'borders, size, expected',
    [
        ([0, 7, 14], 14, [0, 7, 14]),
        ([0, 7.49, 14], 14, [0, 7, 14]),
        ([0, 7.5, 14], 14, [0, 7, 14]),  # the centre of pixel 7 is at 7.5: behind the border
        ([0, 7.51, 14], 14, [0, 8, 14]),
        ([0, 3.5, 7], 7, [0, 3, 7]),  # the middle of an odd map
        ([0, -3, 14], 14, [0, 1, 14]),  # one pixel stays
        ([0, 99, 14], 14, [0, 13, 14]),
        ([5, 7, 9], 14, [0, 7, 14]),  # the outer borders are the edges
        ([0, 9, 9, 14], 14, [0, 9, 10, 14]),  # the lower border gives way
        ([0, 14, 2, 14], 14, [0, 12, 13, 14]),
        ([0, 1, 2, 3], 3, [0, 1, 2, 3]),  # no choice
        ([0, NAN, 14], 14, [0, 1, 14]),
        ([0, NAN, 9, 14], 14, [0, 1, 2, 14]),
        ([0, INF, 14], 14, [0, 13, 14]),
        ([0, 4], 4, [0, 4]),
    ],
)
def test_pixel_borders_by_hand(borders, size, expected):
    assert pixel_borders(torch.tensor(borders, dtype=torch.float32), size).tolist() == expected


@given(size=st.integers(1, 30), data=st.data())
def test_every_region_keeps_a_pixel(size, data):
    side = data.draw(st.integers(1, min(4, size)))
    wanted = st.lists(st.floats(-40, 40, width=32), min_size=side + 1, max_size=side + 1)
    borders = torch.tensor(data.draw(wanted))
    pixels, real = pixel_borders(borders, size), keep_apart(borders, size)
    for kept, slip in ((pixels, 0), (real, 1e-5)):
        assert kept[0] == 0 and kept[-1] == size and kept.diff().min() >= 1 - slip
    assert torch.equal(pixel_borders(real, size), pixels) or _on_a_centre(real)
    assert (pixels - real).abs().max() <= 0.5 + 1e-5


def _on_a_centre(borders):
    """Whether rounding errors decide on which side of a pixel's centre a border lies."""
    return ((borders % 1 - 0.5).abs() < 1e-4).any()


def test_borders_that_are_apart_are_kept():
    borders = torch.tensor([0, 1.25, 6.5, 13, 14])
    assert torch.equal(keep_apart(borders, 14), borders)


def test_coverage_by_hand():
    shares = coverage(torch.tensor([0, 1.25, 3.0, 4.0]), 4)
    assert shares.tolist() == [[1, 0.25, 0, 0], [0, 0.75, 1, 0], [0, 0, 0, 1]]


@given(size=st.integers(2, 20), data=st.data())
def test_coverage_is_the_overlap(size, data):
    border = data.draw(st.floats(0, size, allow_nan=False))
    shares = coverage(torch.tensor([0, border, size], dtype=torch.float64), size)
    expected = [
        [max(0, min(i + 1, last) - max(i, first)) for i in range(size)]
        for first, last in ((0, border), (border, size))
    ]
    torch.testing.assert_close(shares, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize('border', [2.0, 2.3])
def test_moving_a_border_by_one_moves_one_pixel(border):
    """Also on a whole border, where the derivative is that of the pixel behind it."""
    middle = torch.tensor(border, requires_grad=True)
    shares = coverage(torch.stack((torch.tensor(0.0), middle, torch.tensor(4.0))), 4)
    slopes = [
        [torch.autograd.grad(share, middle, retain_graph=True)[0].item() for share in row]
        for row in shares
    ]
    assert slopes == [[0, 0, 1, 0], [0, 0, -1, 0]]


def test_region_masks_by_hand():
    rows = torch.tensor([[1, 0.5], [0, 0.5]])
    columns = torch.tensor([[1, 0.25, 0], [0, 0.75, 1]])
    assert region_masks(rows, columns).tolist() == [
        [1, 0.25, 0, 0.5, 0.125, 0],
        [0, 0.75, 1, 0, 0.375, 0.5],
        [0, 0, 0, 0.5, 0.125, 0],
        [0, 0, 0, 0, 0.375, 0.5],
    ]
