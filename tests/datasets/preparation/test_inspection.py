"""Real videos and frames, and the faults that downloads and full disks leave in them."""

import contextlib
import os
import re
from types import SimpleNamespace

import av
import numpy as np
import pytest
from published_data import CODECS, write_frames, write_video

from mmaction_ext.datasets.frame_names import FrameNames
from mmaction_ext.datasets.preparation.inspection import (
    EMPTY,
    FRAME_COUNT,
    UNREADABLE,
    _Seen,
    inspect_frames,
    inspect_video,
)

CHECKS = pytest.mark.parametrize('check', ['full', 'quick'])


@contextlib.contextmanager
def same_priority():
    """Leave this thread as important as it was.

    SVT-AV1, where root runs it, makes the thread that calls it a real-time one and leaves it so:
    all that the tests started from then on would keep everything else from the processor.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def encode(path, num_frames, codec=None, rate=10, side=32, step=1, options=None):
    """A picture that moves sideways, of which every ``step``-th time has a frame."""
    picture = np.random.RandomState(0).randint(0, 256, (side, side, 3), np.uint8)
    with same_priority(), av.open(str(path), 'w') as container:
        stream = container.add_stream(codec or CODECS[path.suffix][0], rate, options=options or {})
        stream.width = stream.height = side
        stream.pix_fmt = 'yuv420p'
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * number, 1), format='rgb24')
            frame.pts = step * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def packets(path):
    """Place and size of each, in bytes."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def overwrite(path, place, size):
    """Put noise into a file."""
    data = bytearray(path.read_bytes())
    data[place : place + size] = np.random.RandomState(1).bytes(size)
    path.write_bytes(data)


@CHECKS
@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.webm', '.mkv'])
def test_sound_videos_pass_with_their_frames_counted(tmp_path, check, suffix):
    write_video(tmp_path / f'a{suffix}', 12)
    inspection = inspect_video(tmp_path / f'a{suffix}', check)
    assert (inspection.num_frames, inspection.fault, inspection.reason) == (12, None, '')


@CHECKS
def test_zero_bytes(tmp_path, check):
    (tmp_path / 'a.mp4').touch()
    inspection = inspect_video(tmp_path / 'a.mp4', check)
    assert (inspection.fault, inspection.reason) == (EMPTY, 'zero bytes')


@CHECKS
@pytest.mark.parametrize('content', [b'<html>Not Found</html>' * 50, bytes(5000)])
def test_what_is_no_video(tmp_path, check, content):
    (tmp_path / 'a.webm').write_bytes(content)
    inspection = inspect_video(tmp_path / 'a.webm', check)
    assert inspection.fault == UNREADABLE and inspection.reason.startswith('after 0 frames: ')


@CHECKS
def test_missing_file_and_folder_in_place_of_a_file(tmp_path, check):
    assert inspect_video(tmp_path / 'gone.mp4', check).fault == UNREADABLE
    (tmp_path / 'a.mp4').mkdir()
    assert inspect_video(tmp_path / 'a.mp4', check).fault == UNREADABLE


@CHECKS
def test_sound_without_picture(tmp_path, check):
    with av.open(str(tmp_path / 'a.mp4'), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    inspection = inspect_video(tmp_path / 'a.mp4', check)
    assert inspection.fault == UNREADABLE and 'no video stream' in inspection.reason


@CHECKS
@pytest.mark.parametrize(
    'suffix, options',
    [('.mp4', {'movflags': 'faststart'}), ('.webm', {}), ('.mkv', {}), ('.avi', {})],
)
def test_file_cut_off_in_the_middle(tmp_path, check, suffix, options):
    path = tmp_path / f'a{suffix}'
    write_video(path, 40, options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    inspection = inspect_video(path, check)
    assert inspection.fault in (FRAME_COUNT, UNREADABLE), inspection
    if inspection.fault == FRAME_COUNT:
        assert 5 < inspection.num_frames < 30 and 'ends after ' in inspection.reason


def copy_with(path, source, delay=0, sound=None, **options):
    """Copy the packets of a video, so many seconds later, and add seconds of sound."""
    with av.open(str(source)) as whole, av.open(str(path), 'w', options=options) as container:
        (video,) = whole.streams.video
        stream = container.add_stream_from_template(video)
        track = sound and container.add_stream('aac', rate=8000)
        for packet in [each for each in whole.demux(video) if each.size]:
            packet.stream = stream
            packet.pts += round(delay / video.time_base)
            packet.dts += round(delay / video.time_base)
            container.mux(packet)
        for number in range(int((sound or 0) * 8000 / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
            frame.sample_rate, frame.pts = 8000, 1024 * number
            container.mux(track.encode(frame))
        if track:
            container.mux(track.encode())


@CHECKS
@pytest.mark.parametrize('bf', ['0', '3'])
@pytest.mark.parametrize('delay', [0, 3])
def test_stream_that_was_cut_is_too_short_wherever_it_starts(tmp_path, check, delay, bf):
    """Between two packets: the last one in the file may be shown before others."""
    path = tmp_path / 'b.mp4'
    encode(tmp_path / 'a.mp4', 40, options={'bf': bf})
    copy_with(path, tmp_path / 'a.mp4', delay, movflags='faststart')
    with av.open(str(path)) as container:
        (video,) = container.streams.video
        assert video.start_time * video.time_base == pytest.approx(delay, abs=0.21)
    assert inspect_video(path, check).fault is None
    place, size = packets(path)[19]
    path.write_bytes(path.read_bytes()[: place + size])
    inspection = inspect_video(path, check)
    assert inspection.fault == FRAME_COUNT and ' of 40)' in inspection.reason
    assert re.match(r'ends after [12]\.\d\d of 4\.00 seconds', inspection.reason)


@CHECKS
def test_last_packet_of_a_file_may_be_shown_before_others(tmp_path, check):
    """Of a frame a second, each counts."""
    encode(tmp_path / 'a.mkv', 9, rate=1, options={'bf': '3', 'x264-params': 'b-adapt=0'})
    with av.open(str(tmp_path / 'a.mkv')) as container:
        shown = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert shown[-1] < max(shown)
    assert inspect_video(tmp_path / 'a.mkv', check).fault is None


@CHECKS
def test_sound_that_is_longer_than_the_picture_is_no_fault(tmp_path, check):
    encode(tmp_path / 'a.mp4', 20)
    copy_with(tmp_path / 'b.mkv', tmp_path / 'a.mp4', sound=5)
    with av.open(str(tmp_path / 'b.mkv')) as container:
        assert container.duration > 4e6 and not container.streams.video[0].duration
    inspection = inspect_video(tmp_path / 'b.mkv', check)
    assert (inspection.num_frames, inspection.fault, inspection.reason) == (20, None, '')


def test_mp4_without_its_index(tmp_path):
    write_video(tmp_path / 'a.mp4', 40)
    data = (tmp_path / 'a.mp4').read_bytes()
    (tmp_path / 'a.mp4').write_bytes(data[:-100])
    assert inspect_video(tmp_path / 'a.mp4').fault in (UNREADABLE, EMPTY)


def test_damage_in_the_middle_is_found_by_decoding(tmp_path):
    write_video(tmp_path / 'a.mp4', 40)
    data = bytearray((tmp_path / 'a.mp4').read_bytes())
    data[len(data) // 4 : 3 * len(data) // 4] = bytes(len(data) // 2)
    (tmp_path / 'a.mp4').write_bytes(data)
    inspection = inspect_video(tmp_path / 'a.mp4')
    assert inspection.fault == UNREADABLE and 0 < inspection.num_frames < 40
    assert inspection.reason.startswith(f'after {inspection.num_frames} frames: ')


@CHECKS
@pytest.mark.parametrize(
    'name, codec, num_frames',
    [('a.mp4', 'libsvtav1', 4), ('a.mkv', 'libx264', 1), ('a.webm', 'libvpx', 1)],
)
def test_video_of_any_codec_that_ffmpeg_reads(tmp_path, check, name, codec, num_frames):
    if codec not in av.codecs_available:
        pytest.skip(f'PyAV was built without {codec}')
    encode(tmp_path / name, num_frames, codec=codec, rate=12, side=64)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    inspection = inspect_video(tmp_path / name, check)
    assert (inspection.num_frames, inspection.fault, inspection.reason) == (num_frames, None, '')


@CHECKS
@pytest.mark.parametrize(
    'name, num_frames, rate',
    [
        ('a.mp4', 10, 1),
        ('a.webm', 10, 1),
        ('a.mkv', 10, 1),
        ('a.avi', 10, 1),
        ('a.mp4', 3, 2),
        ('a.webm', 4, 3),
    ],
)
def test_last_frame_counts_for_as_long_as_it_is_shown(tmp_path, check, name, num_frames, rate):
    encode(tmp_path / name, num_frames, rate=rate)
    inspection = inspect_video(tmp_path / name, check)
    assert (inspection.num_frames, inspection.fault, inspection.reason) == (num_frames, None, '')


@pytest.mark.parametrize(
    'name, key_frame',
    [('a.mp4', True), ('a.mp4', False), ('a.mkv', False), ('a.avi', True), ('a.avi', False)],
)
def test_damage_that_the_decoder_patches_is_found_where_it_begins(tmp_path, name, key_frame):
    path = tmp_path / name
    encode(path, 30, side=96, options={'bf': '0'})  # packets in the order of frames
    place, size = packets(path)[0 if key_frame else 6]
    overwrite(path, place + size // 3, 40)
    inspection = inspect_video(path)
    assert (inspection.num_frames, inspection.fault) == (30, UNREADABLE)
    assert re.match(f'frame {1 if key_frame else 7} is damaged', inspection.reason)
    assert inspect_video(path, 'quick').fault is None


def test_frames_before_the_first_key_frame_are_no_damage(tmp_path):
    encode(
        tmp_path / 'whole.mp4',
        40,
        options={'x264-params': 'open-gop=1:keyint=10:min-keyint=10:bframes=3:scenecut=0'},
    )
    with av.open(str(tmp_path / 'whole.mp4')) as whole:
        with av.open(str(tmp_path / 'a.mkv'), 'w') as container:
            (source,) = whole.streams.video
            stream = container.add_stream_from_template(source)
            for packet in list(whole.demux(source))[3:-1]:
                packet.stream = stream
                container.mux(packet)
    assert inspect_video(tmp_path / 'a.mkv').fault is None  # FFmpeg leaves them out, or else:
    seen = _Seen()
    for number, (key_frame, is_corrupt) in enumerate(((0, 1), (1, 0), (0, 0), (0, 1), (0, 1)), 1):
        seen.frames = number
        seen.judge(SimpleNamespace(key_frame=key_frame, is_corrupt=is_corrupt))
    assert seen.damage() == 'frame 4 is damaged, and 1 more of 5'


@CHECKS
@pytest.mark.parametrize(
    'num_frames, rate, share, sound',
    [(60, 25, 0.9, False), (60, 10, 0.9, False), (300, 25, 0.8, False), (60, 25, 0.97, True)],
)  # what is lost of the last one is its index
def test_avi_that_was_cut_off(tmp_path, check, num_frames, rate, share, sound):
    path = tmp_path / 'a.avi'
    encode(path, num_frames, rate=rate, side=64)
    assert inspect_video(path, check).fault is None
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    inspection = inspect_video(path, check)
    assert (inspection.fault is None) == sound
    if not sound:
        assert inspection.fault == FRAME_COUNT
        assert (
            inspection.reason
            == f'the file ends after {inspection.num_frames} frames of {num_frames}'
        )


@CHECKS
def test_avi_that_leaves_out_every_other_frame_is_whole(tmp_path, check):
    encode(tmp_path / 'a.avi', 40, step=2)
    with av.open(str(tmp_path / 'a.avi')) as container:
        assert container.streams.video[0].frames == 79  # 39 of them of no bytes
    inspection = inspect_video(tmp_path / 'a.avi', check)
    assert (inspection.num_frames, inspection.fault, inspection.listed_frames) == (40, None, 79)


@CHECKS
def test_sound_frames_pass_and_other_files_do_not_count(tmp_path, check):
    write_frames(tmp_path / 'a', 12)
    (tmp_path / 'a/.DS_Store').touch()
    (tmp_path / 'a/thumb.jpg').touch()
    inspection = inspect_frames(tmp_path / 'a', check)
    assert (inspection.num_frames, inspection.fault) == (12, None)


@CHECKS
def test_folder_without_frames(tmp_path, check):
    assert inspect_frames(tmp_path, check).fault == EMPTY
    assert inspect_frames(tmp_path / 'gone', check).fault == UNREADABLE


@CHECKS
@pytest.mark.parametrize(
    'names, tmpl, start',
    [
        (['img_00001.jpg', 'img_00002.jpg'], 'img_{:05}.jpg', 1),
        (['000000.jpg', '000001.jpg'], '{:06}.jpg', 0),
        (['frame_000001.png', 'frame_000002.png', 'cover.png'], 'frame_{:06}.png', 1),
        (['0001.JPG', '0002.JPG', '.0003.JPG'], '{:04}.JPG', 1),
        ([f'{number}.jpeg' for number in range(12)], '{}.jpeg', 0),
        ([f'v2_{number:02}.jpg' for number in range(1, 102)], 'v2_{:02}.jpg', 1),
        (['{x}7_1.jpg'], '{{x}}7_{}.jpg', 1),
        (['image_001.jpg', 'flow_x_001.jpg', 'flow_y_001.jpg', 'x_001.jpg'], 'image_{:03}.jpg', 1),
    ],
)
def test_frames_of_other_names(tmp_path, check, names, tmpl, start):
    write_frames(tmp_path, 1)
    picture = (tmp_path / '00001.jpg').read_bytes()
    (tmp_path / '00001.jpg').unlink()
    for name in names:
        (tmp_path / name).write_bytes(picture)
    inspection = inspect_frames(tmp_path, check)
    assert (inspection.fault, inspection.frame_names) == (None, FrameNames(tmpl, start))
    assert inspection.num_frames == sum(
        inspection.frame_names.name(number) in names for number in range(start, start + 200)
    )


@pytest.mark.parametrize(
    'names, fault, reason',
    [
        (
            ['a.jpg', 'b.jpg'],
            EMPTY,
            'no frame named like 00001.jpg, though there are 2 pictures, first a.jpg',
        ),
        (
            ['00001.jpg', '00002.jpg', '000003.jpg'],
            UNREADABLE,
            '00001.jpg and 000003.jpg are frames with differing numbers of digits',
        ),
        (
            ['1.jpg', '01.jpg'],
            UNREADABLE,
            '1.jpg and 01.jpg are frames with differing numbers of digits',
        ),
        (
            ['00001.jpg', '00002.png'],
            UNREADABLE,
            '00001.jpg and 00002.png are frames of different names',
        ),
        (
            ['00001.jpg', 'img_00002.jpg'],
            UNREADABLE,
            '00001.jpg and img_00002.jpg are frames of different names',
        ),
        (
            ['00000.jpg', '00002.jpg'],
            FRAME_COUNT,
            '00001.jpg is missing, though there are 2 frames up to 00002.jpg',
        ),
        (
            ['img_2.jpg', 'img_3.jpg'],
            FRAME_COUNT,
            'img_1.jpg is missing, though there are 2 frames up to img_3.jpg',
        ),
    ],
)
def test_frames_that_no_template_names_without_a_gap(tmp_path, names, fault, reason):
    for name in names:
        (tmp_path / name).touch()
    inspection = inspect_frames(tmp_path)
    assert (inspection.fault, inspection.reason, inspection.frame_names) == (fault, reason, None)


@pytest.mark.parametrize(
    'lost, reason',
    [
        ('00001.jpg', '00001.jpg is missing, though there are 4 frames up to 00005.jpg'),
        ('00003.jpg', '00003.jpg is missing, though there are 4 frames up to 00005.jpg'),
    ],
)
def test_gap_in_the_numbers(tmp_path, lost, reason):
    write_frames(tmp_path, 5)
    (tmp_path / lost).unlink()
    inspection = inspect_frames(tmp_path)
    assert (inspection.fault, inspection.reason) == (FRAME_COUNT, reason)


@CHECKS
def test_frame_of_zero_bytes(tmp_path, check):
    write_frames(tmp_path, 3)
    (tmp_path / '00002.jpg').write_bytes(b'')
    inspection = inspect_frames(tmp_path, check)
    assert (inspection.fault, inspection.reason) == (UNREADABLE, '00002.jpg: zero bytes')


def test_frame_cut_off_is_found_by_decoding(tmp_path):
    write_frames(tmp_path, 3)
    data = (tmp_path / '00003.jpg').read_bytes()
    (tmp_path / '00003.jpg').write_bytes(data[: len(data) // 2])
    inspection = inspect_frames(tmp_path)
    assert inspection.fault == UNREADABLE and inspection.reason.startswith('00003.jpg: ')
    assert inspect_frames(tmp_path, 'quick').fault is None
