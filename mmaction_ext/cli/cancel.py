"""Stop runs of a suite: those that wait are not begun, those that run write a checkpoint and end.

`mmaction-ext launch` goes on with them later.
"""

from argparse import ArgumentParser, Namespace

from mmaction_ext.cli.common import DEFAULT_RUNS, find_suite, queued
from mmaction_ext.cli.text import clean
from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.suites.store import in_hand

NAME = 'cancel'
HELP = 'stop the runs of a suite, or of some rows of it'
EPILOG = """examples:
  mmaction-ext cancel dcf_table1                 all of it
  mmaction-ext cancel dcf_table1 --rows full     the seeds of one row

A suite has the id of its table, or the name that it was launched with (--name). Runs that another
machine looks after are stopped there, once it sees the folder of the runs change.

exit codes: 0 the runs are told to end; 1 none of them is in hand; 2 bad input
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('suite', metavar='SUITE', help='name of the suite')
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='row ids (default: all)')


def run(args: Namespace) -> int:
    """Have runs end; returns 1 if there are none.

    Raises:
        InputError: there is no such suite, or it has no such row.
    """
    suite = find_suite(args.suite)
    there = sorted({handed.row for handed, _ in suite.known().values()})
    for row in args.rows or ():
        if row not in there:
            raise InputError(
                f'suite {suite.name} has no row {row}; it has {", ".join(there)}'
                f'{did_you_mean(row, there)}'
            )
    wanted = [
        each
        for each in in_hand(DEFAULT_RUNS, queued).values()
        if each.suite.name == suite.name and (not args.rows or each.handed.row in args.rows)
    ]
    if not wanted:
        print(clean(f'suite {suite.name}: no such run waits or runs'))
        return 1
    suite.cancel(each.handed.run for each in wanted)
    handles = {each.handed.handle for each in wanted if each.handed.executor == 'slurm'}
    if handles:
        from mmaction_ext.suites.executors import slurm

        slurm.cancel(handles)
    for each in wanted:
        print(clean(f'{each.handed.name or each.handed.run}: is told to end ({each})'))
    return 0
