"""Tests as a step of their own: of the last checkpoint of a training without, and of its best."""

import json
from pathlib import Path

import pytest
from tool_runs import main_of, run_tool

from mmaction_ext.evaluation.predictions import read_predictions
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tracking.reading.find import find_runs

#: validates best after the second of three epochs
RANKED = """
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class Ranked(BaseMetric):
    default_prefix = 'ranked'
    ranks = iter([1.0, 3.0, 2.0])

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(acc=next(self.ranks))
"""
CONFIG = """
custom_imports = dict(imports=['ranked', 'mmaction_ext.register'])
val_evaluator = [dict(type='Ranked')]
default_hooks = dict(checkpoint=dict(save_best='ranked/acc'))
"""
TABLE = """
id: tiny
caption: A row, at its end and at its best
seeds: [0]
columns:
  - {key: last, head: Last, from: test/acc/top1, scale: 100}
  - {key: best, head: Best, from: test/acc/top1, scale: 100,
     select: {policy: best, metric: val/ranked/acc}}
rows:
  - {id: row, config: row.py}
"""


@pytest.mark.slow
def test_a_run_that_was_trained_alone_is_tested_at_its_end_and_at_its_best(
    place, monkeypatch, capsys
):
    monkeypatch.chdir(place.path)
    (place.path / 'ranked.py').write_text(RANKED)
    with open(place.config, 'a') as file:
        file.write(CONFIG)
    table = Path('configs/tiny/table.yaml')
    table.write_text(TABLE)
    plan = main_of('plan')

    def commands():
        code = plan([table, '--commands'])
        lines = capsys.readouterr().out.splitlines()
        assert code == bool(lines[0])
        return lines

    def cells():
        records = find_runs(place.path / 'work_dirs')
        [row] = build_table(load_spec(table), records).rows
        return row.cells

    def follow(line):
        _, command, *words = line.split()
        done = run_tool(f'{command}.py', *words, cwd=place.path)
        assert done.returncode == 0, done.stderr[-2000:]

    [line] = commands()
    assert line == 'mmaction-ext train configs/tiny/row.py --seed 0 --resume'
    follow(f'{line} --no-test')
    assert [cell.text for cell in cells()] == ['missing', 'missing']
    assert not (place.run / 'predictions.npz').exists()

    [line] = commands()
    assert line == 'mmaction-ext test configs/tiny/row.py --seed 0'
    assert plan([table, '--json']) == 1
    assert json.loads(capsys.readouterr().out)[0]['training'] == dict(macs=0, unknown=0)
    follow(line)
    last, best = cells()
    assert last.number and best.text == 'missing'

    [line] = commands()
    assert line == 'mmaction-ext test configs/tiny/row.py --seed 0 --best ranked/acc'
    follow(line)
    assert commands() == ['']
    assert cells()[0] == last and cells()[1].number
    folder = place.run / 'test'
    epochs = {
        cell.seeds[0].evaluation['predictions']['path']: cell.seeds[0].evaluation['epoch']
        for cell in cells()
    }
    assert epochs == {'predictions.npz': 3, 'predictions_best.npz': 2}
    for (name, epoch), cell in zip(epochs.items(), cells(), strict=True):
        found = read_predictions(folder / name)
        assert found.meta['epoch'] == epoch
        assert 100 * (found.scores.argmax(1) == found.labels).mean() == float(cell.value)
    assert main_of('tables')([table, '--strict', '--out', str(place.path / 'reports')]) == 0, (
        capsys.readouterr().err
    )

    for words, error in (
        (['--best', 'acc/top5'], 'keeps no checkpoint as the best by acc/top5'),
        ([place.run / 'epoch_3.pth', '--best'], 'name a checkpoint or --best, not both'),
    ):
        done = run_tool('test.py', place.config, *words, cwd=place.path)
        assert done.returncode == 2 and error in done.stderr
