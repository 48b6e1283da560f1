"""Attempts at one run, each put together from its ledger and its W&B log."""

import math
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path

from mmaction_ext.tracking.ledger.format import METRICS_FILE, RUN_FILE
from mmaction_ext.tracking.reading.ledger import LedgerRun
from mmaction_ext.tracking.reading.record import Fragment, in_order
from mmaction_ext.tracking.reading.rows import before_first, by_place

#: by how much a W&B log may seem to begin before its attempt, or after its end
CLOCK_SECONDS = 5


@dataclass
class Attempt:
    """One attempt while its sources are put together.

    Attributes:
        fragment: it as the record will show it.
        phases: its rows by phase and place, see
            :func:`mmaction_ext.tracking.reading.rows.by_place`.
        entry: what ``run.json`` says of it; empty if only W&B tells of it.
        ledger: the ledger it stands in, if any.
        results: its result files by the place of the row they tell of.
        state: what the server said of the run.
        last_sign: when the server had last heard of it.
        resumed_from: up to which iteration it leaves what earlier attempts logged; ``None`` where
            only its rows can tell.
    """

    fragment: Fragment
    phases: dict = field(default_factory=dict)
    entry: dict = field(default_factory=dict)
    ledger: LedgerRun | None = None
    results: dict = field(default_factory=dict)
    state: str = ''
    last_sign: float | None = None
    resumed_from: int | None = None

    @classmethod
    def of_log(cls, log):
        """The attempt that only a W&B log or a snapshot tells of."""
        phases = {phase: by_place(rows) for phase, rows in log.phases.items()}
        return cls(
            log.fragment(),
            phases,
            state=log.state,
            last_sign=log.last_sign,
            resumed_from=log.resumed_from,
        )

    @property
    def source(self) -> str:
        """Who tells of it, in words."""
        if self.ledger is None:
            return f'{self.fragment.source} {self.fragment.path}'
        return f'ledger of {self.ledger.folder}, attempt {self.fragment.number}'

    @property
    def origin(self) -> tuple:
        """Host, process and start: what no two attempts have in common."""
        return _origin(self.fragment)

    def update(self, **facts) -> None:
        """Change its fragment."""
        self.fragment = replace(self.fragment, **facts)

    def history(self) -> dict:
        """Its rows by phase, without the tests."""
        return {
            phase: list(rows.values()) for phase, rows in self.phases.items() if phase != 'test'
        }

    def add(self, phases: dict, source: str, conflicts) -> None:
        """Add what another source tells of the same attempt."""
        for phase, rows in phases.items():
            known = self.phases.setdefault(phase, {})
            count = len(known)
            for place, row in rows.items():
                mine = known.get(place)
                if mine is None:
                    known[place] = row
                elif mine != row:
                    conflicts.compare(row, [(mine, self.source)], source)
                    known[place] = {**mine, **_lacking(mine, row)}
            if len(known) > count:
                self.phases[phase] = dict(sorted(known.items()))
        reached = [iteration for rows in phases.values() for iteration, _ in rows]
        if reached:
            self.update(last_iter=max(max(reached), self.fragment.last_iter or 0))


def _lacking(mine: dict, row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in mine}


def attempts_of(ledgers, logs, conflicts) -> tuple:
    """All attempts at a run, oldest first, and the W&B logs that are copies of some of them.

    Those of a ledger stand in its order, whatever the clock said; those that only W&B tells of
    stand before the first one that began later. A W&B log is of the attempt in a ledger that it
    names, or else of the one during which it began, wherever it lies; two logs of one attempt are
    copies.

    Args:
        ledgers: the :class:`LedgerRun` of the run's folders; of more than one, the others are
            copies or repetitions, and must agree with the first.
        logs: :class:`mmaction_ext.tracking.reading.record.AttemptLog` of its offline W&B logs.
        conflicts: collects disagreements.

    Returns:
        :class:`Attempt` list, and (log, attempt) pairs of the logs of attempts in a ledger, which
        tell nothing but what that tells.
    """
    attempts, rest, mirrors = [], in_order(logs), []
    found = [_of_ledger(ledger) for ledger in ledgers]
    for ledger, own in zip(ledgers, found, strict=True):
        rest = _find_own(own, ledger, rest, mirrors)
    rest = _find_distant([attempt for own in found for attempt in own], rest, mirrors)
    for own in found:
        for attempt in own:
            _add_results(attempt, conflicts)
        _join(attempts, own, conflicts)
    for alone in _without_copies(map(Attempt.of_log, rest), conflicts):
        later = [
            place
            for place, attempt in enumerate(attempts)
            if attempt.entry and attempt.fragment.start_time > alone.fragment.start_time
        ]
        attempts.insert(later[0] if later else len(attempts), alone)
    return attempts, mirrors


def _origin(attempt) -> tuple:
    """Host, process and start of a fragment or a log."""
    start = math.inf if attempt.start_time is None else attempt.start_time
    return attempt.host, attempt.pid, round(start, 3)


def _without_copies(attempts, conflicts) -> list:
    """Attempts that only W&B logs tell of, each once; what one copy lost, another may tell."""
    once = {}
    for attempt in attempts:
        is_known = attempt.fragment.start_time < math.inf
        twin = once.setdefault(attempt.origin if is_known else id(attempt), attempt)
        if twin is not attempt:
            mine, other = twin.fragment, attempt.fragment
            twin.add(attempt.phases, attempt.source, conflicts)
            twin.update(
                corrupt=mine.corrupt and other.corrupt,
                truncated=mine.truncated and other.truncated,
                exit_code=other.exit_code if mine.exit_code is None else mine.exit_code,
            )
    return list(once.values())


def compare_origins(attempts, conflicts) -> None:
    """Enter where attempts under one id are no attempts at one run.

    Ids of old are those of a config and a seed, which two people may train. Attempts at one run
    count themselves: two that have one number are two runs. Those of which only W&B tells, without
    a number, must have tested the same samples, and at one iteration the same checkpoint, and none
    of them may have begun anew on another machine after one had come to its end.
    """
    numbered = [each for each in attempts if each.fragment.number is not None]
    others = [each for each in attempts if each.fragment.number is None]
    for what, pairs, are_two in (
        ('attempt', combinations(numbered, 2), _are_one_number),
        ('run', permutations(others, 2), _are_two_trainings),
    ):
        for one, other in pairs:
            if are_two(one, other):
                conflicts.add(
                    f'host, process and start of the {what}',
                    what,
                    (other.origin, other.source),
                    (one.origin, one.source),
                )
    told = defaultdict(list)
    for attempt in [*(each for each in numbered if each.ledger is None), *others]:
        for (iteration, _), row in attempt.phases.get('test', {}).items():
            for name, place in (('test/data_digest', None), ('test/checkpoint_sha256', iteration)):
                part = {name: row[name]} if name in row else {}
                if attempt.fragment.number is None:
                    conflicts.compare(
                        {'iter': iteration, **part}, told[name, place], attempt.source
                    )
                told[name, place].append((part, attempt.source))


def _are_one_number(one, other) -> bool:
    """Whether two attempts have one number; ledgers of copies are compared by their rows."""
    mine, theirs = one.fragment, other.fragment
    return (
        mine.number == theirs.number
        and one.origin != other.origin
        and not (one.ledger and other.ledger)
        and max(mine.start_time, theirs.start_time) < math.inf
    )


def _are_two_trainings(one, other) -> bool:
    """Whether a log begins anew on another machine than that of one that came to its end."""
    mine, theirs = one.fragment, other.fragment
    return (
        mine.source == theirs.source == 'wandb-offline'
        and mine.exit_code == 0
        and mine.start_time < theirs.start_time
        and '' not in (mine.host, theirs.host)
        and mine.host != theirs.host
        and before_first(other.history()) <= before_first(one.history())
    )


def _of_ledger(ledger) -> list:
    """The attempts of a ledger; rows of one that ``run.json`` does not know are not trusted."""
    logs = ledger.logs()
    entries = {
        _typed(entry, 'number', int) or place: entry
        for place, entry in enumerate(ledger.entries, 1)
    }
    attempts = []
    tested = {result['attempt'] for result in ledger.results}
    for number in sorted({*logs, *entries, *tested}) or [1]:  # of one that cannot be read
        entry, log = entries.get(number, {}), logs.get(number)
        attempt = Attempt(
            _fragment(ledger, number, entry, logs),
            entry=entry,
            ledger=ledger,
            resumed_from=_typed(entry, 'resumed_from_iter', int),
        )
        if log:
            attempt.phases = {phase: by_place(rows) for phase, rows in log.phases.items()}
        attempts.append(attempt)
    return attempts


def _fragment(ledger, number, entry, logs) -> Fragment:
    exit_code, log = _typed(entry, 'exit_code', int), logs.get(number)
    is_cut = bool(log and log.truncated) or _has_lost_tests(ledger, number, log)
    is_short = not _fits(ledger, number, entry, logs)
    is_lost = not ledger.read_rows and exit_code == 0  # who ended well has logged something
    is_corrupt = not entry or bool(log and log.corrupt) or is_short or is_lost
    name = METRICS_FILE if log else RUN_FILE
    return Fragment(
        path=(Path(ledger.folder) / name).as_posix(),
        start_time=_typed(entry, 'start', (int, float), math.inf),
        host=_typed(entry, 'host', str, ''),
        commit=_typed(entry, 'commit', str, ''),
        last_iter=log.last_iter if log else None,
        exit_code=exit_code,
        # who ended well has written whole lines
        corrupt=is_corrupt or (is_cut and exit_code == 0),
        truncated=is_cut or is_short,
        number=number,
        source='ledger',
        pid=_typed(entry, 'pid', int),
        signal=_typed(entry, 'signal', str),
        last_error=_typed(entry, 'last_error', str, ''),
        end_time=_typed(entry, 'end', (int, float)),
    )


def _typed(entry: dict, name: str, kind, default=None):
    value = entry.get(name)
    return value if isinstance(value, kind) else default


def _fits(ledger, number, entry, logs) -> bool:
    """Whether the rows up to an attempt end where the file ended when the attempt did."""
    size = _typed(entry, 'metrics_bytes', int)
    if size is None:
        return True
    spans = [(each, log) for each, log in logs.items() if log.end_byte is not None]
    reached = max((log.end_byte for each, log in spans if each <= number), default=0)
    follows = min((log.first_byte for each, log in spans if each > number), default=ledger.size)
    return reached <= size <= follows


def _has_lost_tests(ledger, number, log) -> bool:
    """Whether the row of a test is missing that was made before the result file was written."""
    logged = {row['iter'] for row in log.phases.get('test', ())} if log else set()
    return any(
        result['attempt'] == number and result['metrics'] and result['iter'] not in logged
        for result in ledger.results
    )


def _add_results(attempt, conflicts) -> None:
    """Match the result files of an attempt with its rows; of a damaged one, a row must tell."""
    told = Counter(iteration for iteration, _ in attempt.phases.get('test', {}))
    counts, lost = Counter(), set()
    for result in attempt.ledger.results:
        if result['attempt'] != attempt.fragment.number:
            continue
        place = result['iter'], counts[result['iter']]
        counts[result['iter']] += 1
        if result['metrics'] is None:
            lost.add(result['iter'])
            continue
        attempt.results[place] = result
        attempt.add(
            {'test': {place: _result_row(result)}},
            f'{attempt.ledger.folder}/{result["file"]}',
            conflicts,
        )
    if any(counts[iteration] > told[iteration] for iteration in lost):
        attempt.update(corrupt=True)


def _result_row(result: dict) -> dict:
    """A result file as the row that was logged of it."""
    facts = {
        'test/num_samples': result.get('num_samples'),
        'test/data_digest': result.get('data_digest'),
        'test/checkpoint_sha256': (result.get('checkpoint') or {}).get('sha256'),
    }
    told = {name: value for name, value in facts.items() if value is not None}
    return {'iter': result['iter'], 'epoch': result.get('epoch'), **result['metrics'], **told}


def _find_own(attempts, ledger, logs, mirrors) -> list:
    """Enter the W&B logs of the attempts whose folder they are in, or that name them.

    Returns:
        The other logs.
    """
    rest, taken = [], set()
    origins = {attempt.origin: number for number, attempt in enumerate(attempts)}
    known = {ledger.mirror(attempt.entry): number for number, attempt in enumerate(attempts)}
    for log in logs:
        path = os.path.abspath(log.root / log.path)
        number = known.get(path)
        if number is None and log.number is not None:
            number = origins.get(_origin(log))
        elif number is None and path.startswith(os.path.abspath(ledger.path) + os.sep):
            number = _by_time(attempts, log, taken | set(known.values()))
        if number is None:
            rest.append(log)
            continue
        taken.add(number)
        mirrors.append((log, attempts[number]))
    return rest


def _find_distant(attempts, logs, mirrors) -> list:
    """Enter W&B logs from elsewhere, such as copies, of the attempts during which they began.

    Returns:
        The other logs.
    """
    rest = []
    for log in logs:
        fitting = [
            attempt
            for attempt in attempts
            if attempt.entry
            and _began_during(attempt.fragment, log, attempt.fragment.end_time is not None)
        ]
        if fitting:
            mirrors.append((log, max(fitting, key=lambda attempt: attempt.fragment.start_time)))
        else:
            rest.append(log)
    return rest


def _by_time(attempts, log, taken) -> int | None:
    """Number of the attempt that was running when a log in its folder began."""
    fitting = [
        number
        for number, attempt in enumerate(attempts)
        if number not in taken and _began_during(attempt.fragment, log)
    ]
    return fitting[-1] if fitting else None


def _began_during(fragment, log, anywhere: bool = False) -> bool:
    """Whether a log began while an attempt ran: on its host, or ``anywhere``.

    One that names its attempt is of no other.
    """
    if log.number is not None:
        return False
    if log.start_time is None:  # it has just been opened, by an attempt that runs
        return fragment.end_time is None
    end = math.inf if fragment.end_time is None else fragment.end_time
    fits = anywhere or not log.host or fragment.host == log.host
    return (
        fits
        and fragment.start_time - CLOCK_SECONDS <= log.start_time
        and log.start_time <= end + CLOCK_SECONDS
    )


def compare_mirror(log, attempt, disagreements) -> None:
    """Compare a W&B log with the attempt in a ledger that wrote it, row by row."""
    for phase, rows in log.phases.items():
        known = attempt.phases.get(phase, {})
        for place, row in by_place(rows).items():
            if place in known:
                told = [(known[place], attempt.source)]
                disagreements.compare(row, told, f'{log.source} {log.path}')


def _join(attempts, own, conflicts) -> None:
    """Add the attempts of another folder of the same run to those known so far."""
    known = {_process(attempt): attempt for attempt in attempts}
    told = rows_by_iteration(attempts)
    for attempt in own:
        twin = known.get(_process(attempt)) if attempt.entry else None
        if twin is None:
            compare_rows(attempt, told, conflicts)
            attempts.append(attempt)
            continue
        twin.add(attempt.phases, attempt.source, conflicts)
        twin.results = {**attempt.results, **twin.results}
        if twin.fragment.exit_code is None:  # copied before it ended
            twin.entry, twin.ledger = attempt.entry, attempt.ledger
            twin.update(
                exit_code=attempt.fragment.exit_code,
                signal=attempt.fragment.signal,
                last_error=attempt.fragment.last_error,
                end_time=attempt.fragment.end_time,
            )


def _process(attempt) -> tuple:
    """What only copies of one attempt have in common."""
    return tuple(
        attempt.entry.get(name) for name in ('host', 'boot_id', 'pid', 'process_start', 'start')
    )


def rows_by_iteration(attempts) -> dict:
    """(phase, iteration) to what any of the attempts logged there, as (row, source) pairs."""
    told = {}
    for attempt in attempts:
        source = attempt.source
        for phase, rows in attempt.phases.items():
            for (iteration, _), row in rows.items():
                told.setdefault((phase, iteration), []).append((row, source))
    return told


def compare_rows(attempt, told: dict, conflicts) -> None:
    """Compare an attempt with what others logged, whichever of them it repeats."""
    source, timings = attempt.source, attempt.ledger is None
    for phase, rows in attempt.phases.items() if told else ():
        for (iteration, _), row in rows.items():
            conflicts.compare(row, told.get((phase, iteration), ()), source, timings)
