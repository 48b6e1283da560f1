"""Clips and frames as the released code of MFNet takes them (github.com/cypw/PyTorch-MFNet).

KPSEM's experiments start from that network, and where their paper is silent they follow it.
"""

from typing import Any

import cv2
import mmcv
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmaction_ext.errors import InputError

#: largest hue, lightness and saturation of OpenCV's 8-bit HLS; MFNet's code lets hue reach 180
_HLS_LIMITS = np.array([180, 255, 255], dtype=np.int16)


def clip_indices(
    num_frames: int, clip_len: int, frame_interval: int, num_clips: int = 1, rng: Any = None
) -> np.ndarray:
    """Frames of clips whose frames lie ``frame_interval`` apart.

    Args:
        num_frames: frames in the video, at least 1. A video too short for a clip gives one of
            its frames over and over.
        clip_len: frames of a clip.
        frame_interval: distance of neighbouring frames.
        num_clips: how many clips.
        rng: an object with ``randint`` draws each clip's first frame; ``None`` spreads the clips
            evenly from the first frame to the last, and puts a single one in the middle.

    Returns:
        ``int64`` array of shape ``(num_clips * clip_len,)``, clip by clip, in ``[0, num_frames)``.
    """
    last_start = num_frames - 1 - (clip_len - 1) * frame_interval
    if last_start < 0:
        frame = (num_frames - 1) // 2 if rng is None else rng.randint(num_frames)
        return np.full(num_clips * clip_len, frame, dtype=np.int64)
    if rng is not None:
        starts = rng.randint(last_start + 1, size=num_clips)
    elif num_clips == 1:
        starts = np.array([last_start // 2])
    else:
        gaps = num_clips - 1
        starts = (2 * np.arange(num_clips) * last_start + gaps) // (2 * gaps)
    return (starts[:, None] + frame_interval * np.arange(clip_len)).reshape(-1).astype(np.int64)


@TRANSFORMS.register_module()
class SampleClips(BaseTransform):
    """Clips of frames at a fixed distance: anywhere in training, spread evenly in testing.

    Unlike mmaction2's ``SampleFrames`` a video that is too short is neither looped nor does it
    stand still at its end: as in MFNet's code the clip is one frame of it, repeated.

    Required keys: ``total_frames``, ``start_index``. Added keys: ``frame_inds`` of shape
    ``(num_clips * clip_len,)``, ``clip_len``, ``num_clips``, ``frame_interval``.

    Args:
        clip_len: frames of a clip, ``T``.
        frame_interval: distance of neighbouring frames.
        num_clips: clips of a video.
        test_mode: spread the clips evenly.

    Raises:
        InputError: a number is below 1, or the video holds no frame.
    """

    def __init__(
        self, clip_len: int, frame_interval: int = 1, num_clips: int = 1, test_mode: bool = False
    ) -> None:
        numbers = dict(clip_len=clip_len, frame_interval=frame_interval, num_clips=num_clips)
        for name, value in numbers.items():
            if value < 1:
                raise InputError(f'{name} must be at least 1, got {value}')
        self.numbers, self.test_mode = numbers, test_mode

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the frames of one sample."""
        if results['total_frames'] < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        inds = clip_indices(
            results['total_frames'], **self.numbers, rng=None if self.test_mode else np.random
        )
        results.update(self.numbers, frame_inds=inds + results.get('start_index', 0))
        return results

    def __repr__(self) -> str:
        numbers = ', '.join(f'{name}={value}' for name, value in self.numbers.items())
        return f'{type(self).__name__}({numbers}, test_mode={self.test_mode})'


def stretched_size(aspect: float, short_side: float) -> tuple[int, int]:
    """Width and height of a square that was stretched by ``aspect`` one way, squeezed the other.

    >>> stretched_size(1.25, 240)
    (376, 241)
    """
    width, height = aspect, 1 / aspect
    factor = short_side / min(width, height)
    return int(width * factor + 1), int(height * factor + 1)


@TRANSFORMS.register_module()
class RandomStretch(BaseTransform):
    """Resize frames to a random size and shape, whatever shape they had.

    A frame is taken for a square, which is made ``a`` times as wide and ``1 / a`` times as high,
    or the other way round; then its shorter side is drawn. All frames of a sample are resized
    alike. Source: the released code of MFNet.

    Required keys: ``imgs``, ``img_shape``. Changed keys: the same.

    Args:
        short_side: range in pixels of the shorter side.
        aspect: range of ``a``.

    Raises:
        InputError: a range is empty or not positive.
    """

    def __init__(
        self,
        short_side: tuple[float, float] = (224, 288),
        aspect: tuple[float, float] = (0.8, 1.25),
    ) -> None:
        for name, (low, high) in dict(short_side=short_side, aspect=aspect).items():
            if not 0 < low <= high:
                raise InputError(f'{name} must be a range of positive numbers, got {(low, high)}')
        self.short_side, self.aspect = tuple(short_side), tuple(aspect)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize the frames of one sample."""
        low, high = self.aspect
        aspect = np.random.uniform(low, high)
        if np.random.rand() > 0.5:
            aspect = 1 / aspect
        low, high = self.short_side
        width, height = stretched_size(aspect, np.random.uniform(low, high))
        results['imgs'] = [mmcv.imresize(img, (width, height)) for img in results['imgs']]
        results['img_shape'] = (height, width)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(short_side={self.short_side}, aspect={self.aspect})'


@TRANSFORMS.register_module()
class HLSJitter(BaseTransform):
    """Shift hue, lightness and saturation of all frames of a sample by the same amounts.

    The shifts are drawn evenly and rounded, in OpenCV's 8-bit units: hue in steps of two
    degrees, the others from 0 to 255. Values that leave their range stop at its end, hue as
    well. Source: the released code of MFNet.

    Required and changed key: ``imgs``, uint8 in RGB.

    Args:
        hue: largest shift either way.
        lightness: likewise.
        saturation: likewise.

    Raises:
        InputError: a shift is negative.
    """

    def __init__(self, hue: int = 15, lightness: int = 35, saturation: int = 25) -> None:
        self.limits = (hue, lightness, saturation)
        if min(self.limits) < 0:
            raise InputError(
                f'hue, lightness and saturation must not be negative, got {self.limits}'
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shift the colours of one sample."""
        limits = np.array(self.limits)
        shifts = np.round(np.random.uniform(-limits, limits)).astype(np.int16)
        results['imgs'] = [shift_hls(img, shifts) for img in results['imgs']]
        return results

    def __repr__(self) -> str:
        hue, lightness, saturation = self.limits
        return f'{type(self).__name__}(hue={hue}, lightness={lightness}, saturation={saturation})'


def shift_hls(img: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Add ``shifts`` (hue, lightness, saturation) to an RGB picture, (H, W, 3) in uint8."""
    hls = cv2.cvtColor(img, cv2.COLOR_RGB2HLS).astype(np.int16)
    hls = np.clip(hls + shifts, 0, _HLS_LIMITS).astype(np.uint8)
    return cv2.cvtColor(hls, cv2.COLOR_HLS2RGB)
