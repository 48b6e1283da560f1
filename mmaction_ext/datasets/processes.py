"""Processes that work on one folder together: one master at a time, workers that end with it."""

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import LockFile

#: tasks that lie ready per process
_AHEAD = 4


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep a second process from working in the same folder.

    Raises:
        InputError: one is working there already.
    """
    with LockFile(root / '.lock') as lock:
        if not lock.take():
            raise InputError(f'{root}: another process is making this data set')
        yield


def all_processors() -> int:
    """Number of processors this process may run on."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_worker() -> None:
    """Leave interrupts to the main process, and end when it ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os._exit(1)


def map_surviving(
    function: Callable[[Any], Any], tasks: Iterable[Any], workers: int
) -> Iterator[tuple[Any, Any]]:
    """Apply a function in several processes and survive the death of any of them.

    A decoder that crashes on a broken file takes its process along, and with it the pool. What
    was under way is then done again, each task in a process of its own, so that the one to blame
    is known.

    Args:
        function: importable function of one task.
        tasks: what to apply it to.
        workers: number of processes; 0 does it all in this one, where a crash is a crash.

    Yields:
        ``(task, result)`` in the order of completion; the result is ``None`` where the process
        died of the task.
    """
    if not workers:
        yield from ((task, function(task)) for task in tasks)
        return
    waiting = deque(tasks)
    running: dict[Future[Any], Any] = {}
    while waiting:
        try:
            yield from _map_until_death(function, waiting, running, workers)
        except BrokenProcessPool:
            suspects = list(running.values())
            running.clear()
            yield from ((task, _apply_alone(function, task)) for task in suspects)


def _map_until_death(
    function: Callable[[Any], Any],
    waiting: deque[Any],
    running: dict[Future[Any], Any],
    workers: int,
) -> Iterator[tuple[Any, Any]]:
    """Work on what is waiting; what is under way when the pool breaks is left in ``running``."""
    pool = _pool(min(workers, len(waiting)))
    try:
        while waiting or running:
            while waiting and len(running) < _AHEAD * workers:
                running[pool.submit(function, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _apply_alone(function: Callable[[Any], Any], task: Any) -> Any:
    with _pool(1) as pool:
        try:
            return pool.submit(function, task).result()
        except BrokenProcessPool:
            return None


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, get_context('spawn'), initializer=start_worker)
