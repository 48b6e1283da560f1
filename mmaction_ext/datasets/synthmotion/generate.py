"""Makes the SynthMotion data set on disk: in parallel, resumable, checked by checksums.

A finished data set is a folder with::

    videos/{train,val,test}/000012_f.mp4   base clip 12, forwards
    videos/{train,val,test}/000012_r.mp4   the same frames, last one first
    meta.csv                               one line per file: label, pair, size, speed, ...
    manifest.json                          parameters, versions, checksums of every file
    {train,val,test}.txt                   "train/000012_f.mp4 3", relative to ``videos``

While it is being made there is no manifest and no annotation file but a journal,
``progress.jsonl``, with the checksums of the clips that are complete. A run that finds
damaged or missing clips turns the manifest back into a journal before it makes them again,
so that the manifest never claims what is not there.
"""

import csv
import errno
import hashlib
import io
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np
from tqdm import tqdm

from mmaction_ext.datasets.processes import locked, start_worker
from mmaction_ext.datasets.synthmotion.scenes import (
    CLASSES,
    FPS,
    FRAME_SIZE,
    NUM_FRAMES,
    PRESETS,
    SPLITS,
    buckets,
    pair_labels,
    render,
    sample_scene,
)
from mmaction_ext.datasets.video_reader import VideoReader
from mmaction_ext.errors import InputError
from mmaction_ext.files.journal import Journal, json_line, read_json_lines
from mmaction_ext.files.writing import write_atomically
from mmaction_ext.video import ENCODING, check_encoder, write_mp4

GENERATOR = 'synthmotion'
VERSION = 1
"""To be raised with every change of what the rendered frames look like, but for other pairs of a
preset, which its data sets record."""

META_FIELDS = ('file', 'split', 'label', 'class', 'pair', 'direction', 'size', 'speed', 'base')
DIRECTIONS = ('forward', 'reverse')

_MANIFEST, _JOURNAL, _META = 'manifest.json', 'progress.jsonl', 'meta.csv'
_BYTES_PER_CLIP = 30_000  # a little above the average, for the check of the free space

#: clips, and halves of them: also of before such were named like all files that are being written
_OWN_FILE = re.compile(r'\d{6}_[fr]\.mp4(\.tmp|\.[0-9a-f]+\.part)?')

Entries = dict[str, dict[str, Any]]


class GenerationError(RuntimeError):
    """Making clips stopped half-way; what is complete is kept for the next run."""


def generate(
    root: str | Path,
    *,
    seed: int = 0,
    num_train: int = 720,
    num_val: int = 120,
    num_test: int = 240,
    preset: str = 'default',
    workers: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Make the data set, or whatever of it is missing or damaged.

    Args:
        root: Folder of the data set.
        seed: Seed of the data set.
        num_train: Number of training base clips; each gives two files.
        num_val: Number of validation base clips.
        num_test: Number of test base clips.
        preset: A key of :data:`scenes.PRESETS`.
        workers: Number of processes; the usable processors (at most 8) by default.
        progress: Whether to show a progress bar and notes on the standard error stream.
        overwrite: Make everything again, also where ``root`` holds something else.

    Returns:
        ``root`` as a path.

    Raises:
        InputError: If an argument is out of range, or ``root`` holds something else.
        OSError: If the folder cannot be written or has not enough free space.
        GenerationError: If making the clips stopped half-way.
    """
    parameters = _parameters(seed, num_train, num_val, num_test, preset)
    workers = usable_processors() if workers is None else workers
    if workers < 1:
        raise InputError(f'workers must be at least 1, got {workers}')
    check_encoder()
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        kept = {} if overwrite else _intact(root, _recorded(root, parameters))
        missing = [
            base for base in _bases(parameters) if not all(name in kept for name in _names(*base))
        ]
        if missing:
            kept = _make_missing(root, parameters, kept, missing, workers, progress)
        _finish(root, parameters, kept)
    return root


def verify(root: str | Path) -> list[str]:
    """Check a finished data set without changing it.

    Compares size and checksum of every file with the manifest, and decodes the first clip
    of each split.

    Args:
        root: Folder of the data set.

    Returns:
        One sentence per fault; none if the data set is complete and intact.

    Raises:
        InputError: If the folder holds no finished data set.
    """
    root = Path(root)
    manifest = read_manifest(root)
    intact = _intact(root, manifest['files'])
    faults = [
        f'{root / name}: missing'
        if not (root / name).exists()
        else f'{root / name}: damaged (size or checksum differs from {_MANIFEST})'
        for name in manifest['files']
        if name not in intact
    ]
    for split in SPLITS:
        clips = sorted(name for name in intact if name.startswith(f'videos/{split}/'))
        faults += [fault for name in clips[:1] for fault in _decoding_faults(root / name)]
    return faults


def _decoding_faults(path: Path) -> list[str]:
    expected = NUM_FRAMES, FRAME_SIZE, FRAME_SIZE
    try:
        shape = VideoReader(path).read().shape[:3]
    except InputError as error:
        return [str(error)]
    return (
        []
        if shape == expected
        else [f'{path}: holds (frames, height, width) = {shape}, expected {expected}']
    )


def read_manifest(root: str | Path) -> dict[str, Any]:
    """Read the manifest of a finished data set.

    Args:
        root: Folder of the data set.

    Returns:
        ``generator``, ``version``, ``parameters``, ``libraries`` and ``files``: path below
        ``root`` -> ``size`` in bytes, ``sha256`` and, for clips, ``frames_sha256``, the
        checksum of the rendered frames, which does not depend on the encoder's version.

    Raises:
        InputError: If there is none or it is damaged.
    """
    path = Path(root) / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        if manifest['generator'] != GENERATOR:
            raise KeyError(GENERATOR)
        manifest['parameters'].items(), manifest['files'].items()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f'{path}: missing, there is no finished data set') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f'{path}: not a readable manifest') from error
    return manifest


def usable_processors() -> int:
    """Number of processors this process may run on, at most 8."""
    if hasattr(os, 'sched_getaffinity'):
        return min(len(os.sched_getaffinity(0)), 8)
    return min(os.cpu_count() or 1, 8)


# --- What the data set consists of -----------------------------------------------------


def _parameters(
    seed: int, num_train: int, num_val: int, num_test: int, preset: str
) -> dict[str, Any]:
    for name, number in (('train', num_train), ('val', num_val), ('test', num_test)):
        if number < 1:
            raise InputError(f'num_{name} must be at least 1, got {number}')
    sample_scene(seed, SPLITS[0], 0, preset)
    pairs = PRESETS[preset].pairs
    return {
        # where they are not what all presets had at first
        **({} if pairs == PRESETS['default'].pairs else {'pairs': list(pairs)}),
        'seed': seed,
        'preset': preset,
        'num_train': num_train,
        'num_val': num_val,
        'num_test': num_test,
        'frames': NUM_FRAMES,
        'size': FRAME_SIZE,
        'fps': FPS,
        'encoding': dict(ENCODING),
    }


def _bases(parameters: dict[str, Any]) -> list[tuple[str, int]]:
    return [(split, index) for split in SPLITS for index in range(parameters[f'num_{split}'])]


def _names(split: str, index: int) -> tuple[str, str]:
    """Paths of the two clips of a base clip, below the root."""
    stem = f'videos/{split}/{index:06d}'
    return f'{stem}_f.mp4', f'{stem}_r.mp4'


def _meta_rows(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for split, index in _bases(parameters):
        pair, size, speed = buckets(index, parameters['preset'])
        labels = pair_labels(pair)
        for name, label, direction in zip(_names(split, index), labels, DIRECTIONS, strict=True):
            yield {
                'file': name[len('videos/') :],
                'split': split,
                'label': label,
                'class': CLASSES[label],
                'pair': pair,
                'direction': direction,
                'size': size,
                'speed': speed,
                'base': f'{split}/{index:06d}',
            }


def _texts(parameters: dict[str, Any]) -> dict[str, bytes]:
    """Table of the clips and annotation files, the files to be written last at the end."""
    rows, table = list(_meta_rows(parameters)), io.StringIO()
    writer = csv.DictWriter(table, META_FIELDS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    texts = {_META: table.getvalue()}
    for split in SPLITS:
        texts[f'{split}.txt'] = ''.join(
            f'{row["file"]} {row["label"]}\n' for row in rows if row['split'] == split
        )
    return {name: text.encode('utf-8') for name, text in texts.items()}


def _entry(data: bytes, frames: np.ndarray | None = None) -> dict[str, Any]:
    entry = {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}
    if frames is not None:
        raw = np.ascontiguousarray(frames).tobytes()
        entry['frames_sha256'] = hashlib.sha256(raw).hexdigest()
    return entry


def _libraries() -> dict[str, str]:
    codec = '.'.join(map(str, av.library_versions['libavcodec']))
    return {
        'av': av.__version__,
        'libavcodec': codec,
        'numpy': np.__version__,
        'python': platform.python_version(),
    }


# --- What is there already -------------------------------------------------------------


def _recorded(root: Path, parameters: dict[str, Any]) -> Entries:
    """Entries of the manifest or else of the journal, whether still true or not.

    Raises:
        InputError: If they belong to other parameters, or the folder to something else.
    """
    header, entries = _read_journal(root / _JOURNAL)
    if (root / _MANIFEST).exists():
        try:
            header = read_manifest(root)
        except InputError:  # damaged: the clips are made again
            return {}
        entries = header['files']
    if header is None:
        _refuse_foreign(root, parameters)
        return {}
    _refuse_other_parameters(root, header, parameters)
    return entries


def _read_journal(path: Path) -> tuple[dict[str, Any] | None, Entries]:
    """Header and entries of a journal; a line torn by a kill counts as not written."""
    records = read_json_lines(path)
    if not records or 'parameters' not in records[0]:
        return None, {}
    return records[0], {name: entry for record in records[1:] for name, entry in record.items()}


def _refuse_foreign(root: Path, parameters: dict[str, Any]) -> None:
    ours = [name for name in ('videos', *_texts(parameters)) if (root / name).exists()]
    if ours:
        raise InputError(
            f'{root}: holds {ours[0]!r} but no {_MANIFEST} of SynthMotion; choose '
            'another folder, or --overwrite to replace what is there'
        )


def _refuse_other_parameters(
    root: Path, header: dict[str, Any], parameters: dict[str, Any]
) -> None:
    made = {'version': header.get('version'), **header['parameters']}
    asked = {'version': VERSION, **parameters}
    for key in asked:
        if made.get(key) != asked[key]:
            raise InputError(
                f'{root}: was made with {key} = {made.get(key)!r}, not '
                f'{asked[key]!r}; choose another folder, or --overwrite to '
                'replace what is there'
            )


def _intact(root: Path, entries: Entries) -> Entries:
    """The entries whose file is there, with the right size and checksum."""
    return {name: entry for name, entry in entries.items() if _is_intact(root / name, entry)}


def _is_intact(path: Path, entry: dict[str, Any]) -> bool:
    try:
        if path.stat().st_size != entry['size']:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == entry['sha256']
    except (OSError, KeyError, TypeError):
        return False


# --- Making what is missing -------------------------------------------------------------


def _header(parameters: dict[str, Any]) -> dict[str, Any]:
    return {'generator': GENERATOR, 'version': VERSION, 'parameters': parameters}


def _make_missing(
    root: Path,
    parameters: dict[str, Any],
    kept: Entries,
    missing: list[tuple[str, int]],
    workers: int,
    progress: bool,
) -> Entries:
    """Make the missing clips; returns the entries of all clips."""
    entries = {name: entry for name, entry in kept.items() if name.startswith('videos/')}
    _begin(root, parameters, entries)
    _check_space(root, 2 * len(missing) * _BYTES_PER_CLIP)
    total = len(_bases(parameters))
    make = partial(_make_base, root, parameters['seed'], parameters['preset'])
    bar = tqdm(
        total=total,
        initial=total - len(missing),
        desc='SynthMotion',
        unit='pair',
        disable=not progress,
        mininterval=0.2 if sys.stderr.isatty() else 5.0,
    )
    try:
        with Journal(root / _JOURNAL) as journal, bar:
            for made in _map(make, missing, min(workers, len(missing))):
                journal.append(json_line(made))
                entries.update(made)
                bar.update()
    except (OSError, BrokenProcessPool) as error:
        raise GenerationError(
            f'{root}: stopped after {bar.n} of {total} pairs of clips: {error}. '
            'What is complete is kept; run again to go on'
        ) from error
    return entries


def _begin(root: Path, parameters: dict[str, Any], kept: Entries) -> None:
    """Turn the folder into an unfinished data set that holds the kept clips only."""
    records = [_header(parameters), *({name: entry} for name, entry in kept.items())]
    write_atomically(root / _JOURNAL, b''.join(map(json_line, records)))
    for name in (_MANIFEST, *_texts(parameters)):
        (root / name).unlink(missing_ok=True)
    for split in SPLITS:
        folder = root / 'videos' / split
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _OWN_FILE.fullmatch(path.name) and f'videos/{split}/{path.name}' not in kept:
                path.unlink()


def _check_space(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f'about {needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free on the disk',
            str(root),
        )


def _make_base(root: Path, seed: int, preset: str, base: tuple[str, int]) -> Entries:
    """Render one base clip and write it forwards and backwards."""
    frames = render(sample_scene(seed, *base, preset))
    clips = zip(_names(*base), (frames, frames[::-1]), strict=True)
    return {name: _entry(write_mp4(clip, root / name, FPS), clip) for name, clip in clips}


def _map(function: Callable[[Any], Any], items: list[Any], workers: int) -> Iterator[Any]:
    """Results in order, from that many processes; from this one if it is one."""
    if workers == 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(workers, get_context('spawn'), initializer=start_worker)
    try:
        yield from pool.map(function, items, chunksize=4)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finish(root: Path, parameters: dict[str, Any], entries: Entries) -> None:
    """Write table, manifest and, last of all, annotations where they are not there yet."""
    texts = _texts(parameters)
    files = {name: entries[name] for base in _bases(parameters) for name in _names(*base)}
    files.update((name, _entry(text)) for name, text in texts.items())
    late = {name: text for name, text in texts.items() if not _is_intact(root / name, files[name])}
    if _META in late:
        write_atomically(root / _META, late.pop(_META))
    if not (root / _MANIFEST).exists():
        manifest = {**_header(parameters), 'libraries': _libraries(), 'files': files}
        write_atomically(root / _MANIFEST, json.dumps(manifest, indent=1) + '\n')
    for name, text in late.items():
        write_atomically(root / name, text)
    (root / _JOURNAL).unlink(missing_ok=True)
