import errno
import os

import pytest

from mmaction_ext.datasets.preparation.inspection import Finding
from mmaction_ext.datasets.preparation.journal import Journal, signature

STATE = [10, 123]


def test_findings_are_there_again_while_the_file_is_the_same(tmp_path):
    path = tmp_path / 'journal'
    with Journal(path, 'full') as journal:
        journal.add('a b.mp4', STATE, Finding(7))
        assert '"a b.mp4"' in path.read_text()  # at once, not only at the end
    journal = Journal(path, 'full')
    assert journal.finding('a b.mp4', STATE) == Finding(7)
    assert journal.finding('a b.mp4', [10, 124]) is None
    assert journal.finding('other', STATE) is None


def test_what_is_broken_is_looked_at_again(tmp_path):
    with Journal(tmp_path / 'journal', 'full') as journal:
        journal.add('a', STATE, Finding(7, 'unreadable', 'torn'))
        assert journal.finding('a', STATE) is None
    assert Journal(tmp_path / 'journal', 'full').finding('a', STATE) is None


def test_another_check_and_a_fresh_start_forget(tmp_path):
    with Journal(tmp_path / 'journal', 'quick') as journal:
        journal.add('a', STATE, Finding(7))
    assert Journal(tmp_path / 'journal', 'full').finding('a', STATE) is None
    assert Journal(tmp_path / 'journal', 'quick', fresh=True).finding('a', STATE) is None


def test_torn_line_is_dropped_and_hurts_no_later_one(tmp_path):
    path = tmp_path / 'journal'
    with Journal(path, 'full') as journal:
        journal.add('a', STATE, Finding(7))
        journal.add('b', STATE, Finding(8))
    path.write_bytes(path.read_bytes()[:-9])
    with Journal(path, 'full') as journal:
        assert journal.finding('b', STATE) is None
        journal.add('c', STATE, Finding(9))
    journal = Journal(path, 'full')
    assert [journal.finding(name, STATE) for name in 'ac'] == [Finding(7), Finding(9)]


def test_file_of_another_kind_counts_as_empty(tmp_path):
    for content in (b'', b'\x00\xff', b'[]\n', b'{"a": 1}\n'):
        (tmp_path / 'journal').write_bytes(content)
        assert Journal(tmp_path / 'journal', 'full').finding('a', STATE) is None


def test_signature_changes_with_the_file(tmp_path):
    path = tmp_path / 'a'
    assert signature(path) is None
    path.write_bytes(b'123')
    first = signature(path)
    assert first == signature(path) and first[0] == 3
    os.utime(path, ns=(0, 5))
    assert signature(path) == [3, 5]


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no device that is always full')
def test_full_disk_is_reported_with_the_name_of_the_file(tmp_path):
    path = tmp_path / 'journal'
    with pytest.raises(OSError, match='journal') as caught, Journal(path, 'full') as journal:
        path.unlink()
        journal._file.close()
        journal._file = open('/dev/full', 'a', encoding='utf-8')
        journal.add('a', STATE, Finding(7))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))


def test_what_another_version_found_sound_is_looked_at_again(tmp_path):
    path = tmp_path / 'journal'
    with Journal(path, 'full') as journal:
        journal.add('a', STATE, Finding(7))
    path.write_text(path.read_text().replace('"journal": 3', '"journal": 2'))
    assert Journal(path, 'full').finding('a', STATE) is None
