"""A day of a cluster, simulated: whatever happens, every run is finished once, nothing is lost.

Others than those of the gate: ``SIMULATED_DAYS=20 pytest tests/suites/test_simulated_day.py``.
"""

import os

import pytest
from simulated_cluster import World, value_of

from mmaction_ext.tracking.identity import RunIdentity, config_hash
from mmaction_ext.tracking.reading.find import find_runs


@pytest.mark.parametrize('locked', [True, False], ids=['locks', 'no locks'])
@pytest.mark.parametrize('seed', range(int(os.environ.get('SIMULATED_DAYS', 1))))
def test_every_run_is_finished_once_whatever_happens(tmp_path, monkeypatch, seed, locked):
    world = World(tmp_path, monkeypatch, seed, locked)
    world.live(hours=72, calm_after=9)
    assert world.happened > 50
    plan = world.plan()
    assert not plan.tasks and not plan.left, (plan, world.log[-5:])
    assert plan.done == plan.total == 40
    records = {
        (record.config, record.seed, record.config_hash): record
        for record in find_runs(world.runs, cache=False)
    }
    for (config, seed_of, digest), record in records.items():
        begun = world.known[config, seed_of].begun[digest]
        assert len(record.attempts) == begun, 'every attempt stands in the ledger'
        assert not record.damage and not record.conflicts
    for (config, seed_of), run in world.known.items():
        digest = config_hash(world.load(world.root / f'configs/{config}.py'))
        record = records[config, seed_of, digest]
        assert run.finished.count(digest) == 1
        assert sum(attempt.exit_code == 0 for attempt in record.attempts) == 1
        expected = value_of(RunIdentity(config, seed_of, digest))
        assert [item.values['test/acc/top1'] for item in record.evaluations] == [expected]
