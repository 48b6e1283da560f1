"""Frames of a video file by their number. Torch-free.

The number of a frame is its place in presentation order among what FFmpeg decodes from the start
of the file: where a container counts otherwise (packed B-frames, edit lists, open groups of
pictures, frames that are not to be shown), what is decoded is right. So frames are decoded in
order and counted, unless the packets alone prove how many frames there are before each place at
which decoding may begin: then it begins at the last one before a frame that is wanted. Times say
nothing of the order: a container may have those of decoding in the place of those of showing.

T frames, H rows, W columns.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import io
import itertools
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from mmaction_ext.errors import InputError, last_line

if TYPE_CHECKING:
    Packet = av.Packet[av.VideoStream]

#: bytes of decoded frames, and of packets, that a reader keeps so as not to make them twice
HELD_BYTES, KEPT_BYTES = 256 << 20, 64 << 20

#: containers that state when each packet is shown
_INDEXED_FORMATS = frozenset({'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'})
#: FFmpeg's AV_FIELD_PROGRESSIVE; else a packet may be half a frame. PyAV tells from 16 or later on
_PROGRESSIVE = 1
#: PyAV 17 and later convert each small frame in slices, by threads that cost more than they save
_CONVERSION: dict[str, Any] = {'threads': 1} if int(av.__version__.split('.')[0]) >= 17 else {}


@dataclass(frozen=True)
class _NalCodec:
    """A codec whose packets, one a frame, are units behind their lengths (ISO 14496-15).

    Attributes:
        length_byte: place in the extradata of the bytes of a length, less one, in two bits.
        shift, mask: where a unit's first byte holds its type.
        restarts: types of the pictures behind which nothing refers to what was before.
        breaks: types around which pictures may be left out.
        fields: whether a packet may be half a frame.
        drops: whether a decoder leaves out pictures that refer to one which is not there.
    """

    length_byte: int
    shift: int
    mask: int
    restarts: frozenset[int]
    breaks: frozenset[int] = frozenset()
    fields: bool = True
    drops: bool = False

    def look(self, packet: Packet, extradata: bytes | None) -> tuple[int | None, bool]:
        """How many frames a packet shows, where that is sure; whether decoding may begin there."""
        if not extradata or extradata[:1] != b'\x01':
            return None, False
        if not packet.is_keyframe and not self.breaks:
            return 1, False
        size, data, place, kinds = (extradata[self.length_byte] & 3) + 1, bytes(packet), 0, set()
        while place + size < len(data):
            kind = data[place + size] >> self.shift & self.mask
            # no_output_of_prior_pics_flag of H.265: pictures that wait to be shown never are
            if self.breaks and kind in self.restarts and data[place + size + 2 :][:1] >= b'\xc0':
                return None, False
            kinds.add(kind)
            place += size + int.from_bytes(data[place : place + size], 'big')
        return None if kinds & self.breaks else 1, bool(kinds & self.restarts)


class _Vp9:
    """VP9, whose packets may hold frames that are not shown (bitstream specification 0.6)."""

    fields = drops = False

    def look(self, packet: Packet, extradata: bytes | None) -> tuple[int | None, bool]:
        """As of :class:`_NalCodec`."""
        headers = [self._header(frame) for frame in self._frames(memoryview(packet))]
        return sum(shown for shown, _ in headers), headers[0] == (True, True)

    def _frames(self, data: memoryview) -> list[memoryview]:
        """Frames of a packet; the sizes of several stand at its end (annex B)."""
        number, width = (data[-1] & 7) + 1, (data[-1] >> 3 & 3) + 1
        index = data[-2 - number * width :]
        if data[-1] >> 5 != 6 or index[0] != data[-1]:
            return [data]
        frames, place = [], 0
        for at in range(1, 1 + number * width, width):
            frames.append(data[place:])
            place += int.from_bytes(index[at : at + width], 'little')
        return frames

    def _header(self, data: memoryview) -> tuple[bool, bool]:
        """Whether a frame is shown, and whether it is a key frame (section 6.2)."""
        bits = data[0] << (data[0] >> 4 & 3 == 3)  # profile 3 has a reserved bit more
        exists = bool(bits & 8)
        return exists or bool(bits & 2), not exists and not bits & 4


#: H.264, table 7-1: IDR; H.265, table 7-1: IDR_W_RADL, IDR_N_LP; BLA, ends of sequence and stream
_CODECS: dict[str, _NalCodec | _Vp9] = {
    'h264': _NalCodec(4, 0, 31, frozenset({5})),
    'hevc': _NalCodec(
        21, 1, 63, frozenset({19, 20}), frozenset({16, 17, 18, 36, 37}), fields=False, drops=True
    ),
    'vp9': _Vp9(),
}


class VideoReader:
    """A video file, and its frames by number.

    Args:
        source: path of the file, or its content.
        name: what errors call it; the path by default.

    Attributes:
        stream: the video stream as its container describes it.
        end: time at which the last packet ends, in the stream's time base.
        indexed: whether the packets prove how many frames there are before each restart.

    Raises:
        InputError: the file is missing or is no video.
    """

    def __init__(self, source: str | Path | bytes, name: str | None = None) -> None:
        self._source, self.name = source, name or str(source)
        self._held: list[av.VideoFrame] | None = None
        self._reformatter = VideoReformatter()
        with self._naming():
            self.stream = self._open()
            self._size = self.stream.height, self.stream.width  # a decoder may change them
            self._starts = self._read_packets()
        self.indexed = bool(self._starts)

    @functools.cached_property
    def num_frames(self) -> int:
        """Frames in the file; unless it is indexed, all are decoded for this.

        Raises:
            InputError: one cannot be, or there is none.
        """
        with self._naming():
            number = self._starts[-1] if self._starts else self._hold()
        if not number:
            raise InputError(f'{self.name}: the video holds no frame')
        return number

    def read(self, numbers: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Frames in the order asked for, all of the size that the stream states.

        Args:
            numbers: their numbers, from 0 on, in any order, repeated or not; all by default.

        Returns:
            (len(numbers), H, W, 3) of uint8, RGB.

        Raises:
            IndexError: there is no frame of such a number.
            InputError: a frame cannot be decoded.
        """
        numbers = range(self.num_frames) if numbers is None else np.ravel(numbers).tolist()
        places: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            if not 0 <= number < self.num_frames:
                raise IndexError(f'{self.name}: asked for frame {number} of {self.num_frames}')
            places.setdefault(number, []).append(place)
        height, width = self._size
        images = np.empty((len(numbers), height, width, 3), np.uint8)
        with self._naming():
            for number, frame in self._wanted(places):
                image = self._reformatter.reformat(frame, width, height, 'rgb24', **_CONVERSION)
                images[places[number]] = image.to_ndarray()
        return images

    def decode(self) -> Iterator[av.VideoFrame]:
        """Every frame, in order.

        Raises:
            av.error.FFmpegError: one cannot be decoded.
        """
        if self._held is not None:
            yield from self._held
            return
        for packet in self._packets():
            yield from packet.decode()

    def _open(self) -> Any:
        source = self._source
        # without the protocol, a name such as a:b.mp4 or http://... would be an address
        container = av.open(io.BytesIO(source) if isinstance(source, bytes) else f'file:{source}')
        # container and streams refer to each other: the memory of a decoder's frames would stay
        # until the garbage collector comes, hundreds of megabytes of it
        weakref.finalize(self, container.close).atexit = False
        stream = container.streams.best('video')
        if stream is None:
            raise ValueError('no video stream')
        stream.codec_context.thread_count = 1  # there is a process for every processor
        return stream

    def _packets(self) -> Iterable[Packet]:
        """Packets of the stream for decoding from its beginning, the last one empty."""
        if self._kept is None:
            stream = self._open()
            return stream.container.demux(stream)
        self.stream.codec_context.flush_buffers()
        return self._kept

    def _read_packets(self) -> list[int]:
        """Keep the packets, unless they are too many, and see what they prove.

        Returns:
            Places of the packets with which decoding may begin, ascending, and their number; empty
            where it is not sure that each of them shows one frame.
        """
        context, container = self.stream.codec_context, self.stream.container
        codec = _CODECS.get(context.name)
        proven = (
            codec is not None
            and container.format.name in _INDEXED_FORMATS
            and (not codec.fields or getattr(context, 'field_order', 0) == _PROGRESSIVE)
        )
        rate, base = self.stream.average_rate, self.stream.time_base
        lasting = 1 / rate / base if rate and base else 0  # of one that does not say how long
        kept: list[Packet] = []
        times: list[int] = []
        size, starts, self.end = 0, [], 0
        for packet in container.demux(self.stream):
            size += packet.size
            if size > KEPT_BYTES:
                kept.clear()
            else:
                kept.append(packet)
            if not packet.size:
                continue
            shown = packet.dts if packet.pts is None else packet.pts
            self.end = max(self.end, (shown or 0) + (packet.duration or lasting))
            if codec and proven:
                frames, restarts = codec.look(packet, context.extradata)
                # behind a key frame that is no restart, where streams were joined, some may be
                # left out
                proven = (
                    frames == 1
                    and restarts >= packet.is_keyframe
                    and packet.pts is not None
                    and not packet.is_discard
                )
                starts += [len(times)] * restarts
            times.append(shown)
        self._kept = kept if size <= KEPT_BYTES else None
        if not (codec and proven and starts[:1] == [0]) or (codec.drops and _have_gap(times)):
            return []
        return [*starts, len(times)]

    def _hold(self) -> int:
        """Decode all frames, count them, and keep them, unless they are too many."""
        held: list[av.VideoFrame] = []
        size = number = 0
        for number, frame in enumerate(self.decode(), 1):  # noqa: B007  read after the loop
            size += 2 * frame.width * frame.height  # of yuv420p it is 1.5
            if size > HELD_BYTES:
                held.clear()
            else:
                held.append(frame)
        self._held = held if size <= HELD_BYTES else None
        return number

    def _wanted(self, numbers: Iterable[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Number and frame of those asked for, as they are decoded."""
        left = sorted(numbers)
        if self._starts:
            packets = enumerate(self._packets())
            for start, members in itertools.groupby(left, self._start_before):
                group = list(members)
                frames = self._search(packets, start, group)
                if not frames:
                    self._starts = []  # they come in another order than that of their times
                    break
                yield from zip(group, frames, strict=True)
                left = left[len(group) :]
        end = left[-1] + 1 if left else 0
        for number, frame in enumerate(itertools.islice(self.decode(), end)):
            if number in left:
                yield number, frame

    def _start_before(self, number: int) -> int:
        return self._starts[bisect.bisect_right(self._starts, number) - 1]

    def _search(
        self, packets: Iterator[tuple[int, Packet]], start: int, numbers: list[int]
    ) -> list[av.VideoFrame]:
        """Frames of a group of pictures, which come in the order in which they are shown.

        A decoder that begins there may know less of how long to hold a picture back than one that
        began with the file: then, but not only then, their times do not ascend.

        Args:
            packets: with their places; those up to the last one needed are taken.
            start: place of the group's first packet, which is the number of its first frame, too.
            numbers: those asked for, ascending.

        Returns:
            The frames; none of them where times do not ascend.
        """
        found, last = [], None
        with contextlib.closing(self._decode_group(packets, start)) as frames:
            for number, frame in enumerate(frames, start):
                if start and (frame.pts is None or (last is not None and frame.pts <= last)):
                    return []
                last = frame.pts
                if number in numbers:
                    found.append(frame)
                if number == numbers[-1]:
                    return found
        raise ValueError(f'no frame comes out of the packet of frame {numbers[len(found)]}')

    def _decode_group(
        self, packets: Iterator[tuple[int, Packet]], start: int
    ) -> Generator[av.VideoFrame, None, None]:
        end, context = self._starts[bisect.bisect_right(self._starts, start)], None
        try:
            for place, packet in packets:
                context = packet.stream.codec_context
                if place >= start:
                    yield from packet.decode()
                if place == end - 1:
                    yield from context.decode(None)  # what the decoder holds back
                    return
        finally:
            if context:
                context.flush_buffers()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Turn an error of opening and decoding into one with the file."""
        try:
            yield
        except InputError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f'{self.name}: the video cannot be decoded ({last_line(error)})'
            ) from error


def _have_gap(times: Sequence[int]) -> bool:
    """Whether one of the frames that are shown at some times, in any order, may be missing."""
    steps = np.diff(np.sort(times))
    return steps.size > 0 and bool(steps.max() > 1.5 * np.median(steps))
