"""What a table specification holds, and what each value of it may be."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic.dataclasses import dataclass

from mmaction_ext.tables.cells import exact, parse_format
from mmaction_ext.tables.code import DEFAULT_GLOBS, tracked_code
from mmaction_ext.tables.document import ENTRY, Document, Entries, Entry, Fault
from mmaction_ext.tables.protocol import ProtocolFact
from mmaction_ext.tables.published import Published, PublishedEntry
from mmaction_ext.tables.spec.checks import misfits
from mmaction_ext.tracking.identity import config_name

#: Where a metric is logged.
Phase = Literal['train', 'val', 'test']
PHASES = get_args(Phase)
#: Files beside those of tables; their ends do not matter, nor does the case of letters.
OTHER_FILES = (
    'complexity.csv',
    'complexity.md',
    'index.html',
    'table.lock.json',
    'runs.lock.json',
)
T = TypeVar('T')


def _plain_name(name: str) -> str:
    """A text that can be part of the name of a file anywhere."""
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.-]*', name):
        raise ValueError(f'{name!r} is no plain file name')
    return name


def _of_no_other_file(name: str) -> str:
    for other in OTHER_FILES:
        if name.lower() == other.rpartition('.')[0]:
            raise ValueError(f'{name!r} is that of {other}, which is no table')
    return name


def _exact(value: int | float | Fraction) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if type(value) not in (int, float) or not abs(value) < float('inf'):
        raise ValueError(f'{value!r} is no number')
    return exact(value)


def _not_zero(number: Fraction) -> Fraction:
    if not number:
        raise ValueError('0 is no number to multiply with')
    return number


def _format(fmt: str) -> str:
    parse_format(fmt)
    return fmt


def _counterpart(text: str) -> str:
    if text != 'reference' and not text.startswith('published.'):
        raise ValueError(f'{text!r} is neither reference nor published.<metric>')
    return text


def _mark(value: object) -> bool | str:
    if type(value) not in (bool, str, int, float):
        raise ValueError(f'{value!r} is neither text nor true or false')
    return value if isinstance(value, bool) else str(value)


def _fact(value: object) -> object:
    """A fact of a protocol: the value, a list of values, or ``any``."""
    parts = value if isinstance(value, list) and value else [value]
    if not all(type(part) in (int, str) for part in parts):
        raise ValueError(f'must be a number, text, list of them, or any, found {value!r}')
    return value


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    for i, value in enumerate(values):
        if value in values[:i]:
            raise Fault(f'{value!r} is given twice', i)
    return values


def _not_one(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) == 1:
        raise ValueError(f'{names[0]!r} alone has no mean: name two or more rows')
    return names


def _globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    for i, glob in enumerate(globs):
        if not tracked_code([glob]).files:
            message = f'{glob!r} matches no source file, such as mmaction_ext/modules/dcf.py'
            raise Fault(message, i)
    return globs


def _beside(path: Path, info: ValidationInfo) -> Path:
    """A path in a specification, which is relative to its folder."""
    if info.context is None:
        return path
    path = Path(os.path.normpath(info.context.path.parent / path))
    if not os.path.isfile(path):  # nor can one whose name is too long
        raise ValueError(f'{path} does not exist')
    return path


def _entry(value: object, info: ValidationInfo) -> object:
    """What a paper prints, by its name in the file that the table names."""
    if info.context is None or value is None:
        return value
    name = info.context.get(('published',))
    if name is None:
        raise ValueError('the table names no published: file')
    path = Path(os.path.normpath(info.context.path.parent / str(name)))
    state = path.stat() if os.path.isfile(path) else None
    return _published(path, state and (state.st_mtime_ns, state.st_size)).entry(str(value))


@lru_cache(maxsize=16)
def _published(path: Path, state: tuple[int, int] | None) -> Published:
    """Many tables share one file; ``state`` tells an edited one from that before."""
    return Published(path)


PlainName = Annotated[str, AfterValidator(_plain_name)]
Names = tuple[StrictStr, ...]
Number = Annotated[Fraction, BeforeValidator(_exact)]
ExistingFile = Annotated[Path, AfterValidator(_beside)]


@dataclass(frozen=True, config=ENTRY)
class Select(Entry):
    """Which checkpoint of a run the numbers come from.

    Attributes:
        policy: ``'last'``, the end of the schedule, or ``'best'``.
        metric: validation metric that ``'best'`` goes by, e.g. ``val/acc/top1``.
        mode: ``'max'`` or ``'min'``.
    """

    policy: Literal['last', 'best']
    metric: StrictStr | None = None
    mode: Literal['max', 'min'] = 'max'

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        if values.get('policy') == 'last' and not others and len(values) > 1:
            raise ValueError('policy last takes neither metric nor mode')
        return super()._defaults(values, others, document)

    @model_validator(mode='after')
    def _fits_policy(self) -> Select:
        if self.policy == 'best' and not str(self.metric).startswith('val/'):
            raise ValueError(f'policy best needs a val/ metric, found {self.metric!r}')
        return self

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


LAST = Select('last')


@dataclass(frozen=True, config=ENTRY)
class Column(Entry):
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
    source: str = Field(alias='from')
    scale: Annotated[Number, AfterValidator(_not_zero)] = Fraction(1)
    fmt: Annotated[StrictStr, AfterValidator(_format)] = '.1f'
    best: Literal['max', 'min'] | None = None
    relative_to: Annotated[StrictStr, AfterValidator(_counterpart)] | None = None
    tolerance: Annotated[Number, Field(ge=0)] | None = None
    select: Select | None = None

    @model_validator(mode='after')
    def _fits_kind(self) -> Column:
        if self.kind == 'history' and self.source.split('/')[0] not in PHASES:
            phases = ', '.join(f'{phase}/' for phase in PHASES)
            raise Fault(f'metric {self.source!r} does not begin with one of {phases}', 'from')
        if self.select and self.kind != 'history':
            raise Fault(
                f'{self.source!r} is no logged metric, of which a checkpoint could be selected',
                'select',
            )
        if self.kind == 'row' and (self.best or self.relative_to):
            raise ValueError(f'{self.source} holds marks, not numbers to compare')
        if self.kind != 'column' and self.relative_to:
            raise Fault(
                f'relative_to needs the key of an earlier column, found {self.source!r}', 'from'
            )
        if self.kind == 'column' and self.scale != 1:
            raise Fault(f'{self.source!r} has been scaled already', 'scale')
        if self.tolerance is not None and not str(self.relative_to).startswith('published.'):
            raise Fault('needs relative_to: published.<metric>', 'tolerance')
        return self

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
        """What a column is filled from.

        ``row`` (marks in the spec), ``complexity`` (``static.*``: parameters, multiply-adds),
        ``published``, ``history`` (a logged metric) or ``column`` (an earlier column of the
        table).
        """
        if '/' in self.source:
            return 'history'
        kinds = {'row': 'row', 'static': 'complexity', 'published': 'published'}
        return kinds.get(self.source.partition('.')[0], 'column')

    @property
    def name(self) -> str:
        """The source without its kind: mark, count, published metric or column."""
        return self.source.partition('.')[2] or self.source


@dataclass(frozen=True, config=ENTRY)
class Row(Entry):
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

    id: PlainName
    label: str
    config: ExistingFile | None
    line: int = Field(alias='<line>')
    reference: StrictBool = False
    published: Annotated[PublishedEntry | None, BeforeValidator(_entry)] = None
    marks: dict[str, Annotated[bool | str, PlainValidator(_mark)]] = Field(
        default_factory=dict, alias='<marks>'
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = ''
    mean_of: Annotated[Names, AfterValidator(_not_one), AfterValidator(_once)] = ()
    relative_to: str = ''

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        line = values.lines.get('config' if 'config' in values else 'id', 1)
        return {'label': values.get('id'), 'config': None, '<line>': line, '<marks>': others}

    @model_validator(mode='after')
    def _is_of_one_kind(self) -> Row:
        kinds = [key for key in ('config', 'mean_of', 'reason') if getattr(self, key)]
        if len(kinds) != 1:
            raise ValueError(
                'a row has either a config, or mean_of, or a reason why it has only published '
                f'figures; found {" and ".join(kinds) or "none of them"}'
            )
        if self.reason and not self.published:
            raise ValueError("'published' is missing")
        return self

    @property
    def config_name(self) -> str | None:
        """Posix path of the config below ``configs/``, without ``.py``."""
        return config_name(self.config) if self.config else None

    @property
    def is_published_only(self) -> bool:
        """Whether nothing here runs it."""
        return self.config is None and not self.mean_of


@dataclass(frozen=True, config=ENTRY)
class Section(Entry):
    """A heading between rows."""

    title: str = Field(alias='section')


def _row_or_section(value: object) -> str:
    is_section = isinstance(value, Section) or (isinstance(value, dict) and 'section' in value)
    return '<section>' if is_section else '<row>'


@dataclass(frozen=True, kw_only=True, config=ENTRY)
class TableSpec(Entry):
    """A checked table specification.

    Attributes:
        id: name of the table and of its files.
        caption: printed title.
        path: the file it was read from.
        published: the file of published figures.
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

    id: Annotated[PlainName, AfterValidator(_of_no_other_file)]
    caption: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    path: Path = Field(default=Path('table.yaml'), alias='<path>')
    seeds: Annotated[
        tuple[Annotated[StrictInt, Field(ge=0)], ...],
        Field(min_length=1),
        AfterValidator(_once),
        AfterValidator(sorted),
        AfterValidator(tuple),
    ] = (0,)
    select: Select = LAST
    split: Phase = 'test'
    note: str = ''
    row_head: str = 'Model'
    varies: Names = ()
    protocol: dict[ProtocolFact, Annotated[Any, PlainValidator(_fact)]] = Field(
        default_factory=dict
    )
    code: Annotated[Names, AfterValidator(_globs)] | None = None
    published: ExistingFile | None = None
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    layout: Annotated[
        tuple[
            Annotated[
                Annotated[Row, Tag('<row>')] | Annotated[Section, Tag('<section>')],
                Discriminator(_row_or_section),
            ],
            ...,
        ],
        Field(alias='rows', min_length=1),
    ]

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        return {**super()._defaults(values, others, document), '<path>': document.path}

    @model_validator(mode='after')
    def _fits_together(self) -> TableSpec:
        for where, message in misfits(self):
            raise Fault(message, *where)
        return self

    @property
    def watched(self) -> tuple[str, ...]:
        """Patterns of the source files whose change is noted, but makes no run stale."""
        return DEFAULT_GLOBS if self.code is None else ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows without the section headings."""
        return tuple(row for row in self.layout if isinstance(row, Row))

    @property
    def configured(self) -> tuple[Row, ...]:
        """The rows that have a config, and so runs of their own."""
        return tuple(row for row in self.rows if row.config)

    @property
    def wanted_runs(self) -> set[tuple[str | None, int]]:
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
        reference = self.reference
        if reference is None:
            return None
        for mean_row in self.rows:
            same_part = dict(zip(mean_row.mean_of, reference.mean_of, strict=False))
            if row.id in same_part:
                return by_id[same_part[row.id]]
        return reference

    @property
    def metrics(self) -> set[str]:
        """Names of the logged metrics that the table needs."""
        logged = [column for column in self.columns if column.kind == 'history']
        selects = [self.select, *(column.select for column in logged if column.select)]
        return {column.source for column in logged} | {
            select.metric for select in selects if select.metric
        }
