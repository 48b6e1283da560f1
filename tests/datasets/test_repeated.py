"""Several samples of one reading: seeded, different from each other, and never short of one."""

import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from published_data import write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.browsing import browse
from mmaction_ext.datasets.guarded import replaced_samples
from mmaction_ext.datasets.mmaction2_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import interval_clips
from mmaction_ext.datasets.seeding import set_epoch
from mmaction_ext.errors import InputError


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture
def videos(tmp_path):
    """Three videos, and a damaged one."""
    for number in range(4):
        write_video(tmp_path / f'{number}.mp4', 20)
    (tmp_path / '3.mp4').write_bytes(b'damaged' * 10)
    (tmp_path / 'train.txt').write_text(''.join(f'{n}.mp4\t{n}\n' for n in range(4)))
    return tmp_path


def build(folder, **options):
    pipeline = resized_crop_train(interval_clips(4, 2), augment=True)
    return DATASETS.build(
        dict(
            dict(
                type='RepeatedVideoDataset',
                ann_file=str(folder / 'train.txt'),
                delimiter='\t',
                data_prefix=dict(video=str(folder)),
                pipeline=pipeline,
            ),
            **options,
        )
    )


def drawn(dataset, index, epoch=0, seed=0):
    set_epoch(dataset, seed, epoch)
    return torch.stack([sample['inputs'] for sample in dataset[index]])


def test_one_reading_gives_several_samples(videos):
    dataset = build(videos, num_repeats=3)
    set_epoch(dataset, 0, 0)
    samples = dataset[1]
    first, second, third = (sample['inputs'] for sample in samples)
    assert first.shape == (1, 3, 4, 224, 224)
    assert (first != second).any() and (first != third).any() and (second != third).any()
    assert [sample['data_samples'].gt_label.item() for sample in samples] == [1, 1, 1]


def test_they_depend_on_seed_epoch_and_sample_alone(videos):
    before = drawn(build(videos), 0)
    torch.manual_seed(5)  # what ran before must not matter
    other = build(videos)
    drawn(other, 1)
    assert torch.equal(drawn(other, 0), before)
    assert not torch.equal(drawn(other, 0, epoch=1), before)
    assert not torch.equal(drawn(other, 0, seed=1), before)


@pytest.mark.parametrize('workers', [0, 2])
def test_loader_batches_all_of_them(videos, workers):
    dataset = build(videos, indices=[0, 1, 2])
    set_epoch(dataset, 0, 0)
    loader = Runner.build_dataloader(
        dict(
            batch_size=3,
            num_workers=workers,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
            # as in what is inherited from a package
            collate_fn=dict(type='repeat_pseudo_collate', _scope_='mmaction_ext'),
        )
    )
    (batch,) = loader
    assert [sample.gt_label.item() for sample in batch['data_samples']] == [0, 0, 1, 1, 2, 2]
    assert torch.equal(torch.stack(batch['inputs'][:2]), drawn(dataset, 0))


def test_unreadable_video_stops_or_is_replaced(videos):
    dataset = build(videos)
    set_epoch(dataset, 0, 0)
    with pytest.raises(InputError, match=f'{videos}/3.mp4'):
        dataset[3]
    dataset = build(videos, on_error='replace')
    set_epoch(dataset, 0, 0)
    samples = [sample['data_samples'] for sample in dataset[3]]
    names = [name for name, _ in replaced_samples(dict(data_samples=samples))]
    assert names == [f'{videos}/3.mp4'] * 2
    assert len({sample.gt_label.item() for sample in samples}) == 1


@pytest.mark.parametrize('options', [dict(num_repeats=0), dict(test_mode=True)])
def test_what_makes_no_sense_is_refused(videos, options):
    with pytest.raises(InputError, match='num_repeats'):
        build(videos, **options)


def test_pipeline_without_decoding_is_refused(videos):
    dataset = build(videos, pipeline=[dict(type='VideoInit')])
    with pytest.raises(InputError, match='has no VideoDecode'):
        dataset[0]


def test_each_of_them_is_shown(videos):
    shown = browse(build(videos), [0, 2])
    assert [each.text.split()[0] for each in shown] == ['#0', '#0', '#2', '#2']
