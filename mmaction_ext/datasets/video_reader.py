"""Frames of a video file by their number. Torch-free.

The number of a frame is its place in presentation order among what FFmpeg decodes from the start
of the file: where a container counts otherwise (packed B-frames, edit lists, open groups of
pictures, frames that are not to be shown), what is decoded is right. So frames are decoded in
order and counted, unless the packets alone prove which frame each of them is: then decoding
begins at the last key frame before a frame that is wanted.

T frames, H rows, W columns.
"""

import bisect
import contextlib
import functools
import io
import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from mmaction_ext.errors import InputError, last_line

#: bytes of decoded frames, and of packets, that a reader keeps so as not to make them twice
HELD_BYTES, KEPT_BYTES = 256 << 20, 64 << 20

#: containers that state when each packet is shown
_INDEXED_FORMATS = frozenset({'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'})
#: FFmpeg's AV_FIELD_PROGRESSIVE; else a packet may be half a frame. PyAV tells from 16 or later on
_PROGRESSIVE = 1


@dataclass(frozen=True)
class _NalCodec:
    """A codec whose packets, one a frame, are units behind their lengths (ISO 14496-15).

    Attributes:
        length_byte: place in the extradata of the bytes of a length, less one, in two bits.
        shift, mask: where a unit's first byte holds its type.
        restarts: types of the pictures behind which nothing refers to what was before.
        fields: whether a packet may be half a frame.
    """

    length_byte: int
    shift: int
    mask: int
    restarts: frozenset
    fields: bool = True

    def look(self, packet: av.Packet, extradata: bytes | None) -> tuple[int, bool]:
        """How many frames a packet shows, and whether decoding may begin with it."""
        if not packet.is_keyframe or not extradata or extradata[:1] != b'\x01':
            return 1, False
        size, data, place = (extradata[self.length_byte] & 3) + 1, memoryview(packet), 0
        while place + size < len(data):
            if data[place + size] >> self.shift & self.mask in self.restarts:
                return 1, True
            place += size + int.from_bytes(data[place:place + size], 'big')
        return 1, False


class _Vp9:
    """VP9, whose packets may hold frames that are not shown (bitstream specification 0.6)."""

    fields = False

    def look(self, packet: av.Packet, extradata: bytes | None) -> tuple[int, bool]:
        """How many frames a packet shows, and whether decoding may begin with it."""
        headers = [self._header(frame) for frame in self._frames(memoryview(packet))]
        return sum(shown for shown, _ in headers), headers[0] == (True, True)

    def _frames(self, data: memoryview) -> list[memoryview]:
        """Frames of a packet; the sizes of several stand at its end (annex B)."""
        number, width = (data[-1] & 7) + 1, (data[-1] >> 3 & 3) + 1
        index = data[-2 - number * width:]
        if data[-1] >> 5 != 6 or index[0] != data[-1]:
            return [data]
        frames, place = [], 0
        for at in range(1, 1 + number * width, width):
            frames.append(data[place:])
            place += int.from_bytes(index[at:at + width], 'little')
        return frames

    def _header(self, data: memoryview) -> tuple[bool, bool]:
        """Whether a frame is shown, and whether it is a key frame (section 6.2)."""
        bits = data[0] << (data[0] >> 4 & 3 == 3)  # profile 3 has a reserved bit more
        exists = bool(bits & 8)
        return exists or bool(bits & 2), not exists and not bits & 4


#: H.264, table 7-1: IDR; H.265, table 7-1: IDR_W_RADL, IDR_N_LP
_CODECS = {'h264': _NalCodec(4, 0, 31, frozenset({5})),
           'hevc': _NalCodec(21, 1, 63, frozenset({19, 20}), fields=False),
           'vp9': _Vp9()}


@dataclass(frozen=True)
class _Index:
    """Which packet is which frame.

    Attributes:
        pts: times at which frames are shown, ascending.
        packets: of each frame, the place of its packet in the file.
        starts: places of the packets with which decoding may begin, ascending.
    """

    pts: list
    packets: list
    starts: list

    @classmethod
    def proven(cls, pts: list, starts: list) -> '_Index | None':
        """The index of packets shown at ``pts``, if no two are shown at one time.

        Of ``starts`` those stay that nothing behind them in the file precedes and nothing before
        them follows; the first packet must be one.
        """
        pts = np.array(pts, np.int64)
        last, first = np.maximum.accumulate(pts), np.minimum.accumulate(pts[::-1])[::-1]
        closed = [place for place in starts
                  if first[place] == pts[place] and (not place or last[place - 1] < pts[place])]
        order = np.argsort(pts)
        if closed[:1] != [0] or (np.diff(pts[order]) == 0).any():
            return None
        return cls(pts[order].tolist(), order.tolist(), closed)

    def stretches(self, numbers: Iterable[int]) -> dict:
        """Packets to decode for some frames: the first of each stretch, and the one behind it."""
        found = {}
        for place in sorted(self.packets[number] for number in numbers):
            found[self.starts[bisect.bisect_right(self.starts, place) - 1]] = place + 1
        return found


class VideoReader:
    """A video file, and its frames by number.

    Args:
        source: path of the file, or its content.
        name: what errors call it; the path by default.

    Attributes:
        stream: the video stream as its container describes it.
        end: time at which the last packet ends, in the stream's time base.
        indexed: whether the packets prove which frame each of them is.

    Raises:
        InputError: the file is missing or is no video.
    """

    def __init__(self, source: str | Path | bytes, name: str | None = None) -> None:
        self._source, self.name = source, name or str(source)
        self._held, self._reformatter = None, VideoReformatter()
        with self._naming():
            self.stream = self._open()
            self._size = self.stream.height, self.stream.width  # a decoder may change them
            self._index = self._read_packets()
        self.indexed = self._index is not None

    @functools.cached_property
    def num_frames(self) -> int:
        """Frames in the file; unless it is indexed, all are decoded for this.

        Raises:
            InputError: one cannot be, or there is none.
        """
        with self._naming():
            number = len(self._index.pts) if self._index else self._hold()
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
        places = {}
        for place, number in enumerate(numbers):
            if not 0 <= number < self.num_frames:
                raise IndexError(f'{self.name}: asked for frame {number} of {self.num_frames}')
            places.setdefault(number, []).append(place)
        height, width = self._size
        images = np.empty((len(numbers), height, width, 3), np.uint8)
        with self._naming():
            for number, frame in self._wanted(places):
                image = self._reformatter.reformat(frame, width, height, 'rgb24').to_ndarray()
                images[places[number]] = image
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

    def _open(self) -> VideoStream:
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

    def _packets(self) -> Iterable[av.Packet]:
        """Packets of the stream for decoding from its beginning, the last one empty."""
        if self._kept is None:
            stream = self._open()
            return stream.container.demux(stream)
        self.stream.codec_context.flush_buffers()
        return self._kept

    def _read_packets(self) -> _Index | None:
        """Keep the packets, unless they are too many, and see what they prove."""
        context, container = self.stream.codec_context, self.stream.container
        codec = _CODECS.get(context.name)
        proven = (codec is not None and container.format.name in _INDEXED_FORMATS
                  and (not codec.fields or getattr(context, 'field_order', 0) == _PROGRESSIVE))
        rate, base = self.stream.average_rate, self.stream.time_base
        lasting = 1 / rate / base if rate and base else 0  # of one that does not say how long
        kept, size, pts, starts, self.end = [], 0, [], [], 0
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
            proven = proven and packet.pts is not None and not packet.is_discard
            if proven:
                shown, restarts = codec.look(packet, context.extradata)
                proven = shown == 1
                starts += [len(pts)] * restarts
            pts.append(packet.pts)
        self._kept = kept if size <= KEPT_BYTES else None
        return _Index.proven(pts, starts) if proven and pts else None

    def _hold(self) -> int:
        """Decode all frames, count them, and keep them, unless they are too many."""
        held, size, number = [], 0, 0
        for number, frame in enumerate(self.decode(), 1):
            size += 2 * frame.width * frame.height  # of yuv420p it is 1.5
            if size > HELD_BYTES:
                held.clear()
            else:
                held.append(frame)
        self._held = held if size <= HELD_BYTES else None
        return number

    def _wanted(self, numbers: Iterable[int]) -> Iterator[tuple]:
        """Number and frame of those asked for, as they are decoded."""
        if self._index is None:
            last = max(numbers, default=-1)
            for number, frame in enumerate(itertools.islice(self.decode(), last + 1)):
                if number in numbers:
                    yield number, frame
            return
        left = {self._index.pts[number]: number for number in numbers}
        for frame in self._decode_stretches(self._index.stretches(numbers)):
            if frame.pts in left:
                yield left.pop(frame.pts), frame
        if left:
            raise ValueError(f'no frame comes out of the packet of frame {min(left.values())}')

    def _decode_stretches(self, stretches: dict) -> Iterator[av.VideoFrame]:
        end = 0
        for place, packet in enumerate(self._packets()):
            end = stretches.get(place, end)
            if place < end:
                yield from packet.decode()
            if place == end - 1:  # what the decoder holds back
                context = packet.stream.codec_context
                yield from context.decode(None)
                context.flush_buffers()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Turn an error of opening and decoding into one with the file."""
        try:
            yield
        except InputError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f'{self.name}: the video cannot be decoded '
                             f'({last_line(error)})') from error
