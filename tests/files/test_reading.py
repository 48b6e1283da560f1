"""Files that anybody may have put there: none holds a reader up."""

import os

import pytest

from mmaction_ext.files.reading import read_regular


def test_odd_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'zero').symlink_to('/dev/zero')
    with open(tmp_path / 'large', 'wb') as file:
        file.truncate(3 << 20)
    for name, reason in (
        ('pipe', 'not a regular file'),
        ('zero', 'not a regular file'),
        ('large', 'larger than 2 MiB'),
        ('', 'Is a directory'),
    ):
        with pytest.raises(OSError, match=reason) as caught:
            read_regular(tmp_path / name, 2 << 20)
        assert caught.value.filename == str(tmp_path / name)
    assert read_regular(tmp_path / 'large', 3 << 20) == bytes(3 << 20)
