import os

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.files import write_atomically


def test_file_is_replaced_with_its_folder_made(tmp_path):
    path = tmp_path / 'a' / 'b.txt'
    for text in ('é\r\n', 'x'):
        write_atomically(path, text)
        assert path.read_bytes() == text.encode() and os.listdir(path.parent) == ['b.txt']
    assert path.stat().st_mode & 0o777 == 0o644


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / 'b.txt'
    path.write_text('old')

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(InputError, match='b.txt cannot be written: No space left on device'):
        write_atomically(path, 'new')
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['b.txt']
