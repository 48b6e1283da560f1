"""All checks, over all runs below some folders."""

import os
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.doctor import (
    ledger_files,
    leftovers,
    measured_files,
    mirrors,
    rows,
    states,
    versions,
)
from mmaction_ext.tracking.doctor.finding import SEVERITIES, Finding, unreadable
from mmaction_ext.tracking.ledger.format import METRICS_FILE, RUN_FILE
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.record import RunRecord

#: folders with the runs that were looked for in each
Parts = list[tuple[Path, list[RunRecord]]]


def examine(
    roots: Iterable[Path | str], configs: Path | str = 'configs', hash_files: bool = True
) -> list[Finding]:
    """Look at all runs below some folders.

    Args:
        roots: the folders.
        configs: folder of the configs as they stand in the tree.
        hash_files: whether to read checkpoints and predictions that results name, to see that
            they are those that were measured.

    Returns:
        :class:`Finding` list, the worst first. What cannot be read is among them.

    Raises:
        InputError: a folder does not exist.
    """
    folders = [Path(root) for root in roots]
    for root in folders:
        if not root.is_dir():
            raise InputError(f'runs folder {root} does not exist')
    found = [
        finding for root in folders for finding in _examine_folder(root, Path(configs), hash_files)
    ]
    return sorted(
        found + versions.duplicates(folders),
        key=lambda item: (SEVERITIES.index(item.severity), item.check, item.place, item.text),
    )


def _examine_folder(root: Path, configs: Path, hash_files: bool) -> list[Finding]:
    """Findings below one folder; runs are named by their path from the working folder on."""
    parts, found = _read_parts(root)
    for folder, some in parts:
        for record in some:
            if record.folder:
                record.folder = (folder / record.folder).as_posix()
        found += rows.damaged(folder, some)
    records = [record for _, some in parts for record in some]
    found += states.look(records) + rows.incomplete(records) + mirrors.look(records)
    found += versions.look(records, configs) + measured_files.look(records, hash_files)
    found += versions.set_aside(root) + leftovers.look(root)
    known = {finding.place for finding in found if finding.check == 'unreadable'}
    found += [item for item in ledger_files.look(root) if item.place not in known]
    for folder, some in parts:
        found += ledger_files.other_damage(folder, some, {finding.place for finding in found})
    return found


def _read_parts(folder: Path) -> tuple[Parts, list[Finding]]:
    """Records by the folder in which they were looked for, and what cannot be read.

    A file that cannot be read takes its run out, and none beside it.
    """
    try:
        return [(folder, find_runs(folder, compare=True, cache=False))], []
    except Exception as error:  # the files may hold anything
        problem = _unreadable_part(folder, error)
    parts: Parts = []
    found: list[Finding] = []
    for inner in _folders_of_runs(folder):
        more, problems = _read_parts(inner)
        parts, found = parts + more, found + problems
    return parts, found or [problem]


def _folders_of_runs(folder: Path) -> list[Path]:
    """Folders in a folder that may hold runs of their own; none in that of a run."""
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
        if {item.name for item in items} & {RUN_FILE, METRICS_FILE}:
            return []
        return [folder / item.name for item in items if item.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _unreadable_part(folder: Path, error: Exception) -> Finding:
    place, found, reason = str(error).partition(' cannot be read: ')
    if isinstance(error, InputError) and found:
        return unreadable(place, reason)
    return Finding(
        'error',
        'unreadable',
        folder.as_posix(),
        f'one of its files holds what no run writes ({type(error).__name__})',
        'restore it from a backup, or delete it',
    )
