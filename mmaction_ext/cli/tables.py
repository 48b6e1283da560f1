"""Write paper-style tables from the records of their runs; no server, no account, no sync."""

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmaction_ext.cli.common import (
    DEFAULT_CONFIGS,
    add_complexity_option,
    add_runs_option,
    add_tables_argument,
    load_tables,
    note_unlisted_runs,
    read_counts,
    read_records,
)
from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import locked_folder
from mmaction_ext.files.writing import write_outputs
from mmaction_ext.printable import clean
from mmaction_ext.tables import (
    Table,
    TableSpec,
    build_tables,
    locked_table,
    lost_results,
    read_lock,
)
from mmaction_ext.tables.lock import FILE_NAME, renewed_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.render.markdown import embed
from mmaction_ext.tables.spec.model import OTHER_FILES
from mmaction_ext.tables.verify import differing_files, unused_imports
from mmaction_ext.tracking.reading.record import RunRecord

NAME = 'tables'
HELP = 'write paper-style tables from the runs'
EPILOG = """examples:
  mmaction-ext tables                     every table of configs/, as Markdown
  mmaction-ext tables --locked --formats tex html csv json    the others, without any run
  mmaction-ext tables configs/synthmotion/dcf/table1_components/table.yaml --print
  mmaction-ext tables --check             are the files in reports/ up to date?
  mmaction-ext tables --locked --check    the same without any run, as on a CI machine
  mmaction-ext tables --runs work_dirs results.csv

Tables stand where their specification does: that of configs/dcf/table1_components in
reports/dcf/table1_components.md.

reports/table.lock.json keeps every measured result that the tables are made of, so that --locked
can build them where no runs are; a result whose config was edited since is then stale, and so is
one of edited code where the table lists that code. Other changes of operators, modules or host are
named below the table. reports/runs.lock.json keeps what the page of `mmaction-ext report --locked`
shows of the runs themselves: curves of at most 100 points, tests, accuracies of classes.
When all tables are built from runs, those that belong to no row of any and no config are named on
standard error.

A result that is in the lock may go where its table has no such row, seed or column any more, where
another number takes its place, or where its config or code was edited, or the table asks for
another protocol, and the run that logged it was read: then the table says that it is stale. Where
the result still holds, but no run gives a number (it is gone, elsewhere, damaged, in conflict,
killed, began anew, ...), nothing is written without --locked or --forget.

Config, code and protocol of every result are always compared with the tree. Checkpoints and
predictions are not, as that means to hash each of them, nor is the ledger of a run with what W&B
keeps of it: --strict does it, where they are there.

exit codes: 0 written, or up to date; 1 --check found a difference or a file that is left of a
table that is no more, or --strict what is not complete or not sound; 2 a specification, config,
lock or runs folder cannot be used, or results would be lost (one line says why); 130 interrupted
"""
INTERRUPTED = 'interrupted'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    source = parser.add_mutually_exclusive_group()
    add_runs_option(parser, source)
    source.add_argument(
        '--locked', action='store_true', help=f'build from {FILE_NAME} in --out instead of runs'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('reports'),
        help='folder for the tables and their lock (default: reports)',
    )
    add_complexity_option(parser)
    parser.add_argument(
        '--forget',
        action='store_true',
        help=f'drop results from {FILE_NAME} of which no run gives a number',
    )
    parser.add_argument(
        '--formats',
        nargs='+',
        choices=sorted(RENDERERS),
        default=['md'],
        help='default: md',
    )
    parser.add_argument(
        '--embed',
        type=Path,
        nargs='+',
        default=[],
        metavar='MARKDOWN',
        help='also renew the tables in these files, between the lines '
        '"<!-- table: ID -->" and "<!-- /table -->", and the cells between '
        '"<!-- cell: ID ROW COLUMN -->" and "<!-- /cell -->"',
    )
    parser.add_argument(
        '--print', action='store_true', dest='show', help='also print the Markdown'
    )
    parser.add_argument(
        '--strict',
        action='store_true',
        help='list the cells that are missing, partial, stale, ..., the checkpoints and '
        'predictions that are not those of a result, and where the ledger and the W&B logs of a '
        'run disagree; exit with 1 if there is any',
    )
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit with 1 if a written file differs'
    )


def make_tables(
    args: Namespace, specs: Sequence[TableSpec]
) -> tuple[list[Table], list[RunRecord]]:
    """Tables from their runs or, with --locked, from the lock file; the records of the runs."""
    if args.locked:
        return build_tables(specs, (), read_counts(args), read_lock(args.out / FILE_NAME)), []
    records = read_records(args, specs, compare=args.strict)
    if is_everything(args):
        note_unlisted_runs(records, specs, args.configs)
    return build_tables(specs, records, read_counts(args)), records


def refuse_to_lose(
    args: Namespace,
    specs: Sequence[TableSpec],
    tables: Sequence[Table],
    records: Sequence[RunRecord],
) -> None:
    """An error where results of the lock would go that still hold, as in a fresh clone."""
    path = args.out / FILE_NAME
    kept = read_lock(path) if path.exists() else {}
    lost = [
        (spec.id, result)
        for spec, table in zip(specs, tables, strict=True)
        if spec.id in kept
        for result in lost_results(kept[spec.id], table, spec, records)
    ]
    if lost:
        names = list(dict.fromkeys(name for name, _ in lost))
        more = [f'{len(names) - 3} more tables'] if len(names) > 3 else []
        others = f', and {len(lost) - 1} more' if len(lost) > 1 else ''
        raise InputError(
            f'{len(lost)} result{"s" * (len(lost) > 1)} of {", ".join(names[:3] + more)} in '
            f'{path} would be lost: {lost[0][1]}{others}; use --locked to keep them, or '
            '--forget to drop them'
        )


def is_everything(args: Namespace) -> bool:
    """Whether the tables that are built are all there are."""
    return not args.tables and args.configs == DEFAULT_CONFIGS


def render_files(
    args: Namespace,
    specs: Sequence[TableSpec],
    tables: Sequence[Table],
    records: Sequence[RunRecord],
) -> dict[Path, str]:
    """Path to text of every file that the tables are written to."""
    files = {
        table_file(args, spec, name): RENDERERS[name](table)
        for spec, table in zip(specs, tables, strict=True)
        for name in args.formats
    }
    files.update(
        {
            path: embed(path.read_text(encoding='utf-8'), tables, path, is_everything(args))
            for path in args.embed
        }
    )
    if not args.locked:
        files.update(summaries_of(args, specs, tables, records))
        path = args.out / FILE_NAME
        parts = {
            spec.id: locked_table(table, spec) for spec, table in zip(specs, tables, strict=True)
        }
        files[path] = renewed_lock(path, parts, is_everything(args))
    return files


def summaries_of(
    args: Namespace,
    specs: Sequence[TableSpec],
    tables: Sequence[Table],
    records: Sequence[RunRecord],
) -> dict[Path, str]:
    """The file of runs and its text, in which those of other tables stay."""
    from mmaction_ext.tables.run_summary import (
        FILE_NAME,
        read_summaries,
        renewed_summaries,
        summaries,
        summaries_text,
    )

    path = args.out / FILE_NAME
    known = read_summaries(path) if path.exists() else []
    configs = {row.config_name or '' for spec in specs for row in spec.with_runs}
    made = summaries(records, tables, known)
    renewed = renewed_summaries(known, made, None if is_everything(args) else configs)
    return {path: summaries_text(renewed)}


def table_file(args: Namespace, spec: TableSpec, ending: str) -> Path:
    """Where a table is written to: where its specification lies below ``configs``, below --out."""
    path = Path(spec.path)
    if args.configs in path.parents:
        place = path.relative_to(args.configs)
    elif DEFAULT_CONFIGS.name in path.parts:
        place = Path(*path.parts[len(path.parts) - path.parts[::-1].index(DEFAULT_CONFIGS.name) :])
    else:
        return args.out / f'{spec.id}.{ending}'
    place = place.parent if place.name == 'table.yaml' else place.with_suffix('')
    file = place.parent / f'{place.name or spec.id}.{ending}'
    if file.as_posix().lower() in OTHER_FILES:
        raise InputError(f'{spec.path} would be written to {file}, which is no table')
    return args.out / file


def leftovers(args: Namespace, specs: Iterable[TableSpec]) -> list[Path]:
    """Files of tables that no specification has any more: other Markdown that begins as theirs.

    What lies beside a lock of its own is another's.
    """
    kept = {table_file(args, spec, 'md') for spec in specs}
    others = {lock.parent for lock in args.out.glob(f'*/**/{FILE_NAME}')}
    gone = [
        path
        for path in sorted(args.out.rglob('*.md'))
        if path not in kept and others.isdisjoint(path.parents) and _is_table(path)
    ]
    files = [path.with_suffix(f'.{ending}') for path in gone for ending in RENDERERS]
    return [path for path in files if path.is_file()]


def _is_table(path: Path) -> bool:
    """Whether a file of Markdown holds a table of ours."""
    lines = path.read_text(encoding='utf-8', errors='replace').split('\n', 3)
    return (
        lines[0].startswith('**')
        and lines[0].endswith('**')
        and ''.join(lines[2:3]).startswith('|')
    )


def differing(files: Mapping[Path, str]) -> list[Path]:
    """Files that are not there, or hold something else."""
    return [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_bytes() != text.encode('utf-8')
    ]


def renew(
    args: Namespace,
    specs: Sequence[TableSpec],
    tables: Sequence[Table],
    records: Sequence[RunRecord],
) -> list[Path]:
    """Write the files that are out of date, or with --check none of them; their paths.

    What others wrote while the tables were built stays: lock and Markdown are read here.
    """
    if not (args.locked or args.check or args.forget):
        refuse_to_lose(args, specs, tables, records)
    files = render_files(args, specs, tables, records)
    outdated = differing(files)
    if not args.check:
        write_outputs({path: files[path] for path in outdated})  # the lock is the last of them
    return outdated


def run(args: Namespace) -> int:
    """Build all tables first, so that an error in one leaves the files of all untouched."""
    specs = load_tables(args, args.out / FILE_NAME if args.locked else None)
    tables, records = make_tables(args, specs)
    unused = [f'not used: {line}' for line in unused_imports(records, specs)]
    with contextlib.nullcontext() if args.check else locked_folder(args.out):
        outdated = renew(args, specs, tables, records)
    if args.show:
        print('\n'.join(RENDERERS['md'](table) for table in tables))
    problems = []
    if args.check:
        problems += [f'out of date: {path}' for path in outdated]
        problems += [
            f'no table stands there: {path}'
            for path in (leftovers(args, specs) if is_everything(args) else ())
        ]
    if args.strict:
        problems += [problem for table in tables for problem in incomplete(table)]
        problems += differing_files(tables, records)
        problems += disagreements(records)
    return report(args, specs, problems, unused)


def report(
    args: Namespace, specs: Iterable[TableSpec], problems: list[str], unused: list[str]
) -> int:
    """Say what was found or written; returns the exit code."""
    for line in unused + problems:
        print(clean(line), file=sys.stderr)
    if not args.check:
        endings = ','.join(args.formats)
        endings = f'{{{endings}}}' if len(args.formats) > 1 else endings
        for spec in specs:
            print(f'wrote {table_file(args, spec, endings)}', file=sys.stderr)
    return int(bool(problems or (args.strict and unused)))


def incomplete(table: Table) -> list[str]:
    """A line for each cell that is not as it should be, and for each warning."""
    name = f'not complete: {table.id}'
    lines = [f'{name}: {warning}' for warning in table.warnings]
    for row, column, cell in table.incomplete:
        reason = f' ({cell.note})' if cell.note else ''
        lines.append(f'{name}, row {row.id}, column {column.key}: {cell.status.value}{reason}')
    return lines


def disagreements(records: Iterable[RunRecord]) -> list[str]:
    """A line for each thing that the ledger of a run and what W&B keeps of it tell differently."""
    return [
        f'sources disagree: {record.folder or record.uid}: {text}'
        for record in records
        for text in record.disagreements
    ]
