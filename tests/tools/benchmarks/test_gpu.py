"""The script for a GPU, where there is none."""

import subprocess

import common
import pytest
from tool_runs import ROOT, variables

SCRIPT = str(ROOT / 'tools/benchmarks/gpu.sh')


def run(*arguments):
    return subprocess.run(
        ['bash', SCRIPT, *map(str, arguments)],
        env=variables(),
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
def test_without_a_gpu_it_says_so_in_one_line(tmp_path):
    done = run(tmp_path / 'rows')
    assert done.returncode == 2 and done.stderr.count('\n') == 1 and 'no GPU' in done.stderr
    assert not done.stdout and not (tmp_path / 'rows').exists()


@pytest.mark.slow
def test_a_dry_run_goes_through_all_steps(tmp_path):
    pytest.importorskip('triton')
    done = run('--dry-run', tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = common.read(tmp_path / 'operators.csv')
    assert {row['implementation'] for row in rows} >= {'matmul', 'copy', 'triton', 'unfold'}
    assert len(common.read(tmp_path / 'memory.csv')) == 2
    assert (tmp_path / 'operators.svg').stat().st_size
    assert '| x3d_10_L1 |' in (tmp_path / 'operators.md').read_text()
