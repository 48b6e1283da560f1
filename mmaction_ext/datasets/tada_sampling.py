"""Frames as the released code of TAda2D takes them (github.com/alibaba-mmai-research/TAdaConv)."""

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmaction_ext.errors import InputError, check_at_least

#: Frames a second of the videos that an interval is meant for.
_RATE = 30


def segment_frames(
    num_frames: int, num_segments: int, clip: int = 0, num_clips: int = 1, rng: Any = None
) -> np.ndarray:
    """A frame of each of equal parts of a video.

    Args:
        num_frames: frames in the video, at least 1.
        num_segments: frames to take, one of each part.
        clip: which clip of a test, from 0.
        num_clips: how many there are. The frame lies ``(clip + 1) / num_clips`` of a part behind
            its start, that of a single clip in its middle.
        rng: has numpy's ``uniform(low, high)``, with which a place in each part is drawn instead.

    Returns:
        ``int64`` array of shape ``(num_segments,)``, from 0: places rounded to the nearest frame.
        It may be the first one of the next part.
    """
    borders = np.linspace(0, num_frames, num_segments + 1)
    if rng is not None:
        places = rng.uniform(borders[:-1], borders[1:])
    else:
        share = 0.5 if num_clips == 1 else (clip + 1) / num_clips
        places = borders[:-1] + share * np.diff(borders)
    return np.rint(places.clip(0, num_frames - 1)).astype(np.int64)


def interval_frames(
    num_frames: int,
    rate: float,
    clip_len: int,
    interval: int,
    clip: int = 0,
    num_clips: int = 1,
    rng: Any = None,
) -> np.ndarray:
    """Frames of a window of a video, evenly from its first one to its last one.

    A window has ``clip_len * interval`` frames, so many times as many as the video has frames a
    second beyond 30. Its ends are among the frames: these lie a little more than ``interval``
    apart.

    Args:
        num_frames: frames in the video, at least 1.
        rate: its frames a second.
        clip_len: frames to take.
        interval: about from one to the next.
        clip: which clip of a test, from 0.
        num_clips: how many there are. Their windows begin evenly from the start of the video on,
            and none reaches its end; that of a single clip lies in the middle.
        rng: has numpy's ``uniform(low, high)``, with which the begin is drawn instead.

    Returns:
        ``int64`` array of shape ``(clip_len,)``, from 0. Behind the end of a video that is too
        short stands its last frame.
    """
    length = clip_len * interval * rate / _RATE
    spare = max(num_frames - length, 0)
    if rng is not None:
        first = rng.uniform(0, spare)
    else:
        first = spare / 2 if num_clips == 1 else spare * clip / num_clips
    places = np.linspace(first, first + length - 1, clip_len)
    return places.clip(0, num_frames - 1).astype(np.int64)


@TRANSFORMS.register_module()
class SampleTAdaFrames(BaseTransform):
    """Frames as the released code of TAda2D takes them; see the functions above.

    Required keys: ``total_frames``, ``start_index``, and for an interval ``avg_fps``, which is
    taken for 30 where it is unknown. Added keys: ``frame_inds`` of shape
    ``(num_clips * num_segments,)``, one clip behind the other, ``clip_len``, ``num_clips``,
    ``frame_interval``.

    Args:
        num_segments: frames of a clip.
        frame_interval: about from one frame to the next; None for one of each of equal parts.
        num_clips: of a test.
        test_mode: take fixed frames instead of random ones.

    Raises:
        InputError: a number is below 1, or a video holds no frame.
    """

    def __init__(
        self,
        num_segments: int,
        frame_interval: int | None = None,
        num_clips: int = 1,
        test_mode: bool = False,
    ) -> None:
        numbers = dict(
            num_segments=num_segments, frame_interval=frame_interval, num_clips=num_clips
        )
        for name, value in numbers.items():
            if value is not None:
                check_at_least(name, value, 1)
        self.num_segments, self.frame_interval = num_segments, frame_interval
        self.num_clips, self.test_mode = num_clips, test_mode

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the frames of one sample."""
        total = results['total_frames']
        if total < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        rng = None if self.test_mode else np.random
        clips = [
            segment_frames(total, self.num_segments, clip, self.num_clips, rng)
            if self.frame_interval is None
            else interval_frames(
                total,
                results.get('avg_fps') or _RATE,
                self.num_segments,
                self.frame_interval,
                clip,
                self.num_clips,
                rng,
            )
            for clip in range(self.num_clips)
        ]
        results['frame_inds'] = np.concatenate(clips) + results.get('start_index', 0)
        results.update(
            clip_len=self.num_segments,
            num_clips=self.num_clips,
            frame_interval=self.frame_interval,
        )
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_segments={self.num_segments}, '
            f'frame_interval={self.frame_interval}, num_clips={self.num_clips}, '
            f'test_mode={self.test_mode})'
        )
