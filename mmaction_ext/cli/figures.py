"""Draw the figures that tables declare, from the lock of their runs."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import (
    COMPLEXITY,
    add_complexity_option,
    add_tables_argument,
    load_tables,
    read_counts,
)
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

if TYPE_CHECKING:
    from mmaction_ext.tables import TableSpec

NAME = 'figures'
HELP = 'draw the figures of tables'
EPILOG = """examples:
  mmaction-ext figures                             reports/figures/<table>.svg of every table
  mmaction-ext figures synthmotion_cross           that of one table
  mmaction-ext figures --check                     do the files show what they should?

A table has a figure where its file says so (figure:). Nothing is drawn of a cell that is not
complete or has fewer than three seeds, and no file is written where nothing is drawn. Numbers are
those of reports/table.lock.json, time and memory of training steps those of
reports/benchmarks/models.csv.

exit codes: 0 drawn, or up to date; 1 --check found a difference; 2 bad input (one line says what)
"""
STEPS = Path('reports/benchmarks/models.csv')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    add_complexity_option(parser)
    parser.add_argument(
        '--steps',
        type=Path,
        default=STEPS,
        metavar='FILE.csv',
        help=f'table of tools/benchmarks/models.py (default: {STEPS})',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('reports/figures'),
        metavar='FOLDER',
        help='folder of the figures (default: reports/figures)',
    )
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit with 1 if a figure differs'
    )


def run(args: Namespace) -> int:
    """Draw or compare every figure; returns 1 if one is out of date."""
    from mmaction_ext.files.writing import write_output
    from mmaction_ext.report.drawings import draw, shows_the_same
    from mmaction_ext.tables import build_tables, read_lock
    from mmaction_ext.tables.lock import FILE_NAME

    lock = COMPLEXITY.with_name(FILE_NAME)
    specs = [spec for spec in load_tables(args, lock) if spec.figure]
    steps = step_costs(args.steps)
    outdated = 0
    for spec, table in zip(
        specs, build_tables(specs, (), read_counts(args), read_lock(lock)), strict=True
    ):
        assert spec.figure
        path = args.out / f'{spec.id}.svg'
        svg = draw(spec.figure, table, row_costs(spec, steps))
        there = path.read_text(encoding='utf-8') if path.is_file() else ''
        if args.check and not shows_the_same(svg, there):
            print(clean(f'out of date: {path}'), file=sys.stderr)
            outdated = 1
        elif not args.check and svg:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_output(path, svg)
            print(clean(f'wrote {path}'))
        elif not args.check:
            print(clean(f'nothing to draw yet: {spec.id}'))
    return outdated


def step_costs(path: Path) -> dict[str, dict[str, float]]:
    """``step`` and ``memory`` to name of a config to the cost over that without its module.

    Times were taken in turns, so that the ratio means something on any machine; memory is what a
    training step keeps for its backward pass.

    Args:
        path: written by ``tools/benchmarks/models.py``; none where it is not there.

    Raises:
        InputError: it is no such table.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline='', encoding='utf-8') as file:
            rows = {row['config'].removesuffix('.py'): row for row in csv.DictReader(file)}
        return {
            cost: {
                config: float(row[f'module_{unit}']) / float(row[f'base_{unit}'])
                for config, row in rows.items()
            }
            for cost, unit in (('step', 'ms'), ('memory', 'kept_mb'))
        }
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f'{path} is no table of tools/benchmarks/models.py') from error


def row_costs(
    spec: TableSpec, steps: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """:func:`step_costs` of a table's rows, by their ids.

    Args:
        spec: the table, whose reference row is the network without a module.
        steps: by names of configs.
    """
    reference = {spec.reference.id: 1.0} if spec.reference else {}
    return {
        cost: {
            row.id: found[name] for row in spec.rows if (name := row.config_name or '') in found
        }
        | reference
        for cost, found in steps.items()
    }
