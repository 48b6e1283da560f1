"""Table specifications (``table.yaml``): what a table says, checked before it is built.

A row is one of three::

    - {id: full, label: DCF, config: full.py, published: dcf.table1.full}
    - {id: ucf101, label: MFNet, mean_of: [split1, split2, split3]}
    - {id: tdn, label: TDN, published: dcf.table4.tdn, reason: no implementation in mmaction2}

the runs of a config, which may lie in another table's folder; the mean, seed by seed, of rows of
this table that have configs; or what a paper prints, alone, with the reason as a footnote. A
config with ``ensemble = dict(members=[...])`` is a row like any other
(:func:`mmaction_ext.tracking.identity.load_config`, ``tools/test_ensemble.py``).

A column takes its numbers from one of these; the difference columns stand after what they are
taken of::

    - {key: ticks, head: Pyramid, from: row.pyramid}        # a key of the rows, printed as it is
    - {key: params, head: Params (M), from: static.params, scale: 1.0e-6, fmt: .2f}
    - {key: paper, head: Published, from: published.top1}
    - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, best: max}
    - {key: delta, head: Δ, from: top1, relative_to: reference, fmt: +.1f}
    - {key: off, head: Δ paper, from: top1, relative_to: published.top1, tolerance: 0.5, fmt: +.1f}

``relative_to: reference`` is paired by seed with the row that has ``reference: true``, with its
95 % interval from three seeds on, or with the row that the row's own ``relative_to`` names
(itself: no difference). ``relative_to: published.<metric>`` is the difference to what
the paper prints for the row, in the printed unit; with ``tolerance`` a cell that is farther from
it is *out of tolerance*.

Keys of the table itself: ``id``, ``caption``, ``row_head``, ``seeds``, ``note``, ``published``
(the file of published figures), ``varies`` (config keys in which rows may differ from the
reference) and what decides which results count::

    select: {policy: best, metric: val/acc/top1, mode: max}   # or {policy: last}
    split: test
    protocol: {num_clips: 10, num_crops: 3, clip_len: any}
    code: [mmaction_ext/modules/dcf.py, 'mmaction_ext/ops/correlation/*']

A test of which a run records another ``protocol`` (``split``, ``clip_len``, ``frame_interval``,
``num_clips``, ``num_crops``, ``resolution`` as [width, height]) is not used: without another one
the cell is stale. Rows that were tested under differing protocols are a warning, unless ``any``
allows it or ``varies`` holds ``test_dataloader``. ``code`` names source files, relative to the
folder of the package (``*`` also matches ``/``): runs that record another version of one of them
are stale. Without ``code`` a change of the operators, modules or host
(:data:`mmaction_ext.tables.code.DEFAULT_GLOBS`) since a run is noted under the table, and its
numbers count; ``code: []`` tracks nothing. Only ledgers record either; a run without one counts.
"""

import os
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import check_format, exact
from mmaction_ext.tables.code import DEFAULT_GLOBS, tracked_code
from mmaction_ext.tables.document import Document
from mmaction_ext.tables.protocol import PROTOCOL_FACTS
from mmaction_ext.tables.published import Published, PublishedEntry
from mmaction_ext.tracking.identity import config_name

_SPEC_KEYS = {'id', 'caption', 'row_head', 'seeds', 'select', 'split', 'note', 'columns', 'rows',
              'published', 'varies', 'protocol', 'code'}
_COLUMN_KEYS = {'key', 'head', 'from', 'scale', 'fmt', 'best', 'relative_to', 'tolerance'}
_ROW_KEYS = {'id', 'config', 'label', 'reference', 'published', 'reason', 'mean_of',
             'relative_to'}
_ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
_PHASES = ('train', 'val', 'test')


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
    """

    key: str
    head: str
    source: str
    scale: Fraction = Fraction(1)
    fmt: str = '.1f'
    best: str | None = None
    relative_to: str | None = None
    tolerance: Fraction | None = None

    @property
    def relative(self) -> bool:
        """Whether it is the difference to the reference row."""
        return self.relative_to == 'reference'

    @property
    def kind(self) -> str:
        """``row`` (marks in the spec), ``static`` (parameters, ...), ``published``,
        ``history`` (a logged metric) or ``column`` (an earlier column of the table)."""
        prefix = self.source.partition('.')[0]
        if '/' in self.source:
            return 'history'
        return prefix if prefix in ('row', 'static', 'published') else 'column'

    @property
    def name(self) -> str:
        """The source without its kind: mark, static figure, published metric or column."""
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
            same_part = dict(zip(mean_row.mean_of, self.reference.mean_of))
            if row.id in same_part:
                return by_id[same_part[row.id]]
        return self.reference

    @property
    def metrics(self) -> set:
        """Names of the logged metrics that the table needs."""
        names = {column.source for column in self.columns if column.kind == 'history'}
        return names | ({self.select.metric} if self.select.metric else set())


def load_spec(path) -> TableSpec:
    """Read and check a ``table.yaml``.

    Args:
        path: the file; paths in it are relative to its folder.

    Raises:
        InputError: anything in it is unknown, missing, contradictory, or points to a file
            that does not exist; the message names file and line.
    """
    return _SpecReader(Document(path)).read()


class _SpecReader:
    """Turns a document into a specification, checking each value where it stands."""

    def __init__(self, document):
        self.doc = document
        self.folder = document.path.parent

    def read(self) -> TableSpec:
        values = self.doc.mapping((), _SPEC_KEYS, ('id', 'caption', 'columns', 'rows'))
        if not isinstance(values['id'], str) or not _ID.fullmatch(values['id']):
            raise self.doc.error(('id',), f'id {values["id"]!r} is no plain file name')
        if not self.doc.text(('caption',)).strip():
            raise self.doc.error(('caption',), 'the caption is empty')
        columns = self.columns()
        spec = TableSpec(
            id=values['id'], caption=self.doc.text(('caption',)), path=self.doc.path,
            columns=columns, layout=self.layout(columns), seeds=self.seeds(), select=self.select(),
            split=self.doc.choice(('split',), _PHASES, 'test'), note=self.doc.text(('note',), ''),
            row_head=self.doc.text(('row_head',), 'Model'), varies=self.names('varies'),
            protocol=self.protocol(), code=self.code())
        self.check_means(spec)
        self.check_reference(spec)
        self.check_published(spec)
        return spec

    def seeds(self) -> tuple:
        if self.doc.get(('seeds',)) is None:
            return TableSpec.seeds
        seeds = self.doc.items(('seeds',))
        for i, seed in enumerate(seeds):
            if type(seed) is not int or seed < 0 or seed in seeds[:i]:
                raise self.doc.error(('seeds', i), f'seed {seed!r} is no whole number from 0 on, '
                                     'or given twice')
        return tuple(sorted(seeds))

    def select(self) -> Select:
        if self.doc.get(('select',)) is None:
            return Select()
        values = self.doc.mapping(('select',), {'policy', 'metric', 'mode'}, ('policy',))
        policy = self.doc.choice(('select', 'policy'), ('last', 'best'), None)
        metric = values.get('metric')
        if policy == 'last' and len(values) > 1:
            raise self.doc.error(('select',), 'policy last takes neither metric nor mode')
        if policy == 'best' and not str(metric).startswith('val/'):
            raise self.doc.error(('select',), f'policy best needs a val/ metric, found {metric!r}')
        return Select(policy, metric, self.doc.choice(('select', 'mode'), ('max', 'min'), 'max'))

    def names(self, key) -> tuple:
        value = self.doc.get((key,), [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self.doc.error((key,), f'{key} must be a list of texts, found {value!r}')
        return tuple(value)

    def protocol(self) -> dict:
        if self.doc.get(('protocol',)) is None:
            return {}
        values = self.doc.mapping(('protocol',), PROTOCOL_FACTS, ())
        for key, value in values.items():
            parts = value if isinstance(value, list) and value else [value]
            if not all(type(part) in (int, str) for part in parts):
                raise self.doc.error(('protocol', key), f'{key} must be a number, text, list of '
                                     f'them, or any, found {value!r}')
        return values

    def code(self) -> tuple | None:
        if 'code' not in self.doc.get(()):
            return None
        globs = self.names('code')
        for i, glob in enumerate(globs):
            if not tracked_code([glob]).files:
                raise self.doc.error(('code', i), f'{glob!r} matches no source file, such as '
                                     'mmaction_ext/modules/dcf.py')
        return globs

    def columns(self) -> tuple:
        columns = {}
        for i in range(len(self.doc.items(('columns',)))):
            column = self.column(('columns', i), columns)
            columns[column.key] = column
        return tuple(columns.values())

    def column(self, where, earlier) -> Column:
        values = self.doc.mapping(where, _COLUMN_KEYS, ('key', 'head', 'from'))
        key = self.doc.text(where + ('key',))
        if key in earlier:
            raise self.doc.error(where + ('key',), f'two columns have the key {key!r}')
        column = Column(key, self.doc.text(where + ('head',)), self.doc.text(where + ('from',)),
                        self.scale(where), self.fmt(where),
                        self.doc.choice(where + ('best',), ('max', 'min', None), None),
                        self.relative_to(where, values), self.tolerance(where, values))
        self.check_source(where, column, earlier)
        return column

    def relative_to(self, where, values) -> str | None:
        if 'relative_to' not in values:
            return None
        value = values['relative_to']
        if value != 'reference' and not str(value).startswith('published.'):
            raise self.doc.error(where + ('relative_to',), f'relative_to {value!r} is neither '
                                 'reference nor published.<metric>')
        return value

    def tolerance(self, where, values) -> Fraction | None:
        if 'tolerance' not in values:
            return None
        value = values['tolerance']
        if type(value) not in (int, float) or not 0 <= value < float('inf'):
            raise self.doc.error(where + ('tolerance',),
                                 f'tolerance {value!r} is no number from 0 on')
        if not str(values.get('relative_to')).startswith('published.'):
            raise self.doc.error(where + ('tolerance',),
                                 'tolerance needs relative_to: published.<metric>')
        return exact(value)

    def scale(self, where) -> Fraction:
        value = self.doc.get(where + ('scale',), 1)
        if type(value) not in (int, float) or not 0 < abs(value) < float('inf'):
            raise self.doc.error(where + ('scale',), f'scale {value!r} is no number other than 0')
        return exact(value)

    def fmt(self, where) -> str:
        value = self.doc.get(where + ('fmt',), '.1f')
        try:
            check_format(value)
        except ValueError as error:
            raise self.doc.error(where + ('fmt',), f'fmt {error}') from error
        return value

    def check_source(self, where, column, earlier) -> None:
        place = where + ('from',)
        if column.kind == 'history' and column.source.split('/')[0] not in _PHASES:
            raise self.doc.error(place, f'metric {column.source!r} does not begin with one of '
                                 f'{", ".join(f"{phase}/" for phase in _PHASES)}')
        if column.kind == 'row' and (column.best or column.relative_to):
            raise self.doc.error(where, f'{column.source} holds marks, not numbers to compare')
        if column.kind == 'column':
            self.check_derived(where, column, earlier)
        elif column.relative_to:
            raise self.doc.error(place, f'relative_to needs the key of an earlier column, '
                                 f'found {column.source!r}')

    def check_derived(self, where, column, earlier) -> None:
        source = earlier.get(column.source)
        if source is None or source.kind == 'row':
            raise self.doc.error(where + ('from',), f'{column.source!r} is neither row.*, '
                                 'static.*, published.*, a metric like test/acc/top1, nor an '
                                 'earlier column of numbers')
        if column.relative_to is None:
            raise self.doc.error(where, f'{column.source!r} is a column: relative_to is missing')
        if 'scale' in self.doc.get(where):
            raise self.doc.error(where + ('scale',), f'{column.source!r} has been scaled already')

    def layout(self, columns) -> tuple:
        marks = {column.name for column in columns if column.kind == 'row'}
        published = self.published()
        rows = []
        for i, values in enumerate(self.doc.items(('rows',))):
            where = ('rows', i)
            if isinstance(values, dict) and 'section' in values:
                self.doc.mapping(where, {'section'}, ())
                rows.append(Section(self.doc.text(where + ('section',))))
            else:
                rows.append(self.row(where, marks, published))
        self.check_row_ids(rows)
        return tuple(rows)

    def row(self, where, marks, published) -> Row:
        values = self.doc.mapping(where, _ROW_KEYS | marks, ('id', *self.row_needs(where)))
        name = self.doc.text(where + ('id',))
        if not _ID.fullmatch(name):
            raise self.doc.error(where + ('id',), f'row id {name!r} is no plain name')
        return Row(name, self.doc.text(where + ('label',), name), self.config(where),
                   self.doc.line(where + ('config' if 'config' in values else 'id',)),
                   self.doc.choice(where + ('reference',), (True, False), False),
                   self.published_entry(where, published),
                   {key: self.mark(where + (key,)) for key in marks & values.keys()},
                   self.doc.text(where + ('reason',), '').strip(), self.mean_of(where),
                   self.doc.text(where + ('relative_to',), ''))

    def row_needs(self, where) -> tuple:
        """Keys that a row of this kind cannot do without."""
        values = self.doc.mapping(where, self.doc.get(where), ())
        kinds = [key for key in ('config', 'mean_of', 'reason') if key in values]
        if len(kinds) != 1:
            found = ' and '.join(kinds) or 'none of them'
            raise self.doc.error(where, 'a row has either a config, or mean_of, or a reason why '
                                 f'it has only published figures; found {found}')
        return ('published',) if kinds == ['reason'] else ()

    def mean_of(self, where) -> tuple:
        if 'mean_of' not in self.doc.get(where):
            return ()
        names = self.doc.items(where + ('mean_of',))
        if len(names) < 2 or any(name in names[:i] for i, name in enumerate(names)):
            raise self.doc.error(where + ('mean_of',), f'mean_of {names!r} must name two or more '
                                 'different rows')
        return tuple(names)

    def config(self, where) -> Path | None:
        if 'config' not in self.doc.get(where):
            return None
        name = self.doc.text(where + ('config',))
        path = Path(os.path.normpath(self.folder / name))
        if not path.is_file():
            raise self.doc.error(where + ('config',), f'config {path} does not exist')
        return path

    def mark(self, where):
        value = self.doc.get(where)
        return value if isinstance(value, bool) else self.doc.text(where)

    def published(self):
        if self.doc.get(('published',)) is None:
            return None
        path = Path(os.path.normpath(self.folder / self.doc.text(('published',))))
        if not path.is_file():
            raise self.doc.error(('published',), f'{path} does not exist')
        state = path.stat()
        return _read_published(path, (state.st_mtime_ns, state.st_size))

    def published_entry(self, where, published):
        if self.doc.get(where + ('published',)) is None:
            return None
        place = where + ('published',)
        if published is None:
            raise self.doc.error(place, 'the table names no published: file')
        try:
            return published.entry(self.doc.text(place))
        except InputError as error:
            raise self.doc.error(place, str(error)) from error

    def check_row_ids(self, rows) -> None:
        seen = set()
        for i, row in enumerate(rows):
            if isinstance(row, Row) and row.id in seen:
                raise self.doc.error(('rows', i), f'two rows have the id {row.id!r}')
            seen.add(getattr(row, 'id', None))
        if seen <= {None}:
            raise self.doc.error(('rows',), 'there is no row, only sections')

    def check_means(self, spec) -> None:
        configured = [row.id for row in spec.configured]
        for i, row in enumerate(spec.layout):
            unknown = [name for name in getattr(row, 'mean_of', ()) if name not in configured]
            if unknown:
                raise self.doc.error(('rows', i, 'mean_of'),
                                     f'{unknown[0]!r} is no row of this table with a config')

    def check_reference(self, spec) -> None:
        references = [row.id for row in spec.rows if row.reference]
        if len(references) > 1:
            raise self.doc.error(('rows',),
                                 f'more than one reference row: {", ".join(references)}')
        if references and spec.reference.is_published_only:
            raise self.doc.error(('rows', spec.layout.index(spec.reference), 'reference'),
                                 'a row of published figures alone cannot be the reference')
        if not references and any(column.relative for column in spec.columns):
            raise self.doc.error(('rows',), 'a column is relative_to the reference, '
                                 'but no row has reference: true')
        if spec.varies and not references:
            raise self.doc.error(('varies',), 'varies needs a row with reference: true')
        run = [row.id for row in spec.rows if not row.is_published_only]
        for i, row in enumerate(spec.layout):
            if getattr(row, 'relative_to', '') not in ('', *run):
                raise self.doc.error(('rows', i, 'relative_to'), f'{row.relative_to!r} is no row '
                                     'of this table with runs')

    def check_published(self, spec) -> None:
        known = {name for row in spec.rows if row.published
                 for name in row.published.figures}
        for i, column in enumerate(spec.columns):
            for key, source in (('from', column.source), ('relative_to', column.relative_to)):
                kind, _, name = str(source).partition('.')
                if kind == 'published' and name not in known:
                    raise self.doc.error(('columns', i, key),
                                         f'no published entry of this table has {name!r}')


@lru_cache(maxsize=16)
def _read_published(path, state) -> Published:
    """Many tables share one file; ``state`` tells an edited one from that before."""
    return Published(path)
