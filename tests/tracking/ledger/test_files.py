"""Files that are replaced as a whole or not at all."""

import hashlib
import os

import pytest

from mmaction_ext.tracking.ledger import files
from mmaction_ext.tracking.ledger.files import file_sha256, write_atomically


def test_content_is_replaced(tmp_path):
    path = tmp_path / 'run.json'
    for text in ('first and long', 'zweitens: ü'):
        write_atomically(path, text)
        assert path.read_text(encoding='utf-8') == text
    assert [file.name for file in tmp_path.iterdir()] == ['run.json']


@pytest.mark.parametrize('function', ['fsync', 'replace'])
def test_failure_at_any_step_leaves_the_old_content(tmp_path, monkeypatch, function):
    path = tmp_path / 'run.json'
    write_atomically(path, 'old')

    def fail(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(files.os, function, fail)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(path, 'new')
    assert path.read_text() == 'old'


def test_content_and_name_are_brought_to_the_disk_in_this_order(tmp_path, monkeypatch):
    calls, real = [], dict(fsync=os.fsync, replace=os.replace)
    monkeypatch.setattr(files.os, 'fsync', lambda descriptor: (
        calls.append(os.readlink(f'/proc/self/fd/{descriptor}')), real['fsync'](descriptor)))
    monkeypatch.setattr(files.os, 'replace', lambda *names: (
        calls.append('replace'), real['replace'](*names)))
    write_atomically(tmp_path / 'a', 'text')
    assert calls == [str(tmp_path / 'a.tmp'), 'replace', str(tmp_path)]
    calls.clear()
    write_atomically(tmp_path / 'a', 'text', sync=False)
    assert calls == ['replace']


def test_sha256_of_a_file_larger_than_a_chunk(tmp_path):
    path = tmp_path / 'weights'
    path.write_bytes(b'weights' * 500_000)
    assert file_sha256(path) == hashlib.sha256(b'weights' * 500_000).hexdigest()
