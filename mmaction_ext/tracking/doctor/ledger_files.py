"""Whether the JSON files of ledgers, and of copies of online runs, are as they were written."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmaction_ext.files.reading import read_regular
from mmaction_ext.files.writing import UNFINISHED
from mmaction_ext.tracking.doctor.finding import BACKUP, TEST_AGAIN, Finding, newer, unreadable
from mmaction_ext.tracking.doctor.run_file import is_of_newer_version, read_object
from mmaction_ext.tracking.ledger.format import METRICS_FILE, NEWER, RESULTS_FOLDER, RUN_FILE
from mmaction_ext.tracking.reading.record import RunRecord
from mmaction_ext.tracking.reading.snapshots import read_snapshot
from mmaction_ext.tracking.reading.wandb_snapshot import SNAPSHOT_FOLDER

_RESTORE = 'restore it from a backup'
#: how the files end that carry a checksum, and in how many bytes
_CHECKSUM, _END_BYTES = b'"crc32"', 40


def look(root: Path) -> list[Finding]:
    """Files below a folder that hold half of what was written, or something else.

    Returns:
        :class:`Finding` list.
    """
    found: list[Finding] = []
    for folder, _, names in os.walk(root):
        found += _without_run_file(Path(folder), names)
        found += [
            _damaged(path) for path in _objects(Path(folder), names) if read_object(path) is None
        ]
    return found + [
        finding
        for path in sorted((root / SNAPSHOT_FOLDER).rglob('*.json'))
        if not path.parent.name.endswith(UNFINISHED)
        for finding in _copy(path)
    ]


def _without_run_file(folder: Path, names: Sequence[str]) -> list[Finding]:
    if METRICS_FILE not in names or RUN_FILE in names:
        return []
    return [
        Finding(
            'error',
            'half-written',
            folder.as_posix(),
            f'holds {METRICS_FILE} but no {RUN_FILE}, so that nobody knows whose it is',
            f'restore {RUN_FILE}, or delete the folder',
        )
    ]


def _objects(folder: Path, names: Sequence[str]) -> list[Path]:
    """Files of ledgers that hold one JSON object each."""
    if folder.name == RESULTS_FOLDER and (folder.parent / RUN_FILE).exists():
        return [folder / name for name in names if name.endswith('.json')]
    return [folder / RUN_FILE] * (RUN_FILE in names)


def _damaged(path: Path) -> Finding:
    try:
        read_regular(path)
    except OSError as error:
        return unreadable(path.as_posix(), error.strerror or '')
    if is_of_newer_version(path):
        return newer(path.as_posix())
    advice = BACKUP if path.name == RUN_FILE else f'{_RESTORE}, or {TEST_AGAIN}'
    if _is_whole(path):
        return Finding(
            'error',
            'altered',
            path.as_posix(),
            'was altered after it was written; tables do not trust it',
            advice,
        )
    return Finding('error', 'half-written', path.as_posix(), 'is no JSON object', advice)


def _is_whole(path: Path) -> bool:
    """Whether a file ends as it was written, with its checksum."""
    try:
        return _CHECKSUM in read_regular(path)[-_END_BYTES:]
    except OSError:
        return False


def _copy(path: Path) -> list[Finding]:
    if is_of_newer_version(path):
        return [newer(path.as_posix())]
    content = read_snapshot(path)
    if content is None:
        return [
            Finding(
                'error',
                'half-written',
                path.as_posix(),
                'is no copy of a run',
                'delete it and run mmaction-ext import-wandb again',
            )
        ]
    if content.state != 'running':
        return []
    return [
        Finding(
            'note',
            'copied early',
            path.as_posix(),
            'is the copy of a run that was still going on',
            'run mmaction-ext import-wandb again',
        )
    ]


def other_damage(root: Path, records: Iterable[RunRecord], known: set[str]) -> list[Finding]:
    """Damaged files of which nothing has been said yet.

    Args:
        root: the folder that was searched.
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` list of the runs in it.
        known: places of the findings so far.

    Returns:
        :class:`Finding` list.
    """
    found: dict[str, tuple[str, bool]] = {}
    for record in records:
        for text in record.damage:
            name, _, what = text.removesuffix(f' {NEWER}').partition(' is ')
            found.setdefault((root / name).as_posix(), (what, record.corrupt))
    return [
        _other_damage(place, *facts)
        for place, facts in sorted(found.items())
        if place not in known
    ]


def _other_damage(place: str, what: str, is_corrupt: bool) -> Finding:
    state, _, reason = what.partition(': ')
    if state == 'unreadable':
        return unreadable(place, reason)
    if not what:
        return newer(place)
    if is_corrupt:
        return Finding(
            'error', 'damaged', place, f'is {what}; tables do not trust its run', BACKUP
        )
    return Finding(
        'warning', 'damaged', place, f'is {what}; another source makes up for it', _RESTORE
    )
