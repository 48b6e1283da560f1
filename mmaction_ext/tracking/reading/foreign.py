"""Runs that other programs logged, as their source tells of them.

A source is a folder of offline W&B logs, a CSV file with one line for each run, or a project on a
W&B server, of whose runs there are copies beside whatever names it
(:mod:`mmaction_ext.tracking.reading.snapshots`); this asks no server.
"""

import csv
import io
import os
import re
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import open_regular
from mmaction_ext.tracking.reading.record import Attempt, Row
from mmaction_ext.tracking.reading.rows import flat
from mmaction_ext.tracking.reading.snapshots import (
    SourceRun,
    history_rows,
    read_snapshot,
)
from mmaction_ext.tracking.reading.wandb_log import read_log
from mmaction_ext.tracking.reading.wandb_snapshot import SNAPSHOT_FOLDER

#: a log without exit record that was written to so recently belongs to a running process
RUNNING_SECONDS = 180
_PROJECT = re.compile(r'[^./\s][^/\s]*/[^./\s][^/\s]*')
#: names that columns of a CSV file may have, in any case, for what W&B says of a run
_COLUMNS = {
    'run_id': ('id', 'run_id', 'run id'),
    'name': ('name', 'run_name', 'run name'),
    'group': ('group',),
    'job_type': ('job_type', 'job type', 'jobtype'),
    'state': ('state',),
    'tags': ('tags',),
}


def is_project(source: str) -> bool:
    """Whether a source is written as ``ENTITY/PROJECT``."""
    return _PROJECT.fullmatch(source) is not None


def foreign_runs(source: str, folder: Path) -> list[SourceRun]:
    """The runs of a source, in the order in which they began.

    Args:
        source: a folder, a file that ends in ``.csv``, or ``ENTITY/PROJECT``.
        folder: the folder that a path is relative to, and that holds the copies of projects.

    Raises:
        InputError: there is no such source, or it cannot be read.
    """
    path = Path(os.path.normpath(folder / source))
    runs: Iterable[SourceRun]
    if path.is_dir():
        runs = local_runs(path, summary=True)
    elif path.suffix.lower() == '.csv':
        runs = csv_runs(path)
    elif is_project(source):
        runs = copied_runs(source, folder)
    else:
        raise InputError(
            f'{path} does not exist: a source is a folder of offline W&B logs, a CSV file, or '
            'ENTITY/PROJECT'
        )
    return sorted(runs, key=lambda run: (run.start_time or 0, run.path, run.run_id))


def copied_runs(project: str, folder: Path) -> Iterator[SourceRun]:
    """The runs of an online project, by the copies of them below a folder.

    Raises:
        InputError: there are none.
    """
    place = folder / SNAPSHOT_FOLDER / project
    paths = sorted(place.glob('*.json'))
    if not paths:
        raise InputError(
            f'there is no copy of the runs of {project} in {place}: fetch them with '
            f'mmaction-ext import-wandb {folder / "table.yaml"}'
        )
    for path in paths:
        found = read_snapshot(path)
        if found is None:
            yield _unreadable(path, 'is damaged: delete it and fetch it again')
            continue
        yield SourceRun(
            place=tuple(project.split('/')),
            run_id=found.uid,
            name=str(found.name or ''),
            group=str(found.group or ''),
            job_type=found.job_type or '',
            state=found.state or '',
            read_rows=partial(list, found.rows),
            config=found.config or {},
            url=found.url or '',
            host=str(found.host or ''),
            commit=found.commit or '',
            start_time=found.start_time,
            exit_code=found.exit_code,
            tags=tuple(found.tags or ()),
            summary=found.summary or {},
            path=found.url or path.name,
        )


def local_runs(folder: str | Path, summary: bool = False) -> Iterator[SourceRun]:
    """The runs whose offline logs lie below a folder, attempts with one id as one run.

    Args:
        folder: searched without following links, so that ``latest-run`` is not read twice.
        summary: whether to read the summaries, too.

    One whose log cannot be read has that as its ``problem``.
    """
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    for path in sorted(Path(folder).rglob('run-*.wandb')):
        if not path.is_symlink() and not path.parent.is_symlink():
            try:
                log = read_log(path, summary)
            except OSError as error:
                yield _unreadable(path, f'cannot be read: {error.strerror}')
                continue
            attempts.setdefault((log.uid, log.job_type), []).append(log)
    for logs in attempts.values():
        yield _local_run(logs, Path(folder))


def _unreadable(path: Path, problem: str) -> SourceRun:
    return SourceRun(
        place=('imported',),
        run_id=path.stem.removeprefix('run-'),
        name=path.name,
        group='',
        job_type='',
        state='',
        read_rows=list,
        problem=f'its log {problem}',
    )


def _local_run(logs: Iterable[Attempt], folder: Path) -> SourceRun:
    logs = sorted(logs, key=lambda log: (log.start_time or 0, log.path))
    last = logs[-1]
    rows = [row for log in logs for row in log.history]
    summary: Row = {}
    for log in logs:
        summary.update(log.summary)
    return SourceRun(
        place=(),
        run_id=last.uid,
        name=last.name,
        group=last.group,
        job_type=last.job_type,
        state=_state(last),
        read_rows=partial(list, rows),
        config=last.config,
        updated=max(Path(log.path).stat().st_mtime for log in logs),
        row_count=len(rows),
        host=last.host,
        commit=last.commit,
        start_time=logs[0].start_time,
        exit_code=last.exit_code,
        problem='its log is damaged' if any(log.corrupt for log in logs) else '',
        tags=last.tags,
        summary={name: value for name, value in summary.items() if not name.startswith('_')},
        source='wandb-offline',
        path=Path(last.path).relative_to(folder).as_posix(),
    )


def _state(log: Attempt) -> str:
    if log.exit_code is not None:
        return 'failed' if log.exit_code else 'finished'
    age = time.time() - Path(log.path).stat().st_mtime
    return 'running' if age < RUNNING_SECONDS else 'crashed'


def csv_runs(path: Path) -> list[SourceRun]:
    """One run for each line of a CSV file, such as W&B exports from a project's table of runs.

    Every column is a key of the run's config and of its summary alike; columns that are called
    as W&B calls them (``Name``, ``State``, ``Tags``, ``Group``, ``ID``, ...) also say that. A line
    without a state is a finished run.

    Raises:
        InputError: the file cannot be read, or is no table with a head; the message names the
            line.
    """
    try:
        with io.TextIOWrapper(open_regular(path), encoding='utf-8-sig', newline='') as file:
            reader = csv.DictReader(file, strict=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            if not any(names):
                raise InputError(f'{path} has no head: its first line must name the columns')
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise InputError(f'{path} has two columns {twice!r}')
            reader.fieldnames = names
            return [_line(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no CSV table in UTF-8: {error}') from error


def _line(path: Path, line: int, row: Row) -> SourceRun:
    where = f'{path.name}:{line}'
    if None in row or None in row.values():
        raise InputError(f'{path}:{line}: the row has not as many cells as the head')
    cells = {name: text.strip() for name, text in row.items() if name and text.strip()}
    told: dict[str, Any] = {
        key: next((cells[name] for name in cells if name.lower() in names), '')
        for key, names in _COLUMNS.items()
    }
    tags = tuple(filter(None, map(str.strip, told.pop('tags').split(','))))
    values = {name: _value(text) for name, text in cells.items()}
    state = told.pop('state').lower() or 'finished'
    return SourceRun(
        place=(),
        **told,
        state=state,
        read_rows=lambda: [values],
        config=values,
        start_time=line,  # keeps the order of the file
        exit_code={'finished': 0, 'failed': 1}.get(state),
        tags=tags,
        summary=values,
        source='csv',
        path=where,
    )


def _value(text: str) -> str | int | float:
    """A cell as the number it spells, else as it is; Python also reads ``1_000``."""
    for kind in (int, float):
        try:
            return kind(text) if '_' not in text else text
        except ValueError:
            continue
    return text


def numbered_rows(run: SourceRun) -> list[Row]:
    """The history of a run, its nested names joined by dots.

    Each row has the number it was logged under as ``iter``, and, where it tells that under any of
    the names that W&B, Lightning and others use, the ``epoch``.
    """
    rows = []
    for number, row in enumerate(history_rows(run.read_rows())):
        epoch = next(
            (row[name] for name in ('epoch', 'Epoch', 'trainer/epoch') if name in row), None
        )
        place = {'iter': number} if epoch is None else {'iter': number, 'epoch': epoch}
        rows.append({**row, **place})
    return rows


def look_up(facts: Row, key: str) -> Any:
    """Value of a key of a W&B config or summary; ``None`` without one.

    ``model.depth`` also leads into nested settings, and to ``model/depth``, as Lightning writes
    them down.
    """
    if key in facts:
        return facts[key]
    for name, value in flat(facts).items():
        if name.replace('/', '.') == key.replace('/', '.'):
            return value
    found: Any = facts
    for name in key.split('.'):
        found = found.get(name) if isinstance(found, dict) else None
    return found
