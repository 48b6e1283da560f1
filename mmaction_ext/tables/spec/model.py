"""What a table specification holds, and what each value of it may be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

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
from mmaction_ext.tables.code import DEFAULT_GLOBS, finds
from mmaction_ext.tables.document import ENTRY, Document, Entries, Entry, Fault
from mmaction_ext.tables.protocol import ProtocolFact
from mmaction_ext.tables.published import Published, PublishedEntry
from mmaction_ext.tables.spec.checks import FOREIGN_KINDS, SOURCE_KINDS, Phase, misfits
from mmaction_ext.tracking.identity import config_name, fold_name, json_digest

if TYPE_CHECKING:
    from mmaction_ext.tracking.reading.record import RunRecord

    Records = tuple[RunRecord, ...]
else:  # pydantic would go through every row of every record
    Records = Any
#: Files beside those of tables; their ends do not matter, nor does the case of letters.
OTHER_FILES = (
    'complexity.csv',
    'complexity.md',
    'index.html',
    'table.lock.json',
    'runs.lock.json',
)
#: states of runs in W&B that can be asked for
RunState = Literal['finished', 'failed', 'crashed', 'killed', 'running']
T = TypeVar('T')


def _plain_name(name: str) -> str:
    """A text that can be part of the name of a file anywhere."""
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.-]*', name):
        raise ValueError(f'{name!r} is no plain file name')
    return name


def _fold(name: str) -> str:
    return _plain_name(name) if name else name


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
        if not finds(glob):
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


def _pattern(text: str | None) -> str | None:
    try:
        re.compile(text or '')
    except re.error as error:
        raise ValueError(f'{text!r} is no regular expression: {error}') from error
    return text


def _listed(value: object) -> object:
    """A single value as a list of one."""
    return [value] if isinstance(value, str) else value


PlainName = Annotated[str, AfterValidator(_plain_name)]
Names = tuple[StrictStr, ...]
Number = Annotated[Fraction, BeforeValidator(_exact)]
ExistingFile = Annotated[Path, AfterValidator(_beside)]


@dataclass(frozen=True, config=ENTRY)
class Select(Entry):
    """Which checkpoint of a run the numbers come from.

    Attributes:
        policy: ``last``, the end of the schedule, ``best``, or ``summary``, what a run of other
            programs says of itself as a whole.
        metric: metric that ``best`` goes by, of validation, e.g. ``val/acc/top1``.
        mode: which end of it is best.
    """

    policy: Literal['last', 'best', 'summary']
    metric: StrictStr | None = None
    mode: Literal['max', 'min'] = 'max'

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        policy = values.get('policy')
        if policy in ('last', 'summary') and not others and len(values) > 1:
            raise ValueError(f'policy {policy} takes neither metric nor mode')
        return super()._defaults(values, others, document)

    @model_validator(mode='after')
    def _fits_policy(self) -> Select:
        if self.policy == 'best' and self.metric is None:
            raise ValueError('policy best needs a val/ metric, found None')
        return self

    def __str__(self) -> str:
        """``last``, or ``max val/acc/top1``."""
        return f'{self.mode} {self.metric}' if self.policy == 'best' else self.policy

    @property
    def checkpoint(self) -> str:
        """The checkpoint in words."""
        if self.policy == 'last':
            return 'last checkpoint'
        return f'checkpoint with the {self.end} {self.metric}'

    @property
    def logged(self) -> str:
        """The same of a run that other programs logged, which may have kept no checkpoint."""
        if self.policy == 'best':
            return f'epoch with the {self.end} {self.metric}'
        return 'last value' if self.policy == 'last' else 'summary'

    @property
    def end(self) -> str:
        """Which end of the metric is the best."""
        return 'highest' if self.mode == 'max' else 'lowest'


LAST = Select('last')


def table_name(document: Document) -> str:
    """The id of a table, that of its folder where it has none."""
    return str(document.get(('id',)) or plain(document.path.absolute().parent.name) or 'table')


def foreign_name(document: Document, row: object) -> str:
    """What records call a row of foreign runs: no config of a tree has such a name."""
    return f'{table_name(document)}:{row}'


def plain(text: str) -> str:
    """A text as part of a file's name: what has no place there becomes a hyphen."""
    return re.sub(r'[^A-Za-z0-9_.]+', '-', text).strip('-._')


@dataclass(frozen=True, config=ENTRY)
class Runs(Entry):
    """Runs that other programs logged, and which row and seed each of them is.

    A key is a key of the runs' W&B config (``model.depth`` leads into nested ones) or a column of
    a CSV file; ``name``, ``group``, ``job_type`` and ``tags`` are what W&B calls so, and a key of
    the config with such a name is ``config.name``.

    Attributes:
        source: ``ENTITY/PROJECT``, a folder of offline logs, or a CSV file, relative to the
            folder of the specification.
        row: the key whose value says which row a run is of.
        seed: the key that says which seed it has, or a number, that of all runs.
        name: pattern found in the name of a run; its groups ``row`` and ``seed`` stand for those
            keys.
        state: states of the runs that count, in W&B's words.
        tags: only runs with all of these tags are taken.
        config: keys to the value, or the list of values, that a run must have to be taken.
        folder: that of the specification.
    """

    source: StrictStr
    row: StrictStr | None = None
    seed: StrictStr | Annotated[StrictInt, Field(ge=0)] | None = None
    name: Annotated[StrictStr | None, AfterValidator(_pattern)] = None
    state: Annotated[tuple[RunState, ...], BeforeValidator(_listed), Field(min_length=1)] = (
        'finished',
    )
    tags: Annotated[Names, BeforeValidator(_listed)] = ()
    config: dict[StrictStr, Any] = Field(default_factory=dict)
    folder: Path = Field(default=Path(), alias='<folder>')

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        return {**super()._defaults(values, others, document), '<folder>': document.path.parent}

    @model_validator(mode='after')
    def _says_each_once(self) -> Runs:
        for key in ('row', 'seed'):
            if getattr(self, key) is not None and key in self.groups:
                raise Fault(f'is also a group of name: {self.name!r}', key)
        if self.seed is None and 'seed' not in self.groups:
            raise ValueError(
                'seed is missing: the config key or CSV column that tells the seed of a run, a '
                'group (?P<seed>...) in name, or the seed of all runs'
            )
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of the pattern."""
        return tuple(re.compile(self.name).groupindex) if self.name else ()

    @property
    def name_of_source(self) -> str:
        """Words for a note: what lies on this machine has no place there but its name."""
        is_path = (self.folder / self.source).exists() or self.source.startswith('.')
        return f' from {Path(self.source).name if is_path else self.source}'

    @property
    def names_rows(self) -> bool:
        """Whether it says which row a run is of."""
        return self.row is not None or 'row' in self.groups

    def digest(self, row: Row) -> str:
        """Of all that decides which runs a row has."""
        named = {key: getattr(self, key) for key in ('source', 'row', 'seed', 'name', 'config')}
        return json_digest([named, self.state, self.tags, row.wandb, row.foreign])


@dataclass(frozen=True, config=ENTRY)
class Column(Entry):
    """A column.

    Attributes:
        key: its name within the table.
        head: its printed head.
        source: where its numbers come from: ``row.<key>``, ``static.params``, ``static.macs``,
            ``published.<metric>``, a logged metric such as ``test/acc/top1``, or the ``key`` of an
            earlier column; of runs of other programs also ``metric.<name>``, ``config.<key>`` and
            ``summary.<key>``.
        scale: factor from the logged to the printed unit.
        fmt: ``.<digits>f``, with ``+`` in front if positive numbers carry their sign.
        best: which end is printed in bold.
        relative_to: ``reference`` for the difference to the reference row,
            ``published.<metric>`` for that to a published figure.
        tolerance: largest difference to the published figure that is fine, in the printed unit.
        select: which checkpoint of a run counts in this column, if not that of the table.
        over_folds: what is made of the folds of a seed: their ``mean``, or, ``pooled``, the
            share of all their samples together, of a metric that is a share of samples.
        fold: the one of the table's folds that it is of, if not of all.
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
    over_folds: Literal['mean', 'pooled'] = 'mean'
    fold: Annotated[str, AfterValidator(_fold)] = ''

    @model_validator(mode='after')
    def _fits_kind(self) -> Column:
        if self.over_folds == 'pooled' and self.kind != 'history':
            raise Fault(f'{self.source!r} is no logged metric of folds', 'over_folds')
        if self.fold and (self.kind != 'history' or self.over_folds == 'pooled'):
            raise Fault('is of a logged metric that is not pooled', 'fold')
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
        """What is measured, as a lock file names it: the metric, and a selection of its own."""
        return f'{self.metric} at {self.select}' if self.select else self.metric

    @property
    def metric(self) -> str:
        """The logged metric, or whatever else the source is."""
        return self.source.removeprefix('metric.')

    @property
    def relative(self) -> bool:
        """Whether it is the difference to the reference row."""
        return self.relative_to == 'reference'

    @property
    def kind(self) -> str:
        """What a column is filled from.

        ``row`` (marks in the spec), ``complexity`` (``static.*``: parameters, multiply-adds;
        ``config.*`` and ``summary.*`` of foreign runs: what all seeds of a row have in common),
        ``published``, ``history`` (a logged metric) or ``column`` (an earlier column of the
        table).
        """
        kind, dot, _ = self.source.partition('.')
        if dot and kind in FOREIGN_KINDS:
            return FOREIGN_KINDS[kind]
        if '/' in self.source:
            return 'history'
        return SOURCE_KINDS.get(kind, 'column')

    @property
    def name(self) -> str:
        """The source without its kind: mark, count, published metric or column.

        A count that foreign runs tell keeps it: one of config and summary may have two values.
        """
        kind, _, name = self.source.partition('.')
        return self.source if kind in FOREIGN_KINDS else name or self.source

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        super()._defaults(values, others, document)
        name = str(values.get('from', '')).removeprefix('metric.')
        if document.get(('runs',)) is None or not name:
            return {}
        return {'key': name, 'head': name}


@dataclass(frozen=True, config=ENTRY)
class Row(Entry):
    """A row: of the runs of a config, of the mean of such rows, or of published figures alone.

    Keys that are not listed here are marks, for the columns ``row.<key>``: ``true`` is a tick, a
    text stands as it is.

    Attributes:
        id: its name within the table.
        label: printed in the first column; the ``id`` if left out.
        config: the config file, relative to the folder of the specification; none for a mean and
            for published figures alone.
        line: line of ``config`` in the specification, or that of ``id``.
        reference: whether differences are taken to this row.
        published: what the paper prints for it, by its name in the file of published figures.
        marks: literal entries for ``row.<name>`` columns.
        reason: why there is no config, for a row of published figures alone.
        mean_of: ids of the rows whose mean it shows, seed by seed (the splits of a data set).
        relative_to: id of the row that its differences are taken to, if not the reference row.
        wandb: which runs of other programs are of the row: keys as :class:`Runs` names them, to a
            value or a list of values; without it those whose row is called as its id.
        foreign: what records call the row, if it is one of foreign runs; else ''.
        fold: the fold of its config that it is of, if not all that the table names.
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
    wandb: dict[StrictStr, Any] | None = None
    foreign: str = Field(default='', alias='<foreign>')
    fold: Annotated[str, AfterValidator(_fold)] = ''

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        line = values.lines.get('config' if 'config' in values else 'id', 1)
        is_foreign = document.get(('runs',)) and not values.keys() & {
            'config',
            'mean_of',
            'reason',
        }
        return {
            'label': values.get('id'),
            'config': None,
            '<line>': line,
            '<marks>': others,
            '<foreign>': foreign_name(document, values.get('id')) if is_foreign else '',
        }

    @model_validator(mode='after')
    def _is_of_one_kind(self) -> Row:
        if self.wandb is not None and not self.foreign:
            raise Fault('needs runs: of the table, and no config, mean_of or reason', 'wandb')
        kinds = [key for key in ('config', 'mean_of', 'reason', 'foreign') if getattr(self, key)]
        if len(kinds) != 1:
            raise ValueError(
                'a row has either a config, or mean_of, or a reason why it has only published '
                f'figures; found {" and ".join(kinds) or "none of them"}'
            )
        if self.fold and not self.config:
            raise Fault('needs a config', 'fold')
        if self.reason and not self.published:
            raise ValueError("'published' is missing")
        return self

    @property
    def config_name(self) -> str | None:
        """Name of the config, see :func:`config_name`, or :attr:`foreign`."""
        return config_name(self.config, self.fold) if self.config else self.foreign or None

    @property
    def load_arguments(self) -> tuple[Any, ...]:
        """What :func:`load_config` takes of it."""
        return (self.config, self.fold) if self.fold else (self.config,)

    def in_fold(self, fold: str) -> Row:
        """The part of the row that one fold of its config is: ``<id>_fold2``, not printed."""
        return replace(
            self,
            id=f'{self.id}_{fold_name(fold)}',
            label=f'{self.label}, fold {fold}',
            fold=fold,
            reference=False,
            published=None,
            relative_to='',
        )

    @property
    def is_published_only(self) -> bool:
        """Whether nothing here runs it."""
        return self.config is None and not self.mean_of and not self.foreign


@dataclass(frozen=True, config=ENTRY)
class Section(Entry):
    """A heading between rows.

    Attributes:
        title: what it says.
    """

    title: str = Field(alias='section')


@dataclass(frozen=True, kw_only=True, config=ENTRY)
class Drawing(Entry):
    """The figure of a table, which ``mmaction-ext figures`` draws: ``lines`` or ``scatter``.

    Attributes:
        lines: a line per row over these columns, by their keys, which stand at the numbers that
            end their heads, or, without such, side by side; or over a column of marks,
            ``row.<key>``, a line per label, of the first measured column.
        scatter: the first measured column against each of these: columns of one number a row, and
            ``step``, the time of a training step, and ``memory``, what it keeps for its backward
            pass, over those of the reference row.
        x: title of the axis that ``lines`` are drawn over.
        y: title of the other one.
        chance: what is reached without knowing anything, in the printed unit.
    """

    lines: Annotated[Names, BeforeValidator(_listed)] = ()
    scatter: Annotated[Names, BeforeValidator(_listed)] = ()
    x: str = ''
    y: str
    chance: Number | None = None

    @model_validator(mode='after')
    def _is_of_one_kind(self) -> Drawing:
        if bool(self.lines) == bool(self.scatter):
            raise ValueError('either lines or scatter names the columns of a figure')
        if bool(self.lines) != bool(self.x):
            raise Fault('is the title of the axis of lines', 'x')
        return self


def _name_metrics(columns: object) -> None:
    """Say of columns of foreign runs which are of a metric: all whose source is nothing else."""
    earlier: set[object] = set()
    for column in columns if isinstance(columns, list) else ():
        if not isinstance(column, dict) or not isinstance(column.get('from'), str):
            continue
        source = column['from']
        is_metric = '/' not in source and source.partition('.')[0] not in SOURCE_KINDS
        if is_metric and source not in earlier:
            column['from'] = f'metric.{source}'
        earlier.add(column.get('key', source))


def _row_or_section(value: object) -> str:
    is_section = isinstance(value, Section) or (isinstance(value, dict) and 'section' in value)
    return '<section>' if is_section else '<row>'


@dataclass(frozen=True, kw_only=True, config=ENTRY)
class TableSpec(Entry):
    """A checked table specification.

    Attributes:
        id: name of the table; with ``runs`` that of its folder if left out.
        caption: printed title; with ``runs`` the ``id`` if left out.
        path: the file it was read from.
        published: the file of published figures, relative to the folder of the specification.
        runs: the runs of other programs that its rows without a config are of; with it,
            ``rows`` may be left out: there is one for each that the runs tell.
        foreign: the records of those that it takes, see
            :mod:`mmaction_ext.tables.foreign_runs`.
        asks_seeds: whether the seeds are those that its foreign runs have.
        mark_imported: whether rows of numbers from elsewhere have a dagger and a note.
        columns: in the order they are printed.
        layout: rows, and headings between them, in the order they are printed.
        seeds: seeds that every row is trained with; with ``runs`` those that they have.
        folds: folds that every row with a config is trained in, but for rows of one ``fold``.
        select: which checkpoint of a run counts.
        split: the split the table is about.
        split_name: what its notes call that split, where it is not that of the data set, as
            ``inner validation``.
        note: printed under the table.
        row_head: head of the column of row labels.
        project: title of the page, where all its tables have the same.
        group: what the table is listed under on the page; its folders' names if empty.
        varies: config keys in which rows may differ from the reference row.
        protocol: facts of the test to the values that count, or to ``any``.
        code: patterns of the source files whose change makes runs stale.
        figure: what is drawn of it.
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
    folds: Annotated[tuple[Annotated[str, AfterValidator(_fold)], ...], AfterValidator(_once)] = ()
    select: Select = LAST
    split: Phase = 'test'
    split_name: str = ''
    note: str = ''
    row_head: str = 'Model'
    project: str = ''
    group: str = ''
    varies: Names = ()
    protocol: dict[ProtocolFact, Annotated[Any, PlainValidator(_fact)]] = Field(
        default_factory=dict
    )
    code: Annotated[Names, AfterValidator(_globs)] | None = None
    figure: Drawing | None = None
    published: ExistingFile | None = None
    runs: Runs | None = None
    foreign: Records = Field(default=(), alias='<foreign>')
    asks_seeds: bool = Field(default=False, alias='<asks seeds>')
    mark_imported: StrictBool = True
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
    ] = ()

    @classmethod
    def _defaults(
        cls, values: Entries, others: dict[Any, Any], document: Document
    ) -> dict[str, Any]:
        found = {**super()._defaults(values, others, document), '<path>': document.path}
        if 'runs' not in values:
            return found
        _name_metrics(values.get('columns'))
        name = table_name(document)
        return {**found, 'id': name, 'caption': name, '<asks seeds>': 'seeds' not in values}

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
        """The rows that have a config, and so runs of their own; for one with folds, those."""
        return self._in_folds(row for row in self.rows if row.config)

    def _in_folds(self, rows: Iterable[Row]) -> tuple[Row, ...]:
        return tuple(each for row in rows for each in self.folds_of(row) or (row,))

    @cached_property
    def _folded(self) -> dict[str, tuple[Row, ...]]:
        return {
            row.id: tuple(map(row.in_fold, self.folds))
            for row in self.rows
            if row.config and not row.fold and self.folds
        }

    @property
    def fold_rows(self) -> tuple[Row, ...]:
        """The folds of all rows, which are not printed."""
        return tuple(part for parts in self._folded.values() for part in parts)

    def folds_of(self, row: Row) -> tuple[Row, ...]:
        """The folds of a row; none of a row that is of one, or whose config has none."""
        return self._folded.get(row.id, ())

    def parts(self, row: Row, fold: str = '') -> tuple[Row, ...]:
        """The rows whose mean a row shows: those it names, or its folds, or one of these."""
        by_id = {each.id: each for each in self.rows} if row.mean_of else {}
        folds = (each for each in self.folds_of(row) if fold in ('', each.fold))
        return tuple(by_id[name] for name in row.mean_of) or tuple(folds)

    @property
    def with_runs(self) -> tuple[Row, ...]:
        """The rows that have runs of their own: of a config, or of other programs."""
        return self._in_folds(row for row in self.rows if row.config or row.foreign)

    @property
    def wanted_runs(self) -> set[tuple[str | None, int]]:
        """(name of the config, seed) of every run that it takes numbers from."""
        return {(row.config_name, seed) for row in self.with_runs for seed in self.seeds}

    @property
    def reference(self) -> Row | None:
        """The row that differences are taken to."""
        return next((row for row in self.rows if row.reference), None)

    def counterpart(self, row: Row) -> Row | None:
        """The row that a row's differences are taken to: itself where it has none.

        Its own ``relative_to``, else the reference row; for a part of a mean, the same part of a
        reference that is a mean; for a fold, the same fold of the counterpart of its row.
        """
        for whole in self.rows if row in self.fold_rows else ():
            folds = self.folds_of(whole)
            if row in folds:
                other = self.counterpart(whole)
                others = self.folds_of(other) if other else ()
                return others[folds.index(row)] if others else other
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
    def measured(self) -> list[Column]:
        """The columns of logged metrics."""
        return [column for column in self.columns if column.kind == 'history']

    @property
    def metrics(self) -> set[str]:
        """Names of the logged metrics that the table needs."""
        logged = self.measured
        selects = [self.select, *(column.select for column in logged if column.select)]
        return {column.metric for column in logged} | {
            select.metric for select in selects if select.metric
        }
