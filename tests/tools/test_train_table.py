"""tools/train_table.py: trains what is lacking, nothing else, and one failure stops nothing."""

import pytest
from tool_runs import run_tool

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


@pytest.fixture
def table(place):
    """Three rows of one short epoch; the middle one names a stage that does not exist."""
    place.config.write_text(place.config.read_text() + 'train_cfg.update(max_epochs=1)\n')
    folder = place.config.parent
    (folder / 'plain.py').write_text("_base_ = './row.py'\n"
                                     'model = dict(backbone=dict(module=None, stages=()))\n')
    (folder / 'broken.py').write_text("_base_ = './row.py'\n"
                                      'model = dict(backbone=dict(stages=(2, 9)))\n')
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

    more = run_tool('train_table.py', table, '--rows', 'plain', '--seeds', '0', '1', '--dry-run',
                    cwd=place.path)
    assert 'tiny: 1 runs to train\n  plain/seed1' in more.stdout

    report = run_tool('make_tables.py', table, '--print', cwd=place.path)
    lines = {line.split('|')[1].strip(): line.split('|')[2].strip()
             for line in report.stdout.splitlines() if line.startswith('|')}
    assert 0 <= float(lines['plain']) <= 100 and 0 <= float(lines['full']) <= 100
    assert lines['broken'].startswith(('failed', 'missing'))


def test_unknown_row_is_named_with_those_there_are(table, place):
    done = run_tool('train_table.py', table, '--rows', 'ful', cwd=place.path)
    assert done.returncode == 2
    assert 'has no row ful; it has plain, broken, full' in done.stderr


def test_table_that_points_to_no_config_is_named(table, place):
    table.write_text(TABLE.replace('row.py', 'gone.py'))
    done = run_tool('train_table.py', table, cwd=place.path)
    assert done.returncode == 2
    assert 'gone.py' in done.stderr and 'table.yaml:' in done.stderr
    assert 'Traceback' not in done.stderr
