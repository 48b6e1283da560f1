"""Strips of video drawn under each other: as a sheet over time, and moving.

A picture is made of rows. A row has one tile per frame, which may carry crosses, arrows and
borders; rows with fewer tiles than others (a stage with a temporal stride, another model) are
spread over the same time.
"""

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mmaction_ext.errors import InputError
from mmaction_ext.files.writing import replace_files
from mmaction_ext.video import encode_mp4

FORMATS = ('gif', 'mp4')
_TILE = 1.15  # all lengths in inches: width of a tile on the sheet
_MOVING_TILES = (2.1, 3.2)  # the least and the most
_MOVING_WIDTH = 8.4  # of a line of them
_LETTERS_PER_INCH = 19
_GAP = 0.06
_MARGIN = 0.15
_HEAD = 0.42  # the title of the picture
_LINE = 0.17  # a line of text above a row
_LEGEND = 1.35
_SHEET_DPI = 150
_MOVING_DPI = 100
_PLAIN: dict[str, Any] = dict(parse_math=False, usetex=False)  # a class name may hold $ or _


@dataclass(frozen=True)
class Marks:
    """What is drawn over one tile, in its pixels; x goes right, y down, 0 is a pixel's centre.

    Attributes:
        points: (P, 2), x and y of each cross.
        arrows: (P, 2), where the arrow of each cross goes from there; NaN for none.
        colours: (P, 3), between 0 and 1.
        vertical: x of the vertical lines.
        horizontal: y of the horizontal lines.
    """

    points: np.ndarray
    arrows: np.ndarray
    colours: np.ndarray
    vertical: Sequence[float] = ()
    horizontal: Sequence[float] = ()


@dataclass(frozen=True)
class Row:
    """One strip.

    Attributes:
        title: One line of plain text.
        tiles: (T, H, W, 3) of uint8, RGB.
        marks: What is drawn over each of the T tiles; empty for nothing.
    """

    title: str
    tiles: np.ndarray
    marks: Sequence[Marks] = ()


@dataclass(frozen=True)
class Legend:
    """The key to the colours, on the right.

    Attributes:
        image: (H, W, 3) of uint8, RGB.
        caption: Plain text below it.
    """

    image: np.ndarray
    caption: str


def ramp(colours: str) -> np.ndarray:
    """A colour map of matplotlib's, its end on top, as the image of a legend.

    Returns:
        (100, 90, 3) of uint8, RGB.
    """
    image = np.full((100, 90, 3), 255, np.uint8)
    image[:, :12] = (255 * colormaps[colours](np.linspace(1, 0, 100))[:, None, :3]).round()
    return image


@dataclass(frozen=True)
class Picture:
    """Rows of one video.

    Attributes:
        title: One line of plain text.
        rows: From top to bottom.
        legend: The key to the colours.
    """

    title: str
    rows: Sequence[Row]
    legend: Legend

    @property
    def num_moments(self) -> int:
        """Tiles of the longest row."""
        return max(len(row.tiles) for row in self.rows)


def tile_index(moment: int, num_moments: int, num_tiles: int) -> int:
    """The tile of a row that shows a moment, where both are spread over the same time."""
    return (2 * moment + 1) * num_tiles // (2 * num_moments)


def draw_sheet(picture: Picture, max_columns: int = 8) -> Figure:
    """Draw a picture with time from left to right.

    Args:
        picture: What to draw.
        max_columns: Moments on the sheet, evenly spread, if the picture has more.

    Returns:
        The figure: an axes for each tile, row by row, and one for the legend at the end.
    """
    total = picture.num_moments
    columns = min(total, max_columns)
    moments = [tile_index(column, columns, total) for column in range(columns)]
    heights = [_height(row, _TILE) for row in picture.rows]
    figure = _figure(
        2 * _MARGIN + columns * (_TILE + _GAP) + _LEGEND,
        _HEAD + _LINE + sum(heights) + len(heights) * (_LINE + _GAP) + _MARGIN,
    )
    _write(figure, picture.title, _MARGIN, 0.1, size=9)
    for column, moment in enumerate(moments):
        _write(figure, f'frame {moment}', _MARGIN + column * (_TILE + _GAP), _HEAD)
    top = _HEAD + _LINE
    for row, height in zip(picture.rows, heights, strict=True):
        _write(figure, row.title, _MARGIN, top)
        for column, moment in enumerate(moments):
            _draw_tile(
                _add_axes(figure, _MARGIN + column * (_TILE + _GAP), top + _LINE, _TILE, height),
                row,
                tile_index(moment, total, len(row.tiles)),
            )
        top += _LINE + height + _GAP
    _draw_legend(figure, picture.legend)
    return figure


def draw_moment(picture: Picture, moment: int) -> Figure:
    """Draw one moment of a picture, its rows as a grid.

    Args:
        picture: What to draw.
        moment: Which of ``picture.num_moments``.

    Returns:
        The figure: an axes for each row, and one for the legend at the end.
    """
    columns = min(max(3, math.ceil(math.sqrt(len(picture.rows)))), 4, len(picture.rows))
    lines = -(-len(picture.rows) // columns)
    tile = min(max(_MOVING_WIDTH / columns, _MOVING_TILES[0]), _MOVING_TILES[1])
    height = max(_height(row, tile) for row in picture.rows)
    figure = _figure(
        2 * _MARGIN + columns * (tile + _GAP) + _LEGEND,
        _HEAD + lines * (height + 2 * _LINE + _GAP) + _MARGIN,
    )
    _write(figure, f'frame {moment}: {picture.title}', _MARGIN, 0.1, size=9)
    for index, row in enumerate(picture.rows):
        left = _MARGIN + index % columns * (tile + _GAP)
        top = _HEAD + index // columns * (height + 2 * _LINE + _GAP)
        _write(figure, _two_lines(row.title, int(tile * _LETTERS_PER_INCH)), left, top)
        _draw_tile(
            _add_axes(figure, left, top + 2 * _LINE, tile, height),
            row,
            tile_index(moment, picture.num_moments, len(row.tiles)),
        )
    _draw_legend(figure, picture.legend)
    return figure


def _height(row: Row, width: float) -> float:
    return width * row.tiles.shape[1] / row.tiles.shape[2]


def _figure(width: float, height: float) -> Figure:
    """A figure that no global state knows, which therefore dies with its last reference."""
    return Figure(figsize=(width, height), facecolor='white')


def _add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / full_width,
            1 - (top + height) / full_height,
            width / full_width,
            height / full_height,
        ),
        frame_on=False,
        xticks=(),
        yticks=(),
    )


def _write(figure: Figure, text: str, left: float, top: float, size: float = 7) -> None:
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - top / height, text, size=size, va='top', **_PLAIN)


def _two_lines(text: str, width: int) -> str:
    """Text in lines of ``width`` letters; what the second cannot hold is cut off."""
    return textwrap.fill(text, width, max_lines=2, placeholder=' ...')


def _draw_tile(axes: Axes, row: Row, index: int) -> None:
    axes.imshow(row.tiles[index], interpolation='nearest', aspect='auto')
    axes.set_frame_on(True)  # a white tile has an edge, too
    for spine in axes.spines.values():
        spine.set(linewidth=0.4, color='0.6')
    if row.marks:
        _draw_marks(axes, row.marks[index])


def _draw_marks(axes: Axes, marks: Marks) -> None:
    for style in (dict(color='black', alpha=0.5), dict(color='white', linestyle=':')):
        for x in marks.vertical:
            axes.axvline(x, linewidth=0.6, **style)
        for y in marks.horizontal:
            axes.axhline(y, linewidth=0.6, **style)
    x, y = marks.points.T
    axes.scatter(x, y, c=marks.colours, marker='x', s=14, linewidths=1.1)
    moved = np.isfinite(marks.arrows).all(axis=1)
    axes.quiver(
        x[moved],
        y[moved],
        *marks.arrows[moved].T,
        color=marks.colours[moved],
        angles='xy',
        scale_units='xy',
        scale=1,
        width=0.012,
        minlength=0.5,
    )


def _draw_legend(figure: Figure, legend: Legend) -> None:
    full_width, _ = figure.get_size_inches()
    width = _LEGEND - 2 * _MARGIN
    left, top = full_width - _LEGEND, _HEAD + _LINE
    height = width * legend.image.shape[0] / legend.image.shape[1]
    axes = _add_axes(figure, left, top, width, height)
    axes.imshow(legend.image, aspect='auto')
    _write(figure, legend.caption, left, top + height + _GAP, size=6)


def to_array(figure: Figure, dpi: int = _MOVING_DPI) -> np.ndarray:
    """Pixels of a figure.

    Returns:
        (H, W, 3) of uint8, RGB; ``H`` and ``W`` are even, as video wants them.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    odd = [(0, size % 2) for size in pixels.shape[:2]]
    return np.pad(pixels, (*odd, (0, 0)), constant_values=255)


def write_sheet(picture: Picture, path: str | Path, max_columns: int = 8) -> None:
    """Draw a sheet into a PNG file; see :func:`draw_sheet`.

    Raises:
        InputError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    with matplotlib.style.context('default'):  # not what the user's matplotlibrc says
        pixels = to_array(draw_sheet(picture, max_columns), _SHEET_DPI)
    Image.fromarray(pixels).save(buffer, 'PNG', optimize=True)
    replace_files({Path(path): buffer.getvalue()})


def write_animation(picture: Picture, path: str | Path, fps: int = 4) -> None:
    """Draw every moment of a picture into a GIF or an H.264 mp4 file, by the file's ending.

    Args:
        picture: What to draw.
        path: The file, ending in .gif or .mp4; its folder must exist.
        fps: Moments per second.

    Raises:
        InputError: If the file ends otherwise or cannot be written.
    """
    suffix = Path(path).suffix[1:]
    if suffix not in FORMATS:
        raise InputError(f'{path} must end in .gif or .mp4')
    with matplotlib.style.context('default'):
        frames = np.stack(
            [to_array(draw_moment(picture, moment)) for moment in range(picture.num_moments)]
        )
    try:
        content = encode_gif(frames, fps) if suffix == 'gif' else encode_mp4(frames, fps)
    except ValueError as error:  # PyAV's, which may have come without the codec
        raise InputError(f'{path} cannot be written: {error}') from error
    replace_files({Path(path): content})


def encode_gif(frames: np.ndarray, fps: int = 4) -> bytes:
    """Encode a clip as an endless GIF.

    Args:
        frames: (T, H, W, 3) of uint8, RGB.
        fps: Frames per second.

    Returns:
        The bytes of a GIF file.
    """
    buffer = io.BytesIO()
    # Pillow's default palette goes by how common colours are and leaves the wheel few of them
    first, *others = [
        Image.fromarray(frame).quantize(255, Image.Quantize.MAXCOVERAGE, kmeans=1)
        for frame in frames
    ]
    first.save(
        buffer, 'GIF', save_all=True, append_images=others, duration=round(1000 / fps), loop=0
    )
    return buffer.getvalue()
