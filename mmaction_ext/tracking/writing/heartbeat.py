"""A sign of life for readers on other machines, who cannot see the process or its lock."""

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmaction_ext.files.writing import FilePath, write_atomically
from mmaction_ext.printable import clean
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import HEARTBEAT_FILE, HEARTBEAT_SECONDS, to_json
from mmaction_ext.tracking.ledger.forms import HeartbeatFile


class Heartbeat:
    """Writes ``heartbeat`` every few seconds from a thread that ends with the process.

    A beat that cannot be written is left out: it is no reason for a run to stop. Whatever else
    goes wrong is said once, as of a thread that ends; but this one goes on, or a living run would
    seem dead.

    Args:
        folder: the run's folder, which exists.
        attempt: number of the attempt.
        seconds: time between two beats.
        successor: called before each beat for the process that has taken the run's place, in
            words; where there is one, this process ends at once.

    Attributes:
        iteration: called at each beat for the number of training iterations completed.
    """

    def __init__(
        self,
        folder: FilePath,
        attempt: int,
        seconds: float = HEARTBEAT_SECONDS,
        successor: Callable[[], str] = str,
    ) -> None:
        self.iteration: Callable[[], int] = lambda: 0
        self._successor = successor
        self._path = Path(folder) / HEARTBEAT_FILE
        self._facts: dict[str, Any] = dict(
            attempt=attempt, pid=os.getpid(), host=process.host(), boot_id=process.boot_id()
        )
        self._seconds, self._iteration, self._failed = seconds, 0, False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name='heartbeat', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat once more, and no more; the last beat stays."""
        self._stopped.set()
        self._thread.join(self._seconds)

    def _run(self) -> None:
        for number in itertools.count(1):
            last = self._stopped.is_set()
            self._attempt(self._ask_iteration)
            self._attempt(self._beat, number)
            if last:
                return
            self._stopped.wait(self._seconds)

    def _attempt(self, function: Callable[..., None], *args: Any) -> None:
        try:
            function(*args)
        except OSError:
            pass
        except Exception:
            if not self._failed:
                self._failed = True
                threading.excepthook(
                    threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                )

    def _ask_iteration(self) -> None:
        self._iteration = self.iteration()

    def _beat(self, number: int) -> None:
        if successor := self._successor():
            give_way(f'{self._path.parent} is in use by {successor}')
        beat = HeartbeatFile(**self._facts, iter=self._iteration, time=time.time(), beat=number)
        write_atomically(self._path, to_json(beat.facts()) + '\n', sync=False)


def give_way(reason: str) -> None:
    """End this process as it stands: another one goes on with what it did.

    A machine that was cut off, or suspended, comes back with processes that were thought dead.
    """
    os.write(2, clean(f'mmaction-ext: {reason}: this process gives way').encode() + b'\n')
    os._exit(2)
