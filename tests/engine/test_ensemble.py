"""Ensembles: whose predictions count, what they average to, and what is said when they do not."""

import hashlib
import os

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmaction_ext.engine.ensemble import evaluate, find_members, member_predictions, result
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config

SCORES = {
    'a': [[0.6, 0.4, 0], [0.1, 0.5, 0.4], [0.7, 0.2, 0.1], [0.4, 0.3, 0.3]],
    'b': [[0.2, 0.8, 0], [0.1, 0.1, 0.8], [0.6, 0.4, 0], [0.3, 0.4, 0.3]],
}
#: mean: rows (.4 .6 0), (.1 .3 .6), (.65 .3 .05), (.35 .35 .3); best 1, 2, 0, 0 or 1
LABELS = (1, 1, 0, 2)


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The config of an ensemble of ``a`` and ``b``, each trained for two epochs."""
    folder = tmp_path / 'configs' / 'demo'
    folder.mkdir(parents=True)
    for name in 'ab':
        (folder / f'{name}.py').write_text(f"name = '{name}'\ntrain_cfg = dict(max_epochs=2)\n")
    path = folder / 'both.py'
    path.write_text(
        "ensemble = dict(members=['a.py', 'b.py'])\n"
        "test_evaluator = dict(type='AccMetric', metric_options=dict("
        'top_k_accuracy=dict(topk=(1, 2))))\n'
    )
    monkeypatch.chdir(tmp_path)
    return path


def leave(both, name, under=0, where='', **changes):
    """Leave predictions as the test of a run does; returns their file."""
    config = both.with_name(f'{name}.py')
    run = RunIdentity(f'demo/{name}', under, config_hash(load_config(config)))
    meta = dict(
        run.facts,
        overrides={},
        iter=8,
        epoch=2,
        data_digest='d',
        checkpoint_sha256=f'sha of {name}',
    )
    meta.update(changes)
    folder = both.parents[2] / run.work_dir() / where
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(
        folder / 'predictions.npz',
        Predictions(
            np.array([f'c/{i}' for i in range(4)]),
            np.array(LABELS),
            np.array(SCORES[name], np.float32),
            meta,
        ),
    )
    return folder / 'predictions.npz'


def gather(both, seed=0):
    return [member_predictions(member) for member in members(both, seed)]


def members(path, seed=0):
    return find_members(path, load_config(path), seed)


def test_row_by_hand(both):
    leave(both, 'a', iter=4, epoch=2), leave(both, 'b', iter=8, epoch=3)
    row = evaluate(Config.fromfile(both), gather(both))
    assert row['test/acc/top1'] == 2 / 4 and row['test/acc/top2'] == 3 / 4
    assert row['test/acc/mean1'] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert (row['iter'], row['epoch'], row['test/num_samples']) == (8, 3, 4)
    assert row['test/data_digest'] == 'd'
    assert row['test/checkpoint_sha256'] == hashlib.sha256(b'sha of a sha of b').hexdigest()


def test_result_by_hand(both):
    leave(both, 'a'), leave(both, 'b')
    with open(both, 'a') as file:
        file.write(
            'test_dataloader = dict(dataset=dict(pipeline=['
            "dict(type='ThreeCrop', crop_size=224)]))\n"
        )
    cfg = Config.fromfile(both)
    row = evaluate(cfg, gather(both))
    assert result(cfg, dict(uid='u', job_type='test'), row) == dict(
        uid='u',
        job_type='test',
        iter=8,
        epoch=2,
        checkpoint=dict(path=None, sha256=row['test/checkpoint_sha256']),
        protocol=dict(
            split='test',
            clip_len=None,
            frame_interval=None,
            num_clips=None,
            num_crops=3,
            resolution=[224, 224],
        ),
        metrics={name: row[name] for name in ('test/acc/top1', 'test/acc/top2', 'test/acc/mean1')},
        num_samples=4,
        data_digest='d',
        predictions=None,
    )


def test_members_are_those_of_the_seed(both):
    leave(both, 'a'), leave(both, 'b'), leave(both, 'a', 1)
    file = leave(both, 'b', 1)
    assert gather(both, 1)[1][0].resolve() == file
    with pytest.raises(
        InputError,
        match=r'member demo/a under seed 2: there is no work_dirs/demo/a/seed2/predictions.npz',
    ):
        gather(both, 2)


def test_newest_sound_file_counts(both):
    first, second = leave(both, 'a'), leave(both, 'a', where='test')
    first_member = members(both)[0]
    for newer, older in ((first, second), (second, first)):
        os.utime(older, ns=(1, 1)), os.utime(newer, ns=(2, 2))
        assert member_predictions(first_member)[0].resolve() == newer
    leave(both, 'a', where='test', epoch=1)
    assert member_predictions(first_member)[0].resolve() == first


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(config_hash='old'), 'is of another version of the config .demo/b, seed 0, hash old'),
        (dict(config='demo/a'), 'is of another run .demo/a'),
        (dict(seed=3), 'is of another run .demo/b, seed 3'),
        (dict(overrides={'lr': 1}), 'was made with overridden lr'),
        (dict(epoch=1), 'was made after epoch 1 of 2'),
        (dict(epoch=None), 'was made after epoch None of 2'),
    ],
)
def test_predictions_that_do_not_count(both, changes, message):
    leave(both, 'a'), leave(both, 'b', **changes)
    with pytest.raises(
        InputError,
        match=f'member demo/b under seed 0: work_dirs/demo/b/seed0/predictions.npz {message}',
    ) as error:
        gather(both)
    assert 'mmaction-ext train' in str(error.value) and '\n' not in str(error.value)


def test_edited_member_makes_its_predictions_stale(both):
    leave(both, 'a'), leave(both, 'b')
    gather(both)
    with open(both.with_name('a.py'), 'a') as file:
        file.write('lr = 2\n')
    with pytest.raises(InputError, match=r'demo/a under seed 0: .* another version'):
        gather(both)


def test_remedy_is_a_test_where_the_member_is_trained(both):
    leave(both, 'a')
    with pytest.raises(InputError, match=r'mmaction-ext train \S+/b.py --seed 0 --resume$'):
        gather(both)
    home = both.parents[2] / 'work_dirs/demo/b/seed0'
    home.mkdir(parents=True)
    torch.save({}, home / 'epoch_2.pth')
    with pytest.raises(
        InputError,
        match=r'mmaction-ext test \S+/b.py '
        r'work_dirs/demo/b/seed0/epoch_2.pth --seed 0$',
    ):
        gather(both)


def test_remedy_for_a_member_with_the_weights_of_another_config(both):
    source = both.with_name('source.py')
    source.write_text('train_cfg = dict(max_epochs=2)\n')
    both.with_name('b.py').write_text("_base_ = './source.py'\nweights_of = 'source.py'\n")
    leave(both, 'a')
    with pytest.raises(InputError, match=r'mmaction-ext train \S+/source.py --seed 0 --resume$'):
        gather(both)
    home = both.parents[2] / 'work_dirs/demo/source/seed0'
    home.mkdir(parents=True)
    torch.save({}, home / 'epoch_2.pth')
    with pytest.raises(
        InputError,
        match=r'mmaction-ext test \S+/b.py '
        r'work_dirs/demo/source/seed0/epoch_2.pth --seed 0$',
    ):
        gather(both)


def test_config_that_is_no_ensemble(both):
    with pytest.raises(InputError, match=r'a.py is no ensemble: it has no ensemble=dict'):
        members(both.with_name('a.py'))
    both.write_text("ensemble = dict(members=['a.py', 'gone.py'])\n")
    with pytest.raises(InputError, match=r'gone.py does not exist'):
        members(both)
