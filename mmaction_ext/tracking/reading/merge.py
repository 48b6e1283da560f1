"""All that tells of one run, put together into one record."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from mmaction_ext.tracking.ledger.format import NEWER, TRAIN_LOSS
from mmaction_ext.tracking.ledger.forms import ResultFile
from mmaction_ext.tracking.reading import liveness
from mmaction_ext.tracking.reading.attempts import (
    Mirrors,
    attempts_of,
    compare_mirror,
    compare_origins,
    compare_rows,
    put_together,
    rows_by_iteration,
)
from mmaction_ext.tracking.reading.conflicts import Conflicts
from mmaction_ext.tracking.reading.ledger import LedgerRun, as_dict, identity
from mmaction_ext.tracking.reading.record import (
    Attempt,
    Evaluation,
    Place,
    Row,
    RunRecord,
    is_web_address,
    oldest_first,
)
from mmaction_ext.tracking.reading.rows import before_first, project, stitch, thin

#: training rows that name its metrics; some are logged less often than others
LAST_ROWS = 8
_RUN_FOLDER = re.compile(r'(?P<config>.+?)/seed(?P<seed>\d+)/')


def merge(
    uid: str,
    job_type: str,
    ledgers: Sequence[LedgerRun],
    logs: Sequence[Attempt],
    snapshots: Sequence[Sequence[Attempt]],
    home: tuple[Path | None, str] = (None, ''),
    compare: bool = False,
) -> RunRecord:
    """Put a run together.

    Args:
        uid, job_type: which run it is.
        ledgers: the :class:`mmaction_ext.tracking.reading.ledger.LedgerRun` of its folders.
        logs: the attempts that its offline W&B logs tell of.
        snapshots: for each of its snapshots, the attempts that it tells of.
        home: the folder that was searched and, relative to it, that of the run, where no ledger
            says so.
        compare: whether to tell where sources disagree.
    """
    conflicts = Conflicts()
    attempts, mirrors = attempts_of(ledgers, logs, conflicts)
    copies = [list(map(put_together, snapshot)) for snapshot in snapshots]
    compare_origins([*attempts, *chain(*copies)], conflicts)
    everything = oldest_first(logs) + [log for snapshot in snapshots for log in snapshot]
    disagreements = Conflicts()
    if compare:
        _compare(ledgers, everything, mirrors, attempts, copies, disagreements)
    others = [] if _is_whole(attempts, job_type) else copies
    for online in others:
        told = Conflicts() if ledgers or logs else conflicts
        attempts = _with_snapshot(attempts, online, told)
    _compare_identities(_told_identities((), chain(*snapshots)), conflicts)
    used = _used(everything, mirrors, attempts)
    last = attempts[-1]
    shown = {id(each): each.without_rows() for each in attempts}
    root, folder = (ledgers[0].root, ledgers[0].folder) if ledgers else home
    return RunRecord(
        uid,
        job_type,
        **_identity(ledgers, used, last, conflicts),
        **_names(ledgers, used),
        attempts=tuple(shown.values()),
        **_rows(attempts),
        evaluations=tuple(
            item for each in attempts for item in _evaluations(each, shown[id(each)])
        ),
        folder=folder,
        root=root,
        mirrors=tuple(sorted({log.source for log in everything} - {log.source for log in used})),
        state=_state(last),
        conflicts=conflicts.texts(),
        disagreements=tuple(sorted({*disagreements.texts()} - {*conflicts.texts()})),
        damage=_damage(ledgers, everything),
        heartbeat=ledgers[-1].heartbeat if ledgers else None,
        last_error=last.last_error,
        imported=any(log.imported for log in everything),
        url=_url(everything, attempts),
    )


def _compare(
    ledgers: Sequence[LedgerRun],
    logs: Sequence[Attempt],
    mirrors: Mirrors,
    attempts: Sequence[Attempt],
    copies: Sequence[Sequence[Attempt]],
    disagreements: Conflicts,
) -> None:
    """Enter where the sources of a run disagree, which a table does not ask.

    Args:
        ledgers, logs: who they say that the run is.
        mirrors: W&B logs beside the attempts in a ledger, see :func:`attempts_of`.
        attempts, copies: what the snapshots repeat, and they.
        disagreements: collects them.
    """
    _compare_identities(_told_identities(ledgers, logs), disagreements)
    for log, attempt in mirrors:
        compare_mirror(log, attempt, disagreements)
    told = rows_by_iteration(attempts)
    for attempt in chain(*copies):
        compare_rows(attempt, told, disagreements)


def _is_whole(attempts: Sequence[Attempt], job_type: str) -> bool:
    """Whether attempts are all of a run: from its first iteration to a good end."""
    if not attempts or attempts[-1].exit_code != 0:
        return False
    begins = attempts[0].resumed_from
    return begins == 0 or (begins is None and job_type != 'train')


def _used(logs: Iterable[Attempt], mirrors: Mirrors, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Those of the logs that tell of an attempt of which nobody before them does."""
    copies = {id(log) for log, _ in mirrors}
    paths = {attempt.path for attempt in attempts}
    return [
        log
        for log in logs
        if id(log) not in copies and (log.source != 'wandb-online' or log.path in paths)
    ]


def _with_snapshot(
    attempts: list[Attempt], online: list[Attempt], conflicts: Conflicts
) -> list[Attempt]:
    """Attempts with those rows of a snapshot that nobody else has.

    What was logged before the first row of the others, or after the last one, is added as
    attempts of its own, and every test that nobody else knows of.
    """
    if not attempts:
        return online
    told = rows_by_iteration(attempts)
    for attempt in online:
        compare_rows(attempt, told, conflicts)
    known, reached = _iterations(told), _reached(attempts)
    is_later = _reached(online) > reached
    for attempt in online:
        attempt.phases = {
            phase: _unknown(rows, phase, known.get(phase), is_later)
            for phase, rows in attempt.phases.items()
        }
        if is_later:  # it adds to what is known, and takes the place of none of it
            begins = max(reached, before_first(attempt.training()))
            attempt.resumed_from = begins or None
    added = [attempt for attempt in online if any(attempt.phases.values())]
    return [*attempts, *added] if is_later else [*added, *attempts]


def _reached(attempts: Iterable[Attempt]) -> int:
    return max((attempt.last_iter or 0 for attempt in attempts), default=0)


def _iterations(told: Iterable[tuple[str, int]]) -> dict[str, set[int]]:
    """Phase to the iterations of its rows."""
    known: dict[str, set[int]] = {}
    for phase, iteration in told:
        known.setdefault(phase, set()).add(iteration)
    return known


def _unknown(
    rows: dict[Place, Row], phase: str, known: set[int] | None, is_later: bool
) -> dict[Place, Row]:
    """Rows that nobody else has; ``known`` are the iterations of those that somebody has."""
    if not known:
        return rows
    first, last = min(known), max(known)
    return {
        place: row
        for place, row in rows.items()
        if (
            place[0] not in known
            if phase == 'test'
            else place[0] > last
            if is_later
            else place[0] < first
        )
    }


def chosen(record: RunRecord, keys: Collection[str] | None) -> RunRecord:
    """A record with the wanted metrics alone, and the loss where that tells that it diverged.

    Args:
        record: with all of them.
        keys: their names; all if ``None``.
    """
    if keys is None:
        return record
    wanted = {*keys, TRAIN_LOSS} if record.lost_row else keys
    rows = {phase: project(rows, wanted) for phase, rows in record.rows.items()}
    return replace(
        record,
        rows={phase: found for phase, found in rows.items() if found},
        evaluations=tuple(
            replace(item, values=values)
            for item in record.evaluations
            for values in project([item.values], keys)
        ),
    )


def _rows(attempts: Sequence[Attempt]) -> Row:
    """Joined ``rows`` of every phase but the tests, and the names ``logged`` in all."""
    histories = [(attempt.training(), attempt.resumed_from) for attempt in attempts]
    for history, _ in histories:
        if 'train' in history:
            history['train'] = thin(history['train'])
    stitched = stitch(histories)
    shown = [rows[-LAST_ROWS:] if phase == 'train' else rows for phase, rows in stitched.items()]
    tests = [attempt.phases.get('test', {}).values() for attempt in attempts]
    return dict(
        rows={phase: rows for phase, rows in sorted(stitched.items()) if rows},
        logged=frozenset().union(*chain(*shown, *tests)) - {'iter', 'epoch'},
    )


def _evaluations(attempt: Attempt, shown: Attempt) -> list[Evaluation]:
    found: list[Evaluation] = []
    for place, row in attempt.phases.get('test', {}).items():
        result = attempt.results.get(place) or ResultFile()
        found.append(
            Evaluation(row, shown, result.protocol or {}, result.predictions, result.checkpoint)
        )
    return found


def _identity(
    ledgers: Sequence[LedgerRun], logs: Sequence[Attempt], last: Attempt, conflicts: Conflicts
) -> Row:
    """Who the run is: by its ledger, else its newest log that says so, else by its folder."""
    runs = [ledger.run for ledger in ledgers if ledger.run]
    logs = _with_identity(logs)
    _compare_identities(_told_identities(ledgers, logs), conflicts)
    if runs:
        return known(facts := runs[-1].facts(), facts)
    if logs:
        return known(logs[-1].config, logs[-1].config['identity'])
    place = _RUN_FOLDER.match(last.path)
    return dict(config=place['config'], seed=int(place['seed'])) if place else {}


def _with_identity(logs: Iterable[Attempt]) -> list[Attempt]:
    """Those of the logs that say who the run is; of damaged ones, if no other does."""
    logs = [log for log in logs if isinstance(log.config.get('identity'), dict)]
    return [log for log in logs if not log.corrupt] or logs


def _told_identities(
    ledgers: Iterable[LedgerRun], logs: Iterable[Attempt]
) -> list[tuple[Row, str]]:
    """(identity, source) pairs of all that say who the run is."""
    return [
        (ledger.run.facts(), f'ledger of {ledger.folder}') for ledger in ledgers if ledger.run
    ] + [(log.config['identity'], log.teller) for log in _with_identity(logs)]


def known(facts: Row, identity: Row) -> Row:
    """What ``run.json``, or the config of a W&B run, says of a run, as records have it."""
    told: Row = {name: as_dict(facts.get(name)) for name in ('recipe', 'env', 'git', 'data')}
    told['complexity'], told['code'] = (as_dict(facts.get(name)) for name in ('static', 'sources'))
    for name, kind in (('config', str), ('seed', int), ('config_hash', str)):
        value = identity.get(name)
        told[name] = value if isinstance(value, kind) else None
    return dict(told, overrides=as_dict(identity.get('overrides')))


def _compare_identities(sources: Sequence[tuple[Row, str]], conflicts: Conflicts) -> None:
    """Enter where any two of the sources, (identity, source) pairs, tell of different runs."""
    for name in ('config', 'seed', 'config_hash'):
        told: list[tuple[Any, str]] = []
        for facts, source in sources:
            value = facts.get(name)
            if value is not None and all(value != known for known, _ in told):
                told.append((value, source))
        for one, other in combinations(told, 2):
            conflicts.add(name, name, one, other)


def _names(ledgers: Iterable[LedgerRun], logs: Iterable[Attempt]) -> Row:
    """Name and group, by the newest log that has them, else as W&B would call the run."""
    logs = [log for log in logs if log.name or log.group]
    if logs:
        return dict(name=logs[-1].name, group=logs[-1].group)
    runs = [ledger.run for ledger in ledgers if ledger.run]
    return dict(name=identity(runs[-1]).name, group=identity(runs[-1]).group) if runs else {}


def _url(logs: Iterable[Attempt], attempts: Iterable[Attempt]) -> str:
    """Page of the run on a W&B server, by its newest copy from there, else by its ledger."""
    told = [attempt.entry.wandb for attempt in attempts if attempt.entry]
    pages = [url for url in (*told, *(log.url for log in logs)) if url and is_web_address(url)]
    return pages[-1] if pages else ''


def _state(last: Attempt) -> str:
    if last.ledger is not None:
        if not last.entry:
            return 'unknown'
        return liveness.state_of(last.entry, last.ledger.heartbeat, last.ledger.path)
    if last.exit_code is not None:
        return 'failed' if last.exit_code else 'finished'
    return liveness.state_at_server(last.state, last.last_sign)


def _damage(ledgers: Iterable[LedgerRun], logs: Iterable[Attempt]) -> tuple[str, ...]:
    texts = [text for ledger in ledgers for text in ledger.damage]
    texts += [
        f'{log.path} ' + (NEWER if log.newer else f'is {log.problem or "damaged"}')
        for log in logs
        if log.corrupt
    ]
    return tuple(sorted(set(texts)))
