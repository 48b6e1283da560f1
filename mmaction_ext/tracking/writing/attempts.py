"""Attempts at a run, each entered into ``run.json`` when it begins and when it ends."""

import errno
import os
import signal
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from mmaction_ext.errors import InputError, Preempted
from mmaction_ext.files.locks import LockFile
from mmaction_ext.files.reading import read_regular
from mmaction_ext.files.writing import FilePath, create_own, synced_size, write_atomically
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import (
    METRICS_FILE,
    NEWER,
    RUN_FILE,
    SCHEMA,
    NewerVersion,
    decode_object,
    to_plain,
)
from mmaction_ext.tracking.ledger.forms import AttemptEntry, RunFile, WrongForm
from mmaction_ext.tracking.writing import termination
from mmaction_ext.tracking.writing.heartbeat import Heartbeat
from mmaction_ext.tracking.writing.masking import mask_text

#: longest error that is kept, in characters
ERROR_LENGTH = 500
#: takes up the room that the last entry needs on a disk that has become full
SPARE_FILE = 'run.json.spare'
#: how much longer the last entry may make the record
SPARE_BYTES = 8192


def read_run_file(folder: FilePath) -> dict[str, Any]:
    """What ``run.json`` of a folder says; empty where it is missing or damaged.

    Raises:
        InputError: it is of a version that this program does not know, or cannot be read.
    """
    path = Path(folder) / RUN_FILE
    try:
        return decode_object(read_regular(path))
    except NewerVersion as error:
        raise InputError(
            f'{path} {NEWER} ({error}): update it, or choose another folder'
        ) from error
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error


def write_run_file(folder: FilePath, run: RunFile) -> None:
    """Replace ``run.json`` as a whole.

    Raises:
        OSError: it cannot be written; it is then what it was before.
    """
    write_atomically(Path(folder) / RUN_FILE, run.text())


class RunLedger:
    """A run in the hands of this process, from construction to the end of the block.

    How it ends stands in ``run.json``: by itself, by an exception, on Ctrl-C or on SIGTERM, and
    how long ``metrics.jsonl`` was then. A process that was killed cannot say so: its attempt has
    no end. A Ctrl-C that some library turned into another exception leaves the block as what it
    was.

    Args:
        folder: the run's folder, which exists and which this process has claimed.
        facts: what ``run.json`` tells of the run beside its attempts.
        resumes: whether it goes on from a checkpoint of an earlier attempt.
        world_size: number of processes.
        lock: what keeps others out of the folder; closed at the end.

    Attributes:
        folder: the run's folder.
        run: ``uid`` and ``job_type`` of the run.
        entry: the attempt in ``run.json``.
        number: number of the attempt, from 1.
        heartbeat: the running :class:`Heartbeat`.

    Raises:
        InputError: ``run.json`` holds something else, or is of a newer version.
        OSError: the ledger cannot be written.
    """

    def __init__(
        self,
        folder: FilePath,
        facts: dict[str, Any],
        resumes: bool = False,
        world_size: int = 1,
        lock: LockFile | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.run = {name: facts.get(name) for name in ('uid', 'job_type')}
        self._lock, self._owner = lock, os.getpid()
        found = read_run_file(folder)
        try:
            earlier = RunFile.of(found).attempts or []
        except WrongForm as error:
            raise InputError(
                f'{self.folder / RUN_FILE} holds what no run writes: move the folder away '
                f'({error})'
            ) from error
        self.number = len(earlier) + 1
        self.entry = _new_entry(self.number, world_size, facts.get('git', {}).get('commit'))
        inherited = _inherited(found, facts) if resumes else {}
        self._run = RunFile.of(to_plain({'schema': SCHEMA, **facts, **inherited}))
        self._run.attempts = [*earlier, self.entry]
        size = len(self._run.text())
        with open(create_own(self.folder / SPARE_FILE), 'wb') as spare:
            spare.write(bytes(size + SPARE_BYTES))
        write_run_file(self.folder, self._run)
        self.heartbeat = Heartbeat(self.folder, self.number, successor=self.successor)
        self.expect_termination()

    @property
    def sources(self) -> dict[str, Any]:
        """Digests of the code that the run was made with, those of several attempts joined."""
        return self._run.code or {}

    def update(self, **facts: Any) -> None:
        """Change the attempt's entry, e.g. ``resumed_from_iter``.

        What a later attempt has written since is left as it is.

        Raises:
            OSError: the ledger cannot be written.
        """
        for name, value in facts.items():
            setattr(self.entry, name, value)
        if not self.successor():
            write_run_file(self.folder, self._run)

    def successor(self) -> str:
        """The process that has begun a later attempt, or this one anew, in words; mostly empty.

        It took this one for dead, as its machine was cut off or suspended, or began at the same
        time on a folder whose lock does nothing.
        """
        try:
            found = RunFile.of(read_run_file(self.folder)).attempts or []
        except (InputError, WrongForm):
            return ''
        last = found[-1] if len(found) >= self.number else self.entry
        facts = [(each.number, each.host, each.boot_id, each.pid) for each in (last, self.entry)]
        return '' if facts[0] == facts[1] else f'process {last.pid} on {last.host}'

    def expect_termination(self) -> None:
        """Be the first to learn of a SIGTERM, before what was registered up to now."""
        self._forget_termination()
        termination.at_termination(self._terminate)
        termination.at_postponement(self._postpone)

    def _forget_termination(self) -> None:
        for callback in (self._terminate, self._postpone):
            termination.remove(callback)

    def end(
        self, exit_code: int, signal: str | None = None, last_error: str | None = None
    ) -> None:
        """Enter how the attempt ended.

        Raises:
            OSError: the ledger cannot be written.
        """
        (self.folder / SPARE_FILE).unlink(missing_ok=True)
        self.update(
            end=time.time(),
            exit_code=exit_code,
            signal=signal,
            last_error=last_error,
            metrics_bytes=synced_size(self.folder / METRICS_FILE),
        )

    def __enter__(self) -> 'RunLedger':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if os.getpid() != self._owner:  # a fork that ran away from the block
            return
        self.heartbeat.stop()
        try:
            self._end_with(error)
        except OSError:
            if error is None:  # else it is the reason that counts
                raise
        finally:
            self._forget_termination()
            if self._lock:
                self._lock.close()

    def _end_with(self, error: BaseException | None) -> None:
        self.end(**outcome(error))
        interrupt = find_interrupt(error)
        if interrupt and interrupt is not error:
            raise KeyboardInterrupt from None

    def _terminate(self, signum: int) -> None:
        self.end(128 + signum, signal.Signals(signum).name)

    def _postpone(self, signum: int) -> None:
        """Enter the end that is to come, before which a few more rows may be logged."""
        self.update(end=time.time(), exit_code=128 + signum, signal=signal.Signals(signum).name)


def _new_entry(number: int, world_size: int, commit: str | None) -> AttemptEntry:
    """Entry of an attempt that this process begins."""
    return AttemptEntry(
        number=number,
        host=process.host(),
        boot_id=process.boot_id(),
        pid=os.getpid(),
        process_start=process.process_start(),
        slurm_job=os.environ.get('SLURM_JOB_ID'),
        start=time.time(),
        end=None,
        exit_code=None,
        signal=None,
        last_error=None,
        world_size=world_size,
        resumed_from_iter=None,
        commit=commit,
        wandb=None,
    )


def _inherited(found: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """What stays true of a run that goes on: its first weights, and all code it ran on."""
    inherited: dict[str, Any] = {}
    for name in ('initial_checkpoint', 'initial_weights'):
        if name in found:
            inherited[name] = found[name]
    if found.get('sources') and 'sources' in facts:
        inherited['sources'] = merge_sources(found['sources'], facts['sources'])
    return inherited


def merge_sources(earlier: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Digests of the code of all attempts; where it changed, all of a file's, oldest first.

    A run that went on with other code is then the run of no version of that file.

    Args:
        earlier, now: file name to digests with spaces between.
    """
    merged = dict(earlier)
    for name, digest in now.items():
        known = str(earlier.get(name, '')).split()
        merged[name] = ' '.join(known if digest in known[-1:] else [*known, digest])
    return merged


def find_interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that an exception is, or was raised in consequence of.

    mmengine's ``Config.pretty_text``, which every saved checkpoint asks for, makes a
    ``SyntaxError`` of whatever interrupts it.
    """
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def outcome(error: BaseException | None) -> dict[str, Any]:
    """Exit code, signal and last error of a program that leaves with an exception or without.

    A Ctrl-C that became another exception on its way counts as what it was.
    """
    error = find_interrupt(error) or error
    if error is None:
        return dict(exit_code=0)
    if isinstance(error, KeyboardInterrupt):
        return dict(exit_code=130, signal='SIGINT')
    if isinstance(error, SystemExit):
        code = error.code or 0
        ended_by = dict(signal=error.signal) if isinstance(error, Preempted) else {}
        return dict(exit_code=code if isinstance(code, int) else 1, **ended_by)
    if isinstance(error, InputError):
        return dict(
            exit_code=error.exit_code, last_error=mask_text(error.sentence())[:ERROR_LENGTH]
        )
    full_disk = getattr(error, 'errno', None) == errno.ENOSPC  # an expected error, too
    return dict(exit_code=2 if full_disk else 1, last_error=error_line(error))


def error_line(error: BaseException) -> str:
    """The line of a traceback that names an exception and its reason.

    An exception that came from a loader process brings that process's traceback along; its last
    line is the one.
    """
    text = ''.join(traceback.format_exception_only(error)).strip()
    line = text.splitlines()[-1 if 'Original Traceback' in text else 0]
    return mask_text(line)[:ERROR_LENGTH]
