"""A small SynthMotion, and one run trained on it without interruption."""

import pytest
from tool_runs import make_place, run_tool


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
