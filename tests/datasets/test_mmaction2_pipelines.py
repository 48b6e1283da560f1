"""Pipelines of the methods compared with: they run on real files, and sample as stated."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from published_data import write_frames, write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.mmaction2_pipelines import (
    frames_test,
    multi_scale_train,
    resized_crop_train,
)
from mmaction_ext.datasets.pipelines import interval_clips


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Names of transforms, data sets and layers are looked up in mmaction2 first."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture
def samples(tmp_path):
    """A video and a folder, 20 frames each."""
    write_video(tmp_path / 'a.mp4', 20)
    write_frames(tmp_path / 'b', 20)
    common = dict(modality='RGB', label=86)
    return {
        'videos': dict(common, filename=str(tmp_path / 'a.mp4'), start_index=0),
        'rawframes': dict(
            common,
            frame_dir=str(tmp_path / 'b'),
            total_frames=20,
            start_index=1,
            filename_tmpl='{:05}.jpg',
        ),
    }


def sampled(steps, results):
    """Frames that the first steps of a pipeline choose, from 0."""
    place = next(i for i, step in enumerate(steps) if 'SampleFrames' in step['type'])
    results = Compose(steps[: place + 1])(dict(results))
    return results['frame_inds'] - results['start_index']


@pytest.mark.parametrize('source', ['videos', 'rawframes'])
def test_they_run(samples, source):
    steps = multi_scale_train(source, 4, crop=16)
    assert steps[0]['type'] == 'SeedSample'
    train = Compose(steps[1:])(dict(samples[source]))
    assert train['inputs'].shape == (4, 3, 16, 16)
    test = Compose(frames_test(source, 4, crop=24, num_crops=3, twice=True, short_side=24))(
        dict(samples[source])
    )
    assert test['inputs'].shape == (2 * 3 * 4, 3, 24, 24)


def test_one_clip_has_the_centres_and_a_second_one_the_first_frames(samples):
    once = sampled(frames_test('rawframes', 4), samples['rawframes'])
    twice = sampled(frames_test('rawframes', 4, twice=True), samples['rawframes'])
    assert once.tolist() == [2, 7, 12, 17]
    assert twice.tolist() == [2, 7, 12, 17, 0, 5, 10, 15]


def test_dense_clips_are_ten_of_64_frames(samples):
    long = dict(samples['rawframes'], total_frames=100)
    inds = sampled(frames_test('rawframes', 16, dense=True), long).reshape(10, 16)
    assert (np.diff(inds, axis=1) == 4).all()
    assert inds[0, 0] == 0 and inds[-1, 0] == 36


def test_a_flip_exchanges_the_labels_of_something_something_only():
    def labels(**options):
        steps = multi_scale_train('videos', 8, **options)
        return next(step for step in steps if step['type'] == 'Flip')['flip_label_map']

    assert labels(something=True) == SOMETHING_FLIP_LABELS
    assert labels() is None


def test_slowfast_crops_without_augmentation():
    kinds = [step['type'] for step in resized_crop_train(interval_clips(32, 2))]
    assert kinds[:2] == ['SeedSample', 'VideoInit'] and 'RandomResizedCrop' in kinds
    assert not {'TorchVisionWrapper', 'RandomErasing'} & set(kinds)
