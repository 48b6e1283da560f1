"""The sampling rules of TSN's code and its descendants, corner cases included."""

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmaction_ext.errors import InputError

#: Where in a segment the frame of each clip of a test lies: one clip of centres, or a second one
#: of starts ("twice sampling").
PLACES = {1: (0.5,), 2: (0.5, 0.0)}


def random_tsn_indices(num_frames: int, num_segments: int, rng: Any) -> np.ndarray:
    """A random frame of each segment, as the released code of SELFY and TCM draws it.

    Segments have ``num_frames // num_segments`` frames each: up to ``num_segments - 1`` frames at
    the end of the video are never seen.

    Args:
        num_frames: frames in the video.
        num_segments: frames to take.
        rng: has numpy's ``randint(high, size=...)``.

    Returns:
        ``int64`` array of shape ``(num_segments,)``, from 0; all 0 in a video that has fewer
        frames than segments, which then is a still picture.
    """
    length = num_frames // num_segments
    if length == 0:
        return np.zeros(num_segments, np.int64)
    return np.arange(num_segments) * length + rng.randint(length, size=num_segments)


def fixed_tsn_indices(
    num_frames: int, num_segments: int, place: float = 0.5, *, num_clips: int = 1
) -> np.ndarray:
    """The same frame of each segment, ``int(tick * place + tick * i)``, as the released code.

    Segments have ``tick = num_frames / num_segments`` frames, a fraction.

    Args:
        num_frames: frames in the video.
        num_segments: frames to take.
        place: 0.5 for centres, 0 for starts.
        num_clips: of the test; the code for two clips has no case of its own for short videos.

    Returns:
        ``int64`` array of shape ``(num_segments,)``, from 0. In a video that has as many frames
        as segments, or fewer, all 0 for one clip, while frames repeat for two.
    """
    if num_clips == 1 and num_frames <= num_segments:
        return np.zeros(num_segments, np.int64)
    tick = num_frames / num_segments
    return np.array([int(tick * place + tick * i) for i in range(num_segments)], np.int64)


@TRANSFORMS.register_module()
class SampleTSNSegments(BaseTransform):
    """Frames as the released code of SELFY and TCM takes them; see the functions above.

    ``SampleSegments`` differs: it sees the end of a video and does not turn a short one into a
    still picture, as this does in training and in a test of one clip.

    Required keys: ``total_frames``, ``start_index``. Added keys: ``frame_inds`` of shape
    ``(num_clips * num_segments,)``, one clip behind the other, ``clip_len``, ``num_clips``,
    ``frame_interval``.

    Args:
        num_segments: frames of a clip.
        test_mode: take fixed frames instead of random ones.
        num_clips: of a test: 1 for centres, 2 for centres and starts.

    Raises:
        InputError: an argument is out of its range, or a video holds no frame.
    """

    def __init__(self, num_segments: int, test_mode: bool = False, num_clips: int = 1) -> None:
        if num_segments < 1:
            raise InputError(f'num_segments must be at least 1, got {num_segments}')
        if num_clips not in PLACES or (num_clips > 1 and not test_mode):
            raise InputError(f'num_clips must be 1, or 2 in a test, got {num_clips}')
        self.num_segments, self.test_mode, self.num_clips = num_segments, test_mode, num_clips

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the frames of one sample."""
        total = results['total_frames']
        if total < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        if self.test_mode:
            clips = [
                fixed_tsn_indices(total, self.num_segments, place, num_clips=self.num_clips)
                for place in PLACES[self.num_clips]
            ]
        else:
            clips = [random_tsn_indices(total, self.num_segments, np.random)]
        results['frame_inds'] = np.concatenate(clips) + results.get('start_index', 0)
        results.update(clip_len=self.num_segments, num_clips=self.num_clips, frame_interval=None)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_segments={self.num_segments}, '
            f'test_mode={self.test_mode}, num_clips={self.num_clips})'
        )
