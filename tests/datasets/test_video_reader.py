"""Frames by number from files whose containers count otherwise than FFmpeg decodes."""

import ast
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from published_data import (
    number_of,
    numbered,
    write_cut,
    write_joined,
    write_numbered,
    write_packed,
)

from mmaction_ext.datasets import video_reader
from mmaction_ext.datasets.video_reader import _CODECS, VideoReader
from mmaction_ext.errors import InputError

ROOT = Path(video_reader.__file__).parents[2]
#: file name -> what makes it, frames in it if that is simple, whether its packets prove the places
FILES = {
    'packed.avi': (lambda path: write_packed(path, 40), range(40), False),
    'b_frames.avi': (
        lambda path: write_numbered(path, 40, 'mpeg4', g='10', bf='2', sc_threshold='1000000000'),
        range(40),
        False,
    ),
    'mpeg2.avi': (
        lambda path: write_numbered(
            path, 40, 'mpeg2video', g='10', bf='2', sc_threshold='1000000000'
        ),
        range(40),
        False,
    ),
    'h264.avi': (
        lambda path: write_numbered(path, 40, 'libx264', g='10', bf='2'),
        range(40),
        False,
    ),
    'closed.mp4': (
        lambda path: write_numbered(path, 40, 'libx264', g='10', bf='3'),
        range(40),
        True,
    ),
    'intra.mp4': (
        lambda path: write_numbered(path, 12, 'libx264', g='1', bf='0'),
        range(12),
        True,
    ),
    'open.mp4': (
        lambda path: write_numbered(
            path,
            40,
            'libx264',
            **{'x264-params': 'open-gop=1:keyint=10:min-keyint=10:bframes=3:scenecut=0'},
        ),
        range(40),
        False,
    ),
    'interlaced.mp4': (
        lambda path: write_numbered(path, 40, 'libx264', **{'x264-params': 'tff=1:keyint=10'}),
        range(40),
        False,
    ),
    'cut.mp4': (lambda path: write_cut(path, 60, 17, g='30', bf='3'), range(17, 60), False),
    'open265.mp4': (
        lambda path: write_numbered(
            path, 40, 'libx265', **{'x265-params': 'keyint=10:min-keyint=10:log-level=none'}
        ),
        range(40),
        False,
    ),
    'closed265.mp4': (
        lambda path: write_numbered(
            path,
            40,
            'libx265',
            **{'x265-params': 'keyint=10:min-keyint=10:open-gop=0:log-level=none'},
        ),
        range(40),
        True,
    ),
    # as streams without times get in a new container
    'times_of_decoding.mkv': (
        lambda path: write_joined(
            path, (path.with_name('closed.mp4'), 0), shown=lambda packet, time: packet.dts + time
        ),
        range(40),
        True,
    ),
    'times_of_decoding_265.mkv': (
        lambda path: write_joined(
            path,
            (path.with_name('closed265.mp4'), 0),
            shown=lambda packet, time: packet.dts + time,
        ),
        range(40),
        True,
    ),
    'joined.mkv': (
        lambda path: write_joined(
            path, (path.with_name('closed.mp4'), 0), (path.with_name('open.mp4'), 10)
        ),
        None,
        False,
    ),
    'joined265.mkv': (
        lambda path: write_joined(
            path, (path.with_name('closed265.mp4'), 0), (path.with_name('open265.mp4'), 10)
        ),
        None,
        False,
    ),
    # without a key frame, of which the decoder drops all that refer to it
    'lost265.mp4': (
        lambda path: write_joined(path, (path.with_name('closed265.mp4'), 0), lost=10),
        None,
        False,
    ),
    'hidden.webm': (
        lambda path: write_numbered(
            path,
            40,
            'libvpx',
            **{'auto-alt-ref': '1', 'lag-in-frames': '16', 'b': '200k', 'g': '20'},
        ),
        range(40),
        False,
    ),
    'vp9.webm': (
        lambda path: write_numbered(
            path,
            40,
            'libvpx-vp9',
            **{
                'auto-alt-ref': '1',
                'lag-in-frames': '16',
                'b': '100k',
                'g': '20',
                'cpu-used': '8',
            },
        ),
        range(40),
        True,
    ),
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    for name, (make, _, _) in FILES.items():
        make(folder / name)
    return folder


@pytest.mark.parametrize('name', FILES)
def test_frame_is_the_one_that_ffmpeg_decodes_at_its_place(folder, name):
    path, (_, numbers, indexed) = folder / name, FILES[name]
    with av.open(str(path)) as container:
        truth = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    assert numbers is None or [number_of(image) for image in truth] == list(numbers)
    reader = VideoReader(path)
    assert (reader.num_frames, reader.indexed) == (len(truth), indexed)
    assert np.array_equal(reader.read(), truth)
    rng = np.random.default_rng(0)
    for size in (1, 3, 8):
        wanted = rng.integers(len(truth), size=size)
        assert np.array_equal(VideoReader(path).read(wanted), [truth[n] for n in wanted])
        assert np.array_equal(reader.read(wanted), [truth[n] for n in wanted])  # a second time


@pytest.mark.parametrize('name', ['packed.avi', 'closed.mp4', 'cut.mp4'])
def test_nothing_changes_where_neither_packets_nor_frames_are_kept(folder, name, monkeypatch):
    expected = VideoReader(folder / name).read([30, 2, 2])
    monkeypatch.setattr(video_reader, 'HELD_BYTES', 10_000)
    monkeypatch.setattr(video_reader, 'KEPT_BYTES', 500)
    reader = VideoReader(folder / name)
    for _ in range(2):
        assert np.array_equal(reader.read([30, 2, 2]), expected)


def test_only_what_is_wanted_is_decoded_of_an_indexed_file(folder, monkeypatch):
    decoded = []
    original = VideoReader._decode_group
    monkeypatch.setattr(
        VideoReader,
        '_decode_group',
        lambda self, *place: (
            decoded.append(frame.pts) or frame for frame in original(self, *place)
        ),
    )
    assert [number_of(image) for image in VideoReader(folder / 'closed.mp4').read([38, 21])] == [
        38,
        21,
    ]
    assert len(decoded) <= 4 + 10


@pytest.mark.parametrize('kept', [True, False])
def test_what_a_decoder_holds_goes_with_its_reader(folder, monkeypatch, kept):
    if not kept:
        monkeypatch.setattr(video_reader, 'KEPT_BYTES', 0)
    opened, original = [], av.open
    monkeypatch.setattr(av, 'open', lambda name: opened.append(original(name)) or opened[-1])
    reader = VideoReader(folder / 'packed.avi')
    reader.read([3])
    del reader
    assert len(opened) == (1 if kept else 2)
    for container in opened:
        with pytest.raises(AssertionError, match='not open'):
            next(container.demux())


def test_content_in_memory_and_a_name_that_looks_like_an_address(folder, tmp_path, monkeypatch):
    content = (folder / 'intra.mp4').read_bytes()
    assert number_of(VideoReader(content, 'here').read([7])[0]) == 7
    (tmp_path / 'http:').mkdir()
    (tmp_path / 'http:/a.mp4').write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert number_of(VideoReader('http:/a.mp4').read([5])[0]) == 5


def test_repeated_frames_are_copies_and_numbers_beyond_the_end_are_refused(folder):
    reader = VideoReader(folder / 'intra.mp4')
    first, second = reader.read([3, 3])
    first[:] = 0
    assert number_of(second) == 3
    for number in (-1, 12):
        with pytest.raises(IndexError, match=f'frame {number} of 12'):
            reader.read([number])


def test_frames_of_changing_size_come_in_that_of_the_stream(tmp_path):
    sizes = [(64, 128)] * 3 + [(32, 64)] * 3
    with av.open(str(tmp_path / 'a.mkv'), 'w') as container:
        stream = container.add_stream('mjpeg', rate=5)
        stream.height, stream.width, stream.pix_fmt = 64, 128, 'yuvj420p'
        for number, size in enumerate(sizes):
            coder = av.CodecContext.create('mjpeg', 'w')
            coder.height, coder.width = size
            coder.pix_fmt, coder.time_base = 'yuvj420p', Fraction(1, 5)
            for packet in coder.encode(
                av.VideoFrame.from_ndarray(numbered(number, *size), 'rgb24')
            ):
                packet.stream, packet.pts, packet.dts = stream, 200 * number, 200 * number
                container.mux(packet)
    images = VideoReader(tmp_path / 'a.mkv').read()
    assert images.shape == (6, 64, 128, 3)
    assert [number_of(image) for image in images] == list(range(6))


@pytest.mark.parametrize('content', [None, b'', b'no video' * 200])
def test_what_is_no_video_is_named(tmp_path, content):
    path = tmp_path / 'broken.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r'broken.mp4: the video cannot be decoded'):
        VideoReader(path)


@pytest.mark.parametrize(
    'units, expected',
    [
        ([(19, 0x80)], (1, True)),
        ([(32, 1), (20, 0x80)], (1, True)),  # a parameter set, then IDR
        ([(1, 0x80)], (1, False)),
        ([(21, 0x80)], (1, False)),  # CRA: frames before it may follow
        ([(19, 0xC0)], (None, False)),  # frames that are still to be shown will not be
        ([(1, 0xC0)], (1, False)),
        ([(16, 0x80)], (None, False)),
        ([(1, 0x80), (36, 0)], (None, False)),
        ([(1, 0x80), (37, 0)], (None, False)),
    ],
)
def test_what_an_h265_packet_says(units, expected):
    """Units of one byte behind their two bytes of header, ISO 23008-2 section 7.3.1.2."""
    data = b''.join(bytes([0, 0, 3, kind << 1, 1, byte]) for kind, byte in units)
    assert _CODECS['hevc'].look(av.Packet(data), bytes([1, *[0] * 20, 2])) == expected
    assert _CODECS['hevc'].look(av.Packet(data), None) == (None, False)


@pytest.mark.parametrize(
    'data, expected',
    [
        ([0x82], (1, True)),
        ([0x86], (1, False)),
        ([0x84], (0, False)),
        ([0x88], (1, False)),  # shows an earlier one
        ([0xB1], (1, True)),
        ([0xB3], (1, False)),  # profile 3
        ([0x84, 7, 0x86, 0xC1, 2, 1, 0xC1], (1, False)),  # one hidden, one shown
        ([0x82, 7, 0x86, 0xC1, 2, 1, 0xC1], (2, True)),
    ],
)
def test_frames_that_a_vp9_packet_shows(data, expected):
    assert _CODECS['vp9'].look(av.Packet(bytes(data)), None) == expected


def test_decord_is_neither_imported_nor_required_nor_named_by_configs():
    for path in [
        *ROOT.glob('mmaction_ext/**/*.py'),
        *ROOT.glob('tools/**/*.py'),
        *ROOT.glob('configs/**/*.py'),
    ]:
        tree = ast.parse(path.read_text(encoding='utf-8'))
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if 'benchmarks' not in path.parts:  # one measures against it
            assert 'decord' not in names, path
        if path.name != 'clip_loading.py':  # which takes configs of others
            assert "type='Decord" not in path.read_text(encoding='utf-8'), path
    assert 'decord' not in (ROOT / 'setup.cfg').read_text(encoding='utf-8')
