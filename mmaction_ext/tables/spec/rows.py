"""The rows of a specification, the sections between them, and what papers print for them."""

import os
from functools import lru_cache
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables.published import Published, PublishedEntry
from mmaction_ext.tables.spec.model import Row, Section
from mmaction_ext.tables.spec.settings import is_plain_name

_KEYS = {'id', 'config', 'label', 'reference', 'published', 'reason', 'mean_of', 'relative_to'}


def read_layout(doc, columns) -> tuple:
    """The :class:`Row` or :class:`Section` of each entry of ``rows``.

    Args:
        doc: :class:`mmaction_ext.tables.document.Document` of a specification.
        columns: its :class:`Column` tuple; a row may hold a mark for each of kind ``row``.

    Raises:
        InputError: an entry is no row, or names a config or a published figure that is not there.
    """
    marks = {column.name for column in columns if column.kind == 'row'}
    published = _published_file(doc)
    layout = [
        _section(doc, ('rows', i))
        if isinstance(values, dict) and 'section' in values
        else _row(doc, ('rows', i), marks, published)
        for i, values in enumerate(doc.items(('rows',)))
    ]
    _check_ids(doc, layout)
    return tuple(layout)


def _section(doc, where) -> Section:
    doc.mapping(where, {'section'}, ())
    return Section(doc.text(where + ('section',)))


def _row(doc, where, marks, published) -> Row:
    values = doc.mapping(where, _KEYS | marks, ('id', *_needs(doc, where)))
    name = doc.text(where + ('id',))
    if not is_plain_name(name):
        raise doc.error(where + ('id',), f'row id {name!r} is no plain name')
    return Row(
        name,
        doc.text(where + ('label',), name),
        _config(doc, where),
        doc.line(where + ('config' if 'config' in values else 'id',)),
        doc.choice(where + ('reference',), (True, False), False),
        _published_entry(doc, where, published),
        {key: _mark(doc, where + (key,)) for key in marks & values.keys()},
        doc.text(where + ('reason',), '').strip(),
        _mean_of(doc, where),
        doc.text(where + ('relative_to',), ''),
    )


def _needs(doc, where) -> tuple:
    """Keys that a row of this kind cannot do without."""
    values = doc.mapping(where, doc.get(where), ())
    kinds = [key for key in ('config', 'mean_of', 'reason') if key in values]
    if len(kinds) != 1:
        found = ' and '.join(kinds) or 'none of them'
        raise doc.error(
            where,
            'a row has either a config, or mean_of, or a reason why it has '
            f'only published figures; found {found}',
        )
    return ('published',) if kinds == ['reason'] else ()


def _mean_of(doc, where) -> tuple:
    if 'mean_of' not in doc.get(where):
        return ()
    names = doc.items(where + ('mean_of',))
    if len(names) < 2 or any(name in names[:i] for i, name in enumerate(names)):
        raise doc.error(
            where + ('mean_of',), f'mean_of {names!r} must name two or more different rows'
        )
    return tuple(names)


def _config(doc, where) -> Path | None:
    if 'config' not in doc.get(where):
        return None
    path = _beside(doc, where + ('config',))
    if not path.is_file():
        raise doc.error(where + ('config',), f'config {path} does not exist')
    return path


def _beside(doc, where) -> Path:
    """A path in a specification, which is relative to its folder."""
    return Path(os.path.normpath(doc.path.parent / doc.text(where)))


def _mark(doc, where) -> bool | str:
    value = doc.get(where)
    return value if isinstance(value, bool) else doc.text(where)


def _published_file(doc) -> Published | None:
    if doc.get(('published',)) is None:
        return None
    path = _beside(doc, ('published',))
    if not path.is_file():
        raise doc.error(('published',), f'{path} does not exist')
    state = path.stat()
    return _read_published(path, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _read_published(path, state) -> Published:
    """Many tables share one file; ``state`` tells an edited one from that before."""
    return Published(path)


def _published_entry(doc, where, published) -> PublishedEntry | None:
    place = where + ('published',)
    if doc.get(place) is None:
        return None
    if published is None:
        raise doc.error(place, 'the table names no published: file')
    try:
        return published.entry(doc.text(place))
    except InputError as error:
        raise doc.error(place, str(error)) from error


def _check_ids(doc, layout) -> None:
    seen = set()
    for i, row in enumerate(layout):
        if isinstance(row, Row) and row.id in seen:
            raise doc.error(('rows', i), f'two rows have the id {row.id!r}')
        seen.add(getattr(row, 'id', None))
    if seen <= {None}:
        raise doc.error(('rows',), 'there is no row, only sections')
