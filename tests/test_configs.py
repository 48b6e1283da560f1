"""Every row of every table: it loads, it builds, and it changes what its caption claims."""

import ast
import fcntl
import logging
import os
import pickle
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from mmaction.registry import DATASETS

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.config_complexity import count_configs
from mmaction_ext.datasets.processes import all_processors
from mmaction_ext.engine.checks import FIELDS
from mmaction_ext.models.building import build_model
from mmaction_ext.tables import load_spec, read_complexity
from mmaction_ext.tables.published import Published
from mmaction_ext.tracking.identity import (
    config_hashes,
    config_name,
    ensemble_members,
    load_config,
    network_of,
    training_length,
)

CONFIGS = Path(__file__).parents[1] / 'configs'
TABLES = sorted(CONFIGS.rglob('table.yaml'))
SPECS = {path: load_spec(path) for path in TABLES}
ROWS = [(table, row) for table in TABLES for row in SPECS[table].configured]
ROW_CONFIGS = sorted({row.config for _, row in ROWS})
IN_FOLDS = sorted({row.load_arguments for _, row in ROWS})
#: the three minutes that the configs may take together on two cores
SECONDS = 180

load = lru_cache(maxsize=None)(load_config)


def name_of(path):
    return path.relative_to(CONFIGS).as_posix()


each_row = pytest.mark.parametrize(
    'table, row', ROWS, ids=[f'{name_of(table.parent)}:{row.id}' for table, row in ROWS]
)
each_table = pytest.mark.parametrize('table', TABLES, ids=lambda path: name_of(path.parent))
each_config = pytest.mark.parametrize('path', ROW_CONFIGS, ids=name_of)


@pytest.fixture(scope='session')
def counted(tmp_path_factory):
    """What :func:`count_rows` finds; of the processes that share the tests, one asks for all."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root
    with open(root / 'counted.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / 'counted').exists():
            (root / 'counted').write_bytes(pickle.dumps(count_rows()))
    return pickle.loads((root / 'counted').read_bytes())


def count_rows():
    """Costs and hashes of all rows, each network built once, and the seconds this takes two cores.

    The seconds are those of the processors, so that other work on the machine does not count.
    """
    before = os.times()
    costs = count_configs(ROW_CONFIGS, all_processors())
    hashes = {each: config_hashes(load(*each)) for each in IN_FOLDS}
    here, there = (
        sum(getattr(os.times(), name) - getattr(before, name) for name in names)
        for names in (('user', 'system'), ('children_user', 'children_system'))
    )
    return costs, hashes, here + there / 2


def differences(own, other, prefix=''):
    """Dotted paths of what differs; a part of another type and a list differ as a whole."""
    if not (isinstance(own, dict) and isinstance(other, dict)):
        return set() if own == other else {prefix[:-1]}
    if prefix and own.get('type') != other.get('type'):
        return {prefix[:-1]}
    missing = object()
    return {
        path
        for key in own.keys() | other.keys()
        for path in differences(own.get(key, missing), other.get(key, missing), f'{prefix}{key}.')
    }


def changes_of_table(spec):
    """By row that is compared with another one, see ``relative_to``: what differs."""
    by_id = {each.id: each for each in spec.rows}
    found = {}
    for row in spec.configured:
        other = by_id[row.relative_to] if row.relative_to else spec.reference
        other = by_id[other.mean_of[0]] if other.mean_of else other
        if row in spec.fold_rows:
            other = spec.counterpart(row)
        found[row.id] = differences(load(*row.load_arguments), load(*other.load_arguments))
    return found


def is_below(path, key):
    return path == key or path.startswith(f'{key}.')


def common_key(paths):
    """The longest key that all dotted paths lie below."""
    parts = zip(*(path.split('.') for path in paths), strict=False)
    return '.'.join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, parts))


def test_there_are_tables():
    assert len(TABLES) >= 2 and len(ROWS) >= 10


def test_no_two_tables_have_one_name():
    names = [spec.id for spec in SPECS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    'own, other, changed',
    [
        (dict(a=dict(b=1, c=[1, 2]), d=3), dict(a=dict(b=1, c=[1, 2]), d=3), set()),
        (dict(a=dict(b=1, c=[1, 2])), dict(a=dict(b=2, c=[1, 3])), {'a.b', 'a.c'}),
        (dict(a=dict(type='A', b=1)), dict(a=dict(type='B', b=2)), {'a'}),
        (dict(a=None, d=1), dict(a=dict(b=1)), {'a', 'd'}),
    ],
)
def test_differences_of_configs(own, other, changed):
    assert differences(own, other) == changed == differences(other, own)


@each_table
def test_rows_differ_from_the_reference_in_what_the_table_varies_and_in_nothing_else(table):
    """Nor is a key listed that no row uses, or that a longer one could replace."""
    spec = SPECS[table]
    if spec.reference is None:
        pytest.skip('a table without a reference row claims nothing about its rows')
    found = changes_of_table(spec)
    outside = {
        name: more
        for name, paths in found.items()
        if (
            more := {path for path in paths if not any(is_below(path, key) for key in spec.varies)}
        )
    }
    assert outside == {}
    changed = set().union(*found.values())
    assert set(spec.varies) == {
        common_key(below)
        if (below := [path for path in changed if is_below(path, key)])
        else f'no row differs in {key}'
        for key in spec.varies
    }


@each_table
def test_rows_of_a_table_are_different_experiments(counted, table):
    hashes = [counted[1][row.load_arguments] for row in SPECS[table].configured]
    assert len(set(hashes)) == len(hashes)


def test_runs_made_before_are_runs_of_the_configs_as_they_stand(counted):
    """A run belongs to a row by its config's hash; see ``config_hashes`` for the second one."""
    listed = dict(
        line.split(maxsplit=1)
        for line in Path(__file__).with_name('config_hashes.txt').read_text().splitlines()
    )
    found = {config_name(*each): ' '.join(hashes) for each, hashes in counted[1].items()}
    assert {name: found.get(name) for name in listed} == listed


@each_config
def test_row_builds_and_runs_a_clip_on_the_meta_device(counted, path):
    complexity = counted[0][path]
    assert not isinstance(complexity, Exception), str(complexity)
    assert complexity.params > 0 and complexity.macs > 0


def from_scratch(node):
    """Config of a model without the weights it would fetch or read."""
    if isinstance(node, (list, tuple)):
        return [from_scratch(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: from_scratch(value)
        for key, value in node.items()
        if key not in ('pretrained', 'checkpoint_path')
        and not (key == 'init_cfg' and value.get('type') == 'Pretrained')
    }
    inflates = 'TSM' in str(node.get('type')) and 'pretrained' in node
    return dict(kept, pretrained2d=False) if inflates else kept


def types_of(node):
    """Names of all classes in a config."""
    if isinstance(node, (list, tuple)):
        return frozenset().union(*map(types_of, node))
    if not isinstance(node, dict):
        return frozenset()
    return types_of(list(node.values())) | {str(node.get('type'))}


@pytest.mark.slow
def test_weights_of_every_kind_of_network_can_be_drawn(monkeypatch):
    """The meta device does not show this. Rows are drawn, small ones first, for new classes."""
    monkeypatch.setattr(logging.root.manager, 'disable', logging.INFO)  # a line for each weight
    seen, broken = set(), {}
    for path in sorted(ROW_CONFIGS, key=lambda path: 'synthmotion' not in path.parts):
        model = load(path)['model']
        if types_of(model) <= seen:
            continue
        seen |= types_of(model)
        try:
            build_model(from_scratch(model)).init_weights()
        except Exception as error:
            broken[name_of(path)] = repr(error)
    assert broken == {}


def test_all_rows_load_and_build_in_three_minutes(counted):
    assert counted[2] < SECONDS


@each_config
def test_row_is_a_recipe_whose_runs_reach_its_table(path):
    config = load(path)
    assert config['test_dataloader'] and config['test_evaluator']
    for split in ('train', 'val', 'test'):  # whose lists are checked before training
        kind = DATASETS.get(config[f'{split}_dataloader']['dataset']['type'])
        assert issubclass(kind, tuple(FIELDS)), kind
    assert config['default_hooks']['logger']['type'] == 'RunLoggerHook'
    assert config['log_processor']['log_with_hierarchy']
    assert 'RunWandbBackend' in [each['type'] for each in config['visualizer']['vis_backends']]
    if 'ensemble' not in config:
        assert config['train_dataloader'] and config['optim_wrapper'] and training_length(config)
        assert config['global_batch_size'] > 0 and len(config['input_shape']) == 4


@each_config
def test_ensemble_is_tested_on_what_its_members_are_tested_on(path):
    lists = {
        load(file)['test_dataloader']['dataset']['ann_file']
        for file in [path, *ensemble_members(path, load(path))]
    }
    assert len(lists) == 1


@pytest.mark.parametrize('path', sorted(CONFIGS.rglob('*.py')), ids=name_of)
def test_rows_are_thin(path):
    if '_base_' in path.parts:
        return
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith('#')]
    assert len(lines) <= 15
    assert levels_of_bases(path) <= 3


def levels_of_bases(path):
    """How many files deep the longest chain of ``_base_`` below a config is."""
    bases = [
        node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_'
    ]
    bases = ast.literal_eval(bases[0]) if bases else []
    files = [bases] if isinstance(bases, str) else bases
    return max(
        (1 if '::' in file else 1 + levels_of_bases(path.parent / file) for file in files),
        default=0,
    )


def paper_tables(published):
    """Specifications of the tables at paper scale that show figures of a file."""
    for path, spec in SPECS.items():
        named = yaml.safe_load(path.read_text()).get('published')
        at_paper_scale = 'synthmotion' not in path.relative_to(CONFIGS).parts
        if at_paper_scale and named and (path.parent / named).resolve() == published.resolve():
            yield spec


PUBLISHED = sorted(CONFIGS.rglob('published.yaml'))


@pytest.mark.parametrize('path', PUBLISHED, ids=name_of)
def test_nothing_that_a_paper_prints_disappears(path):
    """Every entry is a row of a table, and every figure of it a cell."""
    shown = {}
    for spec in paper_tables(path):
        columns = {column.name for column in spec.columns if column.kind == 'published'}
        for row in spec.rows:
            if row.published:
                shown.setdefault(row.published.name, set()).update(columns)
    published = Published(path)
    names = published.names()
    assert set(names) - shown.keys() == set()
    lost = {
        name: figures
        for name in names
        if (figures := published.entry(name).figures.keys() - shown[name])
    }
    assert lost == {}


@pytest.mark.parametrize(
    'row, params, gmacs',
    [
        ('baseline', 3.3, 2.0),
        ('full', 3.4, 2.2),
    ],
)
def test_paper_scale_rows_cost_what_dcf_table_3_prints(counted, row, params, gmacs):
    complexity = counted[0][CONFIGS / f'dcf/table1_components/{row}.py']
    assert round(complexity.params / 1e6, 1) == params
    assert round(complexity.macs / 1e9, 1) == gmacs


def test_committed_costs_are_those_of_the_configs(counted):
    """reports/complexity.csv gives the costs of rows that never ran; it must not go stale.

    A row that is new in it is no fault: ``make tables`` counts it.
    """
    listed = read_complexity(CONFIGS.parent / 'reports' / 'complexity.csv')
    expected = {
        network_of(path, load): dict(params=counted[0][path].params, macs=counted[0][path].macs)
        for path in ROW_CONFIGS
    }
    assert {row: expected.get(row) for row in listed} == listed
