import json
import os
import shutil

import ledger_runs
import pytest
from ledger_runs import write_ledger
from offline_runs import history

from mmaction_ext.tracking.reading import cache, find
from mmaction_ext.tracking.records import find_runs


@pytest.fixture
def runs(suite, tmp_path):
    """A copy of the suite and a ledger, old enough to be remembered."""
    root = tmp_path / 'runs'
    shutil.copytree(suite, root, symlinks=True, ignore=shutil.ignore_patterns('.cache'))
    write_ledger(root / 'demo/other/seed9', history(0.5), seed=9)
    ledger_runs.age(root)
    return root


@pytest.fixture
def reads(monkeypatch):
    """Paths of the files that are really read."""
    read, parse = [], find._parse

    def remember(file):
        read.append(file.path)
        return parse(file)
    monkeypatch.setattr(find, '_parse', remember)
    return read


def entries(root):
    return sorted((root / cache.CACHE_FOLDER).glob('*.json'))


def test_nothing_is_read_twice_and_the_answer_is_the_same(runs, reads):
    expected = repr(find_runs(runs, cache=False))
    reads.clear()
    assert repr(find_runs(runs)) == expected
    assert sorted(reads) == sorted(set(reads)) and len(reads) == len(entries(runs))
    reads.clear()
    assert repr(find_runs(runs)) == expected
    for keys in (['test/acc/top1'], ['train/loss']):
        chosen = repr(find_runs(runs, keys))
        assert not reads
        assert chosen == repr(find_runs(runs, keys, cache=False))
        reads.clear()


def test_rows_are_kept_in_one_place_and_read_again_where_that_is_lost(runs, monkeypatch):
    """The memory for a suite is not that for the rows of all of its runs."""
    expected, group = repr(find_runs(runs, cache=False)), find._group

    def lose(ledgers, files):
        assert len(files) > 5 and not any(file.entry.packed for file in files)
        shutil.rmtree(runs / cache.CACHE_FOLDER)
        return group(ledgers, files)

    monkeypatch.setattr(find, '_group', lose)
    assert repr(find_runs(runs)) == expected
    with monkeypatch.context() as patch:
        patch.setattr(find, '_group', group)
        find_runs(runs)
    assert repr(find_runs(runs)) == expected, 'of a folder that was in the cache'


def test_what_changes_is_read_again(runs, reads):
    find_runs(runs)
    reads.clear()
    path = runs / 'demo/other/seed9/metrics.jsonl'
    path.write_bytes(ledger_runs.lines(history(0.25)))
    ledger_runs.age(path.parent, 30)
    values = [record.evaluations[0].values['test/acc/top1'] for record in find_runs(runs)
              if record.seed == 9]
    assert values == [0.25] and reads == ['demo/other/seed9/metrics.jsonl']


def test_change_without_a_change_of_size_within_one_tick_of_the_clock(tmp_path):
    """A file that is so young that it may change unseen is not remembered."""
    folder = write_ledger(tmp_path / 'seed0', history(0.5))
    path = folder / 'metrics.jsonl'
    state = path.stat()
    find_runs(tmp_path)
    assert entries(tmp_path) == []
    content = ledger_runs.lines(history(0.7))
    assert len(content) == state.st_size
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    [record] = find_runs(tmp_path)
    assert record.evaluations[0].values['test/acc/top1'] == 0.7


def test_change_that_keeps_size_and_time_of_change(runs):
    """As ``cp -p`` or ``rsync -t`` bring one."""
    record = next(record for record in find_runs(runs) if 'ledger' in record.sources)
    path = runs / record.folder / 'metrics.jsonl'
    state, content = path.stat(), path.read_bytes()
    assert not record.corrupt and find_runs(runs)
    path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    [again] = [found for found in find_runs(runs) if found.folder == record.folder]
    assert again.corrupt


def test_file_that_changes_while_it_is_read_is_not_remembered(runs, monkeypatch):
    parse = find._parse

    def write_meanwhile(file):
        entry = parse(file)
        os.utime(file.root / file.path, ns=(1, 1))
        return entry
    monkeypatch.setattr(find, '_parse', write_meanwhile)
    find_runs(runs)
    assert entries(runs) == []


def test_damaged_entries_are_passed_over_and_replaced(runs, reads):
    expected = repr(find_runs(runs))
    good = {path: path.read_bytes() for path in entries(runs)}
    for damage in (lambda data: b'', lambda data: data[:-1], lambda data: data[:200],
                   lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:],
                   lambda data: b'{}\n[]\n[]', lambda data: b'\xff' + data,
                   lambda data: data.replace(b'"size": ', b'"size": 1', 1)):
        for path, data in good.items():
            path.write_bytes(damage(data))
        reads.clear()
        assert repr(find_runs(runs)) == expected
        assert len(reads) == len(good)
        assert {path: path.read_bytes() for path in entries(runs)} == good


def test_entry_of_another_file_or_another_reader_does_not_count(runs, reads, monkeypatch):
    expected = repr(find_runs(runs))
    first, second = entries(runs)[:2]
    shutil.copy(first, second)
    reads.clear()
    assert repr(find_runs(runs)) == expected and len(reads) == 1
    monkeypatch.setattr(cache, 'reader_version', lambda: 'newer')
    reads.clear()
    assert repr(find_runs(runs)) == expected and len(reads) == len(entries(runs))


def test_entries_of_files_that_are_gone_go_too(runs):
    find_runs(runs)
    before = len(entries(runs))
    shutil.rmtree(runs / 'demo/other')
    find_runs(runs)
    assert len(entries(runs)) == before - 1


def test_what_a_killed_reader_left_goes_once_it_is_old(runs):
    find_runs(runs)
    old, young = (runs / cache.CACHE_FOLDER / f'{"0" * 32}.{pid}.tmp' for pid in (7, 8))
    for path in (old, young):
        path.write_bytes(b'half')
    os.utime(old, (1, 1))
    find_runs(runs)
    assert young.exists() and not old.exists()


@pytest.mark.parametrize('obstacle', ['file', 'folder'])
def test_folder_that_cannot_keep_anything(runs, obstacle):
    expected = repr(find_runs(runs, cache=False))
    if obstacle == 'file':
        (runs / cache.CACHE_FOLDER).write_text('in the way')
    else:
        find_runs(runs)
        for path in entries(runs):
            path.unlink()
            path.mkdir()
    assert repr(find_runs(runs)) == expected
    assert not list(runs.rglob('*.tmp'))


@pytest.mark.skipif(os.geteuid() == 0, reason='root can write any folder')
def test_read_only_folder(runs):
    expected = repr(find_runs(runs, cache=False))
    runs.chmod(0o555)
    try:
        assert repr(find_runs(runs)) == expected
    finally:
        runs.chmod(0o755)


def test_cache_holds_no_run_of_its_own(runs):
    find_runs(runs)
    (runs / cache.CACHE_FOLDER / 'run-x.wandb').write_bytes(b'')
    assert 'x' not in {record.uid for record in find_runs(runs)}
    assert all(json.loads(path.read_bytes().partition(b'\n')[0]) for path in entries(runs))
