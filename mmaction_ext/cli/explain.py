"""Say where a printed number comes from, down to runs, checkpoints, files and commits.

A difference is explained by both of its sides, a mean of rows by its parts, a published figure by
its citation, and a cell without a number by what is wrong. Without COLUMN, the rows and columns
that there are; with ROW, what it shows in each.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import (
    Facts,
    add_complexity_option,
    add_configs_option,
    add_json_option,
    add_lock_options,
    add_runs_option,
    find_table,
    needed_metrics,
    read_counts,
    read_records,
)
from mmaction_ext.cli.text import clean, columns, fold, print_json

if TYPE_CHECKING:
    from mmaction_ext.cli.provenance import Explainer
    from mmaction_ext.tables import TableSpec

NAME = 'explain'
HELP = 'where a printed number comes from'
EPILOG = """examples:
  mmaction-ext explain dcf_table1                        its rows and columns
  mmaction-ext explain dcf_table1 full                   what row full shows in each column
  mmaction-ext explain dcf_table1 full top1              the cell in row full, column top1
  mmaction-ext explain dcf_table1 full top1 --all        the same with all that is known
  mmaction-ext explain dcf_table1 full top1 --seed 1     only the run of seed 1
  mmaction-ext explain configs/dcf/table1_components/table.yaml full delta
  mmaction-ext explain dcf_table1 full top1 --locked     from reports/table.lock.json, no runs

ROW and COLUMN are the id and key that table.yaml gives them. What all seeds or folds of a cell
have in common is said once, and whatever differs with each of them. --all repeats everything with
each, with ids of runs and digests of all files.

Files that a result names are hashed again: verified, differs, gone (not on this machine),
unreadable, or unknown (the log names no file). Lists of data are, too: same, differs, gone,
unreadable, or unknown. Source files that are not as they were are named where they are the
network's, your own, or such as the table tracks; of others the number is told. --all names five
at most, whatever they are of, and --json all.

exit codes: 0 explained, and the cell has its number, or rows and columns listed; 1 explained, but
the cell has no number, is not complete, or a file behind it differs; 2 bad input
"""
ROW_HEADS = ('row', 'label')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('table', metavar='TABLE', help='id of a table, or its table.yaml')
    parser.add_argument('row', metavar='ROW', nargs='?', help='id of a row')
    parser.add_argument('column', metavar='COLUMN', nargs='?', help='key of a column')
    parser.add_argument('--all', action='store_true', help='all that is known of each seed')
    parser.add_argument('--seed', type=int, metavar='K', help='only the run of this seed')
    add_lock_options(parser, 'build the table from its lock file instead of the runs')
    add_configs_option(parser)
    add_runs_option(parser)
    add_complexity_option(parser)
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print the explanation; returns 1 where the cell is not as it should be."""
    from mmaction_ext.cli.brief import describe_briefly
    from mmaction_ext.cli.explanation import describe

    spec = find_table(args.table, args.configs, args.lock if args.locked else None)
    if args.column is None:
        listing = _listing(spec, args)
        if args.json:
            print_json(listing)
        else:
            print('\n'.join(_listing_lines(listing, args.row)))
        return 0
    explainer = _explainer(spec, args)
    facts = explainer.cell(args.row, args.column)
    if args.json:
        print_json(facts)
    else:
        lines = describe(facts) if args.all else describe_briefly(facts, explainer.network)
        print('\n'.join(lines))
    return int(not _is_sound(facts))


def _explainer(spec: TableSpec, args: Namespace) -> Explainer:
    """Of the table that the command line asks for, built from runs or from the lock."""
    from mmaction_ext.cli.provenance import Explainer
    from mmaction_ext.errors import check_choice
    from mmaction_ext.tables import LockedTable, build_table, read_lock
    from mmaction_ext.tables.run_summary import FILE_NAME, read_summaries

    if args.seed is not None:
        check_choice('--seed', args.seed, spec.seeds)
    locked, records, kept = None, [], []
    if args.locked:
        locked = read_lock(args.lock).get(spec.id, LockedTable())
        if (runs := args.lock.with_name(FILE_NAME)).exists():
            kept = read_summaries(runs)
    else:
        records = read_records(args, [spec], needed_metrics([spec]))
    table = build_table(spec, records, complexity=read_counts(args), locked=locked)
    return Explainer(spec, table, records, kept, args.seed)


def _is_sound(facts: Facts) -> bool:
    files = [
        seed['measured'].get(key, {}).get('file')
        for seed in facts.get('seeds', ())
        if 'measured' in seed
        for key in ('checkpoint', 'predictions')
        if seed['measured'].get(key)
    ]
    parts = all(map(_is_sound, facts.get('parts', ())))
    return facts['complete'] and 'differs' not in files and parts


def _listing(spec: TableSpec, args: Namespace) -> Facts:
    """The rows and columns of a table, and what the row shows in each where one is named."""
    facts: Facts = dict(
        table=spec.id,
        caption=spec.caption,
        rows=[
            dict(id=row.id, label=row.label, folds=[fold.id for fold in spec.folds_of(row)])
            for row in spec.rows
        ],
        columns=[dict(key=column.key, head=column.head) for column in spec.columns],
    )
    if args.row is not None:
        table = _explainer(spec, args).table
        for column in facts['columns']:
            column['text'] = table.cell(args.row, column['key']).text
    return facts


def _listing_lines(facts: Facts, row: str | None) -> list[str]:
    """Rows and columns of a table as text."""
    lines = fold(clean(f'{facts["table"]}: {facts["caption"]}'))
    lines += ['', *columns([(each['id'], each['label']) for each in facts['rows']], ROW_HEADS)]
    folds = next((each['folds'] for each in facts['rows'] if each['folds']), ())
    if folds:
        text = f'Rows of single folds, such as {", ".join(folds)}, are explained, too.'
        lines += ['', *fold(clean(text))]
    cells = [(each['key'], each['head'], each.get('text', '')) for each in facts['columns']]
    return [*lines, '', *columns(cells, ('column', 'head', f'in row {clean(row)}'))]
