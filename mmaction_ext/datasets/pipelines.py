"""Data pipelines as functions, for configs to call.

A function is re-evaluated in each config that calls it, so a changed ``num_segments`` reaches
every step; a list built in a ``_base_`` file would keep the old one. The results are plain
dicts and lists, and this module imports neither torch nor mmaction2.
"""

from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.synthmotion.scenes import FLIP_LABELS

#: transform that takes so many crops
CROPS = {1: 'CenterCrop', 3: 'ThreeCrop', 10: 'TenCrop'}


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
    return dict(
        train,
        batch_size=batch_size,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


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
        dict(type='VideoInit'),
        dict(type='SampleSegments', num_segments=num_segments),
        dict(type='VideoDecode'),
        dict(type='CenterCrop', crop_size=crop + 8),
        dict(type='RandomCrop', size=crop),
        dict(type='Flip', flip_ratio=0.5, flip_label_map=dict(FLIP_LABELS)),
    ] + _format(input_format)


def synthmotion_test(
    num_segments: int, input_format: str, crop: int = 64, twice: bool = False
) -> list:
    """Evaluation pipeline for SynthMotion: segment centres, one centre crop.

    With ``twice`` there is a second clip, of the segments' first frames, for 2-D hosts.
    """
    sampling = dict(type='SampleSegments', num_segments=num_segments, test_mode=True)
    if twice:
        sampling = dict(
            type='SampleFrames',
            clip_len=1,
            num_clips=num_segments,
            test_mode=True,
            twice_sample=True,
        )
    return [
        dict(type='VideoInit'),
        sampling,
        dict(type='VideoDecode'),
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
    return (
        [dict(type='SeedSample')]
        + read_frames('rawframes', _segments(num_segments))
        + [
            dict(type='RandomRescale', scale_range=tuple(short_side)),
            dict(type='RandomCrop', size=crop),
        ]
        + pack_inputs(input_format, 'rawframes')
    )


def rawframe_test(num_segments: int, input_format: str, crop: int, short_side: int) -> list:
    """Evaluation pipeline for folders of JPEG frames: one clip, one centre crop."""
    return (
        read_frames('rawframes', _segments(num_segments, test_mode=True))
        + [
            dict(type='Resize', scale=(-1, short_side)),
            dict(type='CenterCrop', crop_size=crop),
        ]
        + pack_inputs(input_format, 'rawframes')
    )


def video_train(
    num_segments: int, input_format: str, crop: int, short_side: tuple, flip_ratio: float = 0
) -> list:
    """:func:`rawframe_train` for video files, of which a part may be flipped."""
    flip = [dict(type='Flip', flip_ratio=flip_ratio)] if flip_ratio else []
    return (
        [dict(type='SeedSample')]
        + read_frames('videos', _segments(num_segments))
        + [
            dict(type='RandomRescale', scale_range=tuple(short_side)),
            dict(type='RandomCrop', size=crop),
        ]
        + flip
        + pack_inputs(input_format, 'videos')
    )


def video_test(
    num_segments: int, input_format: str, crop: int, short_side: int, num_crops: int = 1
) -> list:
    """:func:`rawframe_test` for video files, with 1 crop or 3 along the longer side."""
    return (
        read_frames('videos', _segments(num_segments, test_mode=True))
        + [
            dict(type='Resize', scale=(-1, short_side)),
            dict(type=CROPS[num_crops], crop_size=crop),
        ]
        + pack_inputs(input_format, 'videos')
    )


def interval_train(clip_len: int, interval: int, crop: int, short_side: tuple) -> list:
    """Training pipeline for video files, interval based (DCF section 4.1, Kinetics-400).

    One clip of ``clip_len`` frames, ``interval`` frames apart, from a random place of the video,
    with scale jitter, a random crop and, half of the time, a horizontal flip; for 3-D networks.

    Args:
        clip_len: frames per clip.
        interval: frames from one sampled frame to the next; DCF has 8 for 8 frames, 6 for 13
            and 5 for 16.
        crop: side of the random square crop in pixels.
        short_side: range in pixels from which the frame's shorter side is drawn.
    """
    sampling = interval_clips(clip_len, interval)
    return (
        [dict(type='SeedSample')]
        + read_frames('videos', sampling)
        + [
            dict(type='RandomRescale', scale_range=tuple(short_side)),
            dict(type='RandomCrop', size=crop),
            dict(type='Flip', flip_ratio=0.5),
        ]
        + pack_inputs('NCTHW', 'videos')
    )


def interval_test(
    clip_len: int,
    interval: int,
    crop: int = 256,
    short_side: int = 256,
    num_clips: int = 1,
    num_crops: int = 1,
) -> list:
    """Evaluation pipeline for video files, interval based: evenly spaced clips and crops."""
    sampling = interval_clips(clip_len, interval, num_clips, test_mode=True)
    return (
        read_frames('videos', sampling)
        + [
            dict(type='Resize', scale=(-1, short_side)),
            dict(type=CROPS[num_crops], crop_size=crop),
        ]
        + pack_inputs('NCTHW', 'videos')
    )


def interval_clips(
    clip_len: int, interval: int, num_clips: int = 1, test_mode: bool = False
) -> dict:
    """Step that samples frames at an interval; a video that is too short repeats its last one.

    (mmaction2's default, to start again at its first frame, would be a motion nobody filmed.)
    """
    return dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=interval,
        num_clips=num_clips,
        out_of_bound_opt='repeat_last',
        test_mode=test_mode,
    )


def read_frames(source: str, sampling: dict) -> list:
    """Steps that choose frames and decode them.

    Args:
        source: ``'rawframes'`` or ``'videos'``.
        sampling: the step that chooses.
    """
    if source == 'rawframes':
        return [sampling, dict(type='NamedRawFrameDecode')]
    return [dict(type='VideoInit'), sampling, dict(type='VideoDecode')]


def pack_inputs(input_format: str, source: str) -> list:
    """Last steps of a pipeline: frames in the order the network wants, and the sample's name.

    Args:
        input_format: ``'NCHW'`` or ``'NCTHW'``.
        source: ``'rawframes'`` or ``'videos'``.
    """
    return _format(input_format, ('frame_dir' if source == 'rawframes' else 'filename',))


def _segments(num_segments: int, test_mode: bool = False) -> dict:
    return dict(type='SampleSegments', num_segments=num_segments, test_mode=test_mode)


def _tsn_steps(media: str, sampling: dict, between: list) -> list:
    """Sampling and decoding of ``'rawframes'`` or ``'videos'``, the steps between, and packing."""
    if media == 'rawframes':
        steps, name = [sampling, dict(type='NamedRawFrameDecode')], 'frame_dir'
    else:
        steps = [dict(type='VideoInit'), sampling, dict(type='VideoDecode')]
        name = 'filename'
    return steps + between + _format('NCHW', (name,))


def _tsn_sampling(num_segments: int, num_clips: int = 1, dense: bool = False, **mode) -> dict:
    if dense:
        return dict(
            type='DenseSampleFrames',
            clip_len=1,
            num_clips=num_segments,
            sample_range=64,
            num_sample_positions=num_clips,
            **mode,
        )
    return dict(type='SampleTSNSegments', num_segments=num_segments, num_clips=num_clips, **mode)


def tsn_train(
    num_segments: int, media: str, something: bool = False, dense: bool = False, crop: int = 224
) -> list:
    """Training pipeline of the released code of SELFY and TCM, for 2-D hosts.

    Frames are resized to exactly 240 x 320 (rows x columns), whatever their shape; one of 13
    places and sides of 1, .875, .75 or .66 of 240 pixels, the two at most one step apart, is cut
    out and resized to the crop; a half of the clips is flipped.

    Args:
        num_segments: frames per clip.
        media: ``'rawframes'`` or ``'videos'``.
        something: the classes are those of Something-Something, and clips of the six that name
            a side are never flipped.
        dense: every ``64 / num_segments``-th frame from a random one on, instead of one frame of
            each segment.
        crop: side of the network's input in pixels.
    """
    classes = dict(SOMETHING_FLIP_LABELS) if something else {}
    sampling = _tsn_sampling(num_segments, dense=dense)
    return [dict(type='SeedSample')] + _tsn_steps(
        media,
        sampling,
        [
            dict(type='Resize', scale=(320, 240), keep_ratio=False),
            dict(
                type='MultiScaleCrop',
                input_size=crop,
                scales=(1, 0.875, 0.75, 0.66),
                max_wh_scale_gap=1,
                num_fixed_crops=13,
            ),
            dict(type='Resize', scale=(crop, crop), keep_ratio=False),
            dict(type='DirectionAwareFlip', classes=classes, sided='skip'),
        ],
    )


def tsn_test(
    num_segments: int, media: str, num_clips: int = 1, dense: bool = False, crop: int = 224
) -> list:
    """Evaluation pipeline of the released code of SELFY and TCM: the centre crop of fixed frames.

    Args:
        num_segments: frames per clip.
        media: ``'rawframes'`` or ``'videos'``.
        num_clips: 1 for segment centres, 2 for centres and starts; with ``dense`` any number of
            evenly spaced windows of 64 frames.
        dense: see :func:`tsn_train`.
        crop: side of the network's input in pixels. The frame is 240 x 320 for 224, and in
            proportion for others.
    """
    sampling = _tsn_sampling(num_segments, num_clips, dense, test_mode=True)
    return _tsn_steps(
        media,
        sampling,
        [
            dict(
                type='Resize',
                scale=(round(crop * 320 / 224), round(crop * 240 / 224)),
                keep_ratio=False,
            ),
            dict(type='CenterCrop', crop_size=crop),
        ],
    )


def training_loader(
    media: str,
    root: str,
    pipeline: list,
    batch_size: int,
    ann_file: str = 'train.txt',
    folder: str | None = None,
) -> dict:
    """Loader config for training on lists as ``tools/prepare_data.py`` writes them.

    Args:
        media: ``'rawframes'`` or ``'videos'``.
        root: folder of the data set.
        pipeline: training pipeline.
        batch_size: clips per process; a config with ``global_batch_size`` replaces it.
        ann_file: annotation list below ``root``.
        folder: media folder below ``root``; ``'rawframes'`` or ``'videos'`` when None.
    """
    prefix = f'{root}/{folder or media}'
    if media == 'rawframes':
        kind = dict(
            type='GuardedRawframeDataset', data_prefix=dict(img=prefix), filename_tmpl='{:05}.jpg'
        )
    else:
        kind = dict(type='GuardedVideoDataset', data_prefix=dict(video=prefix), delimiter='\t')
    return dict(
        batch_size=batch_size,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(kind, ann_file=f'{root}/{ann_file}', pipeline=pipeline),
    )


def split_lists(root: str, split: int) -> list[dict]:
    """What another split of UCF101 or HMDB51 changes in the loaders of a config of split 1.

    Args:
        root: folder of the data set.
        split: 2 or 3.

    Returns:
        Changes for the training, the validation and the test loader.
    """
    return [
        dict(dataset=dict(ann_file=f'{root}/{part}_split{split}.txt'))
        for part in ('train', 'test', 'test')
    ]


def cross_train(num_segments: int, input_format: str, crop: int) -> list:
    """Training pipeline of the table that crosses modules and backbones (configs/cross).

    The images of :func:`tsn_train` for Something-Something, the frames of
    :func:`rawframe_train`, which see all of a video.

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` for 2-D hosts, ``'NCTHW'`` for 3-D ones.
        crop: side of the network's input in pixels.
    """
    sampling = dict(type='SampleSegments', num_segments=num_segments)
    return _exchanged(
        tsn_train(num_segments, 'rawframes', something=True, crop=crop), sampling, input_format
    )


def cross_test(num_segments: int, input_format: str, crop: int) -> list:
    """Evaluation pipeline that belongs to :func:`cross_train`: centres and centre crop."""
    sampling = dict(type='SampleSegments', num_segments=num_segments, test_mode=True)
    return _exchanged(tsn_test(num_segments, 'rawframes', crop=crop), sampling, input_format)


def _exchanged(steps: list, sampling: dict, input_format: str) -> list:
    """The steps with another sampling and format."""
    others = {
        'SampleTSNSegments': sampling,
        'FormatShape': dict(type='FormatShape', input_format=input_format),
    }
    return [others.get(step['type'], step) for step in steps]
