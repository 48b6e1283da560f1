"""What the JSON files of a ledger say, whatever they hold."""

from pathlib import Path
from typing import Any

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.ledger.format import RUN_FILE, NewerVersion, decode_object
from mmaction_ext.tracking.ledger.forms import AttemptEntry, RunFile


def read_object(path: Path | str) -> dict[str, Any] | None:
    """The object in a file; ``None`` where it holds none, was altered or cannot be read."""
    try:
        return decode_object(read_regular(path))
    except (OSError, ValueError):
        return None


def read_run(folder: Path) -> RunFile | None:
    """``run.json`` of a folder; ``None`` where it holds something else or cannot be read."""
    try:
        return RunFile.parse(read_regular(folder / RUN_FILE))
    except (OSError, ValueError):
        return None


def is_of_newer_version(path: Path | str) -> bool:
    """Whether a file says that it is of a version that this program does not know."""
    try:
        decode_object(read_regular(path))
    except NewerVersion:
        return True
    except (OSError, ValueError):
        pass
    return False


def attempts_in(run: RunFile | None) -> list[AttemptEntry]:
    """The attempts that a ``run.json`` tells of, oldest first."""
    return (run and run.attempts) or []


def attempt_numbers(run: RunFile) -> set[int]:
    """Numbers of these attempts."""
    return {entry.number or place for place, entry in enumerate(attempts_in(run), 1)}
