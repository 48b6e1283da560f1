"""The columns of a specification, and what each may take its numbers from."""

from fractions import Fraction

from mmaction_ext.tables.cells import check_format, exact
from mmaction_ext.tables.spec.model import Column
from mmaction_ext.tables.spec.settings import PHASES, read_select

_KEYS = {'key', 'head', 'from', 'scale', 'fmt', 'best', 'relative_to', 'tolerance', 'select'}


def read_columns(doc) -> tuple:
    """The :class:`Column` of each entry of ``columns``.

    Args:
        doc: :class:`mmaction_ext.tables.document.Document` of a specification.

    Raises:
        InputError: an entry is no column, or takes its numbers from where there are none.
    """
    columns = {}
    for i in range(len(doc.items(('columns',)))):
        column = _column(doc, ('columns', i), columns)
        columns[column.key] = column
    return tuple(columns.values())


def _column(doc, where, earlier) -> Column:
    values = doc.mapping(where, _KEYS, ('key', 'head', 'from'))
    key = doc.text(where + ('key',))
    if key in earlier:
        raise doc.error(where + ('key',), f'two columns have the key {key!r}')
    column = Column(
        key,
        doc.text(where + ('head',)),
        doc.text(where + ('from',)),
        _scale(doc, where),
        _fmt(doc, where),
        doc.choice(where + ('best',), ('max', 'min', None), None),
        _relative_to(doc, where, values),
        _tolerance(doc, where, values),
        read_select(doc, where + ('select',)),
    )
    _check_source(doc, where, column, earlier)
    return column


def _relative_to(doc, where, values) -> str | None:
    if 'relative_to' not in values:
        return None
    value = values['relative_to']
    if value != 'reference' and not str(value).startswith('published.'):
        raise doc.error(
            where + ('relative_to',),
            f'relative_to {value!r} is neither reference nor published.<metric>',
        )
    return value


def _tolerance(doc, where, values) -> Fraction | None:
    if 'tolerance' not in values:
        return None
    value = values['tolerance']
    if type(value) not in (int, float) or not 0 <= value < float('inf'):
        raise doc.error(where + ('tolerance',), f'tolerance {value!r} is no number from 0 on')
    if not str(values.get('relative_to')).startswith('published.'):
        raise doc.error(where + ('tolerance',), 'tolerance needs relative_to: published.<metric>')
    return exact(value)


def _scale(doc, where) -> Fraction:
    value = doc.get(where + ('scale',), 1)
    if type(value) not in (int, float) or not 0 < abs(value) < float('inf'):
        raise doc.error(where + ('scale',), f'scale {value!r} is no number other than 0')
    return exact(value)


def _fmt(doc, where) -> str:
    value = doc.get(where + ('fmt',), '.1f')
    try:
        check_format(value)
    except ValueError as error:
        raise doc.error(where + ('fmt',), f'fmt {error}') from error
    return value


def _check_source(doc, where, column, earlier) -> None:
    place = where + ('from',)
    if column.kind == 'history' and column.source.split('/')[0] not in PHASES:
        raise doc.error(
            place,
            f'metric {column.source!r} does not begin with one of '
            f'{", ".join(f"{phase}/" for phase in PHASES)}',
        )
    if column.select and column.kind != 'history':
        raise doc.error(
            where + ('select',),
            f'{column.source!r} is no logged metric, of which a checkpoint could be selected',
        )
    if column.kind == 'row' and (column.best or column.relative_to):
        raise doc.error(where, f'{column.source} holds marks, not numbers to compare')
    if column.kind == 'column':
        _check_derived(doc, where, column, earlier)
    elif column.relative_to:
        raise doc.error(
            place, f'relative_to needs the key of an earlier column, found {column.source!r}'
        )


def _check_derived(doc, where, column, earlier) -> None:
    source = earlier.get(column.source)
    if source is None or source.kind == 'row':
        raise doc.error(
            where + ('from',),
            f'{column.source!r} is neither row.*, static.*, '
            'published.*, a metric like test/acc/top1, nor an earlier column of '
            'numbers',
        )
    if column.relative_to is None:
        raise doc.error(where, f'{column.source!r} is a column: relative_to is missing')
    if 'scale' in doc.get(where):
        raise doc.error(where + ('scale',), f'{column.source!r} has been scaled already')
