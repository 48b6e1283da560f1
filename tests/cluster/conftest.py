"""A Slurm of this session's own, of two nodes on this machine; see ``with_slurm.sh``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tool_runs import make_place, run_tool

SCRIPT = Path(__file__).with_name('with_slurm.sh')


def why_not():
    """Why there can be no Slurm here; empty where there can be one."""
    places = os.environ['PATH'] + ':/usr/sbin:/sbin'
    lacking = [
        name
        for name in ('munged', 'slurmctld', 'slurmd', 'srun')
        if not shutil.which(name, path=places)
    ]
    if lacking:
        return f'{lacking[0]} is not installed (apt-get install slurm-wlm munge)'
    return '' if os.geteuid() == 0 else "Slurm's daemons need root"


@pytest.fixture(scope='session')
def cluster(tmp_path_factory):
    """Folder of a Slurm that lives as long as the session, and no longer, however that ends."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp('slurm')
    with subprocess.Popen(
        [SCRIPT, folder, 'sh', '-c', 'echo ready; cat'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests; they end it
    ) as process:
        if process.stdout.readline() != 'ready\n':
            pytest.fail(process.stderr.read())
        yield folder
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def slurm(cluster, monkeypatch):
    """Have commands of this test, and of what it starts, talk to that Slurm."""
    for name in [name for name in os.environ if name.startswith(('SLURM_', 'SBATCH_', 'SRUN_'))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv('SLURM_CONF', str(cluster / 'slurm.conf'))
    # in a job, where Python would not find what it runs on otherwise
    monkeypatch.setenv('PATH', f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}')
    return cluster


@pytest.fixture(scope='session')
def pair(tmp_path_factory, small_data):
    """Weights that two processes train, started as torchrun does, without validation or test."""
    place = make_place(tmp_path_factory.mktemp('pair'), small_data)
    options = ('--no-validate', '--no-test')
    done = run_tool('train.py', place.config, *options, cwd=place.path, processes=2)
    assert done.returncode == 0, done.stderr[-2000:]
    return torch.load(place.run / 'epoch_3.pth', weights_only=True)['state_dict']
