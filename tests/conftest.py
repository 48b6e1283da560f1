"""Shared by all tests: no network, no W&B account, one thread per process, a small SynthMotion."""

import multiprocessing
import os
import signal

import pytest
from hypothesis import settings
from tool_runs import make_place, run_tool

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ['WANDB_MODE'] = 'offline'
os.environ['WANDB_ERROR_REPORTING'] = 'false'
os.environ['WANDB_SILENT'] = 'true'

# a shell starts what runs in the background deaf to Ctrl-C, `nohup` to a terminal's end, and so
# would be all that tests start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

from mmaction_ext import compat

compat.apply()

# processes are forked from one that has imported, once, what most of them need
multiprocessing.set_forkserver_preload(
    [
        'mmaction_ext.register',
        'mmaction_ext.engine.checks',
        'mmaction_ext.engine.ensemble',
        'mmaction_ext.engine.run',
        'mmengine.runner',
        'wandb',
    ]
)

# The gate repeats itself; at a developer's desk hypothesis goes on looking for new cases.
settings.register_profile('ci', derandomize=True, deadline=None)
settings.register_profile('desk', deadline=None)
settings.load_profile('ci' if os.environ.get('CI') else 'desk')


@pytest.fixture(scope='session', autouse=True)
def cache_home(tmp_path_factory):
    """Folder in which is kept what was read of runs and configs, for all tests."""
    from mmaction_ext.files import cache_folder

    home = tmp_path_factory.mktemp('cache') / 'home'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_folder, '_home', lambda: home)
        yield home


@pytest.fixture(scope='session')
def small_data(tmp_path_factory):
    """24 training, 6 validation and 12 test base clips, two files each."""
    from mmaction_ext.datasets.synthmotion.generate import generate

    root = tmp_path_factory.mktemp('data') / 'synthmotion'
    generate(root, num_train=24, num_val=6, num_test=12, workers=1, progress=False)
    return root


@pytest.fixture
def place(tmp_path, small_data):
    """A working directory with the data and ``configs/tiny/row.py`` in it."""
    return make_place(tmp_path, small_data)


@pytest.fixture(scope='session')
def trained(tmp_path_factory, small_data):
    """A place in which the tiny row was trained without interruption."""
    place = make_place(tmp_path_factory.mktemp('trained'), small_data)
    place.done = run_tool('train.py', place.config, cwd=place.path)
    assert place.done.returncode == 0, place.done.stdout[-2000:] + place.done.stderr[-2000:]
    return place
