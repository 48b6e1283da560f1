"""Parameters and multiply-adds of a row: from its runs and from a table of counts."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus, SeedResult, exact
from mmaction_ext.tables.seed_runs import RowConfig, is_finite, run_ids
from mmaction_ext.tracking.reading.record import RunRecord

#: Hash of a network, or in files of before (config name, config hash), to counts by name:
#: ``params``, ``macs``.
Counts = Mapping[str | tuple[str, str], Mapping[str, Any]]


def complexity_result(
    records: Iterable[RunRecord], config: RowConfig, name: str, complexity: Counts
) -> SeedResult:
    """A count of the model itself: parameters, multiply-adds.

    Args:
        records: run records; what undamaged runs of the config as it stands say counts, or of
            its network, where they recorded it: another learning rate does not change that.
        config: the row's :class:`RowConfig`.
        name: e.g. ``params``.
        complexity: such counts; for rows that never ran, and to compare those that runs logged
            with.

    Returns:
        A :class:`SeedResult` whose seed means nothing; a conflict where two counts differ.
    """
    mine = [
        record
        for record in records
        if (
            record.complexity.get('network') == config.network
            if record.complexity.get('network')
            else config.is_named(record.config, record.config_hash) and not record.overrides
        )
        and not record.corrupt
        and is_finite(record.complexity.get(name))
    ]
    values = {exact(record.complexity[name]) for record in mine}
    runs = run_ids(mine)
    if len(values) > 1:
        return _conflict(f'runs differ in {name}', values, runs)
    result = SeedResult(0, CellStatus.OK, next(iter(values), None), '', runs)
    return compared(result, config, name, complexity)


def compared(result: SeedResult, config: RowConfig, name: str, complexity: Counts) -> SeedResult:
    """What runs say of a count, or a lock, beside what was counted without any run.

    Args:
        result: a sound :class:`SeedResult`; its value is ``None`` where no run says anything.
        config, name, complexity: as for :func:`complexity_result`.
    """
    keys: list[str | tuple[str, str]] = [config.network]
    keys += [(config.name, digest) for digest in config.hashes]
    known: Mapping[str, int] = next((complexity[key] for key in keys if key in complexity), {})
    counted = exact(known[name]) if is_finite(known.get(name)) else None
    if result.value is None:
        status = CellStatus.MISSING if counted is None else CellStatus.OK
        return replace(result, status=status, value=counted)
    if counted is None or counted == result.value:
        return result
    return _conflict(
        f'runs and the table of counts differ in {name}', {result.value, counted}, result.runs
    )


def _conflict(what: str, values: Iterable[Fraction], runs: tuple[str, ...]) -> SeedResult:
    listed = ', '.join(map(str, sorted(values)))
    return SeedResult(0, CellStatus.CONFLICT, None, f'{what}: {listed}', runs)


def read_complexity(path: str | Path) -> Counts:
    """Read ``complexity.csv`` (``config,network,params,macs``).

    One of before has ``config_hash`` in the place of ``network``, and its counts are lost with
    any change of a config.

    Returns:
        Hash of the network, or (config name, config hash), to ``{'params': int, 'macs': int}``;
        empty if there is no such file.

    Raises:
        InputError: the file does not have these columns, or holds no numbers.
    """
    path = Path(path)
    if not path.exists():
        return {}
    with path.open(newline='', encoding='utf-8') as file:
        try:
            return {
                row.get('network') or (row['config'], row['config_hash']): {
                    name: int(row[name]) for name in ('params', 'macs')
                }
                for row in csv.DictReader(file)
            }
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise InputError(
                f'{path} is no table of config, network, params and macs '
                f'({type(error).__name__}: {error})'
            ) from error
