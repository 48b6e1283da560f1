"""How the tables are cut; that their values are right is tested on the public operation."""

import pytest
import torch

from mmaction_ext.ops import regional_key_points
from mmaction_ext.ops.keypoint import tables


def case(sets=2):
    x = torch.randn(3, 5, 4, 9, 7)
    borders = [torch.rand(3, sets, 4, 4) * size for size in (9, 7)]
    return x, *borders


@pytest.mark.parametrize('limit', [1, 4000])
def test_chunks_are_seamless(monkeypatch, limit):
    """One frame in a chunk, and a few with a smaller last chunk."""
    arguments = case()
    whole = regional_key_points(*arguments)
    monkeypatch.setattr(tables, '_CHUNK_KEYS', limit)
    assert all(map(torch.equal, regional_key_points(*arguments), whole))


@pytest.mark.parametrize('limit', [1, 4000, 20000])
@pytest.mark.parametrize('sets, of_a_frame', [(2, 4 * 9 * 7 * 5), (8, 3 * (8 * 3) * 7 * 5)])
def test_tables_stay_below_the_limit(monkeypatch, limit, sets, of_a_frame):
    """But for a single frame, which cannot be cut: its levels of rows, or of bands."""
    sizes = []
    plain = tables._span_maxima

    def measuring(keys, borders):
        sizes.append(keys.numel() * keys.shape[1].bit_length())
        return plain(keys, borders)

    monkeypatch.setattr(tables, '_CHUNK_KEYS', limit)
    monkeypatch.setattr(tables, '_span_maxima', measuring)
    regional_key_points(*case(sets))
    assert max(sizes) <= max(limit, of_a_frame)
    assert limit > 1 or max(sizes) == of_a_frame


def test_keys_order_every_pair_of_numbers():
    values = torch.tensor(
        [float('-inf'), -3e38, -1.0, -1e-45, 0.0, 1e-45, 1.0, 3e38, float('inf')]
    )
    keys = tables._keys(values.flip(0).view(1, 1, -1, 1)).flatten().flip(0)
    assert torch.all(keys.diff() > 0)


def test_equal_values_fall_with_their_place():
    keys = tables._keys(torch.tensor([0.0, -0.0, 0.0, -0.0]).view(1, 2, 2, 1)).flatten()
    assert torch.all(keys.diff() < 0)
