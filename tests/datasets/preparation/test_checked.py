import errno
import os

import pytest

from mmaction_ext.datasets.preparation.checked import CheckedItems, signature
from mmaction_ext.datasets.preparation.inspection import Inspection

STATE = [10, 123]


def test_findings_are_there_again_while_the_file_is_the_same(tmp_path):
    path = tmp_path / 'checked'
    with CheckedItems(path, 'full') as checked:
        checked.add('a b.mp4', STATE, Inspection(7))
        assert '"a b.mp4"' in path.read_text()  # at once, not only at the end
    checked = CheckedItems(path, 'full')
    assert checked.inspection('a b.mp4', STATE) == Inspection(7)
    assert checked.inspection('a b.mp4', [10, 124]) is None
    assert checked.inspection('other', STATE) is None


def test_what_is_broken_is_looked_at_again(tmp_path):
    with CheckedItems(tmp_path / 'checked', 'full') as checked:
        checked.add('a', STATE, Inspection(7, 'unreadable', 'torn'))
        assert checked.inspection('a', STATE) is None
    assert CheckedItems(tmp_path / 'checked', 'full').inspection('a', STATE) is None


def test_another_check_and_a_fresh_start_forget(tmp_path):
    with CheckedItems(tmp_path / 'checked', 'quick') as checked:
        checked.add('a', STATE, Inspection(7))
    assert CheckedItems(tmp_path / 'checked', 'full').inspection('a', STATE) is None
    assert CheckedItems(tmp_path / 'checked', 'quick', fresh=True).inspection('a', STATE) is None


def test_torn_line_is_dropped_and_hurts_no_later_one(tmp_path):
    path = tmp_path / 'checked'
    with CheckedItems(path, 'full') as checked:
        checked.add('a', STATE, Inspection(7))
        checked.add('b', STATE, Inspection(8))
    path.write_bytes(path.read_bytes()[:-9] + b'\n7\n{"state": 1}\n')
    with CheckedItems(path, 'full') as checked:
        assert checked.inspection('b', STATE) is None
        checked.add('c', STATE, Inspection(9))
    checked = CheckedItems(path, 'full')
    assert [checked.inspection(name, STATE) for name in 'ac'] == [Inspection(7), Inspection(9)]


def test_file_of_another_kind_counts_as_empty(tmp_path):
    for content in (b'', b'\x00\xff', b'[]\n', b'{"a": 1}\n'):
        (tmp_path / 'checked').write_bytes(content)
        assert CheckedItems(tmp_path / 'checked', 'full').inspection('a', STATE) is None


def test_signature_changes_with_the_file(tmp_path):
    path = tmp_path / 'a'
    assert signature(path) is None
    path.write_bytes(b'123')
    first = signature(path)
    assert first == signature(path) and first[0] == 3
    os.utime(path, ns=(0, 5))
    assert signature(path) == [3, 5]


def test_full_disk_is_reported_with_the_name_of_the_file(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    path = tmp_path / 'checked'
    with pytest.raises(OSError, match='No space') as caught, CheckedItems(path, 'full') as checked:
        with monkeypatch.context() as patch:
            patch.setattr(os, 'write', fail)
            checked.add('a', STATE, Inspection(7))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert CheckedItems(path, 'full').inspection('a', STATE) is None


def test_what_another_version_found_sound_is_looked_at_again(tmp_path):
    path = tmp_path / 'checked'
    with CheckedItems(path, 'full') as checked:
        checked.add('a', STATE, Inspection(7))
    path.write_text(path.read_text().replace('"journal": 3', '"journal": 2'))
    assert CheckedItems(path, 'full').inspection('a', STATE) is None
