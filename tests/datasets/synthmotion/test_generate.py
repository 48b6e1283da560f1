import csv
import errno
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from disks import small_disk
from mmaction.registry import DATASETS, MODELS
from mmaction.utils import register_all_modules
from mmengine.dataset import pseudo_collate

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets import pipelines
from mmaction_ext.datasets.synthmotion import generate as module
from mmaction_ext.datasets.synthmotion.generate import (
    GenerationError,
    generate,
    read_manifest,
    verify,
)
from mmaction_ext.datasets.synthmotion.scenes import SPLITS, render, sample_scene
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.evaluation.synthmotion import SynthMotionMetric, motion_accuracies
from mmaction_ext.networks import thin_frame_resnet

SMALL = dict(num_train=12, num_val=6, num_test=6, workers=1, progress=False)
TEXTS = ('train.txt', 'val.txt', 'test.txt', 'meta.csv')


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    return generate(tmp_path_factory.mktemp('reference'), **SMALL)


@pytest.fixture
def copy(reference, tmp_path):
    """A finished data set to be damaged."""
    return Path(shutil.copytree(reference, tmp_path / 'copy'))


def content(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def annotations(root, split):
    lines = (root / f'{split}.txt').read_text().splitlines()
    return [(file, int(label)) for file, label in (line.split(' ') for line in lines)]


def clip_times(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob('*.mp4')}


# --- What a finished data set holds -------------------------------------------------------


def test_labels_are_balanced_and_files_exist(reference):
    for split, number in (('train', 24), ('val', 12), ('test', 12)):
        rows = annotations(reference, split)
        assert set(Counter(label for _, label in rows).values()) == {number // 12}
        assert {file for file, _ in rows} == {
            f'{split}/{path.name}' for path in (reference / 'videos' / split).iterdir()
        }


def test_partner_is_the_exact_reversal_after_decoding(reference):
    for file, label in annotations(reference, 'test'):
        if file.endswith('_r.mp4'):
            continue
        partner = file.replace('_f.mp4', '_r.mp4')
        assert dict(annotations(reference, 'test'))[partner] == label + 1
        forward, backward = (
            VideoReader(reference / 'videos' / name).read() for name in (file, partner)
        )
        assert len(forward) == 24 and np.array_equal(forward, backward[::-1])


def test_meta_table_agrees_with_scenes_and_annotations(reference):
    with open(reference / 'meta.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    labels = {file: label for split in SPLITS for file, label in annotations(reference, split)}
    assert {row['file']: int(row['label']) for row in rows} == labels
    for row in rows:
        split, index = row['base'].split('/')
        scene = sample_scene(0, split, int(index))
        assert (row['pair'], row['size'], row['speed']) == (scene.pair, scene.size, scene.speed)
        assert int(row['label']) == scene.labels[row['direction'] == 'reverse']


def test_manifest_tells_the_truth(reference):
    manifest = read_manifest(reference)
    assert (manifest['generator'], manifest['version']) == ('synthmotion', 1)
    assert set(manifest['files']) == set(content(reference)) - {'manifest.json', '.lock'}
    for name, entry in manifest['files'].items():
        data = (reference / name).read_bytes()
        assert entry['size'] == len(data)
        assert entry['sha256'] == hashlib.sha256(data).hexdigest()
    frames = render(sample_scene(0, 'val', 2))
    entries = manifest['files']
    for end, clip in (('f', frames), ('r', np.ascontiguousarray(frames[::-1]))):
        digest = hashlib.sha256(clip.tobytes()).hexdigest()
        assert entries[f'videos/val/000002_{end}.mp4']['frames_sha256'] == digest


def test_same_arguments_give_the_same_bytes_with_any_number_of_processes(reference, tmp_path):
    assert content(generate(tmp_path, **{**SMALL, 'workers': 3})) == content(reference)


def test_another_seed_gives_other_clips(reference, tmp_path):
    other = read_manifest(generate(tmp_path, seed=1, **SMALL))['files']
    mine = read_manifest(reference)['files']
    clips = [name for name in mine if name.endswith('.mp4')]
    assert not {mine[name]['sha256'] for name in clips} & {other[n]['sha256'] for n in clips}


def test_a_larger_data_set_begins_with_the_smaller_one(reference, tmp_path):
    larger = read_manifest(generate(tmp_path, **{**SMALL, 'num_train': 14}))['files']
    mine = read_manifest(reference)['files']
    assert all(larger[name] == mine[name] for name in mine if name.endswith('.mp4'))


def bag_of_frames(root, split):
    """Sum over the eight centre frames of each clip, (N, 64 * 64 * 3)."""
    rows = annotations(root, split)
    sums = [
        VideoReader(root / 'videos' / file)
        .read(range(1, 24, 3))[:, 8:72, 8:72]
        .astype(np.int64)
        .sum(axis=0)
        for file, _ in rows
    ]
    return np.stack(sums).reshape(len(rows), -1), np.array([label for _, label in rows])


def test_classifier_of_averaged_frames_is_right_on_direction_exactly_half_the_time(reference):
    bags, labels = bag_of_frames(reference, 'train')
    assert np.array_equal(bags[::2], bags[1::2])
    centres = np.stack([bags[labels == label].mean(axis=0) for label in range(12)])
    test_bags, test_labels = bag_of_frames(reference, 'test')
    nearest = -np.abs(test_bags[:, None] - centres).sum(axis=2)
    assert motion_accuracies(nearest, test_labels)['within_pair'].mean() == 0.5
    for seed in range(20):
        linear = np.random.default_rng(seed).integers(-99, 99, (bags.shape[1], 12))
        results = motion_accuracies(test_bags @ linear, test_labels)
        assert results['within_pair'].mean() == 0.5
        assert results['top1'].mean() <= 0.5


def test_mmaction2_reads_it_and_the_metric_knows_every_clip(reference):
    register_all_modules()
    dataset = DATASETS.build(
        dict(
            type='VideoDataset',
            ann_file=str(reference / 'test.txt'),
            test_mode=True,
            data_prefix=dict(video=str(reference / 'videos')),
            pipeline=pipelines.synthmotion_test(8, 'NCHW'),
        )
    )
    metric = SynthMotionMetric(str(reference / 'meta.csv'))
    for sample in dataset:
        assert sample['inputs'].shape == (8, 3, 64, 64)
        picture = sample['inputs'].float().mean(dim=(0, 2, 3))  # ignores order
        scores = picture @ torch.linspace(-1, 1, 36).reshape(3, 12)
        metric.process(None, [sample['data_samples'].set_pred_score(scores).to_dict()])
    assert metric.evaluate(len(dataset))['motion/within_pair'] == 0.5
    assert len(dataset) == 12


@pytest.mark.parametrize('extra', [False, True])
def test_a_network_that_sees_no_order_stands_at_exactly_one_half(reference, extra):
    """SmallBigNet: of a clip and its reverse, sums over frames differ in their last bits alone."""
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(thin_frame_resnet(8, 'SmallBigNet', extra=extra))
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 1)
            norm.momentum = 1.0
    dataset = DATASETS.build(
        dict(
            type='VideoDataset',
            ann_file=str(reference / 'test.txt'),
            test_mode=True,
            data_prefix=dict(video=str(reference / 'videos')),
            pipeline=pipelines.synthmotion_test(8, 'NCHW'),
        )
    )
    clips = pseudo_collate(list(dataset))
    with torch.no_grad():
        model.train().test_step(clips)  # gives the normalisations their statistics
        tested = model.eval().test_step(clips)
    metric = SynthMotionMetric(str(reference / 'meta.csv'))
    metric.process(None, [sample.to_dict() for sample in tested])
    assert metric.evaluate(len(dataset))['motion/within_pair'] == 0.5
    scores = torch.stack([sample.pred_score for sample in tested])
    torch.testing.assert_close(scores[::2], scores[1::2])
    assert scores[::2].std(dim=0).max() > 1e-3  # clips do differ


# --- Running again ------------------------------------------------------------------------


def test_second_run_touches_nothing(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob('*') if path.name != '.lock'}
    generate(copy, **SMALL)
    assert before == {
        path: path.stat().st_mtime_ns for path in copy.rglob('*') if path.name != '.lock'
    }
    assert verify(copy) == []


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lose_first_byte_keeping_size(path):
    path.write_bytes(path.read_bytes()[1:] + b'\0')


@pytest.mark.parametrize('damage', [cut, flip_bit, lose_first_byte_keeping_size, Path.unlink])
def test_damaged_clips_are_noticed_and_made_again(copy, reference, damage):
    damaged = [copy / 'videos/train/000003_r.mp4', copy / 'videos/test/000000_f.mp4']
    for path in damaged:
        damage(path)
    faults = verify(copy)
    assert len(faults) == 2 and all(
        str(path) in fault for path, fault in zip(damaged, faults, strict=True)
    )
    assert ('missing' if damage is Path.unlink else 'damaged') in faults[0]
    before = clip_times(copy)
    generate(copy, **SMALL)
    assert content(copy) == content(reference)
    remade = {path.name for path, stamp in clip_times(copy).items() if before.get(path) != stamp}
    assert remade == {f'{base}_{end}.mp4' for base in ('000003', '000000') for end in 'fr'}


@pytest.mark.parametrize('name', TEXTS)
def test_damaged_texts_are_written_again_without_touching_clips(copy, reference, name):
    flip_bit(copy / name)
    before = clip_times(copy)
    assert len(verify(copy)) == 1
    generate(copy, **SMALL)
    assert content(copy) == content(reference) and clip_times(copy) == before


@pytest.mark.parametrize('data', [b'', b'{"files"', b'\xff\xfe', b'[]', b'{"generator": 3}'])
def test_damaged_manifest_is_made_again(copy, reference, data):
    (copy / 'manifest.json').write_bytes(data)
    with pytest.raises(ValueError, match=r'manifest.json: not a readable manifest'):
        verify(copy)
    generate(copy, **SMALL)
    assert content(copy) == content(reference)


def test_nothing_to_verify_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='no finished data set'):
        verify(tmp_path / 'absent')


def start_tool(root, *arguments):
    tool = Path(__file__).parents[3] / 'tools' / 'prepare_data.py'
    return subprocess.Popen(
        [
            sys.executable,
            str(tool),
            'synthmotion',
            '--root',
            str(root),
            '--quiet',
            '--num-train',
            '150',
            '--num-val',
            '6',
            '--num-test',
            '6',
            '--workers',
            '2',
            *arguments,
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'it never happened'
        time.sleep(0.005)


def journal_lines(root):
    path = root / 'progress.jsonl'
    return path.read_bytes().splitlines() if path.exists() else []


def recorded(root):
    """Entries of the whole lines of the journal."""
    return {
        name: entry
        for line in journal_lines(root)[1:]
        if line.endswith(b'}')
        for name, entry in json.loads(line).items()
    }


def children(pid):
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = stat.read_text().rpartition(')')[2].split()[:2]
            if int(parent) == pid and state != 'Z':
                found.append(int(stat.parent.name))
    return found


def test_every_pair_is_on_record_before_the_next_one_is_made(tmp_path, monkeypatch):
    """A kill costs the pairs in work, and none that are complete."""

    def one_by_one(make, bases, workers):
        for base in bases:
            made = make(base)
            yield made
            assert made.items() <= recorded(tmp_path).items()

    monkeypatch.setattr(module, '_map', one_by_one)
    generate(tmp_path, num_train=2, num_val=1, num_test=1, progress=False)


@pytest.mark.slow
def test_kill_in_the_middle_then_resume(tmp_path):
    """SIGKILL twice; what was complete is kept, the result is that of an undisturbed run."""
    root, sizes = tmp_path / 'killed', {**SMALL, 'num_train': 150, 'workers': 2}
    for done in (20, 80):
        process = start_tool(root)
        wait_for(lambda: len(recorded(root)) > done or process.poll() is not None)  # noqa: B023
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL and workers
        process.stderr.close()
        wait_for(lambda: not any(Path(f'/proc/{worker}').exists() for worker in workers))  # noqa: B023
        assert not [name for name in ('manifest.json', *TEXTS) if (root / name).exists()]
    with open(root / 'progress.jsonl', 'a') as journal:
        journal.write('{"videos/train/0001')  # torn by the kill
    (root / 'videos/val').mkdir(exist_ok=True)
    for ending in ('.0a1b.part', '.tmp'):  # the first as versions of before left it
        (root / f'videos/val/000000_f.mp4{ending}').write_bytes(b'half a clip')
    complete, before = recorded(root), clip_times(root)
    generate(root, **sizes)
    kept = {path for path, stamp in clip_times(root).items() if before.get(path) == stamp}
    assert len(complete) > 80 and kept == {root / name for name in complete}
    assert content(root) == content(generate(tmp_path / 'undisturbed', **sizes))


@pytest.mark.slow
def test_interrupt_ends_all_processes_and_says_so(tmp_path):
    process = start_tool(tmp_path / 'data')
    wait_for(lambda: len(journal_lines(tmp_path / 'data')) > 5)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors == 'interrupted; run again to go on\n'
    wait_for(lambda: not any(Path(f'/proc/{worker}').exists() for worker in workers))


# --- Other things that go wrong -----------------------------------------------------------


@contextmanager
def largest_file(size):
    """The kernel refuses to let a file grow beyond this size."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def assert_claims_are_true(root):
    """No manifest, no annotations, and every clip of the journal is there and intact."""
    assert not [name for name in ('manifest.json', *TEXTS) if (root / name).exists()]
    entries = recorded(root)
    for name, entry in entries.items():
        assert hashlib.sha256((root / name).read_bytes()).hexdigest() == entry['sha256']
    assert not list(root.rglob('*.tmp'))
    return len(entries)


@pytest.mark.parametrize('workers', [1, 2])
def test_refused_write_keeps_what_is_complete(reference, tmp_path, workers):
    files = read_manifest(reference)['files']
    sizes = [entry['size'] for name, entry in files.items() if '/train/' in name]
    assert max(sizes[:10]) < max(sizes[10:])  # or the limit below would hit the first clips
    root = tmp_path / 'data'
    with largest_file(max(sizes[:10])):
        with pytest.raises(GenerationError, match=r'File too large.*run again') as caught:
            generate(root, **{**SMALL, 'workers': workers})
    assert str(root) in str(caught.value) and '\n' not in str(caught.value)
    assert assert_claims_are_true(root) >= (10 if workers == 1 else 8)
    assert content(generate(root, **SMALL)) == content(reference)


def test_too_little_space_is_said_before_making_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(module, '_BYTES_PER_CLIP', 10**15)
    with pytest.raises(OSError, match='MB needed') as caught:
        generate(tmp_path, **SMALL)
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.rglob('*.mp4'))


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 400 kB."""
    with small_disk(tmp_path, '400k') as disk:
        yield disk


def test_full_disk_keeps_what_is_complete(tiny_disk, monkeypatch):
    monkeypatch.setattr(module, '_BYTES_PER_CLIP', 0)
    with pytest.raises(GenerationError, match='No space left on device'):
        generate(tiny_disk, **SMALL)
    assert assert_claims_are_true(tiny_disk) >= 8


def test_root_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / 'file').write_text('not a folder')
    with pytest.raises(OSError, match='file/data'):
        generate(tmp_path / 'file' / 'data', **SMALL)


def test_dead_worker_is_reported_and_work_is_kept(tmp_path, monkeypatch):
    """As when the kernel kills a worker for memory."""
    monkeypatch.setattr(module, '_make_base', make_base_or_die)
    with pytest.raises(GenerationError, match='run again'):
        generate(tmp_path, **{**SMALL, 'workers': 2})
    assert_claims_are_true(tmp_path)


def make_base_or_die(root, seed, preset, base):
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_runs_do_not_work_in_one_folder(copy):
    with open(copy / '.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match='another process'):
            generate(copy, **SMALL)


@pytest.mark.parametrize(
    'change, word', [(dict(seed=1), 'seed = 0, not 1'), (dict(num_val=7), 'num_val = 6, not 7')]
)
def test_other_parameters_do_not_mix(copy, change, word):
    before = content(copy)
    with pytest.raises(ValueError, match=word):
        generate(copy, **{**SMALL, **change})
    assert content(copy) == before


def test_a_preset_of_other_classes_has_them_and_says_so(tmp_path):
    tiny = dict(num_train=8, num_val=1, num_test=1, progress=False, workers=1)
    generate(tmp_path / 'hard', preset='hard', **tiny)
    rows = (tmp_path / 'hard/train.txt').read_text().split()
    assert sorted(map(int, rows[1::2])) == [*range(16)]
    manifest = json.loads((tmp_path / 'hard/manifest.json').read_text())
    assert len(manifest['parameters'].pop('pairs')) == 8
    # as made before the preset had more pairs than others
    (tmp_path / 'hard/manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"pairs = None, not .'horizontal'"):
        generate(tmp_path / 'hard', preset='hard', **{**tiny, 'num_val': 2})


def test_other_version_does_not_mix(copy, monkeypatch):
    monkeypatch.setattr(module, 'VERSION', 2)
    with pytest.raises(ValueError, match='version = 1, not 2'):
        generate(copy, **SMALL)


def test_unfinished_data_set_remembers_its_parameters(copy):
    with largest_file(0), pytest.raises(OSError):
        generate(copy / 'new', **SMALL)
    cut(copy / 'videos/train/000000_f.mp4')
    with largest_file(20_000), pytest.raises(GenerationError):
        generate(copy, **SMALL)
    assert not (copy / 'manifest.json').exists()
    with pytest.raises(ValueError, match='seed = 0, not 1'):
        generate(copy, seed=1, **SMALL)


def test_overwrite_leaves_nothing_of_the_old_data_set(copy, tmp_path):
    sizes = {**SMALL, 'num_train': 6}
    (copy / 'videos/train/notes.txt').write_text('by a person')
    generate(copy, seed=1, overwrite=True, **sizes)
    fresh = content(generate(tmp_path / 'fresh', seed=1, **sizes))
    assert content(copy) == {**fresh, 'videos/train/notes.txt': b'by a person'}


@pytest.mark.parametrize('name', ['train.txt', 'videos'])
def test_folder_of_another_data_set_is_left_alone(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=name):
        generate(tmp_path, **SMALL)
    assert not (tmp_path / 'progress.jsonl').exists()


@pytest.mark.parametrize(
    'change, word',
    [
        (dict(num_train=0), 'num_train.*0'),
        (dict(seed=-3), '-3'),
        (dict(workers=0), 'workers.*0'),
        (dict(preset='easy'), 'easy'),
    ],
)
def test_bad_arguments_are_named(tmp_path, change, word):
    with pytest.raises(ValueError, match=word):
        generate(tmp_path / 'data', **{**SMALL, **change})
    assert not (tmp_path / 'data').exists()
