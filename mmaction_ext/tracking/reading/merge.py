"""All that tells of one run, put together into one record."""

import re
from itertools import chain, combinations

from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.format import NEWER, TRAIN_LOSS
from mmaction_ext.tracking.reading import liveness
from mmaction_ext.tracking.reading.attempts import (
    Attempt,
    attempts_of,
    compare_mirror,
    compare_origins,
    compare_rows,
    rows_by_iteration,
)
from mmaction_ext.tracking.reading.conflicts import Conflicts
from mmaction_ext.tracking.reading.ledger import as_dict
from mmaction_ext.tracking.reading.record import (
    SOURCES,
    Evaluation,
    RunRecord,
    in_order,
    is_web_address,
    lost_row,
)
from mmaction_ext.tracking.reading.rows import before_first, project, stitch, thin

_RUN_FOLDER = re.compile(r'(?P<config>.+?)/seed(?P<seed>\d+)/')


def merge(
    uid: str,
    job_type: str,
    ledgers,
    logs,
    snapshots,
    home: tuple = (None, ''),
    keys=None,
    compare: bool = False,
) -> RunRecord:
    """Put a run together.

    Args:
        uid, job_type: which run it is.
        ledgers: the :class:`mmaction_ext.tracking.reading.ledger.LedgerRun` of its folders.
        logs: :class:`mmaction_ext.tracking.reading.record.AttemptLog` of its offline W&B logs.
        snapshots: for each of its snapshots, a list of the same.
        home: the folder that was searched and, relative to it, that of the run, where no ledger
            says so.
        keys: names of the metrics wanted; all if ``None``.
        compare: whether to tell where sources disagree.
    """
    conflicts = Conflicts()
    attempts, mirrors = attempts_of(ledgers, logs, conflicts)
    copies = [[Attempt.of_log(log) for log in snapshot] for snapshot in snapshots]
    compare_origins([*attempts, *chain(*copies)], conflicts)
    everything = in_order(logs) + [log for snapshot in snapshots for log in snapshot]
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
    root, folder = (ledgers[0].root, ledgers[0].folder) if ledgers else home
    return RunRecord(
        uid,
        job_type,
        **_identity(ledgers, used, last, conflicts),
        **_names(ledgers, used),
        fragments=tuple(each.fragment for each in attempts),
        rows=_rows(attempts, keys),
        evaluations=tuple(item for each in attempts for item in _evaluations(each, keys)),
        folder=folder,
        root=root,
        sources=_sources(ledgers, used),
        mirrors=tuple(sorted({log.source for log in everything} - {log.source for log in used})),
        state=_state(last),
        conflicts=conflicts.texts(),
        disagreements=tuple(sorted({*disagreements.texts()} - {*conflicts.texts()})),
        damage=_damage(ledgers, everything),
        heartbeat=ledgers[-1].heartbeat if ledgers else None,
        last_error=last.fragment.last_error,
        imported=any(log.imported for log in everything),
        url=_url(everything, attempts),
    )


def _compare(ledgers, logs, mirrors, attempts, copies, disagreements) -> None:
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


def _is_whole(attempts, job_type: str) -> bool:
    """Whether attempts are all of a run: from its first iteration to a good end."""
    if not attempts or attempts[-1].fragment.exit_code != 0:
        return False
    begins = attempts[0].resumed_from
    return begins == 0 or (begins is None and job_type != 'train')


def _used(logs, mirrors, attempts) -> list:
    """Those of the logs that tell of an attempt of which nobody before them does."""
    copies = {id(log) for log, _ in mirrors}
    paths = {attempt.fragment.path for attempt in attempts}
    return [
        log
        for log in logs
        if id(log) not in copies and (log.source != 'wandb-online' or log.path in paths)
    ]


def _with_snapshot(attempts, online, conflicts) -> list:
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
            attempt.resumed_from = max(reached, before_first(attempt.history())) or None
    added = [attempt for attempt in online if any(attempt.phases.values())]
    return [*attempts, *added] if is_later else [*added, *attempts]


def _reached(attempts) -> int:
    return max((attempt.fragment.last_iter or 0 for attempt in attempts), default=0)


def _iterations(told) -> dict:
    """Phase to the iterations of its rows."""
    known = {}
    for phase, iteration in told:
        known.setdefault(phase, set()).add(iteration)
    return known


def _unknown(rows, phase, known, is_later) -> dict:
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


def _rows(attempts, keys) -> dict:
    """Joined rows of every phase but the tests."""
    histories = [(attempt.history(), attempt.resumed_from) for attempt in attempts]
    for history, _ in histories:
        if 'train' in history:
            history['train'] = thin(history['train'])
    stitched = stitch(histories)
    if keys is not None and lost_row(stitched.get('train', ())):
        keys = {*keys, TRAIN_LOSS}  # tells that the run diverged
    joined = {phase: project(rows, keys) for phase, rows in sorted(stitched.items())}
    return {phase: rows for phase, rows in joined.items() if rows}


def _evaluations(attempt, keys) -> list:
    found = []
    for place, row in attempt.phases.get('test', {}).items():
        result = attempt.results.get(place, {})
        found += [
            Evaluation(
                values,
                attempt.fragment,
                as_dict(result.get('protocol')),
                result.get('predictions'),
                result.get('checkpoint'),
            )
            for values in project([row], keys)
        ]
    return found


def _identity(ledgers, logs, last, conflicts) -> dict:
    """Who the run is: by its ledger, else its newest log that says so, else by its folder."""
    ledgers = [ledger for ledger in ledgers if ledger.facts]
    logs = _with_identity(logs)
    _compare_identities(_told_identities(ledgers, logs), conflicts)
    if ledgers:
        facts = ledgers[-1].facts
        return dict(
            _known(facts, facts),
            data=as_dict(facts.get('data')),
            code=as_dict(facts.get('sources')),
        )
    if logs:
        return _known(logs[-1].config, logs[-1].config['identity'])
    place = _RUN_FOLDER.match(last.fragment.path)
    return dict(config=place['config'], seed=int(place['seed'])) if place else {}


def _with_identity(logs) -> list:
    """Those of the logs that say who the run is; of damaged ones, if no other does."""
    logs = [log for log in logs if isinstance(log.config.get('identity'), dict)]
    return [log for log in logs if not log.corrupt] or logs


def _told_identities(ledgers, logs) -> list:
    """(identity, source) pairs of all that say who the run is."""
    return [(ledger.facts, f'ledger of {ledger.folder}') for ledger in ledgers if ledger.facts] + [
        (log.config['identity'], f'{log.source} {log.path}') for log in _with_identity(logs)
    ]


def _known(facts, identity) -> dict:
    known = {name: as_dict(facts.get(name)) for name in ('recipe', 'env', 'git')}
    known['complexity'] = as_dict(facts.get('static'))
    for name, kind in (('config', str), ('seed', int), ('config_hash', str)):
        value = identity.get(name)
        known[name] = value if isinstance(value, kind) else None
    return dict(known, overrides=as_dict(identity.get('overrides')))


def _compare_identities(sources, conflicts) -> None:
    """Enter where any two of the sources, (identity, source) pairs, tell of different runs."""
    for name in ('config', 'seed', 'config_hash'):
        told = []
        for identity, source in sources:
            value = identity.get(name)
            if value is not None and all(value != known for known, _ in told):
                told.append((value, source))
        for one, other in combinations(told, 2):
            conflicts.add(name, name, one, other)


def _names(ledgers, logs) -> dict:
    """Name and group, by the newest log that has them, else as W&B would call the run."""
    logs = [log for log in logs if log.name or log.group]
    if logs:
        return dict(name=logs[-1].name, group=logs[-1].group)
    facts = [ledger.facts for ledger in ledgers if ledger.facts]
    if not facts:
        return {}
    identity = RunIdentity(*(facts[-1][name] for name in ('config', 'seed', 'config_hash')))
    return dict(name=identity.name, group=identity.group)


def _sources(ledgers, logs) -> tuple:
    found = {log.source for log in logs} | ({'ledger'} if ledgers else set())
    return tuple(source for source in SOURCES if source in found)


def _url(logs, attempts) -> str:
    """Page of the run on a W&B server, by its newest copy from there, else by its ledger."""
    told = [attempt.entry.get('wandb') for attempt in attempts] + [log.url for log in logs]
    pages = [url for url in told if isinstance(url, str) and is_web_address(url)]
    return pages[-1] if pages else ''


def _state(last: Attempt) -> str:
    if last.ledger is not None:
        if not last.entry:
            return 'unknown'
        return liveness.state_of(last.entry, last.ledger.heartbeat, last.ledger.path)
    if last.fragment.exit_code is not None:
        return 'failed' if last.fragment.exit_code else 'finished'
    return liveness.state_at_server(last.state, last.last_sign)


def _damage(ledgers, logs) -> tuple:
    texts = [text for ledger in ledgers for text in ledger.damage]
    texts += [
        f'{log.path} ' + (NEWER if log.newer else f'is {log.problem or "damaged"}')
        for log in logs
        if log.corrupt
    ]
    return tuple(sorted(set(texts)))
