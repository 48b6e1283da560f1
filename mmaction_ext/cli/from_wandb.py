"""A folder with a table of runs that other programs logged, for ``mmaction-ext init``."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from mmaction_ext.cli.common import with_runs
from mmaction_ext.errors import InputError
from mmaction_ext.files.writing import write_output
from mmaction_ext.tracking.reading.foreign import is_project


def add_from_wandb_options(parser: ArgumentParser) -> None:
    """``--from-wandb``, ``--row-key`` and ``--seed-key``; see :func:`init_from_wandb`."""
    parser.add_argument(
        '--from-wandb',
        metavar='SOURCE',
        help='write a table.yaml for runs that other programs logged: ENTITY/PROJECT on the W&B '
        'server, a folder of offline logs (wandb/), or a CSV file with one line per run (a '
        'folder or file of that name wins)',
    )
    parser.add_argument(
        '--row-key',
        metavar='KEY',
        help='with --from-wandb: the config key, or the column, that tells the row of a run; or '
        'name, group, job_type, tags (default: looked for)',
    )
    parser.add_argument(
        '--seed-key', metavar='KEY', help='with --from-wandb: the one that tells its seed'
    )


def init_from_wandb(
    directory: Path, source: str, row_key: str | None = None, seed_key: str | None = None
) -> Path:
    """Look at runs and write ``table.yaml`` for them.

    Args:
        directory: where it goes; made if need be. Runs of a W&B server are copied there, too.
        source: ``ENTITY/PROJECT``, or the path of a folder or CSV file.
        row_key, seed_key: see :func:`mmaction_ext.tables.proposal.propose`.

    Returns:
        The file.

    Raises:
        InputError: there is such a file already, or the runs cannot be read or tell no rows.
    """
    from mmaction_ext.tables import load_spec
    from mmaction_ext.tables.proposal import propose

    path = directory / 'table.yaml'
    if path.exists():
        raise InputError(f'{path} exists: name another folder, or delete it first')
    if os.path.exists(source):
        source = Path(os.path.relpath(source, directory)).as_posix()
        if is_project(source):  # it is a path all the same
            source = f'./{source}'
    elif is_project(source):
        fetch(source, directory)
    text = propose(source, directory, row_key, seed_key)
    write_output(path, text)
    with_runs([load_spec(path)])  # says what counts for nothing
    return path


def fetch(project: str, directory: Path) -> None:
    """Copy the runs of a project on a W&B server beside the table that names it.

    Only runs that changed since the last time are read again.

    Raises:
        InputError: there is no such project, the server is out of reach, or it fails.
    """
    from mmaction_ext.tracking.reading.snapshots import Copier
    from mmaction_ext.tracking.reading.wandb_online import copy_project, parse_project

    copier = Copier(directory, as_is=True)
    found = list(copy_project(*parse_project(project), copier))
    if not found:
        raise InputError(f'{project} has no runs')
    for copied in found:
        if copied.outcome == 'skipped':
            print(f'note: {copied.run.run_id} is not copied: {copied.reason}', file=sys.stderr)
