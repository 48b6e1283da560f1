"""What a table specification holds."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from mmaction_ext.tables.code import DEFAULT_GLOBS
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tracking.identity import config_name


@dataclass(frozen=True)
class Select:
    """Which checkpoint of a run the numbers come from.

    Attributes:
        policy: ``'last'``, the end of the schedule, or ``'best'``.
        metric: validation metric that ``'best'`` goes by, e.g. ``val/acc/top1``.
        mode: ``'max'`` or ``'min'``.
    """

    policy: str = 'last'
    metric: str | None = None
    mode: str = 'max'

    def __str__(self) -> str:
        """``last``, or ``max val/acc/top1``."""
        return self.policy if self.policy == 'last' else f'{self.mode} {self.metric}'

    @property
    def checkpoint(self) -> str:
        """The checkpoint in words."""
        if self.policy == 'last':
            return 'last checkpoint'
        end = 'highest' if self.mode == 'max' else 'lowest'
        return f'checkpoint with the {end} {self.metric}'


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: its name within the table.
        head: its printed head.
        source: where its numbers come from, see :attr:`kind`.
        scale: factor from the logged to the printed unit.
        fmt: see :func:`mmaction_ext.tables.cells.format_number`.
        best: ``'max'``, ``'min'`` or ``None``: which end is printed in bold.
        relative_to: ``'reference'`` for the difference to the reference row,
            ``'published.<metric>'`` for that to a published figure, ``None`` for no difference.
        tolerance: largest difference to the published figure that is fine, in the printed unit.
        select: which checkpoint of a run counts in this column; ``None`` for that of the table.
    """

    key: str
    head: str
    source: str
    scale: Fraction = Fraction(1)
    fmt: str = '.1f'
    best: str | None = None
    relative_to: str | None = None
    tolerance: Fraction | None = None
    select: Select | None = None

    @property
    def measure(self) -> str:
        """What is measured, as a lock file names it: the source, and a selection of its own."""
        return f'{self.source} at {self.select}' if self.select else self.source

    @property
    def relative(self) -> bool:
        """Whether it is the difference to the reference row."""
        return self.relative_to == 'reference'

    @property
    def kind(self) -> str:
        """``row`` (marks in the spec), ``complexity`` (``static.*``: parameters, multiply-adds),
        ``published``, ``history`` (a logged metric) or ``column`` (an earlier column of the table).
        """
        if '/' in self.source:
            return 'history'
        kinds = {'row': 'row', 'static': 'complexity', 'published': 'published'}
        return kinds.get(self.source.partition('.')[0], 'column')

    @property
    def name(self) -> str:
        """The source without its kind: mark, count, published metric or column."""
        return self.source.partition('.')[2] or self.source


@dataclass(frozen=True)
class Row:
    """A row: of the runs of a config, of the mean of such rows, or of published figures alone.

    Attributes:
        id: its name within the table.
        label: printed in the first column.
        config: the config file; ``None`` for a mean and for published figures alone.
        line: line of ``config`` in the specification, or that of ``id``.
        reference: whether differences are taken to this row.
        published: what the paper prints for it.
        marks: literal entries for ``row.<name>`` columns.
        reason: why there is no config, for a row of published figures alone.
        mean_of: ids of the rows whose mean it shows, seed by seed (the splits of a data set).
        relative_to: id of the row that its differences are taken to; '' for the reference row.
    """

    id: str
    label: str
    config: Path | None
    line: int
    reference: bool = False
    published: PublishedEntry | None = None
    marks: dict = field(default_factory=dict)
    reason: str = ''
    mean_of: tuple = ()
    relative_to: str = ''

    @property
    def config_name(self) -> str | None:
        """Posix path of the config below ``configs/``, without ``.py``."""
        return self.config and config_name(self.config)

    @property
    def is_published_only(self) -> bool:
        """Whether nothing here runs it."""
        return self.config is None and not self.mean_of


@dataclass(frozen=True)
class Section:
    """A heading between rows."""

    title: str


@dataclass(frozen=True)
class TableSpec:
    """A checked table specification.

    Attributes:
        id: name of the table and of its files.
        caption: printed title.
        path: the file it was read from.
        columns: :class:`Column` tuple.
        layout: :class:`Row` and :class:`Section` in the order they are printed.
        seeds: seeds that every row is trained with.
        select: which checkpoint of a run counts.
        split: the split the table is about.
        note: printed under the table.
        row_head: head of the column of row labels.
        varies: config keys in which rows may differ from the reference row.
        protocol: facts of the test to the values that count, or to ``'any'``.
        code: patterns of the source files whose change makes runs stale; ``None`` if the file
            does not say.
    """

    id: str
    caption: str
    path: Path
    columns: tuple
    layout: tuple
    seeds: tuple = (0,)
    select: Select = Select()
    split: str = 'test'
    note: str = ''
    row_head: str = 'Model'
    varies: tuple = ()
    protocol: dict = field(default_factory=dict)
    code: tuple | None = None

    @property
    def watched(self) -> tuple:
        """Patterns of the source files whose change is noted, but makes no run stale."""
        return DEFAULT_GLOBS if self.code is None else ()

    @property
    def rows(self) -> tuple:
        """The rows without the section headings."""
        return tuple(row for row in self.layout if isinstance(row, Row))

    @property
    def configured(self) -> tuple:
        """The rows that have a config, and so runs of their own."""
        return tuple(row for row in self.rows if row.config)

    @property
    def wanted_runs(self) -> set:
        """(name of the config, seed) of every run that it takes numbers from."""
        return {(row.config_name, seed) for row in self.configured for seed in self.seeds}

    @property
    def reference(self) -> Row | None:
        """The row that differences are taken to."""
        return next((row for row in self.rows if row.reference), None)

    def counterpart(self, row: Row) -> Row | None:
        """The row that a row's differences are taken to: itself where it has none.

        Its own ``relative_to``, else the reference row; for a part of a mean, the same part of a
        reference that is a mean.
        """
        by_id = {each.id: each for each in self.rows}
        if row.relative_to:
            return by_id[row.relative_to]
        for mean_row in self.rows if self.reference else ():
            same_part = dict(zip(mean_row.mean_of, self.reference.mean_of, strict=False))
            if row.id in same_part:
                return by_id[same_part[row.id]]
        return self.reference

    @property
    def metrics(self) -> set:
        """Names of the logged metrics that the table needs."""
        logged = [column for column in self.columns if column.kind == 'history']
        selects = [self.select, *(column.select for column in logged if column.select)]
        return {column.source for column in logged} | {
            select.metric for select in selects if select.metric
        }
