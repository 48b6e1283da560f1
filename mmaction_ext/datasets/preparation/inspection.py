"""A look at one video or one folder of frames: is it what a training run can read? Torch-free."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image

from mmaction_ext.errors import last_line

#: how thorough the look is: ``'full'`` decodes every frame, ``'quick'`` the first one, and
#: otherwise reads a video's packets without decoding or a frame's size without its content
CHECKS = ('full', 'quick')

#: what may be wrong with an item
MISSING, UNREADABLE, EMPTY, FRAME_COUNT = 'missing', 'unreadable', 'empty', 'frame count'
FAULTS = (MISSING, UNREADABLE, EMPTY, FRAME_COUNT)

#: share of its announced duration, and seconds beyond that, that a video may fall short
_SHORT_SHARE, _SHORT_SECONDS = 0.05, 0.2
_FRAME = re.compile(r'(\d{5,})\.jpg')


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        num_frames: frames counted.
        fault: one of :data:`FAULTS`, or ``None``.
        reason: what is wrong, for a person.
    """

    num_frames: int
    fault: str | None = None
    reason: str = ''


def inspect_video(path, check: str = 'full') -> Finding:
    """Look at one video file with FFmpeg and, where it is installed, with decord.

    FFmpeg says what is broken; decord, which training reads with, has an FFmpeg of its own and
    may lack a codec. A video that ends well before the time its header announces is one that was
    cut off.

    Args:
        path: the file.
        check: one of :data:`CHECKS`.
    """
    counted = [0]
    try:
        if os.path.getsize(path) == 0:
            return Finding(0, EMPTY, 'zero bytes')
        shortfall = _read_video(path, check, counted)
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        return Finding(counted[0], UNREADABLE, f'after {counted[0]} frames: {last_line(error)}')
    if not counted[0]:
        return Finding(0, EMPTY, 'no frame')
    if shortfall:
        return Finding(counted[0], FRAME_COUNT, shortfall)
    return _inspect_with_decord(path, counted[0])


def _read_video(path, check: str, counted: list) -> str:
    """Count frames; returns in what way the video is too short, or ``''``."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError('no video stream')
        stream, end = container.streams.video[0], 0.0
        stream.codec_context.thread_count = 1  # there is a process for every processor
        units = container.decode(stream) if check == 'full' else _packets(container, stream)
        for unit in units:
            counted[0] += 1
            if unit.pts is not None:
                end = max(end, float(unit.pts * unit.time_base))
        return _shortfall(container, stream, end, counted[0])


def _packets(container, stream):
    """Packets of a stream; the first frame is decoded on the way."""
    decoded = False
    for packet in container.demux(stream):
        if packet.size:
            yield packet
        decoded = decoded or bool(packet.decode())
    if not decoded:
        raise ValueError('no frame can be decoded')


def _shortfall(container, stream, end: float, num_frames: int) -> str:
    announced = _announced_seconds(container, stream)
    start = float((stream.start_time or 0) * stream.time_base)
    if announced is None or end - start > (1 - _SHORT_SHARE) * announced - _SHORT_SECONDS:
        return ''
    return (f'ends after {end - start:.2f} of {announced:.2f} seconds '
            f'({num_frames} frames{f" of {stream.frames}" if stream.frames else ""})')


def _announced_seconds(container, stream) -> float | None:
    """Duration by the header; the container's own may be that of the sound."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.audio:
        return container.duration / av.time_base
    return None


def _inspect_with_decord(path, num_frames: int) -> Finding:
    try:
        import decord
    except ImportError:
        return Finding(num_frames)
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        if len(reader):
            reader[0]
            return Finding(num_frames)
    except (RuntimeError, ValueError, IndexError) as error:  # DECORDError is a RuntimeError
        return Finding(num_frames, UNREADABLE, f'decord: {last_line(error)}')
    return Finding(num_frames, UNREADABLE, 'decord finds no frame')


def inspect_frames(folder, check: str = 'full') -> Finding:
    """Look at a folder of frames ``00001.jpg``, ``00002.jpg``, ...; other files do not count.

    Args:
        folder: the folder.
        check: one of :data:`CHECKS`.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if _FRAME.fullmatch(name))
    except OSError as error:
        return Finding(0, UNREADABLE, error.strerror or str(error))
    if not names:
        return Finding(0, EMPTY, 'no frame')
    for number, name in enumerate(names, 1):
        if int(_FRAME.fullmatch(name)[1]) != number:
            return Finding(len(names), FRAME_COUNT, f'{number:05}.jpg is missing, though there '
                           f'are {len(names)} frames up to {names[-1]}')
    for name in names:
        reason = _image_fault(Path(folder) / name, check)
        if reason:
            return Finding(len(names), UNREADABLE, f'{name}: {reason}')
    return Finding(len(names))


def _image_fault(path: Path, check: str) -> str:
    try:
        if path.stat().st_size == 0:
            return 'zero bytes'
        if check == 'full' or path.name == '00001.jpg':
            with Image.open(path) as image:
                image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return getattr(error, 'strerror', None) or last_line(error)
    return ''
