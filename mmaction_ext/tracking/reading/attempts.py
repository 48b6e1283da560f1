"""Attempts at one run, each put together from its ledger and its W&B log."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from pathlib import Path

from mmaction_ext.tracking.ledger.format import METRICS_FILE, RUN_FILE
from mmaction_ext.tracking.ledger.forms import AttemptEntry, ResultFile
from mmaction_ext.tracking.reading.conflicts import Conflicts
from mmaction_ext.tracking.reading.ledger import LedgerRun
from mmaction_ext.tracking.reading.record import Attempt, Place, Row, oldest_first
from mmaction_ext.tracking.reading.rows import before_first, by_place

#: by how much a W&B log may seem to begin before its attempt, or after its end
CLOCK_SECONDS = 5
Phases = dict[str, dict[Place, Row]]
#: W&B logs beside the attempts that they are copies of
Mirrors = list[tuple[Attempt, Attempt]]
#: (phase, iteration) to (row, who tells it) pairs
Told = dict[tuple[str, int], list[tuple[Row, str]]]


def put_together(attempt: Attempt) -> Attempt:
    """An attempt whose rows, as its file has them, stand by their places."""
    attempt.phases = {phase: by_place(rows) for phase, rows in attempt.rows.items()}
    attempt.rows = {}
    return attempt


def _add(attempt: Attempt, phases: Phases, source: str, conflicts: Conflicts) -> None:
    """Add what another file tells of the same attempt."""
    for phase, rows in phases.items():
        known = attempt.phases.setdefault(phase, {})
        count = len(known)
        for place, row in rows.items():
            mine = known.get(place)
            if mine is None:
                known[place] = row
            elif mine != row:
                conflicts.compare(row, [(mine, attempt.teller)], source)
                known[place] = {**mine, **row, **mine}
        if len(known) > count:
            attempt.phases[phase] = dict(sorted(known.items()))
    reached = [iteration for rows in phases.values() for iteration, _ in rows]
    if reached:
        attempt.last_iter = max(max(reached), attempt.last_iter or 0)


def attempts_of(
    ledgers: Sequence[LedgerRun], logs: Iterable[Attempt], conflicts: Conflicts
) -> tuple[list[Attempt], Mirrors]:
    """All attempts at a run, oldest first, and the W&B logs that are copies of some of them.

    Those of a ledger stand in its order, whatever the clock said; those that only W&B tells of
    stand before the first one that began later. A W&B log is of the attempt in a ledger that it
    names, or else of the one during which it began, wherever it lies; two logs of one attempt are
    copies.

    Args:
        ledgers: the :class:`LedgerRun` of the run's folders; of more than one, the others are
            copies or repetitions, and must agree with the first.
        logs: what its offline W&B logs tell.
        conflicts: collects disagreements.

    Returns:
        :class:`Attempt` list, and (log, attempt) pairs of the logs of attempts in a ledger, which
        tell nothing but what that tells.
    """
    attempts: list[Attempt] = []
    mirrors: Mirrors = []
    rest = oldest_first(logs)
    found = [_of_ledger(ledger) for ledger in ledgers]
    for ledger, own in zip(ledgers, found, strict=True):
        rest = _find_own(own, ledger, rest, mirrors)
    rest = _find_distant([attempt for own in found for attempt in own], rest, mirrors)
    for ledger, own in zip(ledgers, found, strict=True):
        for attempt in own:
            _add_results(attempt, ledger, conflicts)
        _join(attempts, own, conflicts)
    for alone in _without_copies(map(put_together, rest), conflicts):
        later = [
            place
            for place, attempt in enumerate(attempts)
            if attempt.entry and attempt.began > alone.began
        ]
        attempts.insert(later[0] if later else len(attempts), alone)
    return attempts, mirrors


def _without_copies(attempts: Iterable[Attempt], conflicts: Conflicts) -> list[Attempt]:
    """Attempts that only W&B logs tell of, each once; what one copy lost, another may tell."""
    once: dict[object, Attempt] = {}
    for attempt in attempts:
        is_known = attempt.start_time is not None
        twin = once.setdefault(attempt.origin if is_known else id(attempt), attempt)
        if twin is not attempt:
            _add(twin, attempt.phases, attempt.teller, conflicts)
            twin.corrupt, twin.truncated = (
                twin.corrupt and attempt.corrupt,
                twin.truncated and attempt.truncated,
            )
            if twin.exit_code is None:
                twin.exit_code = attempt.exit_code
    return list(once.values())


def compare_origins(attempts: Sequence[Attempt], conflicts: Conflicts) -> None:
    """Enter where attempts under one id are no attempts at one run.

    Ids of old are those of a config and a seed, which two people may train. Attempts at one run
    count themselves: two that have one number are two runs. Those of which only W&B tells, without
    a number, must have tested the same samples, and at one iteration the same checkpoint, and none
    of them may have begun anew on another machine after one had come to its end.
    """
    numbered = [each for each in attempts if each.number is not None]
    others = [each for each in attempts if each.number is None]
    for what, pairs, are_two in (
        ('attempt', combinations(numbered, 2), _are_one_number),
        ('run', permutations(others, 2), _are_two_trainings),
    ):
        for one, other in pairs:
            if are_two(one, other):
                conflicts.add(
                    f'host, process and start of the {what}',
                    what,
                    (other.origin, other.teller),
                    (one.origin, one.teller),
                )
    told: dict[object, list[tuple[Row, str]]] = defaultdict(list)
    for attempt in [*(each for each in numbered if each.ledger is None), *others]:
        for (iteration, _), row in attempt.phases.get('test', {}).items():
            for name, place in (('test/data_digest', None), ('test/checkpoint_sha256', iteration)):
                part = {name: row[name]} if name in row else {}
                if attempt.number is None:
                    conflicts.compare(
                        {'iter': iteration, **part}, told[name, place], attempt.teller
                    )
                told[name, place].append((part, attempt.teller))


def _are_one_number(one: Attempt, other: Attempt) -> bool:
    """Whether two attempts have one number; ledgers of copies are compared by their rows."""
    return (
        one.number == other.number
        and one.origin != other.origin
        and not (one.ledger and other.ledger)
        and None not in (one.start_time, other.start_time)
    )


def _are_two_trainings(one: Attempt, other: Attempt) -> bool:
    """Whether a log begins anew on another machine than that of one that came to its end."""
    return (
        one.source == other.source == 'wandb-offline'
        and one.exit_code == 0
        and one.began < other.began
        and '' not in (one.host, other.host)
        and one.host != other.host
        and before_first(other.training()) <= before_first(one.training())
    )


def _of_ledger(ledger: LedgerRun) -> list[Attempt]:
    """The attempts of a ledger; rows of one that ``run.json`` does not know are not trusted."""
    logs = ledger.logs()
    entries = {entry.number or place: entry for place, entry in enumerate(ledger.entries, 1)}
    tested = {result.attempt for result in ledger.results if result.attempt is not None}
    # one of a ledger that cannot be read has the first number
    return [
        _attempt(ledger, number, entries.get(number), logs)
        for number in sorted({*logs, *entries, *tested}) or [1]
    ]


def _attempt(
    ledger: LedgerRun, number: int, entry: AttemptEntry | None, logs: dict[int, Attempt]
) -> Attempt:
    log, told = logs.get(number), entry or AttemptEntry()
    is_cut = bool(log and log.truncated) or _has_lost_tests(ledger, number, log)
    is_short = not _fits(ledger, number, told.metrics_bytes, logs)
    # who ended well has logged something, and written whole lines
    is_lost = told.exit_code == 0 and (is_cut or not ledger.read_rows)
    return put_together(
        Attempt(
            'ledger',
            (Path(ledger.folder) / (METRICS_FILE if log else RUN_FILE)).as_posix(),
            number,
            told.host or '',
            told.pid,
            told.commit or '',
            start_time=told.start,
            end_time=told.end,
            exit_code=told.exit_code,
            signal=told.signal,
            last_error=told.last_error or '',
            resumed_from=told.resumed_from_iter,
            last_iter=log.last_iter if log else None,
            corrupt=entry is None or bool(log and log.corrupt) or is_short or is_lost,
            truncated=is_cut or is_short,
            rows=log.rows if log else {},
            entry=entry,
            ledger=ledger,
        )
    )


def _fits(ledger: LedgerRun, number: int, size: int | None, logs: dict[int, Attempt]) -> bool:
    """Whether the rows up to an attempt end where the file ended when the attempt did."""
    if size is None:
        return True
    ends = [log.end_byte for each, log in logs.items() if each <= number]
    begins = [log.first_byte for each, log in logs.items() if each > number]
    reached = max((end for end in ends if end is not None), default=0)
    follows = min((first for first in begins if first is not None), default=ledger.size)
    return reached <= size <= follows


def _has_lost_tests(ledger: LedgerRun, number: int, log: Attempt | None) -> bool:
    """Whether the row of a test is missing that was made before the result file was written."""
    logged = {row['iter'] for row in log.rows.get('test', ())} if log else set()
    return any(
        result.attempt == number and result.metrics and result.iter not in logged
        for result in ledger.results
    )


def _add_results(attempt: Attempt, ledger: LedgerRun, conflicts: Conflicts) -> None:
    """Match the result files of an attempt with its rows; of a damaged one, a row must tell."""
    told = Counter(iteration for iteration, _ in attempt.phases.get('test', {}))
    counts: Counter[int] = Counter()
    lost = set()
    for result in ledger.results:
        if result.attempt != attempt.number or result.iter is None:
            continue
        place = result.iter, counts[result.iter]
        counts[result.iter] += 1
        if result.metrics is None:
            lost.add(result.iter)
            continue
        attempt.results[place] = result
        rows = {'test': {place: _row_of(result)}}
        _add(attempt, rows, f'{ledger.folder}/{result.file}', conflicts)
    if any(counts[iteration] > told[iteration] for iteration in lost):
        attempt.corrupt = True


def _row_of(result: ResultFile) -> Row:
    """A result file as the row that was logged of it."""
    facts = {
        'test/num_samples': result.num_samples,
        'test/data_digest': result.data_digest,
        'test/checkpoint_sha256': (result.checkpoint or {}).get('sha256'),
    }
    told = {name: value for name, value in facts.items() if value is not None}
    return {'iter': result.iter, 'epoch': result.epoch, **(result.metrics or {}), **told}


def _find_own(
    attempts: list[Attempt], ledger: LedgerRun, logs: list[Attempt], mirrors: Mirrors
) -> list[Attempt]:
    """Enter the W&B logs of the attempts whose folder they are in, or that name them.

    Returns:
        The other logs.
    """
    rest: list[Attempt] = []
    taken: set[int] = set()
    origins = {attempt.origin: number for number, attempt in enumerate(attempts)}
    known = {
        ledger.mirror(attempt.entry): number
        for number, attempt in enumerate(attempts)
        if attempt.entry
    }
    for log in logs:
        path = os.path.abspath(Path(log.root or '') / log.path)
        number = known.get(path)
        if number is None and log.number is not None:
            number = origins.get(log.origin)
        elif number is None and path.startswith(os.path.abspath(ledger.path) + os.sep):
            number = _by_time(attempts, log, taken | set(known.values()))
        if number is None:
            rest.append(log)
            continue
        taken.add(number)
        mirrors.append((log, attempts[number]))
    return rest


def _find_distant(attempts: list[Attempt], logs: list[Attempt], mirrors: Mirrors) -> list[Attempt]:
    """Enter W&B logs from elsewhere, such as copies, of the attempts during which they began.

    Returns:
        The other logs.
    """
    rest = []
    for log in logs:
        fitting = [
            attempt
            for attempt in attempts
            if attempt.entry and _began_during(attempt, log, attempt.end_time is not None)
        ]
        if fitting:
            mirrors.append((log, max(fitting, key=lambda attempt: attempt.began)))
        else:
            rest.append(log)
    return rest


def _by_time(attempts: list[Attempt], log: Attempt, taken: set[int]) -> int | None:
    """Number of the attempt that was running when a log in its folder began."""
    fitting = [
        number
        for number, attempt in enumerate(attempts)
        if number not in taken and _began_during(attempt, log)
    ]
    return fitting[-1] if fitting else None


def _began_during(attempt: Attempt, log: Attempt, anywhere: bool = False) -> bool:
    """Whether a log began while an attempt ran: on its host, or ``anywhere``.

    One that names its attempt is of no other.
    """
    if log.number is not None:
        return False
    if log.start_time is None:  # it has just been opened, by an attempt that runs
        return attempt.end_time is None
    end = math.inf if attempt.end_time is None else attempt.end_time
    fits = anywhere or not log.host or attempt.host == log.host
    return (
        fits
        and attempt.began - CLOCK_SECONDS <= log.start_time
        and log.start_time <= end + CLOCK_SECONDS
    )


def compare_mirror(log: Attempt, attempt: Attempt, disagreements: Conflicts) -> None:
    """Compare a W&B log with the attempt in a ledger that wrote it, row by row."""
    for phase, rows in log.rows.items():
        known = attempt.phases.get(phase, {})
        for place, row in by_place(rows).items():
            if place in known:
                disagreements.compare(row, [(known[place], attempt.teller)], log.teller)


def _join(attempts: list[Attempt], own: list[Attempt], conflicts: Conflicts) -> None:
    """Add the attempts of another folder of the same run to those known so far."""
    known = {_process(attempt): attempt for attempt in attempts}
    told = rows_by_iteration(attempts)
    for attempt in own:
        twin = known.get(_process(attempt)) if attempt.entry else None
        if twin is None:
            compare_rows(attempt, told, conflicts)
            attempts.append(attempt)
            continue
        _add(twin, attempt.phases, attempt.teller, conflicts)
        twin.results = {**attempt.results, **twin.results}
        if twin.exit_code is None:  # copied before it ended
            twin.entry, twin.ledger = attempt.entry, attempt.ledger
            twin.exit_code, twin.end_time = attempt.exit_code, attempt.end_time
            twin.signal, twin.last_error = attempt.signal, attempt.last_error


def _process(attempt: Attempt) -> tuple[object, ...]:
    """What only copies of one attempt have in common."""
    told = attempt.entry or AttemptEntry()
    return told.host, told.boot_id, told.pid, told.process_start, told.start


def rows_by_iteration(attempts: Iterable[Attempt]) -> Told:
    """(phase, iteration) to what any of the attempts logged there, as (row, source) pairs."""
    told: Told = {}
    for attempt in attempts:
        source = attempt.teller
        for phase, rows in attempt.phases.items():
            for (iteration, _), row in rows.items():
                told.setdefault((phase, iteration), []).append((row, source))
    return told


def compare_rows(attempt: Attempt, told: Told, conflicts: Conflicts) -> None:
    """Compare an attempt with what others logged, whichever of them it repeats."""
    source, timings = attempt.teller, attempt.ledger is None
    for phase, rows in attempt.phases.items() if told else ():
        for (iteration, _), row in rows.items():
            conflicts.compare(row, told.get((phase, iteration), ()), source, timings)
