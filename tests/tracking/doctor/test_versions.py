import hashlib
import shutil

import pytest
from doctor_runs import only

from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.facts import source_digests


def test_runs_of_a_config_that_has_changed(runs):
    folder = runs.train()
    assert 'stale' not in {check for check, _ in runs.find()}
    runs.config.write_text('model = dict(width=32)\n')
    place, severity, text, _ = only(runs.find(), 'stale')
    assert (place, severity) == (folder.as_posix(), 'warning') and 'has changed since' in text
    runs.config.unlink()
    assert only(runs.find(), 'stale')[1:3] == ('note', 'its config is not in the tree')


def test_a_run_with_overrides_is_compared_with_no_config(runs):
    folder = runs.train()
    runs.change(folder, overrides={'model.width': 4}, config_hash='f' * 16)
    assert 'stale' not in {check for check, _ in runs.find()}


def test_no_config_is_read_outside_the_folder_of_configs(runs):
    trap = runs.root / 'trap.py'
    trap.write_text("open('sprung', 'w')\n")
    for seed, name in enumerate(('../trap', str(trap.with_suffix('')))):
        runs.change(runs.train(seed), config=name)
    assert sum(check == 'stale' for check, _ in runs.find()) == 2
    assert not (runs.root / 'sprung').exists()


def test_runs_of_other_code_are_told_together(runs):
    tree = source_digests()
    block, head = 'mmaction_ext/modules/kpsem.py', 'mmaction_ext/models/__init__.py'
    assert block in tree and head in tree
    other = {
        **tree,
        block: 'f' * 64,
        head: f'{tree[head]} {"f" * 64}',
        'mmaction_ext/ops/gone.py': 'f' * 64,
    }
    folders = [runs.train(seed) for seed in range(3)]
    for folder in folders[:2]:
        runs.change(folder, sources=other)
    runs.change(folders[2], sources={**tree, 'mmaction_ext/cli/text.py': 'f' * 64})
    place, severity, text, _ = only(runs.find(), 'other code')
    assert (severity, place) == ('note', folders[0].as_posix())
    assert text == (
        'source files have changed since it and 1 more run began: '
        '1 of ops, 1 of modules, 1 of models'
    )


def test_a_list_that_has_changed_since(runs):
    path = runs.root / 'train.txt'
    path.write_text('one.mp4 0\n')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for seed in (0, 1):
        runs.change(
            runs.train(seed),
            data={
                name: dict(ann_file=f'{file}.txt', ann_sha256=digest, num_samples=16)
                for name, file in (('train', 'train'), ('val', 'gone'))
            },
        )
    assert 'other list' not in {check for check, _ in runs.find()}
    path.write_text('another.mp4 0\n')
    place, severity, text, _ = only(runs.find(), 'other list')
    assert (severity, place) == ('note', 'train.txt')
    assert text == 'has changed since work_dirs/demo/full/seed0 and 1 more run read it'


@pytest.mark.parametrize(
    'name', ['seed1.0123456789abcdef', 'seed1-01234567.unknown.3', 'test.0123456789abcdef']
)
def test_folders_that_gave_way_to_another_version(runs, name):
    folder = runs.train()
    (folder.parent / name).mkdir()
    for other in ('seed1', 'seed1.old', 'best.0123456789abcdef'):
        (folder.parent / other).mkdir()
    assert only(runs.find(), 'set aside')[:2] == (f'{folder.parent}/{name}', 'note')


def test_a_copied_run(runs):
    folder = runs.train()
    shutil.copytree(folder, 'work_dirs/backup')
    place, severity, text, _ = only(runs.find(), 'duplicate')
    assert (severity, place) == ('error', 'work_dirs/backup')
    assert text == f'is the same run as {folder}'


def test_a_copy_of_before_there_were_ids(runs):
    first = runs.train()
    shutil.copytree(first, 'work_dirs/backup')
    uid = RunIdentity('demo/full', 0, 'a' * 16).uid
    runs.change(first, config_hash='a' * 16, uid=uid)
    runs.change(runs.root / 'work_dirs/backup', config_hash='a' * 16, uid=None, job_type=None)
    assert only(runs.find(), 'duplicate')[0] == 'work_dirs/backup'
    runs.change(first, job_type='test')
    assert 'duplicate' not in {check for check, _ in runs.find()}
