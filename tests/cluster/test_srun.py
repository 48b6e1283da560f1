"""Trainings on a real Slurm of two nodes without GPUs, each by one srun."""

import json
import os
import subprocess
import sys

import pytest
import torch
from tool_runs import ROOT, run_tool, variables

pytestmark = pytest.mark.slow
TRAIN_ONLY = ('--no-validate', '--no-test')
#: what two processes without a GPU take; nobody resolves the nodes' names
ON_CPUS = dict(GPUS='2', GPUS_PER_NODE='0', CPUS_PER_TASK='1', MASTER_ADDR='127.0.0.1')
#: says what a task has: GPUs, number of tasks and arguments
SHOW = """
import json, os, sys
names = ('CUDA_VISIBLE_DEVICES', 'SLURM_STEP_NUM_TASKS', 'SLURM_NODEID', 'SLURM_CPUS_PER_TASK')
print(json.dumps([[os.environ.get(name) for name in names], sys.argv[1:]]))
"""


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def assert_equal(path, expected):
    found = weights(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.fixture
def no_scontrol(tmp_path, monkeypatch):
    """Compute nodes without scontrol; the file is there once it was called."""
    called, script = tmp_path / 'called', tmp_path / 'bin/scontrol'
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >>{called}\nexit 127\n')
    script.chmod(0o755)
    monkeypatch.setenv('PATH', f'{script.parent}:{os.environ["PATH"]}')
    return called


def test_tasks_of_two_nodes_train_what_torchrun_would(slurm, no_scontrol, place, pair):
    done = run_tool(
        'slurm_train.sh',
        'main',
        'two tasks',
        place.config,
        *TRAIN_ONLY,
        cwd=place.path,
        SRUN_ARGS='--nodes=2',
        **ON_CPUS,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert_equal(place.run / 'epoch_3.pth', pair)
    assert json.loads((place.run / 'run.json').read_text())['attempts'][0]['world_size'] == 2
    assert not no_scontrol.exists()


def test_a_task_on_each_of_two_nodes_starts_the_processes_there(slurm, no_scontrol, place, pair):
    train = [sys.executable, '-m', 'mmaction_ext', 'train', str(place.config), *TRAIN_ONLY]
    done = subprocess.run(
        ['srun', '--nodes=2', '--ntasks-per-node=1', *train, '--gpus', '1'],
        cwd=place.path,
        env=variables(MASTER_ADDR='127.0.0.1', PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert_equal(place.run / 'epoch_3.pth', pair)
    assert not no_scontrol.exists()


def test_one_task_tests_a_checkpoint(slurm, place, trained):
    done = run_tool(
        'slurm_test.sh',
        'short',
        'test',
        place.config,
        trained.run / 'epoch_3.pth',
        cwd=place.path,
        **dict(ON_CPUS, GPUS='1'),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (place.run / 'test/predictions.npz').exists()


def test_a_wrong_config_is_told_by_whoever_is_first(slurm, place):
    done = run_tool('slurm_train.sh', 'main', 'wrong', 'gone.py', cwd=place.path, **ON_CPUS)
    assert done.returncode in (2, 143)  # srun ends the others
    told = {line for line in done.stderr.splitlines() if line.startswith('error: ')}
    assert told == {'error: config gone.py does not exist'}


def test_what_srun_is_asked_for(slurm, tmp_path):
    """GPUs of each node, and words that no shell reads a second time."""
    show = tmp_path / 'show.py'
    show.write_text(SHOW)

    def tasks(**environment):
        arguments = ('a b', '$(touch expanded)', '*')
        done = run_tool('srun.sh', show, 'main', 'a name', *arguments, cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    found = tasks(
        GPUS='2', GPUS_PER_NODE='1', CPUS_PER_TASK='3', PY_ARGS="--x 'c d' '$(touch expanded)'"
    )
    words = [
        'a b',
        '$(touch expanded)',
        '*',
        '--x',
        'c d',
        '$(touch expanded)',
        '--launcher',
        'slurm',
    ]
    assert sorted(found) == [[['0', '2', node, '3'], words] for node in '01']
    found = tasks(
        GPUS='2', CPUS_PER_TASK='1', SRUN_ARGS="--comment='$(touch expanded) *' --nodes=1"
    )
    assert sorted(each for each, _ in found) == [['0,1', '2', '0', '1']] * 2
    assert not (tmp_path / 'expanded').exists()
    said = subprocess.run(
        ['squeue', '--states=all', '--noheader', '--name=a name', '--format=%k|%C|%b'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert sorted(said.splitlines()) == ['$(touch expanded) *|2|gres:gpu:2', '(null)|6|gres:gpu:1']


@pytest.mark.parametrize(
    'tool, given, usage',
    [
        ('slurm_train.sh', 2, 'PARTITION JOB_NAME CONFIG [ARGS of tools/train.py ...]'),
        ('slurm_test.sh', 3, 'PARTITION JOB_NAME CONFIG CHECKPOINT [ARGS of tools/test.py ...]'),
    ],
)
def test_too_few_arguments_are_told_the_usage(tool, given, usage, tmp_path):
    done = run_tool(tool, *['x'] * given, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f'usage: {ROOT / "tools" / tool} {usage}\n')
