"""Whether what a table says of runs still holds of the files that lie in their folders.

Building a table reads logs alone: config, code and protocol of every result are compared with the
tree and the specification, whatever the command. That a checkpoint or a file of predictions is
still the one that was measured takes its SHA-256, since neither size nor time of a file tell; that
is a read of every file, of gigabytes where the logs are megabytes. So a table does not turn stale
by it: ``make_tables --strict``, ``explain`` (of one cell) and ``doctor`` look.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmaction_ext.tables.cells import CellStatus, Measurement, Table
from mmaction_ext.tables.spec import TableSpec
from mmaction_ext.tracking.reading.comparison import TOP1, file_state, named_file, other_top1
from mmaction_ext.tracking.reading.record import RunRecord


def differing_files(tables: Iterable[Table], records: Iterable[RunRecord]) -> list[str]:
    """Checkpoints and predictions that are not those of a counted result, or refute it.

    Files that are not there cannot be told; each file is hashed once. Predictions that are those
    of a result are also asked for its top-1 accuracy.

    Args:
        tables: :class:`mmaction_ext.tables.cells.Table` list, built from runs.
        records: :class:`RunRecord` of the runs they were built from.

    Returns:
        A line for each file and table.
    """
    folders = {(record.uid, record.job_type, record.folder): record.path for record in records}
    lines: dict[str, None] = {}
    for table in tables:
        for item in table.measurements:
            if item.result.status is not CellStatus.OK:
                continue
            for problem in _problems(item, folders):
                lines[f'not sound: {table.id}, row {item.row}, seed {item.seed}: {problem}'] = None
    return list(lines)


def _problems(item: Measurement, folders: Mapping[Any, Path | None]) -> Iterator[str]:
    """What is wrong with the files of a measurement, in words."""
    facts = item.result.evaluation
    runs = [(uid, facts.get('job_type'), facts.get('folder')) for uid in item.result.runs]
    folder = next((folders[run] for run in runs if folders.get(run)), None)
    if folder is None:
        return
    for kind in ('checkpoint', 'predictions'):
        path, state = named_file(folder, facts.get(kind))[0], file_state(folder, facts.get(kind))
        if path is None:
            continue
        if state == 'differs':
            yield f'{path.as_posix()} is not the {kind} that was measured'
        told = (
            other_top1(path, float(item.result.value or 0))
            if (state, kind, item.metric) == ('same', 'predictions', TOP1)
            else None
        )
        if told is not None:
            yield f'{path.as_posix()} gives a top-1 accuracy of {told!r}'


def unused_imports(records: Iterable[RunRecord], specs: Iterable[TableSpec]) -> list[str]:
    """Where in CSV files results stand that no row and seed of any table takes.

    Args:
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any runs.
        specs: :class:`mmaction_ext.tables.spec.TableSpec` of the tables.
    """
    wanted = set().union(*(spec.wanted_runs for spec in specs))
    return [
        f'{record.attempts[-1].path}: no row has config {record.config} and seed {record.seed}'
        for record in records
        if record.imported and not record.uid and (record.config, record.seed) not in wanted
    ]
