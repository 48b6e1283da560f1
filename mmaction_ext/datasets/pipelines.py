"""Data pipelines as functions, for configs to call.

A function is re-evaluated in each config that calls it, so a changed ``num_segments`` reaches
every step; a list built in a ``_base_`` file would keep the old one. The results are plain
dicts and lists, and this module imports neither torch nor mmaction2.
"""

from mmaction_ext.datasets.synthmotion.scenes import FLIP_LABELS


def _format(input_format: str, meta_keys=('filename',)) -> list:
    return [
        dict(type='FormatShape', input_format=input_format),
        dict(type='PackActionInputs', meta_keys=('img_shape',) + tuple(meta_keys)),
    ]


def evaluation_loader(train: dict, ann_file: str, pipeline: list, batch_size: int) -> dict:
    """Loader config for validation or test: the training one without its randomness.

    Args:
        train: loader config for training, left alone.
        ann_file: annotation list of the split.
        pipeline: evaluation pipeline.
        batch_size: videos per batch and process; changes no metric.
    """
    dataset = dict(train['dataset'], ann_file=ann_file, pipeline=pipeline, test_mode=True)
    return dict(train, batch_size=batch_size, dataset=dataset,
                sampler=dict(type='DefaultSampler', shuffle=False))


def synthmotion_train(num_segments: int, input_format: str, crop: int = 64) -> list:
    """Training pipeline for SynthMotion: random segments, random crop, horizontal flip.

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` for 2-D hosts, ``'NCTHW'`` for 3-D ones.
        crop: side of the square crop in pixels, out of a centre window of ``crop + 8``.

    The flip swaps the labels of left/right motion and of turning clockwise/counter-clockwise,
    which it turns into each other.
    """
    return [
        dict(type='SeedSample'),
        dict(type='NamedDecordInit'),
        dict(type='SampleSegments', num_segments=num_segments),
        dict(type='DecordDecode'),
        dict(type='CenterCrop', crop_size=crop + 8),
        dict(type='RandomCrop', size=crop),
        dict(type='Flip', flip_ratio=0.5, flip_label_map=dict(FLIP_LABELS)),
    ] + _format(input_format)


def synthmotion_test(num_segments: int, input_format: str, crop: int = 64) -> list:
    """Evaluation pipeline for SynthMotion: segment centres, one centre crop."""
    return [
        dict(type='NamedDecordInit'),
        dict(type='SampleSegments', num_segments=num_segments, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='CenterCrop', crop_size=crop),
    ] + _format(input_format)


def rawframe_train(num_segments: int, input_format: str, crop: int, short_side: tuple) -> list:
    """Training pipeline for folders of JPEG frames, segment based (DCF section 4.1).

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` or ``'NCTHW'``.
        crop: side of the random square crop in pixels.
        short_side: range in pixels from which the frame's shorter side is drawn.
    """
    return [
        dict(type='SeedSample'),
        dict(type='SampleSegments', num_segments=num_segments),
        dict(type='RawFrameDecode'),
        dict(type='RandomRescale', scale_range=tuple(short_side)),
        dict(type='RandomCrop', size=crop),
    ] + _format(input_format, ('frame_dir',))


def rawframe_test(num_segments: int, input_format: str, crop: int, short_side: int) -> list:
    """Evaluation pipeline for folders of JPEG frames: one clip, one centre crop."""
    return [
        dict(type='SampleSegments', num_segments=num_segments, test_mode=True),
        dict(type='RawFrameDecode'),
        dict(type='Resize', scale=(-1, short_side)),
        dict(type='CenterCrop', crop_size=crop),
    ] + _format(input_format, ('frame_dir',))
