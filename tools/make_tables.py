"""Write paper-style tables from the W&B logs of their runs; no server, no account, no sync."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, load_spec, read_complexity
from mmaction_ext.tables.aggregate import PROTOCOL_KEYS
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.render.markdown import embed
from mmaction_ext.tracking.records import find_runs

EPILOG = """examples:
  python tools/make_tables.py                     every table of configs/, all formats
  python tools/make_tables.py configs/synthmotion/dcf/table1_components/table.yaml --print
  python tools/make_tables.py --check             are the files in reports/ up to date?

exit codes: 0 written, or up to date; 1 --check found a difference, or --strict a cell that is
not complete; 2 a specification, config or runs folder cannot be used (one line says why)
"""


def parse_args(argv=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tables', nargs='*', type=Path, metavar='TABLE_YAML',
                        help='table specifications (default: every table.yaml below --configs)')
    parser.add_argument('--configs', type=Path, default=Path('configs'),
                        help='folder searched for table.yaml (default: configs)')
    parser.add_argument('--runs', type=Path, help='folder of the runs (default: work_dirs)')
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
                        help='exit with 1 if any cell is missing, partial, stale, ...')
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
        runs = Path('work_dirs')
        if not runs.is_dir():
            print('note: there is no folder work_dirs, so no run', file=sys.stderr)
            return []
    return find_runs(runs, PROTOCOL_KEYS.union(*(spec.metrics for spec in specs)))


def write_atomically(path, text):
    """Replace a file in one step: whoever reads it sees the old or the new one, whole."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'w', encoding='utf-8', newline='') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_all(files):
    """Write every file, or say which one cannot be."""
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError as error:
            raise InputError(f'{path} cannot be written: {error.strerror}') from error


def differing(files):
    """Files that are not there, or hold something else."""
    return [path for path, text in files.items()
            if not path.is_file() or path.read_bytes() != text.encode('utf-8')]


def run(args) -> int:
    """Build all tables first, so that an error in one leaves the files of all untouched."""
    specs = find_specs(args)
    records = read_records(args.runs, specs)
    complexity = read_complexity(args.out / 'complexity.csv')
    tables = [build_table(spec, records, complexity=complexity) for spec in specs]
    files = {args.out / f'{table.id}.{name}': RENDERERS[name](table)
             for table in tables for name in args.formats}
    files.update({path: embed(path.read_text(encoding='utf-8'), tables) for path in args.embed})
    outdated = differing(files)
    if not args.check:
        write_all({path: files[path] for path in outdated})
    if args.show:
        print('\n'.join(RENDERERS['md'](table) for table in tables))
    return report(args, tables, outdated)


def report(args, tables, outdated) -> int:
    """Say what was found or written; returns the exit code."""
    failed = False
    for path in outdated if args.check else ():
        print(f'out of date: {path}', file=sys.stderr)
        failed = True
    for table in tables if args.strict else ():
        if not table.is_complete:
            print(f'not complete: {table.id}', file=sys.stderr)
            failed = True
    if not args.check:
        for table in tables:
            endings = ','.join(args.formats)
            print(f'wrote {args.out / table.id}.{{{endings}}}', file=sys.stderr)
    return int(failed)


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
