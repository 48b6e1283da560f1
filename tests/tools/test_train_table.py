"""tools/train_table.py: trains what is lacking, nothing else, and one failure stops nothing."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import ledger_runs
import pytest
from tool_runs import main_of, run_tool

from mmaction_ext.cli import main, train_table
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import LOCK_FILE
from mmaction_ext.tracking.ledger.forms import RunFile
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
    dry = run_tool('train_table.py', table, '--dry-run', cwd=place.path)
    assert '3 runs to train' in dry.stdout and not (place.path / 'work_dirs').exists()

    first = run_tool('train_table.py', table, '--jobs', '2', cwd=place.path)
    assert first.returncode == 1, first.stdout + first.stderr
    assert 'broken/seed0: FAILED: error: ' in first.stdout and 'broken.py' in first.stdout
    assert 'plain/seed0: done' in first.stdout and 'full/seed0: done' in first.stdout

    second = run_tool('train_table.py', table, '--rows', 'plain', 'full', cwd=place.path)
    assert second.returncode == 0 and '0 runs to train' in second.stdout

    more = run_tool(
        'train_table.py',
        table,
        '--rows',
        'plain',
        '--seeds',
        '0',
        '1',
        '--dry-run',
        cwd=place.path,
    )
    assert 'tiny: 1 runs to train\n  plain/seed1' in more.stdout

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
    done = run_tool('train_table.py', table, '--jobs', '2', cwd=place.path)
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
    done = run_tool('train_table.py', table, cwd=place.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '3 runs to train\n  tiny/plain/seed0\n  again/seed0\n  both/seed0' in done.stdout
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
    assert '0 runs to train' in run_tool('train_table.py', table, cwd=place.path).stdout
    (folder / 'plain.py').write_text((folder / 'plain.py').read_text() + 'changed = True\n')
    stale = run_tool('train_table.py', table, '--dry-run', cwd=place.path)
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
    done = run_tool('train_table.py', table, cwd=tmp_path)
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
        done = run_tool('train_table.py', table, '--rows', name, cwd=place.path)
        assert done.returncode == 2
        assert f'has no row {name} to train; it has plain, broken, full, both' in done.stderr
        assert ('; did you mean full?' in done.stderr) == (name == 'ful')


def test_table_that_points_to_no_config_is_named(table, place):
    table.write_text(TABLE.replace('row.py', 'gone.py'))
    done = run_tool('train_table.py', table, cwd=place.path)
    assert done.returncode == 2
    assert 'gone.py' in done.stderr and 'table.yaml:' in done.stderr
    assert 'Traceback' not in done.stderr


EPOCH = 'Epoch(train)  [{}][ 4/20]  lr: 1e-2  eta: 0:07:00  time: 0.1  loss: {}'


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """The tool as a module in an empty folder; ``loop.job`` makes a job of a Python program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_table, 'PROGRAM', (sys.executable,))

    def job(program, name='row'):
        (tmp_path / f'{name}_tool.py').write_text(program)
        return SimpleNamespace(
            name=f'{name}/seed0',
            config=Path(f'configs/{name}.py'),
            run=f'{name}/seed0',
            command=str(tmp_path / f'{name}_tool.py'),
            arguments=[],
        )

    monkeypatch.setattr(train_table, 'job', job, raising=False)
    return train_table


def test_what_an_earlier_process_said_is_not_said_of_a_new_one(loop):
    earlier = loop.Process(loop.job(f'print({EPOCH.format(1, 0.5)!r})\nraise SystemExit("old")'))
    assert earlier.process.wait() == 1
    assert (earlier.outcome(), earlier.progress()[:7]) == ('FAILED: old', 'epoch 1')
    process = loop.Process(loop.job('raise SystemExit(1)'))
    assert process.process.wait() == 1 and process.log == earlier.log
    assert (process.outcome(), process.progress()) == ('FAILED: no output', 'starting')


def test_a_growing_log_is_read_on_from_where_it_was_read_to(loop):
    process = loop.Process(loop.job(''))
    process.process.wait()
    first, second = (EPOCH.format(number, 0.5 / number) + '\n' for number in (1, 2))
    seen = []
    with open(process.log, 'ab', buffering=0) as log:
        for text in ('starts', f'\n{first}', second[:30], second[30:], 'saves', '\n\n'):
            log.write(text.encode())
            seen.append((process.progress()[:7], process.taken_in))
    ends = [0, 7 + len(first), 7 + len(first + second)]
    assert seen == [
        ('startin', ends[0]),
        ('epoch 1', ends[1]),
        ('epoch 1', ends[1]),
        ('epoch 2', ends[2]),
        ('epoch 2', ends[2]),
        ('epoch 2', ends[2] + 7),
    ]
    process.log.unlink()
    assert process.progress() == 'epoch 2, batch 4 of 20, 0:07:00 left, loss 0.25'
    assert process.outcome() == 'done'


def test_nothing_that_a_process_or_a_name_says_moves_the_cursor(loop, capsys):
    program = 'raise SystemExit("\\x1b]0;title\\x07\\x1b[2Jgone\\u202e")'
    loop.train_all([loop.job(program, 'a\x1b[31m\u202eb')], 1)
    said = capsys.readouterr().out
    assert 'FAILED: ' in said and 'gone' in said and 'ab/seed0: started' in said
    assert all(char.isprintable() for line in said.splitlines() for char in line)


def test_odd_names_beside_checkpoints_stop_nothing(loop):
    folder = loop.DEFAULT_RUNS / 'row/seed0'
    folder.mkdir(parents=True)
    for name in ('epoch_2_backup', 'epoch_', 'epoch_x', 'old_epoch_9'):
        (folder / f'{name}.pth').touch()
    assert loop.last_epoch(folder) is None
    for number in (3, 12):
        (folder / f'epoch_{number}.pth').touch()
    process = loop.Process(loop.job(''))
    assert (process.start, process.process.wait()) == ('goes on after epoch 12', 0)


def test_a_job_that_cannot_be_started_leaves_those_that_train_alone(loop, capsys):
    """The log of the second one cannot be written: a folder stands in its place."""
    (loop.DEFAULT_RUNS / '.logs/second/seed0.log').mkdir(parents=True)
    jobs = [
        loop.job('import time; time.sleep(1); open("through", "w")', 'first'),
        loop.job('', 'second'),
        loop.job('', 'third'),
    ]
    loop.train_all(jobs, 2)
    said = capsys.readouterr().out
    assert Path('through').exists() and 'first/seed0: done (' in said
    assert re.search('second/seed0: FAILED: .*Is a directory', said)
    assert 'third/seed0: done (' in said


def test_a_run_that_another_process_took_first_has_not_failed(loop, capsys):
    program = (
        'import sys; sys.exit(print("error: work_dirs/row is in use by process 7", '
        'file=sys.stderr) or {})'
    )
    loop.train_all([loop.job(program.format(2)), loop.job(program.format(1), 'other')], 1)
    said = capsys.readouterr().out
    assert 'row/seed0: left alone, another process works on it (process 7) (1 of 2)' in said
    assert 'other/seed0: FAILED: error: ' in said


def test_a_config_that_breaks_while_the_table_trains_is_one_line(loop, monkeypatch, capsys):
    table = Path('configs/tiny/table.yaml')
    table.parent.mkdir(parents=True)
    table.write_text(
        ''.join(
            line
            for line in TABLE.splitlines(keepends=True)
            if 'broken' not in line and 'full' not in line
        )
    )
    (table.parent / 'plain.py').write_text('train_cfg = dict(max_epochs=1)\n')
    monkeypatch.setattr(loop, 'train_all', lambda *_: (table.parent / 'plain.py').write_text('('))
    assert main_of('train-table')([table]) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: ') and said.count('\n') == 1 and 'plain.py' in said


@pytest.mark.slow
def test_a_run_started_by_hand_between_look_and_start_is_left_alone(table, place):
    folder = place.path / 'work_dirs/tiny/plain/seed0'
    folder.mkdir(parents=True)
    with holding(folder) as holder:
        done = run_tool('train_table.py', table, '--rows', 'plain', cwd=place.path)
    assert done.returncode == 1 and 'FAILED' not in done.stdout
    assert (
        f'plain/seed0: left alone, another process works on it (process {holder.pid}) (1 of 1)'
    ) in done.stdout


def test_rows_without_the_reference(tmp_path, monkeypatch, capsys):
    """What a row is compared with need not be trained with it."""
    table = Path(__file__).parents[2] / 'configs/synthmotion/dcf/table1_components/table.yaml'
    monkeypatch.chdir(tmp_path)
    main(['train-table', str(table), '--rows', 'full', '--seeds', '0', '--dry-run'])
    assert capsys.readouterr().out.splitlines()[-1] == '  full/seed0'
