"""Tables as papers print them, built from runs: specification, cells, renderers.

Imports neither torch nor mmaction2: a table builds wherever its runs and configs lie.
"""

from mmaction_ext.tables.aggregate import build_table, seed_states
from mmaction_ext.tables.cells import Cell, CellStatus, Table
from mmaction_ext.tables.results import read_complexity, resolve_configs
from mmaction_ext.tables.spec import TableSpec, load_spec

__all__ = ['Cell', 'CellStatus', 'Table', 'TableSpec', 'build_table', 'load_spec',
           'read_complexity', 'resolve_configs', 'seed_states']
