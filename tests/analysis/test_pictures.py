"""Sheets and moving pictures: what is drawn where, and what the files hold."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mmaction_ext.analysis.pictures import (
    Legend,
    Marks,
    Picture,
    Row,
    draw_moment,
    draw_sheet,
    encode_gif,
    tile_index,
    to_array,
    write_animation,
    write_sheet,
)
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.errors import InputError

LEGEND = Legend(np.full((5, 5, 3), (0, 0, 255), np.uint8), 'the key')


def tiles(*levels, size=(6, 8)):
    """One grey tile for each level."""
    return np.stack([np.full((*size, 3), level, np.uint8) for level in levels])


def picture(*rows, title='a title'):
    return Picture(title, [Row('a row', row) for row in rows], LEGEND)


def shown(figure):
    """The arrays of a figure's images, in the order they were drawn."""
    return [axes.images[0].get_array() for axes in figure.axes]


@pytest.mark.parametrize(
    'num_moments, num_tiles, expected',
    [
        (4, 4, [0, 1, 2, 3]),
        (4, 2, [0, 0, 1, 1]),
        (2, 8, [2, 6]),
        (1, 3, [1]),
    ],
)
def test_a_moment_is_the_same_part_of_every_row(num_moments, num_tiles, expected):
    assert [
        tile_index(moment, num_moments, num_tiles) for moment in range(num_moments)
    ] == expected


def test_sheet_has_every_row_at_every_moment_and_the_legend():
    figure = draw_sheet(picture(tiles(0, 1, 2, 3), tiles(10, 20)))
    *drawn, legend = shown(figure)
    assert [tile[0, 0, 0] for tile in drawn] == [0, 1, 2, 3, 10, 10, 20, 20]
    assert (legend == LEGEND.image).all()


def test_sheet_takes_evenly_spread_moments_where_there_are_many():
    figure = draw_sheet(picture(tiles(*range(16))), max_columns=4)
    assert [tile[0, 0, 0] for tile in shown(figure)[:-1]] == [2, 6, 10, 14]
    assert {text.get_text() for text in figure.texts} > {'frame 2', 'frame 14'}


def test_nothing_on_a_sheet_overlaps_or_leaves_it():
    figure = draw_sheet(picture(tiles(0, 1, 2), tiles(3, 4, 5), tiles(6, 7, 8)))
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not any(
        one.overlaps(other) for index, one in enumerate(boxes) for other in boxes[:index]
    )


def test_tiles_keep_their_aspect():
    figure = draw_sheet(picture(tiles(0, size=(30, 60))))
    box, (width, height) = figure.axes[0].get_position(), figure.get_size_inches()
    assert box.width * width == pytest.approx(2 * box.height * height)


def test_moment_shows_each_row_once():
    figure = draw_moment(picture(tiles(0, 1, 2, 3), tiles(10, 20), tiles(5)), 2)
    assert [tile[0, 0, 0] for tile in shown(figure)[:-1]] == [2, 20, 5]


def test_text_is_plain_whatever_the_users_settings(tmp_path):
    """$ would start a formula, and TeX would be started for every text."""
    with matplotlib.rc_context({'text.usetex': True}):
        write_sheet(picture(tiles(0, 1), title='cost $x_{ and %'), tmp_path / 'sheet.png')
    with Image.open(tmp_path / 'sheet.png') as image:
        assert image.format == 'PNG'


def test_marks_are_drawn_in_the_pixels_of_the_tile():
    marks = Marks(
        points=np.array([[2.0, 1.0], [5.0, 3.0]]),
        arrows=np.array([[3.0, 2.0], [np.nan, np.nan]]),
        colours=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
        vertical=[3.5],
        horizontal=[2.5],
    )
    row = Row('marked', tiles(0), [marks])
    axes = draw_sheet(Picture('', [row], LEGEND)).axes[0]
    crosses, arrows = axes.collections
    assert np.allclose(crosses.get_offsets(), marks.points)
    assert np.allclose(crosses.get_edgecolor()[:, :3], marks.colours)
    assert np.allclose(arrows.get_offsets(), [[2, 1]])
    assert np.allclose(np.c_[arrows.U, arrows.V], [[3, 2]])
    assert (arrows.angles, arrows.scale_units, arrows.scale) == ('xy', 'xy', 1)
    assert [list(line.get_xdata()) for line in axes.lines[:1]] == [[3.5, 3.5]]
    assert axes.get_xlim() == (-0.5, 7.5) and axes.get_ylim() == (5.5, -0.5)


def test_an_arrow_ends_where_it_should_in_the_pixels_of_the_picture():
    """From the centre of a black tile 20 pixels right and 10 down."""
    marks = Marks(np.array([[30.0, 30.0]]), np.array([[20.0, 10.0]]), np.array([[1.0, 1.0, 0]]))
    figure = draw_sheet(Picture('', [Row('', tiles(0, size=(61, 61)), [marks])], LEGEND))
    pixels = to_array(figure, 200).astype(int)
    box = figure.axes[0].get_position()
    rows, columns = np.nonzero((pixels[..., 0] > 200) & (pixels[..., 2] < 80))
    x = (columns / pixels.shape[1] - box.x0) / box.width * 61 - 0.5
    y = (rows / pixels.shape[0] - (1 - box.y1)) / box.height * 61 - 0.5
    assert x.max() == pytest.approx(50, abs=1) and y[x.argmax()] == pytest.approx(40, abs=1)


def test_array_has_even_sides():
    figure = draw_sheet(picture(tiles(0)))
    assert all(side % 2 == 0 for dpi in (71, 72, 73) for side in to_array(figure, dpi).shape[:2])


def test_gif_has_the_frames_it_was_given():
    frames = np.stack([np.full((10, 12, 3), level, np.uint8) for level in (0, 100, 200)])
    with Image.open(io.BytesIO(encode_gif(frames, fps=5))) as image:
        assert (image.n_frames, image.size, image.info['duration']) == (3, (12, 10), 200)
        for index, level in enumerate((0, 100, 200)):
            image.seek(index)
            assert np.asarray(image.convert('RGB')).mean() == pytest.approx(level, abs=3)


def test_gif_keeps_the_colours_of_a_small_part():
    """As the wheel is in a picture that is mostly white."""
    frame = np.full((400, 400, 3), 255, np.uint8)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255), (0, 255, 255)]
    for index, colour in enumerate(colours):
        frame[10:14, 10 + 4 * index : 14 + 4 * index] = colour
    frame[100:300] = np.arange(400)[None, :, None] * 255 // 400
    with Image.open(io.BytesIO(encode_gif(frame[None]))) as image:
        found = np.asarray(image.convert('RGB'))[12, 12:32:4].astype(int)
    assert abs(found - colours).max() < 30


def test_moving_pictures_have_a_frame_for_each_moment(tmp_path):
    still = picture(tiles(7, 7, 7, 7, 7))  # encoders like to merge what is equal
    write_animation(still, tmp_path / 'a.gif')
    write_animation(still, tmp_path / 'a.mp4')
    with Image.open(tmp_path / 'a.gif') as image:
        assert image.n_frames == 5
        size = image.size
    assert VideoReader(tmp_path / 'a.mp4').read().shape == (5, size[1], size[0], 3)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match=r'a.avi must end in'):
        write_animation(picture(tiles(0)), tmp_path / 'a.avi')
    with pytest.raises(InputError, match='gone'):
        write_sheet(picture(tiles(0)), tmp_path / 'gone' / 'a.png')
    with pytest.raises(InputError, match='gone'):
        write_animation(picture(tiles(0)), tmp_path / 'gone' / 'a.mp4')
