import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from published_data import write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.browsing import (
    WIDTH,
    Browsed,
    browse,
    choose_samples,
    draw_sheet,
    frames_of,
)
from mmaction_ext.errors import InputError


def test_samples_are_different_sorted_and_repeatable():
    chosen = choose_samples(100, 20, 3)
    assert chosen == sorted(set(chosen)) and len(chosen) == 20 and max(chosen) < 100
    assert chosen == choose_samples(100, 20, 3) != choose_samples(100, 20, 4)
    assert choose_samples(3, 20, 0) == [0, 1, 2]
    for num, seed in ((0, 0), (1, -1)):
        with pytest.raises(InputError, match=f'got {num} and {seed}'):
            choose_samples(3, num, seed)


def test_frames_come_in_the_order_of_views_and_time():
    clip = torch.arange(2 * 3 * 4).reshape(2, 3, 4, 1, 1).byte()  # M, C, T
    frames = frames_of(clip)
    assert frames.shape == (8, 1, 1, 3) and frames.dtype == np.uint8
    assert frames[5, 0, 0].tolist() == [13, 17, 21]  # view 1, frame 1
    assert (frames_of(clip.transpose(1, 2).flatten(0, 1)) == frames).all()


def test_frames_that_are_channels_of_one_are_shown_one_after_another():
    segments = torch.arange(2 * 6).reshape(2, 6, 1, 1).byte()
    assert frames_of(segments)[:, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_floating_point_is_stretched_and_other_forms_are_refused():
    assert frames_of(torch.tensor([-2.0, 0.0, 2.0]).reshape(1, 3, 1, 1)).ravel().tolist() == [
        0,
        128,
        255,
    ]
    assert not frames_of(torch.full((1, 3, 1, 1), 7.0)).any()
    for shape in ((1, 2, 4, 4), (3, 4, 4)):
        with pytest.raises(InputError, match='not frames of three colours'):
            frames_of(torch.zeros(shape))


def test_frames_lie_below_their_line_and_wrap():
    frames = np.full((20, 90, 180, 3), 255, np.uint8)
    frames[:, :, :, 1:] = 0  # red
    sheet = np.asarray(draw_sheet([Browsed('#1', frames), Browsed('#2', frames[:1])]))
    columns = WIDTH // 162
    assert sheet.shape == (2 * 16 + (-(-20 // columns) + 1) * 82, WIDTH, 3)
    red = (sheet == [255, 0, 0]).all(-1)
    assert red.sum() == 21 * 160 * 80 and not red[:16].any()
    text = (sheet[:16] < 128).all(-1)
    assert text.any() and not text[:, 40:].any()


@pytest.fixture
def dataset(tmp_path):
    """Two clips whose flip is certain."""
    init_default_scope('mmaction')
    for number in range(2):
        write_video(tmp_path / f'{number}.mp4')
    (tmp_path / 'list.txt').write_text('0.mp4 0\n1.mp4 1\n')
    steps = [
        dict(type='SeedSample'),
        dict(type='VideoInit'),
        dict(type='SampleSegments', num_segments=2),
        dict(type='VideoDecode'),
        dict(type='DirectionAwareFlip', classes={1: 2, 2: 1}, flip_ratio=1.0),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    return DATASETS.build(
        dict(
            type='VideoDataset',
            ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(video=str(tmp_path)),
            pipeline=steps,
        )
    )


def test_line_names_class_file_and_what_the_flip_did(dataset, tmp_path):
    first, second = browse(dataset, [0, 1], ['still', 'to the left', 'to the right'])
    assert first.text == f'#0  0 still  {tmp_path}/0.mp4'
    assert second.text == f'#1  2 to the right  {tmp_path}/1.mp4  (listed as 1 to the left)'
    assert second.frames.shape == (2, 32, 32, 3)
    assert browse(dataset, [0])[0].text == f'#0  0  {tmp_path}/0.mp4'


def test_seed_decides_what_is_seen(dataset):
    seen = [[sample.frames for sample in browse(dataset, [0, 1], seed=seed)] for seed in (1, 1, 2)]
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])
