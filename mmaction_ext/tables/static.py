"""Parameters and multiply-adds of a row: from its runs, else from a table of counts."""

import csv
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus, SeedResult, exact
from mmaction_ext.tables.results import is_finite, run_ids


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
    values = {record.static[name] for record in mine if is_finite(record.static.get(name))}
    runs = run_ids(mine)
    if not values:
        value = complexity.get((config.name, config.digest), {}).get(name)
        values = {value} if is_finite(value) else set()
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
