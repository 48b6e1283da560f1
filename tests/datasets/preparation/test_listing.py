import os

from mmaction_ext.datasets.preparation.listing import Listing
from mmaction_ext.datasets.publishers import Item


def item(folders=('a', ''), stems=('x', 'y')):
    return Item(folders, stems, 0, 'list:1')


def test_folder_goes_before_name_and_name_before_ending(tmp_path):
    (tmp_path / 'a').mkdir()
    for name in ('x.mp4', 'a/y.mp4', 'a/y.avi'):
        (tmp_path / name).touch()
    assert Listing(tmp_path, ('.avi', '.mp4')).find(item()) == 'a/y.avi'
    assert Listing(tmp_path, ('.mp4',)).find(item()) == 'a/y.mp4'
    assert Listing(tmp_path, ('.mp4',)).find(item(stems=('x',))) == 'x.mp4'


def test_folders_of_frames_have_no_ending(tmp_path):
    (tmp_path / 'x').mkdir()
    assert Listing(tmp_path).find(item()) == 'x'


def test_what_is_not_there(tmp_path):
    (tmp_path / 'a').touch()
    (tmp_path / 'x.mp4.part').touch()
    listing = Listing(tmp_path, ('.mp4',))
    assert listing.find(item()) is None and listing.why_not(item()) == ''


def test_folder_that_cannot_be_read_is_told_from_one_that_is_not_there(tmp_path):
    os.symlink('a', tmp_path / 'a')  # refuses even root
    listing = Listing(tmp_path, ('.mp4',))
    assert listing.find(item()) is None
    assert listing.why_not(item()).startswith(f'folder {tmp_path}/a: Too many levels')
    (tmp_path / 'y.mp4').touch()
    assert Listing(tmp_path, ('.mp4',)).find(item()) == 'y.mp4'
