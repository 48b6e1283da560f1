"""Tools run as their users run them, on a config of three short epochs."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
FULL = ROOT / 'configs/synthmotion/dcf/table1_components/full.py'

ROW = f"""
_base_ = ['{FULL}']
train_cfg = dict(max_epochs=3)
train_dataloader = dict(num_workers=1)
default_hooks = dict(logger=dict(interval=1))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=True)]
"""


def run_tool(name, *args, cwd, **kwargs):
    """Run ``tools/<name>`` and capture what it says."""
    interpreter = 'bash' if name.endswith('.sh') else sys.executable
    command = [interpreter, str(ROOT / 'tools' / name)]
    env = dict(os.environ, PYTHON=sys.executable, CUDA_VISIBLE_DEVICES='', **kwargs)
    return subprocess.run(command + [str(arg) for arg in args], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=600)


def make_place(folder, data):
    """Lay out a working directory in ``folder``."""
    (folder / 'data').mkdir()
    (folder / 'data' / 'synthmotion').symlink_to(data)
    config = folder / 'configs' / 'tiny' / 'row.py'
    config.parent.mkdir(parents=True)
    config.write_text(ROW)
    return SimpleNamespace(path=folder, config=config, run=folder / 'work_dirs/tiny/row/seed0')
