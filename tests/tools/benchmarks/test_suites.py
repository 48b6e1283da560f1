"""The runs of the benchmark of suites, and that nothing of them is read or parsed twice."""

from collections import Counter
from pathlib import Path

import suites

from mmaction_ext import cli
from mmaction_ext.files import cache_folder
from mmaction_ext.tracking.reading import find
from mmaction_ext.tracking.reading.find import find_runs

ROOT = Path(__file__).parents[3]


def test_plan_reads_and_parses_nothing_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cache_folder, '_home', lambda: tmp_path / 'home')
    tables, started = suites.write_runs(tmp_path / 'runs', 20)
    states = Counter(record.state for record in find_runs(tmp_path / 'runs', cache=False))
    assert started == 20
    assert states == dict(finished=15, running=2, killed=1, failed=1)
    monkeypatch.setattr(cache_folder, 'SETTLED_SECONDS', 0)
    calls: Counter[str] = Counter()

    def counted(owner, name):
        function = getattr(owner, name)

        def call(*args, **options):
            calls[name] += 1
            return function(*args, **options)

        monkeypatch.setattr(owner, name, call)

    from mmengine.config import Config

    counted(Config, 'fromfile')
    counted(find, '_parse')
    counted(find, 'merge')
    said = []
    for _ in range(2):
        calls.clear()
        assert cli.main(['plan', *map(str, tables), '--runs', str(tmp_path / 'runs')]) == 1
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert calls == {'merge': 3}, 'of two runs that go on and one that left without a word'
