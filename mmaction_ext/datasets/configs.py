"""What configs say of data sets, also within wrappers such as ``RepeatDataset``. Torch-free."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: crop transforms and how many crops each takes of a frame
CROPS = {'CenterCrop': 1, 'ThreeCrop': 3, 'TenCrop': 10}
#: places at which ``DenseSampleFrames`` of a test starts a clip
DENSE_POSITIONS = 10


def dataset_config(cfg: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Config of the data set of a split; empty where it has none.

    Args:
        cfg: resolved config.
        split: ``'train'``, ``'val'`` or ``'test'``.
    """
    return (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}


def inner_datasets(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Configs of the data sets that a wrapper holds; empty where it is none."""
    held = [*(dataset.get('datasets') or ()), dataset.get('dataset')]
    return [each for each in held if isinstance(each, dict)]


def unwrapped(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Configs of the data sets that are no wrappers, in their order."""
    inner = inner_datasets(dataset)
    return [leaf for each in inner for leaf in unwrapped(each)] if inner else [dataset]


def annotation_files(dataset: dict[str, Any]) -> list[str]:
    """Paths of the annotation lists of a data set."""
    return [
        os.path.join(each.get('data_root') or '', each['ann_file'])
        for each in unwrapped(dataset)
        if each.get('ann_file')
    ]


def data_lists(cfg: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The annotation lists of a config's splits.

    Args:
        cfg: resolved config.

    Returns:
        Split (``'train'``, ``'val'``, ``'test'``) to ``ann_file``, ``ann_sha256`` and
        ``num_samples``. Where a split is put together of several data sets, the names are joined
        with commas, the digest is of all files one after the other, and the samples are added up.
        Splits without a list, or whose list is missing, are left out.
    """
    lists = {}
    for split in ('train', 'val', 'test'):
        files = annotation_files(dataset_config(cfg, split))
        if files and all(os.path.isfile(file) for file in files):
            content = [Path(file).read_bytes() for file in files]
            lists[split] = dict(
                ann_file=','.join(files),
                ann_sha256=hashlib.sha256(b''.join(content)).hexdigest(),
                num_samples=sum(
                    bool(line.strip()) for text in content for line in text.splitlines()
                ),
            )
    return lists


def evaluation_protocol(dataset: dict[str, Any], split: str = 'test') -> dict[str, Any]:
    """How a data set shows a video to the network.

    Args:
        dataset: its config; one that is put together of several says nothing.
        split: what it is used for.

    Returns:
        ``split``, ``clip_len`` (frames of a clip), ``frame_interval`` (``None`` where the frames
        are those of equal segments), ``num_clips`` and ``num_crops`` of a video, and
        ``resolution``, (width, height) in pixels. What the pipeline does not say is ``None``.
    """
    leaves = unwrapped(dataset)
    pipeline = leaves[0].get('pipeline') if len(leaves) == 1 else None
    steps = [step for step in pipeline or () if isinstance(step, dict)]
    return dict(split=split, **_sampling(steps), **_view(steps))


def _sampling(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Clips that the step takes which chooses frames."""
    step: dict[str, Any] = next(
        (step for step in steps if 'clip_len' in step or 'num_segments' in step), {}
    )
    num_clips = step.get('num_clips', 1) if step else None
    if step.get('type') == 'DenseSampleFrames':
        num_clips *= step.get('num_sample_positions', DENSE_POSITIONS)
    interval = step.get('frame_interval', 1 if 'clip_len' in step else None)
    return dict(
        clip_len=step.get('clip_len', step.get('num_segments')),
        frame_interval=interval,
        num_clips=num_clips,
    )


def _view(steps: list[Any]) -> dict[str, Any]:
    """Crops and size of the frames that reach the network."""
    crops = [step for step in steps if step.get('type') in CROPS]
    sizes = [
        step.get('crop_size', step.get('scale'))
        for step in steps
        if step.get('type') in (*CROPS, 'Resize')
    ]
    size = sizes[-1] if sizes else None
    return dict(
        num_crops=CROPS[crops[-1]['type']] if crops else 1,
        resolution=[size, size] if isinstance(size, int) else size and list(size),
    )
