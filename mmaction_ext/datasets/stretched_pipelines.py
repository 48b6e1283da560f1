"""Data pipelines of MFNet's released code, which KPSEM's experiments start from.

Functions for configs to call, like those of :mod:`mmaction_ext.datasets.pipelines`; torch-free.
"""

from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS


def stretched_train(
    sampling: dict,
    input_format: str = 'NCTHW',
    crop: int = 224,
    media: str = 'videos',
    something: bool = False,
) -> list:
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
    flip = dict(type='Flip', flip_ratio=0.5)
    if something:
        flip = dict(type='DirectionAwareFlip', classes=dict(SOMETHING_FLIP_LABELS), sided='swap')
    return [dict(type='SeedSample')] + _steps(
        sampling,
        input_format,
        media,
        [
            dict(type='RandomStretch', short_side=(crop, crop * 9 // 7)),
            dict(type='RandomCrop', size=crop),
            flip,
            dict(type='HLSJitter', hue=15, lightness=35, saturation=25),
        ],
    )


def stretched_test(
    sampling: dict, input_format: str = 'NCTHW', crop: int = 224, media: str = 'videos'
) -> list:
    """Evaluation pipeline that goes with :func:`stretched_train`: one centre crop.

    Frames are resized to a square, 256 pixels for a crop of 224, whatever shape they had.
    """
    side = crop * 8 // 7
    return _steps(
        dict(sampling, test_mode=True),
        input_format,
        media,
        [
            dict(type='Resize', scale=(side, side), keep_ratio=False),
            dict(type='CenterCrop', crop_size=crop),
        ],
    )


def _steps(sampling: dict, input_format: str, media: str, between: list) -> list:
    if media == 'rawframes':
        name, read = 'frame_dir', [dict(sampling), dict(type='NamedRawFrameDecode')]
    else:
        name = 'filename'
        read = [dict(type='VideoInit'), dict(sampling), dict(type='VideoDecode')]
    return (
        read
        + between
        + [
            dict(type='FormatShape', input_format=input_format),
            dict(type='PackActionInputs', meta_keys=('img_shape', name)),
        ]
    )
