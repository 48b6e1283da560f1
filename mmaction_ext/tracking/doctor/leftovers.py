"""Files that a process left when it died, and that nobody needs any more."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import is_locked
from mmaction_ext.files.writing import UNFINISHED
from mmaction_ext.tracking.doctor.finding import Finding
from mmaction_ext.tracking.doctor.run_file import attempts_in, read_run
from mmaction_ext.tracking.doctor.versions import is_set_aside
from mmaction_ext.tracking.ledger.format import HEARTBEAT_FILE, LOCK_FILE, RESULTS_FOLDER, RUN_FILE
from mmaction_ext.tracking.reading.wandb_snapshot import SNAPSHOT_FOLDER
from mmaction_ext.tracking.writing.attempts import SPARE_FILE

#: a temporary file that is younger may be about to be renamed by a process on another host
LEFTOVER_SECONDS = 600


def look(root: Path | str) -> list[Finding]:
    """A :class:`Finding` for each of :func:`leftover_files`."""
    return [
        Finding(
            'warning',
            'leftover file',
            path.as_posix(),
            'was left by a process that died',
            'mmaction-ext doctor --fix removes it',
        )
        for path in leftover_files(root)
    ]


def leftover_files(root: Path | str) -> list[Path]:
    """Files that a process left when it died: half-written parts of its ledger, kept room.

    Those of runs that live, or may live on another host, are none. Nor is the room that a killed
    run keeps for its last entry, as long as it may be resumed.

    Returns:
        Paths, sorted.
    """
    paths = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return sorted(path for path in paths if _is_leftover(path))


def _is_leftover(path: Path) -> bool:
    is_left = _is_temporary(path) or (path.name == SPARE_FILE and _is_over(path.parent))
    return is_left and _is_old(path) and not is_locked(_run_folder(path) / LOCK_FILE)


def _is_temporary(path: Path) -> bool:
    """Whether a file has a name that only the writer of ledgers and copies gives."""
    if path.parent.name.endswith(UNFINISHED):
        return True
    if path.parent.name == RESULTS_FOLDER or SNAPSHOT_FOLDER in path.parts:
        return path.name.endswith('.json.tmp')
    return path.name in (f'{RUN_FILE}.tmp', f'{HEARTBEAT_FILE}.tmp')


def _is_over(folder: Path) -> bool:
    """Whether nobody goes on with the run of a folder: it was set aside, or has finished."""
    last = attempts_in(read_run(folder))[-1:]
    return is_set_aside(folder) or any(entry.exit_code == 0 for entry in last)


def _run_folder(path: Path) -> Path:
    return path.parent.parent if path.parent.name == RESULTS_FOLDER else path.parent


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
    except OSError:
        return False  # it has just been renamed


def remove_leftovers(roots: Iterable[Path | str]) -> list[Path]:
    """Delete what :func:`leftover_files` finds below some folders.

    Returns:
        Paths of the files that are gone now.

    Raises:
        InputError: one cannot be deleted.
    """
    removed: list[Path] = []
    for path in [path for root in roots for path in leftover_files(root)]:
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f'{path} cannot be deleted: {error.strerror}') from error
        removed.append(path)
    return removed
