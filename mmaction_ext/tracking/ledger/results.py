"""Result files: what one evaluation on the test split measured, on what and how."""

import itertools
import os
from pathlib import Path

from mmaction_ext.tracking.ledger.files import refuse_link, write_atomically
from mmaction_ext.tracking.ledger.format import RESULTS_FOLDER, SCHEMA, encode_object

#: crop transforms and how many crops each takes of a frame
CROPS = {'CenterCrop': 1, 'ThreeCrop': 3, 'TenCrop': 10}
#: places at which ``DenseSampleFrames`` of a test starts a clip
DENSE_POSITIONS = 10


def write_result(folder, attempt: int, result: dict) -> Path:
    """Write the result of one evaluation as ``results/<attempt>-<iter>.json``.

    A second one of the same attempt at the same iteration gets a name of its own.

    Args:
        folder: the run's folder.
        attempt: number of the attempt.
        result: ``uid``, ``job_type``, ``iter``, ``epoch``, ``checkpoint``, ``protocol``,
            ``metrics``, ``num_samples``, ``data_digest`` and ``predictions``.

    Returns:
        The file.

    Raises:
        InputError: ``results`` is a link.
        OSError: it cannot be written.
    """
    results = Path(folder) / RESULTS_FOLDER
    refuse_link(results)
    results.mkdir(exist_ok=True)
    stem = f'{attempt}-{result["iter"]}'
    stems = itertools.chain([stem], (f'{stem}-{number}' for number in itertools.count(2)))
    path = next(path for path in (results / f'{stem}.json' for stem in stems)
                if not path.exists())
    content = dict(schema=SCHEMA, attempt=attempt, **result, finished=True)
    write_atomically(path, encode_object(content))
    return path


def relative_path(path, folder) -> str:
    """A file's path relative to a run's folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def evaluation_protocol(dataset: dict, split: str = 'test') -> dict:
    """How a data set shows a video to the network.

    Args:
        dataset: its config, also of one in wrappers such as ``RepeatDataset``.
        split: what it is used for.

    Returns:
        ``split``, ``clip_len`` (frames of a clip), ``frame_interval`` (``None`` where the frames
        are those of equal segments), ``num_clips`` and ``num_crops`` of a video, and
        ``resolution``, (width, height) in pixels. What the pipeline does not say is ``None``.
    """
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    steps = [step for step in dataset.get('pipeline') or () if isinstance(step, dict)]
    return dict(split=split, **_sampling(steps), **_view(steps))


def _sampling(steps: list) -> dict:
    """Clips that the step takes which chooses frames."""
    step = next((step for step in steps if 'clip_len' in step or 'num_segments' in step), {})
    num_clips = step.get('num_clips', 1) if step else None
    if step.get('type') == 'DenseSampleFrames':
        num_clips *= step.get('num_sample_positions', DENSE_POSITIONS)
    interval = step.get('frame_interval', 1) if 'clip_len' in step else None
    return dict(clip_len=step.get('clip_len', step.get('num_segments')),
                frame_interval=interval, num_clips=num_clips)


def _view(steps: list) -> dict:
    """Crops and size of the frames that reach the network."""
    crops = [step for step in steps if step.get('type') in CROPS]
    sizes = [step.get('crop_size', step.get('scale')) for step in steps
             if step.get('type') in (*CROPS, 'Resize')]
    size = sizes[-1] if sizes else None
    return dict(num_crops=CROPS[crops[-1]['type']] if crops else 1,
                resolution=[size, size] if isinstance(size, int) else size and list(size))
