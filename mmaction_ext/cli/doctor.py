"""Look for what is wrong with the runs on disk, and say what to do about each of it.

Looks for runs that died or were ended by a signal, damaged or contradictory logs, ledgers of which
a part is missing, copies of one run, results whose checkpoint is gone or another by now or whose
predictions give another accuracy, runs of configs, code or lists of data that have changed since,
and files that cannot be read or that a dying process left behind.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import DEFAULT_RUNS, add_configs_option, add_json_option
from mmaction_ext.cli.text import clean, colour, fold, print_json

if TYPE_CHECKING:
    from mmaction_ext.tracking.doctor.finding import Finding

NAME = 'doctor'
HELP = 'what is wrong with the runs on disk'
EPILOG = """examples:
  mmaction-ext doctor                       everything below work_dirs
  mmaction-ext doctor work_dirs/dcf --quick without reading checkpoints again
  mmaction-ext doctor --fix                 also remove leftover files of dead runs

severities:
  error    numbers cannot be trusted: damage, contradictions, a file that differs
  warning  something is to be done: a dead run, a file that is gone, a config that has changed
  note     for your information, such as code that has changed since; shown with --notes

Which runs failed is said by mmaction-ext status. --fix deletes nothing but temporary files of
ledgers whose process is dead, and the room that a run kept for its last entry (run.json.spare)
where the run was set aside or has finished since; all else is yours to decide.

exit codes: 0 no error and no warning; 1 problems found; 2 bad input
"""
_COLOURS = dict(error='red', warning='yellow', note='faint')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        'runs',
        nargs='*',
        type=Path,
        metavar='RUNS',
        default=[DEFAULT_RUNS],
        help=f'folders of runs (default: {DEFAULT_RUNS})',
    )
    add_configs_option(parser, 'the configs that runs are compared with')
    parser.add_argument(
        '--quick', action='store_true', help='do not read checkpoints and predictions again'
    )
    parser.add_argument('--notes', action='store_true', help='also show what is no problem')
    parser.add_argument('--fix', action='store_true', help='remove leftover files of dead runs')
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print what is found; returns 1 if there is an error or a warning."""
    from mmaction_ext.errors import InputError
    from mmaction_ext.tracking.doctor import examine, remove_leftovers

    for root in args.runs:
        if not root.is_dir():
            raise InputError(f'runs folder {root} does not exist')
    if not args.configs.is_dir():
        raise InputError(f'configs folder {args.configs} does not exist')
    removed = remove_leftovers(args.runs) if args.fix else []
    findings = examine(args.runs, args.configs, not args.quick)
    if args.json:
        print_json(
            dict(
                findings=[asdict(finding) for finding in findings],
                removed=[path.as_posix() for path in removed],
            )
        )
    else:
        print(
            '\n'.join(
                [*(f'removed {clean(path)}' for path in removed), *describe(findings, args.notes)]
            )
        )
    return int(any(finding.severity != 'note' for finding in findings))


def describe(findings: Iterable[Finding], notes: bool = False) -> list[str]:
    """The findings, and a line that counts them."""
    lines = []
    for finding in findings:
        if notes or finding.severity != 'note':
            lines += _finding_lines(finding)
    counts = Counter(finding.severity for finding in findings)
    hidden = '' if notes or not counts['note'] else ' (--notes shows them)'
    return [
        *lines,
        f'{counts["error"]} errors, {counts["warning"]} warnings, {counts["note"]} notes{hidden}',
    ]


def _finding_lines(finding: Finding) -> list[str]:
    text = (
        f'{finding.severity}: {clean(finding.place)}: {clean(finding.text)} '
        f'[{finding.check}]; {clean(finding.advice)}'
    )
    first, *more = fold(text, rest='    ')
    word = finding.severity
    return [colour(word, _COLOURS[word]) + first.removeprefix(word), *more]
