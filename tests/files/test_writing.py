"""Files that are replaced as a whole or not at all."""

import contextlib
import errno
import hashlib
import os
import resource
import subprocess
import sys

import pytest
from disks import small_disk

from mmaction_ext.errors import InputError
from mmaction_ext.files import writing
from mmaction_ext.files.writing import (
    file_sha256,
    remove_unfinished,
    replacing,
    synced_size,
    write_atomically,
    write_output,
    write_outputs,
)


def test_content_is_replaced(tmp_path):
    path = tmp_path / 'run.json'
    for text in ('first and long', 'zweitens: ü'):
        write_atomically(path, text)
        assert path.read_text(encoding='utf-8') == text
    assert [file.name for file in tmp_path.iterdir()] == ['run.json']


@pytest.mark.parametrize('failure', ['block', 'fsync', 'replace', None])
def test_file_written_in_a_block_is_as_it_was_or_whole(tmp_path, monkeypatch, failure):
    path = tmp_path / 'epoch_1.pth'
    path.write_text('old')

    def fail(*args):
        raise OSError(28, 'No space left on device')

    if failure in ('fsync', 'replace'):
        monkeypatch.setattr(writing.os, failure, fail)
    with contextlib.suppress(OSError), replacing(path) as place:
        place.write_text('new')
        assert path.read_text() == 'old'
        if failure == 'block':
            fail()
    assert path.read_text() == ('old' if failure else 'new')
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_leaves_of_a_block_is_taken_away(tmp_path):
    program = (
        'import os, sys\n'
        'from mmaction_ext.files.writing import replacing\n'
        'with replacing(sys.argv[1]) as place:\n'
        "    place.write_text('new')\n"
        '    os.kill(os.getpid(), 9)\n'
    )
    path = tmp_path / 'epoch_1.pth'
    subprocess.run([sys.executable, '-c', program, str(path)])
    assert not path.exists() and len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.glob('*.pth'))
    remove_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('function', ['fsync', 'replace'])
def test_failure_at_any_step_leaves_the_old_content(tmp_path, monkeypatch, function):
    path = tmp_path / 'run.json'
    write_atomically(path, 'old')

    def fail(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(writing.os, function, fail)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(path, 'new')
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['run.json']
    with pytest.raises(InputError, match=r'run.json cannot be written: No space left on device'):
        write_output(path, 'new')
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['run.json']


def test_write_that_hits_a_full_disk_leaves_the_old_file(tmp_path):
    """The file size limit makes the kernel refuse the write half-way, like a full disk."""
    path = tmp_path / 'clip.mp4'
    write_atomically(path, b'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r'clip\.mp4') as caught:
            write_atomically(path, b'x' * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert os.listdir(tmp_path) == ['clip.mp4'] and path.read_bytes() == b'old'


def test_output_is_written_as_it_is_into_a_folder_that_is_made(tmp_path):
    path = tmp_path / 'a/b.txt'
    for text in ('é\r\n', 'x'):
        write_output(path, text)
        assert path.read_bytes() == text.encode() and os.listdir(path.parent) == ['b.txt']
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    with pytest.raises(InputError, match=r'b.txt/c cannot be written'):
        write_output(path / 'c', '')


def test_two_processes_that_write_one_output_do_not_mix(tmp_path, monkeypatch):
    path, real = tmp_path / 'table.md', os.fsync

    def write_meanwhile(descriptor):
        monkeypatch.setattr(writing.os, 'fsync', real)
        write_output(path, 'other')
        assert path.read_text() == 'other'

    monkeypatch.setattr(writing.os, 'fsync', write_meanwhile)
    write_output(path, 'mine, and longer')
    assert path.read_text() == 'mine, and longer' and os.listdir(tmp_path) == ['table.md']


KILLED = """
import os, signal, sys
from mmaction_ext.files import writing
writing.os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
writing.write_outputs({sys.argv[1]: 'new', sys.argv[1] + '.lock': 'new'})
"""


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    path = tmp_path / 'index.html'
    path.write_text('old')
    (tmp_path / '7.index.html.tmp').write_text('of another program')
    (tmp_path / '.half.mmaction_ext.tmp').symlink_to('index.html')
    before = set(os.listdir(tmp_path))
    done = subprocess.run([sys.executable, '-c', KILLED, str(path)])
    assert done.returncode == -9 and path.read_text() == 'old'
    assert len(set(os.listdir(tmp_path)) - before) == 1
    write_output(tmp_path / 'table.md', 'other')
    assert set(os.listdir(tmp_path)) == before | {'table.md'} and path.read_text() == 'old'


@pytest.mark.parametrize('last', ['a' * 40_000, None], ids=['full disk', 'folder in its place'])
def test_outputs_take_their_places_together(tmp_path, last):
    with small_disk(tmp_path, '64k') as disk:
        for name in ('a.md', 'b.md'):
            (disk / name).write_text('old')
        if last is None:
            (disk / 'table.lock.json').mkdir()
        reason = 'Is a directory' if last is None else 'No space left on device'
        with pytest.raises(InputError, match=f'table.lock.json cannot be written: {reason}'):
            write_outputs(
                {
                    disk / 'a.md': 'new',
                    disk / 'b.md': 'b' * 20_000,
                    disk / 'table.lock.json': last or '',
                }
            )
        assert [(disk / name).read_text() for name in ('a.md', 'b.md')] == ['old', 'old']
        assert sorted(os.listdir(disk)) == ['a.md', 'b.md'] + ['table.lock.json'] * (last is None)


def test_link_in_place_of_a_temporary_file_is_not_followed(tmp_path):
    (tmp_path / 'mine').write_text('mine')
    (tmp_path / 'run.json.tmp').symlink_to('mine')
    write_atomically(tmp_path / 'run.json', 'new')
    assert (tmp_path / 'mine').read_text() == 'mine'
    assert (tmp_path / 'run.json').read_text() == 'new'
    assert not (tmp_path / 'run.json').is_symlink()


def test_size_of_what_is_on_the_disk(tmp_path, monkeypatch):
    path, synced = tmp_path / 'rows', []
    assert synced_size(path) == 0
    path.write_bytes(b'12345')
    monkeypatch.setattr(
        writing.os,
        'fsync',
        lambda descriptor: synced.append(os.readlink(f'/proc/self/fd/{descriptor}')),
    )
    assert synced_size(path) == 5 and synced == [str(path)]


def test_content_and_name_are_brought_to_the_disk_in_this_order(tmp_path, monkeypatch):
    calls, real = [], dict(fsync=os.fsync, replace=os.replace)
    monkeypatch.setattr(
        writing.os,
        'fsync',
        lambda descriptor: (
            calls.append(os.readlink(f'/proc/self/fd/{descriptor}')),
            real['fsync'](descriptor),
        ),
    )
    monkeypatch.setattr(
        writing.os, 'replace', lambda *names: (calls.append('replace'), real['replace'](*names))
    )
    write_atomically(tmp_path / 'a', 'text')
    assert calls == [str(tmp_path / 'a.tmp'), 'replace', str(tmp_path)]
    calls.clear()
    write_atomically(tmp_path / 'a', 'text', sync=False)
    assert calls == ['replace']


def test_sha256_of_a_file_larger_than_a_chunk(tmp_path):
    path = tmp_path / 'weights'
    path.write_bytes(b'weights' * 500_000)
    assert file_sha256(path) == hashlib.sha256(b'weights' * 500_000).hexdigest()
