"""A look at one video or one folder of frames: is it what a training run can read? Torch-free."""

import os
import re
from dataclasses import dataclass, field
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
_PICTURES = ('.jpg', '.jpeg', '.png')
#: time and line of decord's source, before what it says
_DECORD_PLACE = re.compile(r'^\[[\d:]+\] \S+: ')


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
    cut off. Damage shows where the decoder stops or says that it has made up a part of a frame;
    those of VP8 and VP9 do not say so, and bits may change into others that mean something.

    Args:
        path: the file.
        check: one of :data:`CHECKS`.
    """
    seen = _Seen()
    try:
        if os.path.getsize(path) == 0:
            return Finding(0, EMPTY, 'zero bytes')
        shortfall = _read_video(path, check, seen)
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        return Finding(seen.frames, UNREADABLE, f'after {seen.frames} frames: {last_line(error)}')
    if not seen.frames:
        return Finding(0, EMPTY, 'no frame')
    if shortfall:
        return Finding(seen.frames, FRAME_COUNT, shortfall)
    if seen.damaged:
        return Finding(seen.frames, UNREADABLE, seen.damage())
    return _inspect_with_decord(path, seen.frames)


@dataclass
class _Seen:
    """What has been read of a video: frames (packets in a quick check) and where they end."""

    frames: int = 0
    packets_end: int = 0  # in units of the stream's time base
    end: float = 0.0  # of the frames, in seconds
    begun: bool = False
    damaged: list = field(default_factory=list)

    def add(self, unit, stream) -> None:
        """Count a frame or packet; one that does not say how long it lasts lasts an average."""
        self.frames += 1
        seconds = (unit.duration or 0) * unit.time_base
        if not seconds and stream.average_rate:
            seconds = 1 / stream.average_rate
        if unit.pts is not None:
            self.end = max(self.end, float(unit.pts * unit.time_base + seconds))

    def judge(self, frame) -> None:
        """Note damage, but not to what precedes the first key frame and hangs in the air."""
        self.begun = self.begun or frame.key_frame
        if self.begun and frame.is_corrupt:
            self.damaged.append(self.frames)

    def damage(self) -> str:
        """Which frames are damaged."""
        more = f', and {len(self.damaged) - 1} more of {self.frames}' * (len(self.damaged) > 1)
        return f'frame {self.damaged[0]} is damaged{more}'


def _read_video(path, check: str, seen: _Seen) -> str:
    """Count frames; returns in what way the video is too short, or ``''``."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError('no video stream')
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # there is a process for every processor
        packets = _packets(container, stream, seen)
        (_decode_all if check == 'full' else _decode_one)(stream, packets, seen)
        return _shortfall(container, stream, seen)


def _packets(container, stream, seen: _Seen):
    """Packets of a stream, the last one empty; they are followed to their end."""
    for packet in container.demux(stream):
        if packet.size and packet.dts is not None:
            seen.packets_end = max(seen.packets_end, packet.dts + (packet.duration or 1))
        yield packet


def _decode_all(stream, packets, seen: _Seen) -> None:
    for packet in packets:
        for frame in packet.decode():
            seen.add(frame, stream)
            seen.judge(frame)


def _decode_one(stream, packets, seen: _Seen) -> None:
    """Decode the first frame and count packets otherwise."""
    decoded = False
    for packet in packets:
        if packet.size:
            seen.add(packet, stream)
        decoded = decoded or bool(packet.decode())
    if not decoded:
        raise ValueError('no frame can be decoded')


def _shortfall(container, stream, seen: _Seen) -> str:
    if 0 < stream.frames <= seen.frames:
        return ''
    of_all = f' of {stream.frames}' if stream.frames else ''
    if _is_cut_avi(container, stream, seen):
        return f'the file ends after {seen.frames} frames{of_all}'
    announced, end = _announced_seconds(container, stream), seen.end
    if stream.duration:  # which begins with the stream; a container's begins at zero
        end -= float((stream.start_time or 0) * stream.time_base)
    if announced is None or end > (1 - _SHORT_SHARE) * announced - _SHORT_SECONDS:
        return ''
    return f'ends after {end:.2f} of {announced:.2f} seconds ({seen.frames} frames{of_all})'


def _is_cut_avi(container, stream, seen: _Seen) -> bool:
    """Whether an AVI ends before the number of frames that its header states.

    FFmpeg shortens the duration of one whose data the file does not hold in full. A time stamp
    is the number of a frame then, with those counted that are left out as equal to the one
    before, of which there is no packet.
    """
    return (container.format.name == 'avi' and (stream.duration or 0) < stream.frames
            and seen.packets_end < (1 - _SHORT_SHARE) * stream.frames)


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
    except Exception as error:  # DECORDError is nothing more special
        reason = _DECORD_PLACE.sub('', last_line(error))
        return Finding(num_frames, UNREADABLE, f'decord: {reason}')
    return Finding(num_frames, UNREADABLE, 'decord finds no frame')


def inspect_frames(folder, check: str = 'full') -> Finding:
    """Look at a folder of frames ``00001.jpg``, ``00002.jpg``, ...; other files do not count.

    Args:
        folder: the folder.
        check: one of :data:`CHECKS`.
    """
    try:
        found = sorted(os.listdir(folder))
    except OSError as error:
        return Finding(0, UNREADABLE, error.strerror or str(error))
    names = [name for name in found if _FRAME.fullmatch(name)]
    if not names:
        return Finding(0, EMPTY, _no_frame(found))
    for number, name in enumerate(names, 1):
        if int(_FRAME.fullmatch(name)[1]) != number:
            return Finding(len(names), FRAME_COUNT, f'{number:05}.jpg is missing, though there '
                           f'are {len(names)} frames up to {names[-1]}')
    for name in names:
        reason = _image_fault(Path(folder) / name, check)
        if reason:
            return Finding(len(names), UNREADABLE, f'{name}: {reason}')
    return Finding(len(names))


def _no_frame(found: list) -> str:
    others = [name for name in found if name.lower().endswith(_PICTURES)]
    if not others:
        return 'no frame'
    return (f'no frame named like 00001.jpg, though there are {len(others)} pictures, first '
            f'{others[0]}')


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
