"""Imports run down: no part of the package knows what stands on it, and readers stay light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / 'mmaction_ext'
#: from the ground up; what stands on one floor does not know each other
FLOORS = [
    ('printable',),
    ('errors',),
    ('files', 'checkpoint_file'),
    ('video',),
    ('compat',),
    ('registry', 'startup'),
    ('ops',),
    ('modules',),
    ('models', 'networks', 'schedules'),
    ('datasets',),
    ('evaluation',),
    ('tracking.config_cache',),
    ('tracking.identity',),
    ('tracking.ledger',),
    ('tracking.reading',),
    ('tracking.writing',),
    ('tracking.doctor',),
    ('engine',),
    ('tables', 'register'),
    ('analysis', 'utils'),
    ('report',),
    ('suites',),
    ('cli',),
    ('__main__',),
]
#: what reads runs and shows them starts without these
LIGHT = [
    'tracking.ledger',
    'tracking.reading',
    'tracking.doctor',
    'tables',
    'report',
    'suites',
    'cli',
]
HEAVY = ['torch', 'mmengine', 'mmcv', 'mmaction', 'wandb', 'pandas']


def place(module):
    """Floor and part that a module belongs to; ``None`` of the package and of ``tracking``."""
    for number, parts in enumerate(FLOORS):
        for part in parts:
            if f'{module}.'.startswith(f'mmaction_ext.{part}.'):
                return number, part
    return None


def imported(source):
    """Absolute names of all that a module imports, also within its functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'a relative import'
            yield from (f'{node.module}.{name.name}' for name in node.names)


def upward(module, source):
    number, part = place(module)
    return [
        f'{module} imports {name}'
        for name in imported(source)
        if name.startswith('mmaction_ext.') and name != 'mmaction_ext.__version__'
        for above, of in [place(name)]
        if above >= number and of != part
    ]


def modules():
    """Name to file of each module that holds code."""
    paths = {path.relative_to(PACKAGE.parent): path for path in sorted(PACKAGE.rglob('*.py'))}
    names = {'.'.join(path.with_suffix('').parts): paths[path] for path in paths}
    return {name.removesuffix('.__init__'): path for name, path in names.items()}


def test_every_module_stands_on_a_floor():
    homeless = [name for name in modules() if place(name) is None]
    assert homeless == ['mmaction_ext', 'mmaction_ext.tracking']
    assert {place(name)[1] for name in modules() if name not in homeless} == {
        part for parts in FLOORS for part in parts
    }


def test_imports_run_down():
    found = modules().items()
    assert not [
        line for name, path in found if place(name) for line in upward(name, path.read_text())
    ]


def test_an_import_within_a_function_counts():
    source = 'def f():\n    from mmaction_ext.tracking import reading, writing'
    name = 'mmaction_ext.tracking.reading.find'
    assert upward(name, source) == [f'{name} imports mmaction_ext.tracking.writing']
    assert upward('mmaction_ext.files', 'import mmaction_ext.video') and not upward(
        'mmaction_ext.compat', 'import mmaction_ext.video, torch'
    )


def test_readers_tables_report_and_commands_are_light():
    """One interpreter for all their modules: the first that brings what is heavy is named."""
    names = [name for name in modules() if (place(name) or (0, ''))[1] in LIGHT]
    script = f"""
import importlib, json, sys
heavy = {{}}
for name in {names!r}:
    importlib.import_module(name)
    heavy |= {{each: name for each in {HEAVY!r} if each in sys.modules and each not in heavy}}
print(json.dumps(heavy))
"""
    done = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {} and len(names) > 50
