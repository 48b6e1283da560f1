import json
import multiprocessing
import os
import shutil
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import ledger_runs
import pytest
from disks import small_disk
from ledger_runs import write_ledger
from offline_runs import history

from mmaction_ext.files import cache_folder
from mmaction_ext.files.cache_folder import CacheFolder
from mmaction_ext.files.writing import UNFINISHED
from mmaction_ext.tracking.ledger.forms import HeartbeatFile
from mmaction_ext.tracking.reading import cache, find
from mmaction_ext.tracking.reading import told as told_by_runs
from mmaction_ext.tracking.reading.find import find_runs

HOME = cache_folder._home


@pytest.fixture
def runs(suite, tmp_path):
    """A copy of the suite and a ledger, old enough to be remembered."""
    root = tmp_path / 'runs'
    shutil.copytree(suite, root, symlinks=True)
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


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The cache directory of a user who has read nothing yet."""
    home = tmp_path / 'home/.cache'
    monkeypatch.setenv('XDG_CACHE_HOME', str(home))
    monkeypatch.setattr(cache_folder, '_home', HOME)
    return home


def shown(records):
    """All that records say, sets in an order that is always the same."""
    return repr([replace(record, logged=sorted(record.logged)) for record in records])


def folder_of(root):
    return cache.Cache(root).folder.path


def entries(root):
    return sorted(folder_of(root).glob('*.json'))


def records(root):
    """The entries that say what runs tell, put together: the index, and what is large."""
    return sorted(CacheFolder('records', os.path.realpath(root)).path.glob('*.json'))


def told(root):
    """Folders of the runs of which it is kept what they tell."""
    found = CacheFolder('records', os.path.realpath(root)).get(
        told_by_runs.INDEX, {'reader': cache.reader_version()}
    )
    return sorted(json.loads(found)) if found else []


def test_nothing_is_read_twice_and_the_answer_is_the_same(runs, reads):
    expected = shown(find_runs(runs, cache=False))
    reads.clear()
    assert shown(find_runs(runs)) == expected
    assert sorted(reads) == sorted(set(reads)) and len(reads) == len(entries(runs))
    reads.clear()
    assert shown(find_runs(runs)) == expected
    for keys in (['test/acc/top1'], ['train/loss']):
        chosen = shown(find_runs(runs, keys))
        assert not reads
        assert chosen == shown(find_runs(runs, keys, cache=False))
        reads.clear()


def test_rows_are_kept_in_one_place_and_read_again_where_that_is_lost(runs, monkeypatch):
    """The memory for a suite is not that for the rows of all of its runs."""
    expected, group = shown(find_runs(runs, cache=False)), find._group

    def lose(ledgers, files):
        assert len(files) > 5 and not any(file.entry and file.entry.packed for file in files)
        shutil.rmtree(folder_of(runs))
        return group(ledgers, files)

    monkeypatch.setattr(find, '_group', lose)
    assert shown(find_runs(runs)) == expected
    with monkeypatch.context() as patch:
        patch.setattr(find, '_group', group)
        find_runs(runs)
    assert shown(find_runs(runs)) == expected, 'of a folder that was in the cache'


def test_what_changes_is_read_again(runs, reads):
    find_runs(runs)
    reads.clear()
    path = runs / 'demo/other/seed9/metrics.jsonl'
    path.write_bytes(ledger_runs.lines(history(0.25)))
    ledger_runs.age(path.parent, 30)
    values = [
        record.evaluations[0].values['test/acc/top1']
        for record in find_runs(runs)
        if record.seed == 9
    ]
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
    record = next(record for record in find_runs(runs) if 'ledger' in record.read_from)
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
    expected = shown(find_runs(runs))
    good = {path: path.read_bytes() for path in entries(runs) + records(runs)}
    for damage in (
        lambda data: b'',
        lambda data: data[:-1],
        lambda data: data[:200],
        lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:],
        lambda data: b'{}\n[]\n[]',
        lambda data: b'\xff' + data,
        lambda data: data.replace(b'"crc32": ', b'"crc32": 1', 1),
    ):
        for path, data in good.items():
            path.write_bytes(damage(data))
        reads.clear()
        assert shown(find_runs(runs)) == expected
        assert len(reads) == len(entries(runs))
        assert {path: path.read_bytes() for path in entries(runs) + records(runs)} == good


def test_entry_of_another_file_or_another_reader_does_not_count(runs, reads, monkeypatch):
    expected = shown(find_runs(runs))
    first, second = entries(runs)[:2]
    shutil.copy(first, second)
    for path in records(runs):
        path.unlink()
    reads.clear()
    assert shown(find_runs(runs)) == expected and len(reads) == 1
    for reader in (cache, told_by_runs):
        monkeypatch.setattr(reader, 'reader_version', lambda: 'newer')
    reads.clear()
    assert shown(find_runs(runs)) == expected and len(reads) == len(entries(runs))


def test_entries_of_files_that_are_gone_go_too(runs):
    find_runs(runs)
    before = len(entries(runs))
    shutil.rmtree(runs / 'demo/other')
    find_runs(runs)
    assert len(entries(runs)) == before - 1


def test_what_a_killed_reader_left_goes(runs):
    find_runs(runs)
    half = folder_of(runs) / f'.0a{UNFINISHED}'
    half.mkdir()
    (half / f'{"0" * 32}.json').write_bytes(b'half')
    find_runs(runs)
    assert not half.exists() and entries(runs)


def test_what_was_kept_of_runs_that_nobody_reads_any_more_goes(runs, tmp_path, home):
    other = tmp_path / 'other'
    for root in (shutil.copytree(runs, other, symlinks=True), runs):
        ledger_runs.age(root)
        find_runs(root)
    kept = entries(other)
    os.utime(folder_of(other) / cache_folder.TAG_FILE, (1, 1))
    foreign = folder_of(other).with_name('f' * 32)
    foreign.mkdir()
    (foreign / cache_folder.TAG_FILE).write_bytes(b'Signature: 8a477f597d28d172789f06886806bc55')
    os.utime(foreign / cache_folder.TAG_FILE, (1, 1))
    find_runs(runs)
    assert kept and not folder_of(other).exists()
    assert entries(runs) and foreign.is_dir(), 'it has another tag'


def snapshot(folder):
    """All that lies below a folder, and where links lead."""
    return {
        path: os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in folder.rglob('*')
    }


def test_no_file_of_another_program_is_touched(runs, home):
    """As ``--runs ~`` did: all that lies there, in the cache directory, too, is somebody's."""
    old = [runs / '.cache', home / 'other', home / 'mmaction_ext', home / 'mmaction_ext/runs']
    for folder in old:
        folder.mkdir(parents=True)
        for name in ('settings.json', f'{"0" * 32}.json', f'{"0" * 32}.7.tmp', 'a.tmp'):
            (folder / name).write_text('{}')
            os.utime(folder / name, (1, 1))
    before = snapshot(runs), dict(snapshot(home).items())
    for root in (runs, home.parent):
        find_runs(root)
        find_runs(root)
    assert snapshot(runs) == before[0]
    assert before[1].items() <= snapshot(home).items()
    assert entries(runs)
    mine = folder_of(runs) / 'notes.json'
    mine.write_text('a name that is none of ours')
    find_runs(runs)
    assert mine.exists()


@pytest.mark.parametrize('place', ['folder', 'runs', 'entry', 'tag'])
def test_no_link_is_followed(runs, tmp_path, place):
    expected = shown(find_runs(runs, cache=False))
    target = tmp_path / 'target'
    target.mkdir()
    (target / f'{"0" * 32}.json').write_text('{}')
    folder = folder_of(runs)
    if place == 'entry':
        find_runs(runs)
        (target / 'kept').write_bytes(entries(runs)[0].read_bytes())
        for entry in entries(runs):
            entry.unlink()
            entry.symlink_to(target / 'kept')
    elif place == 'tag':
        folder.mkdir(parents=True)
        (folder / 'a.json').write_text('{}')
        (folder / cache_folder.TAG_FILE).symlink_to(target / 'gone')
    else:
        link = folder if place == 'folder' else folder.parent
        link.parent.mkdir(parents=True)
        link.symlink_to(target)
    if place == 'folder':
        (target / cache_folder.TAG_FILE).write_bytes(cache_folder.TAG)
    before = snapshot(target)
    for _ in range(2):
        assert shown(find_runs(runs)) == expected
    assert snapshot(target) == before


@pytest.mark.parametrize('obstacle', ['file', 'folder', 'foreign', 'no home'])
def test_folder_that_cannot_keep_anything(runs, home, obstacle, monkeypatch):
    expected = shown(find_runs(runs, cache=False))
    if obstacle == 'file':
        home.parent.mkdir()
        home.write_text('in the way')
    elif obstacle == 'foreign':
        folder_of(runs).mkdir(parents=True)
        (folder_of(runs) / 'settings.json').write_text('{}')
    elif obstacle == 'no home':
        monkeypatch.setattr(
            cache_folder.platformdirs,
            'user_cache_path',
            lambda *args, **how: Path('~/.cache/mmaction_ext'),
        )
        monkeypatch.chdir(runs.parent)
    else:
        find_runs(runs)
        for path in entries(runs):
            path.unlink()
            path.mkdir()
    assert shown(find_runs(runs)) == expected
    assert not list(runs.parent.rglob(f'*{UNFINISHED}')) and not Path('~').exists()


def test_read_only_disk(runs, tmp_path, monkeypatch):
    expected = shown(find_runs(runs, cache=False))
    with small_disk(tmp_path, '1m') as disk:
        subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
        monkeypatch.setenv('XDG_CACHE_HOME', str(disk))
        assert shown(find_runs(runs)) == expected and not list(disk.iterdir())


def test_full_disk(runs, tmp_path, monkeypatch):
    expected = shown(find_runs(runs, cache=False))
    with small_disk(tmp_path, '16k') as disk:
        monkeypatch.setenv('XDG_CACHE_HOME', str(disk))
        for _ in range(2):
            assert shown(find_runs(runs)) == expected
        assert not list(disk.rglob(f'*{UNFINISHED}'))


def test_first_line_of_an_entry_tells_what_it_is_of(runs):
    find_runs(runs)
    assert all(json.loads(path.read_bytes().partition(b'\n')[0]) for path in entries(runs))


def flip(path):
    """Change a letter and nothing else: neither size nor the time of the last change."""
    state, data = path.stat(), path.read_bytes()
    path.write_bytes(data.replace(b'"', b"'", 1))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def replace_alike(path):
    """Put another file in the place of one, of the same size and age."""
    state, other = path.stat(), path.with_name('other')
    other.write_bytes(path.read_bytes().replace(b'"seed": 9', b'"seed": 8'))
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)


def changed(place, ledger):
    """Ways in which a run that is over changes, by the file that does."""
    more = dict(seed=9, attempts=[ledger_runs.attempt(exit_code=1, last_error='out of memory')])
    lines = ledger_runs.lines(history(0.25))
    return {
        'run.json': lambda: write_ledger(ledger, history(0.5), **more),
        'metrics.jsonl': lambda: (ledger / 'metrics.jsonl').write_bytes(lines),
        'another attempt': lambda: write_ledger(ledger, history(0.5), history(0.6), seed=9),
        'a result': lambda: ledger_runs.write_test_result(ledger, history(0.125)[-1], seed=9),
        'heartbeat': lambda: (ledger / 'heartbeat').write_text('{"attempt": 1, "iter": 77}'),
        'a copy': lambda: shutil.copytree(ledger, place / 'elsewhere/seed9'),
        'damage': lambda: flip(ledger / 'run.json'),
        'damaged result': lambda: flip(ledger / 'results/1-8.json'),
        'damaged rows': lambda: flip(ledger / 'metrics.jsonl'),
        'another file': lambda: replace_alike(ledger / 'run.json'),
        'its end': lambda: os.truncate(ledger / 'run.json', 99),
        'its rows': lambda: (ledger / 'metrics.jsonl').unlink(),
    }


@pytest.mark.parametrize('what', changed(None, None))
def test_run_that_is_over_is_put_together_once_until_it_changes(runs, monkeypatch, what):
    place, ledger = runs / 'demo', runs / 'demo/other/seed9'
    ledger_runs.write_test_result(ledger, history(0.5)[-1], seed=9)
    ledger_runs.age(ledger)
    find_runs(runs)
    merged, merge = [], find.merge

    def count(uid, job_type, ledgers, *rest):
        merged.extend(each.folder for each in ledgers)
        return merge(uid, job_type, ledgers, *rest)

    monkeypatch.setattr(find, 'merge', count)
    assert shown(find_runs(runs)) == shown(find_runs(runs, cache=False))
    assert merged.count('demo/other/seed9') == 1, 'without a cache, not with one'
    assert told(runs) == ['demo/other/seed9']
    changed(place, ledger)[what]()
    assert shown(find_runs(runs)) == shown(find_runs(runs, cache=False)), 'at once'
    ledger_runs.age(runs, 30)
    assert shown(find_runs(runs)) == shown(find_runs(runs, cache=False))
    merged.clear()
    assert shown(find_runs(runs, ['test/acc/top1'])) == shown(
        find_runs(runs, ['test/acc/top1'], cache=False)
    )
    assert merged


def test_what_a_damaged_ledger_tells_is_not_kept(runs):
    ledger = runs / 'demo/other/seed9'
    (ledger / 'heartbeat').write_text('{')
    find_runs(runs)
    assert not told(runs)
    assert any(record.damage for record in find_runs(runs) if record.seed == 9)


def test_what_is_large_is_read_once_it_is_asked_for_and_shared_and_made_anew_if_lost(runs):
    ledger = runs / 'demo/other/seed9'
    facts = {f'mmaction_ext/{number}.py': 'f' * 64 for number in range(99)}
    ledger_runs.change(ledger / 'run.json', sources=facts)
    shutil.copytree(ledger, runs / 'demo/other/seed8')
    ledger_runs.change(runs / 'demo/other/seed8/run.json', seed=8, uid=ledger_runs.identity(8).uid)
    ledger_runs.age(runs)
    find_runs(runs)
    index, part = sorted(records(runs), key=lambda path: b'index' not in path.read_bytes()[:200])
    good = part.read_bytes()
    assert told(runs) == ['demo/other/seed8', 'demo/other/seed9']
    for damage in (b'', good[:-1], good.replace(b'/1.py', b'/2.py'), None):
        found = [each for each in find_runs(runs) if each.folder.startswith('demo/other')]
        part.unlink() if damage is None else part.write_bytes(damage)
        assert [record.code for record in found] == [facts] * 2
        assert part.read_bytes() == good
    find_runs(runs)
    part.unlink()
    assert len(find_runs(runs)) and not part.exists(), 'nobody asked'
    assert index.exists()


def test_change_of_a_ledger_without_a_change_of_its_size_within_one_tick_of_the_clock(tmp_path):
    folder = write_ledger(tmp_path / 'seed0', history(0.5), seed=3)
    state = (folder / 'run.json').stat()
    find_runs(tmp_path)
    ledger_runs.change(folder / 'run.json', seed=4)
    os.utime(folder / 'run.json', ns=(state.st_atime_ns, state.st_mtime_ns))
    assert not told(tmp_path) and [record.seed for record in find_runs(tmp_path)] == [4]


def test_run_is_asked_each_time_whether_it_lives(tmp_path):
    """Its process may be dead, or have been asleep; of one that logs nothing is kept."""
    entry = dict(ledger_runs.attempt(exit_code=None), host='elsewhere')
    folder = write_ledger(tmp_path / 'seed0', history(0.5), attempts=[entry])
    ledger_runs.age(tmp_path, 9)
    states = []
    for age in (0, 9999, 9999, 0):
        beat = HeartbeatFile.of(dict(attempt=1, host='elsewhere', iter=5, time=time.time() - age))
        (folder / 'heartbeat').write_text(json.dumps(beat.facts()))
        [record] = find_runs(tmp_path)
        assert shown([record]) == shown(find_runs(tmp_path, cache=False))
        states.append((record.state, told(tmp_path)))
        ledger_runs.age(tmp_path, 30)
    assert states == [
        ('running', []),
        ('killed', ['seed0']),
        ('killed', ['seed0']),
        ('running', ['seed0']),
    ]


def test_many_processes_at_once(runs):
    expected = shown(find_runs(runs, cache=False))
    with ProcessPoolExecutor(4, multiprocessing.get_context('fork')) as pool:
        found = pool.map(_read_whole, [runs] * 12)
        assert all(text == expected for text in found)


def _read_whole(root):
    return shown(find_runs(root))
