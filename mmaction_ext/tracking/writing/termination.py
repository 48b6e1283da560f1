"""What is to be done when the job is being ended: callbacks on SIGTERM and SIGUSR1.

A callback runs in the main thread, wherever the program happens to be, so it must neither wait
for a lock that the program may hold nor rely on what it was about to write. A process that was
forked from this one (a loader process) runs none of them.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

#: how long all callbacks together may take before the process dies without them
CALLBACK_SECONDS = 20

#: signal number to (process, callback) pairs, in order of registration
_callbacks: dict[int, list[tuple[int, Callable[[int], None]]]] = {}
_previous: dict[int, Any] = {}


def at_termination(callback: Callable[[int], None]) -> None:
    """Call ``callback(signum)`` when SIGTERM comes, before the process dies of it.

    The last registered is called first; one that fails does not keep the others from running.
    Outside the main thread signals cannot be handled: there the callback is kept, but runs only
    if another has been registered in the main thread.
    """
    _register(signal.SIGTERM, callback, _terminate)


def at_preemption(callback: Callable[[int], None]) -> None:
    """Call ``callback(signum)`` whenever SIGUSR1 comes; the process goes on.

    Slurm sends it ahead of a preemption (``sbatch --signal=USR1@60``). See
    :func:`at_termination`.
    """
    _register(signal.SIGUSR1, callback, _warn)


def remove(callback: Callable[[int], None]) -> None:
    """Forget a callback; without any, a signal does again what it did before."""
    for signum, entries in list(_callbacks.items()):
        kept = [entry for entry in entries if entry != (os.getpid(), callback)]
        _callbacks[signum] = kept
        if not kept and signum in _previous:
            _restore(signum)


def _register(
    signum: int,
    callback: Callable[[int], None],
    handler: Callable[[int, FrameType | None], None],
) -> None:
    _callbacks.setdefault(signum, []).append((os.getpid(), callback))
    if signal.getsignal(signum) is handler:
        return
    with contextlib.suppress(ValueError):  # not the main thread: whoever runs us handles signals
        _previous[signum] = signal.signal(signum, handler)


def _restore(signum: int) -> None:
    try:
        signal.signal(signum, _previous[signum] or signal.SIG_DFL)
        del _previous[signum]
    except ValueError:  # not the main thread
        pass


def _terminate(signum: int, frame: FrameType | None) -> None:
    """Run the callbacks, then die of the signal as if it had not been handled."""
    signal.signal(signum, signal.SIG_IGN)  # schedulers repeat themselves
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(CALLBACK_SECONDS)  # a callback may hang
    _run(signum)
    signal.alarm(0)
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def _warn(signum: int, frame: FrameType | None) -> None:
    _run(signum)


def _run(signum: int) -> None:
    """Call this process's callbacks, newest first, whatever they raise."""
    for process, callback in reversed(_callbacks.get(signum, ())):
        if process != os.getpid():
            continue
        try:
            callback(signum)
        except BaseException as error:
            # not print(): the signal may have come in the middle of one
            os.write(
                2,
                f'{type(error).__name__} while handling signal {signum}: {error}\n'.encode(
                    errors='replace'
                ),
            )
