"""Annotation lists and protocols that configs of data sets name."""

import hashlib
from pathlib import Path

import pytest

from mmaction_ext.datasets.configs import data_lists, evaluation_protocol
from mmaction_ext.tracking.identity import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_lists_of_all_splits(tmp_path):
    (tmp_path / 'train.txt').write_text('a.mp4 0\nb.mp4 1\n\n')
    (tmp_path / 'more.txt').write_text('c.mp4 1')
    train, more = (
        dict(ann_file=name, data_root=str(tmp_path)) for name in ('train.txt', 'more.txt')
    )
    whole = dict(type='ConcatDataset', datasets=[train, dict(type='RepeatDataset', dataset=more)])
    lists = data_lists(
        dict(
            train_dataloader=dict(dataset=whole),
            val_dataloader=None,
            test_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'more.txt'))),
        )
    )
    assert lists == dict(
        train=dict(
            ann_file=f'{tmp_path}/train.txt,{tmp_path}/more.txt',
            ann_sha256=sha256('a.mp4 0\nb.mp4 1\n\nc.mp4 1'),
            num_samples=3,
        ),
        test=dict(ann_file=f'{tmp_path}/more.txt', ann_sha256=sha256('c.mp4 1'), num_samples=1),
    )


def test_splits_without_a_list_that_is_there_are_left_out(tmp_path):
    assert (
        data_lists(
            dict(
                train_dataloader=dict(dataset=dict(type='Other')),
                test_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'gone.txt'))),
            )
        )
        == {}
    )


def protocol(**facts):
    return dict(
        dict(
            split='test',
            clip_len=None,
            frame_interval=None,
            num_clips=None,
            num_crops=1,
            resolution=None,
        ),
        **facts,
    )


@pytest.mark.parametrize(
    'config, facts',
    [
        (
            'synthmotion/dcf/table1_components/full.py',
            dict(clip_len=8, num_clips=1, num_crops=1, resolution=[64, 64]),
        ),
        (
            'dcf/table5_k400/dcf_x3d_m.py',
            dict(clip_len=16, frame_interval=5, num_clips=10, num_crops=3, resolution=[256, 256]),
        ),
        (
            'dcf/table5_k400/tsm_r50_16f.py',
            dict(clip_len=1, frame_interval=1, num_clips=160, num_crops=3, resolution=[256, 256]),
        ),
    ],
)
def test_protocol_of_a_config(config, facts):
    dataset = load_config(CONFIGS / config)['test_dataloader']['dataset']
    assert evaluation_protocol(dataset) == protocol(**facts)


@pytest.mark.parametrize(
    'pipeline, facts',
    [
        (
            [
                dict(type='SampleFrames', clip_len=16, frame_interval=4, num_clips=10),
                dict(type='Resize', scale=(-1, 256)),
                dict(type='ThreeCrop', crop_size=256),
            ],
            dict(clip_len=16, frame_interval=4, num_clips=10, num_crops=3, resolution=[256, 256]),
        ),
        (
            [
                dict(type='SampleFrames', clip_len=1, num_clips=8),
                dict(type='TenCrop', crop_size=(224, 192)),
            ],
            dict(clip_len=1, frame_interval=1, num_clips=8, num_crops=10, resolution=[224, 192]),
        ),
        (
            [dict(type='DenseSampleFrames', clip_len=1, frame_interval=2, num_clips=8)],
            dict(clip_len=1, frame_interval=2, num_clips=80),
        ),
        (
            [
                dict(type='SampleTSNSegments', num_segments=16, num_clips=2),
                dict(type='Resize', scale=(112, 112), keep_ratio=False),
            ],
            dict(clip_len=16, num_clips=2, resolution=[112, 112]),
        ),
        (
            [dict(type='SampleTAdaFrames', num_segments=16, frame_interval=5, num_clips=10)],
            dict(clip_len=16, frame_interval=5, num_clips=10),
        ),
        (
            [
                dict(type='CenterCrop', crop_size=72),
                dict(type='CenterCrop', crop_size=64),
                dict(type='SomethingElse'),
            ],
            dict(resolution=[64, 64]),
        ),
        ([], {}),
    ],
)
def test_protocol_by_hand(pipeline, facts):
    assert evaluation_protocol(dict(pipeline=pipeline)) == protocol(**facts)
    wrapped = dict(type='RepeatDataset', dataset=dict(pipeline=pipeline))
    assert evaluation_protocol(wrapped, 'val') == protocol(**dict(facts, split='val'))


def test_protocol_of_a_data_set_that_says_nothing():
    assert evaluation_protocol({}) == protocol()
