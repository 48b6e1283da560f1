"""A clip is what the config's test pipeline would make of the video."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.clip_loading import FrameFolder, adapt_steps, config_steps, load_clip
from mmaction_ext.datasets.pipelines import rawframe_test, synthmotion_test
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.errors import InputError
from mmaction_ext.video import write_mp4

HEIGHT, WIDTH, LENGTH = 48, 64, 12


def config(pipeline=None, shape=(3, 4, 32, 32), kind='Recognizer2D'):
    cfg = Config(dict(model=dict(type=kind), input_shape=shape))
    if pipeline:
        cfg.test_dataloader = dict(dataset=dict(pipeline=pipeline))
    return cfg


@pytest.fixture
def movie(tmp_path):
    """A video whose frames differ in brightness, with a gradient across."""
    ramp = np.linspace(0, 60, WIDTH).astype(np.uint8)[None, None, :, None]
    frames = ramp + np.arange(0, 16 * LENGTH, 16, dtype=np.uint8)[:, None, None, None]
    frames = np.broadcast_to(frames, (LENGTH, HEIGHT, WIDTH, 3))
    write_mp4(frames, tmp_path / 'movie.mp4')
    return tmp_path / 'movie.mp4'


@pytest.fixture
def folder(tmp_path):
    """Frames whose numbers have no leading zeros; frame n has the grey level 10 n."""
    place = tmp_path / 'frames'
    place.mkdir()
    for number in range(1, LENGTH + 1):
        grey = np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)
        Image.fromarray(grey).save(place / f'img_{number}.png')
    (place / 'notes.txt').write_text('no frame')
    return place


def test_video_by_the_configs_pipeline(movie):
    clip = load_clip(config(synthmotion_test(4, 'NCHW', crop=32)), movie)
    # segment centres of 12 frames and the centre crop
    expected = VideoReader(movie).read()[[1, 4, 7, 10], 8:40, 16:48]
    assert np.array_equal(clip.frames, expected)
    assert len(clip.data['inputs']) == len(clip.data['data_samples']) == 1
    assert np.array_equal(clip.data['inputs'][0].permute(0, 2, 3, 1), expected)


@pytest.mark.parametrize('side', [16, 24, 48, 72])
def test_small_frames(tmp_path, side):
    frames = np.broadcast_to(
        np.arange(0, 160, 20, dtype=np.uint8)[:, None, None, None], (8, side, side, 3)
    )
    write_mp4(frames, tmp_path / 'small.mp4')
    cfg = config(synthmotion_test(8, 'NCHW', crop=16), shape=(3, 8, 16, 16))
    clip = load_clip(cfg, tmp_path / 'small.mp4')
    assert np.abs(clip.frames.mean(axis=(1, 2, 3)) - np.arange(0, 160, 20)).max() < 4


def test_frames_of_a_3d_recognizer_are_the_same(movie):
    flat = load_clip(config(synthmotion_test(4, 'NCHW', crop=32)), movie)
    clip = load_clip(config(synthmotion_test(4, 'NCTHW', crop=32)), movie)
    assert np.array_equal(clip.frames, flat.frames)
    assert clip.data['inputs'][0].shape == (1, 3, 4, 32, 32)


def test_folder_is_read_in_the_order_of_the_numbers(folder):
    clip = load_clip(config(synthmotion_test(4, 'NCHW', crop=32)), folder)
    assert clip.frames[:, 0, 0, 0].tolist() == [20, 50, 80, 110]


def test_video_by_a_pipeline_for_frames_and_the_other_way_round(movie, folder):
    cfg = config(rawframe_test(4, 'NCTHW', crop=32, short_side=48))
    expected = VideoReader(movie).read()[[1, 4, 7, 10], 8:40, 16:48]
    assert np.array_equal(load_clip(cfg, movie).frames, expected)
    assert load_clip(cfg, folder).frames[:, 0, 0, 0].tolist() == [20, 50, 80, 110]


@pytest.mark.parametrize(
    'kind, shape', [('Recognizer2D', (4, 3, 24, 24)), ('Recognizer3D', (1, 3, 4, 24, 24))]
)
def test_without_a_pipeline_frames_are_uniform(folder, kind, shape):
    clip = load_clip(config(shape=(3, 4, 24, 24), kind=kind), folder)
    assert clip.data['inputs'][0].shape == shape
    assert clip.frames[:, 0, 0, 0].tolist() == [20, 50, 80, 110]


def test_colours_keep_their_order(tmp_path):
    place = tmp_path / 'red'
    place.mkdir()
    Image.new('RGB', (40, 40), 'red').save(place / '1.png')
    clip = load_clip(config(synthmotion_test(4, 'NCHW', crop=32)), place)
    assert (clip.frames == (255, 0, 0)).all()


def test_a_video_shorter_than_the_clip_repeats_frames_as_the_sampling_does(tmp_path):
    place = tmp_path / 'short'
    place.mkdir()
    for number in (1, 2):
        Image.new('RGB', (32, 32), (90 * number,) * 3).save(place / f'{number}.png')
    clip = load_clip(config(synthmotion_test(4, 'NCHW', crop=32)), place)
    assert clip.frames[:, 0, 0, 0].tolist() == [90, 90, 180, 180]


def test_ten_clips_of_three_crops_become_one_of_one(movie):
    steps = [
        dict(type='DecordInit', num_threads=1),
        dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=10, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 32)),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    clip = load_clip(config(steps), movie)
    assert clip.data['inputs'][0].shape == (1, 3, 4, 32, 32)
    segments = [dict(type='SampleFrames', clip_len=1, num_clips=8, twice_sample=True)]
    assert adapt_steps(segments, 'open', 'decode') == [
        'open',
        dict(type='SampleFrames', clip_len=1, num_clips=8, twice_sample=False),
    ]


@pytest.mark.parametrize('pipeline', [None, synthmotion_test(4, 'NCHW', 32, consecutive=5)])
def test_of_frames_that_are_channels_the_middle_one_is_shown(movie, pipeline):
    """As a pipeline has it, or, without one, as ``input_shape`` says."""
    clip = load_clip(config(pipeline, (15, 4, 32, 32)), movie)
    inputs = clip.data['inputs'][0]
    assert inputs.shape == (4, 15, 32, 32) and clip.frames.shape == (4, 32, 32, 3)
    assert (clip.frames == inputs[:, 6:9].permute(0, 2, 3, 1).numpy()).all()
    steps = np.diff(inputs[1].unflatten(0, (5, 3)).float().mean((1, 2, 3)).numpy())
    assert (steps > 10).all()  # 16 from frame to frame


def test_random_clips_of_a_test_are_one_of_centres(movie):
    steps = [dict(type='SampleTSNSegments', num_segments=4, num_clips=10, random_clips=True)]
    assert adapt_steps(steps, 'open', 'decode')[1] == dict(
        type='SampleTSNSegments', num_segments=4, num_clips=1, random_clips=False
    )


def test_the_config_is_left_as_it_is(movie):
    cfg = config(synthmotion_test(4, 'NCHW', crop=32))
    before = cfg.to_dict()
    load_clip(cfg, movie)
    assert cfg.to_dict() == before


def test_what_cannot_be_read_is_named(tmp_path, movie):
    cfg = config(synthmotion_test(4, 'NCHW', crop=32))
    with pytest.raises(InputError, match=r'gone.mp4 does not exist'):
        load_clip(cfg, tmp_path / 'gone.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(InputError, match=r'text.mp4: the video cannot be decoded'):
        load_clip(cfg, tmp_path / 'text.mp4')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='empty holds no frame'):
        FrameFolder(tmp_path / 'empty')
    (tmp_path / 'empty' / '1.jpg').write_text('no picture')
    with pytest.raises(InputError, match=r'1.jpg cannot be read'):
        load_clip(cfg, tmp_path / 'empty')


def test_frames_smaller_than_the_crop(movie):
    with pytest.raises(InputError, match=r'movie.mp4.* smaller than the crop'):
        load_clip(config(synthmotion_test(4, 'NCHW', crop=64), (3, 4, 64, 64)), movie)


def test_a_config_that_says_nothing():
    with pytest.raises(InputError, match='neither a test pipeline nor an input_shape'):
        config_steps(Config(dict(model=dict(type='Recognizer2D'))))
