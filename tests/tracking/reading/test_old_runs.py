"""Folders of runs as each version of their files was written, read by this one.

``none`` and ``schema1`` were written by the functions of commits 1a82087 and 970305e, ``schema2``
is a training on SynthMotion, without most of its digests of code; machine and boot id are made up.
"""

import shutil
from pathlib import Path

import pytest

from mmaction_ext.tracking.ledger.format import decode_object, encode_object
from mmaction_ext.tracking.ledger.forms import RunFile, SnapshotFile
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.writing.attempts import RunLedger, read_run_file

DATA = Path(__file__).with_name('data')


@pytest.fixture
def runs(tmp_path):
    """A copy of the runs folder of a schema."""

    def copy(name):
        shutil.copytree(DATA / 'runs' / name, tmp_path / name)
        return tmp_path / name

    return copy


def test_run_of_before_there_was_a_ledger(runs):
    """Its ``run.json`` says who it is, its W&B log the rest."""
    root = runs('none')
    assert find_runs(root, cache=False) == [], 'nothing was logged yet'
    log = root / 'full/seed0/1/vis_data/wandb/offline-run-1/run-demo-full-0-012345.wandb'
    log.parent.mkdir(parents=True)
    shutil.copy(DATA / 'wandb-0.28.2.log', log)
    [record] = find_runs(root, cache=False)
    assert (record.read_from, record.folder) == (('wandb-offline',), 'full/seed0')
    assert record.finished and [row['iter'] for row in record.rows['val']] == [4, 8]
    assert len(record.evaluations) == 1 and not record.conflicts and not record.damage


def test_run_of_before_there_were_checksums(runs):
    root = runs('schema1')
    [record] = find_runs(root, cache=False)
    assert (record.uid, record.seed, record.state) == ('0f1e2d3c4b5a6978', 1, 'finished')
    assert [attempt.exit_code for attempt in record.attempts] == [143, 0]
    assert [row['iter'] for row in record.rows['train']] == list(range(1, 9))
    [test] = record.evaluations
    assert test.values['test/acc/top1'] == 0.75 and test.protocol['num_clips'] == 1
    assert record.code == {'mmaction_ext/ops/chunks.py': 'a' * 64}
    assert record.complexity['params'] == 337450 and not record.damage and not record.conflicts


def test_run_of_today(runs):
    root = runs('schema2')
    [record] = find_runs(root, cache=False)
    assert record.config == 'synthmotion/dcf/table1_components/baseline'
    assert record.finished and record.last_iter == 1080 and len(record.rows['val']) == 6
    [test] = record.evaluations
    assert test.predictions['path'] == 'predictions.npz' and test.values['test/num_samples'] == 480
    assert record.heartbeat.beat == 22 and not record.damage and not record.conflicts


@pytest.mark.parametrize(
    'name', ['none/full/seed0', 'schema1/full/seed1', 'schema2/baseline/seed0']
)
def test_every_run_is_gone_on_with_and_keeps_what_was_known(tmp_path, name):
    folder = tmp_path / 'run'
    shutil.copytree(DATA / 'runs' / name, folder)
    before = read_run_file(folder)
    with RunLedger(folder, {key: before[key] for key in ('config', 'seed', 'config_hash')}):
        pass
    after = read_run_file(folder)
    known = len(before.get('attempts', ()))
    assert after['schema'] == 2 and after['attempts'][:known] == before.get('attempts', [])
    assert after['attempts'][known]['exit_code'] == 0 and after['seed'] == before['seed']


def test_form_writes_what_it_read():
    """To the byte, with keys that it does not know."""
    data = (DATA / 'runs/schema2/baseline/seed0/run.json').read_bytes()
    assert RunFile.parse(data).text().encode() == data
    content = decode_object(data)
    content['attempts'][0]['cooler'] = 'water'
    newer = encode_object(dict(content, quota={'gpus': [1]})).encode()
    run = RunFile.parse(newer)
    assert run.attempts[0].facts()['cooler'] == 'water' and run.facts()['quota'] == {'gpus': [1]}
    assert run.attempts[0].exit_code == 0


@pytest.mark.parametrize(
    'form, content, key',
    [
        (RunFile, dict(seed='0'), 'seed'),
        (RunFile, dict(seed=True), 'seed'),
        (RunFile, dict(attempts=[{}, dict(start='noon')]), 'attempts.1.start'),
        (RunFile, dict(attempts=[3]), 'attempts.0'),
        (SnapshotFile, dict(uid='u'), 'rows'),
        (SnapshotFile, dict(uid='', rows=[]), 'uid'),
        (SnapshotFile, dict(uid='u', rows=[1]), 'rows.0'),
    ],
)
def test_value_of_another_kind_is_refused_with_its_key(form, content, key):
    with pytest.raises(ValueError, match=f'^{key}: '):
        form.of(content)
