"""Rows and seeds of a table: what state each is in, and which runs it has."""

from dataclasses import dataclass

from mmaction_ext.tables import CellStatus, build_table, resolve_configs
from mmaction_ext.tables.cells import SEVERITY
from mmaction_ext.tracking.identity import load_config


@dataclass(frozen=True)
class Place:
    """One row under one seed.

    Attributes:
        row: the :class:`mmaction_ext.tables.spec.Row`.
        seed: the seed.
        config: the row's :class:`mmaction_ext.tables.results.RowConfig`.
        status: the worst over the table's logged metrics.
        reason: why it is no better; empty for ``OK``.
        fresh: its run records of the config as it stands in the tree.
        others: its run records of other versions of the config, with settings overridden, or
            that lost their config.
    """

    row: object
    seed: int
    config: object
    status: CellStatus
    reason: str
    fresh: tuple
    others: tuple

    @property
    def is_done(self) -> bool:
        """Whether the table has what it needs of it."""
        return self.status is CellStatus.OK


def places(spec, records, load=load_config) -> list:
    """Every row that has a config under every seed of a table.

    Args:
        spec: :class:`mmaction_ext.tables.TableSpec`.
        records: :class:`mmaction_ext.tracking.records.RunRecord` of any runs.
        load: reads a config file, see :func:`mmaction_ext.tables.resolve_configs`.

    Returns:
        :class:`Place` list, row by row.

    Raises:
        InputError: a row's config cannot be read.
    """
    configs = resolve_configs(spec, load)
    cells = {row.id: row.cells for row in build_table(spec, records, configs).rows}
    logged = [i for i, column in enumerate(spec.columns) if column.kind == 'history']
    return [_place(row, seed, configs[row.id], records,
                   [cells[row.id][i].seeds[number] for i in logged])
            for row in spec.configured for number, seed in enumerate(spec.seeds)]


def _place(row, seed, config, records, results) -> Place:
    mine = [record for record in records if (record.config, record.seed) == (config.name, seed)]
    fresh = [record for record in mine if is_fresh(record, config)]
    worst = min((result for result in results if result.status in SEVERITY),
                key=lambda result: SEVERITY.index(result.status), default=None)
    return Place(row, seed, config, worst.status if worst else CellStatus.OK,
                 worst.reason if worst else '', tuple(fresh),
                 tuple(record for record in mine if record not in fresh))


def is_fresh(record, config) -> bool:
    """Whether a run is one of a row's config as it stands in the tree, nothing overridden."""
    wanted = (config.digest, None) if record.imported else (config.digest,)
    return (record.config_hash in wanted and not record.overrides
            and not config.code.changes(record.code))
