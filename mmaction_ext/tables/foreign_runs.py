"""Rows of runs that other programs logged: which run is which row and seed, and which is left out.

The specification says how (:class:`mmaction_ext.tables.spec.Runs`). A run that is of a row becomes
a record like those of our own, under the name that the row has in records, so that everything
that is made of runs is made of these, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.printable import some
from mmaction_ext.tables.row_results import LockedTable
from mmaction_ext.tables.run_summary import validation_metric
from mmaction_ext.tables.seed_runs import FOREIGN_STATES, is_finite
from mmaction_ext.tables.spec import Row, Runs, TableSpec
from mmaction_ext.tables.spec.model import plain
from mmaction_ext.tracking.ledger.format import TRAIN_LOSS
from mmaction_ext.tracking.reading.foreign import foreign_runs, look_up, numbered_rows
from mmaction_ext.tracking.reading.record import Attempt, RunRecord, is_web_address
from mmaction_ext.tracking.reading.rows import Row as Values
from mmaction_ext.tracking.reading.rows import flat
from mmaction_ext.tracking.reading.snapshots import SourceRun

#: what W&B says of a run beside its config
ATTRIBUTES = ('name', 'group', 'job_type', 'tags')
#: runs that are named where some are left out
MOST_NAMED = 5
#: metrics that are named where none of a source has the one that is asked for
MOST_METRICS = 12


def with_foreign_runs(spec: TableSpec) -> tuple[TableSpec, list[str]]:
    """A specification with the runs of its rows, and the rows and seeds that it leaves to them.

    Args:
        spec: as it was read; one without ``runs`` stays as it is.

    Returns:
        The specification, and lines that say which runs count for nothing, and why.

    Raises:
        InputError: the source cannot be read, or no run of it is of a row.
    """
    source = spec.runs
    if source is None:
        return spec, []
    try:
        runs = foreign_runs(source.source, source.folder)
    except InputError as error:
        raise InputError(f'{spec.path}: runs.source: {error}') from error
    left: defaultdict[str, list[SourceRun]] = defaultdict(list)
    taken: list[tuple[SourceRun, int]] = []
    for run in runs:
        try:
            _refuse_others(source, run)
            taken.append((run, seed_of(source, run)))
        except LeftOut as reason:
            left[str(reason)].append(run)
    if not spec.layout:
        spec = replace(spec, layout=_rows_of(spec, [run for run, _ in taken], left))
    foreign = [row for row in spec.rows if row.foreign]
    found: list[tuple[Row, int, SourceRun]] = []
    for run, seed in taken:
        rows = [row for row in foreign if _is_of(source, row, run)]
        if not rows:
            left['is of no row'].append(run)
        found += [(row, seed, run) for row in rows]
    if spec.asks_seeds:
        spec = replace(spec, seeds=tuple(sorted({seed for _, seed, _ in found})) or (0,))
    for _, seed, run in found:
        if seed not in spec.seeds:
            left[f'has seed {seed}, which is none of the table'].append(run)
    found = [each for each in found if each[1] in spec.seeds]
    for run in {id(run): run for *_, run in found}.values():
        if run.problem:
            left[run.problem].append(run)
        elif run.state not in source.state:
            left[f'is {run.state or "in an unknown state"}'].append(run)
    records = tuple(_record(spec, *each) for each in found)
    lines = [f'{spec.id}: {_named(runs)} counts for nothing: {why}' for why, runs in left.items()]
    lines += _lacking(spec, records, runs)
    if not runs:
        lines.append(f'{spec.id}: {source.source} holds no run')
    found_runs: dict[str, Any] = dict(foreign=records)
    return replace(spec, **found_runs), lines


def with_locked_rows(spec: TableSpec, locked: Mapping[str, LockedTable]) -> TableSpec:
    """A specification with the rows and seeds that it leaves to its runs, by its part of a lock.

    Raises:
        InputError: the lock has none of them.
    """
    if spec.runs is None or (spec.layout and not spec.asks_seeds):
        return spec
    results = locked.get(spec.id, LockedTable()).results
    if not spec.layout:
        names = {item.config.partition(':')[2]: None for item in results if item.row}
        if not names:
            raise InputError(f'{spec.path}: the lock holds no row of {spec.id}')
        spec = replace(spec, layout=tuple(_row(spec, name) for name in sorted(names, key=_order)))
    seeds = sorted({item.seed for item in results if item.seed is not None})
    return replace(spec, seeds=tuple(seeds) or (0,)) if spec.asks_seeds else spec


class LeftOut(Exception):
    """Why a run is none of a table's."""


def value_of(run: SourceRun, key: str) -> Any:
    """What a run says of itself under a key of a specification; ``None`` if nothing."""
    if key in ATTRIBUTES:
        return getattr(run, key) or None
    found = look_up(run.config, key)
    return look_up(run.config, key.removeprefix('config.')) if found is None else found


def text_of(value: Any) -> str:
    """A value as it names a row: tags are joined."""
    if isinstance(value, (list, tuple)):
        return ', '.join(sorted(map(text_of, value)))
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def is_same(wanted: Any, found: Any) -> bool:
    """Whether a value is the one, or one of those, that a specification asks for.

    Numbers are compared as such, also where a CSV file or a config has them as texts; of tags and
    other lists, one of the values is enough.
    """
    if isinstance(wanted, list):
        return any(is_same(each, found) for each in wanted)
    if isinstance(found, (list, tuple)):
        return any(is_same(wanted, each) for each in found)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return text_of(wanted).lower() == text_of(found).lower()
    try:
        return float(wanted) == float(found)
    except (TypeError, ValueError):
        return (found is None) == (wanted is None) and text_of(wanted) == text_of(found)


def _refuse_others(runs: Runs, run: SourceRun) -> None:
    for tag in runs.tags:
        if tag not in run.tags:
            raise LeftOut(f'has no tag {tag!r}')
    for key, wanted in runs.config.items():
        found = value_of(run, key)
        if not is_same(wanted, found):
            raise LeftOut(f'{key} is {found!r}, not {wanted!r}')


def seed_of(runs: Runs, run: SourceRun) -> int:
    """The seed of a run, which a CSV file may have as ``3.0``."""
    if isinstance(runs.seed, int):
        return runs.seed
    found = _group(runs, run, 'seed') if runs.seed is None else value_of(run, runs.seed)
    where = runs.seed or f'the seed in name {run.name!r}'
    try:
        seed: Any = float(found) if isinstance(found, str) else found
        if isinstance(seed, bool) or seed != int(seed) or seed < 0:
            raise ValueError
        return int(seed)
    except (TypeError, ValueError, OverflowError):
        raise LeftOut(f'{where} is {found!r}, no whole number') from None


def _group(runs: Runs, run: SourceRun, name: str) -> str | None:
    import re

    found = re.search(runs.name or '', run.name)
    return found[name] if found else None


def row_value(runs: Runs, run: SourceRun) -> str:
    """What says which row a run is of; '' where it does not say."""
    found = _group(runs, run, 'row') if runs.row is None else value_of(run, runs.row)
    return '' if found is None else text_of(found)


def _is_of(runs: Runs, row: Row, run: SourceRun) -> bool:
    if row.wandb is None:
        value = row_value(runs, run)
        return bool(value) and (row.foreign.partition(':')[2] == value or row.id == plain(value))
    return all(is_same(wanted, value_of(run, key)) for key, wanted in row.wandb.items())


def _rows_of(
    spec: TableSpec, runs: Iterable[SourceRun], left: Mapping[str, list[SourceRun]]
) -> tuple[Row, ...]:
    """One row for each value of the key that says which row a run is of."""
    assert spec.runs
    values = sorted({row_value(spec.runs, run) for run in runs} - {''}, key=_order)
    if not values:
        found = '; '.join(f'{_named(each)} {why}' for why, each in left.items()) or 'there is none'
        key = spec.runs.row or f'the name ({spec.runs.name})'
        raise InputError(
            f'{spec.path}: no run of {spec.runs.source} tells a row by {key}: {found}'
        )
    rows = tuple(_row(spec, value) for value in values)
    for one, other in pairwise(rows):
        if one.id == other.id:
            raise InputError(
                f'{spec.path}: rows {one.label!r} and {other.label!r} would have one id, '
                f'{one.id}: give rows: with wandb: each'
            )
    return rows


def _row(spec: TableSpec, value: str) -> Row:
    name = plain(value) or 'row'
    facts: dict[str, Any] = dict(config=None, line=1, foreign=f'{spec.id}:{value}')
    return Row(name, value, **facts)


def _order(text: str) -> tuple[int, float, str, str]:
    """Numbers by their value, then texts."""
    try:
        return 0, float(text), '', text
    except ValueError:
        return 1, 0.0, plain(text), text


def _record(spec: TableSpec, row: Row, seed: int, run: SourceRun) -> RunRecord:
    assert spec.runs
    wanted = spec.metrics | {TRAIN_LOSS} | set(map(validation_metric, spec.metrics))
    rows: dict[str, list[Values]] = {}
    numbered = [] if run.problem else numbered_rows(run)
    for values in numbered:
        place: Values = {name: values[name] for name in ('iter', 'epoch') if name in values}
        for name in values.keys() & wanted:
            rows.setdefault(phase_of(name), []).append({**place, name: values[name]})
    attempt = Attempt(
        run.source,
        run.path,
        host=run.host,
        commit=run.commit,
        start_time=None if run.source == 'csv' else run.start_time,
        exit_code=run.exit_code,
        last_iter=numbered[-1]['iter'] if numbered else None,
        corrupt=bool(run.problem),
    )
    return RunRecord(
        '/'.join((*run.place, run.run_id)) if run.run_id and not run.problem else run.run_id,
        'train',
        row.config_name,
        seed,
        spec.runs.digest(row),
        complexity={
            column.source: number
            for column in spec.columns
            if column.kind == 'complexity' and (number := _count(run, column.source)) is not None
        },
        name=run.name,
        group=run.group,
        attempts=(attempt,),
        rows={phase: _joined(found) for phase, found in sorted(rows.items())},
        state=FOREIGN_STATES.get(run.state, run.state or 'unknown'),
        damage=(run.problem,) if run.problem else (),
        imported=True,
        url=run.url if is_web_address(run.url) else '',
        summary=run.summary,
    )


def phase_of(metric: str) -> str:
    """Under which phase a record has a metric."""
    return metric.partition('/')[0]


def _joined(rows: Sequence[Values]) -> list[Values]:
    """Rows of one number as one."""
    joined: dict[int, Values] = {}
    for row in rows:
        joined.setdefault(row['iter'], {}).update(row)
    return list(joined.values())


def _count(run: SourceRun, source: str) -> Any:
    """A number that a run's config or summary has; a text that spells one counts, too."""
    kind, _, name = source.partition('.')
    if kind not in ('config', 'summary'):
        return None
    found = look_up(getattr(run, kind), name)
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return None
    return found if is_finite(found) else None


def _named(runs: Sequence[SourceRun]) -> str:
    names = [run.run_id or run.path for run in runs]
    more = [f'{len(names) - MOST_NAMED} more'] if len(names) > MOST_NAMED else []
    return f'run{"s" * (len(names) > 1)} {", ".join([*names[:MOST_NAMED], *more])}'


def _lacking(
    spec: TableSpec, records: Iterable[RunRecord], runs: Iterable[SourceRun]
) -> list[str]:
    """Lines about metrics that no run has, with those that there are."""
    records = list(records)
    lacking = [
        metric
        for metric in sorted(spec.metrics)
        if not any(
            metric in row for record in records for row in record.rows.get(phase_of(metric), ())
        )
        and all(look_up(record.summary, metric) is None for record in records)
    ]
    if not lacking or not records:
        return []
    names: set[str] = set()
    for run in runs:
        names |= {
            name
            for values in (*([] if run.problem else run.read_rows()), run.summary)
            for name, value in flat(values).items()
            if is_finite(value) and not name.startswith('_')
        }
    listed = sorted(names)
    return [
        f'{spec.id}: no run logged {metric}; logged are {some(listed, MOST_METRICS)}'
        for metric in lacking
    ]
