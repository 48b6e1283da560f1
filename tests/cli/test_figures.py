"""The figures of tables: from the lock alone, complete cells alone, and a check of the files."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TABLE = """
id: demo
caption: A demo
seeds: [0, 1, 2]
figure: {scatter: [params, step, memory], y: Top-1 (%), chance: 8.3}
columns:
  - {key: params, head: Params, from: static.params, scale: 1.0e-6, fmt: .2f}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100}
rows:
  - {id: base, config: base.py, reference: true}
  - {id: full, label: Full, config: full.py}
"""
TIMES = 'config,base_ms,module_ms,base_kept_mb,module_kept_mb\ndemo/full.py,10.0,25.0,8.0,10.0\n'


@pytest.fixture
def drawn(project, command):
    """Three seeds of ``base``, two of ``full``, and their figure."""
    project.table.write_text(TABLE)
    project.write('reports/benchmarks/models.csv', TIMES)
    for seed in range(3):
        project.train('base', seed, 0.5 + seed / 100)
    for seed in range(2):
        project.train('full', seed, 0.6)
    assert command('tables')[0] == 0
    code, out, _ = command('figures')
    assert (code, out) == (0, 'wrote reports/figures/demo.svg\n')
    return project.root / 'reports/figures/demo.svg'


def test_what_is_complete_is_drawn_from_the_lock(project, command, drawn):
    text = drawn.read_text()
    assert 'base, Params 1.5: 51.00' in text and 'Full, ' not in text
    project.train('full', 2, 0.9)
    assert command('figures', '--check')[0] == 0  # nobody renewed the lock
    assert command('tables')[0] == 0
    code, _, error = command('figures', '--check')
    assert code == 1 and error == 'out of date: reports/figures/demo.svg\n'
    assert drawn.read_text() == text
    assert command('figures')[0] == 0
    assert 'Full, Params 1.5: 70.00' in drawn.read_text()
    assert 'Full, Training step, times that without a module 2.5: 70.00' in drawn.read_text()
    kept = 'Full, Kept for the backward pass, times that without a module 1.25: 70.00'
    assert kept in drawn.read_text()
    assert command('figures', '--check')[0] == 0


def test_without_complete_cells_there_is_no_file(project, command):
    project.table.write_text(TABLE)
    project.train('base', 0, 0.5)
    assert command('tables')[0] == 0
    assert command('figures')[:2] == (0, 'nothing to draw yet: demo\n')
    assert not (project.root / 'reports/figures').exists()
    assert command('figures', '--check')[0] == 0


def test_a_figure_of_what_is_no_more_is_out_of_date(project, command, drawn):
    project.table.write_text(TABLE.replace('seeds: [0, 1, 2]', 'seeds: [0, 1, 2, 3]'))
    assert command('tables', '--locked')[0] == 0
    assert command('figures', '--check')[0] == 1


@pytest.mark.parametrize('text', ['a,b\n1,2\n', TIMES.replace('10.0', '0'), TIMES + 'x\n'])
def test_a_table_of_times_that_is_none_is_one_line(project, command, drawn, text):
    project.write('reports/benchmarks/models.csv', text)
    code, _, error = command('figures')
    assert code == 2 and 'models.csv is no table of tools/benchmarks/models.py' in error


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('[params, step, memory]', '[top1]', "'top1' is no column that can be drawn there"),
        ('[params, step, memory]', '[gone]', "'gone' is no column that can be drawn there"),
        ('scatter: [params, step, memory]', 'lines: [params], x: X', "'params' is no column"),
        ('scatter: [params, step, memory]', 'lines: [top1]', 'figure.x'),
        ('scatter: [params, step, memory], ', '', 'either lines or scatter'),
        (', y: Top-1 (%)', '', "'y' is missing"),
    ],
)
def test_mistakes_in_a_table_are_named(project, command, old, new, message):
    project.table.write_text(TABLE.replace(old, new))
    code, _, error = command('figures')
    assert code == 2 and message in error and error.count('\n') == 1


def test_figures_in_the_repository_show_what_the_lock_says(command, monkeypatch):
    """Renewed by ``mmaction-ext figures``."""
    monkeypatch.chdir(ROOT)
    assert command('figures', '--check')[0] == 0
