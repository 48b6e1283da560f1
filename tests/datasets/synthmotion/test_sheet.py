import numpy as np
import pytest
from PIL import Image

from mmaction_ext.datasets.synthmotion.scenes import render, sample_scene
from mmaction_ext.datasets.synthmotion.sheet import write_contact_sheet


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp('sheet') / 'sheet.png'
    write_contact_sheet(path)
    return path


def find(sheet, tile):
    """Places (row, column) of a tile in the picture."""
    first = (sheet[:-79, :-79] == tile[0, 0]).all(axis=-1)
    return [
        (row, column)
        for row, column in np.argwhere(first)
        if np.array_equal(sheet[row : row + 80, column : column + 80], tile)
    ]


def test_row_shows_a_clip_and_its_reversal_from_start_to_stop(path):
    sheet = np.asarray(Image.open(path))
    scene = sample_scene(0, 'train', 6)
    frames = render(scene)
    ends = [find(sheet, frames[index]) for index in (scene.onset, scene.onset + scene.duration)]
    (row, first), (same_row, last_reversed) = ends[0]
    (_, last), (_, first_reversed) = ends[1]
    assert row == same_row and first < last < first_reversed < last_reversed
    assert last - first == last_reversed - first_reversed


def test_picture_is_the_same_every_time(path, tmp_path):
    write_contact_sheet(tmp_path / 'again.png')
    assert (tmp_path / 'again.png').read_bytes() == path.read_bytes()


def test_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match='absent'):
        write_contact_sheet(tmp_path / 'absent' / 'sheet.png')
