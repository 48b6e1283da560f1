"""What training does about a video that cannot be read."""

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.dataset import RepeatDataset
from mmengine.registry import init_default_scope
from published_data import write_frames, write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.guarded import MAX_TRIES, replaced_samples, replaces_samples
from mmaction_ext.errors import InputError

FORMAT = [
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'frame_dir')),
]
PIPELINE = [
    dict(type='SeedSample'),
    dict(type='VideoInit'),
    dict(type='SampleSegments', num_segments=2),
    dict(type='VideoDecode'),
    *FORMAT,
]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


@pytest.fixture
def videos(tmp_path):
    """Eight clips of which 2 is damaged and 5 is not there."""
    for number in range(8):
        write_video(tmp_path / f'{number} a.mp4')
    (tmp_path / '2 a.mp4').write_bytes(b'damaged' * 10)
    (tmp_path / '5 a.mp4').unlink()
    (tmp_path / 'list.txt').write_text(''.join(f'{n} a.mp4\t{n}\n' for n in range(8)))
    return tmp_path


def build(folder, epoch=0, **options):
    dataset = DATASETS.build(
        dict(
            dict(
                type='GuardedVideoDataset',
                ann_file=str(folder / 'list.txt'),
                delimiter='\t',
                data_prefix=dict(video=str(folder)),
                pipeline=PIPELINE,
            ),
            **options,
        )
    )
    for step in dataset.pipeline.transforms:
        if hasattr(step, 'set_epoch'):
            step.set_epoch(0, epoch)
    return dataset


def test_default_stops_and_names_the_file(videos):
    dataset = build(videos)
    assert dataset[0]['data_samples'].gt_label.item() == 0
    with pytest.raises(InputError, match=f'{videos}/2 a.mp4: the video cannot be decoded'):
        dataset[2]
    assert not replaces_samples(dataset)


def test_replacing_takes_another_sample_and_marks_it(videos):
    dataset = build(videos, on_error='replace')
    samples = [dataset[index]['data_samples'] for index in range(8)]
    labels = [sample.gt_label.item() for sample in samples]
    assert [labels[index] for index in (0, 1, 3, 4, 6, 7)] == [0, 1, 3, 4, 6, 7]
    assert not {labels[2], labels[5]} & {2, 5}
    assert samples[2].filename == f'{videos}/{labels[2]} a.mp4'
    marks = replaced_samples(dict(data_samples=samples))
    assert [name for name, _ in marks] == [f'{videos}/2 a.mp4', f'{videos}/5 a.mp4']
    assert all('cannot be decoded' in reason and name in reason for name, reason in marks)


def test_replacement_depends_on_epoch_and_sample_alone(videos):
    def labels(epoch):
        np.random.seed(None)
        dataset = build(videos, epoch, on_error='replace')
        return [dataset[index]['data_samples'].gt_label.item() for index in (2, 5)]

    drawn = [labels(epoch) for epoch in range(8)]
    assert drawn == [labels(epoch) for epoch in range(8)]
    assert len({tuple(each) for each in drawn}) > 1


def test_evaluation_never_replaces(videos):
    dataset = build(videos, on_error='replace', test_mode=True)
    assert not replaces_samples(dataset)
    with pytest.raises(InputError, match=r'5 a.mp4'):
        dataset[5]


def test_too_many_in_a_row_stop_in_any_case(videos):
    dataset = build(videos, on_error='replace')
    for number in range(8):
        (videos / f'{number} a.mp4').unlink(missing_ok=True)
    with pytest.raises(InputError, match=f'2 a.mp4: .*; {MAX_TRIES - 1} others in its place'):
        dataset[2]


def test_programming_errors_are_not_blamed_on_the_video(videos):
    steps = [*PIPELINE[:-1], dict(type='PackActionInputs', collect_keys=('no_such_key',))]
    dataset = build(videos, on_error='replace', pipeline=steps)
    with pytest.raises(KeyError, match='no_such_key'):
        dataset[0]


def test_folders_of_frames(tmp_path):
    for number in range(4):
        write_frames(tmp_path / str(number), 4)
    (tmp_path / '1/00002.jpg').write_bytes(b'no picture')
    (tmp_path / 'list.txt').write_text(''.join(f'{n} 4 {n}\n' for n in range(4)))
    steps = [
        PIPELINE[0],
        dict(type='SampleSegments', num_segments=4),
        dict(type='NamedRawFrameDecode'),
        *FORMAT,
    ]
    options = dict(
        type='GuardedRawframeDataset',
        filename_tmpl='{:05}.jpg',
        pipeline=steps,
        data_prefix=dict(img=str(tmp_path)),
    )
    config = dict(options, ann_file=str(tmp_path / 'list.txt'))
    dataset = DATASETS.build(config)
    dataset.pipeline.transforms[0].set_epoch(0, 0)
    with pytest.raises(InputError, match=f'{tmp_path}/1/00002.jpg: the frame cannot be read'):
        dataset[1]
    dataset = DATASETS.build(dict(config, on_error='replace'))
    dataset.pipeline.transforms[0].set_epoch(0, 0)
    sample = dataset[1]['data_samples']
    assert sample.gt_label.item() != 1
    assert replaced_samples(dict(data_samples=[sample]))[0][0] == f'{tmp_path}/1'


def test_unknown_policy_is_refused(videos):
    with pytest.raises(InputError, match="on_error must be one of stop, replace, got 'ignore'"):
        build(videos, on_error='ignore')


def test_wrapped_data_sets_are_recognised(videos):
    assert replaces_samples(RepeatDataset(build(videos, on_error='replace'), 2))
    assert not replaces_samples(RepeatDataset(build(videos), 2))
