"""The images of MARS's released code: squares from five places, in five sizes."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.mars_pipelines import mars_test, mars_train

CLIP = dict(type='SampleFrames', clip_len=2, frame_interval=1)


def images(pipeline, steps, seed=0):
    """What steps of a pipeline, by name, make of two frames of 240 x 320."""
    np.random.seed(seed)
    frame = np.arange(240 * 320 * 3, dtype=np.int64).reshape(240, 320, 3) % 251
    results = dict(imgs=[frame.astype(np.uint8)] * 2, modality='RGB', label=0)
    for step in pipeline:
        if step['type'] in steps:
            results = TRANSFORMS.build(step)(results)
    return results


def test_crops_of_training():
    found = [
        images(mars_train(CLIP), ('MultiScaleCrop',), seed)['crop_bbox'] for seed in range(60)
    ]
    sides = {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in found}
    assert sides == {(int(240 * 2 ** (-k / 4)),) * 2 for k in range(5)}
    smallest = {tuple(box[:2]) for box in found if box[2] - box[0] == 120}
    assert smallest == {(0, 0), (200, 0), (0, 120), (200, 120), (100, 60)}


@pytest.mark.parametrize('pipeline', [mars_train(CLIP), mars_test(CLIP)])
def test_frames_are_squares_of_112(pipeline):
    steps = ('MultiScaleCrop', 'Resize', 'CenterCrop', 'Flip')
    assert {image.shape for image in images(pipeline, steps)['imgs']} == {(112, 112, 3)}


def test_a_flip_of_something_something_swaps_labels():
    kinds = [
        [step['type'] for step in mars_train(CLIP, 'rawframes', something)]
        for something in (False, True)
    ]
    assert 'Flip' in kinds[0] and 'DirectionAwareFlip' not in kinds[0]
    assert 'DirectionAwareFlip' in kinds[1] and 'Flip' not in kinds[1]
