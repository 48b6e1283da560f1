"""Runs on this machine, each in a process of its own, looked after until the last has ended."""

import contextlib
import ctypes
import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from mmaction_ext.errors import InputError
from mmaction_ext.suites.executors.machine import Slots
from mmaction_ext.suites.plan import Task
from mmaction_ext.suites.progress import Progress, glance
from mmaction_ext.suites.store import Suite
from mmaction_ext.tracking.ledger.format import CHECKPOINT_FILE
from mmaction_ext.tracking.reading.ledger import read_ledger

#: starts the commands
PROGRAM = (sys.executable, '-m', 'mmaction_ext')
#: folder below that of the runs, of what their processes say
LOGS = '.logs'
#: seconds between two looks at the processes, and at what they are told to do
LOOK_SECONDS = 0.2
#: seconds between two looks at the ledgers of those that run, at least
GLANCE_SECONDS = 2.0
#: so much of what a process said last is looked at
_SAID_BYTES = 1 << 14
#: what the commands say, with exit code 2, of a folder that another process holds
_IN_USE = re.compile(r'^error: .* is in use by (process \d+|process)')
#: what Python, torch and its loaders say where the system had no memory left
_NO_MEMORY = re.compile(r'killed by signal|Cannot allocate memory|\bMemoryError\b')
#: states of a run that has not ended
OPEN = ('waiting', 'running')


@dataclass
class RunState:
    """A task and how it fares here.

    Attributes:
        task: the task.
        word: ``'waiting'``, ``'running'``, ``'done'``, ``'failed'``, ``'in use'`` (another process
            works on it), ``'left out'`` (it needs one that did not end well), ``'stopped'`` or
            ``'cancelled'``.
        reason: why it is neither done nor open.
        starts: how often it was started.
        progress: how far it is.
    """

    task: Task
    word: str = 'waiting'
    reason: str = ''
    starts: int = 0
    progress: Progress = field(default_factory=Progress)
    _vain: int = 0


class Watcher(Protocol):
    """Whoever is told what happens."""

    def say(self, text: str) -> None:
        """Something happened, in words."""

    def show(self, states: Sequence[RunState]) -> None:
        """How all tasks fare now; called several times a second."""


class _Process:
    """A process that makes a run, with its log file.

    Args:
        task: what it does.
        runs: folder of all runs.
        slots: what it takes of the machine.

    Raises:
        OSError: the log cannot be written, or no process can be started.
    """

    def __init__(self, task: Task, runs: Path, slots: Slots) -> None:
        is_training = task.job.kind == 'train'
        self.task, self.folder = task, runs / task.run
        self.log = runs / LOGS / f'{task.run}.log'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.checkpoints = _checkpoints(self.folder)
        ledger = read_ledger(runs, task.run)
        self.attempts = len(ledger.entries)
        found = ledger.run and ledger.run.config_hash
        self.is_anew = found not in (None, task.config_hash)
        self.gpus = slots.take(slots.per_run if is_training else 1)
        try:
            with open(self.log, 'ab') as log:
                self._start = log.tell()  # what stands before was said by earlier processes
                self.process = subprocess.Popen(
                    [*PROGRAM, *task.arguments(slots.per_run)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ | slots.environment(self.gpus),
                    preexec_fn=functools.partial(_begin, os.getpid()),
                )
        except OSError:
            slots.give_back(self.gpus)
            raise

    @property
    def start(self) -> str:
        """How it begins, in words."""
        last = max(self.checkpoints, key=self._written, default=None)
        if last is None or self.is_anew:  # a run of another version is moved aside
            return 'started'
        return f'goes on after {last.removesuffix(".pth").replace("_", " ")}'

    def _written(self, name: str) -> float:
        """When a checkpoint was: names count epochs or iterations."""
        with contextlib.suppress(OSError):
            return (self.folder / name).stat().st_mtime
        return 0.0

    @property
    def made_progress(self) -> bool:
        """Whether there is a checkpoint that was not there when it began."""
        return bool(_checkpoints(self.folder) - self.checkpoints)

    def said(self) -> str:
        """The last line of what it said; a log that is gone says nothing."""
        with contextlib.suppress(OSError), open(self.log, 'rb') as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._start, end - _SAID_BYTES))
            lines = log.read().decode(errors='replace').split('\n')
            return next((line for line in reversed(lines) if line.strip()), '')
        return ''

    def error(self, runs: Path) -> str:
        """What it failed with: by its ledger, else what it said last."""
        entries = read_ledger(runs, self.task.run).entries
        told = entries[-1].last_error if len(entries) > self.attempts else None
        code = self.process.returncode
        ended = f'ended by {_signal_name(-code)}' if code < 0 else ''
        return told or ended or self.said() or 'no output'

    def send(self, number: int) -> None:
        """Send it a signal; it tells its own processes."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it and all that it started."""
        for pid in [*_descendants(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _checkpoints(folder: Path) -> set[str]:
    return {path.name for path in folder.glob('*.pth') if CHECKPOINT_FILE.fullmatch(path.name)}


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f'signal {number}'


def _begin(parent: int) -> None:
    """In a new process: have a session of one's own, and end when the launcher does."""
    os.setsid()  # Ctrl-C is for the launcher, which passes it on
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _descendants(pid: int) -> Iterator[int]:
    """Processes that a process has started, and theirs; those of torchrun have own sessions."""
    with contextlib.suppress(OSError):
        for children in Path(f'/proc/{pid}/task').glob('*/children'):
            for child in map(int, children.read_text().split()):
                yield from _descendants(child)
                yield child


class _Signals:
    """Counts Ctrl-C and what else asks this process to end, for a block.

    Attributes:
        received: the signals, in the order in which they came.
    """

    def __init__(self) -> None:
        self.received: list[int] = []

    def __enter__(self) -> '_Signals':
        asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {
            number: signal.signal(number, self._receive)
            for number in asked
            if signal.getsignal(number) is not signal.SIG_IGN  # as `nohup` has it
        }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)


class LocalExecutor:
    """Makes runs on this machine, several at a time, each after those that it needs.

    One that fails stops no other but those that need it. One that was ended by a signal from
    elsewhere, or stopped for being preempted or for want of memory is started again from its
    newest checkpoint, behind those that wait; errors are not tried again.

    Args:
        suite: its :attr:`Suite.launch` is held, and the tasks are handed over.
        runs: folder of all runs.
        slots: what runs get of this machine.
        retries: how often a run is started again that made no checkpoint since its last start.
        watcher: is told what happens.

    Attributes:
        states: the :class:`RunState` list of the tasks, in their order.
        signal: the first signal that ended it all; ``None`` without one.
    """

    def __init__(
        self, suite: Suite, runs: Path, slots: Slots, retries: int, watcher: Watcher
    ) -> None:
        self.suite, self.runs, self.slots = suite, runs, slots
        self.retries, self.watcher = retries, watcher
        self.states: list[RunState] = []
        self.signal: int | None = None
        self._queue: list[RunState] = []
        self._running: dict[str, _Process] = {}
        self._cancelled: set[str] = set()
        self._looked = self._glance_until = 0.0
        self._journal_failed = False

    def run(self, tasks: Iterable[Task]) -> None:
        """Make the runs of tasks; comes back when the last has ended, well or not."""
        self.states = [RunState(task) for task in tasks]
        self._queue = list(self.states)
        self._looked = time.monotonic()
        with _Signals() as signals:
            try:
                while self._queue or self._running:
                    self._obey(signals.received)
                    self._start()
                    self._glance()
                    self.watcher.show(self.states)
                    time.sleep(LOOK_SECONDS)
                    self._reap()
                self.watcher.show(self.states)
            finally:
                for process in self._running.values():  # only where this very loop failed
                    process.send(signal.SIGTERM)

    def _obey(self, received: list[int]) -> None:
        """Stop, or kill, all runs as signals ask; stop those that were cancelled."""
        if received and self.signal is None:
            self.signal = received[0]
            for state in self._queue:
                self._end(state, 'stopped', 'not started')
            self._queue = []
            if self._running:
                name = _signal_name(self.signal)
                self.watcher.say(
                    f'{name}: {len(self._running)} runs write a checkpoint and end; '
                    'once more kills them'
                )
            for process in self._running.values():
                process.send(signal.SIGINT if self.signal == signal.SIGINT else signal.SIGTERM)
        elif len(received) > 1:
            for process in self._running.values():
                process.kill()
        for run in self.suite.cancelled() - self._cancelled:
            self._cancelled.add(run)
            for state in [state for state in self._queue if state.task.run == run]:
                self._queue.remove(state)
                self._end(state, 'cancelled', 'cancelled')
            if run in self._running:
                self._running[run].send(signal.SIGTERM)

    def _start(self) -> None:
        """Start what can be, in the order of the queue."""
        ended = {state.task.run: state for state in self.states if state.word not in OPEN}
        still_open = {state.task.run for state in self.states if state.word in OPEN}
        for state in list(self._queue):
            bad = [ended[need] for need in state.task.needs if need in ended]
            bad = [need for need in bad if need.word != 'done']
            if bad:
                self._queue.remove(state)
                names = ', '.join(f'{need.task.job.name} ({need.word})' for need in bad)
                self._end(state, 'left out', f'it needs {names}')
                self.watcher.say(f'{state.task.job.name}: left out, {state.reason}')
                return self._start()
            if len(self._running) < self.slots.parallel and not still_open & {*state.task.needs}:
                self._queue.remove(state)
                self._start_one(state)
        return None

    def _start_one(self, state: RunState) -> None:
        name = state.task.job.name
        state.starts += 1
        try:
            process = _Process(state.task, self.runs, self.slots)
        except OSError as error:
            self._end(state, 'failed', str(error))
            self.watcher.say(f'{name}: FAILED: {error}')
            return
        state.word, state.progress = 'running', Progress()
        self._running[state.task.run] = process
        self.watcher.say(f'{name}: {process.start}, log in {process.log}')

    def _glance(self) -> None:
        """Look how far the runs are, and spend no more than a twentieth of the time on it."""
        begun = time.monotonic()
        if begun < self._glance_until:
            return
        for state in self.states:
            process = self._running.get(state.task.run)
            if process and len(read_ledger(self.runs, state.task.run).entries) > process.attempts:
                state.progress = glance(self.runs, state.task.run)
        now = time.monotonic()
        self._glance_until = now + max(GLANCE_SECONDS, 20 * (now - begun))

    def _reap(self) -> None:
        """See which runs have ended, and how."""
        for state in self.states:
            process = self._running.get(state.task.run)
            if process is None or process.process.poll() is None:
                continue
            del self._running[state.task.run]
            self.slots.give_back(process.gpus)
            self._judge(state, process)

    def _judge(self, state: RunState, process: _Process) -> None:
        """What a process that has ended means for its run."""
        code, said = process.process.returncode, process.said()
        name, again = state.task.job.name, ''
        in_use = _IN_USE.search(said) if code == 2 else None
        error = process.error(self.runs) if code else ''
        if code == 0:
            self._end(state, 'done', '')
            outcome = 'done'
        elif in_use:
            self._end(state, 'in use', in_use[1])
            outcome = f'left alone, another process works on it ({in_use[1]})'
        elif state.task.run in self._cancelled:
            self._end(state, 'cancelled', 'cancelled')
            outcome = 'cancelled'
        elif self.signal is not None:
            self._end(state, 'stopped', 'stopped')
            outcome = 'stopped'
        elif _is_no_fault_of_its(code, f'{said}\n{error}') and self._may_go_on(state, process):
            state.word = 'waiting'
            self._queue.append(state)
            again = f'is started again, {error}'
            outcome = again
        else:
            self._end(state, 'failed', error)
            outcome = f'FAILED: {error}'
        left = sum(each.word in OPEN for each in self.states)
        count = '' if again else f' ({len(self.states) - left} of {len(self.states)})'
        self.watcher.say(f'{name}: {outcome}{count}')

    def _may_go_on(self, state: RunState, process: _Process) -> bool:
        state._vain = 0 if process.made_progress else state._vain + 1
        return state._vain <= self.retries

    def _end(self, state: RunState, word: str, reason: str) -> None:
        """Note that a run is no longer in hand; a journal that cannot be written stops nothing."""
        state.word, state.reason = word, reason
        try:
            self.suite.take_back([state.task.run], f'{word}: {reason}' if reason else word)
        except InputError as error:
            if not self._journal_failed:
                self._journal_failed = True
                self.watcher.say(f'{error}; the runs go on')


def _is_no_fault_of_its(code: int, said: str) -> bool:
    """Whether a run ended for a reason that does not lie in it: a signal, or want of memory."""
    return code < 0 or code > 128 or code == os.EX_TEMPFAIL or bool(_NO_MEMORY.search(said))
