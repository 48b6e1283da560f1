"""The runs of the benchmark of suites, and that nothing of them is read or parsed twice."""

import re
from collections import Counter
from pathlib import Path

import ledger_runs
import suites

from mmaction_ext import cli
from mmaction_ext.files import cache_folder
from mmaction_ext.tracking.reading import find
from mmaction_ext.tracking.reading.find import find_runs

ROOT = Path(__file__).parents[3]


def test_nothing_is_read_or_parsed_twice_and_what_is_said_is_the_same(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cache_folder, '_home', lambda: tmp_path / 'home')
    tables, started = suites.write_runs(tmp_path / 'runs', 20)
    states = Counter(record.state for record in find_runs(tmp_path / 'runs', cache=False))
    assert started == 20
    ledger_runs.age(tmp_path / 'runs')
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
    counted(find, 'read_ledger')
    (tmp_path / 'file').touch()
    said = []
    for home in ('file', 'home', 'home'):  # nothing can be kept, nothing is, all is
        monkeypatch.setattr(cache_folder, '_home', lambda home=home: tmp_path / home)
        for command in ('plan', 'status', 'tables'):
            calls.clear()
            options = [] if command == 'tables' else ['--json']
            told = ['--runs', str(tmp_path / 'runs'), *options]
            assert cli.main([command, *map(str, tables), *told]) in (0, 1)
            said.append(re.sub(r'"heartbeat_age": [^,\n]*', '', capsys.readouterr().out))
    assert said[:3] == said[3:6] == said[6:]
    assert not calls
