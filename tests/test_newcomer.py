"""A newcomer's module and table: two files and a folder, and everything else finds them."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MODULE = '''
"""A toy: adds what a convolution makes of how each frame differs from the one before."""

from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.modules.base import Displacements, MotionModule
from mmaction_ext.ops.precision import widened


@MODELS.register_module()
class Toy(MotionModule):
    min_frames = 2

    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict(
            {str(stage): nn.Conv3d(width, width, 1) for stage, width in self.in_channels.items()}
        )

    def forward(self, x, stage, carried=()):
        return x + self.block_for(x, stage)(x - x.roll(1, dims=2)), ()

    def motion(self, x, stage):
        self.block_for(x, stage)
        frames = widened(x)
        cosines = (frames * frames.roll(1, dims=2)).mean(1, keepdim=True)
        still = cosines.unsqueeze(2).expand(-1, -1, 2, -1, -1, -1) * 0
        return Displacements(('t-1',), (tuple(range(x.shape[2])),), still, cosines)
'''
TABLE = """
id: toy_table1
caption: What a toy is good for
seeds: [0]
select: {policy: last}
split: test
varies: [model.backbone.module, model.backbone.stages]
columns:
  - {key: params, head: Params, from: static.params, scale: 1, fmt: .0f}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f, best: max}
rows:
  - {id: baseline, label: Without a toy, config: baseline.py, reference: true}
  - {id: toy, label: With a toy, config: toy.py}
"""
ROWS = {
    'toy.py': """
_base_ = ['../../_base_/datasets/synthmotion.py', '../../_base_/schedules/synthmotion_6e.py',
          '../../_base_/default_runtime.py']

from mmaction_ext.networks import thin_resnet10

model = thin_resnet10(
    num_segments={{_base_.num_segments}}, module=dict(type='Toy'), stages=(3, ))
""",
    'baseline.py': """
_base_ = './toy.py'
model = dict(backbone=dict(module=None, stages=()))
""",
}
# one interpreter: importing torch and mmaction2 is most of what each of these takes
COMMANDS = """
import runpy, sys
import pytest

tests = ['tests/models/test_any_module_on_any_backbone.py', 'tests/modules/test_base.py']
assert not pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'toy and not gradients', *tests])
for command in (
    ['tools/get_complexity.py', 'configs/toy/table1_parts/table.yaml', '--csv',
     'reports/complexity.csv'],
    ['tools/make_tables.py', 'configs/toy/table1_parts/table.yaml'],
    ['mmaction_ext/__main__.py', 'report', 'configs/toy/table1_parts/table.yaml'],
):
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name='__main__')
    except SystemExit as done:
        assert not done.code, (command, done.code)
"""


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A copy of the project with the newcomer's files, in which all has been run once."""
    project = tmp_path_factory.mktemp('newcomer') / 'project'
    for folder in ('mmaction_ext', 'configs', 'tools', 'tests'):
        shutil.copytree(ROOT / folder, project / folder, symlinks=True)
    for name in ('work_dirs', 'reports'):
        (project / name).mkdir()
    shutil.copy(ROOT / 'setup.cfg', project)
    (project / 'mmaction_ext/modules/toy.py').write_text(MODULE)
    table = project / 'configs/toy/table1_parts'
    table.mkdir(parents=True)
    for name, text in {'table.yaml': TABLE, **ROWS}.items():
        (table / name).write_text(text)
    done = subprocess.run(
        [sys.executable, '-c', COMMANDS],
        cwd=project,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(project)),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    (project / 'said').write_text(done.stdout)
    return project


@pytest.mark.slow
def test_the_grid_tries_the_module_on_every_backbone(project):
    [passed] = re.findall(r'(\d+) passed', (project / 'said').read_text())
    assert int(passed) > 20


@pytest.mark.slow
def test_complexity_tables_and_page_have_the_rows(project):
    with open(project / 'reports/complexity.csv') as file:
        params = {row['config']: int(row['params']) for row in csv.DictReader(file)}
    of_toy = params['toy/table1_parts/toy'] - params['toy/table1_parts/baseline']
    assert of_toy == 32 * 32 + 32
    [table] = [
        text
        for path in (project / 'reports').rglob('*.md')
        if 'What a toy is good for' in (text := path.read_text())
    ]
    for name, row in (('Without a toy', 'baseline'), ('With a toy', 'toy')):
        [line] = [line for line in table.splitlines() if name in line]
        assert str(params[f'toy/table1_parts/{row}']) in line
    page = (project / 'reports/index.html').read_text()
    assert 'TOY' in page and 'What a toy is good for' in page and 'With a toy' in page
