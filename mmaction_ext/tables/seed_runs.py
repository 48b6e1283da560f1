"""From runs to what one seed of one row contributes to a table.

Only runs of the config as it stands in the tree count, and of those only what a finished
attempt logged. Everything else is said, not used.
"""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.tables import protocol
from mmaction_ext.tables.cells import LARGEST, SEVERITY, CellStatus, SeedResult, exact
from mmaction_ext.tables.code import TrackedCode, network_files, tracked_code
from mmaction_ext.tables.spec import LAST, Select, TableSpec
from mmaction_ext.tracking.identity import (
    LoadConfig,
    check_fold,
    config_hashes,
    config_name,
    load_config,
    network_of,
    shared_fold,
    training_length,
    weights_source,
)
from mmaction_ext.tracking.ledger.facts import is_own
from mmaction_ext.tracking.ledger.format import NEWER, NON_FINITE_SAMPLES
from mmaction_ext.tracking.reading.conflicts import same
from mmaction_ext.tracking.reading.foreign import look_up
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, RunRecord, is_diverged

T = TypeVar('T')
State = tuple[CellStatus, str]  # and its reason

#: What a test row says about itself besides its metrics.
TEST_FACTS = frozenset({'test/num_samples', 'test/checkpoint_sha256', 'test/data_digest'})
#: What W&B calls states of runs that records call otherwise.
FOREIGN_STATES = {'crashed': 'killed'}
#: Exit codes of runs that were asked to save and end: by a warning, Ctrl-C, SIGTERM.
_STOPPED = (os.EX_TEMPFAIL, 130, 143)
#: What a seed may show although a process works on a run of it.
_BESIDE_A_LIVING_RUN = (CellStatus.OK, CellStatus.CONFLICT, CellStatus.UNTRUSTED)


@dataclass(frozen=True)
class RowConfig:
    """The config of a row as it stands in the tree.

    Attributes:
        name: posix path below ``configs/``, without ``.py``.
        digest: hash of what it resolves to.
        schedule: ``('epoch', n)`` or ``('iter', n)``, the length of training; ``None`` if the
            config does not say, or is that of an ensemble; with ``weights_of`` that of the source.
        is_ensemble: whether it averages the predictions of other configs instead of training.
        is_only_tested: whether it is an ensemble or tests the weights of another config.
        code: the source files that the table tracks, as they stand in the tree.
        watched: those whose change the table notes.
        aliases: hashes by earlier rules, which name the same config.
        network: hash of the network, see :func:`mmaction_ext.tracking.identity.network_hash`.
        states: of a row of foreign runs, the states of those that count, as records name them;
            empty for a config.
    """

    name: str
    digest: str
    schedule: tuple[str, int] | None = None
    is_ensemble: bool = False
    is_only_tested: bool = False
    code: TrackedCode = TrackedCode()
    watched: TrackedCode = TrackedCode()
    aliases: tuple[str, ...] = ()
    network: str = ''
    states: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, resolved: dict[str, Any], **facts: Any) -> RowConfig:
        """A config of some name, by what it resolves to; ``facts`` are the other attributes."""
        digest, *aliases = config_hashes(resolved)
        return cls(name, digest, aliases=tuple(aliases), **facts)

    @property
    def hashes(self) -> tuple[str, ...]:
        """All hashes that a run of the config may bear."""
        return (self.digest, *self.aliases)

    def is_named(self, name: str | None, digest: str | None) -> bool:
        """Whether a config's name and hash on record are those of this one."""
        return name == self.name and digest in self.hashes


def resolve_configs(spec: TableSpec, load: LoadConfig = load_config) -> dict[str, RowConfig]:
    """Resolve the config of every row that has one, and what stands for that of foreign runs.

    Args:
        spec: a :class:`mmaction_ext.tables.spec.TableSpec`.
        load: reads a config file; one that remembers saves tables with common rows much time.

    Returns:
        Row id to :class:`RowConfig`.

    Raises:
        InputError: a config cannot be read; the message names specification, line and file.
    """
    configs: dict[str, RowConfig] = {}
    code, watched = tracked_code(spec.code or ()), tracked_code(spec.watched)
    for row in spec.with_runs:
        path = row.config
        if path is None:
            assert spec.runs, 'a row of foreign runs has a source'
            states = tuple(FOREIGN_STATES.get(state, state) for state in spec.runs.state)
            configs[row.id] = RowConfig(row.foreign, spec.runs.digest(row), states=states)
            continue
        try:
            resolved = load(*row.load_arguments)
            check_fold(path, resolved, 'the table must name some, as folds: [...]')
            source = weights_source(path, resolved)
            trained = load(source, *shared_fold(source, row.fold)) if source else resolved
        except ValueError as error:
            reason = ' '.join(str(error).split())
            raise InputError(f'{spec.path}:{row.line}: {reason}') from error
        is_ensemble = 'ensemble' in resolved
        schedule = None if is_ensemble else training_length(trained)
        configs[row.id] = RowConfig.of(
            config_name(path, row.fold),
            resolved,
            schedule=schedule,
            is_ensemble=is_ensemble,
            is_only_tested=is_ensemble or bool(source),
            code=code,
            watched=replace(watched, used=None if is_ensemble else network_files(resolved)),
            network=network_of(path, load, row.fold),
        )
    return configs


@dataclass(frozen=True)
class _Candidate:
    """A row of metrics and where it was logged."""

    record: RunRecord
    row: dict[str, Any]
    attempt: Attempt
    evaluation: Evaluation | None = None

    @property
    def source(self) -> str:
        """Which run and attempt it is of, or which line of a CSV file, in words."""
        if not self.record.uid:  # a line of a CSV file
            return self.attempt.path
        text = f'run {self.record.uid}, {self.record.job_type}'
        if len(self.record.attempts) > 1:
            text += f', attempt {self.record.attempts.index(self.attempt) + 1}'
        return text

    @property
    def iteration(self) -> float:
        """Where it was made; what an imported number does not say is the end."""
        return self.row.get('iter', math.inf)

    @property
    def protocol(self) -> dict[str, Any]:
        """How it was tested; empty where nobody says."""
        return self.evaluation.protocol if self.evaluation else {}

    @property
    def checkpoint(self) -> str | None:
        """SHA-256 of the checkpoint that was tested, if anybody says."""
        recorded = (self.evaluation and self.evaluation.checkpoint) or {}
        return _of_type(str, self.row.get('test/checkpoint_sha256') or recorded.get('sha256'))

    @property
    def order(self) -> tuple[bool, str, str]:
        """Imported numbers first, so that the last one has a run where any has."""
        return not self.record.imported, self.source, repr(sorted(self.row.items()))

    def facts(self, config: RowConfig) -> dict[str, Any]:
        """What is known about it, see :class:`mmaction_ext.tables.cells.SeedResult`."""
        test = self.evaluation
        facts = dict(
            line='' if self.record.uid else self.attempt.path,
            job_type=self.record.job_type,
            folder=self.record.folder,
            attempt=self.attempt.number,
            iter=self.row.get('iter'),
            epoch=self.row.get('epoch'),
            commit=self.attempt.commit,
            checkpoint=test and test.checkpoint,
            predictions=test and test.predictions,
            protocol=self.protocol,
            code=config.code.digest(self.record.code),
            watched=config.watched.digest(self.record.code),
            own={path: file for path, file in self.record.code.items() if is_own(path)},
        )
        return {key: value for key, value in facts.items() if value not in (None, '', {})}


class SeedRuns:
    """All runs of one row under one seed, and what they say about a metric.

    Args:
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any config and seed.
        config: the row's :class:`RowConfig`.
        seed: the seed.
        select: which checkpoint counts, see :class:`mmaction_ext.tables.spec.Select`.
        wanted_protocol: see :func:`mmaction_ext.tables.protocol.mismatch`.
    """

    def __init__(
        self,
        records: Iterable[RunRecord],
        config: RowConfig,
        seed: int,
        select: Select,
        wanted_protocol: protocol.Facts | None = None,
    ) -> None:
        # the members of an ensemble were chosen when they were tested
        self.config, self.seed = config, seed
        self.select = LAST if config.is_ensemble else select
        self.wanted_protocol = wanted_protocol or {}
        self.fresh: list[RunRecord] = []
        self.stale: list[RunRecord] = []
        self.lost: list[RunRecord] = []
        for record in records:
            if (record.config, record.seed) == (config.name, seed):
                self._group_of(record).append(record)

    def _group_of(self, record: RunRecord) -> list[RunRecord]:
        if record.config_hash is None and not record.imported:  # the log lost its beginning
            return self.lost
        return self.stale if self._why_stale(record) else self.fresh

    def _why_stale(self, record: RunRecord) -> str:
        """Why a run is not one of the row as it stands in the tree; empty if it is."""
        if record.overrides:
            return f'run with overridden {", ".join(sorted(map(str, record.overrides)))}'
        if record.config_hash not in (*self.config.hashes, None):
            return 'run of another version of the config'
        changed = self.config.code.changes(record.code)
        return f'run of another version of {_shortened(changed)}' if changed else ''

    def result(self, metric: str) -> SeedResult:
        """The seed's value of a metric, unscaled, or the reason why there is none.

        While a process works on a run of the config as it stands, nothing else is said of the
        seed but a result that is there, a contradiction or a damaged log.
        """
        found = self._settled(metric)
        living = any(record.state == 'running' for record in self.fresh)
        if not living or found.status in _BESIDE_A_LIVING_RUN:
            return found
        return self._worst(
            [self._state(record, metric) for record in self.fresh + self.lost],
            (CellStatus.UNTRUSTED, CellStatus.RUNNING),
        )

    @property
    def is_to_be_tested(self) -> bool:
        """Whether a run has the checkpoint that counts in its folder, and no test of it ended."""
        return any(
            self._has_checkpoint(record, *place)
            for record in self.fresh
            if record.job_type == 'train' and not record.corrupt
            for place in self._counting_places(record)
            if not any(
                test.attempt.exit_code == 0 and test.values.get(place[0]) == place[1]
                for each in self.fresh
                for test in each.evaluations
            )
        )

    def _counting_places(self, record: RunRecord) -> list[tuple[str, Any]]:
        """Where in a run the checkpoint that counts was made: ``('epoch', 6)``."""
        if self.select.policy == 'last':
            return [self.config.schedule] if self.config.schedule else []
        best = self._best_row(record) or {}
        return [(unit, best[unit]) for unit in ('epoch', 'iter') if unit in best]

    def _has_checkpoint(self, record: RunRecord, unit: str, number: object) -> bool:
        """Whether it is there, as mmengine's ``CheckpointHook`` names it."""
        name = f'{unit}_{number}.pth'
        if self.select.policy == 'best':
            metric = (self.select.metric or '').removeprefix('val/').replace('/', '_')
            name = f'best_{metric}_{name}'
        return record.path is not None and (record.path / name).is_file()

    def _settled(self, metric: str) -> SeedResult:
        """What the runs that ended say, where any did."""
        disagreeing = [record for record in self.fresh if record.conflicts]
        if disagreeing:
            reason = min(_shortened(record.conflicts, '; ') for record in disagreeing)
            return self._without(CellStatus.CONFLICT, reason, run_ids(disagreeing))
        if self.config.states:
            found = self._foreign(metric)
            if len({item.record.uid or item.source for item in found}) > 1:
                return self._without(
                    CellStatus.CONFLICT,
                    f'several runs of one row and seed: {_values(metric, found)}',
                    run_ids(item.record for item in found),
                )
        elif metric.startswith('test/'):
            found = self._evaluations(metric)
        else:
            found = self._rows(metric)
        return self._agree(metric, found) if found else self._why_none(metric)

    def _foreign(self, metric: str) -> list[_Candidate]:
        """What each foreign run that counts says of a metric, as the selection has it."""
        return [
            _Candidate(record, row, record.attempts[-1])
            for record in self._counting()
            if (row := self._selected(record, metric)) is not None
        ]

    def _counting(self) -> list[RunRecord]:
        return [
            record
            for record in self.fresh
            if record.state in self.config.states and not record.corrupt
        ]

    def _selected(self, record: RunRecord, metric: str) -> dict[str, Any] | None:
        """The row of a foreign run in which a metric has the value that counts.

        That of the best epoch is logged with the metric of the selection or under the same epoch,
        or is the only one.
        """
        if self.select.policy == 'summary':
            value = _summarized(record, metric)
            return None if value is None else {metric: value}
        rows = [row for row in _phase(record, metric) if metric in row]
        if self.select.policy == 'last':
            return rows[-1] if rows else None
        best = self._best_row(record)
        if best is None:
            return None
        for key in ('iter', 'epoch'):
            same = [row for row in rows if key in best and row.get(key) == best[key]]
            if same:
                return same[-1]
        return rows[0] if len(rows) == 1 else None

    def _evaluations(self, metric: str) -> list[_Candidate]:
        """Finished test evaluations of the checkpoint that counts, under the right protocol.

        Where a run of our own was tested, imported numbers agree with it or are a conflict,
        whatever iteration they claim.
        """
        found = [
            item
            for item in self._all_evaluations(metric)
            if not protocol.mismatch(item.protocol, self.wanted_protocol)
        ]
        own = [item for item in found if not item.record.imported]
        if self.select.policy == 'best':
            chosen = self._selected_iters()
        else:
            iterations = {item.row['iter'] for item in own or found if 'iter' in item.row}
            chosen = {max(iterations)} if iterations else set()
        return [
            item
            for item in found
            if item.iteration in chosen
            or (item.record.imported and (own or 'iter' not in item.row))
        ]

    def _all_evaluations(self, metric: str) -> list[_Candidate]:
        sound = [record for record in self.fresh if not record.corrupt]
        return [
            _Candidate(record, item.values, item.attempt, item)
            for record in sound
            for item in record.evaluations
            if (record.imported or item.attempt.exit_code == 0) and metric in item.values
        ]

    def _rows(self, metric: str) -> list[_Candidate]:
        """The last training or validation row up to the checkpoint that counts."""
        found = []
        for record in self._finished():
            limit = self._best_iter(record) if self.select.policy == 'best' else math.inf
            rows = [
                row
                for row in record.rows.get(metric.partition('/')[0], ())
                if metric in row and limit is not None and row['iter'] <= limit
            ]
            found += [_Candidate(record, row, record.attempts[-1]) for row in rows[-1:]]
        return found

    def _finished(self) -> list[RunRecord]:
        return (
            [record for record in self.fresh if record.finished]
            if not self.config.states
            else self._counting()
        )

    def _selected_iters(self) -> set[int]:
        found = (self._best_iter(record) for record in self._finished())
        return {iteration for iteration in found if iteration is not None}

    def _best_iter(self, record: RunRecord) -> int | None:
        """Iteration of the best validation row of a run, the first one of equals."""
        best = self._best_row(record)
        return None if best is None else best['iter']

    def _best_row(self, record: RunRecord) -> dict[str, Any] | None:
        sign, metric = 1 if self.select.mode == 'max' else -1, self.select.metric or ''
        rows = [row for row in _phase(record, metric) if is_finite(row.get(metric))]
        return max(rows, key=lambda row: sign * row[metric], default=None)

    def _agree(self, metric: str, found: list[_Candidate]) -> SeedResult:
        """One result out of several measurements of the same thing."""
        found = sorted(found, key=lambda item: item.order)
        runs = run_ids(item.record for item in found)
        problem = self._problem(metric, found)
        if problem:
            return self._without(*problem, runs)
        chosen = found[-1]
        return SeedResult(
            self.seed,
            CellStatus.OK,
            exact(chosen.row[metric]),
            '',
            runs,
            _of_type(int, chosen.row.get('test/num_samples')),
            chosen.checkpoint,
            _of_type(str, chosen.row.get('test/data_digest')),
            protocol.describe(chosen.protocol),
            chosen.record.imported,
            chosen.facts(self.config),
        )

    def _without(self, status: CellStatus, reason: str, runs: tuple[str, ...]) -> SeedResult:
        return SeedResult(self.seed, status, None, reason, runs, imported=bool(self.config.states))

    def _problem(self, metric: str, found: list[_Candidate]) -> State | None:
        values = [item.row[metric] for item in found]
        divergence = [_divergence(metric, item) for item in found]
        sound = [item for item, text in zip(found, divergence, strict=True) if not text]
        if any(divergence) and (not sound or self._too_early(metric, sound)):
            return CellStatus.DIVERGED, next(filter(None, divergence))
        for value, text in zip(values, divergence, strict=True):
            if not text and not is_finite(value):
                return CellStatus.FAILED, f'{metric} is {_shown(value)}'
        if any(divergence) or not all(same(value, values[0]) for value in values):
            return CellStatus.CONFLICT, _difference(metric, found)
        digests = {_of_type(str, item.row.get('test/data_digest')): item.source for item in found}
        digests.pop(None, None)
        if len(digests) > 1:
            sources = ' and '.join(sorted(digests.values()))
            return CellStatus.CONFLICT, f'measured on different samples: {sources}'
        return self._too_early(metric, found)

    def _too_early(self, metric: str, found: list[_Candidate]) -> State | None:
        """Whether a measurement that should be the last one was made before training ended."""
        if (
            self.config.schedule is None
            or self.select.policy != 'last'
            or metric.startswith('train/')
        ):
            return None
        unit, length = self.config.schedule
        reached = [
            item.row[unit]
            for item in found
            if isinstance(item.row.get(unit), int)
            and not (item.record.imported and item.row[unit] == 0)
        ]  # 0: nobody said
        if reached and min(reached) < length:
            return CellStatus.UNFINISHED, f'measured after {unit} {min(reached)} of {length}'
        return None

    def _why_none(self, metric: str) -> SeedResult:
        """Status and reason of a seed without a result."""
        if self.select.metric and not self._selected_iters():
            metric = self.select.metric
        states = [self._state(record, metric) for record in self.fresh + self.lost]
        states += [(CellStatus.STALE, self._why_stale(record)) for record in self.stale]
        states += [
            (CellStatus.STALE, f'tested with {text}') for text in self._other_protocols(metric)
        ]
        return self._worst(states or [(CellStatus.MISSING, 'no run')], SEVERITY)

    def _worst(self, states: Iterable[State], order: Sequence[CellStatus]) -> SeedResult:
        """The first of some (status, reason) in an order of statuses."""
        status, reason = min(
            (state for state in states if state[0] in order),
            key=lambda state: (order.index(state[0]), state[1]),
        )
        return self._without(status, reason, run_ids(self.fresh + self.lost + self.stale))

    def _other_protocols(self, metric: str) -> list[str]:
        """How the tests that do not count differ from what the table asks for."""
        texts = [
            protocol.mismatch(item.protocol, self.wanted_protocol)
            for item in self._all_evaluations(metric)
        ]
        return [text for text in texts if text]

    def _state(self, record: RunRecord, metric: str) -> State:
        if record.corrupt:
            newer = [text for text in record.damage if text.endswith(NEWER)]
            return CellStatus.UNTRUSTED, newer[0] if newer else 'the log is damaged'
        is_over = record.exit_code is not None or record.state == 'killed'
        if record.diverged and is_over and record.state != 'running':
            return CellStatus.DIVERGED, why_diverged(record)
        if record.exit_code is None or record.state == 'running':
            return _state_without_exit(record)
        if stopped := how_it_stopped(record):
            return CellStatus.MISSING, stopped
        if record.exit_code:
            return CellStatus.FAILED, how_it_ended(record)
        if self.config.states:
            return CellStatus.MISSING, self._why_not_selected(record, metric)
        return CellStatus.MISSING, without_metric(record, metric) or (
            f'finished without {metric} of the selected checkpoint'
        )

    def _why_not_selected(self, record: RunRecord, metric: str) -> str:
        """Why a foreign run that counts has no value of a metric."""
        if self.select.policy == 'summary':
            return f'{metric} is no number of its summary'
        if not any(metric in row for row in _phase(record, metric)):
            return f'it logged no {metric}'
        return (
            f'{metric} is not logged where {self.select.metric} is {self.select.end}: log both in '
            'one step, or with an epoch'
        )


def without_metric(record: RunRecord, metric: str) -> str:
    """What a run logged where that is not what a column asks for; another run would log no other.

    Args:
        record: a run.
        metric: e.g. ``test/acc/top1``.

    Returns:
        The names in words; empty where it has the metric, or nothing of its phase: an untested
        run can be tested.
    """
    phase = metric.partition('/')[0]
    others = {name for name in record.logged if name.startswith(f'{phase}/')} - TEST_FACTS
    if not record.finished or metric in record.logged or not others:
        return ''
    return f'finished without {metric}, with {_shortened(others)}{did_you_mean(metric, others)}'


def _state_without_exit(record: RunRecord) -> State:
    where = f' at iteration {record.last_iter}' if record.last_iter else ''
    if record.state == 'running':
        return CellStatus.RUNNING, f'still running{where}'
    if record.state == 'killed':
        return CellStatus.FAILED, f'killed{where}'
    return CellStatus.UNFINISHED, f'no exit record, still running or killed{where}'


def how_it_ended(record: RunRecord) -> str:
    """``ended with exit code 143 (SIGTERM): <the last error, shortened>``.

    Args:
        record: a :class:`RunRecord` whose last attempt has an exit
            code.
    """
    text = f'ended with exit code {record.exit_code}'
    if record.attempts[-1].signal:
        text += f' ({record.attempts[-1].signal})'
    if record.last_error:
        text += f': {textwrap.shorten(record.last_error, 160, placeholder=" ...")}'
    return text


def how_it_stopped(record: RunRecord) -> str:
    """``stopped by SIGTERM``, of a run that can go on from there; empty for any other.

    Args:
        record: a :class:`RunRecord` that no process works on.
    """
    if record.exit_code not in _STOPPED:
        return ''
    signal = record.attempts[-1].signal
    return f'stopped by {signal}' if signal else how_it_ended(record)


def how_it_diverged(values: dict[str, Any]) -> str:
    """``the scores of 7 test samples are not finite``; empty where the test says no such thing.

    Args:
        values: the row of a test.
    """
    count = values.get(NON_FINITE_SAMPLES)
    return f'the scores of {_shown(count)} test samples are not finite' * is_diverged(values)


def why_diverged(record: RunRecord) -> str:
    """How a diverged run that is over ended, and what of it is not finite."""
    loss = record.lost_loss
    values = record.evaluations[-1].values if record.evaluations else {}
    return ', '.join(
        filter(
            None,
            (
                how_it_ended(record) if record.exit_code else '',
                how_it_diverged(values),
                '' if loss is None else f'the last loss of training is {loss}',
            ),
        )
    )


def _divergence(metric: str, item: _Candidate) -> str:
    """Why a measurement is that of a diverged run; empty if it is not."""
    value = item.row[metric]
    if isinstance(value, float) and not math.isfinite(value):
        return f'{metric} is {value}'
    return how_it_diverged(item.row)


def _difference(metric: str, found: list[_Candidate]) -> str:
    """Every value with its run, and how each was tested where that differs too."""
    return f'finished results of {metric} differ: {_values(metric, found)}'


def _values(metric: str, found: Iterable[_Candidate]) -> str:
    protocols = {protocol.describe(item.protocol) for item in found}
    listed = []
    for item in found:
        how = protocol.describe(item.protocol) if len(protocols) > 1 else ''
        where = ', '.join(filter(None, (item.source, how)))
        value = item.row[metric]
        text = f'{float(value):.6g}' if is_finite(value) else _shown(value)
        listed.append(f'{text} ({where})')
    return ', '.join(listed)


def _phase(record: RunRecord, metric: str) -> Sequence[dict[str, Any]]:
    """The rows of a run in which a metric is, if it logged it."""
    return record.rows.get(metric.partition('/')[0], ())


def _summarized(record: RunRecord, metric: str) -> Any:
    """The value of a metric in a summary, which may be its maximum, say, under that name."""
    value = look_up(record.summary, metric)
    if isinstance(value, dict) and len(value) == 1:
        [value] = value.values()
    return value if isinstance(value, (int, float)) else None


def _shortened(texts: Collection[str], separator: str = ', ', most: int = 3) -> str:
    """The first few of some texts, and how many more there are."""
    more = [f'and {len(texts) - most} more'] if len(texts) > most else []
    return separator.join([*sorted(texts)[:most], *more])


def run_ids(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """Ids of runs, each once, sorted."""
    return tuple(sorted({record.uid for record in records} - {''}))


def _shown(value: object) -> str:
    """A value that is none; a number that is too large is not spelled out."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return 'too large a number'
    return str(value)


def _of_type(kind: type[T], value: object) -> T | None:
    return value if isinstance(value, kind) else None


def is_finite(value: object) -> bool:
    """Whether a logged value is a number that a table can print."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= LARGEST
