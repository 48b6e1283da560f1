"""tools/launch.py: makes what is lacking, nothing else, and one failure stops nothing."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import ledger_runs
import pytest
from tool_runs import run_tool, start_tool

from mmaction_ext.cli import main
from mmaction_ext.files.locks import is_locked
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import LOCK_FILE
from mmaction_ext.tracking.ledger.forms import RunFile
from mmaction_ext.tracking.reading.ledger import read_ledger
from mmaction_ext.tracking.writing.attempts import write_run_file

TABLE = """
id: tiny
caption: Tiny
seeds: [0]
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f}
rows:
  - {id: plain, config: plain.py, reference: true}
  - {id: broken, config: broken.py}
  - {id: full, config: row.py}
"""
ENSEMBLE = """\
  - {id: both, config: both.py}
  - {id: mean, mean_of: [plain, full]}
  - {id: other, published: p.other, reason: no code}
"""


@pytest.fixture
def table(place):
    """Three rows of one short epoch; the middle one names a stage that does not exist."""
    place.config.write_text(place.config.read_text() + 'train_cfg.update(max_epochs=1)\n')
    folder = place.config.parent
    (folder / 'plain.py').write_text(
        "_base_ = './row.py'\nmodel = dict(backbone=dict(module=None, stages=()))\n"
    )
    (folder / 'broken.py').write_text(
        "_base_ = './row.py'\nmodel = dict(backbone=dict(stages=(2, 9)))\n"
    )
    (folder / 'both.py').write_text(
        "_base_ = './row.py'\nensemble = dict(members=['plain.py', 'row.py'])\n"
    )
    (folder / 'published.yaml').write_text('p: {paper: P, other: {top1: 1}}\n')
    (folder / 'table.yaml').write_text(TABLE)
    return folder / 'table.yaml'


@pytest.mark.slow
def test_loop_trains_what_is_lacking_and_only_that(table, place):
    dry = run_tool('launch.py', table, '--dry-run', cwd=place.path)
    assert '3 runs to train' in dry.stdout and not (place.path / 'work_dirs').exists()

    first = run_tool('launch.py', table, '--max-parallel', '2', cwd=place.path)
    assert first.returncode == 1, first.stdout + first.stderr
    assert 'broken/seed0: left out: ' in first.stdout and 'stage' in first.stdout
    assert 'plain/seed0: done' in first.stdout and 'full/seed0: done' in first.stdout

    second = run_tool('launch.py', table, '--rows', 'plain', 'full', cwd=place.path)
    assert second.returncode == 0 and '0 runs to train' in second.stdout

    more = run_tool(
        'launch.py',
        table,
        '--rows',
        'plain',
        '--seeds',
        '0',
        '1',
        '--dry-run',
        cwd=place.path,
    )
    assert 'tiny: 1 runs to train\n' in more.stdout and '\n  plain  1 ' in more.stdout

    report = run_tool('make_tables.py', table, '--print', cwd=place.path)
    lines = {
        line.split('|')[1].strip(): line.split('|')[2].strip()
        for line in report.stdout.splitlines()
        if line.startswith('|')
    }
    assert 0 <= float(lines['plain']) <= 100 and 0 <= float(lines['full']) <= 100
    assert lines['broken'].startswith(('failed', 'missing'))


@pytest.mark.slow
def test_ensemble_follows_its_members_and_the_mean_needs_no_run(table, place):
    lines = TABLE.replace('  - {id: broken, config: broken.py}\n', '').splitlines(keepends=True)
    first = lines.index('rows:\n') + 1  # the ensemble stands before its members
    table.write_text(
        ''.join(
            [
                *lines[:first],
                *ENSEMBLE.splitlines(keepends=True)[:1],
                *lines[first:],
                *ENSEMBLE.splitlines(keepends=True)[1:],
            ]
        )
        + 'published: published.yaml\n'
    )
    done = run_tool('launch.py', table, '--max-parallel', '2', cwd=place.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '3 runs to train' in done.stdout
    assert done.stdout.index('full/seed0: done') < done.stdout.index('both/seed0: started')
    report = run_tool('make_tables.py', table, '--print', '--strict', cwd=place.path)
    assert report.returncode == 0, report.stderr
    shown = {
        line.split('|')[1].strip(): line.split('|')[2].strip()
        for line in report.stdout.splitlines()
        if line.startswith('|')
    }
    assert shown['other<sup>a</sup>'] == '–' and 0 <= float(shown['both']) <= 100
    assert float(shown['mean']) == pytest.approx(
        (float(shown['plain']) + float(shown['full'])) / 2, abs=0.11
    )


@pytest.mark.slow
def test_weights_of_another_config_are_trained_once_and_tested_again(table, place):
    folder = table.parent
    (folder / 'again.py').write_text(
        "_base_ = './plain.py'\nweights_of = 'plain.py'\ntest_dataloader = dict(batch_size=5)\n"
    )
    (folder / 'both.py').write_text(
        "_base_ = './plain.py'\nensemble = dict(members=['again.py', 'plain.py'])\n"
    )
    lines = [
        line
        for line in TABLE.splitlines(keepends=True)
        if 'id: plain' not in line and 'broken' not in line and 'id: full' not in line
    ]
    table.write_text(
        ''.join(lines) + '  - {id: both, config: both.py}\n  - {id: again, config: again.py}\n'
    )
    done = run_tool('launch.py', table, cwd=place.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'3 runs to train\n.*\n  tiny/plain .*\n  again .*\n  both ', done.stdout)
    assert not list((place.path / 'work_dirs/tiny/again').rglob('*.pth'))
    table.write_text(table.read_text() + '  - {id: plain, config: plain.py}\n')
    report = run_tool('make_tables.py', table, '--print', '--strict', cwd=place.path)
    assert report.returncode == 0, report.stderr
    shown = {
        line.split('|')[2].strip()
        for line in report.stdout.splitlines()
        if line.startswith(('| both', '| again', '| plain'))
    }
    assert len(shown) == 1 and 0 <= float(shown.pop()) <= 100
    assert '0 runs to train' in run_tool('launch.py', table, cwd=place.path).stdout
    (folder / 'plain.py').write_text((folder / 'plain.py').read_text() + 'changed = True\n')
    stale = run_tool('launch.py', table, '--dry-run', cwd=place.path)
    assert '3 runs to train' in stale.stdout


#: holds the lock of a run's folder, as a training does, until it is told to end
HOLDER = """
import fcntl, os, sys
lock = open(sys.argv[1], 'a+')
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(f'{os.getpid()}\\n')
lock.flush()
print('held', flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holding(folder):
    """A process that holds the lock of a folder."""
    with subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(folder / LOCK_FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == 'held\n'
        yield holder


def write_run(folder, config, entry, job_type='train'):
    """Write who the run of a config under seed 0 is, and its one attempt."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = RunIdentity('tiny/row', 0, config_hash(load_config(config)))
    write_run_file(
        folder,
        RunFile.of(
            dict(
                schema=1,
                uid=identity.uid,
                config=identity.config,
                seed=0,
                config_hash=identity.config_hash,
                job_type=job_type,
                attempts=[entry],
            )
        ),
    )


@pytest.fixture
def living(tmp_path):
    """Number of a process that tests a row whose training failed; it holds the run's lock."""
    config = tmp_path / 'configs/tiny/row.py'
    config.parent.mkdir(parents=True)
    config.write_text('train_cfg = dict(max_epochs=1)\n')
    (config.parent / 'table.yaml').write_text(
        ''.join(
            line
            for line in TABLE.splitlines(keepends=True)
            if 'plain' not in line and 'broken' not in line
        )
    )
    runs = tmp_path / 'work_dirs/tiny/row'
    write_run(runs / 'seed0', config, ledger_runs.attempt(exit_code=1))
    (runs / 'test').mkdir()
    with holding(runs / 'test') as holder:
        write_run(
            runs / 'test',
            config,
            ledger_runs.attempt(
                exit_code=None, pid=holder.pid, process_start=process.process_start(holder.pid)
            ),
            'test',
        )
        yield holder.pid


def test_what_a_process_works_on_is_left_to_it(living, tmp_path):
    table = tmp_path / 'configs/tiny/table.yaml'
    done = run_tool('launch.py', table, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    who = f'process {living} on {process.host()}'
    [line] = [line for line in done.stdout.splitlines() if 'left alone' in line]
    assert line == f'full/seed0 is left alone (running): still running; {who} works on it'
    assert 'tiny: nothing is left, 0 runs to train' in done.stdout
    assert done.stderr.splitlines() == [f'still running: full/seed0 ({who})']
    assert not (tmp_path / 'work_dirs/.logs').exists()


def test_unknown_row_is_named_with_those_there_are(table, place):
    table.write_text(TABLE + ENSEMBLE + 'published: published.yaml\n')
    for name in ('ful', 'mean'):
        done = run_tool('launch.py', table, '--rows', name, cwd=place.path)
        assert done.returncode == 2
        assert f'has no row {name} to train; it has plain, broken, full, both' in done.stderr
        assert ('; did you mean full?' in done.stderr) == (name == 'ful')


def test_table_that_points_to_no_config_is_named(table, place):
    table.write_text(TABLE.replace('row.py', 'gone.py'))
    done = run_tool('launch.py', table, cwd=place.path)
    assert done.returncode == 2
    assert 'gone.py' in done.stderr and 'table.yaml:' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_a_run_started_by_hand_between_look_and_start_is_left_alone(table, place):
    folder = place.path / 'work_dirs/tiny/plain/seed0'
    folder.mkdir(parents=True)
    with holding(folder) as holder:
        done = run_tool('launch.py', table, '--rows', 'plain', cwd=place.path)
    assert done.returncode == 1 and 'FAILED' not in done.stdout
    assert (
        f'plain/seed0: left alone, another process works on it (process {holder.pid}) (1 of 1)'
    ) in done.stdout


def test_rows_without_the_reference(tmp_path, monkeypatch, capsys):
    """What a row is compared with need not be trained with it."""
    table = Path(__file__).parents[2] / 'configs/synthmotion/dcf/table1_components/table.yaml'
    monkeypatch.chdir(tmp_path)
    main(['launch', str(table), '--rows', 'full', '--seeds', '0', '--dry-run'])
    lines = capsys.readouterr().out.splitlines()
    assert 'synthmotion_dcf_table1: 1 runs to train' in lines
    assert [line.split()[:2] for line in lines if line.startswith('  ')] == [
        ['run', 'seeds'],
        ['full', '0'],
    ]


@pytest.mark.slow
def test_killed_and_interrupted_each_run_is_finished_once_in_the_end(table, place):
    """The launcher is killed, the next one interrupted; the last one makes exactly the rest."""
    place.config.write_text(place.config.read_text().replace('max_epochs=1', 'max_epochs=2'))
    lines = [line for line in TABLE.splitlines(keepends=True) if 'broken' not in line]
    table.write_text(''.join(lines).replace('seeds: [0]', 'seeds: [0, 1]'))
    folders = [
        place.path / 'work_dirs/tiny' / row / f'seed{seed}'
        for row in ('plain', 'row')
        for seed in (0, 1)
    ]
    logs = [folder / 'metrics.jsonl' for folder in folders]

    def begin(name):
        with open(place.path / name, 'w') as said:
            return start_tool(
                'launch.py',
                table,
                '--max-parallel',
                '2',
                '--no-preflight',
                cwd=place.path,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def wait_until(is_so):
        until = time.monotonic() + 300
        while not is_so():
            assert time.monotonic() < until
            time.sleep(0.1)

    first = begin('first')
    wait_until(lambda: any(log.exists() for log in logs))
    first.kill()
    first.wait()
    wait_until(lambda: not any(is_locked(folder / LOCK_FILE) for folder in folders))
    sizes = {log: log.stat().st_size for log in logs if log.exists()}
    second = begin('second')
    wait_until(lambda: any(log.stat().st_size > size for log, size in sizes.items()))
    second.send_signal(signal.SIGINT)
    assert second.wait() == 130, (place.path / 'second').read_text()
    assert not any(is_locked(folder / LOCK_FILE) for folder in folders)
    was_done = {folder for folder in folders if list(folder.glob('results/*.json'))}
    third = begin('third')
    said = (place.path / 'third').read_text
    assert third.wait() == 0, said()
    assert f'tiny: {4 - len(was_done)} runs to train' in said()
    for folder in folders:
        codes = [attempt.exit_code for attempt in read_ledger(folder, '.').entries]
        assert codes[-1] == 0 and 0 not in codes[:-1]
        assert len(list(folder.glob('results/*.json'))) == 1
