"""Pipelines with MFNet's numbers, run on a video and on a folder of frames."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from published_data import write_frames

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train
from mmaction_ext.video import write_mp4

CLIPS = dict(type='SampleClips', clip_len=4, frame_interval=2, num_clips=2)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('clips') / 'a.mp4'
    frames = np.random.RandomState(0).randint(0, 255, (20, 48, 64, 3)).astype(np.uint8)
    write_mp4(frames, path)
    return dict(filename=str(path), label=3, start_index=0, modality='RGB')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('frames') / '7'
    write_frames(folder, 20)
    return dict(
        frame_dir=str(folder),
        total_frames=20,
        label=86,
        start_index=1,
        modality='RGB',
        filename_tmpl='{:05}.jpg',
    )


def run(pipeline, sample):
    with DefaultScope.overwrite_default_scope('mmaction'):
        steps = [step for step in pipeline if step['type'] != 'SeedSample']  # there is no epoch
        return Compose(steps)(dict(sample))


@pytest.mark.parametrize('function', [mfnet_train, mfnet_test])
@pytest.mark.parametrize(
    'input_format, shape', [('NCTHW', (2, 3, 4, 28, 28)), ('NCHW', (8, 3, 28, 28))]
)
def test_videos_become_clips(video, function, input_format, shape):
    packed = run(function(CLIPS, input_format, crop=28), video)
    assert tuple(packed['inputs'].shape) == shape
    assert packed['data_samples'].gt_label.item() == 3
    assert packed['data_samples'].metainfo['filename'] == video['filename']


def test_frames_of_something_are_flipped_with_their_label(folder):
    np.random.seed(0)
    sampling = dict(type='SampleSegments', num_segments=8)
    pipeline = mfnet_train(sampling, crop=28, media='rawframes', something=True)
    labels = [run(pipeline, folder)['data_samples'].gt_label.item() for _ in range(20)]
    assert set(labels) == {86, 87}
    packed = run(mfnet_test(sampling, crop=28, media='rawframes'), folder)
    assert tuple(packed['inputs'].shape) == (1, 3, 8, 28, 28)
    assert packed['data_samples'].metainfo['frame_dir'] == folder['frame_dir']


def test_testing_is_not_random(video):
    first, second = (run(mfnet_test(CLIPS, crop=28), video)['inputs'] for _ in range(2))
    assert (first == second).all()


def test_numbers_are_mfnets():
    steps = {
        step['type']: step
        for function in (mfnet_train, mfnet_test)
        for step in function(dict(type='SampleClips', clip_len=16, frame_interval=2))
    }
    assert steps['RandomStretch']['short_side'] == (224, 288)
    assert steps['Resize']['scale'] == (256, 256) and not steps['Resize']['keep_ratio']
    assert steps['CenterCrop']['crop_size'] == steps['RandomCrop']['size'] == 224
    hls = steps['HLSJitter']
    assert (hls['hue'], hls['lightness'], hls['saturation']) == (15, 35, 25)


def test_the_jitter_shrinks_with_the_crop():
    steps = {step['type']: step for step in mfnet_train(CLIPS, crop=112)}
    assert steps['RandomStretch']['short_side'] == (112, 144)
