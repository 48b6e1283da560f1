"""The sampling rules of TSN's code and its descendants, corner cases included."""

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmaction_ext.datasets.transforms import frames_in_a_row
from mmaction_ext.errors import InputError, check_at_least

#: Where in a segment the frame of each clip of a test lies: one clip of centres, or a second one
#: of starts ("twice sampling").
PLACES = {1: (0.5,), 2: (0.5, 0.0)}


def random_tsn_indices(
    num_frames: int, num_segments: int, rng: Any, consecutive: int = 1
) -> np.ndarray:
    """A random frame of each segment, as the released code of SELFY, TCM, TEA and TDN draws it.

    Segments have as many frames as there are places for a frame, or for so many in a row, divided
    by ``num_segments`` and rounded down: up to ``num_segments - 1`` at the end of the video are
    never seen.

    Args:
        num_frames: frames in the video.
        num_segments: frames to take.
        rng: has numpy's ``randint(high, size=...)``.
        consecutive: frames in a row that begin at each; TDN has 5.

    Returns:
        ``int64`` array of shape ``(num_segments,)``, from 0. Where the segments have no frame: all
        0 in a video with as many frames as segments, or fewer, which then is a still picture;
        ascending random places in another.
    """
    places = num_places(num_frames, consecutive)
    length = places // num_segments
    if length > 0:
        return np.arange(num_segments) * length + rng.randint(length, size=num_segments)
    if num_frames > num_segments:
        return np.sort(rng.randint(places, size=num_segments))
    return np.zeros(num_segments, np.int64)


def num_places(num_frames: int, consecutive: int) -> int:
    """Where so many frames in a row may begin in a video; 1 where it has fewer frames."""
    return max(1, num_frames - consecutive + 1)


def fixed_tsn_indices(
    num_frames: int, num_segments: int, place: float = 0.5, *, num_clips: int = 1
) -> np.ndarray:
    """The same frame of each segment, ``int(tick * place + tick * i)``, as the released code.

    Segments have ``tick = num_frames / num_segments`` frames, a fraction.

    Args:
        num_frames: frames in the video, or :func:`num_places` in it for several in a row.
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
    """Frames as the released code of SELFY, TCM, TEA and TDN takes them; see the functions above.

    ``SampleSegments`` differs: it sees the end of a video and does not turn a short one into a
    still picture, as this does in training and in a test of one clip.

    Required keys: ``total_frames``, ``start_index``. Added keys: ``frame_inds`` of shape
    ``(num_clips * num_segments * consecutive,)``, one clip behind the other, ``clip_len``,
    ``num_clips``, ``frame_interval``.

    Args:
        num_segments: segments of a clip.
        test_mode: take fixed frames instead of random ones.
        num_clips: of a test: 1 for centres, 2 for centres and starts.
        consecutive: frames in a row that begin at each place, the last one repeated where the
            video ends; TDN has 5. See
            :class:`mmaction_ext.datasets.transforms.FramesToChannels`.
        random_clips: the clips of a test, of any number, are drawn at random, as TEA's and TDN's
            code has it; but every clip always by the same numbers, so that a test can be repeated.

    Raises:
        InputError: an argument is out of its range, or a video holds no frame.
    """

    def __init__(
        self,
        num_segments: int,
        test_mode: bool = False,
        num_clips: int = 1,
        consecutive: int = 1,
        random_clips: bool = False,
    ) -> None:
        for name, value in dict(num_segments=num_segments, consecutive=consecutive).items():
            check_at_least(name, value, 1)
        known = num_clips >= 1 if random_clips else num_clips in PLACES
        if not known or (num_clips > 1 and not test_mode):
            raise InputError(
                f'num_clips must be 1, or 2 in a test, or any number of random_clips there, got '
                f'{num_clips}'
            )
        self.num_segments, self.test_mode, self.num_clips = num_segments, test_mode, num_clips
        self.consecutive, self.random_clips = consecutive, random_clips

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the frames of one sample."""
        total = results['total_frames']
        if total < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        starts = frames_in_a_row(self._starts(total), self.consecutive, total)
        results['frame_inds'] = starts + results.get('start_index', 0)
        results.update(clip_len=self.num_segments, num_clips=self.num_clips, frame_interval=None)
        return results

    def _starts(self, total: int) -> np.ndarray:
        """First frame of each segment of each clip."""
        segments, consecutive = self.num_segments, self.consecutive
        if self.test_mode and not self.random_clips:
            places = num_places(total, consecutive)
            clips = [
                fixed_tsn_indices(places, segments, place, num_clips=self.num_clips)
                for place in PLACES[self.num_clips]
            ]
        else:
            seeded = [np.random.RandomState(clip) for clip in range(self.num_clips)]
            drawn: list[Any] = seeded if self.test_mode else [np.random]
            clips = [random_tsn_indices(total, segments, rng, consecutive) for rng in drawn]
        return np.concatenate(clips)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_segments={self.num_segments}, '
            f'test_mode={self.test_mode}, num_clips={self.num_clips}, '
            f'consecutive={self.consecutive}, random_clips={self.random_clips})'
        )
