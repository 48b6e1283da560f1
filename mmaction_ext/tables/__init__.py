"""Tables as papers print them, built from runs: specification, cells, renderers.

Imports neither torch nor mmaction2: a table builds wherever its runs and configs lie.
"""

from mmaction_ext.tables.aggregate import build_table, build_tables
from mmaction_ext.tables.cells import Cell, CellStatus, SeedResult, Table
from mmaction_ext.tables.complexity import read_complexity
from mmaction_ext.tables.lock import read_lock
from mmaction_ext.tables.row_results import LockedTable, locked_table, lost_results
from mmaction_ext.tables.seed_runs import resolve_configs
from mmaction_ext.tables.spec import TableSpec, load_spec

__all__ = [
    'Cell',
    'CellStatus',
    'LockedTable',
    'SeedResult',
    'Table',
    'TableSpec',
    'build_table',
    'build_tables',
    'load_spec',
    'locked_table',
    'lost_results',
    'read_complexity',
    'read_lock',
    'resolve_configs',
]
