"""The benchmark of memory, at sizes of a test."""

import common
import memory
import operators
import pytest
import torch


def test_a_large_tensor_is_seen_and_a_freed_one_is_not_held_against_it():
    torch.ones(1 << 24)
    assert memory._peak(lambda: torch.ones(1 << 23), 'cpu') == pytest.approx(32, abs=2)


@pytest.mark.slow
def test_rows(tmp_path):
    path = tmp_path / 'memory.csv'
    options = ['--tiny', '--sizes', 'k4_static', '--implementations', 'auto']
    memory.main([*options, '--output', str(path)])
    [row] = common.read(path)
    assert set(row) == set(memory.COLUMNS) and row['clips'] == '2' and row['commit']
    assert 0 <= float(row['forward_mb']) < 200 and float(row['volume_mb']) > 0


def test_what_is_wrong_is_not_measured(tmp_path, monkeypatch):
    right = operators.local_correlation
    monkeypatch.setattr(operators, 'local_correlation', lambda *args, **kw: right(*args, **kw) * 2)
    options = ['--tiny', '--sizes', 'selfy_14', '--implementations', 'auto']
    with pytest.raises(SystemExit, match='auto is wrong'):
        memory.main([*options, '--output', str(tmp_path / 'memory.csv')])
