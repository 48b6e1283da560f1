"""Whether what a table says of runs still holds of the files that lie in their folders."""

from pathlib import Path

from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tracking.comparison import file_state, named_file


def differing_files(tables, roots) -> list:
    """Checkpoints and predictions that are not those a counted result was measured on.

    Files that are not there cannot be told; each file is hashed once.

    Args:
        tables: :class:`mmaction_ext.tables.cells.Table` list, built from runs.
        roots: folders in which the runs lie.

    Returns:
        A line for each file and table.
    """
    lines = {}
    for table in tables:
        for item in table.measurements:
            if item.result.status is not CellStatus.OK:
                continue
            for kind, path in _differing(item.result.evaluation, roots):
                lines[f'not sound: {table.id}, row {item.row}, seed {item.seed}: '
                      f'{path.as_posix()} is not the {kind} that was measured'] = None
    return list(lines)


def _differing(facts, roots):
    """(kind, path) of the files of a measurement that are others by now."""
    folders = [Path(root) / facts['folder'] for root in roots] if facts.get('folder') else ()
    for kind in ('checkpoint', 'predictions'):
        for folder in folders:
            if file_state(folder, facts.get(kind)) == 'differs':
                yield kind, named_file(folder, facts[kind])[0]


def unused_imports(records, specs) -> list:
    """Where in CSV files results stand that no row and seed of any table takes.

    Args:
        records: :class:`mmaction_ext.tracking.records.RunRecord` of any runs.
        specs: :class:`mmaction_ext.tables.spec.TableSpec` of the tables.
    """
    wanted = {(row.config_name, seed) for spec in specs for row in spec.configured
              for seed in spec.seeds}
    return [f'{record.fragments[-1].path}: no row has config {record.config} and '
            f'seed {record.seed}' for record in records
            if record.imported and not record.uid and (record.config, record.seed) not in wanted]
