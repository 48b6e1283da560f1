"""Something about the runs on disk, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmaction_ext.tracking.ledger.format import NEWER
from mmaction_ext.tracking.reading.record import RunRecord

#: the worst first
SEVERITIES = ('error', 'warning', 'note')
#: advice that several checks give
BACKUP = 'restore it from a backup, or delete the run and train it again'
TEST_AGAIN = 'test the run again with mmaction-ext test'


@dataclass(frozen=True)
class Finding:
    """Something about the runs on disk.

    Attributes:
        severity: ``'error'`` (numbers cannot be trusted), ``'warning'`` (something is to be done)
            or ``'note'`` (nothing has to be done).
        check: short name of what was looked for.
        place: file, folder or run.
        text: what is the case.
        advice: what to do.
    """

    severity: str
    check: str
    place: str
    text: str
    advice: str


def unreadable(place: Path | str, reason: str = '') -> Finding:
    """A file or folder that cannot be opened, with the system's reason where it is known."""
    return Finding(
        'error',
        'unreadable',
        str(place),
        f'cannot be read{reason and f": {reason}"}',
        'make it readable, or restore it from a backup',
    )


def newer(place: Path | str) -> Finding:
    """A file of a version that this program does not know."""
    return Finding(
        'error',
        'newer',
        str(place),
        f'{NEWER}, which cannot read it',
        'update mmaction_ext; the run itself may be sound',
    )


def run_name(record: RunRecord) -> str:
    """How a run is called: by its folder, else its config, else its id."""
    if record.folder:
        return record.folder
    seed = '' if record.seed is None else f'/seed{record.seed}'
    return f'{record.config}{seed}' if record.config else f'run {record.uid}'


def and_more(names: Iterable[str]) -> str:
    """How many runs of the same kind there are beside the one that is named."""
    more = len(set(names)) - 1
    return f' and {more} more {"run" if more == 1 else "runs"}' if more else ''
