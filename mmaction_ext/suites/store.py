"""What a suite has handed to whom: a folder below that of the runs, which any machine can read.

``<runs>/.suites/<name>/journal.jsonl`` gains a line whenever a run is handed to an executor or
comes back. How the run fares is no matter of the journal: that stands in the run's ledger.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.files.journal import Journal
from mmaction_ext.files.reading import LOG_BYTES, read_regular
from mmaction_ext.suites.claims import Claim, Holder
from mmaction_ext.tables import TableSpec
from mmaction_ext.tracking.identity import json_digest
from mmaction_ext.tracking.reading.ledger import read_ledger

SUITES = '.suites'
_JOURNAL, _LAUNCH, _PLANNING = 'journal.jsonl', 'launch', 'planning'
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}')
_SEED = re.compile(r'/seed(\d+)$')
#: tables whose ids stand in the name of a suite
_NAMED = 3


@dataclass(frozen=True)
class Handed:
    """A run in the hands of an executor.

    Attributes:
        run: its folder below that of all runs.
        executor: ``'local'`` or ``'slurm'``.
        handle: how the executor names it, e.g. ``1234_5``; empty for ``'local'``.
        config_hash: of its config when it was handed over.
        time: when, in seconds since the epoch.
        name: ``row/seed0``, as people call it; empty in journals of before.
    """

    run: str
    executor: str
    handle: str
    config_hash: str
    time: float
    name: str = ''

    @property
    def row(self) -> str:
        """The row of its name; without one, the name of its config."""
        return self.name.rpartition('/')[0] or Path(self.run).parent.name or self.run

    @property
    def seed(self) -> int:
        """Its seed; 0 of a run whose folder names none."""
        found = _SEED.search(self.run)
        return int(found[1]) if found else 0


def _handed(entry: dict[str, Any]) -> Handed | None:
    """What a line of a journal tells that was handed over; ``None`` if it is none of ours."""
    facts = {each.name: entry.get(each.name, '') for each in fields(Handed)}
    when = facts.pop('time')
    if type(when) not in (int, float) or not all(isinstance(each, str) for each in facts.values()):
        return None
    return Handed(**facts, time=when) if facts['run'] else None


def suite_name(specs: Sequence[TableSpec]) -> str:
    """Name of a suite of some tables, the same for the same tables in any order."""
    ids = sorted(spec.id for spec in specs)
    if len(ids) <= _NAMED:
        return '+'.join(ids)[:100]
    return f'{ids[0]}+{len(ids) - 1}-more-{json_digest(ids)[:8]}'


class Suite:
    """A suite by its name.

    Args:
        runs: folder of all runs.
        name: letters, digits and ``_.+-``.

    Attributes:
        folder: where its files lie.

    Raises:
        InputError: that is no name.
    """

    def __init__(self, runs: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise InputError(f'a suite is named with letters, digits and _.+-, got {name[:80]!r}')
        self.name, self.folder = name, runs / SUITES / name
        self._known: tuple[tuple[int, ...], dict[str, tuple[Handed, str]]] = (), {}

    def make(self) -> 'Suite':
        """Make its folder where there is none.

        Raises:
            InputError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f'{self.folder} cannot be made: {error.strerror}') from error
        return self

    @property
    def launch(self) -> Claim:
        """Held by the process that launches the suite, as long as it looks after its runs."""
        return Claim(self.folder / _LAUNCH)

    def hand(self, runs: Iterable[Handed]) -> None:
        """Note that runs are handed over; to be called before they can start.

        Raises:
            InputError: the journal cannot be written.
        """
        self._append(dict(vars(each), event='handed') for each in runs)

    def take_back(self, runs: Iterable[str], outcome: str) -> None:
        """Note that runs are no longer with an executor.

        Args:
            runs: their folders below that of all runs.
            outcome: how that came, in words.

        Raises:
            InputError: the journal cannot be written.
        """
        self._append(
            dict(event='back', run=run, outcome=outcome, time=time.time()) for run in runs
        )

    def cancel(self, runs: Iterable[str]) -> None:
        """Note that runs are not wanted; who looks after them stops them.

        Raises:
            InputError: the journal cannot be written.
        """
        self._append(dict(event='cancel', run=run, time=time.time()) for run in runs)

    def handed(self) -> dict[str, Handed]:
        """What is handed over and has not come back, by run; the last word on each counts.

        Raises:
            InputError: the journal is there and cannot be read.
        """
        return {run: each for run, (each, event) in self.known().items() if event != 'back'}

    def cancelled(self) -> set[str]:
        """Runs that are handed over and are not wanted.

        Raises:
            InputError: as :meth:`handed`.
        """
        return {run for run, (_, event) in self.known().items() if event == 'cancel'}

    def known(self) -> dict[str, tuple[Handed, str]]:
        """Every run that was ever handed over, as it was last, and the last word on it.

        Returns:
            Run to what was handed over and ``'handed'``, ``'cancel'`` or ``'back'``.

        Raises:
            InputError: as :meth:`handed`.
        """
        state: tuple[int, ...] = ()
        with contextlib.suppress(OSError):
            now = (self.folder / _JOURNAL).stat()
            state = now.st_ino, now.st_size, now.st_mtime_ns
        if not state or state != self._known[0]:  # who looks after runs asks all the time
            self._known = state, self._read()
        return dict(self._known[1])

    def _read(self) -> dict[str, tuple[Handed, str]]:
        found: dict[str, tuple[Handed, str]] = {}
        for entry in self._entries():
            run, event = str(entry.get('run')), str(entry.get('event'))
            if event == 'handed':
                handed = _handed(entry)
                if handed:
                    found[run] = handed, event
            elif run in found and event in ('cancel', 'back'):
                is_over = found[run][1] == 'back'
                found[run] = found[run][0], 'back' if is_over else event
        return found

    def found_sound(self, config_hash: str, how: str, seconds: float | None = None) -> None:
        """Note that a config was found to be trainable.

        Args:
            config_hash: its hash.
            how: where and by what, in words.
            seconds: that the steps of its training take, if they were timed.

        Raises:
            InputError: the journal cannot be written.
        """
        self._append([dict(event='sound', config_hash=config_hash, how=how, seconds=seconds)])

    def sound(self, how: str) -> dict[str, float | None]:
        """Hashes of configs that were found to be trainable in some way, and their seconds.

        Raises:
            InputError: as :meth:`handed`.
        """
        return {
            str(entry.get('config_hash')): entry.get('seconds')
            for entry in self._entries()
            if entry.get('event') == 'sound' and entry.get('how') == how
        }

    def _append(self, entries: Iterable[dict[str, Any]]) -> None:
        lines = [json.dumps(entry, sort_keys=True).encode() + b'\n' for entry in entries]
        if not lines:
            return
        path = self.folder / _JOURNAL
        try:
            journal = Journal(path)
            try:
                journal.append(b''.join(lines), sync=True)
            finally:
                journal.close()
        except OSError as error:
            raise InputError(f'{path} cannot be written: {error.strerror}') from error

    def _entries(self) -> Iterable[dict[str, Any]]:
        """Lines of the journal; one that a kill left half written is none."""
        path = self.folder / _JOURNAL
        try:
            text = read_regular(path, LOG_BYTES).decode(errors='replace')
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f'{path} cannot be read: {error.strerror}') from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def all_suites(runs: Path) -> list[Suite]:
    """Every suite that was launched in a folder of runs, by name."""
    folders = sorted((runs / SUITES).glob(f'*/{_JOURNAL}'))
    return [Suite(runs, path.parent.name) for path in folders if _NAME.fullmatch(path.parent.name)]


def handing_time(runs: Path, wanted: Collection[str]) -> float:
    """Now, in seconds since the epoch, but later than any suite has handed over some runs.

    Of two jobs for a run, of different suites, the one that was handed over later counts; clocks
    of machines differ, and go back.

    Args:
        runs: folder of all runs.
        wanted: their folders below it.

    Raises:
        InputError: a journal cannot be read.
    """
    told = [
        each.time
        for suite in all_suites(runs)
        for run, (each, _) in suite.known().items()
        if run in wanted
    ]
    return max([time.time(), *(when + 0.001 for when in told)])


def planning(runs: Path) -> Claim:
    """Held while a suite is planned and handed over, so that no two hand over the same run."""
    folder = runs / SUITES
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{folder} cannot be made: {error.strerror}') from error
    return Claim(folder / _PLANNING)


@dataclass(frozen=True)
class InHand:
    """A run that some suite has handed over and whose executor still has it.

    Attributes:
        suite: the suite.
        handed: what was handed over.
        launcher: the process that looks after it; ``None`` where a cluster does.
    """

    suite: Suite
    handed: Handed
    launcher: Holder | None = None

    def __str__(self) -> str:
        who = self.launcher or f'{self.handed.executor} job {self.handed.handle}'
        return f'suite {self.suite.name}: {who}'


def _asked(
    runs: Path,
    found: Sequence[tuple[Suite, Handed]],
    queued: Callable[[Collection[str]], Collection[str]],
) -> set[str]:
    """Handles that a cluster still has.

    Raises:
        InputError: it cannot be asked, and not all of the runs have come to their end.
    """
    handles = {each.handle for _, each in found}
    if not handles:
        return set()
    try:
        return set(queued(handles))
    except InputError as error:
        for suite, each in found:
            ledger = read_ledger(runs, each.run)
            if not ledger.entries or ledger.entries[-1].exit_code != 0:
                raise type(error)(
                    f'whether the cluster still has runs of suite {suite.name}: {error}'
                ) from error
        return set()


def in_hand(runs: Path, queued: Callable[[Collection[str]], Collection[str]]) -> dict[str, InHand]:
    """Runs that executors of any suite still have, which must not be started again.

    Args:
        runs: folder of all runs.
        queued: tells which of some handles a cluster still has; asked once, and only if there are
            any.

    Returns:
        Run to who has it.

    Raises:
        InputError: a journal cannot be read, or ``queued`` cannot tell of runs that have not
            come to their end.
    """
    found = [(suite, each) for suite in all_suites(runs) for each in suite.handed().values()]
    still = _asked(runs, [each for each in found if each[1].executor != 'local'], queued)
    holders = {
        suite.name: suite.launch.holder() for suite, each in found if each.executor == 'local'
    }
    in_hand = {}
    for suite, each in found:
        holder = holders.get(suite.name) if each.executor == 'local' else None
        if holder or each.handle in still:
            in_hand[each.run] = InHand(suite, each, holder)
    return in_hand
