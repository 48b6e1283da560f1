"""tools/test_ensemble.py: from the members' predictions to the cell of a table."""

import json

import numpy as np
import pytest
from tool_runs import FULL, run_tool

from mmaction_ext.analysis.config_complexity import count_configs
from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger.format import decode_row
from mmaction_ext.tracking.reading.find import find_runs

TABLE = """
id: tiny
caption: Tiny
seeds: [0]
columns:
  - {key: macs, head: GMACs, from: static.macs}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f}
rows: [{id: both, config: both.py}]
"""
LABELS = np.arange(12) % 4


@pytest.fixture
def both(tmp_path):
    """An ensemble of two members that are right on 12 and 0 of 12 clips, surely and unsurely."""
    folder = tmp_path / 'configs' / 'tiny'
    folder.mkdir(parents=True)
    (folder / 'a.py').write_text(
        f"_base_ = ['{FULL}']\ntest_evaluator = [dict(type='AccMetric')]\n"
    )
    (folder / 'b.py').write_text(
        "_base_ = './a.py'\nmodel = dict(backbone=dict(module=None, stages=()))\n"
    )
    (folder / 'both.py').write_text(
        "_base_ = './a.py'\nensemble = dict(members=['a.py', 'b.py'])\n"
    )
    (folder / 'table.yaml').write_text(TABLE)
    leave(folder / 'a.py', 0.9, LABELS), leave(folder / 'b.py', 0.6, (LABELS + 1) % 12)
    return folder / 'both.py'


def leave(config, probability, guesses):
    """Predictions of a trained member: a guess per clip, the rest spread over other classes."""
    run = RunIdentity(f'tiny/{config.stem}', 0, config_hash(load_config(config)))
    scores = np.full((12, 12), (1 - probability) / 11)
    scores[np.arange(12), guesses] = probability
    folder = config.parents[2] / run.work_dir()
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(
        folder / 'predictions.npz',
        Predictions(
            np.array([f'test/{i:06d}.mp4' for i in range(12)]),
            LABELS,
            scores,
            dict(
                run.facts,
                overrides={},
                iter=1080,
                epoch=6,
                data_digest='d',
                checkpoint_sha256=config.stem,
            ),
        ),
    )


@pytest.mark.slow
def test_result_stands_in_the_table_until_a_member_changes(both):
    cwd = both.parents[2]
    done = run_tool('test_ensemble.py', both, '--seed', '0', cwd=cwd)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    assert 'test/acc/top1: 1.0' in done.stdout
    [record] = find_runs(cwd / 'work_dirs')
    assert (record.job_type, record.config, record.seed) == ('test', 'tiny/both', 0)
    assert record.finished and record.overrides == {}
    folder = cwd / 'work_dirs/tiny/both/seed0'
    run = json.loads((folder / 'run.json').read_text())
    assert (run['job_type'], run['uid']) == ('test', record.uid)
    assert [attempt['exit_code'] for attempt in run['attempts']] == [0]
    assert (folder / run['attempts'][0]['wandb']).is_file()
    result = json.loads((folder / 'results/1-1080.json').read_text())
    assert result['metrics']['test/acc/top1'] == 1.0 and result['checkpoint']['path'] is None
    [line] = (folder / 'metrics.jsonl').read_bytes().splitlines()
    row = decode_row(line)
    assert result['checkpoint']['sha256'] == row.metrics['test/checkpoint_sha256']
    assert (row.iter, row.metrics['test/acc/top1']) == (1080, 1.0)

    def cells():
        [row] = build_table(load_spec(both.with_name('table.yaml')), [record]).rows
        return row.cells

    macs, top1 = cells()
    assert top1.text == '100.0' and macs.value == count_configs([both])[both].macs
    with open(both.with_name('b.py'), 'a') as file:
        file.write('optim_wrapper = dict(optimizer=dict(lr=1.0))\n')
    assert [cell.text for cell in cells()] == [macs.text, 'stale']


@pytest.mark.slow
@pytest.mark.parametrize(
    'change, words',
    [
        (
            lambda both: (both.parents[2] / 'work_dirs/tiny/b/seed0/predictions.npz').unlink(),
            ['member tiny/b', 'mmaction-ext train', 'b.py --seed 0 --resume'],
        ),
        (
            lambda both: both.with_name('a.py').write_text(
                both.with_name('a.py').read_text() + 'x = 1'
            ),
            ['member tiny/a', 'another version of the config'],
        ),
        (lambda both: both.write_text("_base_ = './a.py'\n"), ['both.py is no ensemble']),
    ],
)
def test_what_is_missing_is_said_in_one_line(both, change, words):
    change(both)
    done = run_tool('test_ensemble.py', both, cwd=both.parents[2])
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert all(word in line for word in words), line
    assert not (both.parents[2] / 'work_dirs/tiny/both').exists()


@pytest.mark.slow
@pytest.mark.parametrize('tool, args', [('train.py', []), ('test.py', ['any.pth'])])
def test_other_tools_refer_to_this_one(both, tool, args):
    done = run_tool(tool, both, *args, cwd=both.parents[2])
    assert done.returncode == 2
    assert f'mmaction-ext test-ensemble {both}' in done.stderr
