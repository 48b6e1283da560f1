"""Whether the checkpoints and predictions that results name are still those of the results."""

import math
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.evaluation.predictions import MOST_BYTES
from mmaction_ext.tracking.doctor.finding import TEST_AGAIN, Finding, run_name, unreadable
from mmaction_ext.tracking.reading.comparison import (
    TOP1,
    file_state,
    is_file,
    named_file,
    other_top1,
)
from mmaction_ext.tracking.reading.record import Evaluation, RunRecord

KINDS = ('checkpoint', 'predictions')


def look(records: Iterable[RunRecord], hash_files: bool) -> list[Finding]:
    """Checkpoints and predictions that results name and that are not there, or differ.

    A file that several results of a run name is that of the newest.

    Args:
        records: :class:`RunRecord` list, each with its folder from
            the working folder on.
        hash_files: whether to read the files.

    Returns:
        :class:`Finding` list.
    """
    found: dict[Finding, None] = {}
    for record in records:
        newest: dict[Path, str] = {}
        for item in reversed(record.evaluations):
            for kind in KINDS:
                found.update(dict.fromkeys(_of_result(record, item, kind, newest, hash_files)))
    return list(found)


def _of_result(
    record: RunRecord, item: Evaluation, kind: str, newest: dict[Path, str], hash_files: bool
) -> list[Finding]:
    """What is wrong with a file of a result.

    Args:
        newest: path to SHA-256 in the newest result that names it; filled in here.
    """
    facts = getattr(item, kind)
    path, digest = named_file(record.folder, facts)
    if path is None or digest is None:
        return []
    if newest.setdefault(path, digest) != digest:
        return [_replaced(record, kind, path)]
    if not hash_files:
        return [] if is_file(path) else [_gone(record, kind, path)]
    state = file_state(record.folder, facts, MOST_BYTES if kind == 'predictions' else math.inf)
    if state == 'same':
        return _other_top1(record, item, path) if kind == 'predictions' else []
    return [dict(gone=_gone, differs=_differs, unreadable=_unreadable)[state](record, kind, path)]


def _gone(record: RunRecord, kind: str, path: Path) -> Finding:
    return Finding(
        'warning',
        f'{kind} gone',
        path.as_posix(),
        f'the {kind} of a result of {run_name(record)} is not there',
        'the number stands, but cannot be measured again',
    )


def _differs(record: RunRecord, kind: str, path: Path) -> Finding:
    return Finding(
        'error',
        f'{kind} differs',
        path.as_posix(),
        f'is not the {kind} of which a result of {run_name(record)} tells',
        TEST_AGAIN,
    )


def _unreadable(record: RunRecord, kind: str, path: Path) -> Finding:
    return unreadable(path.as_posix())


def _replaced(record: RunRecord, kind: str, path: Path) -> Finding:
    return Finding(
        'note',
        f'{kind} replaced',
        path.as_posix(),
        f'took the place of the {kind} of an earlier result of {run_name(record)}',
        'the earlier number stands, but cannot be measured again',
    )


def _other_top1(record: RunRecord, item: Evaluation, path: Path) -> list[Finding]:
    """What is wrong where the predictions of a result do not give its accuracy."""
    logged = item.values.get(TOP1)
    told = other_top1(path, logged)
    if told is None:
        return []
    return [
        Finding(
            'error',
            'accuracy differs',
            path.as_posix(),
            f'gives a top-1 accuracy of '
            f'{told!r}, and a result of {run_name(record)} says {logged!r}',
            TEST_AGAIN,
        )
    ]
