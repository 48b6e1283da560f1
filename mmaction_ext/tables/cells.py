"""The cells of a table: what they hold, why they are empty, how their numbers are printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

from mmaction_ext.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mmaction_ext.tables.spec import Column

_Named = TypeVar('_Named')

#: A number beyond it is none that tables print: the spread and the differences of such numbers
#: would leave the range of floats.
LARGEST = 10**300
_FORMAT = re.compile(r'(?P<sign>\+?)\.(?P<digits>\d)f')


class CellStatus(Enum):
    """Why a cell shows what it shows; the value is the word that stands in CSV files."""

    OK = 'ok'
    #: fewer seeds than the table asks for
    PARTIAL = 'partial'
    #: a number of a run that other programs logged, or of a CSV file, without a run behind it
    IMPORTED = 'imported'
    #: a difference to the published figure that is larger, as printed, than the table tolerates
    OUT_OF_TOLERANCE = 'out of tolerance'
    #: a process that lives works on it
    RUNNING = 'running'
    #: a run without exit record of which nobody can tell whether it lives; or one that was
    #: measured before the end of its schedule
    UNFINISHED = 'unfinished'
    #: a run whose loss stayed non-finite, or whose test has scores or a metric that are
    DIVERGED = 'diverged'
    #: a run that ended with another exit code than 0 or was killed, or whose metric is no
    #: number, or too large a one
    FAILED = 'failed'
    #: only runs of another version of the config or code, with settings overridden, or tested
    #: under another protocol
    STALE = 'stale'
    MISSING = 'missing'
    #: results of one config and seed that differ
    CONFLICT = 'conflict'
    #: the log is damaged
    UNTRUSTED = 'untrusted'
    #: nothing belongs here: no published figure, a measurement of what nothing here can run,
    #: the reference row's difference to itself
    NOT_APPLICABLE = 'n/a'


#: What a cell shows when no seed of it counts: the first of these that any of its seeds has.
SEVERITY = (
    CellStatus.CONFLICT,
    CellStatus.UNTRUSTED,
    CellStatus.DIVERGED,
    CellStatus.FAILED,
    CellStatus.RUNNING,
    CellStatus.UNFINISHED,
    CellStatus.STALE,
    CellStatus.MISSING,
)


@dataclass(frozen=True)
class SeedResult:
    """One seed's contribution to a cell.

    Attributes:
        seed: the seed.
        status: ``OK`` exactly when ``value`` counts.
        value: the metric in the column's unit, exact.
        reason: what is wrong, for a footnote.
        runs: ids of the runs it comes from.
        samples: number of test samples, if known.
        checkpoint: SHA-256 of the tested checkpoint, if known.
        data: digest of the test data, if known.
        protocol: how it was tested, in words; empty if unknown.
        imported: whether it is of a run that other programs logged, or, without ``runs``, of none.
        evaluation: facts about the measurement, those that are known: ``job_type``, ``folder``
            of the run, ``attempt``, ``iter``, ``epoch``, ``commit``, ``checkpoint`` and
            ``predictions`` (mappings with ``path`` and ``sha256``), ``protocol`` (mapping),
            ``code`` (digest of the files that the table tracks), ``watched`` (of those whose
            change it notes) and ``own`` (path to SHA-256 of the user's own files). Empty for means
            of rows and for differences.
        fold: the fold, where those of one seed are what a cell is over; else empty.
    """

    seed: int
    status: CellStatus
    value: Fraction | None = None
    reason: str = ''
    runs: tuple[str, ...] = ()
    samples: int | None = None
    checkpoint: str | None = None
    data: str | None = None
    protocol: str = ''
    imported: bool = False
    evaluation: dict[str, Any] = field(default_factory=dict)
    fold: str = ''

    @property
    def label(self) -> str:
        """The seed, or the fold of it, without the word."""
        return self.fold or str(self.seed)

    @property
    def unit(self) -> str:
        """What the label is of: ``seed`` or ``fold``."""
        return 'fold' if self.fold else 'seed'


def is_imported(result: SeedResult) -> bool:
    """Whether a result counts, but is of no run of ours."""
    return result.status is CellStatus.OK and result.imported


@dataclass(frozen=True)
class Measurement:
    """What a table took from runs for one row, metric and seed, as a lock file keeps it.

    Attributes:
        row: id of the row.
        config, config_hash: the row's config as it stood in the tree.
        metric: logged metric, ``<metric> at <selection>`` for a column with a selection of its
            own, or ``static.<name>`` for parameters and multiply-adds of the model itself.
        seed: the seed; ``None`` for parameters and multiply-adds.
        result: the :class:`SeedResult`, in the logged unit.
    """

    row: str
    config: str
    config_hash: str
    metric: str
    seed: int | None
    result: SeedResult


@dataclass
class Cell:
    """One cell; every renderer shows ``text`` and ``mark``, escaped its own way.

    Attributes:
        status: see :class:`CellStatus`; of several that hold, the last one, see :attr:`statuses`.
        text: what is printed, e.g. ``84.2 ± 0.5 (2/3)``, ``stale``, ``✓``.
        number: the printed mean alone, e.g. ``84.2``; empty for cells without a number.
        value: mean, exact; ``None`` without one.
        std: standard deviation over seeds (ddof=1), exact; ``None`` for fewer than two seeds.
        interval: (low, high), the 95 % interval of the mean over seeds, or of the difference of
            two means; ``None`` for fewer than three seeds.
        seeds: :class:`SeedResult` per seed, in the printed unit; empty where seeds play no role.
        note: footnote, empty for none.
        mark: letter of the footnote.
        best: whether it is the best of its column.
        unpaired: whether it is the difference of two means that share fewer than two seeds;
            ``seeds`` are the pairs then, from which ``value`` cannot be computed.
    """

    status: CellStatus
    text: str
    number: str = ''
    value: Fraction | None = None
    std: Fraction | None = None
    interval: tuple[Fraction, Fraction] | None = None
    seeds: tuple[SeedResult, ...] = ()
    note: str = ''
    mark: str = ''
    best: bool = False
    unpaired: bool = False

    @property
    def n(self) -> int:
        """Number of seeds that count."""
        return sum(seed.status is CellStatus.OK for seed in self.seeds)

    @property
    def counted(self) -> tuple[SeedResult, ...]:
        """The seeds from whose values ``value`` can be computed."""
        return (
            () if self.unpaired else tuple(seed for seed in self.seeds if seed.value is not None)
        )

    @property
    def statuses(self) -> set[CellStatus]:
        """All that its text says of it: a number may be partial, imported and out of tolerance."""
        found = {self.status}
        if self.value is not None:
            found |= {CellStatus.PARTIAL} if self.n < len(self.seeds) else set()
            found |= {CellStatus.IMPORTED} if any(map(is_imported, self.seeds)) else set()
        return found

    @property
    def is_fine(self) -> bool:
        """Whether it is as it should be: an imported number names the run that logged it."""
        if self.status is CellStatus.IMPORTED and self.n == len(self.seeds):
            return all(seed.runs for seed in self.seeds)
        return self.status in (CellStatus.OK, CellStatus.NOT_APPLICABLE)

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the runs that any seed of it comes from, each once."""
        return tuple(dict.fromkeys(run for seed in self.seeds for run in seed.runs))


@dataclass
class TableRow:
    """A row of cells, or a section heading where ``cells`` is empty.

    Attributes:
        id, label: as in the specification.
        cells: one :class:`Cell` per column.
        note: footnote to the label, empty for none.
        mark: letter of that footnote.
        dated: whether it was measured with an earlier version of the operators, modules or host.
        counterpart: id of the row that its differences are taken to; empty without one.
        fold: the fold that it is of; empty for none.
        folds: a row for each fold that it is over, which are not printed.
    """

    id: str
    label: str
    cells: list[Cell] = field(default_factory=list)
    note: str = ''
    mark: str = ''
    dated: bool = False
    counterpart: str = ''
    fold: str = ''
    folds: tuple[TableRow, ...] = ()

    @property
    def measured(self) -> tuple[TableRow, ...]:
        """The rows whose cells are of single runs: its folds, or itself."""
        return self.folds or (self,)

    @property
    def is_section(self) -> bool:
        """Whether the row is a heading without cells."""
        return not self.cells


@dataclass
class Table:
    """A finished table, ready for any renderer.

    Attributes:
        id, caption: as in its specification.
        row_head: head of the first column, which holds the rows' labels.
        columns: :class:`mmaction_ext.tables.spec.Column` of each further column.
        rows: :class:`TableRow` list.
        footnotes: (letter, text) pairs.
        notes: lines printed under the table.
        warnings: what makes the table untrustworthy as a whole; printed first.
        spec_path: the specification it was built from; empty for none.
        measurements: :class:`Measurement` tuple, all that it took from runs.
        head_mark: mark of a footnote to all rows; empty for none.
        project, group: as in its specification.
    """

    id: str
    caption: str
    row_head: str
    columns: tuple[Column, ...]
    rows: list[TableRow]
    footnotes: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spec_path: str = ''
    measurements: tuple[Measurement, ...] = ()
    head_mark: str = ''
    project: str = ''
    group: str = ''

    @property
    def body(self) -> list[TableRow]:
        """The rows that are no headings."""
        return [row for row in self.rows if not row.is_section]

    @property
    def cells(self) -> list[tuple[TableRow, Column, Cell]]:
        """(row, column, cell) of each cell, row by row."""
        return [
            (row, column, cell)
            for row in self.body
            for column, cell in zip(self.columns, row.cells, strict=True)
        ]

    @property
    def main_column(self) -> Column | None:
        """The measured column that it is about: the first; ``None`` without one."""
        return next((column for column in self.columns if column.kind == 'history'), None)

    @property
    def is_complete(self) -> bool:
        """Whether every cell is as it should be."""
        return not self.warnings and not self.incomplete

    @property
    def incomplete(self) -> list[tuple[TableRow, Column, Cell]]:
        """(row, column, cell) of each cell that is not as it should be."""
        return [entry for entry in self.cells if not entry[2].is_fine]

    def cell(self, row_id: str, column_key: str) -> Cell:
        """The cell of a row, or of a fold of one, and a column.

        Raises:
            InputError: there is no such row or column; the message lists those there are.
        """
        rows = {each.id: each for row in self.body for each in (row, *row.folds)}
        row = self._named('row', row_id, rows)
        return row.cells[self.columns.index(self.column(column_key))]

    def column(self, key: str) -> Column:
        """The column with a key.

        Raises:
            InputError: there is none; the message lists those there are.
        """
        return self._named('column', key, {column.key: column for column in self.columns})

    def _named(self, kind: str, name: str, known: Mapping[str, _Named]) -> _Named:
        if name not in known:
            raise InputError(
                f'table {self.id} has no {kind} {name!r}; it has {", ".join(known)}'
                f'{did_you_mean(name, known)}'
            )
        return known[name]


def exact(number: float) -> Fraction:
    """The decimal number that ``repr`` shows: 0.1 is 1/10, not the nearest binary fraction.

    What is printed can then be recomputed by hand from the logged decimals.
    """
    return Fraction(repr(number))


def parse_format(fmt: object) -> re.Match[str]:
    """``sign`` and ``digits`` of a format; ValueError unless it is like ``.1f`` or ``+.2f``."""
    match = _FORMAT.fullmatch(fmt) if isinstance(fmt, str) else None
    if match is None:
        raise ValueError(f'{fmt!r} is no format like .1f or +.2f')
    return match


def printed_as(fmt: str, *numbers: str) -> str:
    """A format with as many digits as the one of some printed numbers that has most, up to 9.

    Args:
        fmt: its sign stays.
        numbers: as printed, e.g. ``82.88``.
    """
    digits = min(9, max(len(number.partition('.')[2]) for number in numbers))
    return f'{parse_format(fmt)["sign"]}.{digits}f'


def format_number(value: Fraction, fmt: str) -> str:
    """Print a number; the only place where tables round.

    The exact decimal value is rounded half to even (2.25 to 2.2, 2.35 to 2.4). Zero never
    carries a sign.

    Args:
        value: number.
        fmt: ``.<digits>f``, with ``+`` in front if positive numbers carry their sign.
    """
    parts = parse_format(fmt)
    digits = int(parts['digits'])
    units = round(Fraction(value) * 10**digits)  # Fraction rounds half to even, exactly
    text = f'{abs(units):0{digits + 1}d}'
    if digits:
        text = f'{text[:-digits]}.{text[-digits:]}'
    sign = '-' if units < 0 else parts['sign'] if units > 0 else ''
    return sign + text
