"""Every row of every table: it loads, it builds, and it changes what its caption claims."""

from pathlib import Path

import pytest
from mmengine.config import Config

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.complexity import count
from mmaction_ext.tables import load_spec, read_complexity
from mmaction_ext.tracking.identity import config_hash, load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
TABLES = sorted(CONFIGS.rglob('table.yaml'))
ROWS = [(table, row) for table in TABLES for row in load_spec(table).rows]
IDS = [str(row.config.resolve().relative_to(CONFIGS)) for _, row in ROWS]


def flatten(node, prefix=''):
    """Leaves of nested dicts and lists by their dotted path."""
    if isinstance(node, dict) and node:
        items = node.items()
    elif isinstance(node, (list, tuple)) and node:
        items = enumerate(node)
    else:
        return {prefix[:-1]: repr(node)}
    return {path: leaf for key, value in items
            for path, leaf in flatten(value, f'{prefix}{key}.').items()}


def test_there_are_tables():
    assert len(TABLES) >= 2 and len(ROWS) >= 10


@pytest.mark.parametrize('table, row', ROWS, ids=IDS)
def test_row_differs_from_the_reference_only_in_what_the_table_varies(table, row):
    spec = load_spec(table)
    (reference,) = [each for each in spec.rows if each.reference]
    own, base = flatten(load_config(row.config)), flatten(load_config(reference.config))
    changed = {path for path in own.keys() | base.keys() if own.get(path) != base.get(path)}
    outside = {path for path in changed
               if not any(path == key or path.startswith(f'{key}.') for key in spec.varies)}
    assert not outside


@pytest.mark.parametrize('table', TABLES, ids=lambda path: str(path.parent.relative_to(CONFIGS)))
def test_rows_of_a_table_are_different_experiments(table):
    hashes = [config_hash(load_config(row.config)) for row in load_spec(table).rows]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize('table, row', ROWS, ids=IDS)
def test_row_builds_and_runs_a_clip_on_the_meta_device(table, row):
    complexity = count(Config.fromfile(row.config))
    assert complexity.params > 0 and complexity.macs > 0


@pytest.mark.parametrize('path', sorted(CONFIGS.rglob('*.py')), ids=str)
def test_rows_are_thin(path):
    if '_base_' in path.parts:
        return
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith('#')]
    assert len(lines) <= 15


@pytest.mark.parametrize('row, params, gmacs', [
    ('baseline', 3.3, 2.0),
    ('full', 3.4, 2.2),
])
def test_paper_scale_rows_cost_what_dcf_table_3_prints(row, params, gmacs):
    complexity = count(Config.fromfile(CONFIGS / f'dcf/table1_components/{row}.py'))
    assert round(complexity.params / 1e6, 1) == params
    assert round(complexity.macs / 1e9, 1) == gmacs


def test_committed_costs_are_those_of_the_configs():
    """reports/complexity.csv gives the costs of rows that never ran; it must not go stale."""
    listed = read_complexity(CONFIGS.parent / 'reports' / 'complexity.csv')
    expected = {}
    for _, row in ROWS:
        complexity = count(Config.fromfile(row.config))
        expected[row.config_name, config_hash(load_config(row.config))] = dict(
            params=complexity.params, macs=complexity.macs)
    assert listed == expected
