"""Lines in a file, each whole or not there."""

import os

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.files.journal import Journal, json_line, read_json_lines


def test_records_are_there_before_the_file_is_closed(tmp_path):
    path = tmp_path / 'lines'
    assert read_json_lines(path) == []
    with Journal(path) as journal:
        for record in ({'a': 'ü\n'}, [1, None]):
            journal.append(json_line(record))
        assert read_json_lines(path) == [{'a': 'ü\n'}, [1, None]]
        assert path.read_bytes().count(b'\n') == 2


def test_torn_line_counts_as_not_written_and_spoils_no_other(tmp_path):
    path = tmp_path / 'lines'
    path.write_bytes(b'{"a": 1}\n{"b": \xff')
    with Journal(path) as journal:
        journal.append(json_line({'c': 3}))
    assert path.read_bytes() == b'{"a": 1}\n{"b": \xff\n{"c": 3}\n'
    assert read_json_lines(path) == [{'a': 1}, {'c': 3}]


def test_refused_line_is_taken_back_and_named(tmp_path, monkeypatch):
    path, real = tmp_path / 'lines', os.write

    def short(descriptor, data):
        if not data.startswith(b'{'):
            raise OSError(28, 'No space left on device')
        return real(descriptor, data[:3])

    with Journal(path) as journal:
        journal.append(b'{"a": 1}\n')
        with monkeypatch.context() as patch:
            patch.setattr(os, 'write', short)
            with pytest.raises(OSError, match='No space left') as caught:
                journal.append(b'{"b": 2}\n')
        journal.append(b'{"c": 3}\n')
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b'{"a": 1}\n{"c": 3}\n'


@pytest.mark.parametrize('link', [os.symlink, os.link])
def test_link_is_refused(tmp_path, link):
    (tmp_path / 'mine').write_text('mine')
    link(tmp_path / 'mine', tmp_path / 'lines')
    with pytest.raises(InputError, match='lines is a link'):
        Journal(tmp_path / 'lines')
    assert (tmp_path / 'mine').read_text() == 'mine'
