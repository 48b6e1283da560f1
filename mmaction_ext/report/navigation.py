"""Tables in the order of the page: by paper, those with results first."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mmaction_ext
from mmaction_ext.tables.cells import Cell, CellStatus, Table

#: Folder below ``configs/`` to what it is called on the page: modules by their capitals.
_NAMES = {
    path.stem: path.stem.upper()
    for path in (Path(mmaction_ext.__file__).parent / 'modules').glob('*.py')
} | {'cross': 'All modules', 'synthmotion': 'SynthMotion'}
#: Parts of folder names that are written otherwise.
_WORDS = {
    'sthv1': 'Something-Something V1',
    'sthv2': 'Something-Something V2',
    'k400': 'Kinetics-400',
    'hmdb51': 'HMDB51',
    'ucf101': 'UCF101',
    'diving48': 'Diving48',
    'gym99': 'Gym99',
    'gym288': 'Gym288',
    'tsm': 'TSM',
    'r50': 'R50',
    'r3d': 'R3D',
    'x3d': 'X3D',
    's': 'S',
    'r2plus1d': 'R(2+1)D',
}
_NUMBERED = re.compile(r'(table|figure)_?(\d+[a-z]?)(?:_(.+))?')

#: What a cell's status means at a glance, in the order in which it is shown.
KINDS = {
    'measured': (CellStatus.OK,),
    'in part': (CellStatus.PARTIAL, CellStatus.IMPORTED, CellStatus.OUT_OF_TOLERANCE),
    'unfinished': (CellStatus.RUNNING, CellStatus.UNFINISHED),
    'wrong': (
        CellStatus.DIVERGED,
        CellStatus.FAILED,
        CellStatus.CONFLICT,
        CellStatus.UNTRUSTED,
        CellStatus.STALE,
    ),
    'missing': (CellStatus.MISSING,),
}


@dataclass(frozen=True)
class Entry:
    """A table and where it belongs.

    Attributes:
        table: the :class:`mmaction_ext.tables.cells.Table`.
        group: what it is listed under, e.g. ``SynthMotion · DCF``.
        name: what it is called there, e.g. ``Table 1 components``.
        counts: number of cells of measured columns by the keys of :data:`KINDS`.
    """

    table: Table
    group: str
    name: str
    counts: Counter[str]

    @property
    def total(self) -> int:
        """Number of cells that something should be measured for."""
        return sum(self.counts.values())

    @property
    def with_numbers(self) -> int:
        """Number of these cells that hold a number."""
        return self.counts['measured'] + self.counts['in part']

    @property
    def shown(self) -> list[tuple[str, int]]:
        """The kinds of cells that it has, and how many of each, in the order of :data:`KINDS`."""
        return [(kind, self.counts[kind]) for kind in KINDS if self.counts[kind]]

    @property
    def told(self) -> str:
        """The same in words: ``2 measured, 1 missing``."""
        return ', '.join(f'{number} {kind}' for kind, number in self.shown)

    @property
    def has_runs(self) -> bool:
        """Whether anything was run for it."""
        return self.total > self.counts['missing'] or any(
            cell.runs for row in self.table.rows for cell in row.cells
        )


def entries(tables: Iterable[Table]) -> list[Entry]:
    """Tables grouped and ordered.

    Args:
        tables: :class:`mmaction_ext.tables.cells.Table` of any order.

    Returns:
        :class:`Entry` list: groups and tables for which something was run first, else by name.
    """
    found = [_entry(table) for table in tables]
    lively = {entry.group for entry in found if entry.has_runs}
    return sorted(
        found,
        key=lambda entry: (
            entry.group not in lively,
            entry.group,
            not entry.has_runs,
            natural(entry.name),
            entry.table.id,
        ),
    )


def is_ours(table: Table) -> bool:
    """Whether a table is one of the papers whose modules come with the package."""
    return not _NAMES.keys().isdisjoint(_folders(table)[:1])


def natural(text: str) -> list[str]:
    """Key to sort by in which Table 2 comes before Table 10."""
    return [
        (part.zfill(9) if part.isdigit() else part.lower()) for part in re.split(r'(\d+)', text)
    ]


def _entry(table: Table) -> Entry:
    folders = _folders(table)
    group = ' · '.join(_NAMES.get(name) or _words(name) for name in folders[:-1])
    measured = [cell for _, column, cell in table.cells if column.kind == 'history']
    return Entry(table, table.group or group or 'Tables', table_name(folders[-1]), count(measured))


def _folders(table: Table) -> list[str]:
    """Folders from below ``configs`` down to the specification; the table's id without one."""
    folders = list(Path(table.spec_path).parent.parts) if table.spec_path else []
    if 'configs' in folders:
        folders = folders[len(folders) - folders[::-1].index('configs') :]
    else:
        folders = folders[-1:]
    if len(folders) == 1:  # the table of a whole folder
        return [folders[0], 'overview'] if folders[0] in _NAMES else folders
    return folders or [table.id]


def table_name(folder: str) -> str:
    """What a table is called, from its folder's name.

    >>> table_name('table1_components'), table_name('ablation_offsets')
    ('Table 1 components', 'Ablation offsets')
    """
    if folder in _NAMES:
        return _NAMES[folder]
    numbered = _NUMBERED.fullmatch(folder)
    if numbered:
        kind, number, rest = numbered.groups(default='')
        folder = f'{kind} {number} {rest}'.strip()
    text = _words(folder)
    return text[:1].upper() + text[1:]


def _words(folder: str) -> str:
    return ' '.join(_WORDS.get(word, word) for word in folder.replace('_', ' ').split())


def count(cells: Iterable[Cell]) -> Counter[str]:
    """Number of cells by the keys of :data:`KINDS`."""
    kinds = {status: kind for kind, statuses in KINDS.items() for status in statuses}
    return Counter(kinds[cell.status] for cell in cells if cell.status in kinds)
