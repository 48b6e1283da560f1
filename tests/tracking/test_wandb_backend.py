"""The W&B mirror: offline by default, rows that know their iteration, no way to stop training."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mmaction_ext.tracking.wandb_backend import RunWandbBackend, wandb_mode
from mmaction_ext.tracking.wandb_log import read_log

RUN = dict(uid='0123456789abcdef', group='paper/table', name='row/seed0')


def backend_code(folder):
    return f"""
from mmaction_ext.tracking.wandb_backend import RunWandbBackend
backend = RunWandbBackend({str(folder)!r}, run={RUN!r}, config=dict(identity=dict(seed=0)))
"""


def run(code, **env):
    clean = {key: value for key, value in os.environ.items() if not key.startswith('WANDB')}
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          env=dict(clean, **env), timeout=120)


def logs(folder):
    return sorted(Path(folder).glob('wandb/offline-run-*/run-*.wandb'))


def test_mode_follows_the_user(monkeypatch, tmp_path):
    for name in ('WANDB_MODE', 'WANDB_API_KEY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('NETRC', str(tmp_path / 'none'))
    monkeypatch.setenv('HOME', str(tmp_path))
    assert wandb_mode() == 'offline'
    (tmp_path / 'netrc').write_text('machine my.server login user password secret\n')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    assert wandb_mode() == 'offline'
    monkeypatch.setenv('WANDB_BASE_URL', 'https://my.server:8080')
    assert wandb_mode() == 'online'
    (tmp_path / 'wandb').mkdir()
    (tmp_path / 'wandb' / 'settings').write_text('[default]\nmode = offline\n')
    monkeypatch.chdir(tmp_path)
    assert wandb_mode() == 'offline'  # the user said `wandb offline`
    monkeypatch.setenv('WANDB_MODE', 'disabled')
    assert wandb_mode() == 'disabled'


@pytest.mark.slow
def test_without_an_account_a_run_is_offline_and_asks_nothing(tmp_path):
    home = tmp_path / 'home'
    home.mkdir()
    done = run(backend_code(tmp_path) + """
import numpy as np, torch
backend.add_scalars({'train/loss': torch.tensor(0.5), 'iter': 3, 'epoch': 1}, step=99)
backend.add_scalar('val/acc', np.float32(0.25), step=4)
backend.close()
""", HOME=str(home), PATH=os.environ['PATH'])
    assert done.returncode == 0, done.stderr
    assert 'login' not in (done.stdout + done.stderr).lower()
    (log,) = logs(tmp_path)
    text = repr(read_log(log))
    assert RUN['uid'] in text and RUN['group'] in text
    assert 'train/loss' in text and 'val/acc' in text


@pytest.mark.slow
def test_sigterm_closes_the_log_with_its_code(tmp_path):
    process = subprocess.Popen([sys.executable, '-c', backend_code(tmp_path) + """
import time
for step in range(1000):
    backend.add_scalars({'train/loss': 1.0, 'iter': step, 'epoch': 0})
    if step == 5:
        print('going', flush=True)
    time.sleep(0.05)
"""], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == 'going'
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    (log,) = logs(tmp_path)
    assert read_log(log).exit_code == 143


@pytest.mark.slow
def test_sigkill_loses_little_of_the_log(tmp_path):
    process = subprocess.Popen([sys.executable, '-c', backend_code(tmp_path) + """
import time
for step in range(10000):
    backend.add_scalars({'train/loss': 1.0, 'iter': step, 'epoch': 0})
    print(step, flush=True)
    time.sleep(0.05)
"""], stdout=subprocess.PIPE, text=True)
    while process.stdout.readline().strip() != '20':
        pass
    time.sleep(2.5)  # two flush intervals
    process.kill()
    process.wait()
    (log,) = logs(tmp_path)
    result = read_log(log)
    assert result.exit_code is None
    assert len(result.rows) >= 20


def test_failures_of_wandb_never_reach_the_caller(tmp_path, monkeypatch):
    import wandb

    def refuse(**kwargs):
        raise RuntimeError('no service')

    monkeypatch.setattr(wandb, 'init', refuse)
    monkeypatch.setenv('WANDB_MODE', 'offline')
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_config(None)
    backend.add_scalars({'train/loss': 1.0})
    backend.add_scalar('x', 1)
    backend.add_image('x', np.zeros((2, 2, 3), np.uint8))
    backend.close()


@pytest.mark.slow
def test_real_sdk_without_a_server_logs_offline_instead(tmp_path):
    """Port 9 of this machine refuses every connection, as a laptop without network would."""
    done = run(backend_code(tmp_path).replace('backend =', """
from mmaction_ext.tracking import wandb_backend
wandb_backend.INIT_SECONDS = 3
backend =""", 1) + """
backend.add_scalars({'test/acc/top1': 0.5, 'iter': 3, 'epoch': 1})
backend.close()
""", WANDB_MODE='online', WANDB_API_KEY='0' * 40, WANDB_BASE_URL='http://127.0.0.1:9',
               WANDB_ERROR_REPORTING='false')
    assert done.returncode == 0, done.stderr
    (log,) = logs(tmp_path)
    assert [row['test/acc/top1'] for row in read_log(log).rows] == [0.5]


def test_unreachable_server_falls_back_to_offline(tmp_path, monkeypatch):
    import wandb
    modes = []

    class Run:
        def define_metric(self, *args, **kwargs):
            pass

        def log(self, row):
            modes.append(row)

    def init(**kwargs):
        modes.append(kwargs['mode'])
        if kwargs['mode'] == 'online':
            raise wandb.errors.CommError('no route')
        return Run()

    monkeypatch.setattr(wandb, 'init', init)
    monkeypatch.setattr(signal, 'signal', lambda *args: None)
    monkeypatch.setenv('WANDB_MODE', 'online')
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalars({'train/loss': torch.tensor([1.0, 2.0]), 'epoch': 1}, step=7)
    assert modes == ['online', 'offline', {'iter': 7, 'train/loss': [1.0, 2.0], 'epoch': 1}]
