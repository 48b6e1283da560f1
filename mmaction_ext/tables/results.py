"""From runs to what one seed of one row contributes to a table.

Only runs of the config as it stands in the tree count, and of those only what a finished
attempt logged. Everything else is said, not used.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import SEVERITY, CellStatus, SeedResult, exact
from mmaction_ext.tables.spec import Select
from mmaction_ext.tracking.identity import config_hash, load_config
from mmaction_ext.tracking.records import Fragment, RunRecord

#: Two results closer than this (relative) are the same result measured twice.
SAME_RESULT = 1e-6


@dataclass(frozen=True)
class RowConfig:
    """The config of a row as it stands in the tree.

    Attributes:
        name: posix path below ``configs/``, without ``.py``.
        digest: hash of what it resolves to.
        schedule: ``('epoch', n)`` or ``('iter', n)``, the length of training; ``None`` if the
            config does not say, or is that of an ensemble.
        is_ensemble: whether it averages the predictions of other configs instead of training.
    """

    name: str
    digest: str
    schedule: tuple | None = None
    is_ensemble: bool = False


def resolve_configs(spec) -> dict:
    """Resolve the config of every row that has one.

    Args:
        spec: a :class:`mmaction_ext.tables.spec.TableSpec`.

    Returns:
        Row id to :class:`RowConfig`.

    Raises:
        InputError: a config cannot be read; the message names specification, line and file.
    """
    configs = {}
    for row in spec.configured:
        try:
            resolved = load_config(row.config)
        except ValueError as error:
            reason = ' '.join(str(error).split())
            raise InputError(f'{spec.path}:{row.line}: {reason}') from error
        is_ensemble = 'ensemble' in resolved
        schedule = None if is_ensemble else training_length(resolved)
        configs[row.id] = RowConfig(row.config_name, config_hash(resolved), schedule, is_ensemble)
    return configs


def training_length(config) -> tuple | None:
    """``('epoch', n)`` or ``('iter', n)`` of a resolved config; ``None`` if it does not say."""
    train_cfg = config.get('train_cfg') or {}
    for unit in ('epoch', 'iter'):
        length = train_cfg.get(f'max_{unit}s')
        if isinstance(length, int):
            return unit, length
    return None


@dataclass(frozen=True)
class _Measurement:
    """A row of metrics and where it was logged."""

    record: RunRecord
    row: dict
    fragment: Fragment

    @property
    def source(self) -> str:
        text = f'run {self.record.uid}, {self.record.job_type}'
        if len(self.record.fragments) > 1:
            text += f', attempt {self.record.fragments.index(self.fragment) + 1}'
        return text


class SeedEvidence:
    """All runs of one row under one seed, and what they say about a metric.

    Args:
        records: :class:`mmaction_ext.tracking.records.RunRecord` of any config and seed.
        config: the row's :class:`RowConfig`.
        seed: the seed.
        select: which checkpoint counts, see :class:`mmaction_ext.tables.spec.Select`.
    """

    def __init__(self, records, config, seed, select):
        # the members of an ensemble were chosen when they were tested
        self.config, self.seed = config, seed
        self.select = Select() if config.is_ensemble else select
        self.fresh, self.stale, self.lost = [], [], []
        for record in records:
            if (record.config, record.seed) == (config.name, seed):
                self._group_of(record).append(record)

    def _group_of(self, record) -> list:
        if record.config_hash is None:  # the log lost its beginning
            return self.lost
        as_in_tree = record.config_hash == self.config.digest and not record.overrides
        return self.fresh if as_in_tree else self.stale

    def result(self, metric: str) -> SeedResult:
        """The seed's value of a metric, unscaled, or the reason why there is none."""
        if self.select.policy == 'best' and not self._selected_iters():
            return self._why_none(self.select.metric)
        found = self._evaluations(metric) if metric.startswith('test/') else self._rows(metric)
        return self._agree(metric, found) if found else self._why_none(metric)

    def _evaluations(self, metric) -> list:
        """Finished test evaluations of the checkpoint that counts."""
        sound = [record for record in self.fresh if not record.corrupt]
        found = [_Measurement(record, item.values, item.fragment)
                 for record in sound for item in record.evaluations
                 if item.fragment.exit_code == 0 and metric in item.values]
        if self.select.policy == 'best':
            chosen = self._selected_iters()
        else:
            chosen = {max((item.row['iter'] for item in found), default=None)}
        return [item for item in found if item.row['iter'] in chosen]

    def _rows(self, metric) -> list:
        """The last training or validation row up to the checkpoint that counts."""
        found = []
        for record in self._finished():
            limit = self._best_iter(record) if self.select.policy == 'best' else math.inf
            rows = [row for row in record.rows.get(metric.partition('/')[0], ())
                    if metric in row and limit is not None and row['iter'] <= limit]
            found += [_Measurement(record, row, record.fragments[-1]) for row in rows[-1:]]
        return found

    def _finished(self) -> list:
        return [record for record in self.fresh if record.finished]

    def _selected_iters(self) -> set:
        return {self._best_iter(record) for record in self._finished()} - {None}

    def _best_iter(self, record) -> int | None:
        """Iteration of the best validation row of a run, the first one of equals."""
        sign = 1 if self.select.mode == 'max' else -1
        rows = [row for row in record.rows.get('val', ())
                if _is_finite(row.get(self.select.metric))]
        best = max(rows, key=lambda row: sign * row[self.select.metric], default=None)
        return best and best['iter']

    def _agree(self, metric, found) -> SeedResult:
        """One result out of several measurements of the same thing."""
        found = sorted(found, key=lambda item: item.source)
        row = found[-1].row
        runs = tuple(sorted({item.record.uid for item in found}))
        problem = self._problem(metric, found)
        if problem:
            return SeedResult(self.seed, problem[0], None, problem[1], runs)
        samples, checkpoint, data = (row.get(f'test/{key}') for key in (
            'num_samples', 'checkpoint_sha256', 'data_digest'))
        return SeedResult(self.seed, CellStatus.OK, exact(row[metric]), '', runs,
                          samples if isinstance(samples, int) else None,
                          checkpoint if isinstance(checkpoint, str) else None,
                          data if isinstance(data, str) else None)

    def _problem(self, metric, found):
        values = [item.row[metric] for item in found]
        for value in values:
            if not _is_finite(value):
                return CellStatus.FAILED, f'{metric} is {value}'
        if any(not math.isclose(value, values[0], rel_tol=SAME_RESULT) for value in values):
            listed = ', '.join(f'{float(item.row[metric]):.6g} ({item.source})' for item in found)
            return CellStatus.CONFLICT, f'finished results of {metric} differ: {listed}'
        return self._too_early(metric, found)

    def _too_early(self, metric, found):
        """Whether a measurement that should be the last one was made before training ended."""
        if (self.config.schedule is None or self.select.policy != 'last'
                or metric.startswith('train/')):
            return None
        unit, length = self.config.schedule
        reached = [item.row[unit] for item in found if isinstance(item.row.get(unit), int)]
        if reached and min(reached) < length:
            return CellStatus.RUNNING, f'measured after {unit} {min(reached)} of {length}'
        return None

    def _why_none(self, metric) -> SeedResult:
        """Status and reason of a seed without a result."""
        states = [self._state(record, metric) for record in self.fresh + self.lost]
        states += [(CellStatus.STALE, _why_stale(record)) for record in self.stale]
        states.sort(key=lambda state: (SEVERITY.index(state[0]), state[1]))
        status, reason = (states or [(CellStatus.MISSING, 'no run')])[0]
        runs = tuple(sorted({record.uid for record in self.fresh + self.lost + self.stale}))
        return SeedResult(self.seed, status, None, reason, runs)

    def _state(self, record, metric) -> tuple:
        if record.corrupt:
            return CellStatus.UNTRUSTED, 'the log is damaged'
        if record.exit_code is None:
            where = f' at iteration {record.last_iter}' if record.last_iter else ''
            return CellStatus.RUNNING, f'no exit record, still running or killed{where}'
        if record.exit_code:
            return CellStatus.FAILED, f'ended with exit code {record.exit_code}'
        return CellStatus.MISSING, f'finished without {metric} of the selected checkpoint'


def _why_stale(record) -> str:
    if record.overrides:
        return f'run with overridden {", ".join(sorted(map(str, record.overrides)))}'
    return 'run of another version of the config'


def _is_finite(value) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def static_result(records, config, name, complexity) -> SeedResult:
    """A figure of the model itself: parameters, multiply-adds.

    Args:
        records: run records; any undamaged run of the config as it stands will do.
        config: the row's :class:`RowConfig`.
        name: e.g. ``params``.
        complexity: (config name, config hash) to such figures, for rows that never ran.

    Returns:
        A :class:`SeedResult` whose seed means nothing.
    """
    mine = [record for record in records
            if record.config == config.name and record.config_hash == config.digest
            and not record.overrides and not record.corrupt]
    values = {record.static[name] for record in mine if _is_finite(record.static.get(name))}
    runs = tuple(sorted({record.uid for record in mine}))
    if not values:
        value = complexity.get((config.name, config.digest), {}).get(name)
        values = {value} if _is_finite(value) else set()
    if not values:
        return SeedResult(0, CellStatus.MISSING)
    if len(values) > 1:
        listed = ', '.join(map(str, sorted(values)))
        return SeedResult(0, CellStatus.CONFLICT, None, f'runs differ in {name}: {listed}', runs)
    return SeedResult(0, CellStatus.OK, exact(values.pop()), '', runs)


def read_complexity(path) -> dict:
    """Read ``complexity.csv`` (``config,config_hash,params,macs``).

    Returns:
        (config name, config hash) to ``{'params': int, 'macs': int}``; empty if there is no
        such file.

    Raises:
        InputError: the file does not have these columns, or holds no numbers.
    """
    path = Path(path)
    if not path.exists():
        return {}
    with path.open(newline='', encoding='utf-8') as file:
        try:
            return {(row['config'], row['config_hash']):
                    {name: int(row[name]) for name in ('params', 'macs')}
                    for row in csv.DictReader(file)}
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise InputError(f'{path} is no table of config, config_hash, params and macs '
                             f'({type(error).__name__}: {error})') from error
