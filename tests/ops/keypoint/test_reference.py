"""The oracle by hand: without it, fast and slow could be wrong together."""

import torch

from mmaction_ext.ops.keypoint.reference import maxima_reference, means_reference

MAP = torch.tensor([[1.0, 5, 2, 0], [5, 3, 2, 7], [9, 0, 7, 7]])
ROWS, COLUMNS = torch.tensor([[[[0, 2, 3]]]]), torch.tensor([[[[0, 2, 4]]]])


def test_maxima_by_hand():
    """Upper left: two fives, the first by rows. Lower right: two sevens."""
    index = maxima_reference(MAP[None, None, None], ROWS, COLUMNS)
    assert index.flatten().tolist() == [1, 7, 8, 10]


def test_means_by_hand():
    means = means_reference(MAP[None, None, None], ROWS, COLUMNS)
    assert means.flatten().tolist() == [14 / 4, 11 / 4, 9 / 2, 14 / 2]


def test_mean_over_a_part_of_a_pixel():
    rows, columns = torch.tensor([[[[0, 1.5, 3]]]]), torch.tensor([[[[0, 1, 4.0]]]])
    means = means_reference(MAP[None, None, None].double(), rows, columns).flatten()
    assert means[0] == (1 + 0.5 * 5) / 1.5
    assert means[3] == (0.5 * (3 + 2 + 7) + 0 + 7 + 7) / 4.5


def test_borders_belong_to_their_clip_set_and_frame():
    x = MAP[None, None, None].repeat(2, 1, 2, 1, 1)
    rows = ROWS.repeat(2, 3, 2, 1)
    rows[1, 2, 1, 1] = 1
    index = maxima_reference(x, rows, COLUMNS.repeat(2, 3, 2, 1))
    assert index.shape == (2, 3, 4, 1, 2)
    assert index[1, 2, :, 0, 1].tolist() == [1, 2, 8, 7]
    index[1, 2, :, 0, 1] = index[0, 0, :, 0, 0]
    assert torch.equal(index, index[:1, :1, :, :, :1].expand_as(index))
