"""What a test predicted, as rows of tables and as short clips that a browser plays.

Shape legend: N samples, T frames, H rows, W columns.
"""

import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from mmaction_ext.errors import InputError, check_at_least, check_choice
from mmaction_ext.evaluation.classes import NO_PREDICTION, counts_by_class
from mmaction_ext.video import encode_mp4

CLASS_COLUMNS = ('class', 'name', 'samples', 'correct', 'top1')
CONFUSION_COLUMNS = ('true', 'predicted', 'count', 'true_name', 'predicted_name')
_FRAMES_PER_SECOND = 8
#: most clips, frames of a clip and pixels of its longest side: about 10 MB with all at once
_MOST = dict(clips=64, frames=64, size=512)


@dataclass(frozen=True)
class MediaOptions:
    """What a test logs besides numbers.

    Attributes:
        tables: log the accuracy of each class and the confusion matrix.
        clips: how many clips to show, 0 for none (no video is opened then); at most 64.
        frames: most frames of a clip; at most 64.
        size: longest side of a frame in pixels; at most 512.
        format: ``'gif'`` or ``'mp4'`` (H.264).
    """

    tables: bool = True
    clips: int = 6
    frames: int = 16
    size: int = 160
    format: str = 'gif'

    def __post_init__(self) -> None:
        check_at_least('media.clips', self.clips, 0)
        check_at_least('media.frames', self.frames, 1)
        check_at_least('media.size', self.size, 16)
        check_choice('media.format', self.format, ('gif', 'mp4'))
        for name, most in _MOST.items():
            if getattr(self, name) > most:
                raise InputError(f'media.{name} must be at most {most}, got {getattr(self, name)}')

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> 'MediaOptions':
        """Options by name.

        Raises:
            InputError: one has another name or an impossible value.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            check_choice('an option of media', name, known)
        return cls(**options)


def class_rows(
    labels: np.ndarray, predicted: np.ndarray, names: Mapping[int, str]
) -> list[list[Any]]:
    """Accuracy of each class that has samples: rows of :data:`CLASS_COLUMNS`.

    Args:
        labels: true classes, (N,).
        predicted: predicted classes, (N,).
        names: names of the classes; the number stands where there is none.
    """
    counts = counts_by_class(labels, predicted)
    return [
        [label, _name(label, names), samples, correct, correct / samples]
        for label, (samples, correct) in counts.items()
    ]


def confusion_rows(
    labels: np.ndarray, predicted: np.ndarray, names: Mapping[int, str]
) -> list[list[Any]]:
    """Cells of the confusion matrix that are not zero: rows of :data:`CONFUSION_COLUMNS`.

    There are at most N of them, however many classes there are. Arguments as for
    :func:`class_rows`.
    """
    cells, counts = np.unique(np.stack([labels, predicted], axis=1), axis=0, return_counts=True)
    return [
        [int(true), int(guess), int(count), _name(true, names), _name(guess, names)]
        for (true, guess), count in zip(cells, counts, strict=True)
    ]


def _name(label: int, names: Mapping[int, str]) -> str:
    if label == NO_PREDICTION:
        return 'not a number'
    return str(names.get(int(label), int(label)))


def choose_clips(num_samples: int, num_clips: int) -> list[int]:
    """Places of the samples to show: evenly spread, the same ones in every run on the data."""
    places = np.linspace(0, num_samples - 1, min(num_clips, num_samples))
    return sorted(set(places.round().astype(int).tolist()))


def caption(
    name: str, label: int, predicted: int, scores: np.ndarray, names: Mapping[int, str]
) -> str:
    """What is written under a clip: sample, true class, predicted class and its score."""
    score = '' if predicted == NO_PREDICTION else f' ({scores[predicted]:.2f})'
    return f'{name}: is {_name(label, names)}, predicted {_name(predicted, names)}{score}'


def encode_clip(frames: np.ndarray, options: MediaOptions) -> bytes:
    """A clip as the bytes of a GIF or MP4 file, thinned and shrunk as the options say.

    Args:
        frames: (T, H, W, 3) of uint8, RGB.
        options: number, size and format.
    """
    chosen = frames[choose_clips(len(frames), options.frames)]
    images = [_shrink(frame, options.size) for frame in chosen]
    if options.format == 'mp4':
        return encode_mp4(
            _even(np.stack([np.asarray(image) for image in images])), _FRAMES_PER_SECOND
        )
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        'GIF',
        save_all=True,
        append_images=images[1:],
        loop=0,
        duration=1000 // _FRAMES_PER_SECOND,
    )
    return buffer.getvalue()


def _shrink(frame: np.ndarray, size: int) -> Image.Image:
    image = Image.fromarray(frame)
    image.thumbnail((size, size))
    return image


def _even(frames: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where their number is odd, as H.264 needs it."""
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode='edge')
