"""Key points, arrows and borders are where the module says, in pixels of the frames."""

import numpy as np
import pytest
import torch

from mmaction_ext.analysis.key_point_figure import (
    key_point_legend,
    key_point_rows,
    region_colours,
    strongest_channels,
    to_frame,
)
from mmaction_ext.analysis.motion_record import SeenMotion
from mmaction_ext.errors import InputError
from mmaction_ext.modules.base import KeyPoints

SETS, REGIONS, CHANNELS, FRAMES = 2, 4, 5, 3
MAP, FRAME = (4, 8), (32, 48)  # a map pixel is 8 x 6 frame pixels


@pytest.fixture
def found():
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(1, SETS, *shape, generator=generator)

    borders = torch.tensor([0.0, 1.0, 4.0]).expand(1, SETS, FRAMES, 3)
    return KeyPoints(
        points=torch.stack(
            (random(REGIONS, CHANNELS, FRAMES) * 3, random(REGIONS, CHANNELS, FRAMES) * 7), dim=-1
        ),
        values=random(REGIONS, CHANNELS, FRAMES),
        shifts=random(REGIONS, CHANNELS, FRAMES - 1, 2) * 4 - 2,
        weights=random(REGIONS, CHANNELS, FRAMES - 1),
        row_borders=borders,
        column_borders=2 * borders,
    )


def draw(found, frames=None, **kwargs):
    frames = np.zeros((FRAMES, *FRAME, 3), np.uint8) if frames is None else frames
    features = torch.zeros(1, CHANNELS, FRAMES, *MAP)
    seen = SeenMotion(features, found, features)
    (row,) = key_point_rows({4: seen}, frames, **kwargs)
    return row


def test_coordinates_of_a_map_on_its_frame():
    """The centre of a map pixel is the centre of the frame pixels it covers."""
    positions = to_frame(torch.tensor([0.0, 1.0, 3.0, -0.5, 3.5]), 4, 32)
    assert positions.tolist() == [3.5, 11.5, 27.5, -0.5, 31.5]


def test_crosses_and_arrows_are_the_points_and_shifts(found):
    row = draw(found, num_channels=2, which_set=1)
    channels = strongest_channels(found.values[0, 1], 2).tolist()
    assert row.title == f'stage 4, region set 1: channels {channels[0]}, {channels[1]}'
    assert len(row.marks) == FRAMES
    for frame in range(FRAMES):
        index = 0
        for region in range(REGIONS):
            for channel in channels:
                marks = row.marks[frame]
                y, x = found.points[0, 1, region, channel, frame].tolist()
                assert marks.points[index] == pytest.approx([6 * x + 2.5, 8 * y + 3.5], abs=1e-4)
                if frame < FRAMES - 1:
                    dy, dx = found.shifts[0, 1, region, channel, frame].tolist()
                    assert marks.arrows[index] == pytest.approx([6 * dx, 8 * dy], abs=1e-4)
                else:
                    assert np.isnan(marks.arrows[index]).all()
                assert (marks.colours[index] == region_colours(REGIONS)[region]).all()
                index += 1
        assert index == len(row.marks[frame].points)


def test_an_arrow_ends_at_the_next_point_where_the_shift_leads_there(found):
    points = found.points.clone()
    shifts = points[..., 1:, :] - points[..., :-1, :]
    marks = draw(
        KeyPoints(
            points, found.values, shifts, found.weights, found.row_borders, found.column_borders
        )
    ).marks
    assert np.allclose(marks[0].points + marks[0].arrows, marks[1].points)


def test_inner_borders_are_the_edges_between_pixels(found):
    marks = draw(found).marks[0]
    assert list(marks.horizontal) == [7.5] and list(marks.vertical) == [11.5]


def test_strongest_channels_by_hand():
    values = torch.zeros(2, 4, 3)
    values[:, 2], values[0, 0], values[:, 3] = 1.0, 1.0, -9.0
    assert strongest_channels(values, 2).tolist() == [2, 0]
    assert strongest_channels(values, 9).tolist() == [2, 0, 1, 3]


def test_more_frames_than_the_stage_has(found):
    """Frame t of the stage was made of frames 2 t and 2 t + 1."""
    frames = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(3, -1)
    row = draw(found, frames.repeat(FRAME[0], 1).repeat(FRAME[1], 2))
    assert row.tiles[:, 0, 0, 0].tolist() == [1, 3, 5]


@pytest.mark.parametrize('number', [1, 4, 9, 16])
def test_regions_have_different_colours(number):
    colours = region_colours(number)
    assert colours.shape == (number, 3) and len(np.unique(colours, axis=0)) == number
    image = key_point_legend(number).image.reshape(-1, 3)
    assert np.allclose(image, colours * 255, atol=1)


def test_a_set_that_is_not_there(found):
    with pytest.raises(InputError, match='no region set 2: the module has 2'):
        draw(found, which_set=2)
    with pytest.raises(InputError, match='no region set -1'):
        draw(found, which_set=-1)
    with pytest.raises(InputError, match='got 0'):
        draw(found, num_channels=0)
