"""Pipelines of the methods that the papers compare with, as mmaction2's own configs have them.

Plain dicts and lists for configs to call; this module imports neither torch nor mmaction2. See
:mod:`mmaction_ext.datasets.pipelines` for why they are functions.
"""

from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.pipelines import CROPPING, SEED, Pipeline, Step, frames_pipeline


def multi_scale_train(
    media: str,
    num_segments: int,
    something: bool = False,
    dense: bool = False,
    crop: int = 224,
    places: int = 13,
) -> Pipeline:
    """Training pipeline of TSN and its descendants TRN, TSM and TANet, as mmaction2's configs.

    Args:
        media: ``'rawframes'`` or ``'videos'``.
        num_segments: frames per clip.
        something: the classes are those of Something-Something, six of which name a side: a flip
            exchanges their labels.
        dense: take the frames evenly from 64 in a row instead of the whole video.
        crop: side of the square input; the frame's shorter side is 8/7 of it before the crop,
            which is of several sizes and aspects.
        places: where the crop may lie, 13 or 5; the latter are the corners and the centre, as in
            the configs of TSN with 3 or 8 frames.
    """
    flip_labels = dict(SOMETHING_FLIP_LABELS) if something else None
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, crop * 8 // 7)),
        dict(
            type='MultiScaleCrop',
            input_size=crop,
            scales=(1, 0.875, 0.75, 0.66),
            random_crop=False,
            max_wh_scale_gap=1,
            num_fixed_crops=places,
        ),
        dict(type='Resize', scale=(crop, crop), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5, flip_label_map=flip_labels),
    ]
    return frames_pipeline(media, _frames(num_segments, dense), steps, 'NCHW', SEED)


def frames_test(
    media: str,
    num_segments: int,
    crop: int = 224,
    num_crops: int = 1,
    twice: bool = False,
    dense: bool = False,
    short_side: int = 256,
) -> Pipeline:
    """Evaluation pipeline of TSN and its descendants.

    Args:
        media: ``'rawframes'`` or ``'videos'``.
        num_segments: frames per clip.
        crop: side of each square crop in pixels.
        num_crops: 1 (centre), 3 (along the longer side) or 10 (corners and centre, mirrored).
        twice: take two clips, of the segments' centres and of their first frames.
        dense: take ten clips of 64 frames each.
        short_side: the frame's shorter side in pixels before the crop.
    """
    sampling = _frames(num_segments, dense, test_mode=True)
    if twice:
        sampling['twice_sample'] = True
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, short_side)),
        dict(type=CROPPING[num_crops], crop_size=crop),
    ]
    return frames_pipeline(media, sampling, steps, 'NCHW')


def resized_crop_train(sampling: Step, flip_ratio: float = 0.5, augment: bool = False) -> Pipeline:
    """Training pipeline of SlowFast and, with ``augment``, of MViT, as mmaction2's configs.

    Args:
        sampling: step that samples frames, such as ``interval_clips`` of :mod:`pipelines`.
        flip_ratio: probability of the horizontal flip.
        augment: MViT's four random operations of RandAugment at magnitude 7 of 10, and random
            erasing. mmaction2's config asks pytorchvideo for the former, here it is torchvision.
    """
    operations = [
        dict(
            type='TorchVisionWrapper',
            op='RandAugment',
            num_ops=4,
            magnitude=7,
            num_magnitude_bins=11,
        )
    ]
    steps: Pipeline = [
        dict(type='Resize', scale=(-1, 256)),
        *operations * augment,
        dict(type='RandomResizedCrop'),
        dict(type='Resize', scale=(224, 224), keep_ratio=False),
        dict(type='Flip', flip_ratio=flip_ratio),
        *[dict(type='RandomErasing', erase_prob=0.25, mode='rand')] * augment,
    ]
    seeding = dict(SEED, seed_torch=True) if augment else SEED
    return frames_pipeline('videos', sampling, steps, 'NCTHW', seeding)


def _frames(num_segments: int, dense: bool, test_mode: bool = False) -> Step:
    return dict(
        type='DenseSampleFrames' if dense else 'SampleFrames',
        clip_len=1,
        frame_interval=1,
        num_clips=num_segments,
        test_mode=test_mode,
    )
