"""What runs tell, kept as long as no file of theirs changes.

Rows are many and what a table asks of them is little: read once, they need not be put together
again as long as neither they nor the ledger change; nor need the ledger be read, which holds a
whole recipe and the digests of all sources.
"""

import functools
import hashlib
import os
import time
from collections.abc import Callable, Collection, ItemsView, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmaction_ext.files.cache_folder import CacheFolder, is_settled, state_facts
from mmaction_ext.tracking.ledger.format import (
    HEARTBEAT_FILE,
    METRICS_FILE,
    RESULTS_FOLDER,
    RUN_FILE,
    TRAIN_LOSS,
    parse_json,
)
from mmaction_ext.tracking.ledger.forms import Facts, HeartbeatFile, RunFile
from mmaction_ext.tracking.reading.cache import pack, reader_version, to_text, unpack
from mmaction_ext.tracking.reading.ledger import LedgerRun, is_result_name, read_heartbeat
from mmaction_ext.tracking.reading.liveness import state_of
from mmaction_ext.tracking.reading.record import (
    Attempt,
    Evaluation,
    Row,
    RunRecord,
)
from mmaction_ext.tracking.reading.rows import project

#: the entry of a folder of runs that says of each of them what is not large
INDEX = 'index'
#: what is longer as JSON has an entry of its own
LARGE_BYTES = 2048
#: so much of what is large is left to the cache at a time
BATCH_BYTES = 8 << 20
#: a process may still ask for what belonged to an index that another one has replaced since
OLD_SECONDS = 600
_IDENTITY = frozenset({'uid', 'job_type', 'config', 'seed', 'config_hash', 'fold'})
_TUPLES = ('mirrors', 'conflicts', 'disagreements', 'damage')
_AS_THEY_ARE = (
    *('config', 'seed', 'config_hash', 'overrides', 'name', 'group', 'state', 'last_error'),
    *('imported', 'url', 'summary', 'complexity', 'env', 'git', 'data'),
)
#: what most who look at runs do not ask for
_FACTS = ('recipe', 'code')
_UNSAID = vars(Attempt())
#: states of runs without an end: whether one lives is asked each time
ENDLESS = ('running', 'killed')
#: one that has logged nothing for so long may not do so for a while
QUIET_SECONDS = 30
#: names of a ledger's files, each with its :func:`state_facts`
State = list[list[Any]]


class KeptFacts(Mapping[str, Any]):
    """A dict that is read when something in it is asked for."""

    def __init__(self, read: Callable[[], Facts]) -> None:
        self._read = read

    @functools.cached_property
    def _facts(self) -> Facts:
        return self._read()

    def __getitem__(self, name: str) -> Any:
        """One of the values, always the same object."""
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        """The keys."""
        return iter(self._facts)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._facts)

    def items(self) -> ItemsView[str, Any]:
        """Of the dict itself, which is quicker."""
        return self._facts.items()

    def __repr__(self) -> str:
        """As the dict."""
        return repr(dict(self))


class KeptRows(Mapping[str, list[Row]]):
    """Rows by phase, unpacked when they are asked for: of most runs nobody asks.

    Args:
        phases: phase to what reads its rows.
        keys: names of the metrics wanted; all if ``None``.
    """

    def __init__(
        self, phases: Mapping[str, Callable[[], list[Row]]], keys: Collection[str] | None
    ) -> None:
        self._phases, self._keys = phases, keys
        self._rows: dict[str, list[Row]] = {}

    def __getitem__(self, phase: str) -> list[Row]:
        """Rows of a phase, always the same list."""
        if phase not in self._rows:
            self._rows[phase] = project(self._phases[phase](), self._keys)
        return self._rows[phase]

    def __iter__(self) -> Iterator[str]:
        """The phases."""
        return iter(self._phases)

    def __len__(self) -> int:
        """How many phases there are."""
        return len(self._phases)

    def __repr__(self) -> str:
        """As a dict of them."""
        return repr(dict(self))


class KeptRuns:
    """What the runs below a folder tell, by the state of their ledgers' files.

    One entry of the user's cache directory holds what is small of all of them. What is large has
    entries of its own, called by the digest of their content: so runs that say the same share it.

    Args:
        root: the folder of runs. Where there is no cache directory, or it cannot be written,
            nothing is kept.
        read_again: reads the run of a folder without what is kept here, should that get lost
            while somebody still asks for it.
    """

    def __init__(self, root: Path, read_again: Callable[[str], RunRecord]) -> None:
        self._root, self._read_again = root, read_again
        self._entries = CacheFolder('records', os.path.realpath(root))
        self._facts = {'reader': reader_version()}
        known = self._entries.get(INDEX, self._facts)
        self._known: dict[str, tuple[State, Facts]] = parse_json(known) if known else {}
        self._states: dict[str, State] = {}
        self._beats: dict[str, list[int] | None] = {}
        self._told: dict[str, tuple[State, Facts]] = {}
        self._waiting: dict[str, bytes] = {}
        self._parsed: dict[str, Facts] = {}

    def find(self, folder: str) -> LedgerRun | None:
        """The ledger of a run by what is kept of it; ``None`` if that is not as it is now.

        Args:
            folder: the run's folder, relative to that of all runs.
        """
        found = _state(self._root, folder)
        if found is None:
            return None
        state, settled = found
        known, told = self._known.get(folder, (None, {}))
        if known != state:
            if settled:
                self._states[folder], self._beats[folder] = state, _beat(self._root, folder)
            return None
        ledger = LedgerRun(self._root, folder, RunFile.of(told['run']), told=told)
        ledger.entries = (ledger.run and ledger.run.attempts) or []
        beat, facts = told['heartbeat']
        if beat and beat == _beat(self._root, folder):
            ledger.heartbeat = HeartbeatFile.of(facts)
        else:
            read_heartbeat(ledger)
        if ledger.damage:
            return None
        self._told[folder] = state, told
        return ledger

    def is_unchanged(self, ledger: LedgerRun) -> bool:
        """Whether the files of a ledger that was not found are what they were before it was read.

        Then it and its rows are of one moment, although its run may go on.
        """
        state = self._states.get(ledger.folder)
        now = _state(self._root, ledger.folder) if state else None
        return now is not None and now[0] == state

    def add(self, ledger: LedgerRun, record: RunRecord) -> None:
        """Keep what a ledger tells, if nothing has changed and is not about to.

        Args:
            ledger: the ledger, which alone tells of the run.
            record: all that is known of that, with every metric.
        """
        run = ledger.run
        if run is None or ledger.damage:
            return
        if self.is_unchanged(ledger) and _is_at_rest(record, ledger):
            facts = run.model_dump(include=set(_IDENTITY))
            facts['attempts'] = [entry.facts() for entry in ledger.entries]
            beat = self._beats[ledger.folder]
            heartbeat: tuple[Any, ...] = (None, None)
            if ledger.heartbeat and beat == _beat(self._root, ledger.folder):
                heartbeat = beat, ledger.heartbeat.facts()
            told = dict(self._without_large(told_by(record)), run=facts, heartbeat=heartbeat)
            self._told[ledger.folder] = self._states[ledger.folder], told
            if sum(map(len, self._waiting.values())) > BATCH_BYTES:
                self._put_large()

    def record(
        self, uid: str, job_type: str, ledger: LedgerRun, keys: Collection[str] | None
    ) -> RunRecord:
        """The record of a run that was found.

        Args:
            uid, job_type: which run it is.
            ledger: the ledger, which alone tells of it.
            keys: names of the metrics wanted; all if ``None``.
        """
        told: Row = dict(ledger.told or {})
        attempts = [Attempt(**facts) for facts in told['attempts']]
        facts: Row = {name: told[name] for name in _AS_THEY_ARE}
        facts |= {name: tuple(told[name]) for name in _TUPLES}
        facts |= {name: self._kept_facts(ledger.folder, name, told[name]) for name in _FACTS}
        if told['state'] in ENDLESS:
            facts['state'] = state_of(ledger.entries[-1], ledger.heartbeat, ledger.path)
        lost = told['lost_row']
        wanted = None if keys is None else {*keys, *([TRAIN_LOSS] if lost else ())}
        record = RunRecord(
            uid,
            job_type,
            **facts,
            attempts=tuple(attempts),
            rows=KeptRows(
                {
                    phase: functools.partial(self._rows, ledger.folder, phase, part)
                    for phase, (names, part) in told['rows'].items()
                    if wanted is None or not wanted.isdisjoint(names)
                },
                wanted,
            ),
            evaluations=tuple(
                Evaluation(**{**item, 'attempt': attempts[item['attempt']], 'values': values})
                for item in told['evaluations']
                for values in project([item['values']], keys)
            ),
            logged=frozenset(told['logged']),
            folder=ledger.folder,
            root=ledger.root,
            heartbeat=ledger.heartbeat,
        )
        record.lost_row = lost
        return record

    def save(self) -> None:
        """Leave it to the cache directory, without what is gone."""
        self._put_large()
        if {folder: state for folder, (state, _) in self._told.items()} != {
            folder: state for folder, (state, _) in self._known.items()
        }:
            self._entries.put({INDEX: (self._facts, to_text(self._told))})
        for _, told in self._told.values():
            for part in (
                *(told[name] for name in _FACTS),
                *(part for _, part in told['rows'].values()),
            ):
                if not isinstance(part, str):
                    self._entries.use(*part)
        self._entries.tidy(OLD_SECONDS)

    def _without_large(self, told: Facts) -> Facts:
        """What a run tells with names in the place of what is large, which waits to be kept."""

        def part(content: bytes) -> str | list[str]:
            if len(content) < LARGE_BYTES:
                return content.decode()
            digest = hashlib.sha256(content).hexdigest()
            self._waiting[digest] = content
            return [digest]

        return {
            **told,
            **{name: part(told[name]) for name in _FACTS},
            'rows': {phase: (names, part(rows)) for phase, (names, rows) in told['rows'].items()},
        }

    def _put_large(self) -> None:
        self._entries.put({name: (self._facts, part) for name, part in self._waiting.items()})
        self._waiting.clear()

    def _kept_facts(self, folder: str, name: str, part: str | list[str]) -> KeptFacts:
        def read() -> Facts:
            if isinstance(part, str):
                found: Facts = parse_json(part)
                return found
            [digest] = part
            if digest not in self._parsed:
                content = self._entries.get(digest, self._facts)
                self._parsed[digest] = parse_json(content or self._lost(folder)[name])
            return self._parsed[digest]

        return KeptFacts(read)

    def _rows(self, folder: str, phase: str, part: str | list[str]) -> list[Row]:
        content = part if isinstance(part, str) else self._entries.get(part[0], self._facts)
        if content is None:
            _, content = self._lost(folder)['rows'].get(phase, ((), b'[]'))
        return unpack(parse_json(content))

    def _lost(self, folder: str) -> Facts:
        """What a run tells of which something was lost, read and kept once more."""
        told = told_by(self._read_again(folder))
        self._without_large(told)
        self._put_large()
        return told


def told_by(record: RunRecord) -> Facts:
    """What a record says of a run of which one ledger alone tells.

    Returns:
        Plain data; what may be large, as JSON.
    """
    attempts = {id(attempt): number for number, attempt in enumerate(record.attempts)}
    return dict(
        {name: getattr(record, name) for name in (*_AS_THEY_ARE, *_TUPLES)},
        **{name: to_text(getattr(record, name)) for name in _FACTS},
        attempts=[
            {name: value for name, value in vars(attempt).items() if value != _UNSAID[name]}
            for attempt in record.attempts
        ],
        rows={
            phase: (sorted(set().union(*rows) - {'iter', 'epoch'}), to_text(pack(rows)))
            for phase, rows in record.rows.items()
        },
        lost_row=record.lost_row,
        evaluations=[
            {**vars(item), 'attempt': attempts[id(item.attempt)]} for item in record.evaluations
        ],
        logged=sorted(record.logged),
    )


def _is_at_rest(record: RunRecord, ledger: LedgerRun) -> bool:
    """Whether a run has ended, or has been quiet and is asked by its last attempt if it lives."""
    if record.state in ENDLESS:
        last = ledger.entries[-1].number or len(ledger.entries)
        try:
            logged = os.stat(ledger.path / METRICS_FILE).st_mtime
        except OSError:
            return False
        return record.attempts[-1].number == last and time.time() - logged > QUIET_SECONDS
    return record.state in ('finished', 'failed')


def _state(root: Path, folder: str) -> tuple[State, bool] | None:
    """The state of a ledger's files, and whether none of them can change without that changing.

    ``None`` where one of them is missing or cannot be looked at.
    """
    place = os.path.join(root, folder)
    names = [RUN_FILE, METRICS_FILE]
    try:
        results = os.listdir(os.path.join(place, RESULTS_FOLDER))
    except FileNotFoundError:
        results = []
    except OSError:
        return None
    names += [f'{RESULTS_FOLDER}/{name}' for name in sorted(filter(is_result_name, results))]
    try:
        states = [os.stat(f'{place}/{name}') for name in names]
    except OSError:
        return None
    facts = [
        [name, *state_facts(state).values()] for name, state in zip(names, states, strict=True)
    ]
    return facts, all(map(is_settled, states))


def _beat(root: Path, folder: str) -> list[int] | None:
    """The state of a heartbeat; ``None`` where there is none, or it may change without that."""
    try:
        state = os.stat(os.path.join(root, folder, HEARTBEAT_FILE))
    except OSError:
        return None
    return [*state_facts(state).values()] if is_settled(state) else None
