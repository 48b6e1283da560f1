import csv
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import offline_runs
import pytest
from disks import small_disk
from ledger_runs import attempt, change, lines, write_ledger, write_test_result
from offline_runs import describe, history
from tool_runs import main_of

from mmaction_ext.cli import tables
from mmaction_ext.tables.lock import FILE_NAME as LOCK
from mmaction_ext.tables.lock import read_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.run_summary import FILE_NAME as RUNS
from mmaction_ext.tables.run_summary import read_summaries
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'make_tables.py'

SPEC = """\
id: demo_table
caption: A demo of <script>alert(1)</script> & \\input{x} | 50% $a_b$
seeds: [0, 1]
published: ../published.yaml
columns:
  - {key: module, head: Module, from: row.module}
  - {key: params, head: Params (M), from: static.params, scale: 1.0e-6, fmt: .2f}
  - {key: pub, head: Published, from: published.top1}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, best: max}
  - {key: delta, head: Delta, from: top1, relative_to: reference, fmt: +.1f}
rows:
  - {id: base, label: Baseline, config: base.py, reference: true, published: p.base}
  - {id: full, config: full.py, published: p.full, module: true}
  - {id: killed, config: killed.py, module: true}
  - {id: never, label: a_b | <b>, config: never.py, module: true}
"""
FILES = {f'demo.{name}' for name in RENDERERS} | {LOCK, RUNS}
TOP1 = {
    ('base', 0): 0.2041,
    ('base', 1): 0.2291,
    ('full', 0): 0.8375,
    ('full', 1): 0.8125,
    ('killed', 0): 0.75,
}


make_tables = main_of('tables')


def write_configs(folder):
    (folder / 'demo').mkdir(parents=True)
    (folder / 'demo' / 'base.py').write_text('train_cfg = dict(max_epochs=2)\nmodule = None\n')
    for name in ('full', 'killed', 'never'):
        (folder / 'demo' / f'{name}.py').write_text(f"_base_ = ['base.py']\nmodule = {name!r}\n")
    (folder / 'demo' / 'table.yaml').write_text(SPEC)
    (folder / 'published.yaml').write_text(
        'p: {paper: P, base: {top1: 44.6}, full: {top1: 47.6}}\n'
    )


@pytest.fixture(scope='session')
def master(tmp_path_factory):
    """configs/ and work_dirs/ as the training tool leaves them, logged with the wandb SDK."""
    root = tmp_path_factory.mktemp('master')
    write_configs(root / 'configs')

    def run(name, seed, rows, attempt='a', **settings):
        digest = config_hash(load_config(root / f'configs/demo/{name}.py'))
        return describe(
            root / f'work_dirs/demo/{name}/seed{seed}/{attempt}',
            config=f'demo/{name}',
            seed=seed,
            config_hash=digest,
            rows=rows,
            name=offline_runs.MARKUP,
            **settings,
        )

    offline_runs.write(
        [
            *(
                run(name, seed, history(top1))
                for (name, seed), top1 in TOP1.items()
                if (name, seed) != ('full', 1)
            ),
            run('full', 1, history(None, 1, 6, test=False), 'first', die=True),
            run('killed', 1, history(None, 1, 5, test=False), die=True),
        ]
    )
    offline_runs.write([run('full', 1, history(TOP1['full', 1], 5, 8), 'second')])
    return root


@pytest.fixture
def place(master, tmp_path, monkeypatch):
    """A copy of it to work in."""
    for name in ('configs', 'work_dirs'):
        shutil.copytree(master / name, tmp_path / name, symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder='reports'):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def build(*args):
    """Write tables from their runs in every format."""
    return make_tables([*args, '--formats', *RENDERERS])


def edit(path, old, new):
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def cells():
    with open('reports/demo.csv', newline='', encoding='utf-8') as file:
        return {(line['row'], line['column']): line for line in csv.DictReader(file)}


def subprocess_tool(*args, **settings):
    return subprocess.run(
        [sys.executable, str(TOOL), *args],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        timeout=120,
        **settings,
    )


def test_figures_recomputed_by_hand(place):
    """From what was logged, not from what the readers say."""
    assert build() == 0
    found = cells()
    for row in ('base', 'full'):
        values = [100 * TOP1[row, seed] for seed in (0, 1)]
        line = found[row, 'top1']
        assert line['status'] == 'ok'
        assert float(line['value']) == pytest.approx(statistics.mean(values), rel=1e-12)
        assert float(line['std']) == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert found['base', 'top1']['text'] == '21.7 ± 1.8'  # (20.41 + 22.91) / 2 = 21.66
    assert found['full', 'top1']['text'] == '82.5 ± 1.8'
    assert found['full', 'delta']['text'] == '+60.8 ± 3.5'  # 63.34 and 58.34
    assert found['killed', 'top1']['text'] == '75.0 (1/2)'
    assert found['killed', 'top1']['status'] == 'partial'
    assert 'seed 1 unfinished' in found['killed', 'top1']['note']
    assert found['never', 'top1']['text'] == 'missing'
    assert found['full', 'params']['text'] == '3.25'
    assert found['full', 'pub']['text'] == '47.6' and found['killed', 'pub']['text'] == '–'


def test_all_formats_say_the_same(place):
    assert build() == 0
    files = contents()
    assert set(files) == FILES
    markdown = files['demo.md'].decode().splitlines()
    [full] = [line for line in markdown if line.startswith('| full ')]
    assert [cell.strip() for cell in full.split('|')[1:-1]] == [
        'full',
        '✓',
        '3.25',
        '47.6',
        '**82.5 ± 1.8**',
        '+60.8 ± 3.5',
    ]
    assert (
        r'full & $\checkmark$ & 3.25 & 47.6 & \textbf{82.5 $\pm$ 1.8} &'
        in files['demo.tex'].decode()
    )
    assert (
        '<span class="best">82.5</span><span class="std"> ± 1.8</span>'
        in files['demo.html'].decode()
    )
    for content in files.values():
        assert str(place).encode() not in content
    assert b'<script' not in files['demo.html'] + files['demo.md']
    assert b'\\input' not in files['demo.tex']


def test_bytes_depend_on_nothing_but_the_runs(place):
    assert build() == 0
    expected = contents()
    runs = Path('elsewhere/of other/order')
    runs.mkdir(parents=True)
    for i, path in enumerate(sorted(Path('work_dirs/demo').glob('*/seed*'), reverse=True)):
        shutil.copytree(path, runs / f'{i}' / path.relative_to('work_dirs'), symlinks=True)
    assert build('--runs', 'elsewhere', '--out', 'again') == 0
    assert contents('again') == expected


def test_tables_stand_where_their_specifications_do(place):
    Path('configs/a/b').mkdir(parents=True)
    for name, table in (
        ('a/b/table.yaml', 'deep'),
        ('a/table.yaml', 'flat'),
        ('a/more.yaml', 'm'),
    ):
        text = SPEC.replace('id: demo_table', f'id: {table}').replace('../published', '../' * 9)
        text = text.replace('../' * 9, f'{place}/configs/published')
        Path('configs', name).write_text(
            re.sub(r'config: (\w+)', rf'config: {place}/configs/demo/\1', text)
        )
    assert make_tables(['--out', 'out']) == 0
    assert make_tables(['configs/a/more.yaml', '--out', 'out']) == 0
    written = {str(path.relative_to('out')) for path in Path('out').rglob('*.*')}
    assert written == {'demo.md', 'a/b.md', 'a.md', 'a/more.md', LOCK, RUNS}
    shutil.copytree('configs/demo', 'elsewhere')
    Path('elsewhere/table.yaml').write_text(Path('configs/a/b/table.yaml').read_text())
    assert make_tables(['elsewhere/table.yaml', '--out', 'other']) == 0
    assert Path('other/deep.md').is_file()


def test_no_table_takes_the_place_of_another_file(place, capsys):
    shutil.copytree('configs/demo', 'configs/complexity')
    assert make_tables(['configs/complexity']) == 2
    assert capsys.readouterr().err == (
        'error: configs/complexity/table.yaml would be written to complexity.md, which is no '
        'table\n'
    )


def test_runs_are_kept_beside_their_numbers(place, capsys):
    assert make_tables([]) == 0
    path = Path('reports', RUNS)
    runs = read_summaries(path)
    assert [(run.config, run.seed) for run in runs] == [
        (f'demo/{row}', seed) for row in ('base', 'full', 'killed') for seed in (0, 1)
    ]
    assert all(run.curves['train/loss'].logged for run in runs)
    assert len(runs[3].attempts) == 2  # the second went on where the first had died
    shutil.rmtree('work_dirs/demo/killed')
    assert make_tables(['--forget']) == 0
    assert {run.config for run in read_summaries(path)} == {'demo/base', 'demo/full'}
    edit(path, '"demo/base"', '"demo/bass"')
    before = contents()
    capsys.readouterr()
    assert make_tables([]) == 2
    assert capsys.readouterr().err.startswith('error: reports/runs.lock.json was edited')
    assert contents() == before


def test_printed_table_is_the_markdown(place):
    done = subprocess_tool('configs/demo/table.yaml', '--print')
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Path('reports/demo.md').read_text().strip()
    assert set(contents()) == {'demo.md', LOCK, RUNS}


def test_check_finds_what_changed_and_writes_nothing(place, capsys):
    assert build('--check') == 1
    assert not Path('reports').exists()
    assert build() == build('--check') == 0
    path = Path('reports/demo.md')
    path.write_text(path.read_text().replace('82.5', '92.5'))
    before = contents()
    capsys.readouterr()
    assert build('--check') == 1
    assert capsys.readouterr().err == 'out of date: reports/demo.md\n'
    assert contents() == before


def test_up_to_date_files_are_left_alone(place):
    assert build() == 0
    os.utime('reports/demo.md', (1, 1))
    assert build() == 0
    assert os.stat('reports/demo.md').st_mtime == 1


def test_strict(place, capsys):
    assert build('--strict') == 1
    said = capsys.readouterr().err.splitlines()
    name = 'not complete: demo_table, row '
    assert f'{name}never, column top1: missing' in said
    assert [
        line
        for line in said
        if line.startswith(
            f'{name}killed, column top1: partial (seed 1 unfinished: no exit record'
        )
    ]
    assert sum(line.startswith(name) for line in said) == 5  # and params of never, two deltas
    assert set(contents()) == FILES
    lines = SPEC.splitlines(keepends=True)
    Path('configs/demo/table.yaml').write_text(''.join(lines[:-2]))
    assert build('--strict') == 0


def test_changed_config_makes_its_cells_stale(place):
    with open('configs/demo/full.py', 'a') as file:
        file.write('lr = 0.5\n')
    assert build() == 0
    assert {cells()['full', key]['status'] for key in ('top1', 'delta')} == {'stale'}
    assert cells()['full', 'params']['status'] == 'missing'
    assert cells()['base', 'top1']['status'] == 'ok'


def test_change_of_logging_only_is_no_change(place):
    with open('configs/demo/full.py', 'a') as file:
        file.write("log_level = 'DEBUG'\n")
    assert build() == 0
    assert cells()['full', 'top1']['status'] == 'ok'


def test_locked_tables_need_no_run(place, capsys):
    assert build() == 0
    before = contents()
    shutil.rmtree('work_dirs')
    assert build('--locked', '--check') == 0
    for name in FILES - {LOCK, RUNS}:
        Path('reports', name).unlink()
    assert build('--locked') == 0
    assert contents() == before
    capsys.readouterr()
    assert build('--check') == 1  # the runs say something else: there are none
    assert 'out of date: reports/demo.md' in capsys.readouterr().err


def test_locked_check_finds_an_edited_config(place, capsys):
    assert build() == 0
    with open('configs/demo/full.py', 'a') as file:
        file.write('lr = 0.5\n')
    capsys.readouterr()
    assert build('--locked', '--check') == 1
    assert 'out of date: reports/demo.csv' in capsys.readouterr().err
    assert build('--locked', '--out', 'reports') == 0
    assert {cells()['full', key]['status'] for key in ('top1', 'delta')} == {'stale'}
    assert 'locked from a run of another version of the config' in cells()['full', 'top1']['note']


def test_check_finds_an_outdated_lock(place, capsys):
    assert build() == 0
    Path('reports', LOCK).write_text('{\n"schema": 1,\n"tables": {}\n}\n')
    capsys.readouterr()
    assert build('--check') == 1
    assert capsys.readouterr().err == f'out of date: reports/{LOCK}\n'


def test_one_table_renews_its_part_of_the_lock_alone(place):
    shutil.copytree('configs/demo', 'configs/twin')
    edit('configs/twin/table.yaml', 'id: demo_table', 'id: twin_table')
    assert build() == 0
    path = Path('reports', LOCK)
    both = path.read_text()
    assert set(read_lock(path)) == {'demo_table'}  # no run of the twin's configs
    shutil.copytree('work_dirs/demo/base', 'work_dirs/demo/more')
    edit('configs/demo/table.yaml', 'seeds: [0, 1]', 'seeds: [0]')
    assert build('configs/twin/table.yaml') == 0
    assert path.read_text() == both
    assert build('configs/demo/table.yaml') == 0
    assert {item.seed for item in read_lock(path)['demo_table'].results} == {None, 0}


def test_runs_from_several_places(place):
    assert build() == 0
    expected = contents()
    Path('elsewhere/demo').mkdir(parents=True)
    shutil.move('work_dirs/demo/full', 'elsewhere/demo/full')
    assert build('--runs', 'work_dirs', 'elsewhere', '--check') == 0
    Path('results.csv').write_text(
        'config,seed,test/acc/top1\ndemo/never,0,0.5\ndemo/never,1,0.75\n'
    )
    assert build('--runs', 'work_dirs', 'elsewhere', 'results.csv') == 0
    assert cells()['never', 'top1']['text'] == '62.5 ± 17.7'
    assert cells()['never', 'top1']['status'] == 'imported'
    shown = contents()
    for name in ('md', 'tex', 'html'):
        assert shown[f'demo.{name}'].count(b'Imported') == 1  # the note to the row's dagger
    for name in ('csv', 'json'):
        assert b'imported' in shown[f'demo.{name}']
    assert build('--locked', '--check') == 0
    assert expected['demo.md'] != shown['demo.md']


def test_runs_and_the_lock_are_alternatives(place, capsys):
    with pytest.raises(SystemExit) as left:
        build('--locked', '--runs', 'work_dirs')
    assert left.value.code == 2 and 'not allowed with' in capsys.readouterr().err


def test_damaged_log_is_not_trusted(place):
    path = offline_runs.log_file('work_dirs/demo/base/seed0')
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert build() == 0
    line = cells()['base', 'top1']
    assert (line['status'], line['text']) == ('partial', '22.9 (1/2)')
    assert line['note'] == 'seed 0 untrusted: the log is damaged'


def test_figures_of_rows_that_never_ran(place):
    digest = config_hash(load_config('configs/demo/never.py'))
    Path('reports').mkdir()
    Path('reports/complexity.csv').write_text(
        f'config,config_hash,params,macs\ndemo/never,{digest},3400000,5\n'
    )
    assert build() == 0
    assert cells()['never', 'params']['text'] == '3.40'


def test_nothing_has_run_yet(place, capsys):
    shutil.rmtree('work_dirs')
    assert build() == 0
    assert 'no folder work_dirs' in capsys.readouterr().err
    assert cells()['base', 'top1']['status'] == 'missing'


@pytest.mark.parametrize(
    'change, args, message',
    [
        (
            lambda: Path('configs/demo/full.py').unlink(),
            [],
            'error: configs/demo/table.yaml:13: rows[1].config: configs/demo/full.py does not '
            'exist',
        ),
        (
            lambda: Path('configs/demo/full.py').write_text('a = ('),
            [],
            'error: configs/demo/table.yaml:13: config configs/demo/full.py cannot be read',
        ),
        (
            lambda: Path('configs/demo/table.yaml').write_text('id: [\n'),
            [],
            'error: configs/demo/table.yaml:2: ',
        ),
        (
            lambda: Path('configs/published.yaml').write_text('p: {}'),
            [],
            'error: configs/demo/table.yaml:12: rows[0].published: configs/published.yaml:1: '
            "there is no entry 'p.base'",
        ),
        (lambda: None, ['--runs', 'gone'], 'error: runs folder gone does not exist'),
        (
            lambda: Path('reports', LOCK).unlink(),
            ['--locked'],
            'error: reports/table.lock.json cannot be read: No such file or directory; '
            'it is written',
        ),
        (
            lambda: edit('reports/table.lock.json', '0.8375', '0.9'),
            ['--locked'],
            'error: reports/table.lock.json was edited: the digest of table demo_table is not',
        ),
        (
            lambda: edit('reports/table.lock.json', '0.8375', '0.9'),
            [],
            'error: reports/table.lock.json was edited',
        ),
        (
            lambda: Path('reports', LOCK).write_text('{'),
            ['--check'],
            'error: reports/table.lock.json is cut short or no lock file',
        ),
        (lambda: None, ['gone.yaml'], 'error: gone.yaml cannot be read: No such file'),
        (
            lambda: None,
            ['--configs', 'work_dirs'],
            'error: there is no table.yaml below work_dirs',
        ),
        (
            lambda: shutil.copytree('configs/demo', 'configs/twin'),
            [],
            'error: configs/twin/table.yaml has the id demo_table of configs/demo/table.yaml',
        ),
        (
            lambda: Path('file').write_text(''),
            ['--out', 'file/reports'],
            'error: file/reports cannot be written: Not a directory',
        ),
        (
            lambda: Path('reports/complexity.csv').write_text('a,b\n1,2\n'),
            [],
            'error: reports/complexity.csv is no table of',
        ),
    ],
)
def test_errors_are_one_line_and_lose_nothing(place, capsys, change, args, message):
    assert build() == 0
    change()
    before = contents()
    capsys.readouterr()
    assert build(*args) == 2
    said = capsys.readouterr()
    assert said.out == '' and said.err.startswith(message) and said.err.count('\n') == 1
    assert contents() == before


def test_full_disk_leaves_tables_and_lock_as_they_were(place, capsys):
    assert build() == 0
    edit('configs/demo/table.yaml', 'A demo of', 'Another demo of')
    with small_disk(place, '256k') as disk:
        shutil.copytree('reports', disk / 'reports')
        (disk / 'filling').write_bytes(bytes(1 << 18)[: os.statvfs(disk).f_bavail * 4096 - 20_000])
        before = contents(disk / 'reports')
        capsys.readouterr()
        assert build('--out', str(disk / 'reports')) == 2
        assert 'cannot be written: No space left on device' in capsys.readouterr().err
        assert contents(disk / 'reports') == before
        (disk / 'filling').unlink()
        assert build('--out', str(disk / 'reports')) == 0
        assert contents(disk / 'reports') != before
        assert build('--out', str(disk / 'reports'), '--check') == 0


def test_help_lists_exit_codes():
    done = subprocess_tool('--help')
    assert done.returncode == 0 and 'exit codes: 0 ' in done.stdout


def test_results_without_runs_are_not_lost(place, capsys):
    assert build() == 0
    before = contents()
    shutil.move('work_dirs', 'elsewhere')
    capsys.readouterr()
    assert build() == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        'error: 5 results of demo_table in reports/table.lock.json would be lost: row base, seed '
        '0 is in no sound run that was read, and 4 more; use --locked to keep them, '
        'or --forget to drop them'
    )
    assert contents() == before
    assert build('--locked') == 0 and contents() == before
    shutil.copytree('elsewhere/demo/base', 'work_dirs/demo/base', symlinks=True)
    shutil.copytree('elsewhere/demo/killed', 'work_dirs/demo/killed', symlinks=True)
    shutil.copytree('elsewhere/demo/full/seed0', 'work_dirs/demo/full/seed0', symlinks=True)
    assert build() == 2
    assert 'error: 1 result of demo_table' in capsys.readouterr().err
    assert build('--forget') == 0
    assert {
        (item.row, item.seed)
        for item in read_lock(f'reports/{LOCK}')['demo_table'].results
        if item.row == 'full'
    } == {('full', None), ('full', 0)}


def locked_seeds(row):
    """Seed to status of a row's top-1 in the lock."""
    return {
        item.seed: item.result.status.value
        for item in read_lock(f'reports/{LOCK}')['demo_table'].results
        if (item.row, item.metric) == (row, 'test/acc/top1')
    }


def test_results_of_an_edited_config_may_go_with_their_runs_there(place, capsys):
    assert build() == 0
    with open('configs/demo/full.py', 'a') as file:
        file.write('lr = 0.5\n')
    assert build() == 0
    assert locked_seeds('full') == {0: 'stale', 1: 'stale'}
    before = contents()
    shutil.rmtree('work_dirs/demo/killed')
    with open('configs/demo/killed.py', 'a') as file:
        file.write('lr = 0.5\n')
    capsys.readouterr()
    assert build() == 2
    assert 'error: 1 result of demo_table' in capsys.readouterr().err
    assert contents() == before


def other_runs(row, **settings):
    """Leave of a row's runs only those that are described, one under seed 0."""
    shutil.rmtree(f'work_dirs/demo/{row}')
    digest = config_hash(load_config(f'configs/demo/{row}.py'))
    settings = {'config_hash': digest, **settings}
    offline_runs.write(
        [describe(Path(f'work_dirs/demo/{row}/seed0/b'), config=f'demo/{row}', seed=0, **settings)]
    )


@pytest.mark.parametrize(
    'run',
    [
        dict(config_hash='0' * 16, rows=history(0.75)),
        dict(rows=history(None, 1, 5, test=False), die=True),
        dict(rows=history(None, test=False)),
    ],
    ids=['of an older config', 'killed', 'not tested'],
)
def test_runs_that_do_not_count_are_no_reason_to_lose_results(place, capsys, run):
    assert build() == 0
    before = contents()
    other_runs('killed', **run)
    capsys.readouterr()
    assert build() == 2
    assert 'error: 1 result of demo_table' in capsys.readouterr().err
    assert contents() == before
    assert build('--forget') == 0
    assert 'ok' not in locked_seeds('killed').values()


@pytest.fixture
def ledger(place):
    """Folder of a run of the row ``never`` whose result is in the lock."""
    digest = config_hash(load_config('configs/demo/never.py'))
    uid = RunIdentity('demo/never', 0, digest).uid
    folder = write_ledger('work_dirs/demo/never/seed0', history(0.6875))
    change(folder / 'run.json', config='demo/never', config_hash=digest, uid=uid)
    change(write_test_result(folder, history(0.6875)[-1]), uid=uid)
    assert build() == 0 and locked_seeds('never') == {0: 'ok'}
    return folder


def other_attempt(folder, **facts):
    """Write down in ``run.json`` how the attempt at a run ended instead."""
    change(folder / 'run.json', attempts=[attempt(**facts)])


NO_RUN = 'in no sound run that was read'


@pytest.mark.parametrize(
    'damage, became',
    [
        (
            lambda folder: edit(folder / 'metrics.jsonl', 'test/acc', 'text/acc'),
            'now untrusted (the log is damaged)',
        ),
        (lambda folder: (folder / 'run.json').unlink(), NO_RUN),
        (lambda folder: edit(folder / 'run.json', 'demo/never', 'demo/newer'), NO_RUN),
        (
            lambda folder: (
                shutil.rmtree(folder / 'results') or os.truncate(folder / 'metrics.jsonl', 300)
            ),
            'now untrusted',
        ),
        (
            lambda folder: change(
                next((folder / 'results').iterdir()), metrics={'test/acc/top1': 0.75}
            ),
            'now conflict (test/acc/top1 at iteration 8: ',
        ),
        (
            lambda folder: (
                shutil.rmtree(folder / 'results')
                or (folder / 'metrics.jsonl').write_bytes(lines(history(float('nan'))))
            ),
            'now diverged (test/acc/top1 is nan)',
        ),
        (lambda folder: other_attempt(folder, exit_code=1, last_error='x'), 'now failed'),
        (lambda folder: other_attempt(folder, exit_code=None), 'now failed (killed'),
        (
            lambda folder: other_attempt(
                folder, exit_code=None, host='elsewhere', start=time.time()
            ),
            'now running (still running',
        ),
        (
            lambda folder: change(folder / 'run.json', overrides={'lr': 1}),
            'now stale (run with overridden lr)',
        ),
        (
            lambda folder: change(folder / 'run.json', config_hash='0' * 16),
            'now stale (run of another',
        ),
    ],
)
def test_no_word_takes_the_place_of_a_number(ledger, capsys, damage, became):
    before = contents()
    damage(ledger)
    capsys.readouterr()
    assert build() == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(
        'error: 1 result of demo_table in reports/table.lock.json would be '
        f'lost: row never, seed 0 is {became}'
    )
    assert contents() == before
    assert build('--forget') == 0 and 'ok' not in locked_seeds('never').values()


def test_a_result_that_was_measured_anew_takes_the_place_of_another(place):
    assert build() == 0
    other_runs('killed', rows=history(0.5))
    assert build() == 0
    assert cells()['killed', 'top1']['text'] == '50.0 (1/2)'


def test_a_metric_that_is_gone_is_lost_though_another_is_there(place, capsys):
    edit(
        'configs/demo/table.yaml',
        'rows:\n',
        '  - {key: loss, head: Loss, from: train/loss}\nrows:\n',
    )
    assert build() == 0
    before = contents()
    other_runs('killed', rows=history(None, test=False))
    capsys.readouterr()
    assert build() == 2
    assert 'error: 1 result of demo_table' in capsys.readouterr().err
    assert contents() == before


PAUSED = """\
import sys
from mmaction_ext.cli import main, tables
renew = tables.renewed_lock
def paused(*args):
    text = renew(*args)
    print('read', flush=True)
    sys.stdin.readline()
    return text
tables.renewed_lock = paused
sys.exit(main(['tables', *sys.argv[2:]]))
"""
WAITING = """\
import fcntl, runpy, sys
flock = fcntl.flock
def said(descriptor, operation):
    if operation == fcntl.LOCK_EX:
        print('asks', flush=True)
    flock(descriptor, operation)
fcntl.flock = said
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_two_at_once_lose_nothing_of_the_lock(place):
    """One has read the lock and is about to write it; another, of another table, comes in."""
    Path('configs/twin').mkdir()
    Path('configs/twin/table.yaml').write_text(
        SPEC.replace('id: demo_table', 'id: twin_table').replace('config: ', 'config: ../demo/')
    )

    def start(script, table):
        return subprocess.Popen(
            [sys.executable, '-c', script, str(TOOL), f'configs/{table}/table.yaml'],
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    with start(PAUSED, 'demo') as first:
        assert first.stdout.readline() == 'read\n'
        with start(WAITING, 'twin') as second:
            second.stdout.readline()  # it asks for the lock, or is through
            first.communicate('go\n', timeout=60)
            second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert set(read_lock(f'reports/{LOCK}')) == {'demo_table', 'twin_table'}


def test_complexity_of_another_place(place, capsys):
    digest = config_hash(load_config('configs/demo/never.py'))
    Path('costs.csv').write_text(
        f'config,config_hash,params,macs\ndemo/never,{digest},3400000,5\n'
    )
    assert build('--complexity', 'costs.csv') == 0
    assert cells()['never', 'params']['text'] == '3.40'
    Path('reports/complexity.csv').write_text(Path('costs.csv').read_text())
    assert build('--out', 'reports/demo') == 0
    assert b'3.40' in contents('reports/demo')['demo.md']
    capsys.readouterr()
    assert build('--complexity', 'gone.csv') == 2
    assert capsys.readouterr().err == 'error: gone.csv does not exist\n'


def test_imported_results_that_nothing_takes(place, capsys):
    Path('more.csv').write_text('config,seed,test/acc/top1\ndemo/nevr,0,0.5\n')
    runs = ['--runs', 'work_dirs', 'more.csv']
    assert build(*runs) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if 'not used' in line]
    assert line.startswith('not used: more.csv')
    assert line.endswith(': no row has config demo/nevr and seed 0')
    lines = SPEC.splitlines(keepends=True)
    Path('configs/demo/table.yaml').write_text(''.join(lines[:-2]))
    assert build('--strict') == 0
    assert build(*runs, '--strict') == 1


def test_runs_of_no_table_are_named(place, capsys):
    lines = SPEC.splitlines(keepends=True)
    Path('configs/demo/table.yaml').write_text(
        ''.join(line for line in lines if 'id: killed' not in line)
    )
    assert build('--strict', '--forget') == 1  # never ran
    assert 'note' not in capsys.readouterr().err  # an ensemble may be made of it
    Path('configs/demo/killed.py').unlink()
    assert build('--strict', '--forget') == 1
    assert capsys.readouterr().err.splitlines()[0] == (
        'note: 2 runs belong to no row of any table and no config below configs: '
        'demo/killed seed 0, demo/killed seed 1'
    )
    assert build('configs/demo/table.yaml') == 0
    assert 'note' not in capsys.readouterr().err  # another table may have them


def test_tables_by_their_ids_and_folders(place):
    assert build('demo_table', '--out', 'one') == 0
    assert build('configs/demo', '--out', 'two') == 0
    assert contents('one') == contents('two') and set(contents('one')) >= FILES


def test_interrupted(place, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, 'build_tables', interrupt)
    assert build() == 130
    assert capsys.readouterr().err == 'interrupted\n'


def test_terminal_is_shown_no_escape_sequence(place, capsys):
    name = 'evil\x1b[2J\u202e'
    Path('configs/demo/table.yaml').write_text(SPEC.replace('id: never', 'id: "a\\e"'), 'utf-8')
    assert build() == 2
    assert build(f'{name}.yaml') == 2
    said = capsys.readouterr().err
    assert said.isascii() and '\x1b' not in said and 'error: evil.yaml cannot be read' in said


def test_tables_that_are_no_more(place, capsys):
    shutil.copytree('configs/demo', 'configs/twin')
    edit('configs/twin/table.yaml', 'id: demo_table', 'id: twin_table')
    for name in ('base', 'full', 'killed', 'never'):
        edit('configs/twin/table.yaml', f'config: {name}.py', f'config: ../demo/{name}.py')
    Path('reports').mkdir()
    Path('reports/complexity.md').write_text('# What it costs\n')
    assert build() == build('--check') == 0
    assert set(read_lock(f'reports/{LOCK}')) == {'demo_table', 'twin_table'}
    shutil.rmtree('configs/twin')
    assert build('configs/demo/table.yaml', '--check') == 0
    capsys.readouterr()
    assert build('--check') == 1
    assert capsys.readouterr().err.splitlines() == [
        f'out of date: reports/{LOCK}',
        *(f'no table stands there: reports/twin.{ending}' for ending in RENDERERS),
    ]
    assert build() == 0
    assert set(read_lock(f'reports/{LOCK}')) == {'demo_table'}


@pytest.fixture
def mirrored(place):
    """The run of the row ``base`` under seed 0 with a ledger beside its W&B log."""
    folder = Path('work_dirs/demo/base/seed0')
    log = offline_runs.log_file(folder)
    uid, digest = log.stem.removeprefix('run-'), config_hash(load_config('configs/demo/base.py'))
    rows = history(TOP1['base', 0])
    write_ledger(folder, rows, attempts=[attempt(wandb=log.relative_to(folder).as_posix())])
    facts = dict(uid=uid, config='demo/base', config_hash=digest)
    static = dict(params=3250000, macs=2000000000, input_shape=[3, 8, 80, 80])
    change(folder / 'run.json', static=static, sources={}, **facts)
    return folder


def test_tables_are_the_same_from_either_source(mirrored):
    """But for what the source alone tells: which attempt of which folder on which commit."""
    for source in ('ledger', 'wandb'):
        others = ['--runs', 'work_dirs/demo/base/seed0', '--out', source]
        assert build(*others, '--source', source) == 0
    ledger, wandb = contents('ledger'), contents('wandb')
    facts = ('attempt', 'commit', 'folder')
    for name in ('demo.md', 'demo.tex', 'demo.html', 'demo.csv'):
        assert ledger[name] == wandb[name], name
    kept = [
        [
            line
            for line in text.decode().splitlines()
            if line.strip()[1:].split('"')[0] not in facts
        ]
        for text in (ledger['demo.json'], wandb['demo.json'])
    ]
    assert [line.rstrip(',') for line in kept[0]] == [line.rstrip(',') for line in kept[1]]


def test_strict_says_where_the_sources_of_a_run_disagree(mirrored, capsys):
    assert build() == 0
    before = contents()
    strict = ['--strict', '--check']
    make_tables(strict)
    assert 'sources disagree' not in capsys.readouterr().err
    (mirrored / 'metrics.jsonl').write_bytes(lines(history(0.2)))
    assert build() == 0 and contents() != before, 'its ledger is its record'
    capsys.readouterr()
    assert make_tables(strict) == 1
    found = [line for line in capsys.readouterr().err.splitlines() if 'disagree' in line]
    assert len(found) == 3
    assert found[0].startswith('sources disagree: demo/base/seed0: test/acc/top1 at iteration 8: ')
