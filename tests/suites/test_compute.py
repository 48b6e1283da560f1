"""What training a row takes, from its config and what is known of its data."""

from types import SimpleNamespace

import pytest

from mmaction_ext.suites.compute import (
    STEP_FACTOR,
    TrainingCompute,
    global_batch,
    training_compute,
    training_samples,
)
from mmaction_ext.tables import load_spec, resolve_configs
from mmaction_ext.tables.row_seeds import row_seeds
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.reading.record import RunRecord


def content(dataset, batch=4, **more):
    return dict(train_dataloader=dict(batch_size=batch, dataset=dataset), **more)


@pytest.mark.parametrize(
    'compute, expected',
    [
        (TrainingCompute(macs=10, clips=7), 10 * 7 * STEP_FACTOR),
        (TrainingCompute(macs=10), None),
        (TrainingCompute(clips=7), None),
        (TrainingCompute(macs=0, clips=7), 0),
    ],
)
def test_training_is_three_forward_passes_of_every_clip(compute, expected):
    assert compute.training == expected


def test_samples_of_a_list_as_often_as_it_is_repeated(tmp_path):
    (tmp_path / 'train.txt').write_text('a.mp4 0\n' * 5)
    inner = dict(type='VideoDataset', ann_file=str(tmp_path / 'train.txt'))
    assert training_samples(content(inner)) == 5
    repeated = dict(type='RepeatDataset', times=3, dataset=dict(type='Wrapper', dataset=inner))
    assert training_samples(content(repeated)) == 15
    assert training_samples(content(dict(inner, ann_file=str(tmp_path / 'gone.txt')))) is None
    assert training_samples({}) is None


def test_batch_of_all_processes():
    assert global_batch(content({}, 4)) == 4
    assert global_batch(content({}, 4, global_batch_size=32)) == 32
    assert global_batch({}) is global_batch(dict(train_dataloader='none')) is None


@pytest.mark.parametrize(
    'length, clips',
    [(dict(max_epochs=2), 32), (dict(type='IterBasedTrainLoop', max_iters=10), 40)],
)
def test_cost_of_a_row(project, length, clips):
    project.write(
        'configs/demo/full.py',
        f"_base_ = ['common.py']\nmodel = dict(width=16)\n"
        f'train_cfg = dict(_delete_=True, **{length!r})\n',
    )
    spec = load_spec(project.table)
    [row_seed, *_] = [
        each for each in row_seeds(spec, [], resolve_configs(spec)) if each.row.id == 'full'
    ]
    compute = training_compute(row_seed.config, load_config(project.config('full')), [], {})
    assert compute == TrainingCompute(
        None, None, *[('epoch', 2) if 'max_epochs' in length else ('iter', 10)], 16, clips
    )


def test_samples_are_those_a_run_recorded_where_the_list_is_not_here():
    config = SimpleNamespace(is_named=lambda name, digest: name == 'demo/full', hash='h')
    runs = [
        RunRecord('u', 'train', name, data=dict(train=dict(num_samples=count)))
        for name, count in (('demo/full', 11), ('demo/other', 99), ('demo/full', [12]))
    ]
    from mmaction_ext.suites.compute import _recorded_samples

    assert _recorded_samples(config, runs) == 11
    assert _recorded_samples(config, runs[1:2]) is None
