"""A training on two machines, namespaces of this one's network, of which one is cut off."""

import os
import shutil
import subprocess
import sys
import time

import pytest
import torch
from tool_runs import ROOT, variables

pytestmark = pytest.mark.slow
#: seconds without a word after which the others are lost
TIMEOUT = 20


def ip(*words):
    subprocess.run(['ip', *words], check=True, capture_output=True, text=True)


@pytest.fixture
def machines():
    """Names of two network namespaces, joined by a cable whose ends are called ``cable``."""
    if os.geteuid() or not shutil.which('ip'):
        pytest.skip('network namespaces need root and ip (apt-get install iproute2)')
    names = [f'mmaction_ext-{os.getpid()}-{number}' for number in range(2)]
    try:
        try:
            for name in names:
                ip('netns', 'add', name)
            peer = ['peer', 'name', 'cable', 'netns', names[1]]
            ip('link', 'add', 'cable', 'netns', names[0], 'type', 'veth', *peer)
        except subprocess.CalledProcessError as error:
            pytest.skip(f'no network namespaces here: {error.stderr.strip()}')
        for number, name in enumerate(names):
            ip('-n', name, 'address', 'add', f'10.77.0.{number + 1}/24', 'dev', 'cable')
            for device in ('lo', 'cable'):
                ip('-n', name, 'link', 'set', device, 'up')
        yield names
    finally:
        for name in names:
            subprocess.run(['ip', 'netns', 'delete', name], capture_output=True)


def start(machines, place):
    """Start one process of the training on each machine."""
    train = [sys.executable, '-m', 'mmaction_ext', 'train', str(place.config), '--resume']
    train += ['--no-validate', '--no-test', '--gpus', '1']
    train += ['--cfg-options', f'env_cfg.dist_cfg.timeout={TIMEOUT}']
    where = dict(NNODES='2', MASTER_ADDR='10.77.0.1', PORT='29500', GLOO_SOCKET_IFNAME='cable')
    return [
        subprocess.Popen(
            ['ip', 'netns', 'exec', machine, *train],
            cwd=place.path,
            env=variables(NODE_RANK=str(rank), PYTHONPATH=str(ROOT), **where),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, machine in enumerate(machines)
    ]


def test_the_one_that_was_cut_off_comes_back(machines, place, pair):
    processes = start(machines, place)
    while not (place.run / 'epoch_1.pth').exists():
        assert [process.poll() for process in processes] == [None, None]
        time.sleep(0.02)
    ip('-n', machines[1], 'link', 'set', 'cable', 'down')
    said = [process.communicate(timeout=6 * TIMEOUT)[1] for process in processes]
    for rank, (process, text) in enumerate(zip(processes, said, strict=True)):
        assert process.returncode == os.EX_TEMPFAIL, text[-3000:]
        [line] = [line for line in text.splitlines() if line.startswith('error: ')]
        assert 'contact with the other processes is lost' in line and '--resume' in line
        assert line.startswith('error: rank 1: ') == bool(rank)
        assert 'Traceback' not in text
    assert not (place.run / 'epoch_3.pth').exists()
    ip('-n', machines[1], 'link', 'set', 'cable', 'up')
    again = start(machines, place)
    said = [process.communicate(timeout=300)[1] for process in again]
    assert [process.returncode for process in again] == [0, 0], said[0][-3000:] + said[1][-3000:]
    found = torch.load(place.run / 'epoch_3.pth', weights_only=True)['state_dict']
    assert all(torch.equal(found[key], pair[key]) for key in pair)
