"""``table.lock.json``: the measurements of tables, frozen, so that they build without runs.

One part per table, each with a digest of its own, one line per row, seed and evaluation::

    {"row": "full", "seed": 0, "config": "dcf/table1_components/full", "config_hash": "...",
     "status": "ok", "values": {"test/acc/top1": "0.8125"}, "runs": ["..."], ...}

Values are in the logged unit and exact. Seeds of which there is nothing to say are left out.
"""

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import LOG_BYTES, read_regular
from mmaction_ext.tables import protocol
from mmaction_ext.tables.cells import CellStatus, Measurement, SeedResult
from mmaction_ext.tables.row_results import LockedTable
from mmaction_ext.tracking.identity import canonical_json, json_digest
from mmaction_ext.tracking.ledger.format import NEWER, is_newer

FILE_NAME = 'table.lock.json'
SCHEMA = 1


def read_lock(path: str | Path) -> dict[str, LockedTable]:
    """Read a lock file.

    Returns:
        Table id to :class:`mmaction_ext.tables.row_results.LockedTable`.

    Raises:
        InputError: there is no such file, it is cut short, was edited, or is of another schema,
            be it an older or a newer one.
    """
    try:
        content = json.loads(read_regular(path, LOG_BYTES).decode('utf-8'))
    except OSError as error:
        raise InputError(
            f'{path} cannot be read: {error.strerror}; it is written when the tables '
            'are built from their runs'
        ) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, f'is cut short or no lock file ({error})') from error
    if not isinstance(content, dict):
        raise damaged(path, 'is no lock file')
    refuse_newer(path, content.get('schema'), SCHEMA)
    if content.get('schema') != SCHEMA:
        raise damaged(path, f'is of schema {content.get("schema")}, this program reads {SCHEMA}')
    if not isinstance(content.get('tables'), dict):
        raise damaged(path, 'is no lock file')
    return {name: _read_part(path, name, part) for name, part in content['tables'].items()}


def renewed_lock(path: str | Path, parts: Mapping[str, LockedTable], every: bool = False) -> str:
    """Text of a lock file in which some tables are renewed and all others stay.

    Args:
        path: the file as it is; it need not exist.
        parts: table id to :class:`mmaction_ext.tables.row_results.LockedTable`.
        every: whether these are all tables there are, so that others are dropped.

    Raises:
        InputError: as :func:`read_lock`, but for a file that does not exist.
    """
    kept = read_lock(path) if Path(path).exists() else {}
    return lock_text(parts if every else {**kept, **parts})


def lock_text(parts: Mapping[str, LockedTable]) -> str:
    """A lock file of some tables; those without results are left out.

    Args:
        parts: as for :func:`renewed_lock`.
    """
    texts = [_part_text(name, part) for name, part in sorted(parts.items()) if part.results]
    tables = '{\n' + ',\n'.join(texts) + '\n}' if texts else '{}'
    return f'{{\n"schema": {SCHEMA},\n"tables": {tables}\n}}\n'


def _part_text(name: str, part: LockedTable) -> str:
    content = dict(select=part.select, protocol=part.protocol, results=_lines(part.results))
    results = ',\n'.join(map(json.dumps, content['results']))
    return (
        f'{json.dumps(name)}: {{\n"digest": "{json_digest([name, content])}",\n'
        f'"select": {json.dumps(part.select)},\n"protocol": {json.dumps(part.protocol)},\n'
        f'"results": [\n{results}\n]\n}}'
    )


def _lines(results: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Measurements as mappings; those that differ in metric and value alone share one."""
    pairs = sorted((canonical_json(_facts(item)), item.metric, item) for item in results)
    lines: list[dict[str, Any]] = []
    for text, group in groupby(pairs, key=lambda pair: pair[0]):
        values = {metric: _value_text(item.result.value) for _, metric, item in group}
        lines.append({**json.loads(text), 'values': values})
    lines.sort(
        key=lambda line: (
            line['row'],
            -1 if line['seed'] is None else line['seed'],
            *line['values'],
        )
    )
    return [_in_reading_order(line) for line in lines]


def _in_reading_order(line: Mapping[str, Any]) -> dict[str, Any]:
    first = ('row', 'seed', 'config', 'config_hash', 'status', 'values', 'reason', 'runs')
    return {key: line[key] for key in (*first, *sorted(line.keys() - set(first))) if key in line}


def _facts(item: Measurement) -> dict[str, Any]:
    """All of a measurement but its metric and value; where its run lies is not a fact."""
    result = item.result
    evaluation = {key: value for key, value in result.evaluation.items() if key != 'folder'}
    optional = dict(
        reason=result.reason,
        runs=list(result.runs),
        samples=result.samples,
        checkpoint=result.checkpoint,
        data=result.data,
        imported=result.imported,
        evaluation=evaluation,
    )
    return dict(
        row=item.row,
        seed=item.seed,
        config=item.config,
        config_hash=item.config_hash,
        status=result.status.value,
        **{key: value for key, value in optional.items() if value},
    )


def _value_text(value: Fraction | None) -> str | None:
    """Shortest decimal text of a number that reads back exactly, or a fraction."""
    if value is None:
        return None
    if value.denominator == 1:
        return str(value)
    try:
        text = repr(float(value))
    except OverflowError:
        return str(value)
    return text if Fraction(text) == value else str(value)


def _read_part(path: str | Path, name: str, part: Any) -> LockedTable:
    try:
        content = {key: part[key] for key in ('select', 'protocol', 'results')}
        if part['digest'] != json_digest([name, content]):
            raise damaged(
                path, f'was edited: the digest of table {name} is not that of its results'
            )
        results = tuple(item for line in content['results'] for item in _read_line(line))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        if isinstance(error, InputError):
            raise
        raise damaged(path, f'holds a table {name} that is no part of a lock') from error
    return LockedTable(content['select'], content['protocol'], results)


def _read_line(line: Mapping[str, Any]) -> list[Measurement]:
    evaluation = line.get('evaluation', {})
    return [
        Measurement(
            line['row'],
            line['config'],
            line['config_hash'],
            metric,
            line['seed'],
            SeedResult(
                line['seed'] or 0,
                CellStatus(line['status']),
                None if value is None else Fraction(value),
                line.get('reason', ''),
                tuple(line.get('runs', ())),
                line.get('samples'),
                line.get('checkpoint'),
                line.get('data'),
                protocol.describe(evaluation.get('protocol', {})),
                line.get('imported', False),
                evaluation,
            ),
        )
        for metric, value in line['values'].items()
    ]


def refuse_newer(path: str | Path, schema: Any, known: int) -> None:
    """Make sure that a lock is of no later version than this program knows.

    Raises:
        InputError: it is.
    """
    if is_newer(schema, known):
        raise InputError(f'{path} {NEWER} (schema {schema}, this one reads {known}): update it')


def damaged(path: str | Path, what: str) -> InputError:
    """The error of a lock that is not as it was written, with what can be done."""
    return InputError(
        f'{path} {what}; take it from version control, or delete it and build every '
        'table from its runs'
    )
