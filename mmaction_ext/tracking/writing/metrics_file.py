"""The file that rows of metrics are appended to, one line each."""

import os
import time
from pathlib import Path

from mmaction_ext.files.writing import open_own, sync_folder
from mmaction_ext.tracking.ledger.format import METRICS_FILE, MetricsRow, encode_row


class MetricsFile:
    """Appends rows to a run's ``metrics.jsonl``.

    A row is with the system once :meth:`append` returns: a kill does not lose it. Rows of
    evaluations and the last ones also outlast a power failure. A line that an earlier attempt left
    half written is ended, so that it spoils no other.

    Args:
        folder: the run's folder, which exists.
        attempt: number of the attempt that logs.

    Raises:
        InputError: the file is a link.
        OSError: it cannot be written.
    """

    def __init__(self, folder, attempt: int):
        self._attempt = attempt
        self._descriptor = open_own(Path(folder) / METRICS_FILE, os.O_RDWR | os.O_APPEND)
        sync_folder(folder)
        size = self._size()
        if size and os.pread(self._descriptor, 1, size - 1) != b'\n':
            self._write(b'\n')

    def append(self, phase: str, iteration: int, epoch: int | None, metrics: dict) -> None:
        """Write one row; see :class:`MetricsRow` for the arguments.

        Raises:
            OSError: the disk is full, for one; nothing of the row is then in the file.
        """
        row = MetricsRow(self._attempt, phase, iteration, epoch, time.time(), metrics)
        self._write(encode_row(row))
        if phase != 'train':
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Bring all rows to the disk and close the file."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _write(self, data: bytes) -> None:
        """Write all or nothing; a disk that fills up takes part of the data first."""
        start = self._size()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            os.ftruncate(self._descriptor, start)
            raise
