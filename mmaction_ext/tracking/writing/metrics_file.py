"""The file that rows of metrics are appended to, one line each."""

import os
import time
from pathlib import Path
from typing import Any

from mmaction_ext.files.journal import Journal
from mmaction_ext.tracking.ledger.format import METRICS_FILE, MetricsRow, encode_row


class MetricsFile:
    """Appends rows to a run's ``metrics.jsonl``, see :class:`Journal`.

    Rows of evaluations and the last ones also outlast a power failure.

    Args:
        folder: the run's folder, which exists.
        attempt: number of the attempt that logs.

    Raises:
        InputError: the file is a link.
        OSError: it cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], attempt: int) -> None:
        self._attempt, self._journal = attempt, Journal(Path(folder) / METRICS_FILE)

    def append(
        self, phase: str, iteration: int, epoch: int | None, metrics: dict[str, Any]
    ) -> None:
        """Write one row; see :class:`MetricsRow` for the arguments.

        Raises:
            OSError: the disk is full, for one; nothing of the row is then in the file.
        """
        row = MetricsRow(self._attempt, phase, iteration, epoch, time.time(), metrics)
        self._journal.append(encode_row(row), sync=phase != 'train')

    def close(self) -> None:
        """Bring all rows to the disk and close the file."""
        self._journal.close()
