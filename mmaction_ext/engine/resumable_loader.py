"""A loader that can go on in the middle of an epoch, without loading what came before."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

from mmaction_ext.engine.random_states import (
    RandomState,
    as_tensors,
    random_state,
    restore_random_state,
)
from mmaction_ext.tracking.writing.termination import CALLBACK_SECONDS

#: signals that the process which trains acts upon, for its loader processes too
_NOT_OURS = (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class ResumableLoader(DataLoader[Any]):
    """torch's loader, which knows how far it is and can begin there.

    What a loader process draws depends on what it drew before. So each batch brings along where
    the generators of its process stood behind it, and a loader that goes on starts its processes
    with those.

    Attributes:
        position: number of batches of the epoch that have been handed out.
    """

    position: int
    _start: '_Start'
    _workers: list[RandomState | None]
    _is_begun: bool
    _init: Callable[[int], None] | None

    @classmethod
    def adopt(cls, loader: DataLoader[Any]) -> DataLoader[Any]:
        """Make one of a loader; one of a class of its own stays what it is."""
        if type(loader) is DataLoader:
            loader.__class__ = cls
            assert isinstance(loader, cls)
            loader.position, loader._start, loader._is_begun = 0, _Start(), False
            loader._workers = [None] * loader.num_workers
            loader._init = loader.worker_init_fn
            loader.collate_fn = _Collate(loader.collate_fn)
        return loader

    def state(self) -> dict[str, Any]:
        """What :meth:`go_on` needs: where the generators of its processes stand, if it has any."""
        return dict(workers=[as_tensors(each) for each in self._workers], is_begun=self._is_begun)

    def go_on(
        self,
        state: dict[str, Any] | None,
        position: int = 0,
    ) -> None:
        """Have the next iteration begin where another loader was.

        Args:
            state: that of the other one, where it had as many processes.
            position: number of batches to leave out.
        """
        self._start.position = position
        if state and len(state['workers']) == self.num_workers:
            is_alive = position > 0 or self.persistent_workers
            self._workers = list(state['workers']) if is_alive else self._workers
            self._is_begun = state['is_begun']

    @property
    def _index_sampler(self) -> Any:
        turns = self.num_workers if self._auto_collation else 0
        return _Later(super()._index_sampler, self._start, turns)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        start, persists = self._start, self.persistent_workers
        if not persists and not start.position:
            self._workers = [None] * self.num_workers
        self.position = start.position
        self.worker_init_fn = _Init(self._init, tuple(self._workers))
        # no second random number is drawn for what had been begun before the interruption
        is_begun = start.position > 0 or (persists and self._is_begun)
        before = torch.get_rng_state() if is_begun else None
        batches = super().__iter__()
        if before is not None:
            torch.set_rng_state(before)
        self._is_begun, start.position = True, 0
        for batch, state in batches:
            if batch is None:
                continue
            if state is not None:
                self._workers[self.position % self.num_workers] = state
            self.position += 1
            yield batch


class _Start:
    """Where the next iteration of a loader begins."""

    def __init__(self) -> None:
        self.position = 0


class _Later:
    """What a loader is to load, from its start on.

    Loader processes take turns. Whose turn it would have been at the start gets it, as the others
    before it are given empty batches.
    """

    def __init__(self, indices: Any, start: _Start, turns: int) -> None:
        self._indices, self._start, self._turns = indices, start, turns

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Any]:
        position = self._start.position
        rest = itertools.islice(iter(self._indices), position, None)
        turns: list[list[int]] = [[]] * (position % self._turns if self._turns else 0)
        return itertools.chain(turns, rest)


class _Collate:
    """Make a batch of samples and, in a loader process, tell where its generators stand then."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self._collate = collate

    def __call__(self, samples: Any) -> tuple[Any, RandomState | None]:
        if isinstance(samples, list) and not samples:
            return None, None
        batch = self._collate(samples)
        return batch, random_state() if get_worker_info() else None


class _Init:
    """Begin as a loader process."""

    def __init__(
        self, init: Callable[[int], None] | None, states: Sequence[RandomState | None]
    ) -> None:
        self._init, self._states = init, states

    def __call__(self, number: int) -> None:
        leave_signals_to_parent()
        if self._init:
            self._init(number)
        state = self._states[number]
        if state is not None:
            restore_random_state(state)


def leave_signals_to_parent() -> None:
    """Have signals to all processes of a job end no loader that training still needs.

    One that is told to end by another process than its parent does so once the parent has had its
    time for a last checkpoint, see :mod:`mmaction_ext.tracking.writing.termination`.
    """
    for signum in _NOT_OURS:
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=_end_when_told, args=(os.getppid(),), daemon=True).start()


def _end_when_told(parent: int) -> None:
    told: Any = signal.sigwaitinfo([signal.SIGTERM])
    left = time.monotonic() + CALLBACK_SECONDS
    while told is not None and told.si_pid != parent:
        told = signal.sigtimedwait([signal.SIGTERM], max(0.0, left - time.monotonic()))
    os._exit(0)
