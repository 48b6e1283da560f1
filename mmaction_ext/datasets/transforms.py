"""Pipeline transforms that mmaction2 lacks."""

import os.path as osp
from typing import Any

import cv2
import mmcv
import numpy as np
from mmaction.datasets.transforms import Flip, RawFrameDecode
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import FileClient

from mmaction_ext.datasets.flips import flip_label_map, read_labels, sided_classes
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.errors import InputError, check_at_least


def segment_indices(num_frames: int, num_segments: int, rng: Any = None) -> np.ndarray:
    """One frame from each of ``num_segments`` equal parts of a video (TSN sampling).

    Args:
        num_frames: frames in the video, at least 1. With fewer frames than segments, frames
            repeat.
        num_segments: how many frames to take.
        rng: an object with ``uniform(size=...)`` draws the frame of each part uniformly;
            ``None`` takes the centre of each part. The centres mirror each other about the
            middle of the video, so that a reversed video yields the same frames in reverse
            (mmaction2's ``UniformSample`` does not: it gives 1, 4, 7, 10, 13, 15, 18, 21 of
            24). An odd ``num_segments`` on an even ``num_frames`` has no such middle frame;
            the earlier of the two is taken.

    Returns:
        ``int64`` array of shape ``(num_segments,)``, ascending, in ``[0, num_frames)``.
    """
    if rng is not None:
        position = (np.arange(num_segments) + rng.uniform(size=num_segments)) / num_segments
        return np.minimum((position * num_frames).astype(np.int64), num_frames - 1)
    half = (num_segments + 1) // 2
    # floor of the centre (i + 1/2) n/T - 1/2 for the first half, in exact integers
    first = ((2 * np.arange(half) + 1) * num_frames - num_segments) // (2 * num_segments)
    first = np.maximum(first, 0)
    return np.concatenate([first, (num_frames - 1 - first)[: num_segments - half][::-1]])


def frames_in_a_row(starts: np.ndarray, consecutive: int, num_frames: int) -> np.ndarray:
    """So many frames from each of some starts on; at an end of the video its frame repeats.

    Args:
        starts: first frame of each row, of shape ``(n,)``; may lie before the video.
        consecutive: frames of a row.
        num_frames: frames in the video.

    Returns:
        ``int64`` array of shape ``(n * consecutive,)``, one row behind the other, in
        ``[0, num_frames)``.
    """
    rows = starts[:, None] + np.arange(consecutive)
    return rows.clip(0, num_frames - 1).reshape(-1)


@TRANSFORMS.register_module()
class SampleSegments(BaseTransform):
    """Segment-based sampling: one frame of each of ``num_segments`` equal parts.

    A random one in training, the centre one (symmetric under time reversal) in testing.
    Serves 2-D recognisers (``FormatShape('NCHW')``) and 3-D ones (``'NCTHW'``) alike.
    Source: DCF section 4.1, "segment based sampling".

    Required keys: ``total_frames``, ``start_index``. Added keys: ``frame_inds`` of shape
    ``(num_segments * consecutive,)``, ``clip_len``, ``num_clips``, ``frame_interval``.

    Args:
        num_segments: segments of a clip, ``T``.
        test_mode: take the centres.
        consecutive: frames in a row of each segment, an odd number: the chosen one in their
            middle, as symmetric under time reversal. See :class:`FramesToChannels`.

    Raises:
        ValueError: ``num_segments`` is below 1, or (as :class:`InputError`) ``consecutive`` is no
            odd number or the video holds no frame.
    """

    def __init__(self, num_segments: int, test_mode: bool = False, consecutive: int = 1) -> None:
        if num_segments < 1:
            raise ValueError(f'num_segments must be at least 1, got {num_segments}')
        if consecutive < 1 or consecutive % 2 == 0:
            raise InputError(f'consecutive must be an odd number, got {consecutive}')
        self.num_segments, self.consecutive = num_segments, consecutive
        self.test_mode = test_mode

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the frames of one sample."""
        if results['total_frames'] < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        total = results['total_frames']
        centres = segment_indices(total, self.num_segments, None if self.test_mode else np.random)
        inds = frames_in_a_row(centres - self.consecutive // 2, self.consecutive, total)
        results['frame_inds'] = inds + results.get('start_index', 0)
        results.update(clip_len=self.num_segments, num_clips=1, frame_interval=None)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_segments={self.num_segments}, '
            f'test_mode={self.test_mode}, consecutive={self.consecutive})'
        )


@TRANSFORMS.register_module()
class FramesToChannels(BaseTransform):
    """Frames in a row as the channels of one: red, green, blue of the first, of the second, ...

    TDN's input: five frames of each segment. It stands behind what changes the frames.

    Required and changed key: ``imgs``, a list of ``n * frames`` pictures (H, W, 3), which becomes
    one of ``n`` pictures (H, W, 3 * ``frames``).

    Args:
        frames: how many make one.

    Raises:
        InputError: ``frames`` is below 1, or the pictures do not divide by it.
    """

    def __init__(self, frames: int) -> None:
        check_at_least('frames', frames, 1)
        self.frames = frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Join the pictures of one sample."""
        images, frames = results['imgs'], self.frames
        if len(images) % frames:
            raise InputError(f'{len(images)} pictures do not divide into rows of {frames}')
        starts = range(0, len(images), frames)
        joined = [np.concatenate(images[start : start + frames], axis=2) for start in starts]
        return dict(results, imgs=joined)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(frames={self.frames})'


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open a video with :class:`VideoReader`, which counts its frames as FFmpeg decodes them.

    In the place of mmaction2's ``DecordInit`` and ``PyAVInit``, which count, or hand over,
    other frames for several kinds of files.

    Required keys: ``filename``. Added keys: ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        io_backend: where files are read from, see mmengine's ``FileClient``.
        **kwargs: arguments of that.

    Raises:
        InputError: the file is missing, is no video, or holds no frame; one that is not indexed
            holds a damaged one. The message names it.
    """

    def __init__(self, io_backend: str = 'disk', **kwargs: Any) -> None:
        self.io_backend = io_backend
        client = FileClient(io_backend, **kwargs)
        self._client = None if io_backend == 'disk' else client  # the reader opens files itself

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open ``results['filename']``."""
        name = results['filename']
        reader = VideoReader(self._client.get(name) if self._client else name, name)
        rate = reader.stream.average_rate
        return dict(
            results,
            video_reader=reader,
            total_frames=reader.num_frames,
            avg_fps=float(rate) if rate else None,
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(io_backend={self.io_backend!r})'


@TRANSFORMS.register_module()
class VideoDecode(BaseTransform):
    """Read the frames that were sampled of a video that :class:`VideoInit` opened, and close it.

    Required keys: ``video_reader``, ``frame_inds``. Added keys: ``imgs``, a list of (H, W, 3) of
    uint8 in RGB; ``original_shape`` and ``img_shape``, (H, W).

    Raises:
        InputError: a frame cannot be decoded; the message names the video.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the frames ``results['frame_inds']``."""
        images = results['video_reader'].read(results['frame_inds'])
        shape = images.shape[1:3]
        return dict(
            results,
            imgs=list(images),
            original_shape=shape,
            img_shape=shape,
            frame_inds=np.ravel(results['frame_inds']),
            video_reader=None,
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class NamedRawFrameDecode(RawFrameDecode):
    """mmaction2's ``RawFrameDecode`` whose failures name the frame.

    Raises:
        InputError: a frame is missing or cannot be decoded.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the frames ``results['frame_inds']`` and add ``imgs``."""
        try:
            return super().transform(results)
        except (OSError, cv2.error):
            self._blame(results)
            raise

    def _blame(self, results: dict[str, Any]) -> None:
        """Raise the error that names the first frame that cannot be read, if there is one."""
        for index in results['frame_inds']:
            name = results['filename_tmpl'].format(index + results.get('offset', 0))
            path = osp.join(results['frame_dir'], name)
            try:
                mmcv.imfrombytes(self.file_client.get(path), channel_order='rgb')
            except (OSError, cv2.error) as error:
                reason = getattr(error, 'strerror', None) or 'it is no picture'
                raise InputError(f'{path}: the frame cannot be read ({reason})') from error


@TRANSFORMS.register_module()
class DirectionAwareFlip(Flip):
    """Horizontal flip that knows of classes such as "Pulling something from left to right".

    Args:
        classes: a list of class names, or the ``classes.txt`` that ``mmaction-ext prepare``
            wrote, in which left and right are found by name; or the map of ids itself, such as
            :data:`mmaction_ext.datasets.flips.SOMETHING_FLIP_LABELS`.
        sided: what happens to clips of such classes: ``'swap'`` flips them and gives them the
            label of the mirrored class; ``'skip'`` leaves them as they are, as the published
            code of the TSM family does.
        flip_ratio: probability of the flip.

    Raises:
        InputError: ``sided`` is something else, the list cannot be read, or, when swapping, a
            class has no mirror image.
    """

    def __init__(self, classes: Any, sided: str = 'swap', flip_ratio: float = 0.5) -> None:
        if sided not in ('swap', 'skip'):
            raise InputError(f"sided must be 'swap' or 'skip', got {sided!r}")
        if isinstance(classes, str):
            classes = read_labels(classes)
        mapping: dict[int, int] = {}
        skipped: frozenset[int] = frozenset()
        if sided == 'swap':
            mapping = dict(classes) if isinstance(classes, dict) else flip_label_map(classes)
        else:
            skipped = frozenset(classes if isinstance(classes, dict) else sided_classes(classes))
        super().__init__(flip_ratio=flip_ratio, flip_label_map=mapping)
        self.sided, self.skipped = sided, skipped

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip, or not; either way one random number is drawn."""
        if results['label'] not in self.skipped:
            return super().transform(results)
        np.random.rand()
        results.update(flip=False, flip_direction=self.direction)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(flip_ratio={self.flip_ratio}, sided={self.sided!r}, '
            f'flip_label_map={self.flip_label_map}, skipped={sorted(self.skipped)})'
        )
