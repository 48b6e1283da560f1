"""What happens to clusters happens here for real: four trainings of an array, and what is left."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from tool_runs import FULL, ROOT

from mmaction_ext.cli import main
from mmaction_ext.suites.executors.slurm import queued
from mmaction_ext.suites.store import Suite

pytestmark = pytest.mark.slow
TABLE = """
id: tiny
caption: What clusters do
seeds: [0]
select: {policy: last}
split: test
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .2f, best: max}
rows:
  - {id: good, label: Left alone, config: good.py, reference: true}
  - {id: killed, label: Killed, config: killed.py}
  - {id: preempted, label: Preempted, config: preempted.py}
  - {id: bad, label: Wrong at first, config: bad.py}
"""
ROW = f"""
_base_ = ['{FULL}']
train_cfg = dict(max_epochs=8)
train_dataloader = dict(num_workers=1)
default_hooks = dict(logger=dict(interval=1))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=True)]
"""
ROWS = ('good', 'killed', 'preempted', 'bad')
WRONG = "model = dict(backbone=dict(module=dict(reduction='a quarter')))\n"


@pytest.fixture
def project(slurm, tmp_path, small_data, monkeypatch):
    """Four rows of a table, of which one is wrong."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/synthmotion').symlink_to(small_data)
    folder = tmp_path / 'configs/tiny'
    folder.mkdir(parents=True)
    (folder / 'table.yaml').write_text(TABLE)
    for row in ROWS:
        (folder / f'{row}.py').write_text(ROW + (WRONG if row == 'bad' else ''))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    return folder


def launch(*options):
    """``mmaction-ext launch``; job by row, of all that it has handed over."""
    before = suite().handed()
    asked = ['--executor', 'slurm', '--no-preflight', '--cpus-per-node', '2', '--time', '30']
    assert main(['launch', 'configs/tiny/table.yaml', *asked, *options]) == 0
    new = {run: each for run, each in suite().handed().items() if each != before.get(run)}
    return {each.row: each.handle for each in new.values()}


def suite():
    return Suite(Path('work_dirs'), 'tiny')


def is_complete():
    return main(['plan', 'configs/tiny/table.yaml']) == 0


def wait_until(condition, seconds=240):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def attempts(row):
    file = Path('work_dirs/tiny', row, 'seed0/run.json')
    return json.loads(file.read_text()).get('attempts', []) if file.exists() else []


def has_trained(row, epoch=1):
    return Path('work_dirs/tiny', row, f'seed0/epoch_{epoch}.pth').exists()


def requeue(handle):
    subprocess.run(['scontrol', 'requeue', queued([handle])[handle].id], check=True)


def test_what_is_left_is_launched_again_until_the_table_is_complete(project, capsys):
    handles = launch()
    assert [*handles] == [*ROWS]
    pending = {'killed', 'preempted'}
    while pending:
        for row in [row for row in pending if has_trained(row)]:
            pending.remove(row)
            if row == 'killed':
                os.kill(attempts(row)[0]['pid'], signal.SIGKILL)
            else:
                requeue(handles[row])
        assert queued(handles.values())
        time.sleep(0.02)
    wait_until(lambda: not queued(handles.values()))
    assert {row: [each['exit_code'] for each in attempts(row)] for row in ROWS} == {
        'good': [0],
        'killed': [None],
        'preempted': [attempts('preempted')[0]['exit_code'], 0],
        'bad': [],
    }
    assert attempts('preempted')[1]['resumed_from_iter'] >= 6
    log = Path('work_dirs/.logs/tiny/bad/seed0.log').read_text()
    assert log.splitlines()[-1].startswith('error: ') and 'a quarter' in log.splitlines()[-1]
    (project / 'bad.py').write_text(ROW)
    left = launch()
    assert [*left] == ['killed', 'bad']
    wait_until(lambda: not queued(left.values()))
    assert is_complete() and launch() == {}
    assert [each['exit_code'] for each in attempts('killed')] == [None, 0]
    capsys.readouterr()
    assert main(['tables', 'configs/tiny/table.yaml', '--print', '--forget']) == 0
    said = capsys.readouterr().out
    finals = [
        torch.load(f'work_dirs/tiny/{row}/seed0/epoch_8.pth', weights_only=True)['state_dict']
        for row in ROWS
    ]
    for other in finals[1:]:
        assert all(torch.equal(other[key], finals[0][key]) for key in other)
    [*lines] = [line for line in said.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(ROWS) and '–' not in ''.join(lines)


def test_a_training_that_is_warned_saves_and_goes_on(project, tmp_path, monkeypatch):
    """Launched again where a node has no ``scontrol``, else back in the queue; two processes."""
    (project / 'table.yaml').write_text(TABLE.split('  - {id: killed')[0])
    script = tmp_path / 'bin/scontrol'
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho scontrol: command not found >&2\nexit 127\n')
    script.chmod(0o755)

    def warn(epoch):
        """Launch, warn as Slurm does (``--signal=USR2@120``), and wait for the end."""
        [handle] = launch('--gpus-per-run', '2').values()
        wait_until(lambda: has_trained('good', epoch))
        job = queued([handle])[handle].id
        subprocess.run(['scancel', '--signal=USR2', job], check=True)
        wait_until(lambda: not queued([handle]))

    with monkeypatch.context() as patch:
        patch.setenv('PATH', f'{script.parent}:{os.environ["PATH"]}')
        warn(1)
    [said] = Path('work_dirs/.suites/tiny/slurm').glob('*/*_log.out')
    assert 'not put back into the queue (scontrol: ' in said.read_text()
    warn(3)
    assert [each['exit_code'] for each in attempts('good')] == [os.EX_TEMPFAIL] * 2 + [0]
    begun = [each['resumed_from_iter'] for each in attempts('good')]
    assert begun[0] == 0 and 6 <= begun[1] < 18 <= begun[2] < 48 and is_complete()
    assert attempts('good')[2]['world_size'] == 2
