"""The ledger's rows as they come from a visualiser of mmengine."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from mmengine.config import Config
from mmengine.visualization import Visualizer

from mmaction_ext.tracking.ledger.format import decode_row
from mmaction_ext.tracking.reading.metrics import read_attempts
from mmaction_ext.tracking.writing.ledger_backend import RunLedgerBackend


@pytest.fixture
def visualizer(tmp_path):
    ours = dict(type='RunLedgerBackend', folder=str(tmp_path), attempt=3)
    return Visualizer(vis_backends=[ours], save_dir=str(tmp_path / 'time'))


def rows(folder):
    lines = (folder / 'metrics.jsonl').read_bytes().splitlines()
    return [decode_row(line)._replace(time=0) for line in lines]


def test_rows_carry_attempt_phase_and_position(visualizer, tmp_path):
    visualizer.add_config(Config({}))
    visualizer.add_scalars(
        {
            'train/loss': torch.tensor(0.5),
            'train/grad': np.float32(0.25),
            'iter': 3,
            'epoch': 1,
            'memory': 7,
        },
        step=99,
    )
    visualizer.add_scalar('val/acc', float('-inf'), step=4)
    assert rows(tmp_path) == [
        (3, 'train', 3, 1, 0, {'train/loss': 0.5, 'train/grad': 0.25}),
        (3, 'val', 4, None, 0, {'val/acc': float('-inf')}),
    ]
    visualizer.close()


def test_row_of_two_phases_becomes_two_lines(visualizer, tmp_path):
    visualizer.add_scalars({'val/acc': 1, 'train/loss': 2.0, 'val/loss': 3.0}, step=5)
    assert [(row.phase, row.metrics) for row in rows(tmp_path)] == [
        ('val', {'val/acc': 1, 'val/loss': 3.0}),
        ('train', {'train/loss': 2.0}),
    ]
    visualizer.close()


def test_pictures_and_graphs_leave_the_ledger_alone(visualizer, tmp_path):
    visualizer.add_image('x', np.zeros((4, 4, 3), np.uint8))
    visualizer.add_graph(torch.nn.Identity(), [])
    visualizer.add_scalars({'memory': 1}, step=1)
    assert not (tmp_path / 'metrics.jsonl').exists()
    visualizer.close()


def test_row_after_the_end_is_not_lost(visualizer, tmp_path):
    for iteration in (1, 2):
        visualizer.add_scalar('test/acc', 0.5, step=iteration)
        visualizer.close()
    assert [row.iter for row in rows(tmp_path)] == [1, 2]


def test_full_disk_reaches_the_training_loop(visualizer, monkeypatch):
    backend = visualizer.get_backend('RunLedgerBackend')

    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(backend.experiment, 'append', full)
    with pytest.raises(OSError, match='No space left'):
        visualizer.add_scalar('train/loss', 0.5, step=1)
    visualizer.close()


TEXTS = st.text(max_size=8) | st.sampled_from(['ema-val', 'a b', 'x"y', '\\', 'NaN', 'train', ''])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.builds('{}/{}'.format, TEXTS, TEXTS), st.floats() | st.integers(), min_size=1
    ),
    st.integers(0, 9),
)
def test_whatever_a_metric_is_called_the_reader_takes_it(tmp_path_factory, metrics, step):
    folder = tmp_path_factory.mktemp('run')
    backend = RunLedgerBackend('', str(folder), 1)
    for _ in range(2):
        backend.add_scalars(metrics, step)
    backend.close()
    [log] = read_attempts(folder / 'metrics.jsonl')
    assert not log.corrupt and not log.truncated and log.last_iter == step
    found = {name: row[name] for rows in log.rows.values() for row in rows for name in row}
    assert found.pop('iter') == step and found.keys() == metrics.keys()
    assert all(
        found[name] == value or (math.isnan(found[name]) and math.isnan(value))
        for name, value in metrics.items()
    )
    assert all(
        len(rows) == 2
        and all(name.partition('/')[0] == phase for row in rows for name in row if name != 'iter')
        for phase, rows in log.rows.items()
    )
