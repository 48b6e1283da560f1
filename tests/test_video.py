import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmaction_ext import video
from mmaction_ext.datasets.synthmotion.scenes import render, sample_scene
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.video import encode_mp4, write_mp4


@pytest.fixture(scope='module')
def frames():
    return render(sample_scene(0, 'train', 0))


@pytest.mark.parametrize('index', range(6))
def test_reversed_clip_decodes_to_exactly_the_reversed_frames(tmp_path, index):
    clip = render(sample_scene(1, 'test', index))
    write_mp4(clip, tmp_path / 'f.mp4')
    write_mp4(clip[::-1], tmp_path / 'r.mp4')
    forward, backward = (VideoReader(tmp_path / name).read() for name in ('f.mp4', 'r.mp4'))
    assert forward.shape == clip.shape
    assert np.array_equal(forward, backward[::-1])
    assert np.abs(forward.astype(int) - clip).mean() < 6


@given(st.integers(1, 6), st.integers(0, 2**16))
@settings(max_examples=10, deadline=None)
def test_reversal_is_exact_for_any_content(length, seed):
    clip = np.random.default_rng(seed).integers(0, 256, (length, 64, 64, 3), np.uint8)
    decoded = []
    for part in (clip, clip[::-1]):
        with av.open(io.BytesIO(encode_mp4(part))) as container:
            decoded.append([f.to_ndarray(format='rgb24') for f in container.decode(video=0)])
    assert np.array_equal(decoded[0], decoded[1][::-1])


def test_stream_is_all_intra_h264(tmp_path, frames):
    write_mp4(frames, tmp_path / 'clip.mp4', fps=12)
    with av.open(str(tmp_path / 'clip.mp4')) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264' and stream.average_rate == 12
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert all(packet.is_keyframe for packet in container.demux(stream) if packet.size)


def test_same_frames_give_the_same_bytes(frames):
    assert encode_mp4(frames) == encode_mp4(frames.copy())


@pytest.mark.parametrize(
    'bad, word',
    [
        (np.zeros((2, 80, 80, 3), np.float32), 'float32'),
        (np.zeros((2, 80, 80), np.uint8), '80'),
        (np.zeros((0, 80, 80, 3), np.uint8), r'\(0,'),
        (np.zeros((2, 81, 80, 3), np.uint8), '81'),
    ],
)
def test_what_is_no_clip_is_refused(bad, word):
    with pytest.raises(ValueError, match=word):
        encode_mp4(bad)


def test_missing_encoder_is_named(monkeypatch):
    monkeypatch.setattr(video.av, 'codecs_available', {'h264'})
    with pytest.raises(ValueError, match='libx264'):
        video.check_encoder()
