"""Pipeline transforms that mmaction2 lacks."""

import contextlib
import os.path as osp

import cv2
import mmcv
import numpy as np
from mmaction.datasets.transforms import DecordInit, Flip, RawFrameDecode
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmaction_ext.datasets.flips import flip_label_map, read_labels, sided_classes
from mmaction_ext.errors import InputError, last_line


def segment_indices(num_frames: int, num_segments: int, rng=None) -> np.ndarray:
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
    return np.concatenate([first, (num_frames - 1 - first)[:num_segments - half][::-1]])


@TRANSFORMS.register_module()
class SampleSegments(BaseTransform):
    """Segment-based sampling: one frame of each of ``num_segments`` equal parts.

    A random one in training, the centre one (symmetric under time reversal) in testing.
    Serves 2-D recognisers (``FormatShape('NCHW')``) and 3-D ones (``'NCTHW'``) alike.
    Source: DCF section 4.1, "segment based sampling".

    Required keys: ``total_frames``, ``start_index``. Added keys: ``frame_inds`` of shape
    ``(num_segments,)``, ``clip_len``, ``num_clips``, ``frame_interval``.

    Args:
        num_segments: frames per clip, ``T``.
        test_mode: take the centres.

    Raises:
        ValueError: ``num_segments`` is below 1, or (as :class:`InputError`) the video
            holds no frame.
    """

    def __init__(self, num_segments: int, test_mode: bool = False):
        if num_segments < 1:
            raise ValueError(f'num_segments must be at least 1, got {num_segments}')
        self.num_segments = num_segments
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Choose the frames of one sample."""
        if results['total_frames'] < 1:
            name = results.get('filename') or results.get('frame_dir')
            raise InputError(f'{name}: the video holds no frame')
        inds = segment_indices(results['total_frames'], self.num_segments,
                               None if self.test_mode else np.random)
        results['frame_inds'] = inds + results.get('start_index', 0)
        results.update(clip_len=self.num_segments, num_clips=1, frame_interval=None)
        return results

    def __repr__(self):
        return (f'{type(self).__name__}(num_segments={self.num_segments}, '
                f'test_mode={self.test_mode})')


@TRANSFORMS.register_module()
class NamedDecordInit(DecordInit):
    """mmaction2's ``DecordInit`` whose failures, and those of ``DecordDecode``, name the video.

    decord reports a broken file without its name, which is of no use in the middle of an
    epoch over thousands of them.

    Raises:
        InputError: the file is missing, is no video, or holds no frame; when its frames are
            asked for, one of them is damaged.
    """

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']`` and add ``video_reader`` and ``total_frames``."""
        name = results['filename']
        with _naming(name):
            results = super().transform(results)
        if results['total_frames'] < 1:
            raise InputError(f'{name}: the video holds no frame')
        results['video_reader'] = _NamedReader(results['video_reader'], name)
        return results


class _NamedReader:
    """A decord reader that says which file it could not decode."""

    def __init__(self, reader, name):
        self._reader, self._name = reader, name

    def __getattr__(self, attribute):
        return getattr(self._reader, attribute)

    def get_batch(self, indices):
        """Frames of ``indices``, (len(indices), H, W, 3) as decord gives them."""
        with _naming(self._name):
            return self._reader.get_batch(indices)


@contextlib.contextmanager
def _naming(name):
    """Turn a decoding error into one with the file; a programming error passes."""
    try:
        yield
    except (ImportError, TypeError):
        raise
    except Exception as error:
        raise InputError(f'{name}: the video cannot be decoded ({last_line(error)})') from error


@TRANSFORMS.register_module()
class NamedRawFrameDecode(RawFrameDecode):
    """mmaction2's ``RawFrameDecode`` whose failures name the frame.

    Raises:
        InputError: a frame is missing or cannot be decoded.
    """

    def transform(self, results: dict) -> dict:
        """Read the frames ``results['frame_inds']`` and add ``imgs``."""
        try:
            return super().transform(results)
        except (OSError, cv2.error):
            self._blame(results)
            raise

    def _blame(self, results: dict) -> None:
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
        classes: a list of class names, or the ``classes.txt`` that ``tools/prepare_data.py``
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

    def __init__(self, classes, sided: str = 'swap', flip_ratio: float = 0.5):
        if sided not in ('swap', 'skip'):
            raise InputError(f"sided must be 'swap' or 'skip', got {sided!r}")
        if isinstance(classes, str):
            classes = read_labels(classes)
        mapping, skipped = {}, frozenset()
        if sided == 'swap':
            mapping = dict(classes) if isinstance(classes, dict) else flip_label_map(classes)
        else:
            skipped = frozenset(classes if isinstance(classes, dict) else sided_classes(classes))
        super().__init__(flip_ratio=flip_ratio, flip_label_map=mapping)
        self.sided, self.skipped = sided, skipped

    def transform(self, results: dict) -> dict:
        """Flip, or not; either way one random number is drawn."""
        if results['label'] not in self.skipped:
            return super().transform(results)
        np.random.rand()
        results.update(flip=False, flip_direction=self.direction)
        return results

    def __repr__(self):
        return (f'{type(self).__name__}(flip_ratio={self.flip_ratio}, sided={self.sided!r}, '
                f'flip_label_map={self.flip_label_map}, skipped={sorted(self.skipped)})')
