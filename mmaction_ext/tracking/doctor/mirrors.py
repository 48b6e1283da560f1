"""Whether the offline W&B logs of runs hold what their ledgers say that W&B took."""

import os
from collections.abc import Iterable
from pathlib import Path

from mmaction_ext.tracking.doctor.finding import Finding
from mmaction_ext.tracking.doctor.run_file import attempts_in, read_run
from mmaction_ext.tracking.ledger.format import METRICS_FILE
from mmaction_ext.tracking.ledger.forms import AttemptEntry
from mmaction_ext.tracking.reading.metrics import read_attempts
from mmaction_ext.tracking.reading.record import RunRecord
from mmaction_ext.tracking.reading.rows import attempt_fact
from mmaction_ext.tracking.reading.wandb_log import LOG_NAME, read_log


def look(records: Iterable[RunRecord]) -> list[Finding]:
    """Logs that were cut or emptied after they had been closed.

    One that was never closed lacks what its writer could not write: that is no fault of the file.
    Nor is one spoken of that is not there, or of which it is known that its bytes were altered.

    Args:
        records: :class:`RunRecord` list, each with its folder from
            the working folder on.

    Returns:
        :class:`Finding` list.
    """
    return [
        finding
        for record in records
        if 'ledger' in record.read_from
        for finding in _of_run(Path(record.folder))
    ]


def _of_run(folder: Path) -> list[Finding]:
    closed = [
        (_log_of(folder, entry), entry)
        for entry in attempts_in(read_run(folder))
        if entry.wandb_closed
    ]
    rows = _rows(folder / METRICS_FILE) if any(path for path, _ in closed) else {}
    return [finding for path, entry in closed if path for finding in _cut(path, entry, rows)]


def _log_of(folder: Path, entry: AttemptEntry) -> Path | None:
    """The offline log that an attempt names; ``None`` where it names none, or an address."""
    name = entry.wandb or ''
    if '\0' in name or not LOG_NAME.fullmatch(Path(name).name):
        return None
    return Path(os.path.normpath(folder / name))


def _rows(path: Path) -> dict[int, int]:
    """Number of an attempt to how many rows its ledger has."""
    try:
        return {log.number or 0: log.count for log in read_attempts(path)}
    except OSError:
        return {}


def _cut(path: Path, entry: AttemptEntry, rows: dict[int, int]) -> list[Finding]:
    try:
        log = read_log(path)
    except OSError:
        return []
    wanted = rows.get(entry.number or 0, 0) - (entry.wandb_rows_missing or 0)
    # without those about the attempt
    count = log.count - sum(attempt_fact('number') in row for row in log.history)
    if log.corrupt or (log.exit_code is not None and count >= wanted):
        return []
    what = (
        f'holds {count} of the {wanted} rows that W&B took'
        if count < wanted
        else 'has lost its end'
    )
    return [
        Finding(
            'warning',
            'W&B log cut',
            path.as_posix(),
            f'{what}: it was cut after it had been closed',
            'tables need no more than the ledger, which has every row; '
            'restore it from a backup before it is synced',
        )
    ]
