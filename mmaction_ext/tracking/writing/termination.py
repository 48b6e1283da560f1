"""What is to be done when the job is being ended: callbacks on SIGTERM, SIGUSR1 and SIGUSR2.

Who trains may ask for the time of one more step (:func:`decide`), to save a checkpoint.

A callback runs in the main thread, wherever the program happens to be, so it must neither wait
for a lock that the program may hold nor rely on what it was about to write. A process that was
forked from this one (a loader process) runs none of them.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

#: how long the step under way and all callbacks may take together before the process dies without
CALLBACK_SECONDS = 20
#: warnings ahead of a preemption: Slurm's, and that of submitit
WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
#: stands for a SIGTERM that the process does not die of at once
_POSTPONED = 0

#: signal number to (process, callback) pairs, in order of registration
_callbacks: dict[int, list[tuple[int, Callable[[int], None]]]] = {}
_previous: dict[int, Any] = {}
#: process and function of :func:`decide`
_decider: tuple[int, Callable[[int], bool]] | None = None


def at_termination(callback: Callable[[int], None]) -> None:
    """Call ``callback(signum)`` when SIGTERM comes, before the process dies of it.

    The last registered is called first; one that fails does not keep the others from running.
    Outside the main thread signals cannot be handled: there the callback is kept, but runs only
    if another has been registered in the main thread.
    """
    _register(signal.SIGTERM, callback, _terminate)


def at_postponement(callback: Callable[[int], None]) -> None:
    """Call ``callback(signum)`` when SIGTERM comes and the process does not die of it at once.

    Callbacks of :func:`at_termination` follow when it does, if that is in time.
    """
    _callbacks.setdefault(_POSTPONED, []).append((os.getpid(), callback))


def at_preemption(callback: Callable[[int], None]) -> None:
    """Call ``callback(signum)`` whenever SIGUSR1 or SIGUSR2 comes; the process goes on.

    Slurm sends it ahead of a preemption (``sbatch --signal=USR1@60``). See
    :func:`at_termination`.
    """
    for signum in WARNINGS:
        _register(signum, callback, _warn)


@contextlib.contextmanager
def decide(decider: Callable[[int], bool]) -> Iterator[None]:
    """Have a function decide, within the block, what becomes of the program.

    Args:
        decider: called with the signal, after the callbacks of a warning and before those of
            SIGTERM. It may raise what is to end the program. On SIGTERM it tells whether the
            process is to go on for now, to :func:`die` soon.
    """
    global _decider
    before, _decider = _decider, (os.getpid(), decider)
    at_preemption(_nothing)
    at_termination(_nothing)
    try:
        yield
    finally:
        _decider = before
        remove(_nothing)


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


def die(signum: int = signal.SIGTERM) -> None:
    """Run the callbacks, then die of the signal as if it had not been handled.

    Loader processes go along, which would hold on to the run's folder for some seconds.
    """
    _expect_end(signum)
    _run(signum)
    for child in multiprocessing.active_children():
        if child._parent_pid == os.getpid():  # type: ignore[attr-defined]
            child.kill()
    signal.alarm(0)
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def _expect_end(signum: int) -> None:
    """Give the process its time; a second call does not begin it anew."""
    signal.signal(signum, signal.SIG_IGN)  # schedulers repeat themselves
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    left = signal.alarm(CALLBACK_SECONDS)  # a callback may hang
    if left:
        signal.alarm(left)


def _terminate(signum: int, frame: FrameType | None) -> None:
    _expect_end(signum)
    if _decider and _decider[0] == os.getpid() and _decider[1](signum):
        _run(_POSTPONED, signum)
    else:
        die(signum)


def _warn(signum: int, frame: FrameType | None) -> None:
    _run(signum)
    if _decider and _decider[0] == os.getpid():
        _decider[1](signum)


def _nothing(signum: int) -> None:
    pass


def _run(kind: int, signum: int | None = None) -> None:
    """Call this process's callbacks, newest first, whatever they raise."""
    signum = kind if signum is None else signum
    for process, callback in reversed(_callbacks.get(kind, ())):
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
