import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmaction_ext.tables import build_table, load_spec, locked_table
from mmaction_ext.tables.lock import lock_text
from mmaction_ext.tables.run_summary import summaries, summaries_text
from mmaction_ext.tracking.reading.find import find_runs


@pytest.fixture
def trained(project):
    """Both rows under both seeds."""
    for row, seed, top1 in (
        ('base', 0, 0.7),
        ('base', 1, 0.72),
        ('full', 0, 0.75),
        ('full', 1, 0.79),
    ):
        project.train(row, seed, top1)
    return project


def addresses(page):
    """Where links lead, and what is there."""
    return (set(re.findall(r'<a href="#([^"]*)"', page)), set(re.findall(r' id="([^"]*)"', page)))


def test_page_of_all_tables_and_runs(trained, command):
    code, out, err = command('report')
    assert (code, err) == (0, '')
    assert re.fullmatch(r'wrote reports/index.html \(\d\.\d MB\)\n', out)
    page = (trained.root / 'reports/index.html').read_text('utf-8')
    links, ids = addresses(page)
    assert links <= ids
    for row in ('base', 'full'):
        for seed in (0, 1):
            assert f'run:{trained.identity(row, seed).uid}:train' in links
    assert 'demo/base' in page.replace('<wbr>', '') and 'A demo' in page
    assert {'figure:demo:bars', 'figure:demo:curves:val', 'figure:demo:curves:train'} <= ids
    assert str(trained.root) not in page


def test_check_says_whether_the_page_is_up_to_date(trained, command):
    assert command('report', '--check')[0] == 1
    assert not (trained.root / 'reports').exists()
    command('report')
    assert command('report', '--check') == (0, '', '')
    trained.train('full', 1, 0.5)
    assert command('report', '--check') == (1, '', 'out of date: reports/index.html\n')


def test_locked_needs_no_runs(trained, command):
    spec = load_spec(trained.table)
    table = build_table(spec, find_runs(trained.runs))
    trained.write('reports/table.lock.json', lock_text({spec.id: locked_table(table, spec)}))
    trained.runs.rename(trained.root / 'elsewhere')
    code, _, err = command('report', '--locked')
    assert code == 0 and err.startswith(
        'note: there is no reports/runs.lock.json, so the page has'
    )
    page = (trained.root / 'reports/index.html').read_text('utf-8')
    links, ids = addresses(page)
    assert links <= ids and f'run:{trained.identity("full", 1).uid}' in ids
    assert 'figure:demo:bars' in ids and 'figure:demo:curves:val' not in ids


def test_locked_page_is_the_one_from_runs_but_for_where_they_lie(trained, command):
    command('report', '-o', 'runs.html')
    spec, records = load_spec(trained.table), find_runs(trained.runs)
    table = build_table(spec, records)
    trained.write('reports/table.lock.json', lock_text({spec.id: locked_table(table, spec)}))
    trained.write('reports/runs.lock.json', summaries_text(summaries(records, [table])))
    trained.runs.rename(trained.root / 'elsewhere')
    assert command('report', '--locked', '-o', 'locked.html')[::2] == (0, '')
    page, locked = (
        (trained.root / name).read_text('utf-8') for name in ('runs.html', 'locked.html')
    )
    page = re.sub('<dt>Folder</dt><dd>.*?</dd>', '', page)
    page = re.sub('(?<=<td>ledger ).*?(?=</td>)', '', page)  # the path of the log
    assert page == locked and 'figure:demo:curves:val' in locked
    assert command('report', '--locked', '-o', 'locked.html', '--check')[0] == 0
    trained.write('reports/runs.lock.json', '{')
    code, _, err = command('report', '--locked')
    assert code == 2 and err.startswith('error: reports/runs.lock.json is cut short')


def test_without_runs_the_page_says_so(project, command):
    project.runs.rmdir()
    code, _, err = command('report', '-o', 'page.html')
    assert (code, err) == (0, 'note: there is no folder work_dirs, so no run\n')
    assert 'There is no run yet.' in (project.root / 'page.html').read_text('utf-8')


@pytest.mark.parametrize(
    'argv, problem',
    [
        (['no_such_table'], 'no_such_table'),
        (['--runs', 'nowhere'], 'nowhere'),
        (['--locked'], 'table.lock.json'),
        (['--locked', '--runs', 'work_dirs'], 'not allowed'),
    ],
)
def test_bad_input_is_one_line_and_leaves_the_page_alone(project, command, argv, problem):
    project.write('reports/index.html', 'as it was')
    code, out, err = command('report', *argv)
    assert (code, out) == (2, '') and problem in err
    assert err.splitlines()[-1].count('error:') == 1
    assert (project.root / 'reports/index.html').read_text() == 'as it was'


def test_a_page_that_cannot_be_written(trained, command):
    trained.write('file', '')
    code, _, err = command('report', '-o', 'file/index.html')
    assert code == 2 and err.startswith('error: file/index.html cannot be written')


def test_hostile_names_stay_text(trained, command, markup):
    trained.change(trained.folder('full', 0), env={'device': markup, markup: 'x'})
    command('report')
    page = (trained.root / 'reports/index.html').read_text('utf-8')
    assert '<script>alert' not in page and '\x1b' not in page and '&lt;script&gt;alert' in page


def test_neither_torch_nor_mmaction_is_imported(trained):
    root = Path(__file__).parents[2]
    code = (
        'import sys; from mmaction_ext import cli; assert cli.main(["report"]) == 0; '
        'assert not {"torch", "mmaction"} & set(sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(root)),
    )
    assert done.returncode == 0, done.stderr
