"""Write one HTML page with every table, its figures and the runs behind it.

The page holds all it needs: it opens from a folder or a USB stick and asks for nothing.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import (
    COMPLEXITY,
    add_complexity_option,
    add_runs_option,
    add_tables_argument,
    load_tables,
    read_counts,
    read_records,
)

if TYPE_CHECKING:
    from mmaction_ext.tables.run_summary import RunSummary

NAME = 'report'
HELP = 'one self-contained page with all tables, figures and runs'
EPILOG = """examples:
  mmaction-ext report                              reports/index.html, from the runs in work_dirs
  mmaction-ext report dcf_table1 -o dcf.html       one table alone
  mmaction-ext report --locked                     without any run, from reports/*.lock.json
  mmaction-ext report --check                      is reports/index.html up to date?

The page has the accuracies of classes where runs log them or keep their predictions.npz. With
--locked it says of the runs what reports/runs.lock.json keeps of them: all but where they lie.

exit codes: 0 written, or up to date; 1 --check found a difference; 2 bad input (one line says
what)
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    source = parser.add_mutually_exclusive_group()
    add_runs_option(parser, source)
    source.add_argument(
        '--locked', action='store_true', help='build from reports/*.lock.json instead of runs'
    )
    add_complexity_option(parser)
    parser.add_argument(
        '-o',
        '--out',
        type=Path,
        default=Path('reports/index.html'),
        metavar='FILE',
        help='page to write (default: reports/index.html)',
    )
    parser.add_argument(
        '--title', help="of the page (default: the project that the tables' files name)"
    )
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit with 1 if the page differs'
    )


def run(args: Namespace) -> int:
    """Write the page, or compare it; returns 1 if it is out of date."""
    from mmaction_ext.files.writing import write_output

    page = build_page(args)
    if args.check:
        return _check(args.out, page)
    write_output(args.out, page)
    print(f'wrote {args.out} ({len(page.encode()) / 1e6:.1f} MB)')
    return 0


def build_page(args: Namespace) -> str:
    """The page that the command line asks for.

    Raises:
        InputError: a table, a folder of runs or the lock file cannot be used.
    """
    from mmaction_ext.report import build_report
    from mmaction_ext.tables import build_tables, read_lock
    from mmaction_ext.tables.lock import FILE_NAME
    from mmaction_ext.tables.run_summary import summaries

    lock = COMPLEXITY.with_name(FILE_NAME) if args.locked else None
    specs, counts = load_tables(args, lock), read_counts(args)
    if lock:
        locked = read_lock(lock)
        tables = build_tables(specs, (), counts, locked)
        return build_report(tables, _locked_runs(), args.title)
    records = read_records(args, specs)
    tables = build_tables(specs, records, counts)
    return build_report(tables, summaries(records, tables), args.title)


def _locked_runs() -> list[RunSummary]:
    """The runs that are kept beside the numbers of the tables."""
    from mmaction_ext.tables.run_summary import FILE_NAME, read_summaries

    path = COMPLEXITY.with_name(FILE_NAME)
    if not path.exists():
        print(
            f'note: there is no {path}, so the page has no learning curves and no classes; it is '
            'written when the tables are built from their runs',
            file=sys.stderr,
        )
        return []
    return read_summaries(path)


def _check(path: Path, page: str) -> int:
    if path.is_file() and path.read_bytes() == page.encode():
        return 0
    print(f'out of date: {path}', file=sys.stderr)
    return 1
