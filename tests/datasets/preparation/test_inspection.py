"""Real videos and frames, and the faults that downloads and full disks leave in them."""

import numpy as np
import pytest
from published_data import write_frames, write_video

from mmaction_ext.datasets.preparation.inspection import (EMPTY, FRAME_COUNT, UNREADABLE,
                                                          inspect_frames, inspect_video)

CHECKS = pytest.mark.parametrize('check', ['full', 'quick'])


@CHECKS
@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.webm', '.mkv'])
def test_sound_videos_pass_with_their_frames_counted(tmp_path, check, suffix):
    write_video(tmp_path / f'a{suffix}', 12)
    finding = inspect_video(tmp_path / f'a{suffix}', check)
    assert (finding.num_frames, finding.fault, finding.reason) == (12, None, '')


@CHECKS
def test_zero_bytes(tmp_path, check):
    (tmp_path / 'a.mp4').touch()
    finding = inspect_video(tmp_path / 'a.mp4', check)
    assert (finding.fault, finding.reason) == (EMPTY, 'zero bytes')


@CHECKS
@pytest.mark.parametrize('content', [b'<html>Not Found</html>' * 50, bytes(5000)])
def test_what_is_no_video(tmp_path, check, content):
    (tmp_path / 'a.webm').write_bytes(content)
    finding = inspect_video(tmp_path / 'a.webm', check)
    assert finding.fault == UNREADABLE and finding.reason.startswith('after 0 frames: ')


@CHECKS
def test_missing_file_and_folder_in_place_of_a_file(tmp_path, check):
    assert inspect_video(tmp_path / 'gone.mp4', check).fault == UNREADABLE
    (tmp_path / 'a.mp4').mkdir()
    assert inspect_video(tmp_path / 'a.mp4', check).fault == UNREADABLE


@CHECKS
def test_sound_without_picture(tmp_path, check):
    import av
    with av.open(str(tmp_path / 'a.mp4'), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    finding = inspect_video(tmp_path / 'a.mp4', check)
    assert finding.fault == UNREADABLE and 'no video stream' in finding.reason


@CHECKS
@pytest.mark.parametrize('suffix, options', [
    ('.mp4', {'movflags': 'faststart'}), ('.webm', {}), ('.mkv', {}), ('.avi', {})])
def test_file_cut_off_in_the_middle(tmp_path, check, suffix, options):
    path = tmp_path / f'a{suffix}'
    write_video(path, 40, options)
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])
    finding = inspect_video(path, check)
    assert finding.fault in (FRAME_COUNT, UNREADABLE), finding
    if finding.fault == FRAME_COUNT:
        assert 5 < finding.num_frames < 30 and finding.reason.startswith('ends after ')


def test_mp4_without_its_index(tmp_path):
    write_video(tmp_path / 'a.mp4', 40)
    data = (tmp_path / 'a.mp4').read_bytes()
    (tmp_path / 'a.mp4').write_bytes(data[:-100])
    assert inspect_video(tmp_path / 'a.mp4').fault in (UNREADABLE, EMPTY)


def test_damage_in_the_middle_is_found_by_decoding(tmp_path):
    write_video(tmp_path / 'a.mp4', 40)
    data = bytearray((tmp_path / 'a.mp4').read_bytes())
    data[len(data) // 4:3 * len(data) // 4] = bytes(len(data) // 2)
    (tmp_path / 'a.mp4').write_bytes(data)
    finding = inspect_video(tmp_path / 'a.mp4')
    assert finding.fault == UNREADABLE and 0 < finding.num_frames < 40
    assert finding.reason.startswith(f'after {finding.num_frames} frames: ')


def test_video_that_only_decord_cannot_read(tmp_path, monkeypatch):
    decord = pytest.importorskip('decord')
    write_video(tmp_path / 'a.mp4')

    def fail(*args, **kwargs):
        raise RuntimeError('stack\ncannot find decoder av1')

    monkeypatch.setattr(decord, 'VideoReader', fail)
    finding = inspect_video(tmp_path / 'a.mp4')
    assert (finding.fault, finding.reason) == (UNREADABLE, 'decord: cannot find decoder av1')


@CHECKS
def test_sound_frames_pass_and_other_files_do_not_count(tmp_path, check):
    write_frames(tmp_path / 'a', 12)
    (tmp_path / 'a/.DS_Store').touch()
    (tmp_path / 'a/thumb.jpg').touch()
    finding = inspect_frames(tmp_path / 'a', check)
    assert (finding.num_frames, finding.fault) == (12, None)


@CHECKS
def test_folder_without_frames(tmp_path, check):
    assert inspect_frames(tmp_path, check).fault == EMPTY
    assert inspect_frames(tmp_path / 'gone', check).fault == UNREADABLE


@pytest.mark.parametrize('lost, reason', [
    ('00001.jpg', '00001.jpg is missing, though there are 4 frames up to 00005.jpg'),
    ('00003.jpg', '00003.jpg is missing, though there are 4 frames up to 00005.jpg')])
def test_gap_in_the_numbers(tmp_path, lost, reason):
    write_frames(tmp_path, 5)
    (tmp_path / lost).unlink()
    finding = inspect_frames(tmp_path)
    assert (finding.fault, finding.reason) == (FRAME_COUNT, reason)


@CHECKS
def test_frame_of_zero_bytes(tmp_path, check):
    write_frames(tmp_path, 3)
    (tmp_path / '00002.jpg').write_bytes(b'')
    finding = inspect_frames(tmp_path, check)
    assert (finding.fault, finding.reason) == (UNREADABLE, '00002.jpg: zero bytes')


def test_frame_cut_off_is_found_by_decoding(tmp_path):
    write_frames(tmp_path, 3)
    data = (tmp_path / '00003.jpg').read_bytes()
    (tmp_path / '00003.jpg').write_bytes(data[:len(data) // 2])
    finding = inspect_frames(tmp_path)
    assert finding.fault == UNREADABLE and finding.reason.startswith('00003.jpg: ')
    assert inspect_frames(tmp_path, 'quick').fault is None
