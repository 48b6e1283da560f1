"""Keys of the table itself: its name, its seeds, and which results count."""

import re

from mmaction_ext.tables.code import tracked_code
from mmaction_ext.tables.protocol import PROTOCOL_FACTS
from mmaction_ext.tables.spec.model import Select, TableSpec

#: Where a metric is logged.
PHASES = ('train', 'val', 'test')
#: Files beside those of tables; their ends do not matter, nor does the case of letters.
_OTHER_FILES = ('complexity.csv', 'complexity.md', 'index.html', 'table.lock.json')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')


def read_settings(doc) -> dict:
    """All fields of a :class:`TableSpec` but its path, columns and layout.

    Args:
        doc: :class:`mmaction_ext.tables.document.Document` of a specification.

    Raises:
        InputError: one is of another kind than it should be.
    """
    return dict(
        id=_id(doc),
        caption=_caption(doc),
        seeds=_seeds(doc),
        select=read_select(doc, ('select',)) or Select(),
        split=doc.choice(('split',), PHASES, 'test'),
        note=doc.text(('note',), ''),
        row_head=doc.text(('row_head',), 'Model'),
        varies=_names(doc, 'varies'),
        protocol=_protocol(doc),
        code=_code(doc),
    )


def is_plain_name(text) -> bool:
    """Whether a text can be part of the name of a file anywhere."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text))


def _id(doc) -> str:
    name = doc.get(('id',))
    if not is_plain_name(name):
        raise doc.error(('id',), f'id {name!r} is no plain file name')
    for other in _OTHER_FILES:
        if name.lower() == other.rpartition('.')[0]:
            raise doc.error(('id',), f'id {name!r} is that of {other}, which is no table')
    return name


def _caption(doc) -> str:
    text = doc.text(('caption',))
    if not text.strip():
        raise doc.error(('caption',), 'the caption is empty')
    return text


def _seeds(doc) -> tuple:
    if doc.get(('seeds',)) is None:
        return TableSpec.seeds
    seeds = doc.items(('seeds',))
    for i, seed in enumerate(seeds):
        if type(seed) is not int or seed < 0 or seed in seeds[:i]:
            raise doc.error(
                ('seeds', i), f'seed {seed!r} is no whole number from 0 on, or given twice'
            )
    return tuple(sorted(seeds))


def read_select(doc, where) -> Select | None:
    """Which checkpoint counts, of the table or of one column; ``None`` where nothing is said.

    Raises:
        InputError: it is no selection.
    """
    if doc.get(where) is None:
        return None
    values = doc.mapping(where, {'policy', 'metric', 'mode'}, ('policy',))
    policy = doc.choice((*where, 'policy'), ('last', 'best'), None)
    metric = values.get('metric')
    if policy == 'last' and len(values) > 1:
        raise doc.error(where, 'policy last takes neither metric nor mode')
    if policy == 'best' and not str(metric).startswith('val/'):
        raise doc.error(where, f'policy best needs a val/ metric, found {metric!r}')
    return Select(policy, metric, doc.choice((*where, 'mode'), ('max', 'min'), 'max'))


def _names(doc, key) -> tuple:
    value = doc.get((key,), [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise doc.error((key,), f'{key} must be a list of texts, found {value!r}')
    return tuple(value)


def _protocol(doc) -> dict:
    if doc.get(('protocol',)) is None:
        return {}
    values = doc.mapping(('protocol',), PROTOCOL_FACTS, ())
    for key, value in values.items():
        parts = value if isinstance(value, list) and value else [value]
        if not all(type(part) in (int, str) for part in parts):
            raise doc.error(
                ('protocol', key),
                f'{key} must be a number, text, list of them, or any, found {value!r}',
            )
    return values


def _code(doc) -> tuple | None:
    if 'code' not in doc.get(()):
        return None
    globs = _names(doc, 'code')
    for i, glob in enumerate(globs):
        if not tracked_code([glob]).files:
            raise doc.error(
                ('code', i),
                f'{glob!r} matches no source file, such as mmaction_ext/modules/dcf.py',
            )
    return globs
