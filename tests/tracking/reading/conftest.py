"""Ledgers beside the real W&B logs of the suite."""

import shutil
from types import SimpleNamespace

import ledger_runs
import offline_runs
import pytest
from offline_runs import history

from mmaction_ext.tracking.reading.find import find_runs


@pytest.fixture(scope='session')
def recorded(tmp_path_factory):
    """Real W&B logs under the id of the run of :mod:`ledger_runs`, in two attempts."""
    root, uid = tmp_path_factory.mktemp('recorded'), ledger_runs.identity().uid
    offline_runs.write(
        [
            offline_runs.describe(root / 'whole', rows=history(0.75), uid=uid),
            offline_runs.describe(
                root / 'first', rows=history(None, 1, 6, test=False), uid=uid, die=True
            ),
        ]
    )
    offline_runs.write([offline_runs.describe(root / 'second', rows=history(0.75, 5, 8), uid=uid)])
    return {name: offline_runs.log_file(root / name) for name in ('whole', 'first', 'second')}


@pytest.fixture
def place(tmp_path, recorded):
    """A runs folder: ``folder`` of the run, ``add_log(name)`` and ``find()``."""
    folder = tmp_path / 'demo/full/seed0'
    uid = ledger_runs.identity().uid

    def add_log(name, at='1', folder=folder):
        path = folder / f'{at}/vis_data/wandb/offline-run-{at}/run-{uid}.wandb'
        path.parent.mkdir(parents=True)
        shutil.copy(recorded[name], path)
        return path.relative_to(folder).as_posix()

    def find(**options):
        return find_runs(tmp_path, **{'cache': False, **options})

    return SimpleNamespace(root=tmp_path, folder=folder, uid=uid, add_log=add_log, find=find)
