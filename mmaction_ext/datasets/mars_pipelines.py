"""Data pipelines of the released code of MARS (github.com/craston/MARS, commit d5ffb01).

Functions for configs to call, like those of :mod:`mmaction_ext.datasets.pipelines`; torch-free.
"""

from mmaction_ext.datasets.pipelines import (
    SEED,
    Pipeline,
    Step,
    frames_pipeline,
    swapping_flip,
)

CROP = 112


def mars_train(sampling: Step, media: str = 'videos', something: bool = False) -> Pipeline:
    """Training pipeline: a square from the centre or a corner, as large as half the frame or more.

    Args:
        sampling: transform that chooses frames.
        media: ``'videos'`` or ``'rawframes'``.
        something: the classes are those of Something-Something; the flip then swaps the labels
            of those that name a side, which the released code does not.
    """
    steps: Pipeline = [
        dict(
            type='MultiScaleCrop',
            input_size=CROP,
            scales=tuple(2 ** (-step / 4) for step in range(5)),
            max_wh_scale_gap=0,
            num_fixed_crops=5,
        ),
        dict(type='Resize', scale=(CROP, CROP), keep_ratio=False),
        swapping_flip() if something else dict(type='Flip', flip_ratio=0.5),
    ]
    return frames_pipeline(media, dict(sampling), steps, 'NCTHW', SEED)


def mars_test(sampling: Step, media: str = 'videos') -> Pipeline:
    """Evaluation pipeline that goes with :func:`mars_train`: the centre crop."""
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, CROP)),
        dict(type='CenterCrop', crop_size=CROP),
    ]
    return frames_pipeline(media, dict(sampling, test_mode=True), steps, 'NCTHW')
