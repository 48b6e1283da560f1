"""Write paper-style tables from the records of their runs; no server, no account, no sync."""

import argparse
import sys
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables import (build_tables, load_spec, locked_table, read_complexity,
                                 read_lock)
from mmaction_ext.tables.aggregate import PROTOCOL_KEYS
from mmaction_ext.tables.files import write_atomically
from mmaction_ext.tables.lock import FILE_NAME, renewed_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.render.markdown import embed
from mmaction_ext.tracking.records import read_runs

EPILOG = """examples:
  python tools/make_tables.py                     every table of configs/, all formats
  python tools/make_tables.py configs/synthmotion/dcf/table1_components/table.yaml --print
  python tools/make_tables.py --check             are the files in reports/ up to date?
  python tools/make_tables.py --locked --check    the same without any run, as on a CI machine
  python tools/make_tables.py --runs work_dirs results.csv

reports/table.lock.json keeps every measured result that the tables are made of, so that --locked
can build them where no runs are; a result whose config or code was edited since is then stale.

exit codes: 0 written, or up to date; 1 --check found a difference, or --strict a cell that is
not complete; 2 a specification, config, lock or runs folder cannot be used (one line says why)
"""


def parse_args(argv=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tables', nargs='*', type=Path, metavar='TABLE_YAML',
                        help='table specifications (default: every table.yaml below --configs)')
    parser.add_argument('--configs', type=Path, default=Path('configs'),
                        help='folder searched for table.yaml (default: configs)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--runs', type=Path, nargs='+', metavar='FOLDER_OR_CSV',
                        help='folders of runs and CSV files of results (default: work_dirs)')
    source.add_argument('--locked', action='store_true',
                        help=f'build from {FILE_NAME} in --out instead of runs')
    parser.add_argument('--out', type=Path, default=Path('reports'),
                        help='folder for the tables (default: reports); its complexity.csv, if '
                        'there is one, gives parameters and MACs of rows that never ran')
    parser.add_argument('--formats', nargs='+', choices=sorted(RENDERERS),
                        default=list(RENDERERS), help='default: all')
    parser.add_argument('--embed', type=Path, nargs='+', default=[], metavar='MARKDOWN',
                        help='also renew the tables in these files, between the lines '
                        '"<!-- table: ID -->" and "<!-- /table -->"')
    parser.add_argument('--print', action='store_true', dest='show',
                        help='also print the Markdown')
    parser.add_argument('--strict', action='store_true',
                        help='list the cells that are missing, partial, stale, ...; exit with 1 '
                        'if there is any')
    parser.add_argument('--check', action='store_true',
                        help='write nothing; exit with 1 if a written file differs')
    return parser.parse_args(argv)


def find_specs(args):
    """The specifications asked for, no two with the same id."""
    paths = args.tables or sorted(args.configs.rglob('table.yaml'))
    if not paths:
        raise InputError(f'there is no table.yaml below {args.configs}')
    specs = {}
    for path in paths:
        spec = load_spec(path)
        if spec.id in specs:
            raise InputError(f'{path} has the id {spec.id} of {specs[spec.id].path}; '
                             'they would overwrite each other')
        specs[spec.id] = spec
    return list(specs.values())


def read_records(runs, specs):
    """Runs with the metrics that the tables need; none where nothing has run yet."""
    if runs is None:
        runs = [Path('work_dirs')]
        if not runs[0].is_dir():
            print('note: there is no folder work_dirs, so no run', file=sys.stderr)
            return []
    return read_runs(runs, PROTOCOL_KEYS.union(*(spec.metrics for spec in specs)))


def make_tables(args, specs):
    """Tables from their runs or, with --locked, from the lock file."""
    complexity = read_complexity(args.out / 'complexity.csv')
    if args.locked:
        return build_tables(specs, (), complexity, read_lock(args.out / FILE_NAME))
    return build_tables(specs, read_records(args.runs, specs), complexity)


def render_files(args, specs, tables):
    """Path to text of every file that the tables are written to."""
    files = {args.out / f'{table.id}.{name}': RENDERERS[name](table)
             for table in tables for name in args.formats}
    files.update({path: embed(path.read_text(encoding='utf-8'), tables) for path in args.embed})
    if not args.locked:
        path = args.out / FILE_NAME
        files[path] = renewed_lock(path, {spec.id: locked_table(table, spec)
                                          for spec, table in zip(specs, tables)})
    return files


def differing(files):
    """Files that are not there, or hold something else."""
    return [path for path, text in files.items()
            if not path.is_file() or path.read_bytes() != text.encode('utf-8')]


def run(args) -> int:
    """Build all tables first, so that an error in one leaves the files of all untouched."""
    specs = find_specs(args)
    tables = make_tables(args, specs)
    files = render_files(args, specs, tables)
    outdated = differing(files)
    for path in () if args.check else outdated:
        write_atomically(path, files[path])
    if args.show:
        print('\n'.join(RENDERERS['md'](table) for table in tables))
    return report(args, tables, outdated)


def report(args, tables, outdated) -> int:
    """Say what was found or written; returns the exit code."""
    problems = [f'out of date: {path}' for path in outdated] if args.check else []
    if args.strict:
        problems += [problem for table in tables for problem in incomplete(table)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not args.check:
        for table in tables:
            endings = ','.join(args.formats)
            print(f'wrote {args.out / table.id}.{{{endings}}}', file=sys.stderr)
    return int(bool(problems))


def incomplete(table):
    """A line for each cell that is not as it should be, and for each warning."""
    name = f'not complete: {table.id}'
    lines = [f'{name}: {warning}' for warning in table.warnings]
    for row, column, cell in table.incomplete:
        reason = f' ({cell.note})' if cell.note else ''
        lines.append(f'{name}, row {row.id}, column {column.key}: {cell.status.value}{reason}')
    return lines


def main(argv=None) -> int:
    """Run the tool."""
    try:
        return run(parse_args(argv))
    except InputError as error:
        return error.exit()
    except OSError as error:
        return InputError(f'{error.filename}: {error.strerror}').exit()


if __name__ == '__main__':
    sys.exit(main())
