"""Data pipelines as functions, for configs to call.

A function is re-evaluated in each config that calls it, so a changed ``num_segments`` reaches
every step; a list built in a ``_base_`` file would keep the old one. The results are plain
dicts and lists, and this module imports neither torch nor mmaction2.
"""

from typing import Any

from mmaction_ext.datasets.configs import CROPS
from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.synthmotion.scenes import FLIP_LABELS, SPLITS, STRESS, num_classes

#: transform that takes so many crops
CROPPING = {count: name for name, count in CROPS.items()}

#: config of a transform, of the transforms in their order, of a loader
Step = dict[str, Any]
Pipeline = list[Step]
Loader = dict[str, Any]


def frames_pipeline(
    media: str, sampling: Step, steps: Pipeline, input_format: str, seeding: Step | None = None
) -> Pipeline:
    """A pipeline that chooses and decodes frames, changes them, and packs them with their name.

    Args:
        media: ``'rawframes'`` or ``'videos'``.
        sampling: the step that chooses.
        steps: what happens to the frames.
        input_format: the order that the network wants, ``'NCHW'`` (2-D) or ``'NCTHW'`` (3-D).
        seeding: the step that comes first in training, see :data:`SEED`.
    """
    name = 'frame_dir' if media == 'rawframes' else 'filename'
    return [
        *([seeding] if seeding else []),
        *read_frames(media, sampling),
        *steps,
        dict(type='FormatShape', input_format=input_format),
        dict(type='PackActionInputs', meta_keys=('img_shape', name)),
    ]


def read_frames(media: str, sampling: Step) -> Pipeline:
    """Steps that choose frames of ``'rawframes'`` or ``'videos'`` and decode them."""
    if media == 'rawframes':
        return [sampling, dict(type='NamedRawFrameDecode')]
    return [dict(type='VideoInit'), sampling, dict(type='VideoDecode')]


#: first step in training: the randomness of a sample follows from seed, epoch and sample
SEED = dict(type='SeedSample')


def training_loader(
    media: str,
    root: str,
    pipeline: Pipeline,
    batch_size: int,
    ann_file: str = 'train.txt',
    folder: str | None = None,
) -> Loader:
    """Loader config for training on lists as ``mmaction-ext prepare`` writes them.

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


def evaluation_loader(train: Loader, ann_file: str, pipeline: Pipeline, batch_size: int) -> Loader:
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


def split_lists(root: str, inner: bool = False) -> list[Loader]:
    """What the folds of a data set (UCF101's splits, persons) change in the loaders of a config.

    Args:
        root: folder of the data set.
        inner: choose on what trains: the fold's ``inner_train`` trains, its ``inner_val``
            validates and is tested, and nothing of its ``test`` is seen; for data sets whose
            lists have these (``mmaction-ext prepare weizmann``).

    Returns:
        Changes for the training, the validation and the test loader, for configs with ``folds``.
    """
    train, test = ('inner_train', 'inner_val') if inner else ('train', 'test')
    return [
        dict(dataset=dict(ann_file=f'{root}/{part}_{{fold}}.txt')) for part in (train, test, test)
    ]


def synthmotion_sets(root: str) -> tuple[Loader, Loader, Loader, list[Step]]:
    """What another SynthMotion changes in a config of ``data/synthmotion``.

    Args:
        root: folder of the data set; ``{fold}`` in it is that of a config with ``folds``.

    Returns:
        Changes for the training, the validation and the test loader, and the evaluators.
    """
    train, val, test = (
        dict(
            dataset=dict(ann_file=f'{root}/{split}.txt', data_prefix=dict(video=f'{root}/videos'))
        )
        for split in SPLITS
    )
    evaluators = [
        dict(type='AccMetric'),
        dict(type='SynthMotionMetric', meta_file=f'{root}/meta.csv'),
    ]
    return train, val, test, evaluators


def synthmotion_hard(num_segments: int) -> tuple[Loader, Loader, Loader, list[Step]]:
    """As :func:`synthmotion_sets` for the harder preset, whose training has more labels to swap.

    Args:
        num_segments: frames per clip, for 2-D hosts.
    """
    train, val, test, evaluators = synthmotion_sets('data/synthmotion_stress/hard')
    train['dataset']['pipeline'] = synthmotion_train(num_segments, 'NCHW', preset='hard')
    return train, val, test, evaluators


def stress_levels() -> tuple[str, ...]:
    """The test sets below ``data/synthmotion_stress``, folds of the configs tested on them."""
    return tuple(f'{axis}_{level}' for axis, levels in STRESS.items() for level in levels)


def synthmotion_train(
    num_segments: int,
    input_format: str,
    crop: int = 64,
    consecutive: int = 1,
    preset: str = 'default',
) -> Pipeline:
    """Training pipeline for SynthMotion: random segments, random crop, horizontal flip.

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` for 2-D hosts, ``'NCTHW'`` for 3-D ones.
        crop: side of the square crop in pixels, out of a centre window of ``crop + 8``.
        consecutive: frames in a row around each of these, as the channels of one; TDN has 5.
        preset: of the data set, which has so many classes.

    The flip swaps the labels of left/right motion, of turning clockwise/counter-clockwise and of
    all others that it turns into each other.
    """
    labels = num_classes(preset)
    swapped = {label: other for label, other in FLIP_LABELS.items() if label < labels}
    steps: Pipeline = [
        dict(type='CenterCrop', crop_size=crop + 8),
        dict(type='RandomCrop', size=crop),
        dict(type='Flip', flip_ratio=0.5, flip_label_map=swapped),
        *_as_channels(consecutive),
    ]
    sampling = _segments(num_segments, consecutive)
    return frames_pipeline('videos', sampling, steps, input_format, SEED)


def synthmotion_test(
    num_segments: int,
    input_format: str,
    crop: int = 64,
    twice: bool = False,
    consecutive: int = 1,
) -> Pipeline:
    """Evaluation pipeline for SynthMotion: segment centres, one centre crop.

    With ``twice`` there is a second clip, of the segments' first frames, for 2-D hosts.
    ``consecutive`` is as of :func:`synthmotion_train`.
    """
    sampling = _segments(num_segments, consecutive, test_mode=True)
    if twice:
        sampling = dict(
            type='SampleFrames',
            clip_len=1,
            num_clips=num_segments,
            test_mode=True,
            twice_sample=True,
        )
    steps: Pipeline = [dict(type='CenterCrop', crop_size=crop), *_as_channels(consecutive)]
    return frames_pipeline('videos', sampling, steps, input_format)


def rawframe_train(
    num_segments: int, input_format: str, crop: int, short_side: tuple[int, int]
) -> Pipeline:
    """Training pipeline for folders of JPEG frames, segment based (DCF section 4.1).

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` or ``'NCTHW'``.
        crop: side of the random square crop in pixels.
        short_side: range in pixels from which the frame's shorter side is drawn.
    """
    sampling = _segments(num_segments, test_mode=False)
    return _jittered('rawframes', sampling, input_format, crop, short_side)


def rawframe_test(num_segments: int, input_format: str, crop: int, short_side: int) -> Pipeline:
    """Evaluation pipeline for folders of JPEG frames: one clip, one centre crop."""
    sampling = _segments(num_segments, test_mode=True)
    return _cropped('rawframes', sampling, input_format, crop, short_side)


def video_train(
    num_segments: int,
    input_format: str,
    crop: int,
    short_side: tuple[int, int],
    flip_ratio: float = 0,
) -> Pipeline:
    """:func:`rawframe_train` for video files, of which a part may be flipped."""
    sampling = _segments(num_segments, test_mode=False)
    return _jittered('videos', sampling, input_format, crop, short_side, flip_ratio)


def video_test(
    num_segments: int, input_format: str, crop: int, short_side: int, num_crops: int = 1
) -> Pipeline:
    """:func:`rawframe_test` for video files, with 1 crop or 3 along the longer side."""
    sampling = _segments(num_segments, test_mode=True)
    return _cropped('videos', sampling, input_format, crop, short_side, num_crops)


def squashed_train(num_segments: int, input_format: str, crop: int, side: int) -> Pipeline:
    """Training pipeline for videos whose shape tells the class (crops around persons).

    Every frame is squashed to a square, random segments are cropped at random, half are flipped.

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` or ``'NCTHW'``.
        crop: side of the random square crop in pixels.
        side: of the square that a frame is squashed to, in pixels.
    """
    steps: Pipeline = [
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type='RandomCrop', size=crop),
        dict(type='Flip', flip_ratio=0.5),
    ]
    return frames_pipeline('videos', _segments(num_segments), steps, input_format, SEED)


def squashed_test(num_segments: int, input_format: str, crop: int, side: int) -> Pipeline:
    """Evaluation pipeline that belongs to :func:`squashed_train`: centres and centre crop."""
    steps: Pipeline = [
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type='CenterCrop', crop_size=crop),
    ]
    sampling = _segments(num_segments, test_mode=True)
    return frames_pipeline('videos', sampling, steps, input_format)


def squashed_loaders(root: str, num_segments: int, crop: int, batch_size: int) -> list[Loader]:
    """Loaders of :func:`squashed_train` and its test, for few videos in folds.

    Args:
        root: folder of the data set, with lists for each fold as ``mmaction-ext prepare`` writes
            them; for configs with ``folds``.
        num_segments: frames per clip, of a 2-D network.
        crop: side of the square crop in pixels, of squares an eighth larger.
        batch_size: clips per process.

    Returns:
        Of training, validation and test, the latter two being the same.
    """
    sizes = (num_segments, 'NCHW', crop, crop * 9 // 8)
    ann_file = 'train_{fold}.txt'
    train = training_loader('videos', root, squashed_train(*sizes), batch_size, ann_file)
    train['num_workers'] = 1
    test = evaluation_loader(train, f'{root}/test_{{fold}}.txt', squashed_test(*sizes), batch_size)
    return [train, test, test]


def interval_train(
    clip_len: int,
    interval: int,
    crop: int,
    short_side: tuple[int, int],
    media: str = 'videos',
    flip_ratio: float = 0.5,
) -> Pipeline:
    """Training pipeline, interval based (DCF section 4.1, Kinetics-400).

    One clip of ``clip_len`` frames, ``interval`` frames apart, from a random place of the video,
    with scale jitter, a random crop and, for a part of them, a horizontal flip; for 3-D networks.

    Args:
        clip_len: frames per clip.
        interval: frames from one sampled frame to the next; DCF has 8 for 8 frames, 6 for 13
            and 5 for 16.
        crop: side of the random square crop in pixels.
        short_side: range in pixels from which the frame's shorter side is drawn.
        media: ``'rawframes'`` or ``'videos'``.
        flip_ratio: part of the clips that is flipped.
    """
    sampling = interval_clips(clip_len, interval)
    return _jittered(media, sampling, 'NCTHW', crop, short_side, flip_ratio)


def interval_test(
    clip_len: int,
    interval: int,
    crop: int = 256,
    short_side: int = 256,
    num_clips: int = 1,
    num_crops: int = 1,
    media: str = 'videos',
) -> Pipeline:
    """Evaluation pipeline of :func:`interval_train`: evenly spaced clips and crops."""
    sampling = interval_clips(clip_len, interval, num_clips, test_mode=True)
    return _cropped(media, sampling, 'NCTHW', crop, short_side, num_crops)


def interval_clips(
    clip_len: int, interval: int, num_clips: int = 1, test_mode: bool = False
) -> Step:
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


def _segments(num_segments: int, consecutive: int = 1, **mode: bool) -> Step:
    rows = dict(consecutive=consecutive) if consecutive > 1 else {}
    return dict(type='SampleSegments', num_segments=num_segments, **rows, **mode)


def _as_channels(consecutive: int) -> Pipeline:
    """The last step but the formatting where rows of frames are the channels of one."""
    return [dict(type='FramesToChannels', frames=consecutive)] if consecutive > 1 else []


def _jittered(
    media: str,
    sampling: Step,
    input_format: str,
    crop: int,
    short_side: tuple[int, int],
    flip_ratio: float = 0,
) -> Pipeline:
    """Training with scale jitter, a random crop and, where asked for, a horizontal flip."""
    steps: Pipeline = [
        dict(type='RandomRescale', scale_range=tuple(short_side)),
        dict(type='RandomCrop', size=crop),
        *([dict(type='Flip', flip_ratio=flip_ratio)] if flip_ratio else []),
    ]
    return frames_pipeline(media, sampling, steps, input_format, SEED)


def _cropped(
    media: str,
    sampling: Step,
    input_format: str,
    crop: int,
    short_side: int,
    num_crops: int = 1,
) -> Pipeline:
    """Evaluation of so many crops of frames whose shorter side is ``short_side``."""
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, short_side)),
        dict(type=CROPPING[num_crops], crop_size=crop),
    ]
    return frames_pipeline(media, sampling, steps, input_format)


def _tsn_sampling(
    num_segments: int, num_clips: int = 1, dense: bool = False, **mode: bool
) -> Step:
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
    num_segments: int,
    media: str,
    something: bool = False,
    dense: bool = False,
    input_format: str = 'NCHW',
) -> Pipeline:
    """Training pipeline of the released code of SELFY and TCM.

    Frames are resized to exactly 240 x 320 (rows x columns), whatever their shape; one of 13
    places and sides of 1, .875, .75 or .66 of 240 pixels, the two at most one step apart, is cut
    out and resized to 224 x 224; a half of the clips is flipped.

    Args:
        num_segments: frames per clip.
        media: ``'rawframes'`` or ``'videos'``.
        something: the classes are those of Something-Something, and clips of the six that name
            a side are never flipped.
        dense: every ``64 / num_segments``-th frame from a random one on, instead of one frame of
            each segment.
        input_format: ``'NCHW'`` for 2-D hosts, ``'NCTHW'`` for 3-D ones, which take no dense
            frames.
    """
    sampling = _tsn_sampling(num_segments, dense=dense)
    return frames_pipeline(media, sampling, _tsn_train_steps(something), input_format, SEED)


def tsn_test(
    num_segments: int,
    media: str,
    num_clips: int = 1,
    dense: bool = False,
    input_format: str = 'NCHW',
) -> Pipeline:
    """Evaluation pipeline of the released code of SELFY and TCM: the centre crop of fixed frames.

    Args:
        num_segments: frames per clip.
        media: ``'rawframes'`` or ``'videos'``.
        num_clips: 1 for segment centres, 2 for centres and starts; with ``dense`` any number of
            evenly spaced windows of 64 frames.
        dense: see :func:`tsn_train`.
        input_format: see there.
    """
    sampling = _tsn_sampling(num_segments, num_clips, dense, test_mode=True)
    return frames_pipeline(media, sampling, _tsn_test_steps(), input_format)


def cross_train(num_segments: int, input_format: str, crop: int) -> Pipeline:
    """Training pipeline of the table that crosses modules and backbones (configs/cross).

    The images of :func:`tsn_train` for Something-Something, the frames of
    :func:`rawframe_train`, which see all of a video.

    Args:
        num_segments: frames per clip.
        input_format: ``'NCHW'`` for 2-D hosts, ``'NCTHW'`` for 3-D ones.
        crop: side of the network's input in pixels.
    """
    steps = _tsn_train_steps(something=True, crop=crop)
    return frames_pipeline('rawframes', _segments(num_segments), steps, input_format, SEED)


def cross_test(num_segments: int, input_format: str, crop: int) -> Pipeline:
    """Evaluation pipeline that belongs to :func:`cross_train`: centres and centre crop."""
    sampling = _segments(num_segments, test_mode=True)
    return frames_pipeline('rawframes', sampling, _tsn_test_steps(crop), input_format)


def segments_train(
    num_segments: int,
    media: str,
    flip: Step | None = None,
    consecutive: int = 1,
    crop: int = 224,
) -> Pipeline:
    """Training pipeline of the released code of TEA, TDN and CT-Net, for 2-D hosts.

    One of 13 places and sides of 1, .875, .75 or .66 of the frame's shorter side, the two at most
    one step apart, is cut out of the frame as it is stored and resized to a square.

    Args:
        num_segments: segments of a clip.
        media: ``'rawframes'`` or ``'videos'``.
        flip: the step that flips; TEA and CT-Net have none for Something-Something.
        consecutive: frames in a row of each segment, as the channels of one; TDN has 5.
        crop: side of the square in pixels; CT-Net has 256.
    """
    sampling = dict(type='SampleTSNSegments', num_segments=num_segments, consecutive=consecutive)
    steps = [*_multi_scale_crop(crop), *([flip] if flip else []), *_as_channels(consecutive)]
    return frames_pipeline(media, sampling, steps, 'NCHW', SEED)


def segments_test(
    num_segments: int, media: str, views: bool = False, consecutive: int = 1, crop: int = 224
) -> Pipeline:
    """Evaluation pipeline that belongs to :func:`segments_train`; the shorter side is 256 pixels.

    One clip, of the segments' centres, and the centre crop of ``crop`` pixels a side; or with
    ``views`` ten random clips of three crops of 256 x 256 along the longer side.
    """
    sampling = dict(
        type='SampleTSNSegments',
        num_segments=num_segments,
        consecutive=consecutive,
        test_mode=True,
        num_clips=10 if views else 1,
        random_clips=views,
    )
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, 256)),
        dict(type=CROPPING[3 if views else 1], crop_size=256 if views else crop),
        *_as_channels(consecutive),
    ]
    return frames_pipeline(media, sampling, steps, 'NCHW')


def tada_train(num_segments: int, media: str, interval: int | None, flips: Pipeline) -> Pipeline:
    """Training pipeline of the released code of TAda2D, for 2-D hosts.

    The frame's shorter side is drawn from 224 to 339, a crop of 224 x 224 anywhere.

    Args:
        num_segments: frames of a clip.
        media: ``'rawframes'`` or ``'videos'``.
        interval: of the frames; None for one of each of equal parts.
        flips: the steps that flip.
    """
    sampling = _tada_sampling(num_segments, interval)
    steps: Pipeline = [
        dict(type='RandomRescale', scale_range=(224, 339)),
        dict(type='RandomCrop', size=224),
        *flips,
    ]
    return frames_pipeline(media, sampling, steps, 'NCHW', SEED)


def tada_test(
    num_segments: int,
    media: str,
    interval: int | None = None,
    num_clips: int = 1,
    num_crops: int = 1,
) -> Pipeline:
    """Evaluation pipeline that belongs to :func:`tada_train`: crops of 256 x 256, of 1 or 3."""
    sampling = _tada_sampling(num_segments, interval, num_clips, test_mode=True)
    return _cropped(media, sampling, 'NCHW', 256, 256, num_crops)


def _tada_sampling(
    num_segments: int, interval: int | None, num_clips: int = 1, **mode: bool
) -> Step:
    return dict(
        type='SampleTAdaFrames',
        num_segments=num_segments,
        frame_interval=interval,
        num_clips=num_clips,
        **mode,
    )


def flipping_twice() -> Pipeline:
    """Steps of TAda2D's code on Something-Something: an ordinary flip before the one that swaps.

    Half of the clips of sided classes are so flipped under the label of the other side: as its
    commit 75b7839 has it. Its first release, fa78f82, has :func:`swapping_flip` alone.
    """
    return [dict(type='Flip', flip_ratio=0.5), swapping_flip()]


def swapping_flip() -> Step:
    """Step that flips a half of the clips of Something-Something, with the labels of sides."""
    return dict(type='DirectionAwareFlip', classes=dict(SOMETHING_FLIP_LABELS), sided='swap')


def _tsn_train_steps(something: bool, crop: int = 224) -> Pipeline:
    classes = dict(SOMETHING_FLIP_LABELS) if something else {}
    return [
        dict(type='Resize', scale=(320, 240), keep_ratio=False),
        *_multi_scale_crop(crop),
        dict(type='DirectionAwareFlip', classes=classes, sided='skip'),
    ]


def _multi_scale_crop(crop: int) -> Pipeline:
    return [
        dict(
            type='MultiScaleCrop',
            input_size=crop,
            scales=(1, 0.875, 0.75, 0.66),
            max_wh_scale_gap=1,
            num_fixed_crops=13,
        ),
        dict(type='Resize', scale=(crop, crop), keep_ratio=False),
    ]


def _tsn_test_steps(crop: int = 224) -> Pipeline:
    """The frame is 240 x 320 for a crop of 224, and in proportion for others."""
    scale = (round(crop * 320 / 224), round(crop * 240 / 224))
    return [
        dict(type='Resize', scale=scale, keep_ratio=False),
        dict(type='CenterCrop', crop_size=crop),
    ]
