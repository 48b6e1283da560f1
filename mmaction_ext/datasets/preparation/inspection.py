"""A look at one video or one folder of frames: is it what a training run can read? Torch-free."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from PIL import Image

from mmaction_ext.datasets.frame_names import PICTURES, FrameNames, MixedNames, name_frames
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.errors import last_line

#: how thorough: ``'full'`` decodes every frame, ``'quick'`` as many as the reader needs
#: to count them, or one, and otherwise reads a frame's size without its content
CHECKS = ('full', 'quick')

#: what may be wrong with an item
MISSING, UNREADABLE, EMPTY, FRAME_COUNT = 'missing', 'unreadable', 'empty', 'frame count'
FAULTS = (MISSING, UNREADABLE, EMPTY, FRAME_COUNT)

#: share of its announced duration, and seconds beyond that, that a video may fall short
_SHORT_SHARE, _SHORT_SECONDS = 0.05, 0.2


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        num_frames: frames counted.
        fault: one of :data:`FAULTS`, or ``None``.
        reason: what is wrong, for a person.
        listed_frames: frames of a sound video by its header, where that counts otherwise; else 0.
        frame_names: names of the frames of a sound folder.
    """

    num_frames: int
    fault: str | None = None
    reason: str = ''
    listed_frames: int = 0
    frame_names: FrameNames | None = None


def inspect_video(path: str | Path, check: str = 'full') -> Inspection:
    """Look at one video file through the reader that training uses, and count what that counts.

    A video that ends well before the time its header announces is one that was cut off. Damage
    shows where the decoder stops or says that it has made up a part of a frame; those of VP8 and
    VP9 do not say so, and bits may change into others that mean something.

    Args:
        path: the file.
        check: one of :data:`CHECKS`.
    """
    seen = _Seen()
    try:
        if os.path.getsize(path) == 0:
            return Inspection(0, EMPTY, 'zero bytes')
        reader = VideoReader(path)
        if check == 'full':
            seen.decode(reader)
        else:
            seen.count(reader)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = last_line(error.__cause__ or error)
        return Inspection(seen.frames, UNREADABLE, f'after {seen.frames} frames: {reason}')
    if not seen.frames:
        return Inspection(0, EMPTY, 'no frame')
    shortfall = _shortfall(reader, seen.frames)
    if shortfall:
        return Inspection(seen.frames, FRAME_COUNT, shortfall)
    if seen.damaged:
        return Inspection(seen.frames, UNREADABLE, seen.damage())
    if reader.indexed and reader.num_frames != seen.frames:
        return Inspection(
            seen.frames,
            UNREADABLE,
            f'{seen.frames} frames come out of {reader.num_frames} packets',
        )
    listed = reader.stream.frames
    return Inspection(seen.frames, listed_frames=listed if listed != seen.frames else 0)


@dataclass
class _Seen:
    """What has been read of a video."""

    frames: int = 0
    begun: bool = False
    damaged: list[int] = field(default_factory=list)

    def decode(self, reader: VideoReader) -> None:
        """Look at every frame."""
        for frame in reader.decode():
            self.frames += 1
            self.judge(frame)

    def count(self, reader: VideoReader) -> None:
        """Count the frames and decode the first one."""
        self.frames = reader.num_frames
        if next(reader.decode(), None) is None:
            raise ValueError('no frame can be decoded')

    def judge(self, frame: av.VideoFrame) -> None:
        """Note damage, but not to what precedes the first key frame and hangs in the air."""
        self.begun = self.begun or frame.key_frame
        if self.begun and frame.is_corrupt:
            self.damaged.append(self.frames)

    def damage(self) -> str:
        """Which frames are damaged."""
        more = f', and {len(self.damaged) - 1} more of {self.frames}' * (len(self.damaged) > 1)
        return f'frame {self.damaged[0]} is damaged{more}'


def _shortfall(reader: VideoReader, num_frames: int) -> str:
    """In what way a video is too short, or ``''``."""
    stream = reader.stream
    if 0 < stream.frames <= num_frames:
        return ''
    of_all = f' of {stream.frames}' if stream.frames else ''
    if _is_cut_avi(reader):
        return f'the file ends after {num_frames} frames{of_all}'
    announced, end = _announced_seconds(stream), float(reader.end * stream.time_base)
    if stream.duration:  # which begins with the stream; a container's begins at zero
        end -= float((stream.start_time or 0) * stream.time_base)
    if announced is None or end > (1 - _SHORT_SHARE) * announced - _SHORT_SECONDS:
        return ''
    return f'ends after {end:.2f} of {announced:.2f} seconds ({num_frames} frames{of_all})'


def _is_cut_avi(reader: VideoReader) -> bool:
    """Whether an AVI ends before the number of frames that its header states.

    FFmpeg shortens the duration of one whose data the file does not hold in full. A time stamp
    is the number of a frame then, with those counted that are left out as equal to the one
    before, of which there is no packet.
    """
    stream = reader.stream
    return (
        stream.container.format.name == 'avi'
        and (stream.duration or 0) < stream.frames
        and reader.end < (1 - _SHORT_SHARE) * stream.frames
    )


def _announced_seconds(stream: Any) -> float | None:
    """Duration by the header; the container's own may be that of the sound."""
    container = stream.container
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.audio:
        return container.duration / av.time_base
    return None


def inspect_frames(folder: str | Path, check: str = 'full') -> Inspection:
    """Look at a folder of frames that count from 0 or 1 on; other files do not count.

    Args:
        folder: the folder; see :func:`mmaction_ext.datasets.frame_names.name_frames`.
        check: one of :data:`CHECKS`.
    """
    try:
        found = os.listdir(folder)
    except OSError as error:
        return Inspection(0, UNREADABLE, error.strerror or str(error))
    try:
        names, numbers = name_frames(found)
    except MixedNames as error:
        return Inspection(0, UNREADABLE, str(error))
    if names is None:
        return Inspection(0, EMPTY, _no_frame(found))
    count = len(numbers)
    for number, there in enumerate(numbers, names.start_index):
        if there != number:
            return Inspection(
                count,
                FRAME_COUNT,
                f'{names.name(number)} is missing, though there '
                f'are {count} frames up to {names.name(numbers[-1])}',
            )
    for number in numbers:
        reason = _image_fault(
            Path(folder) / names.name(number), decode=check == 'full' or number == numbers[0]
        )
        if reason:
            return Inspection(count, UNREADABLE, f'{names.name(number)}: {reason}')
    return Inspection(count, frame_names=names)


def _no_frame(found: list[str]) -> str:
    others = sorted(name for name in found if name.lower().endswith(PICTURES))
    if not others:
        return 'no frame'
    return (
        f'no frame named like 00001.jpg, though there are {len(others)} pictures, first '
        f'{others[0]}'
    )


def _image_fault(path: Path, decode: bool) -> str:
    try:
        if path.stat().st_size == 0:
            return 'zero bytes'
        if decode:
            with Image.open(path) as image:
                image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return getattr(error, 'strerror', None) or last_line(error)
    return ''
