"""Numbers without a run behind them, from CSV files."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import open_regular
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, Row, RunRecord
from mmaction_ext.tracking.reading.rows import project, split_by_phase

#: columns that say which run a row is of, and those that say more of its numbers
IDENTITY_COLUMNS = ('config', 'seed')
#: columns that an error names
MOST_NAMED = 12
_ACCURACY = re.compile(r'[^/]+/acc/.+')
N = TypeVar('N', int, float)
FACT_COLUMNS = ('config_hash', 'iter', 'epoch', 'num_samples', 'checkpoint_sha256')


def read_csv_runs(path: Path | str, keys: Collection[str] | None = None) -> list[RunRecord]:
    """Runs that a table of numbers stands for, one for each row.

    Args:
        path: CSV file in UTF-8 with a head: ``config`` (path below ``configs/`` without
            ``.py``), ``seed``, then metrics by their full names (``test/acc/top1``), and any of
            ``config_hash``, ``iter``, ``epoch``, ``num_samples`` and ``checkpoint_sha256``. An
            empty cell tells nothing. Accuracies (``*/acc/*``) are fractions.
        keys: names of the metrics to give, ``None`` for all.

    Returns:
        :class:`RunRecord` list in the order of the rows; each is ``imported`` and has no id.

    Raises:
        InputError: the file cannot be read or is no such table; the message names the line.
    """
    path = Path(path)
    try:
        with io.TextIOWrapper(open_regular(path), encoding='utf-8-sig', newline='') as file:
            reader = csv.DictReader(file, strict=True)
            _check_head(path, reader.fieldnames or ())
            return [_record(path, reader.line_num, row, keys) for row in reader]
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no CSV table in UTF-8: {error}') from error


def _check_head(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in IDENTITY_COLUMNS if name not in names]
    if missing:
        raise InputError(
            f'{path} has no column {" and no column ".join(missing)}; {_needed(names)}; runs of '
            f'other programs, with other columns, become a table by mmaction-ext init FOLDER '
            f'--from-wandb {path}'
        )
    if len(set(names)) < len(names):
        raise InputError(f'{path} has two columns of the same name')
    unknown = [
        name for name in names if name not in IDENTITY_COLUMNS + FACT_COLUMNS and '/' not in name
    ]
    if unknown:
        raise InputError(
            f'{path} has a column {unknown[0]!r}, which is neither a metric by its '
            'full name, such as test/acc/top1, nor one of '
            f'{", ".join(IDENTITY_COLUMNS + FACT_COLUMNS)}; {_needed(names)}'
        )


def _needed(names: Sequence[str]) -> str:
    """Which columns were found, and which are needed."""
    shown = [*names[:MOST_NAMED], '...'] if len(names) > MOST_NAMED else names
    return (
        f'its columns are {", ".join(shown) or "none"}; needed are config (a path below configs/ '
        'without .py), seed, and metrics such as test/acc/top1'
    )


def _record(path: Path, line: int, row: Row, keys: Collection[str] | None) -> RunRecord:
    where = f'{path}:{line}'
    if None in row or None in row.values():
        raise InputError(f'{where}: the row has not as many cells as the head')
    cells = {name: text.strip() for name, text in row.items() if text.strip()}
    if 'config' not in cells:
        raise InputError(f'{where}: there is no config')
    values = {name: _number(where, name, text) for name, text in cells.items() if '/' in name}
    place: Row = {
        name: _whole(where, name, cells[name]) for name in ('iter', 'epoch') if name in cells
    }
    attempt = Attempt('csv', f'{path.name}:{line}', exit_code=0, last_iter=place.get('iter'))
    test = {name: value for name, value in values.items() if name.startswith('test/')}
    phases = split_by_phase([{'iter': 0, **values, **place}]) if len(test) < len(values) else {}
    rows = {phase: project(rows, keys) for phase, rows in phases.items() if phase != 'test'}
    return RunRecord(
        '',
        'test',
        cells['config'],
        _whole(where, 'seed', cells.get('seed', '')),
        cells.get('config_hash'),
        attempts=(attempt,),
        rows={phase: found for phase, found in rows.items() if found},
        evaluations=tuple(
            Evaluation(found, attempt)
            for found in project([{**place, **test, **_facts(where, cells)}], keys)
            if test
        ),
        logged=frozenset(values),
        state='finished',
        imported=True,
    )


def _facts(where: str, cells: dict[str, str]) -> Row:
    """Columns that a test row holds under names of its own."""
    facts: Row = {}
    if 'num_samples' in cells:
        facts['test/num_samples'] = _whole(where, 'num_samples', cells['num_samples'])
    if 'checkpoint_sha256' in cells:
        facts['test/checkpoint_sha256'] = cells['checkpoint_sha256']
    return facts


def _number(where: str, name: str, text: str) -> float:
    try:
        value = _literal(float, text)
    except ValueError:
        raise InputError(f'{where}: {name} is no number: {text!r}') from None
    if _ACCURACY.fullmatch(name) and (value < 0 or value > 1):
        raise InputError(
            f'{where}: {name} is {text}, but accuracies are fractions between 0 and '
            f'1: write 75 % as 0.75'
        )
    return value


def _whole(where: str, name: str, text: str) -> int:
    try:
        return _literal(int, text)
    except ValueError:
        raise InputError(f'{where}: {name} is no whole number: {text!r}') from None


def _literal(kind: type[N], text: str) -> N:
    """A number as other programs write them; Python also reads ``1_000``."""
    if '_' in text:
        raise ValueError(text)
    return kind(text)
