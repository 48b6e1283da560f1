"""One clip of any video, prepared as a config prepares its test split.

Reading is replaced by what suits the video, a file or a folder of frames; sampling, resizing
and cropping are the config's. Where it takes several clips or crops, one central one is taken.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from PIL import Image
from torch import Tensor

from mmaction_ext.errors import InputError, last_line

#: A step of a pipeline: its config, or what does it.
Step = dict[str, Any] | Callable[[dict[str, Any]], Any]
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
_OPENERS = ('VideoInit', 'DecordInit', 'OpenCVInit', 'PIMSInit', 'PyAVInit')
_DECODERS = (
    'VideoDecode',
    'DecordDecode',
    'OpenCVDecode',
    'PIMSDecode',
    'PyAVDecode',
    'RawFrameDecode',
    'NamedRawFrameDecode',
)


@dataclass(frozen=True)
class Clip:
    """One clip.

    Attributes:
        data: What the ``test_step`` of a recognizer takes: a batch of one.
        frames: (T, H, W, 3) of uint8, RGB, what the model sees before normalisation.
    """

    data: dict[str, Any]
    frames: np.ndarray


def load_clip(cfg: Config, video: str | Path) -> Clip:
    """Read one clip the way a config's test pipeline does.

    Args:
        cfg: Config of a recognizer; without a test pipeline, frames are taken uniformly and
            cropped to its ``input_shape``.
        video: A video file, or a folder of frames, whose names are put in order by the numbers
            in them.

    Raises:
        InputError: If the video cannot be read or prepared, with its name, or the config says
            neither how.
    """
    packed = _run(cfg, Path(video))
    frames = _frames(packed['inputs'])
    _check_size(frames, cfg, video)
    return Clip(pseudo_collate([packed]), frames)


def _run(cfg: Config, video: Path) -> dict[str, Any]:
    """What the pipeline makes of the video."""
    results = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
    try:
        with DefaultScope.overwrite_default_scope('mmaction'):
            return Compose(adapt_steps(config_steps(cfg), *_reader(video)))(results)
    except InputError:
        raise
    except Exception as error:  # whatever a transform of anyone's may raise
        raise InputError(
            f'{video}: the test pipeline of {cfg.filename} cannot prepare it: {last_line(error)}'
        ) from error


def _reader(video: Path) -> tuple[Step, Step]:
    """The steps that open and decode."""
    if video.is_dir():
        folder = FrameFolder(video)
        return folder.open, folder.decode
    if not video.exists():
        raise InputError(f'video {video} does not exist')
    return dict(type='VideoInit'), dict(type='VideoDecode')


class FrameFolder:
    """A folder of frames as the first steps of a pipeline.

    Args:
        folder: The folder; files that are no images are passed over.

    Raises:
        InputError: If it holds no image.
    """

    def __init__(self, folder: Path) -> None:
        self.files = sorted(
            (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES),
            key=_by_numbers,
        )
        if not self.files:
            raise InputError(f'{folder} holds no frame ({", ".join(IMAGE_SUFFIXES)})')

    def open(self, results: dict[str, Any]) -> dict[str, Any]:
        """Count the frames."""
        return dict(results, total_frames=len(self.files))

    def decode(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the frames of ``frame_inds``."""
        images = [self._read(int(index)) for index in np.ravel(results['frame_inds'])]
        size = images[0].shape[:2]
        return dict(results, imgs=images, original_shape=size, img_shape=size)

    def _read(self, index: int) -> np.ndarray:
        try:
            with Image.open(self.files[index]) as image:
                return np.array(image.convert('RGB'))
        except OSError as error:
            raise InputError(f'{self.files[index]} cannot be read as an image') from error


def _by_numbers(file: Path) -> list[Any]:
    """``img_2`` before ``img_10``."""
    parts = re.split(r'(\d+)', file.name)
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in parts]


def config_steps(cfg: Config) -> list[dict[str, Any]]:
    """Test pipeline of a config.

    Raises:
        InputError: If it has none, and no ``input_shape`` to make one from.
    """
    for key in ('test_dataloader', 'val_dataloader'):
        steps = ((cfg.get(key) or {}).get('dataset') or {}).get('pipeline')
        if steps:
            return [copy.deepcopy(dict(step)) for step in steps]
    if not cfg.get('input_shape'):
        raise InputError(f'{cfg.filename} states neither a test pipeline nor an input_shape')
    return _uniform_steps(cfg)


def _uniform_steps(cfg: Config) -> list[dict[str, Any]]:
    channels, num_frames, height, width = cfg.input_shape
    in_a_row = max(1, channels // 3)
    preprocessor = cfg.model.get('data_preprocessor') or {}
    layout = 'NCTHW' if cfg.model.type == 'Recognizer3D' else 'NCHW'
    return [
        dict(
            type='SampleSegments',
            num_segments=num_frames,
            consecutive=in_a_row,
            test_mode=True,
        ),
        dict(type='VideoDecode'),
        dict(type='Resize', scale=(-1, max(height, width))),
        dict(type='CenterCrop', crop_size=(width, height)),
        dict(type='FramesToChannels', frames=in_a_row),
        dict(type='FormatShape', input_format=preprocessor.get('format_shape', layout)),
        dict(type='PackActionInputs'),
    ]


def adapt_steps(steps: list[Any], opener: Step, decoder: Step) -> list[Any]:
    """A pipeline that opens and decodes otherwise, and takes one clip and one crop.

    Args:
        steps: Configs of the steps.
        opener: What stands first.
        decoder: What stands in the place of the decoder.
    """
    kept = [step for step in steps if _name(step) not in _OPENERS]
    return [opener] + [decoder if _name(step) in _DECODERS else _one_view(step) for step in kept]


def _name(step: dict[str, Any]) -> str:
    kind = step['type']
    return kind if isinstance(kind, str) else kind.__name__


def _one_view(step: dict[str, Any]) -> dict[str, Any]:
    if _name(step) in ('ThreeCrop', 'TenCrop'):
        return dict(type='CenterCrop', crop_size=step['crop_size'])
    if step.get('clip_len', 1) > 1 and 'num_clips' in step:
        step = dict(step, num_clips=1)  # with clip_len=1, num_clips is the number of segments
    if 'num_segments' in step and 'num_clips' in step:
        step = dict(step, num_clips=1)
    if step.get('random_clips'):
        step = dict(step, random_clips=False)
    if step.get('twice_sample'):
        step = dict(step, twice_sample=False)
    return step


def _frames(inputs: Tensor) -> np.ndarray:
    """(T, C, H, W) of a 2-D recognizer or (1, C, T, H, W) of a 3-D one, as (T, H, W, C)."""
    inputs = middle_frame(inputs)
    clip = inputs if inputs.dim() == 4 else inputs[0].transpose(0, 1)
    return np.ascontiguousarray(clip.permute(0, 2, 3, 1).numpy())


def middle_frame(inputs: Tensor) -> Tensor:
    """The colours, axis 1, of the middle one of frames in a row that are the channels of one."""
    first = max(0, (inputs.shape[1] // 3 - 1) // 2 * 3)
    return inputs[:, first : first + 3]


def _check_size(frames: np.ndarray, cfg: Config, video: str | Path) -> None:
    found, stated = frames.shape[1:3], tuple(cfg.get('input_shape') or ())[2:]
    if 0 in found or (stated and found != stated):
        raise InputError(
            f'{video}: the test pipeline of {cfg.filename} makes frames of '
            f'{found[0]} x {found[1]} pixels of it where the config states '
            f'{stated or "no input_shape"}: the video may be smaller than the crop'
        )
