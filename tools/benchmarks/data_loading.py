"""Time what one core takes to read and augment a training clip, stage by stage of the pipeline.

    python tools/benchmarks/data_loading.py
    python tools/benchmarks/data_loading.py --pipelines synthmotion --clips 200

The pipelines are those of the data sets' configs. What they read is made for the purpose: videos
like SynthMotion's and Kinetics' (``FILES`` of ``read_videos.py``), and JPEG frames like those of
Something-Something V1. Pipelines take turns, clip by clip, each with other random numbers; one
clip before does not count.

First the frames of a clip are compared with FFmpeg's decoding in order, or with Pillow's, and the
clip that the stages make with the one that the data set makes: nothing is timed if they differ.

``ms`` is the median of the processor time of a stage, all threads together, ``share`` its part of
the whole clip; the row ``all`` holds the whole and ``clips_per_core``, how many of them a core
makes in a second.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from PIL import Image
from read_videos import FILES, frames_in_order, is_right, write_video

import mmaction_ext.register  # noqa: F401  what configs name
from mmaction_ext.datasets.seeding import set_epoch
from mmaction_ext.engine.run_config import read_config

COLUMNS = (
    'pipeline',
    'media',
    'frames',
    'number',
    'stage',
    'clips',
    'ms',
    'spread',
    'share',
    'clips_per_core',
    'av',
    *common.ENVIRONMENT,
)
SHOWN = (*COLUMNS[:1], *COLUMNS[3:10])
JPEG_FRAMES = 'JPEG frames'
JPEG_SIZE, JPEG_COUNT = (176, 100), 40
#: name -> config of the data set, and what it reads
PIPELINES = {
    'synthmotion': ('synthmotion', 'SynthMotion'),
    'dcf_sthv1': ('dcf_sthv1_13f_160', JPEG_FRAMES),
    'selfy_tcm_sthv1': ('selfy_sthv1_8f_224', JPEG_FRAMES),
    'dcf_k400': ('dcf_k400_16f_224', 'Kinetics-like, GOP 12'),
    'kpsem_minikinetics': ('kpsem_minikinetics_16f_224', 'Kinetics-like, GOP 12'),
}
DECODING = ('VideoDecode', 'NamedRawFrameDecode')


def write_media(folder: Path, media: str) -> tuple[str, str, list[np.ndarray]]:
    """A video or a folder of frames: its name, what a list says of it besides, its frames."""
    if media != JPEG_FRAMES:
        file, codec, size, frames, rate, options, _ = FILES[media]
        write_video(folder / file, codec, size, frames, rate, options)
        return file, '', frames_in_order(folder / file)
    clip = folder / 'clip'
    clip.mkdir()
    rng, (width, height) = np.random.default_rng(0), JPEG_SIZE
    scene = np.kron(rng.integers(0, 256, (40, 40, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    for number in range(JPEG_COUNT):
        view = scene[number : number + height, number : number + width]
        Image.fromarray(view).save(clip / f'{number + 1:05}.jpg')
    paths = sorted(clip.iterdir())
    return 'clip', f'{JPEG_COUNT} ', [np.asarray(Image.open(path)) for path in paths]


def dataset_of(name: str, folder: Path) -> tuple[Any, list[np.ndarray]]:
    """The training data of a pipeline, one clip that lies in a folder, and its frames."""
    base, media = PIPELINES[name]
    file, facts, truth = write_media(folder, media)
    path = common.CHECKOUT / f'configs/_base_/datasets/{base}.py'
    config = read_config(path).train_dataloader.dataset
    ann_file = folder / 'train.txt'
    ann_file.write_text(f'{file}{config.get("delimiter", " ")}{facts}0\n', encoding='utf-8')
    kind = 'img' if media == JPEG_FRAMES else 'video'
    config.update(ann_file=str(ann_file), data_prefix={kind: str(folder)})
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(config), truth


def stages(dataset: Any) -> list[Any]:
    """The transforms of its pipeline, in order."""
    return dataset.pipeline.transforms


def check(name: str, dataset: Any, truth: list[np.ndarray]) -> None:
    """Hold a clip's frames against those known, and the stages against the data set.

    Raises:
        SystemExit: they differ.
    """
    common.progress(f'checking {name}')
    set_epoch(dataset, 0, 1)
    sample = dataset.get_data_info(0)
    for stage in stages(dataset):
        sample = stage(sample)
        if type(stage).__name__ in DECODING:
            first = sample['start_index']  # 1 where frames are files
            numbers = np.asarray(sample['frame_inds']).ravel() - first
            if not is_right([np.asarray(each) for each in sample['imgs']], numbers, truth):
                sys.exit(f'{name}: frames {numbers.tolist()} are not those asked for')
    if not torch.equal(sample['inputs'], dataset[0]['inputs']):
        sys.exit(f'{name}: the stages make another clip than the data set')


def time_clip(dataset: Any, number: int) -> list[float]:
    """Seconds of processor time of each stage for one clip."""
    set_epoch(dataset, 0, number)
    sample, seconds = dataset.get_data_info(0), []
    for stage in stages(dataset):
        begin = time.process_time()
        sample = stage(sample)
        seconds.append(time.process_time() - begin)
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Check every pipeline, time every pipeline."""
    made = common.parser(__doc__, 'data_loading', timed=False)
    made.set_defaults(clock='cpu')
    made.add_argument('--clips', type=int, default=60, help='clips of each (default: 60)')
    common.add_choice(made, 'pipelines', PIPELINES)
    args = common.parse(made, argv)
    clips = 3 if args.tiny else args.clips
    with tempfile.TemporaryDirectory() as folder:
        datasets = {}
        for name in args.pipelines:
            place = Path(folder) / name
            place.mkdir()
            datasets[name], truth = dataset_of(name, place)
            check(name, datasets[name], truth)
        found: dict[str, list[list[float]]] = {name: [] for name in datasets}
        for number in range(clips + 1):
            for name, dataset in datasets.items():
                seconds = time_clip(dataset, number)
                if number:
                    found[name].append(seconds)
        facts = common.environment(args) | common.machine('av')
        table = common.Table(args.output, COLUMNS, SHOWN, facts)
        for name, dataset in datasets.items():
            report(table, name, dataset, found[name])


def report(table: common.Table, name: str, dataset: Any, seconds: list[list[float]]) -> None:
    """The rows of a pipeline."""
    named = [type(stage).__name__ for stage in stages(dataset)]
    whole = [sum(clip) for clip in seconds]
    shared = dict(pipeline=name, media=PIPELINES[name][1], clips=len(seconds))
    shared['frames'] = len(np.ravel(_numbers(dataset)))
    for number, stage in enumerate(named):
        own = [clip[number] for clip in seconds]
        table.add(
            **shared,
            number=number + 1,
            stage=stage,
            ms=common.median(own),
            spread=common.spread(own),
            share=sum(own) / sum(whole),
        )
    table.add(
        **shared,
        stage='all',
        ms=common.median(whole),
        spread=common.spread(whole),
        share=1.0,
        clips_per_core=1000 / common.median(whole),
    )


def _numbers(dataset: Any) -> np.ndarray:
    """Numbers of the frames that a clip has."""
    sample = dataset.get_data_info(0)
    for stage in stages(dataset):
        sample = stage(sample)
        if type(stage).__name__ in DECODING:
            return sample['frame_inds']
    raise AssertionError('nothing decodes')


if __name__ == '__main__':
    common.keep_memory()
    main()
