"""Key points, their regions and their shifts, drawn over the frames.

As in "Effective Action Recognition with Embedded Key Point Shifts" (KPSEM), Figure 10.

Shape legend: G sets of regions, K regions, C channels, T frames of the stage, H rows, W columns.
"""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor

from mmaction_ext.analysis.motion_record import SeenMotion
from mmaction_ext.analysis.pictures import Legend, Marks, Row, tile_index
from mmaction_ext.errors import InputError
from mmaction_ext.modules.base import KeyPoints


def region_colours(num_regions: int) -> np.ndarray:
    """A colour for each region, (num_regions, 3) between 0 and 1."""
    if num_regions <= 10:
        return np.array(colormaps['tab10'](range(num_regions)))[:, :3]
    return colormaps['hsv'](np.arange(num_regions) / num_regions)[:, :3]


def key_point_legend(num_regions: int) -> Legend:
    """The regions in their colours, where they lie, with an explanation."""
    side = round(num_regions**0.5)
    image = region_colours(num_regions).reshape(side, side, 3)
    return Legend(
        (255 * image).astype(np.uint8),
        'Cross: key point of one\nchannel in one region, in\nthe colour of the region.\n'
        'Arrow: its shift to the\nnext frame.\nDotted: region borders.',
    )


def key_point_rows(
    seen: Mapping[int, SeenMotion[KeyPoints]],
    frames: np.ndarray,
    num_channels: int = 3,
    which_set: int = 0,
) -> list[Row]:
    """One row per stage: the frames with crosses, arrows and borders, of the first clip.

    Args:
        seen: What the module sees, by stage; key points all.
        frames: The clip, (T, H, W, 3) of uint8.
        num_channels: Channels to draw, those with the highest values.
        which_set: Which of the G sets of regions.

    Raises:
        InputError: If there is no such set, or no channel is asked for.
    """
    rows = []
    for stage, at_stage in seen.items():
        found, (height, width) = at_stage.motion, at_stage.features.shape[-2:]
        _check(found, num_channels, which_set)
        channels = strongest_channels(found.values[0, which_set], num_channels)
        marks = [
            _marks(found, which_set, channels, frame, (height, width), frames.shape[1:3])
            for frame in range(found.points.shape[4])
        ]
        chosen = [tile_index(frame, len(marks), len(frames)) for frame in range(len(marks))]
        names = ', '.join(map(str, channels.tolist()))
        rows.append(
            Row(f'stage {stage}, region set {which_set}: channels {names}', frames[chosen], marks)
        )
    return rows


def _check(found: KeyPoints, num_channels: int, which_set: int) -> None:
    num_sets = found.points.shape[1]
    if not 0 <= which_set < num_sets:
        raise InputError(
            f'there is no region set {which_set}: the module has {num_sets}, counted from 0'
        )
    if num_channels < 1:
        raise InputError(f'at least one channel must be drawn, got {num_channels}')


def strongest_channels(values: Tensor, number: int) -> Tensor:
    """Channels with the highest mean key point value.

    Args:
        values: (K, C, T).
        number: How many; all if there are fewer.

    Returns:
        Channel numbers, strongest first.
    """
    return values.mean(dim=(0, 2)).argsort(descending=True, stable=True)[:number].cpu()


def to_frame(position: Tensor, map_length: int, frame_length: int) -> Tensor:
    """Coordinates on a map as coordinates on the frame that it covers.

    Args:
        position: In pixels of the map, whose first pixel's centre is 0.
        map_length: Rows (or columns) of the map.
        frame_length: Rows (or columns) of the frame.

    Returns:
        In pixels of the frame, whose first pixel's centre is 0.
    """
    return (position + 0.5) * (frame_length / map_length) - 0.5


def _marks(
    found: KeyPoints,
    which_set: int,
    channels: Tensor,
    frame: int,
    map_size: tuple[int, int],
    frame_size: tuple[int, int],
) -> Marks:
    """Marks of one frame; points are ordered by region, then by channel."""
    scale = torch.tensor(frame_size, dtype=torch.double) / torch.tensor(map_size)
    points = found.points[0, which_set][:, channels, frame].cpu().double()  # (K, P, 2)
    shifts = _shifts(found, which_set, channels, frame)
    rows = found.row_borders[0, which_set, frame].cpu().double()
    columns = found.column_borders[0, which_set, frame].cpu().double()
    xy = torch.stack(
        [to_frame(points[..., axis], map_size[axis], frame_size[axis]) for axis in (1, 0)], dim=-1
    )
    arrows = (shifts * scale).flip(-1)
    colours = np.repeat(region_colours(len(points)), len(channels), axis=0)
    return Marks(
        xy.flatten(0, 1).numpy(),
        arrows.flatten(0, 1).numpy(),
        colours,
        vertical=_border(columns, map_size[1], frame_size[1]),
        horizontal=_border(rows, map_size[0], frame_size[0]),
    )


def _shifts(found: KeyPoints, which_set: int, channels: Tensor, frame: int) -> Tensor:
    """(K, P, 2); NaN in the last frame, after which there is nowhere to go."""
    if frame < found.shifts.shape[4]:
        return found.shifts[0, which_set][:, channels, frame].cpu().double()
    num_regions = found.points.shape[2]
    return torch.full((num_regions, len(channels), 2), float('nan'), dtype=torch.double)


def _border(edges: Tensor, map_length: int, frame_length: int) -> list[float]:
    """Inner borders only: the outer ones are the frame's own."""
    return (edges[1:-1] * (frame_length / map_length) - 0.5).tolist()
