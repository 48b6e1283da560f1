"""Bad input is named before any training time is spent."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from mmaction.datasets import VideoDataset
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ClassBalancedDataset
from torch.utils.data import Dataset

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.guarded import GuardedVideoDataset
from mmaction_ext.datasets.transforms import SampleSegments
from mmaction_ext.engine import checks
from mmaction_ext.errors import InputError
from mmaction_ext.models.building import build_model

CONFIGS = Path(__file__).parents[2] / 'configs'


def dataset(tmp_path, lines, kind='VideoDataset'):
    (tmp_path / 'list.txt').write_text(lines)
    return dict(
        type=kind, ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=str(tmp_path))
    )


def test_sound_list_passes(tmp_path):
    (tmp_path / 'a.mp4').touch()
    checks.check_annotations(dataset(tmp_path, 'a.mp4 3\n'))
    (tmp_path / 'frames').mkdir()
    checks.check_annotations(dataset(tmp_path, 'frames 24 3\n', 'RawframeDataset'))


@pytest.mark.parametrize('kind', ['RawframeDataset', 'GuardedRawframeDataset'])
@pytest.mark.parametrize(
    'tmpl, start, sound',
    [
        ('img_{:06d}.jpg', 0, True),
        ('img_{:05}.jpg', 0, False),
        ('img_{:06}.jpg', 1, False),
        ('img_{:06}.png', 0, False),
    ],
)
def test_frames_of_other_names_are_told(tmp_path, kind, tmpl, start, sound):
    (tmp_path / 'a').mkdir()
    for number in range(3):
        (tmp_path / f'a/img_{number:06}.jpg').touch()
    config = dict(dataset(tmp_path, 'a 3 0\n', kind), filename_tmpl=tmpl, start_index=start)
    if sound:
        checks.check_annotations(config)
        return
    with pytest.raises(
        InputError, match=r'but there are img_000000.jpg, img_000001.jpg, ...: run'
    ):
        checks.check_annotations(config)
    config['filename_tmpl'] = 'img_{number:06}.jpg'
    with pytest.raises(
        InputError, match=r"number:06}.jpg' of .*list.txt makes no name of a number"
    ):
        checks.check_annotations(config)
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='file: Not a directory'):
        checks.check_annotations(dataset(tmp_path, 'file 3 0\n', kind))


@pytest.mark.parametrize(
    'lines, message',
    [
        ('', 'list.txt is empty'),
        ('\ufeffa.mp4 3\n', 'list.txt:1: begins with a byte order mark'),
        ('a.mp4 3\nb.mp4\n', r'list.txt:2: expected 2 fields.*b.mp4'),
        ('a.mp4 3\nb.mp4 x\n', r'list.txt:2: .*numbers.*b.mp4 x'),
        ('a.mp4 3\n\n', r'list.txt:2: expected 2 fields'),
        ('a.mp4 3\ngone.mp4 1\n', r'list.txt: 1 of 2 entries.*gone.mp4'),
    ],
)
def test_bad_lists_are_named_with_their_line(tmp_path, lines, message):
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(InputError, match=message):
        checks.check_annotations(dataset(tmp_path, lines))


def test_labels_beyond_the_classes_are_named(tmp_path):
    (tmp_path / 'a.mp4').touch()
    config = dataset(tmp_path, 'a.mp4 3\na.mp4 12\n')
    checks.check_annotations(config, num_classes=13)
    with pytest.raises(InputError, match=r'list.txt:2: label 12 of a.mp4 is not below the 12'):
        checks.check_annotations(config, num_classes=12)


def test_labels_are_checked_for_a_head_inside_a_head_and_a_data_set_inside_a_wrapper(tmp_path):
    (tmp_path / 'a.mp4').touch()
    inner = dataset(tmp_path, 'a.mp4 12\n')
    for wrapped in (
        inner,
        dict(type='RepeatDataset', times=2, dataset=inner),
        dict(type='ConcatDataset', datasets=[dict(inner)]),
    ):
        cfg = Config(
            dict(
                model=dict(cls_head=dict(type='ConcatHead', head=dict(num_classes=12))),
                train_dataloader=dict(dataset=wrapped),
            )
        )
        with pytest.raises(InputError, match=r'label 12 of a.mp4 is not below the 12 classes'):
            checks.check_datasets(cfg)


def test_missing_videos_are_let_pass_only_where_training_replaces_them(tmp_path):
    (tmp_path / 'a.mp4').touch()
    config = dict(dataset(tmp_path, 'a.mp4 3\ngone.mp4 1\n'), type='GuardedVideoDataset')
    checks.check_annotations(dict(config, on_error='replace'))
    for change in (dict(), dict(on_error='stop'), dict(on_error='replace', test_mode=True)):
        with pytest.raises(InputError, match=r'1 of 2 entries.*gone.mp4'):
            checks.check_annotations(dict(config, **change))
    (tmp_path / 'a.mp4').unlink()
    with pytest.raises(InputError, match='2 of 2 entries'):
        checks.check_annotations(dict(config, on_error='replace'))


def test_names_with_blanks_are_read_with_the_delimiter_of_the_data_set(tmp_path):
    (tmp_path / 'arm wrestling').mkdir()
    (tmp_path / 'arm wrestling/a b.mp4').touch()
    config = dataset(tmp_path, 'arm wrestling/a b.mp4\t3\n')
    checks.check_annotations(dict(config, delimiter='\t'), num_classes=4)
    with pytest.raises(InputError, match=r'list.txt:1: expected 2 fields'):
        checks.check_annotations(config)


@pytest.mark.parametrize(
    'kind, settings, numbers',
    [
        ('VideoDataset', dict(), ''),
        ('RawframeDataset', dict(filename_tmpl='{}.jpg'), '1 '),
        ('RawframeDataset', dict(with_offset=True), '0 1 '),
    ],
    ids=['videos', 'frames', 'offset'],
)
def test_every_one_of_several_labels_is_checked(tmp_path, kind, settings, numbers):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/1.jpg').touch()

    def config(labels, **change):
        return dict(
            dataset(tmp_path, f'a {numbers}0\na {numbers}{labels}\n', kind),
            **dict(settings, multi_class=True, num_classes=10, **change),
        )

    checks.check_annotations(config('3 9'), 10)
    for labels in ('3 10', '10 3'):
        with pytest.raises(InputError, match=r'list.txt:2: label 10 of a is not below the 10'):
            checks.check_annotations(config(labels), 10)
    for labels in ('3 x', '3 -1', ''):
        with pytest.raises(InputError, match=r'list.txt:2: expected . fields or more'):
            checks.check_annotations(config(labels), 10)
    for own in (None, 12):
        with pytest.raises(
            InputError, match=f'needs the num_classes of the model, 10,.*got {own}'
        ):
            checks.check_annotations(dict(config('3 9'), num_classes=own), 10)


def test_lines_with_an_offset_are_checked(tmp_path):
    (tmp_path / 'a').mkdir()
    config = dict(dataset(tmp_path, 'a 0 9 3\n', 'RawframeDataset'), with_offset=True)
    checks.check_annotations(config, 4)
    with pytest.raises(InputError, match=r'list.txt:1: label 3 of a'):
        checks.check_annotations(config, 3)


def test_unreadable_lists_are_named(tmp_path):
    config = dataset(tmp_path, 'a.mp4 3\n')
    with pytest.raises(InputError, match=r'gone.txt cannot be read: No such file'):
        checks.check_annotations(dict(config, ann_file=str(tmp_path / 'gone.txt')))
    (tmp_path / 'list.txt').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(InputError, match=r'list.txt cannot be read'):
        checks.check_annotations(config)


def test_only_the_splits_in_use_are_checked(tmp_path):
    good = dict(dataset=dataset(tmp_path, 'a.mp4 3\n'))
    (tmp_path / 'a.mp4').touch()
    bad = dict(dataset=dict(good['dataset'], ann_file='gone.txt'))
    cfg = Config(dict(train_dataloader=good, test_dataloader=bad, val_dataloader=None))
    checks.check_datasets(cfg, ['train', 'val'])
    with pytest.raises(InputError, match=r'gone.txt'):
        checks.check_datasets(cfg)


def test_output_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='file/runs cannot be written: Not a directory'):
        checks.check_output_folder(str(tmp_path / 'file' / 'runs'))


def test_full_disk_is_refused(tmp_path):
    """A file-size limit of zero stands for a full disk: the write itself fails."""
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from mmaction_ext.engine import checks
resource.setrlimit(resource.RLIMIT_FSIZE, (0, {resource.RLIM_INFINITY}))
try:
    checks.check_output_folder({str(tmp_path)!r})
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'),
    )
    assert f'output folder {tmp_path} cannot be written' in done.stdout, done.stderr


def full(**backbone):
    cfg = Config.fromfile(CONFIGS / 'synthmotion/dcf/table1_components/full.py')
    cfg.merge_from_dict({f'model.backbone.{key}': value for key, value in backbone.items()})
    return cfg


def test_sound_model_is_counted():
    model, static = checks.check_model(full())
    assert {each.device.type for each in model.parameters()} == {'meta'}
    assert 3e5 < static['params'] < 4e5 and static['macs'] > 1e7
    assert static['input_shape'] == [3, 8, 64, 64]


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(stages=(2, 9)), 'full.py: .*9'),
        (dict(stages=(2, 3), num_segments=1), 'full.py: .*1'),
        (dict(num_segments=3), 'full.py: .*3'),
        (dict(stages=3), 'full.py: .*got 3'),
        (dict(module=dict(type='DCX')), 'full.py: .*DCX'),
    ],
)
def test_bad_models_are_named(change, message):
    with pytest.raises(InputError, match=message):
        checks.check_model(full(**change))


@pytest.mark.parametrize('shape', [(3, 8, 64, 64), None], ids=['with a shape', 'without'])
def test_the_head_that_suits_a_branch_is_named(shape):
    cfg = full(module=dict(type='KPSEM', _delete_=True))
    cfg.input_shape = shape
    values = 28 * 7  # KPSEM's for each pair of frames
    with pytest.raises(
        InputError, match=rf'full.py: TSNHead does not .*: put it into ConcatHead\(.*={values}\)'
    ):
        checks.check_model(cfg)
    head = dict(cfg.model.cls_head)
    cfg.model.cls_head = dict(type='ConcatHead', branch_channels=values - 1, head=head)
    with pytest.raises(InputError, match=rf'={values - 1}, but the branch gives {values} values'):
        checks.check_model(cfg)
    cfg.model.cls_head.branch_channels = values
    checks.check_model(cfg)


def test_a_head_of_another_width_is_named():
    cfg = full()
    cfg.model.cls_head.in_channels += 1
    with pytest.raises(InputError, match=r'with in_channels=\d+, but the backbone gives \d+ chan'):
        checks.check_model(cfg)


@pytest.mark.parametrize(
    'evaluator, message',
    [
        (dict(type='AccMetrc'), "there is no metric 'AccMetrc'; did you mean AccMetric"),
        ([dict(type='AccMetric'), dict(type='mmengine.Dump')], "no metric 'mmengine.Dump'"),
        (dict(metrics=[dict(type='AccMetrc')]), 'did you mean AccMetric'),
        (dict(type='AccMetric', metrics_list=['x']), "cannot be built: .*'metrics_list'"),
        (3, 'cannot be built: .* but got 3'),
    ],
)
def test_metrics_are_built_before_training(evaluator, message):
    cfg = Config(dict(val_evaluator=dict(type='AccMetric'), test_evaluator=evaluator))
    checks.check_evaluators(cfg, ['train', 'val'])
    with pytest.raises(InputError, match=f'test_evaluator of .*{message}'):
        checks.check_evaluators(cfg, ['train', 'val', 'test'])


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(custom_hooks=[dict(type='EpochSeedHok')]), 'no hook .*; did you mean EpochSeedHook'),
        (dict(default_hooks=dict(timer=dict(type='IterTimerHok'))), 'mean IterTimerHook'),
        (dict(optim_wrapper=dict(optimizer=dict(type='Adamw'))), 'no optimizer .* mean AdamW'),
        (dict(param_scheduler=[dict(type='OneCycleLr')]), 'did you mean OneCycleLR'),
        (dict(train_cfg=dict(type='EpochBasedLoop')), 'no loop .* mean EpochBasedTrainLoop'),
        (dict(visualizer=dict(vis_backends=[dict(type='RunWandb')])), 'no vis_backend'),
        (
            dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epoch=1)),
            "'max_epoch'; .* max_epochs",
        ),
        (
            dict(optim_wrapper=dict(optimizer=dict(type='SGD', lrr=1))),
            "SGD' takes no 'lrr'; .* lr",
        ),
        (
            dict(train_dataloader=dict(sampler=dict(type='DefaltSampler'))),
            'no data sampler .* mean DefaultSampler',
        ),
        (
            dict(test_dataloader=dict(dataset=dict(type='VideoDatset'))),
            'no dataset .* mean VideoDataset',
        ),
        (
            dict(
                val_dataloader=dict(
                    dataset=dict(
                        type='RepeatDataset',
                        dataset=dict(type='VideoDataset', pipeline=[dict(type='VideoInt')]),
                    )
                )
            ),
            'no transform .* mean VideoInit',
        ),
        (
            dict(val_dataloader=dict(dataset=dict(pipeline=[dict(type='CenterCrop', crop=1)]))),
            "'CenterCrop' takes no 'crop'; did you mean crop_size",
        ),
    ],
)
def test_what_the_runner_builds_must_be_registered(change, message):
    cfg = full()
    checks.check_types(cfg)
    for name, value in change.items():
        cfg[name] = value
    with pytest.raises(InputError, match=f'^{next(iter(change))} of .*{message}'):
        checks.check_types(cfg)


def test_frames_of_the_pipeline_and_of_the_backbone_must_agree():
    with pytest.raises(InputError, match='num_segments is 4, but input_shape has 8 frames'):
        checks.check_model(full(num_segments=4))


def test_what_training_lacks_is_named():
    checks.check_trainable(full())
    cfg = full()
    cfg.train_dataloader = cfg.optim_wrapper = None
    message = 'full.py cannot be trained: it has no train_dataloader, optim_wrapper'
    with pytest.raises(InputError, match=message):
        checks.check_trainable(cfg)


def test_a_file_to_start_from_must_exist(tmp_path):
    path = tmp_path / 'start.pth'
    for sound in (None, 'https://example.org/start.pth'):
        checks.check_initial_weights(Config(dict(load_from=sound)))
    with pytest.raises(InputError, match=rf'starts from {path}, which does not exist'):
        checks.check_initial_weights(Config(dict(load_from=str(path))))
    path.touch()
    checks.check_initial_weights(Config(dict(load_from=str(path))))


@pytest.mark.parametrize(
    'part',
    [
        dict(pretrained='{}'),
        dict(backbone=dict(pretrained='{}')),
        dict(init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint='{}')),
        dict(init_cfg=dict(type='mmengine.Pretrained', checkpoint='{}')),
        dict(
            init_cfg=[
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Pretrained', checkpoint='{}'),
            ]
        ),
        dict(type='timm.resnet10t', checkpoint_path='{}'),
    ],
    ids=['pretrained', 'pretrained host', 'init_cfg', 'with a scope', 'list of init_cfg', 'timm'],
)
def test_files_that_parts_of_the_model_start_from_must_exist(tmp_path, part):
    def cfg(source):
        return Config.fromstring(f'model = dict(backbone={part})'.replace('{}', source), '.py')

    for sound in ('https://example.org/start.pth', 'torchvision://resnet50', 'timm.resnet10t'):
        checks.check_initial_weights(cfg(sound))
    path = tmp_path / 'start.pth'
    with pytest.raises(InputError, match=rf'starts from {path}, which does not exist') as refused:
        checks.check_initial_weights(cfg(str(path)))
    assert re.search(
        r'\(model\.backbone\.(.*\.)?(pretrained|checkpoint(_path)?)\)', str(refused.value)
    )
    assert ('convert' in str(refused.value)) is ('checkpoint_path' not in part)
    path.touch()
    checks.check_initial_weights(cfg(str(path)))


@pytest.mark.parametrize(
    'name, source',
    [
        ('dcf/table4_sthv2/mvit_b', 'dcf/table5_k400/mvit_b'),
        ('tcm/table_ucf101/tcm_r50', 'tcm/table_k400/tcm_r50_8f'),
    ],
)
def test_the_run_to_start_from_is_named(monkeypatch, tmp_path, name, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf'configs/{source}\.py --seed 0$'):
        checks.check_initial_weights(Config.fromfile(CONFIGS / f'{name}.py'))


class OwnList(VideoDataset):
    """Reads its list in a way of its own: one sample of label 12."""

    def load_data_list(self):
        return [dict(filename='a.mp4', label=12)]


class Plain(Dataset):
    """Lists no samples."""


class NoFiles(BaseDataset):
    """Samples that lie in no file."""

    def load_data_list(self):
        return [dict(label=1)]


def test_what_is_tested_on_lists_its_samples():
    plain = dict(type=Plain)
    for wrapped in (plain, dict(type='RepeatDataset', times=2, dataset=plain)):
        cfg = Config(dict(train_dataloader=dict(dataset=wrapped)))
        checks.check_datasets(cfg)
        cfg.test_dataloader = cfg.train_dataloader
        with pytest.raises(
            InputError,
            match=r'test_dataloader of .*: Plain does not list its '
            'samples .* an mmengine BaseDataset is needed',
        ):
            checks.check_datasets(cfg)
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type=NoFiles))))
    checks.check_datasets(cfg)
    cfg.test_dataloader = cfg.train_dataloader
    with pytest.raises(InputError, match='NoFiles: sample 0 has no label, or no filename'):
        checks.check_datasets(cfg)


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
@pytest.mark.parametrize(
    'kind',
    [
        'mmaction.VideoDataset',
        VideoDataset,
        GuardedVideoDataset,
        'mmaction.GuardedVideoDataset',
        OwnList,
        type('Derived', (VideoDataset,), {}),
    ],
    ids=str,
)
def test_labels_are_checked_of_whatever_the_registry_takes_for_a_data_set(tmp_path, kind, split):
    (tmp_path / 'a.mp4').touch()
    inner = dict(dataset(tmp_path, 'a.mp4 12\n', kind), pipeline=[])
    wrapped = dict(
        type='mmengine.RepeatDataset',
        times=2,
        dataset=dict(type=ClassBalancedDataset, oversample_thr=0.1, dataset=inner),
    )
    for config in (inner, wrapped):
        cfg = Config(
            {
                'model': dict(cls_head=dict(num_classes=12)),
                f'{split}_dataloader': dict(dataset=config),
            }
        )
        with pytest.raises(InputError, match=r'label 12 of .* 12 classes'):
            checks.check_datasets(cfg)
        cfg.model.cls_head.num_classes = 13
        checks.check_datasets(cfg)


def test_lists_of_a_config_in_the_new_style_are_checked(tmp_path):
    (tmp_path / 'a.mp4').touch()
    dataset(tmp_path, 'a.mp4 12\n')
    path = tmp_path / 'row.py'
    path.write_text(f"""
from mmengine.config import read_base
from mmengine.dataset import RepeatDataset
from mmaction.datasets import VideoDataset
model = dict(cls_head=dict(num_classes=12))
train_dataloader = dict(dataset=dict(type=RepeatDataset, times=2, dataset=dict(
    type=VideoDataset, ann_file='{tmp_path}/list.txt', data_prefix=dict(video='{tmp_path}'))))
""")
    with pytest.raises(InputError, match=r'list.txt:1: label 12 of a.mp4'):
        checks.check_datasets(Config.fromfile(path))


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_a_loader_without_workers_loses_what_only_workers_need(split):
    settings = dict(
        persistent_workers=True, prefetch_factor=4, timeout=9, multiprocessing_context='fork'
    )
    cfg = Config({f'{split}_dataloader': dict(settings, num_workers=0, pin_memory=False)})
    checks.check_loaders(cfg)
    assert cfg[f'{split}_dataloader'] == dict(num_workers=0, pin_memory=False)
    cfg = Config({f'{split}_dataloader': dict(settings, num_workers=2)})
    checks.check_loaders(cfg)
    assert cfg[f'{split}_dataloader'] == dict(settings, num_workers=2)
    cfg[f'{split}_dataloader'].num_workers = -1
    with pytest.raises(InputError, match=f'{split}_dataloader of .*num_workers'):
        checks.check_loaders(cfg)


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
@pytest.mark.parametrize(
    'settings',
    [
        dict(prefetch_factor=2.5),
        dict(prefetch_factor=0),
        dict(prefetch_factor=-1),
        dict(batch_size=0),
        dict(batch_size=2.5),
        dict(batch_size=None),
        dict(num_workers=1.5),
        dict(drop_last='no'),
        dict(shuffle=True),
        dict(prefetch_facto=2),
    ],
    ids=str,
)
def test_settings_of_loaders_that_would_cost_the_training_are_refused(split, settings):
    cfg = Config({f'{split}_dataloader': dict(dict(num_workers=2, batch_size=4), **settings)})
    with pytest.raises(InputError, match=rf'^{split}_dataloader of .*{next(iter(settings))}'):
        checks.check_loaders(cfg)


def viewed(kind='Recognizer3D', views=10, **loader):
    return Config(
        dict(
            model=dict(type=kind, test_cfg=dict(max_testing_views=views)),
            train_dataloader=dict(batch_size=8),
            val_dataloader=dict(batch_size=8),
            test_dataloader=dict(loader, batch_size=8),
        )
    )


def batches(cfg):
    return [cfg[f'{split}_dataloader'].batch_size for split in ('train', 'val', 'test')]


def test_a_video_tested_in_parts_is_a_batch_of_its_own(capsys):
    for cfg, splits, expected in (
        (viewed(), ['train', 'val', 'test'], [8, 1, 1]),
        (viewed('mmaction.Recognizer3D'), ['test'], [8, 8, 1]),
        (viewed(views=None), ['val', 'test'], [8, 8, 8]),
        (viewed('Recognizer2D'), ['train'], [8, 8, 8]),
    ):
        checks.check_testing_views(cfg, splits)
        assert batches(cfg) == expected
    first, second = capsys.readouterr().out.splitlines()
    assert 'max_testing_views=10' in first and 'val_dataloader and test_dataloader is 1' in first
    assert 'val_dataloader' not in second


@pytest.mark.parametrize(
    'cfg, reason',
    [
        (viewed('Recognizer2D'), 'is for 3-D recognizers'),
        (viewed(views=-1), 'number of views'),
        (viewed(views='10'), 'number of views'),
        (viewed(drop_last=True), 'needs test_dataloader.batch_size=1'),
    ],
)
def test_views_at_once_that_no_evaluation_can_take_are_told(cfg, reason):
    with pytest.raises(InputError, match=f'max_testing_views=.*{reason}'):
        checks.check_testing_views(cfg)


def check_frames(cfg):
    checks.check_frames(cfg, build_model(cfg.model, 'meta'))


def sampling(split='test', **step):
    """A 2-D host of 8 frames whose pipeline of one split samples otherwise."""
    cfg = full()
    steps = cfg[f'{split}_dataloader'].dataset.pipeline
    place = next(i for i, each in enumerate(steps) if each.type == 'SampleSegments')
    cfg[f'{split}_dataloader'].dataset.pipeline = steps[:place] + [step] + steps[place + 1 :]
    return cfg


@pytest.mark.parametrize(
    'split, step, gives',
    [
        (
            'train',
            dict(type='SampleSegments', num_segments=12),
            '12 frames a video, in clips of 12',
        ),
        (
            'val',
            dict(type='mmaction.SampleSegments', num_segments=16),
            '16 frames a video, in clips of 16',
        ),
        ('test', dict(type=SampleSegments, num_segments=4), '4 frames a video, in clips of 4'),
        (
            'test',
            dict(type='SampleFrames', clip_len=1, num_clips=16, test_mode=True),
            '16 frames a video, in clips of 16',
        ),
        (
            'test',
            dict(type='SampleTSNSegments', num_segments=16, num_clips=2, test_mode=True),
            '32 frames a video, in clips of 16',
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_pipelines_give_as_many_frames_as_the_host_was_built_for(split, step, gives):
    with pytest.raises(
        InputError,
        match=f'{split}_dataloader gives {gives} .*built for model.backbone.num_segments=8',
    ):
        check_frames(sampling(split, **step))


@pytest.mark.parametrize(
    'step',
    [
        dict(type='SampleFrames', clip_len=1, num_clips=8, twice_sample=True, test_mode=True),
        dict(type='SampleFrames', clip_len=8, num_clips=2, test_mode=True),
        dict(type='SampleTSNSegments', num_segments=8, num_clips=2, test_mode=True),
        dict(type='DenseSampleFrames', clip_len=1, num_clips=8, test_mode=True),
    ],
    ids=lambda step: step['type'],
)
def test_several_clips_pass_where_the_pipeline_says_so(step):
    check_frames(sampling(**step))


def test_other_clips_of_a_network_that_takes_any_are_told(capsys):
    cfg = Config(
        dict(
            model=dict(
                type='Recognizer3D',
                backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
                cls_head=dict(type='X3DHead', in_channels=432, num_classes=12),
            ),
            input_shape=(3, 8, 64, 64),
            test_dataloader=dict(
                dataset=dict(
                    type='VideoDataset',
                    pipeline=[dict(type='SampleSegments', num_segments=12, test_mode=True)],
                )
            ),
        )
    )
    check_frames(cfg)
    assert 'test_dataloader gives clips of 12 frames, input_shape has 8' in capsys.readouterr().out
