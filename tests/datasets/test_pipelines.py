"""Pipelines as plain data: what the functions promise each of their callers."""

import itertools

import pytest
from mmaction.registry import TRANSFORMS
from mmengine.registry import build_from_cfg

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets import pipelines

#: a pair of pipelines for training and for tests, of either media where there are two
PAIRS = {
    'synthmotion': (pipelines.synthmotion_train(8, 'NCHW'), pipelines.synthmotion_test(8, 'NCHW')),
    'synthmotion_hard': (
        pipelines.synthmotion_train(8, 'NCHW', preset='hard'),
        pipelines.synthmotion_test(8, 'NCHW'),
    ),
    'rawframe': (
        pipelines.rawframe_train(8, 'NCTHW', 224, (256, 320)),
        pipelines.rawframe_test(8, 'NCTHW', 224, 256),
    ),
    'video': (
        pipelines.video_train(8, 'NCTHW', 224, (256, 320)),
        pipelines.video_test(8, 'NCTHW', 224, 256),
    ),
    'squashed': (
        pipelines.squashed_train(8, 'NCHW', 112, 128),
        pipelines.squashed_test(8, 'NCHW', 112, 128),
    ),
    'interval': (pipelines.interval_train(8, 8, 224, (256, 320)), pipelines.interval_test(8, 8)),
    'tsn': (pipelines.tsn_train(8, 'videos'), pipelines.tsn_test(8, 'videos')),
    'dense': (
        pipelines.tsn_train(8, 'rawframes', dense=True),
        pipelines.tsn_test(8, 'rawframes', 2, dense=True),
    ),
    'segments': (
        pipelines.segments_train(8, 'videos', flip=pipelines.swapping_flip()),
        pipelines.segments_test(8, 'videos'),
    ),
    'tada': (
        pipelines.tada_train(8, 'rawframes', None, pipelines.flipping_twice()),
        pipelines.tada_test(8, 'rawframes', num_clips=2, num_crops=3),
    ),
    'cross': (pipelines.cross_train(8, 'NCTHW', 112), pipelines.cross_test(8, 'NCTHW', 112)),
}
SAMPLING = {
    'SampleSegments',
    'SampleFrames',
    'SampleTSNSegments',
    'SampleTAdaFrames',
    'DenseSampleFrames',
}
RANDOM = {'RandomCrop', 'RandomRescale', 'Flip', 'MultiScaleCrop', 'DirectionAwareFlip'}


def types(steps):
    return [step['type'] for step in steps]


def test_a_flip_swaps_the_labels_that_a_data_set_has():
    (default,), (hard,) = (
        [step['flip_label_map'] for step in PAIRS[name][0] if step['type'] == 'Flip']
        for name in ('synthmotion', 'synthmotion_hard')
    )
    assert default == {0: 1, 1: 0, 6: 7, 7: 6}
    assert hard == default | {12: 13, 13: 12, 14: 15, 15: 14}


@pytest.mark.parametrize('train, test', PAIRS.values(), ids=PAIRS)
def test_training_draws_by_the_samples_seed_and_a_test_draws_nothing(train, test):
    assert types(train)[0] == 'SeedSample' and RANDOM & set(types(train))
    assert not (RANDOM | {'SeedSample'}) & set(types(test))
    [drawn], [fixed] = (
        [step for step in steps if step['type'] in SAMPLING] for steps in (train, test)
    )
    assert drawn['type'] == fixed['type'] and not drawn.get('test_mode') and fixed['test_mode']


@pytest.mark.parametrize('steps', itertools.chain(*PAIRS.values()))
def test_every_step_can_be_built_and_names_the_sample(steps):
    for step in steps:
        build_from_cfg(dict(step), TRANSFORMS)
    name = 'frame_dir' if 'NamedRawFrameDecode' in types(steps) else 'filename'
    assert types(steps)[-2:] == ['FormatShape', 'PackActionInputs']
    assert name in steps[-1]['meta_keys']


@pytest.mark.parametrize(
    'make',
    [
        lambda number: pipelines.synthmotion_test(number, 'NCHW'),
        lambda number: pipelines.tsn_train(number, 'videos'),
        lambda number: pipelines.cross_test(number, 'NCHW', 112),
    ],
)
def test_number_of_frames_reaches_the_step_that_samples(make):
    for number in (4, 16):
        [step] = [step for step in make(number) if step['type'] in SAMPLING]
        assert step['num_segments'] == number


@pytest.mark.parametrize('crops, step', [(1, 'CenterCrop'), (3, 'ThreeCrop'), (10, 'TenCrop')])
def test_crops_of_a_test(crops, step):
    for steps in (
        pipelines.video_test(8, 'NCTHW', 224, 256, crops),
        pipelines.interval_test(8, 8, num_clips=10, num_crops=crops),
    ):
        assert step in types(steps)


def test_video_that_is_too_short_stands_still_at_its_end():
    assert pipelines.interval_clips(8, 5, 2, True) == dict(
        type='SampleFrames',
        clip_len=8,
        frame_interval=5,
        num_clips=2,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    )


def test_loader_of_an_evaluation_reads_in_order_and_leaves_that_of_training_alone():
    train = pipelines.training_loader('videos', 'data/x', ['train'], 4, folder='clips')
    assert train['dataset']['data_prefix'] == dict(video='data/x/clips')
    assert train['dataset']['ann_file'] == 'data/x/train.txt' and train['sampler']['shuffle']
    before = repr(train)
    found = pipelines.evaluation_loader(train, 'data/x/val.txt', ['test'], 2)
    assert repr(train) == before
    assert found['dataset'] == dict(
        train['dataset'], ann_file='data/x/val.txt', pipeline=['test'], test_mode=True
    )
    assert (found['batch_size'], found['sampler']['shuffle']) == (2, False)
    assert found['num_workers'] == train['num_workers']
    frames = pipelines.training_loader('rawframes', 'data/x', [], 4)['dataset']
    assert (frames['type'], frames['data_prefix']) == (
        'GuardedRawframeDataset',
        dict(img='data/x/rawframes'),
    )


@pytest.mark.parametrize(
    'inner, parts', [(False, 'train test test'), (True, 'inner_train inner_val inner_val')]
)
def test_lists_of_a_fold_are_those_that_prepare_writes(inner, parts):
    assert [
        loader['dataset']['ann_file'] for loader in pipelines.split_lists('data/x', inner)
    ] == [f'data/x/{part}_{{fold}}.txt' for part in parts.split()]


def test_loaders_of_squashed_videos_read_the_lists_of_a_fold():
    train, val, test = pipelines.squashed_loaders('data/x', 4, 96, 8)
    assert val == test
    assert [loader['dataset']['ann_file'] for loader in (train, test)] == [
        'data/x/train_{fold}.txt',
        'data/x/test_{fold}.txt',
    ]
    assert train['dataset']['pipeline'] == pipelines.squashed_train(4, 'NCHW', 96, 108)
    assert test['dataset']['pipeline'] == pipelines.squashed_test(4, 'NCHW', 96, 108)
    assert (train['sampler']['shuffle'], test['sampler']['shuffle']) == (True, False)
