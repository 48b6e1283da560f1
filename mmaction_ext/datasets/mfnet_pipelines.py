"""Data pipelines of MFNet's released code, which KPSEM's experiments start from.

Functions for configs to call, like those of :mod:`mmaction_ext.datasets.pipelines`; torch-free.
"""

from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.pipelines import SEED, Pipeline, Step, frames_pipeline


def mfnet_train(
    sampling: Step,
    input_format: str = 'NCTHW',
    crop: int = 224,
    media: str = 'videos',
    something: bool = False,
) -> Pipeline:
    """Training pipeline: frames are stretched, cropped, flipped and jittered in colour.

    Args:
        sampling: transform that chooses frames, e.g. ``dict(type='SampleClips', clip_len=16,
            frame_interval=2)``.
        input_format: ``'NCTHW'`` for 3-D networks, ``'NCHW'`` for 2-D ones.
        crop: side of the crop in pixels. The range of the shorter side, 224 to 288 for 224,
            grows and shrinks with it.
        media: ``'videos'`` or ``'rawframes'``.
        something: the classes are those of Something-Something; the flip then swaps the labels
            of those that name a side.
    """
    flip: Step = dict(type='Flip', flip_ratio=0.5)
    if something:
        flip = dict(type='DirectionAwareFlip', classes=dict(SOMETHING_FLIP_LABELS), sided='swap')
    steps: Pipeline = [
        dict(type='RandomStretch', short_side=(crop, crop * 9 // 7)),
        dict(type='RandomCrop', size=crop),
        flip,
        dict(type='HLSJitter', hue=15, lightness=35, saturation=25),
    ]
    return frames_pipeline(media, dict(sampling), steps, input_format, SEED)


def mfnet_test(
    sampling: Step, input_format: str = 'NCTHW', crop: int = 224, media: str = 'videos'
) -> Pipeline:
    """Evaluation pipeline that goes with :func:`mfnet_train`: one centre crop.

    Frames are resized to a square, 256 pixels for a crop of 224, whatever shape they had.
    """
    side = crop * 8 // 7
    steps: Pipeline = [
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type='CenterCrop', crop_size=crop),
    ]
    return frames_pipeline(media, dict(sampling, test_mode=True), steps, input_format)
