"""Real offline W&B runs, written once."""

import offline_runs
import pytest
from offline_runs import describe, history


@pytest.fixture(scope='session')
def suite(tmp_path_factory):
    """Runs folder: finished, resumed after SIGKILL, killed, failed, not finite, with markup.

    Beside it lies ``odd``, a run whose identity is not what it should be.
    """
    root = tmp_path_factory.mktemp('logs') / 'runs'
    odd = describe(root.parent / 'odd', rows=history(0.5), uid='odd')
    odd['config'].update(
        identity=dict(config=['list'], seed='zero', config_hash=7, overrides=3), static='none'
    )
    nan = [
        {
            'iter': 4,
            'epoch': 1,
            'train/loss': float('nan'),
            'train/nested': {'grad': float('inf'), 'low': -float('inf')},
        }
    ]
    offline_runs.write(
        [
            odd,
            describe(root / 'demo/full/seed0/a', seed=0, rows=history(0.8125)),
            describe(
                root / 'demo/full/seed0/test', seed=0, job_type='test', rows=history(0.8125)[-1:]
            ),
            describe(
                root / 'demo/full/seed1/first',
                seed=1,
                rows=history(None, 1, 6, test=False),
                die=True,
            ),
            describe(
                root / 'demo/full/seed2/a', seed=2, rows=history(None, 1, 5, test=False), die=True
            ),
            describe(root / 'demo/full/seed3/a', seed=3, rows=history(0.5), exit_code=3),
            describe(
                root / 'demo/full/seed4/a',
                seed=4,
                rows=nan,
                name=offline_runs.MARKUP,
                notes=offline_runs.MARKUP,
                tags=['<b>'],
            ),
            describe(root / 'demo/full/seed5/a', seed=5, rows=history(0.625, 7, 8)),
        ]
    )
    offline_runs.write(
        [describe(root / 'demo/full/seed1/second', seed=1, rows=history(0.75, 5, 8))]
    )
    return root


@pytest.fixture(scope='session')
def small_log(suite):
    """Bytes of a finished log of a few rows."""
    return offline_runs.log_file(suite / 'demo/full/seed5/a').read_bytes()
