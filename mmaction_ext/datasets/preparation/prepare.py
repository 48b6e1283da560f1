r"""From a publisher's annotations to the annotation files that training reads. Torch-free.

In the folder of the data set there are afterwards::

    train.txt, val.txt, ...   one line per sample, as mmaction2 reads it
    classes.txt               names of the classes, one a line, in the order of their ids
    report.json               what was found; for machines
    train.skipped.txt, ...    only with ``skip_broken``: what was left out, and why
    checked.jsonl             what was found sound; lets a killed run go on

Videos: ``<path>TAB<id>``, for ``VideoDataset(delimiter='\\t')``, so that blanks in names
survive. Folders of frames: ``<folder> <number of frames> <id>``, for ``RawframeDataset``; how
their frames are named is in ``report.json`` below ``frames``, where ``GuardedRawframeDataset``
looks for it.
"""

import contextlib
import json
import re
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmaction_ext.datasets.frame_names import REPORT, FrameNames
from mmaction_ext.datasets.preparation.checked import CheckedItems, signature
from mmaction_ext.datasets.preparation.inspection import (
    CHECKS,
    FAULTS,
    FRAME_COUNT,
    MISSING,
    UNREADABLE,
    Inspection,
    inspect_frames,
    inspect_video,
)
from mmaction_ext.datasets.preparation.listing import Listing
from mmaction_ext.datasets.processes import locked, map_surviving
from mmaction_ext.datasets.publishers import Item, Publication
from mmaction_ext.errors import InputError, last_line
from mmaction_ext.files.writing import write_atomically
from mmaction_ext.printable import some

CLASSES, CHECKED = 'classes.txt', 'checked.jsonl'
VIDEO_DELIMITER = '\t'
#: an item that its list names twice, under the same label: written once, and no loss
DUPLICATE = 'duplicate'


@dataclass(frozen=True)
class Fault:
    """An item that is not written, and why."""

    split: str
    name: str
    label: int | None
    kind: str
    reason: str
    source: str


@dataclass(frozen=True)
class Sample:
    """An item whose file was found; ``name`` is its path below the media folder."""

    item: Item
    name: str


def prepare(
    publication: Publication,
    root: str | Path,
    media: str | Path,
    *,
    check: str = 'full',
    workers: int = 0,
    skip_broken: bool = False,
    recheck: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Check every item and write the annotation files, or refuse to.

    Annotation files are written if nothing is broken, or on demand without what is broken, and
    those of an earlier run that this one has not are removed; else all stay as they were.

    Args:
        publication: what the publisher's annotations say.
        root: folder that receives the files.
        media: folder of the videos or of the folders of frames.
        check: one of :data:`inspection.CHECKS`.
        workers: number of processes; 0 for this one.
        skip_broken: write the lists without the broken items, and list those beside.
        recheck: look again at what was looked at before.
        progress: whether to show a progress bar on the standard error stream.

    Returns:
        The report, as in ``report.json``.

    Raises:
        InputError: an argument is out of range, a folder is missing, another data set was
            prepared in ``root``, two lines of a list contradict each other, or a name cannot be
            written into a list.
        OSError: the folder cannot be written.
    """
    root, media = Path(root), Path(media)
    _check_arguments(media, check, workers)
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        earlier = _earlier_lists(root, publication.name)
        found, faults = _locate(publication, media)
        names = list({sample.name: None for samples in found.values() for sample in samples})
        inspections = _inspect(publication, root, media, names, check, workers, recheck, progress)
        frame_names = _agree(inspections)
        usable = {
            split: [
                sample
                for sample in samples
                if not _add_fault(faults, split, sample, inspections[sample.name])
            ]
            for split, samples in found.items()
        }
        report = _report(publication, root, media, check, usable, faults, skip_broken)
        report['frames'] = frame_names and frame_names.settings()
        if frame_names not in (None, FrameNames()):
            report['notes'].append(
                f'frames are {frame_names}; GuardedRawframeDataset, and so the '
                'configs, take that from report.json'
            )
        report['notes'] += _miscounted(usable, inspections)
        report['kept'] = [] if report['written'] else earlier
        if report['written']:
            _write_lists(publication, root, usable, inspections, faults if skip_broken else [])
            report['notes'] += _remove(root, [name for name in earlier if name[:-4] not in usable])
        write_atomically(root / REPORT, json.dumps(report, indent=1, ensure_ascii=False) + '\n')
    return report


def _check_arguments(media: Path, check: str, workers: int) -> None:
    if check not in CHECKS:
        raise InputError(f'check must be one of {", ".join(CHECKS)}, got {check!r}')
    if workers < 0:
        raise InputError(f'workers must not be negative, got {workers}')
    if not media.is_dir():
        raise InputError(f'{media} is no folder: the videos or frames are expected there')


def _earlier_lists(root: Path, name: str) -> list[str]:
    """Annotation files of an earlier run; refuses to write over those of another data set."""
    other, lists = None, []
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        report = json.loads((root / REPORT).read_text(encoding='utf-8'))
        other, lists = report['dataset'], report['kept']
        if report['written']:
            lists = [count['annotation_file'] for count in report['splits'].values()]
    if other not in (None, name):
        raise InputError(
            f'{root / REPORT} is of {other}, whose lists {name} would replace: '
            'give each data set a folder of its own'
        )
    return [
        each for each in lists if re.fullmatch(r'[\w.-]+\.txt', each) and (root / each).exists()
    ]


def _remove(root: Path, lists: list[str]) -> list[str]:
    """Remove lists of an earlier run that split otherwise, which would mix with the new ones."""
    for name in lists:
        (root / name).unlink(missing_ok=True)
        (root / f'{name[:-4]}.skipped.txt').unlink(missing_ok=True)
    return [f'removed, as no list of this run is named so: {some(lists)}'] if lists else []


# --- Which files there are ----------------------------------------------------------------


def _locate(publication: Publication, media: Path) -> tuple[dict[str, list[Sample]], list[Fault]]:
    """Samples by split, and the faults of the items that are not there or there twice."""
    listing = Listing(media, () if publication.frames else publication.suffixes)
    found: dict[str, list[Sample]] = {split: [] for split in publication.splits}
    faults = [
        Fault(split, entry.name, None, MISSING, entry.reason, entry.source)
        for split, entries in publication.unlisted.items()
        for entry in entries
    ]
    for split, items in publication.splits.items():
        seen: dict[Any, Item] = {}
        for item in items:
            name = listing.find(item)
            earlier = seen.setdefault(name or (item.folders, item.stems), item)
            if earlier is not item:
                faults.append(_duplicate(split, item, earlier))
            elif name is None:
                faults.append(_absent(split, item, listing.why_not(item)))
            else:
                found[split].append(Sample(item, name))
    return found, faults


def _duplicate(split: str, item: Item, earlier: Item) -> Fault:
    if earlier.label != item.label:
        raise InputError(
            f'{item.source}: {_path(item)} is of class {item.label}, but of class '
            f'{earlier.label} in {earlier.source}'
        )
    return Fault(split, _path(item), item.label, DUPLICATE, f'as in {earlier.source}', item.source)


def _path(item: Item) -> str:
    """Where a publisher has an item, without what a list leaves out."""
    return f'{item.folders[0]}/{item.stems[0]}'.lstrip('/')


def _absent(split: str, item: Item, unreadable: str) -> Fault:
    kind, reason = (UNREADABLE, unreadable) if unreadable else (MISSING, 'no such file')
    return Fault(split, _path(item), item.label, kind, reason, item.source)


# --- What is in them ----------------------------------------------------------------------


def _inspect(
    publication: Publication,
    root: Path,
    media: Path,
    names: list[str],
    check: str,
    workers: int,
    recheck: bool,
    progress: bool,
) -> dict[str, Inspection]:
    """Inspection by name; what the file of checked items knows is not looked at again."""
    checked = CheckedItems(root / CHECKED, check, fresh=recheck)
    states = {name: signature(media / name) for name in names}
    inspections: dict[str, Inspection] = {}
    for name in names:
        known = checked.inspection(name, states[name])
        if known and (known.frame_names or not publication.frames):  # not an older file's
            inspections[name] = known
    waiting = [name for name in names if name not in inspections]
    inspect = partial(_inspect_one, publication.frames, media, check)
    bar = tqdm(
        total=len(names),
        initial=len(names) - len(waiting),
        desc=publication.name,
        unit='item',
        disable=not (progress and waiting),
        mininterval=0.2 if sys.stderr.isatty() else 5.0,
    )
    with checked, bar:
        for name, inspection in map_surviving(inspect, waiting, workers):
            inspections[name] = inspection or Inspection(
                0, UNREADABLE, 'the decoder crashes on it'
            )
            checked.add(name, states[name], inspections[name])
            bar.update()
    return inspections


def _inspect_one(frames: bool, media: Path, check: str, name: str) -> Inspection:
    try:
        return (inspect_frames if frames else inspect_video)(media / name, check)
    except Exception as error:  # of whatever library: one file must not end the run
        return Inspection(0, UNREADABLE, f'{type(error).__name__}: {last_line(error)}')


def _agree(inspections: dict[str, Inspection]) -> FrameNames | None:
    """How most folders name their frames; those that do otherwise become unreadable.

    Training reads all folders of a data set by one template and from one number on.
    """
    sound = {
        name: inspection.frame_names
        for name, inspection in inspections.items()
        if inspection.frame_names
    }
    if not sound:
        return None
    ((common, number),) = Counter(sound.values()).most_common(1)
    for name, names in sound.items():
        if names != common:
            inspections[name] = Inspection(
                inspections[name].num_frames,
                UNREADABLE,
                (f'its frames are {names}, those of {number} other folders {common}'),
            )
    return common


def _add_fault(faults: list[Fault], split: str, sample: Sample, inspection: Inspection) -> bool:
    """Append what is wrong with a sample, if anything is; returns whether it is."""
    item, kind, reason = sample.item, inspection.fault, inspection.reason
    if not kind and item.min_frames and inspection.num_frames < item.min_frames:
        kind = FRAME_COUNT
        reason = f'{inspection.num_frames} frames, at least {item.min_frames} expected'
    if kind:
        faults.append(Fault(split, sample.name, item.label, kind, reason, item.source))
    return bool(kind)


# --- What is written ----------------------------------------------------------------------


def _report(
    publication: Publication,
    root: Path,
    media: Path,
    check: str,
    usable: dict[str, list[Sample]],
    faults: list[Fault],
    skip_broken: bool,
) -> dict[str, Any]:
    broken = len({fault.name for fault in faults if fault.kind != DUPLICATE})
    splits = {split: _count(publication, split, usable[split], faults) for split in usable}
    return {
        'dataset': publication.name,
        'root': str(root),
        'media': str(media),
        'check': check,
        'classes': len(publication.labels),
        'broken': broken,
        'skip_broken': skip_broken,
        'written': all(usable.values()) and (skip_broken or not broken),
        'splits': splits,
        'notes': _notes(publication, usable),
        'delimiter': ' ' if publication.frames else VIDEO_DELIMITER,
        'faults': [asdict(fault) for fault in faults],
    }


def _count(
    publication: Publication, split: str, usable: list[Sample], faults: list[Fault]
) -> dict[str, Any]:
    kinds = Counter(fault.kind for fault in faults if fault.split == split)
    listed = len(publication.splits[split]) + len(publication.unlisted.get(split, ()))
    return {
        'annotation_file': f'{split}.txt',
        'listed': listed,
        'usable': len(usable),
        **{kind.replace(' ', '_'): kinds[kind] for kind in (*FAULTS, DUPLICATE)},
    }


def _notes(publication: Publication, usable: dict[str, list[Sample]]) -> list[str]:
    """What a person should know though each line by itself is in order."""
    notes = []
    for split, samples in usable.items():
        listed = {item.label for item in publication.splits[split]}
        lost = sorted(listed - {sample.item.label for sample in samples})
        if not samples:
            notes.append(f'{split}: nothing usable, so nothing is written')
        elif lost:
            names = some([publication.labels[label] for label in lost])
            notes.append(f'{split}: nothing usable of {len(lost)} classes: {names}')
    notes += publication.notes
    if publication.num_classes not in (None, len(publication.labels)):
        notes.append(
            f'{len(publication.labels)} classes, the whole data set has {publication.num_classes}'
        )
    return notes + [
        f'{split}: {len(publication.splits[split])} items listed, the whole data set has {number}'
        for split, number in publication.num_items.items()
        if number != len(publication.splits[split])
    ]


def _miscounted(usable: dict[str, list[Sample]], inspections: dict[str, Inspection]) -> list[str]:
    """Videos that are read as they decode, though their containers count otherwise."""
    names = {sample.name: None for samples in usable.values() for sample in samples}
    found = [(name, inspections[name]) for name in names if inspections[name].listed_frames]
    if not found:
        return []
    shown = [
        f'{name} (container {inspection.listed_frames}, decoder {inspection.num_frames})'
        for name, inspection in found
    ]
    return [
        f'{len(found)} sound videos of another number of frames than their containers state, '
        f'which are read as they decode: {some(shown)}'
    ]


def _write_lists(
    publication: Publication,
    root: Path,
    usable: dict[str, list[Sample]],
    inspections: dict[str, Inspection],
    faults: list[Fault],
) -> None:
    """Class names and side files first, the annotation files last."""
    texts = {CLASSES: ''.join(f'{name}\n' for name in publication.labels)}
    for split in usable:
        left_out = [fault for fault in faults if fault.split == split]
        texts[f'{split}.skipped.txt'] = ''.join(
            f'{fault.name}\t{fault.label}\t{fault.kind}: {fault.reason}\n' for fault in left_out
        )
    for split, samples in usable.items():
        texts[f'{split}.txt'] = ''.join(
            _line(publication, sample, inspections[sample.name]) for sample in samples
        )
    for name, text in texts.items():
        if text:
            write_atomically(root / name, text)
        else:  # of an earlier run
            (root / name).unlink(missing_ok=True)


def _line(publication: Publication, sample: Sample, inspection: Inspection) -> str:
    name, label = sample.name, sample.item.label
    delimiters = ' \t' if publication.frames else VIDEO_DELIMITER
    if any(character in name for character in delimiters + '\r\n') or name != name.strip():
        raise InputError(
            f'{name!r} cannot be written into an annotation file: rename it ({sample.item.source})'
        )
    if publication.frames:
        return f'{name} {inspection.num_frames} {label}\n'
    return f'{name}{VIDEO_DELIMITER}{label}\n'
