"""From publishers' layouts to annotation files, over everything that can be wrong with them."""

import json
import os

import pytest
from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from PIL import Image
from published_data import SIDES, imitate, read, write, write_frames, write_numbered, write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.pipelines import read_frames, training_loader
from mmaction_ext.datasets.preparation import prepare, summarise
from mmaction_ext.datasets.publishers import READERS
from mmaction_ext.datasets.publishers.class_folders import read_class_folders
from mmaction_ext.engine.checks import check_annotations
from mmaction_ext.errors import InputError


def run(name, root, **options):
    publication = read(name, root)
    return prepare(
        publication, root, root / ('rawframes' if publication.frames else 'videos'), **options
    )


def lists(root):
    return {path.name: path.read_text().splitlines() for path in root.glob('*.txt')}


@pytest.mark.parametrize('name', READERS)
def test_sound_data_gives_lists_that_mmaction2_reads(tmp_path, name):
    expected, labels = imitate(name, tmp_path)
    report = run(name, tmp_path)
    assert lists(tmp_path) == {**expected, 'classes.txt': labels}
    assert (report['broken'], report['written'], report['faults']) == (0, True, [])
    assert json.loads((tmp_path / 'report.json').read_text()) == report
    for file, lines in list(expected.items())[:6]:  # of folds, some
        if report['delimiter'] == ' ':
            dataset = RawframeDataset(
                str(tmp_path / file), [], data_prefix=dict(img=report['media'])
            )
        else:
            dataset = VideoDataset(
                str(tmp_path / file),
                [],
                delimiter=report['delimiter'],
                data_prefix=dict(video=report['media']),
            )
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        assert [info['label'] for info in infos] == [int(line.split()[-1]) for line in lines]
        assert all(os.path.exists(info.get('filename') or info['frame_dir']) for info in infos)


def break_data(root):
    """Four faults in Something-Something V1, each of another kind; one item stays."""
    ids = ['1', '2', '3', '4', '5']
    write(
        root / 'annotations/something-something-v1-train.csv',
        ''.join(f'{number};{SIDES[0]}\n' for number in ids),
    )
    for number in ids[1:]:
        write_frames(root / 'rawframes' / number, 3)
    (root / 'rawframes/2/00002.jpg').write_bytes(b'')
    for path in (root / 'rawframes/3').iterdir():
        path.unlink()
    (root / 'rawframes/4/00002.jpg').unlink()


def test_broken_items_are_refused_counted_and_named(tmp_path):
    imitate('sthv1', tmp_path)
    break_data(tmp_path)
    report = run('sthv1', tmp_path)
    assert not list(tmp_path.glob('*.txt')) and not report['written']
    assert report['broken'] == 4
    assert report['splits']['train'] == dict(
        annotation_file='train.txt',
        listed=5,
        usable=1,
        missing=1,
        unreadable=1,
        empty=1,
        frame_count=1,
        duplicate=0,
    )
    assert {fault['name']: fault['kind'] for fault in report['faults']} == {
        '1': 'missing',
        '2': 'unreadable',
        '3': 'empty',
        '4': 'frame count',
    }
    assert report['faults'][0]['source'].endswith('something-something-v1-train.csv:1')
    text = summarise(report)
    for words in (
        'train: 5 listed, 1 usable, 1 missing',
        'missing: 1 (no such file; ',
        '2 (00002.jpg: zero bytes; ',
        'no annotation file written, 4 items are broken',
    ):
        assert words in text


def test_broken_items_are_left_out_on_demand_and_listed_beside(tmp_path):
    imitate('sthv1', tmp_path)
    break_data(tmp_path)
    report = run('sthv1', tmp_path, skip_broken=True)
    written = lists(tmp_path)
    assert written['train.txt'] == ['5 3 0'] and written['val.txt'] == ['7 4 1']
    assert len(written['train.skipped.txt']) == 4 and 'val.skipped.txt' not in written
    assert '1\t0\tmissing: no such file' in written['train.skipped.txt']
    assert report['skip_broken'] and 'written without 4 broken items' in summarise(report)


def test_mended_data_leaves_no_side_file(tmp_path):
    imitate('sthv1', tmp_path)
    break_data(tmp_path)
    run('sthv1', tmp_path, skip_broken=True)
    for number in '1234':
        write_frames(tmp_path / 'rawframes' / number, 3)
    report = run('sthv1', tmp_path)
    assert report['broken'] == 0 and not (tmp_path / 'train.skipped.txt').exists()
    assert len(lists(tmp_path)['train.txt']) == 5


def test_nothing_usable_writes_nothing_even_on_demand(tmp_path):
    imitate('diving48', tmp_path)
    (tmp_path / 'videos/_8Vy3dlHg2w_00000.mp4').unlink()
    report = run('diving48', tmp_path, skip_broken=True)
    assert not report['written'] and not list(tmp_path.glob('*.txt'))
    assert 'note: test: nothing usable' in summarise(report)


def test_lists_of_an_earlier_run_stay_and_are_named(tmp_path):
    imitate('sthv1', tmp_path)
    report = run('sthv1', tmp_path)
    assert report['kept'] == []
    before = lists(tmp_path)
    break_data(tmp_path)
    report = run('sthv1', tmp_path)
    assert lists(tmp_path) == before and report['kept'] == ['train.txt', 'val.txt']
    assert 'of an earlier run there are still train.txt, val.txt' in summarise(report)


def test_lists_of_a_run_that_split_otherwise_are_removed_and_named(tmp_path):
    clips = tmp_path / 'clips'
    for name in ('kick', 'punch'):
        for number in range(4):
            write_numbered(clips / name / f'{number}.avi', 4, 'mpeg4')
    write(tmp_path / 'root/own.txt', 'not ours')

    def split(**how):
        return prepare(read_class_folders(clips, **how), tmp_path / 'root', clips)

    split(folds=3, nested=True)
    assert len(list((tmp_path / 'root').glob('inner_*.txt'))) == 6
    (clips / 'kick/0.avi').write_bytes(b'')
    kept = split()['kept']  # refused: all is as it was, and known for next time
    assert len(kept) == 12
    assert split()['kept'] == kept
    (clips / 'kick/0.avi').unlink()
    report = split()
    assert set(lists(tmp_path / 'root')) == {
        *('train.txt', 'val.txt', 'test.txt', 'classes.txt', 'own.txt')
    }
    assert 'note: removed, as no list of this run is named so: train_1.txt' in summarise(report)


def test_class_of_which_nothing_is_left_is_named(tmp_path):
    clips = tmp_path / 'clips'
    for name in ('kick', 'punch', 'wave'):
        for number in range(4):
            write_numbered(clips / name / f'{number}.avi', 4, 'mpeg4')
            if name == 'wave':
                (clips / name / f'{number}.avi').write_bytes(b'')
    found = read_class_folders(clips, folds=2)
    text = summarise(prepare(found, tmp_path / 'root', clips, skip_broken=True))
    assert 'note: train_1: nothing usable of 1 classes: wave' in text
    assert 'without 4 broken items' in text and text.count('wave/0.avi') == 1


def test_another_data_set_in_the_same_folder_is_refused(tmp_path):
    imitate('gym99', tmp_path)
    imitate('gym288', tmp_path)
    run('gym99', tmp_path)
    before = lists(tmp_path)
    with pytest.raises(InputError, match=r'/report.json is of gym99, whose lists gym288'):
        run('gym288', tmp_path)
    assert lists(tmp_path) == before
    for content in ('torn {', '[]', '{}'):
        write(tmp_path / 'report.json', content)
        assert run('gym288', tmp_path)['written']


@pytest.mark.parametrize('name', ['sthv1', 'gym99'])
def test_printed_settings_make_a_data_set_whose_media_can_be_read(tmp_path, name):
    imitate(name, tmp_path)
    settings = summarise(run(name, tmp_path)).rpartition('for the config: ')[2]
    pipeline = read_frames(
        'rawframes' if name == 'sthv1' else 'videos', dict(type='SampleSegments', num_segments=2)
    )
    config = eval(f'dict({settings})')  # as a config file would
    config.update(ann_file=str(tmp_path / 'train.txt'), pipeline=pipeline)
    with DefaultScope.overwrite_default_scope('mmaction'):
        assert len(DATASETS.build(config)[0]['imgs']) == 2


def rename_frames(folder, tmpl, start):
    """From ``00001.jpg`` and on to other names."""
    for path in sorted(folder.iterdir(), reverse=start > 0):
        path.rename(path.with_name(tmpl.format(int(path.stem) - 1 + start)))


@pytest.mark.parametrize('tmpl, start', [('img_{:06}.jpg', 1), ('{:05}.jpg', 0), ('{}.jpeg', 0)])
def test_frames_of_other_names_are_read_by_the_configs(tmp_path, tmpl, start):
    imitate('sthv1', tmp_path)
    for folder in (tmp_path / 'rawframes').iterdir():
        write_frames(folder, 12)
        rename_frames(folder, tmpl, start)
    for _ in range(2):  # looked at, and from the journal
        report = run('sthv1', tmp_path)
        assert report['frames'] == dict(filename_tmpl=tmpl, start_index=start)
        assert f'filename_tmpl={tmpl!r}, start_index={start}' in summarise(report)
        assert (
            f'note: frames are {tmpl.format(start)}, {tmpl.format(start + 1)}, ...; Guarded'
            in (summarise(report))
        )
    steps = read_frames('rawframes', dict(type='SampleSegments', num_segments=12, test_mode=True))
    config = training_loader('rawframes', str(tmp_path), steps, 1)['dataset']
    check_annotations(config)
    with DefaultScope.overwrite_default_scope('mmaction'):
        frames = DATASETS.build(config)[0]['imgs']
        assert [round(frame.mean() / 9) for frame in frames] == list(range(1, 13))
        config['filename_tmpl'] = 'other_{:05}.jpg'  # what somebody asks for stands
        with pytest.raises(InputError, match='but there are '):
            check_annotations(config)
        with pytest.raises(InputError, match=r'other_0000.*cannot be read'):
            DATASETS.build(config)[0]


def test_folders_that_name_their_frames_otherwise_than_the_others_are_broken(tmp_path):
    imitate('sthv1', tmp_path)
    rename_frames(tmp_path / 'rawframes/7', '{:05}.jpg', 0)
    for _ in range(2):
        report = run('sthv1', tmp_path)
        (fault,) = report['faults']
        assert (fault['name'], fault['kind'], fault['reason']) == (
            '7',
            'unreadable',
            'its frames are 00000.jpg, 00001.jpg, ..., those of 2 other folders '
            '00001.jpg, 00002.jpg, ...',
        )
        assert report['frames'] == dict(filename_tmpl='{:05}.jpg', start_index=1)
        assert not [note for note in report['notes'] if 'frames are' in note]


def test_journal_of_a_time_when_names_were_not_kept(tmp_path):
    imitate('sthv1', tmp_path)
    for folder in (tmp_path / 'rawframes').iterdir():
        rename_frames(folder, '{:06}.jpg', 1)
    run('sthv1', tmp_path)
    journal = tmp_path / 'checked.jsonl'
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text(
        ''.join(
            json.dumps({key: value for key, value in line.items() if key != 'names'}) + '\n'
            for line in lines
        )
    )
    assert run('sthv1', tmp_path)['frames']['filename_tmpl'] == '{:06}.jpg'


@pytest.mark.parametrize('check', ['full', 'quick'])
def test_container_that_counts_otherwise_is_told_with_both_numbers(tmp_path, check):
    imitate('ucf101', tmp_path)
    path = next((tmp_path / 'videos').rglob('*.avi'))
    write_numbered(path, 10, 'mpeg4', step=2)  # of every other frame there is no packet
    for _ in range(2):  # looked at, and from the journal
        report = run('ucf101', tmp_path, check=check)
        (note,) = (note for note in report['notes'] if 'containers' in note)
        assert report['written'] and f'{path.name} (container 19, decoder 10)' in note
        assert note in summarise(report)


def test_whatever_an_inspection_raises_is_put_down_to_the_file(tmp_path, monkeypatch):
    imitate('sthv1', tmp_path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)  # else it would take a huge picture
    report = run('sthv1', tmp_path)
    assert {fault['name'] for fault in report['faults']} == {'100218', '24413', '7'}
    assert report['faults'][0]['reason'].startswith('DecompressionBombError: ')
    monkeypatch.setattr(Image, 'open', interrupt)
    with pytest.raises(KeyboardInterrupt):
        run('sthv1', tmp_path)


def interrupt(path):
    raise KeyboardInterrupt


def test_clip_with_fewer_frames_than_its_publisher_says(tmp_path):
    imitate('diving48', tmp_path)
    write_video(tmp_path / 'videos/rgb/-mmq0PT-u8k_00155.mp4', 7)  # one less is accepted
    assert run('diving48', tmp_path)['broken'] == 0
    write_video(tmp_path / 'videos/rgb/-mmq0PT-u8k_00155.mp4', 6)
    (fault,) = run('diving48', tmp_path)['faults']
    assert (fault['kind'], fault['reason']) == ('frame count', '6 frames, at least 7 expected')


def test_entry_that_ends_before_it_starts_is_one_broken_item(tmp_path):
    imitate('diving48', tmp_path)
    path = tmp_path / 'annotations/Diving48_V2_train.json'
    entries = json.loads(path.read_text())
    entries.append(dict(entries[0], vid_name='b', start_frame=8, end_frame=8))
    write(path, json.dumps(entries))
    report = run('diving48', tmp_path)
    (fault,) = report['faults']
    assert (fault['name'], fault['reason']) == ('b', 'the list has it from frame 8 to 8')
    assert fault['source'] == f'{path}: entry 2' and not report['written']
    assert report['splits']['train']['listed'] == 2
    assert run('diving48', tmp_path, skip_broken=True)['written']


def test_item_listed_twice_is_written_once_and_said(tmp_path):
    imitate('gym99', tmp_path)
    path = tmp_path / 'annotations/gym99_val_element.txt'
    line = path.read_text().strip()
    write(path, f'{line}\n{line}\n')
    report = run('gym99', tmp_path)
    assert len(lists(tmp_path)['val.txt']) == 1 and report['broken'] == 0
    assert report['splits']['val']['duplicate'] == 1 and '1 duplicate' in summarise(report)
    write(path, f'{line}\n{line[:-1]}1\n')
    with pytest.raises(InputError, match=r'element.txt:2: .* of class 1, but of class 0 in .*:1'):
        run('gym99', tmp_path)


def test_id_that_kinetics_does_not_list_counts_as_missing(tmp_path):
    imitate('minikinetics200', tmp_path)
    write(tmp_path / 'annotations/val_ytid_list.txt', 'c0000000001\nunheard_of0\n')
    report = run('minikinetics200', tmp_path)
    (fault,) = report['faults']
    assert (fault['kind'], fault['label'], report['written']) == ('missing', None, False)
    assert report['splits']['val']['listed'] == 2


def test_folder_that_cannot_be_read_is_no_missing_file(tmp_path):
    imitate('hmdb51', tmp_path)
    os.rename(tmp_path / 'videos/wave', tmp_path / 'elsewhere')
    os.symlink('wave', tmp_path / 'videos/wave')  # refuses even root
    report = run('hmdb51', tmp_path)
    assert {fault['kind'] for fault in report['faults']} == {'unreadable'}
    assert 'videos/wave: Too many levels of symbolic links' in report['faults'][0]['reason']


def test_name_that_no_list_can_hold_is_refused(tmp_path):
    imitate('sthv1', tmp_path)
    write(tmp_path / 'annotations/something-something-v1-train.csv', f'a b;{SIDES[0]}\n')
    write_frames(tmp_path / 'rawframes/a b')
    with pytest.raises(InputError, match=r"'a b' cannot be written into an annotation file.*:1"):
        run('sthv1', tmp_path)


def test_part_of_a_data_set_is_noted(tmp_path):
    imitate('sthv1', tmp_path)
    report = run('sthv1', tmp_path)
    assert report['notes'] == [
        '3 classes, the whole data set has 174',
        'train: 2 items listed, the whole data set has 86017',
        'val: 1 items listed, the whole data set has 11522',
    ]


def test_second_run_looks_only_at_what_changed(tmp_path, monkeypatch):
    imitate('gym99', tmp_path)
    run('gym99', tmp_path)
    seen = watch(monkeypatch)
    run('gym99', tmp_path)
    assert seen == []
    write_video(tmp_path / 'videos/-LtLS9wROrk_E_000147_000152_A_0000_0005.mp4', 9)
    run('gym99', tmp_path)
    assert [path.name for path in seen] == ['-LtLS9wROrk_E_000147_000152_A_0000_0005.mp4']
    run('gym99', tmp_path, recheck=True)
    assert len(seen) == 3
    run('gym99', tmp_path, check='quick')
    assert len(seen) == 5


def watch(monkeypatch):
    import importlib

    module = importlib.import_module('mmaction_ext.datasets.preparation.prepare')
    seen, original = [], module.inspect_video
    monkeypatch.setattr(
        module, 'inspect_video', lambda path, check: seen.append(path) or original(path, check)
    )
    return seen


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(check='deep'), "check must be one of full, quick, got 'deep'"),
        (dict(workers=-1), 'workers must not be negative, got -1'),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    imitate('gym99', tmp_path)
    with pytest.raises(InputError, match=message):
        run('gym99', tmp_path, **options)


def test_missing_media_folder_is_named(tmp_path):
    imitate('gym99', tmp_path)
    os.rename(tmp_path / 'videos', tmp_path / 'elsewhere')
    with pytest.raises(InputError, match=f'{tmp_path}/videos is no folder'):
        run('gym99', tmp_path)
