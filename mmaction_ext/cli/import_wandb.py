"""Copy runs that W&B knows into snapshots, from which tables are built like from runs on disk.

SOURCE is ENTITY/PROJECT on the W&B server (WANDB_BASE_URL is honoured), or a folder of offline
.wandb logs that another project wrote. Only runs that changed since the last time are read again.
This project's own runs say which row and seed they are; for any other run say it with --config or
--match, and its numbers are marked in tables as imported. SOURCE may also be a table.yaml whose
runs: are of a project on the server: then these are copied beside it, as they are.
"""

import hashlib
import os
import re
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from mmaction_ext.cli.common import DEFAULT_RUNS, add_configs_option
from mmaction_ext.cli.text import clean, columns
from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import (
    RunIdentity,
    config_below,
    config_hash,
    config_name,
    load_config,
)
from mmaction_ext.tracking.reading import foreign
from mmaction_ext.tracking.reading.snapshots import (
    Copied,
    Copier,
    SourceRun,
    read_snapshot,
    snapshot_path,
)
from mmaction_ext.tracking.reading.wandb_snapshot import SNAPSHOT_FOLDER

NAME = 'import-wandb'
HELP = 'copy runs of a W&B project, or foreign offline logs, to where tables find them'
EPILOG = """examples:
  mmaction-ext import-wandb my-lab/mmaction_ext            all runs of a project of one's own
  mmaction-ext import-wandb results/table.yaml             the runs that this table asks for
  mmaction-ext import-wandb my-lab/old --dry-run \\
      --match '(?P<config>dcf/table1_components/\\w+)-s(?P<seed>\\d+)' --metric acc=test/acc/top1
  mmaction-ext import-wandb ../other/wandb --config configs/dcf/table1_components/full.py \\
      --seed-key args.seed --metric trainer/global_step=iter --metric acc=test/acc/top1

Interrupted, it goes on where it was when started again. An API key is needed for a server only
(`wandb login` or WANDB_API_KEY).

exit codes: 0 every run was copied or had not changed; 1 runs were skipped, or there are none;
2 bad input, or the server is out of reach or fails
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        'source',
        metavar='SOURCE',
        help='ENTITY/PROJECT, a folder of logs (a folder of that name wins), or a table.yaml',
    )
    parser.add_argument(
        '--to',
        type=Path,
        default=DEFAULT_RUNS,
        metavar='FOLDER',
        help=f'folder of the runs; snapshots go to its {SNAPSHOT_FOLDER} '
        '(default: '
        f'{DEFAULT_RUNS})',
    )
    parser.add_argument(
        '--config', type=Path, metavar='FILE.py', help='config of every foreign run'
    )
    parser.add_argument(
        '--seed-key',
        metavar='KEY',
        help='where the W&B config of a foreign run has its seed; dots lead into nested settings',
    )
    parser.add_argument(
        '--match',
        metavar='REGEX',
        help='pattern found in the name of a foreign run; its groups config (path '
        'below --configs without .py) and seed say what the run is',
    )
    add_configs_option(parser, 'folder of the configs that --match names')
    parser.add_argument(
        '--metric',
        action='append',
        default=[],
        metavar='THEIRS=OURS',
        help='name of a foreign metric, iter or epoch, and what it is called '
        'here; may be given several times',
    )
    parser.add_argument('--dry-run', action='store_true', help='write nothing')


def run(args: Namespace) -> int:
    """Copy the runs and say what became of them; returns the exit code."""
    if Path(args.source).suffix in ('.yaml', '.yml'):
        args.source, args.to = project_of_table(Path(args.source))
        copier = Copier(args.to, dry_run=args.dry_run, as_is=True)
    else:
        copier = Copier(args.to, Identifier(args), parse_renames(args.metric), args.dry_run)
    if Path(args.source).is_dir():
        copies: Iterator[Copied] = map(copier, local_runs(args.source, args.to))
    else:
        copies = _online_copies(args.source, copier)
    found = list(_with_progress(copies))
    for line in describe(found):
        print(line)
    if copier.as_is:
        for path in gone(args.to / SNAPSHOT_FOLDER / args.source, found):
            print(clean(f'note: {path} is of a run that {args.source} has no more: delete it'))
    print(_summary(found, args))
    return int(not found or any(copied.outcome == 'skipped' for copied in found))


def project_of_table(path: Path) -> tuple[str, Path]:
    """The W&B project whose runs a table asks for, and the folder where their copies go.

    Raises:
        InputError: the table cannot be used, or asks for no such runs.
    """
    from mmaction_ext.tables import load_spec

    spec = load_spec(path)
    if spec.runs is None or not foreign.is_project(spec.runs.source):
        found = f'those of {spec.runs.source}' if spec.runs else 'no runs:'
        raise InputError(f'{path} names {found}, which is no project on a W&B server')
    return spec.runs.source, spec.runs.folder


def gone(place: Path, found: Iterable[Copied]) -> list[Path]:
    """Copies of runs that a project no longer has, which a table would go on to count."""
    return sorted(set(place.glob('*.json')) - {copied.path for copied in found if copied.path})


def _online_copies(source: str, copier: Copier) -> Iterator[Copied]:
    from mmaction_ext.tracking.reading.wandb_online import copy_project, parse_project

    if source.count('/') != 1 or source.startswith(('.', '/')):
        raise InputError(f'{source} is neither a folder nor ENTITY/PROJECT')
    entity, project = parse_project(source)
    return copy_project(entity, project, copier)


def _with_progress(copies: Iterable[Copied]) -> Iterable[Copied]:
    from tqdm import tqdm

    return tqdm(copies, unit=' runs', disable=None, leave=False)  # nothing but on a terminal


class Identifier:
    """Says which config and seed a foreign run is, by the options of the command line.

    Args:
        args: with ``config``, ``seed_key``, ``match`` and ``configs``.

    Raises:
        InputError: the pattern or the config cannot be used, or config or seed are said twice or
            by half.
    """

    def __init__(self, args: Namespace) -> None:
        self.pattern = _compile(args.match)
        groups = self.pattern.groupindex if self.pattern else {}
        self.config, self.seed_key, self.configs = args.config, args.seed_key, args.configs
        self.is_asked = bool(self.pattern or self.config or self.seed_key)
        if self.is_asked:
            for option, value, group in (
                ('--config', self.config, 'config'),
                ('--seed-key', self.seed_key, 'seed'),
            ):
                if bool(value) == (group in groups):
                    raise InputError(
                        f'foreign runs need either {option} or a group (?P<{group}>...) in --match'
                    )
        if self.config:
            _config_digest(self.config)

    def __call__(self, run: SourceRun) -> RunIdentity | InputError:
        """Identity of a foreign run, or the reason why it has none."""
        if not self.is_asked:
            return InputError("another project's: say with --config or --match what it is")
        found = self.pattern.search(run.name) if self.pattern else None
        if self.pattern and not found:
            return InputError('its name does not match')
        groups = found.groupdict() if found else {}
        seed = groups.get('seed') or foreign.look_up(run.config, self.seed_key or '')
        if not re.fullmatch(r'\d+', str(seed)):
            return InputError(f'its seed is {seed!r}, no whole number')
        try:
            path, fold = self.config, ''
            if not path:
                path, fold = config_below(self.configs, groups['config'])
            name, digest = config_name(path, fold), _config_digest(path, fold)
            return RunIdentity(name, int(seed), digest, fold=fold)
        except InputError as error:
            return error


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.DOTALL) if pattern else None
    except re.error as error:
        raise InputError(f'--match {pattern!r} is no regular expression: {error}') from error


@cache
def _config_digest(path: Path, fold: str = '') -> str:
    try:
        return config_hash(load_config(path, fold))
    except ValueError as error:
        raise InputError(' '.join(str(error).split())) from error


def parse_renames(texts: Iterable[str]) -> dict[str, str]:
    """Foreign to own names of metrics, from ``THEIRS=OURS``.

    Raises:
        InputError: a text is not of that form.
    """
    pairs = [text.partition('=')[::2] for text in texts]
    for text, (theirs, ours) in zip(texts, pairs, strict=True):
        if not theirs or not ours:
            raise InputError(f'--metric {text!r} is not THEIRS=OURS')
    return dict(pairs)


def local_runs(folder: str | Path, root: Path) -> Iterator[SourceRun]:
    """The runs whose offline logs lie below a folder, each at its place among the snapshots.

    Args:
        folder: see :func:`mmaction_ext.tracking.reading.foreign.local_runs`.
        root: folder of the runs, below which there may be snapshots of them.
    """
    from mmaction_ext.tracking.reading import foreign

    for run in foreign.local_runs(folder):
        yield _placed(run, Path(folder).resolve(), root)


def _placed(run: SourceRun, folder: Path, root: Path) -> SourceRun:
    """A run at the place of its folder's runs, or where an earlier version left its snapshot.

    Folders of one name shared a place then: a snapshot there may be of another folder's run.
    """
    if run.place:  # its log cannot be read
        return run
    earlier = replace(run, place=('imported', folder.name))
    kept = read_snapshot(snapshot_path(root, earlier))
    if kept and run.start_time is not None and kept.start_time == run.start_time:
        return earlier
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    return replace(run, place=('imported', f'{folder.name}-{digest[:8]}'))


def describe(found: Iterable[Copied]) -> list[str]:
    """One line per run that was not as before."""
    rows = [
        [copied.outcome, copied.run.name or copied.run.run_id, _taken_for(copied)]
        for copied in found
        if copied.outcome != 'unchanged'
    ]
    return columns(rows, ('outcome', 'run', 'is'), elastic=(1,)) if rows else []


def _taken_for(copied: Copied) -> str:
    if copied.reason:
        return copied.reason
    if copied.identity is None:
        return copied.run.state
    return f'{copied.identity.config} seed {copied.identity.seed}, {copied.run.state}'


def _summary(found: Sequence[Copied], args: Namespace) -> str:
    counts = Counter(copied.outcome for copied in found)
    words = ', '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))
    where = 'nothing was written' if args.dry_run else f'snapshots in {args.to / SNAPSHOT_FOLDER}'
    return clean(f'{len(found)} runs in {args.source}: {words or "none"}; {where}')
