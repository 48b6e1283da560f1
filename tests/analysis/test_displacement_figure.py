"""Displacements become the right colours at the right places."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.analysis.displacement_figure import (
    DARKENING,
    SMALLEST_RIM,
    choose_rim,
    displacement_rows,
    flow_colours,
    opacity,
    wheel,
)
from mmaction_ext.analysis.motion_record import SeenMotion
from mmaction_ext.modules.base import Displacements

RED = (255, 0, 0)  # right, on the wheel of Baker et al.


def constant(dy, dx, size=(3, 4), num_frames=2):
    return torch.tensor([dy, dx], dtype=torch.float).view(1, 2, 1, 1).expand(num_frames, 2, *size)


def seen(displacement, confidence=None, features=None):
    """Of one clip with one map, from (T, 2, H, W), (T, H, W) and (C, T, H, W).

    Every pixel of the features stands out as much as any other, unless they are given.
    """
    if confidence is None:
        confidence = torch.ones_like(displacement[:, 0])
    if features is None:
        num_frames, _, height, width = displacement.shape
        features = (-1.0) ** torch.arange(width).expand(3, num_frames, height, width)
    return SeenMotion(
        features[None],
        Displacements(
            ('t+1',),
            (tuple(range(len(displacement))),),
            displacement.transpose(0, 1)[None, None],
            confidence[None, None],
        ),
        features[None],
    )


def test_right_is_red_and_nothing_is_white():
    colours = flow_colours(constant(0.0, 2.0), 2.0)
    assert colours.shape == (2, 3, 3, 4)
    assert (colours.permute(0, 2, 3, 1) == torch.tensor(RED)).all()
    assert (flow_colours(constant(-0.0, 2.0), 2.0).permute(0, 2, 3, 1) == torch.tensor(RED)).all()
    assert (flow_colours(constant(0.0, 0.0), 2.0) == 255).all()


@given(st.floats(-math.pi, math.pi), st.floats(0.05, 1.0))
def test_a_displacement_has_the_colour_of_the_wheel_at_its_end(angle, length):
    size = 201
    dy, dx = length * math.sin(angle), length * math.cos(angle)
    row, column = (round((end * 0.98 + 1) / 2 * (size - 1)) for end in (dy, dx))
    on_wheel = wheel(size)[row, column].astype(int)
    end = [2 * index / (size - 1) - 1 for index in (row, column)]
    colour = flow_colours(constant(*end) * 3, 3.0)[0, :, 0, 0].numpy().astype(int)
    assert abs(colour - on_wheel).max() <= 2


def test_wheel_is_oriented_as_the_picture_is():
    """Right red, left cyan, up violet-blue, down yellow-green; white in the middle and outside."""
    image = wheel(101).astype(int)
    assert tuple(image[50, 100]) == RED and image[50, 50].min() >= 254
    assert image[50, 0][0] < 30 and image[50, 0][1:].min() > 200
    assert image[0, 50][2] > 200 and image[0, 50][1] < 100
    assert image[100, 50][:2].min() > 200 and image[100, 50][2] < 30
    assert (image[0, 0] == 255).all() and (image[100, 100] == 255).all()


def test_longer_than_the_rim_is_the_full_colour():
    assert (flow_colours(constant(0.0, 9.0), 2.0) == flow_colours(constant(0.0, 2.0), 2.0)).all()


def test_the_scale_does_not_depend_on_what_else_is_there():
    """torchvision's own scale is the largest displacement given."""
    alone = flow_colours(constant(1.0, 0.5), 4.0)
    among = torch.cat((constant(1.0, 0.5), constant(4.0, 0.0)))
    assert (flow_colours(among, 4.0)[:2] == alone).all()


def test_rim():
    steps = torch.zeros(1, 2, 10, 20)
    steps[0, 1] = 3.0
    steps[0, 1, 0, 0] = 50.0  # one of 200 is an outlier
    assert choose_rim(steps) == 3.0
    assert choose_rim(torch.zeros(1, 2, 4, 4)) == SMALLEST_RIM


def test_opacity_is_stretched_over_the_map():
    confidence = torch.arange(101.0).view(1, 1, 101) * 7 - 3
    found = opacity(confidence).flatten()
    assert torch.allclose(found, ((torch.arange(101.0) - 5) / 90).clamp(0, 1), atol=1e-6)
    assert (opacity(torch.full((2, 3, 3), 0.1)) == 1).all()


def test_the_few_pixels_that_match_are_opaque():
    confidence = torch.zeros(1, 10, 10)
    confidence[0, 3, 3], confidence[0, 4, 4] = 2.0, 4.0
    found = opacity(confidence)
    assert (found[0, 3, 3], found[0, 4, 4], found.sum()) == (0.5, 1.0, 1.5)


def test_frames_without_a_partner_are_clear_and_do_not_count():
    confidence = torch.rand(4, 5, 5) + 0.5
    alone = opacity(confidence)
    confidence = torch.cat((torch.zeros(3, 5, 5), confidence))
    assert torch.equal(opacity(confidence), torch.cat((torch.zeros(3, 5, 5), alone)))
    assert (opacity(torch.zeros(2, 3, 3)) == 0).all()
    assert opacity(torch.tensor([0.0, 0.7]).view(2, 1, 1)).flatten().tolist() == [0, 1]


def test_rows_show_each_pixel_where_it_is():
    """The map's right half moves right, the left one stays; each map pixel is 4 x 4 of a frame."""
    steps = constant(0.0, 0.0, size=(2, 4)).clone()
    steps[:, 1, :, 2:] = 1.5
    frames = np.zeros((2, 8, 16, 3), np.uint8)
    (row,) = displacement_rows({3: seen(steps)}, frames)
    assert row.tiles.shape == frames.shape and row.tiles.dtype == np.uint8
    assert (row.tiles[:, :, :8] == 255).all()
    assert (row.tiles[:, :, 8:] == RED).all()
    assert row.title == 'stage 3 (2 x 4), t+1: rim 1.5 px'


def test_where_the_match_is_poor_the_darkened_frame_shows():
    confidence = torch.zeros(1, 2, 2)
    confidence[:, 0] = 1.0
    frames = np.full((1, 4, 4, 3), 100, np.uint8)
    (row,) = displacement_rows({2: seen(constant(0.0, 1.0, (2, 2), 1), confidence)}, frames)
    assert (row.tiles[0, :2] == RED).all()
    assert (row.tiles[0, 2:] == round(100 * DARKENING)).all()


@pytest.mark.parametrize('background', [0.0, 50.0])
def test_what_stands_out_shows_where_all_match_alike(background):
    """One of four rows differs from the others, however strong those are."""
    features = torch.full((2, 1, 4, 4), background)
    features[:, :, 1] += torch.tensor([3.0, -4.0]).view(2, 1, 1)
    at_stage = seen(constant(0.0, 1.0, (4, 4), 1), features=features)
    frames = np.full((1, 4, 4, 3), 100, np.uint8)
    (row,) = displacement_rows({2: at_stage}, frames)
    assert (row.tiles[0, 1] == RED).all()
    assert (row.tiles[0, [0, 2, 3]] == round(100 * DARKENING)).all()
    (row,) = displacement_rows({2: at_stage}, frames, by_strength=False)
    assert (row.tiles[0] == RED).all()


def test_maps_stand_over_their_source_frames_with_the_strength_of_these():
    features = torch.zeros(1, 3, 4, 2)
    features[0, 0, 0], features[0, 1:, 1] = 9.0, 9.0  # moves down after the first frame
    steps = constant(0.0, 1.0, (4, 2), 3).transpose(0, 1)
    at_stage = SeenMotion(
        features[None],
        Displacements(
            ('near', 'far'),
            ((0, 1, 1), (0, 0, 0)),
            torch.stack((steps, steps))[None],
            torch.ones(1, 2, 3, 4, 2),
        ),
        features[None],
    )
    frames = np.array([10, 100, 200], np.uint8)[:, None, None, None] * np.ones(
        (1, 4, 2, 3), np.uint8
    )
    near, far = displacement_rows({2: at_stage}, frames)
    assert (far.tiles[:, 0] == RED).all() and (far.tiles[:, 1:] == 4).all()
    assert (near.tiles[1:, 1] == RED).all() and (near.tiles[1:, 0] == 40).all()
    assert far.title == 'stage 2 (4 x 2), far, from the first frame: rim 1 px'


def test_a_stage_with_fewer_frames_stands_over_the_frames_it_was_made_of():
    frames = np.arange(0, 240, 30, dtype=np.uint8)[:, None, None, None].repeat(3, -1)
    frames = frames.repeat(2, 1).repeat(2, 2)
    confidence = torch.tensor([[[0.0, 1.0]] * 2] * 4)  # every left pixel shows the frame
    (row,) = displacement_rows({4: seen(constant(0.0, 1.0, (2, 2), 4), confidence)}, frames)
    assert np.allclose(row.tiles[:, 0, 0, 0], DARKENING * frames[1::2, 0, 0, 0], atol=0.51)


def test_a_row_for_each_map_of_each_stage():
    def found(names):
        features = torch.rand(1, 6, 2, 3, 3)
        return SeenMotion(
            features,
            Displacements(
                names,
                ((0, 1),) * len(names),
                torch.rand(1, len(names), 2, 2, 3, 3),
                torch.rand(1, len(names), 2, 3, 3),
            ),
            features,
        )

    rows = displacement_rows(
        {2: found(('t+1', 't+2')), 4: found(('t-1',))}, np.zeros((2, 9, 9, 3), np.uint8)
    )
    assert [row.title.split(':')[0] for row in rows] == [
        'stage 2 (3 x 3), t+1',
        'stage 2 (3 x 3), t+2',
        'stage 4 (3 x 3), t-1',
    ]


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_any_precision(dtype):
    assert (flow_colours(constant(0.0, 2.0).to(dtype), 2.0)[0, :, 0, 0] == torch.tensor(RED)).all()
