"""Calls of W&B in a thread of their own, for a program that must not wait for them."""

import functools
import queue
import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.01


class Writer:
    """Makes calls one after the other, in the order they came, in a thread.

    W&B hands what it logs to a process of its own, and waits where that one stands still. The
    thread waits instead, and does not keep the program from ending. Nothing here takes a lock that
    the program may hold: signal handlers may call every method.

    Args:
        capacity: most calls that wait to be made.
        patience: how long :meth:`put` waits for room in seconds, all of its calls together.
    """

    def __init__(self, capacity: int, patience: float):
        self._calls = queue.SimpleQueue()
        self._capacity, self._patience, self._stopped = capacity, patience, False
        threading.Thread(target=self._run, name='W&B writer', daemon=True).start()

    def put(self, function: Callable, *args, **kwargs) -> bool:
        """Have a function called.

        Args:
            function: one that raises nothing; what it returns is dropped.

        Returns:
            Whether it will be; not where too many calls wait already.
        """
        while self._calls.qsize() >= self._capacity:
            if self._patience <= 0:
                return False
            began = time.monotonic()
            time.sleep(_POLL_SECONDS)
            self._patience -= time.monotonic() - began
        self._calls.put(functools.partial(function, *args, **kwargs))
        return True

    def drain(self, seconds: float) -> bool:
        """Wait until all calls were made, but no longer than ``seconds``.

        Returns:
            Whether they were.
        """
        reached = threading.Event()
        self._calls.put(reached.set)
        return reached.wait(seconds)

    def stop(self) -> None:
        """End the thread after the call that it is at; those that still wait are not made."""
        self._stopped = True
        self._calls.put(None)

    def _run(self) -> None:
        for call in iter(self._calls.get, None):
            if self._stopped:
                return
            call()
