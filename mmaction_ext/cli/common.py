"""What the commands share: which tables, which runs, which counts of complexity."""

import argparse
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.printable import clean
from mmaction_ext.suites.store import Suite, all_suites
from mmaction_ext.tables import TableSpec
from mmaction_ext.tables.complexity import Counts
from mmaction_ext.tracking.reading.record import SOURCE_CHOICES, RunRecord

DEFAULT_CONFIGS, DEFAULT_RUNS = Path('configs'), Path('work_dirs')
COMPLEXITY, LOCK = Path('reports/complexity.csv'), Path('reports/table.lock.json')
#: those that come with the package; in a checkout its own
PACKAGED_CONFIGS = (Path(__file__).parents[1] / '.mim' / 'configs').resolve()
#: suffixes of tables as they are printed, which no specification has
PRINTED = ('.md', '.tex', '.html', '.csv')
#: an explanation, as plain data
Facts = dict[str, Any]
#: runs of no table that are named
MOST_NAMED = 3


def add_tables_argument(parser: ArgumentParser, metavar: str = 'TABLE') -> None:
    """Positional table specifications and ``--configs``; see :func:`load_tables`."""
    parser.add_argument(
        'tables',
        nargs='*',
        metavar=metavar,
        help='table.yaml, a folder searched for such files, or the id of a table '
        '(default: every table below --configs)',
    )
    add_configs_option(parser)


def add_configs_option(parser: ArgumentParser, role: str = 'folder searched for tables') -> None:
    """``--configs``: where tables are looked for by their id, or what else ``role`` says."""
    parser.add_argument(
        '--configs',
        type=Path,
        default=DEFAULT_CONFIGS,
        metavar='FOLDER',
        help=f'{role} (default: {DEFAULT_CONFIGS})',
    )


def add_runs_option(
    parser: ArgumentParser, instead: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    """``--runs`` and ``--source``: which runs, and which record of each; see :func:`read_records`.

    Args:
        parser: the command's.
        instead: group of options that exclude each other, to which ``--runs`` is to belong.
    """
    (instead or parser).add_argument(
        '--runs',
        type=Path,
        nargs='+',
        metavar='PATH',
        help='folders of runs, and CSV files of results with the columns config (a path below '
        'configs/ without .py), seed, metrics by their full names (test/acc/top1; accuracies are '
        'fractions), and any of config_hash, iter, epoch, num_samples, checkpoint_sha256 '
        '(default: work_dirs)',
    )
    add_source_option(parser)


def add_source_option(parser: ArgumentParser) -> None:
    """``--source``: from which of their records runs are read."""
    parser.add_argument(
        '--source',
        choices=SOURCE_CHOICES,
        default='auto',
        help='what runs are read from: auto is the ledger of a run where it has one, else its '
        'offline W&B log, else the copy of its online run (default: auto)',
    )


def add_complexity_option(parser: ArgumentParser) -> None:
    """``--complexity``: the counts of rows that never ran; see :func:`read_counts`."""
    parser.add_argument(
        '--complexity',
        type=Path,
        metavar='CSV',
        help=f'parameters and multiply-adds (default: {COMPLEXITY}), as '
        '`mmaction-ext complexity --csv` writes them',
    )


def add_lock_options(parser: ArgumentParser, text: str) -> None:
    """``--locked``, of which the help is ``text``, and ``--lock``: no runs, but what they gave."""
    parser.add_argument('--locked', action='store_true', help=text)
    parser.add_argument(
        '--lock', type=Path, default=LOCK, metavar='FILE', help=f'the lock file (default: {LOCK})'
    )


def add_json_option(parser: ArgumentParser) -> None:
    """``--json``: print for programs instead of people."""
    parser.add_argument('--json', action='store_true', help='print JSON')


def load_tables(args: Namespace, lock: Path | None = None) -> list[TableSpec]:
    """The specifications that ``args.tables`` and ``args.configs`` name.

    Args:
        args: see :func:`add_tables_argument`.
        lock: see :func:`with_runs`.

    Returns:
        :class:`mmaction_ext.tables.TableSpec` list, no two with the same id.

    Raises:
        InputError: there is none, one cannot be used, or two have the same id.
    """
    from mmaction_ext.tables import load_spec

    paths = [path for name in args.tables for path in _specifications(name, args.configs)]
    if not args.tables:
        paths = _below(args.configs)
    specs: dict[str, TableSpec] = {}
    for path in dict.fromkeys(paths):
        spec = load_spec(path)
        if spec.id in specs:
            raise InputError(f'{path} has the id {spec.id} of {specs[spec.id].path}')
        specs[spec.id] = spec
    return with_runs(specs.values(), lock)


def with_runs(specs: Iterable[TableSpec], lock: Path | None = None) -> list[TableSpec]:
    """Specifications with the runs of other programs that they name, and what those decide.

    Which runs count for nothing, and why, is said on standard error.

    Args:
        specs: as they were read.
        lock: the lock file to go by, instead of the runs.

    Raises:
        InputError: a source or the lock cannot be read, or has no row of a table.
    """
    from mmaction_ext.tables import read_lock
    from mmaction_ext.tables.foreign_runs import with_foreign_runs, with_locked_rows

    specs = list(specs)
    if lock is not None:
        locked = read_lock(lock) if any(spec.runs for spec in specs) else {}
        return [with_locked_rows(spec, locked) for spec in specs]
    found = [with_foreign_runs(spec) for spec in specs]
    for line in (line for _, lines in found for line in lines):
        print(clean(f'note: {line}'), file=sys.stderr)
    return [spec for spec, _ in found]


def find_table(name: str, configs: Path, lock: Path | None = None) -> TableSpec:
    """The one specification of that path or id; ``lock`` as for :func:`with_runs`.

    Raises:
        InputError: there is none, several, or it cannot be used.
    """
    from mmaction_ext.tables import load_spec

    paths = _specifications(name, configs)
    if len(paths) > 1:
        raise InputError(f'{name} holds {len(paths)} tables; name one of them')
    return with_runs([load_spec(paths[0])], lock)[0]


def _specifications(name: str, configs: Path) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return _below(path)
    if path.suffix in PRINTED and path.is_file():
        raise InputError(f'{name} is a printed table; name its id, or its table.yaml')
    if path.suffix in ('.yaml', '.yml') or path.is_file():
        return [path]
    return [_by_id(name, configs)]


def _below(folder: Path) -> list[Path]:
    paths = sorted(folder.rglob('table.yaml'))
    if not paths:
        raise InputError(f'there is no table.yaml below {folder}')
    return paths


def _by_id(name: str, configs: Path) -> Path:
    """The specification of that id below ``configs``."""
    paths = sorted(configs.rglob('table.yaml'))
    found = [path for path in paths if _has_id(path, name)]
    if len(found) != 1:
        problem = 'are several tables' if found else 'is no file, folder or table'
        hint = '' if found else did_you_mean(name, filter(None, map(_stated_id, paths)))
        raise InputError(f'there {problem} {name} (ids are looked for below {configs}){hint}')
    return found[0]


def _stated_id(path: Path) -> str:
    """What a specification that may be broken has as its id; empty without one."""
    try:
        text = path.read_text('utf-8', 'replace')
    except OSError:
        return ''
    found = re.search(r'^id:\s*["\']?([\w.-]+)', text, re.MULTILINE)
    return found[1] if found else ''


def _has_id(path: Path, name: str) -> bool:
    """Whether a specification has that id; it is parsed only where it has something like it.

    One that is broken is no reason to refuse another; its own error shows when it is read.
    """
    from mmaction_ext.files.reading import read_regular
    from mmaction_ext.tables.document import MOST_BYTES, Document

    try:
        text = read_regular(path, MOST_BYTES).decode('utf-8', 'replace')
    except OSError:
        return False
    entry = rf'id["\']?\s*:\s*["\']?{re.escape(name)}(?![\w.-])'
    if not re.search(rf'\b{entry}', text):
        return False
    try:
        content = Document(path).value
    except InputError:
        return re.search(rf'^["\']?{entry}', text, re.MULTILINE) is not None
    return isinstance(content, dict) and content.get('id') == name


def read_records(
    args: Namespace,
    specs: Iterable[TableSpec],
    metrics: Collection[str] | None = None,
    compare: bool = False,
) -> list[RunRecord]:
    """Runs in ``args.runs``, and those of other programs that tables name.

    Args:
        args: see :func:`add_runs_option`.
        specs: the tables, see :func:`with_runs`.
        metrics: names of the metrics to read; all if left out.
        compare: whether to look where the sources of a run disagree, too.

    Returns:
        :class:`mmaction_ext.tracking.reading.record.RunRecord` list.

    Raises:
        InputError: a folder or file does not exist or cannot be read.
    """
    from mmaction_ext.tracking.reading.find import read_runs

    specs = list(specs)
    foreign = [record for spec in specs for record in spec.foreign]
    paths = args.runs
    if paths is None:
        if not DEFAULT_RUNS.is_dir():
            if any(spec.configured for spec in specs):
                print(f'note: there is no folder {DEFAULT_RUNS}, so no run', file=sys.stderr)
            return foreign
        paths = [DEFAULT_RUNS]
    return foreign + read_runs(paths, metrics, source=args.source, compare=compare)


def find_suite(name: str) -> Suite:
    """A suite that was launched here.

    Raises:
        InputError: there is none of that name.
    """
    suites = {suite.name: suite for suite in all_suites(DEFAULT_RUNS)}
    if name not in suites:
        raise InputError(
            f'no suite {name} was launched in {DEFAULT_RUNS}; '
            f'there are {", ".join(suites) or "none"}{did_you_mean(name, suites)}'
        )
    return suites[name]


def queued(handles: Collection[str]) -> Collection[str]:
    """Which of some jobs a cluster still has; it is asked only where there are any.

    Raises:
        InputError: it does not answer.
    """
    from mmaction_ext.suites.executors import slurm

    return slurm.queued(handles)


def needed_metrics(specs: Iterable[TableSpec]) -> set[str]:
    """Metrics without which the tables cannot be built."""
    from mmaction_ext.tables.seed_runs import TEST_FACTS

    return set(TEST_FACTS).union(*(spec.metrics for spec in specs))


def note_unlisted_runs(
    records: Iterable[RunRecord], specs: Iterable[TableSpec], configs: Path
) -> None:
    """Say on standard error which runs are of no row of any table and no config of the tree.

    A run whose config is there, but stands in no table, may be what an ensemble is made of.

    Args:
        records: :class:`RunRecord` list; lines of CSV files, which
            have no id, are passed over.
        specs: every :class:`mmaction_ext.tables.TableSpec` there is.
        configs: folder of the configs.
    """
    wanted = set().union(*(spec.wanted_runs for spec in specs))
    unlisted = [
        record
        for record in records
        if record.uid
        and (record.config, record.seed) not in wanted
        and not _is_below(configs, record)
    ]
    names = list(
        dict.fromkeys(
            f'{record.config or record.folder or record.uid} seed {record.seed}'
            for record in unlisted
        )
    )
    if names:
        named = ', '.join(names[:MOST_NAMED]) + (', ...' if len(names) > MOST_NAMED else '')
        verb = 'run belongs' if len(unlisted) == 1 else 'runs belong'
        print(
            clean(
                f'note: {len(unlisted)} {verb} to no row of any table and no config below '
                f'{configs}: {named}'
            ),
            file=sys.stderr,
        )


def _is_below(configs: Path, record: RunRecord) -> bool:
    from mmaction_ext.tracking.identity import config_below

    try:
        return bool(record.config and config_below(configs, record.config))
    except ValueError:
        return False


def read_counts(args: Namespace) -> Counts:
    """Parameters and multiply-adds by config and hash, from ``args.complexity``.

    Raises:
        InputError: a file that was named does not exist, or it is no such table.
    """
    from mmaction_ext.tables import read_complexity

    if args.complexity and not args.complexity.is_file():
        raise InputError(f'{args.complexity} does not exist')
    return read_complexity(args.complexity or COMPLEXITY)
