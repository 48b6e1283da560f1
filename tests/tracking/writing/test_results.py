"""Result files and the protocols they name."""

import json
from pathlib import Path

import pytest

from mmaction_ext.datasets.configs import evaluation_protocol
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.writing.results import relative_path, write_result

CONFIGS = Path(__file__).parents[3] / 'configs'
RESULT = dict(
    uid='u',
    job_type='test',
    iter=18,
    epoch=3,
    checkpoint=dict(path='epoch_3.pth', sha256='s'),
    protocol={},
    metrics={'test/acc/top1': 0.5, 'test/loss': float('nan')},
    num_samples=24,
    data_digest='d',
    predictions=None,
)


def test_result_by_hand(tmp_path):
    path = write_result(tmp_path, 2, RESULT)
    assert path == tmp_path / 'results/2-18.json'
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content.popitem()[0] == 'crc32'
    assert content == dict(
        RESULT,
        metrics={'test/acc/top1': 0.5, 'test/loss': 'NaN'},
        schema=2,
        attempt=2,
        finished=True,
    )


def test_no_result_replaces_another(tmp_path):
    names = [
        write_result(tmp_path, 1, dict(RESULT, num_samples=number)).name for number in range(3)
    ]
    assert names == ['1-18.json', '1-18-2.json', '1-18-3.json']
    assert [
        json.loads((tmp_path / 'results' / name).read_text())['num_samples'] for name in names
    ] == [0, 1, 2]
    assert not list((tmp_path / 'results').glob('*.tmp'))


def test_path_is_relative_to_the_folder_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert relative_path('work_dirs/a/epoch_3.pth', tmp_path / 'work_dirs/a') == 'epoch_3.pth'
    assert relative_path(tmp_path / 'b.pth', 'work_dirs/a/test') == '../../../b.pth'


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
