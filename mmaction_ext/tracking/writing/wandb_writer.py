"""Calls of W&B in a thread of their own, for a program that must not wait for them."""

import functools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

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

    def __init__(self, capacity: int, patience: float) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._capacity, self._patience = capacity, patience
        self._last: Callable[[], None] | None = None
        self._ended: Future[Any] = Future()
        threading.Thread(target=self._run, name='W&B writer', daemon=True).start()

    def put(self, function: Callable[..., None], *args: Any, **kwargs: Any) -> bool:
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

    def end_with(self, function: Callable[[], Any], seconds: float) -> None:
        """Make one more call after the one that the thread is at; those that wait are not made.

        A signal handler that comes in between waits for the call that is being made already.

        Args:
            function: what is called; the thread ends with it.
            seconds: how long to wait until it was.

        Raises:
            TimeoutError: it took longer.
            Exception: what the function raises.
        """
        if self._last is None:
            self._last = functools.partial(_settle, self._ended, function)
        self._calls.put(None)  # wakes the thread where nothing waits
        try:
            self._ended.result(seconds)
        except FutureTimeoutError:
            raise TimeoutError(f'W&B took more than {seconds:g} s') from None

    def _run(self) -> None:
        while self._last is None:
            call = self._calls.get()
            if call is not None and self._last is None:
                call()
        self._last()


def _settle(ended: Future[Any], function: Callable[[], Any]) -> None:
    try:
        ended.set_result(function())
    except BaseException as error:
        ended.set_exception(error)
