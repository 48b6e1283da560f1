"""Training that is interrupted: a checkpoint is saved between two steps, and all stop."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook

from mmaction_ext.engine.checkpoints import ResumableCheckpointHook
from mmaction_ext.errors import InputError, Preempted
from mmaction_ext.tracking.writing import termination

_SECONDS = dict(s=1, min=60, h=3600)
#: what a process can wish for, in the order in which one wish overrules another
_SAVE = 1
_NOTHING_NEW = 'with nothing new to save; --resume goes on'
_SIGNALS = (*termination.WARNINGS, signal.SIGINT, signal.SIGTERM)


def read_interval(value: object) -> tuple[int, float]:
    """How often a checkpoint is saved between the epochs.

    Args:
        value: iterations (``200``), or seconds, minutes or hours (``'30s'``, ``'10min'``,
            ``'2h'``).

    Returns:
        Iterations and seconds, of which the one that is not meant is 0.

    Raises:
        InputError: it is none of these, or not above 0.
    """
    match = re.fullmatch(r'(\d+(?:\.\d+)?)\s*(s|min|h)|\d+', str(value).strip())
    if match and not isinstance(value, (bool, float)):
        seconds = float(match[1]) * _SECONDS[match[2]] if match[2] else 0.0
        iterations = 0 if match[2] else int(match[0])
        if seconds > 0 or iterations > 0:
            return iterations, seconds
    raise InputError(
        'the interval of checkpoints must be iterations (200) or a time (30s, 10min, 2h), got '
        f'{str(value)[:80]!r}'
    )


class Interruption:
    """Whoever wants this process to stop, from entering it as a context to leaving it.

    Between ``steps`` are these: a warning ahead of a preemption (SIGUSR1, SIGUSR2), the first
    Ctrl-C and SIGTERM wait for the end of the step. At other times nothing is there to be saved:
    a warning stops the program at once, as the others do without this.

    Attributes:
        signum: what came; 0 if nothing did.
        is_training: whether a step is under way, or another one follows.
        is_agreeing: whether processes agree on warnings even though no step is under way.

    Raises:
        Preempted: on a warning, where no step is under way.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.is_training = self.is_agreeing = False
        self._process = os.getpid()

    @contextlib.contextmanager
    def expected(self) -> Iterator[None]:
        """Within the block, signals are dealt with."""
        handles = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with contextlib.ExitStack() as stack:
            stack.enter_context(termination.decide(self._decide))
            if handles:
                with contextlib.suppress(ValueError):  # not the main thread
                    before = signal.signal(signal.SIGINT, self._interrupt)
                    stack.callback(signal.signal, signal.SIGINT, before)
            try:
                yield
            finally:
                self.is_training = False
                if self.signum == signal.SIGTERM:
                    termination.die(self.signum)

    def _decide(self, signum: int) -> bool:
        self.signum = max(self.signum, signum, key=_wish)
        if signum == signal.SIGTERM:
            return self.is_training
        if not (self.is_training or self.is_agreeing):
            raise Preempted(signum, _NOTHING_NEW)
        return True

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        is_first = self.is_training and self.signum != signum
        if not is_first or os.getpid() != self._process:
            raise KeyboardInterrupt
        self.signum = max(self.signum, signum, key=_wish)
        print(
            'stopping after this step, with a checkpoint; Ctrl-C again: at once', file=sys.stderr
        )


def _wish(signum: int) -> int:
    """What a process with a signal wishes for, as a number; 0 without one."""
    return _SAVE + 1 + _SIGNALS.index(signum) if signum in _SIGNALS else 0


class InterruptionHook(Hook):
    """Save checkpoints between two steps: as often as is asked for, and before training stops.

    A signal may come to one process alone. What any of them wishes for at the end of a step, all
    do at the end of the next one, so that none waits for the others' answer; a single process does
    it at once.

    Args:
        interruption: the wishes of this process.
        interval: see :func:`read_interval`; ``None`` to save at the ends of epochs alone.
    """

    priority = 'LOWEST'

    def __init__(self, interruption: Interruption, interval: object = None) -> None:
        self._interruption = interruption
        self._iterations, self._seconds = (0, 0.0) if interval is None else read_interval(interval)
        self._asked_for = time.monotonic()  # a checkpoint, by the clock of the first process
        self._asked: tuple[Any, torch.Tensor] | None = None
        self._rounds = 0

    def before_train(self, runner: Any) -> None:
        """From now on steps are under way."""
        _ = runner.side_group  # which all processes make together
        self._asked_for, self._interruption.is_training = time.monotonic(), True

    def after_step(self, runner: Any) -> None:
        """Save and stop, if any process wishes for it."""
        is_due = self._iterations and runner.iter % self._iterations == 0
        wish = _wish(self._interruption.signum)
        is_late = time.monotonic() - self._asked_for >= self._seconds > 0
        if is_late and runner.rank == 0 and not wish:
            wish, self._asked_for = _SAVE, time.monotonic()
        wish = self._agree(runner, wish)
        if not (is_due or wish):
            return
        hooks = [hook for hook in runner.hooks if isinstance(hook, ResumableCheckpointHook)]
        name = hooks[0].save_between(runner) if hooks else ''
        if wish > _SAVE:
            self._stop(
                _SIGNALS[wish - _SAVE - 1],
                f'at iteration {runner.iter}; --resume goes on '
                + (f'from {name}' if name else 'from the last checkpoint'),
            )

    def after_train(self, runner: Any) -> None:
        """No more steps."""
        self._end_steps()

    def before_val_epoch(self, runner: Any) -> None:
        """Nothing new is there to be saved."""
        self._evaluate(runner, runner.val_dataloader)

    def after_val_iter(self, runner: Any, batch_idx: int, **kwargs: Any) -> None:
        """Stop if any process is to."""
        self._after_batch(runner, batch_idx)

    def after_val(self, runner: Any) -> None:
        """Steps follow."""
        self._interruption.is_agreeing = False
        self._interruption.is_training = True

    def before_test_epoch(self, runner: Any) -> None:
        """As before a validation."""
        self._evaluate(runner, runner.test_dataloader)

    def after_test_iter(self, runner: Any, batch_idx: int, **kwargs: Any) -> None:
        """Stop if any process is to."""
        self._after_batch(runner, batch_idx)

    def after_test(self, runner: Any) -> None:
        """All is done."""
        self._end_steps()
        self._interruption.is_agreeing = False

    def _end_steps(self) -> None:
        self._interruption.is_training = False
        if self._asked:
            self._asked[0].wait()
            self._asked = None

    def _evaluate(self, runner: Any, loader: Any) -> None:
        self._end_steps()
        size = get_dist_info()[1]
        self._interruption.is_agreeing = size > 1
        rounds = torch.tensor(len(loader))
        if size > 1:  # processes may have different numbers of batches
            torch.distributed.all_reduce(
                rounds, torch.distributed.ReduceOp.MIN, group=runner.side_group
            )
        self._rounds = int(rounds)
        if self._interruption.signum and size == 1:
            self._stop(self._interruption.signum, _NOTHING_NEW)

    def _after_batch(self, runner: Any, index: int) -> None:
        if self._interruption.is_agreeing and index < self._rounds:
            wish = self._agree(runner, _wish(self._interruption.signum))
            if wish > _SAVE:
                self._stop(_SIGNALS[wish - _SAVE - 1], _NOTHING_NEW)

    def _agree(self, runner: Any, wish: int) -> int:
        """The strongest wish of any process, of a step ago where there are several."""
        if get_dist_info()[1] == 1:
            return wish
        before, told = self._asked, torch.tensor(wish)
        self._asked = (
            torch.distributed.all_reduce(
                told, torch.distributed.ReduceOp.MAX, group=runner.side_group, async_op=True
            ),
            told,
        )
        if before is None:
            return 0
        before[0].wait()
        return int(before[1])

    def _stop(self, signum: int, where: str) -> None:
        self._end_steps()
        self._interruption.is_agreeing = False
        if signum == signal.SIGTERM:
            termination.die(signum)
        error: BaseException = (
            KeyboardInterrupt() if signum == signal.SIGINT else Preempted(signum, where)
        )
        error.is_agreed = True  # type: ignore[attr-defined]
        raise error
