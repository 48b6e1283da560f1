"""The reference of ``table.yaml``, as Markdown, from what checks such files.

``python -m mmaction_ext.tables.spec.reference`` writes it into ``README.md`` beside this file.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mmaction_ext.files.writing import write_output
from mmaction_ext.tables import spec
from mmaction_ext.tables.document import Entries, Entry
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tables.spec.model import Column, Drawing, Row, Runs, Section, Select, TableSpec

FILE = Path(__file__).with_name('README.md')
#: mappings of a file, to what the reference calls them
SECTIONS: dict[type[Entry], str] = {
    TableSpec: 'The table',
    Row: 'Rows',
    Section: 'Sections',
    Column: 'Columns',
    Select: 'Select',
    Runs: 'Runs',
    Drawing: 'Figure',
}
_WORDS = {
    str: 'text',
    int: 'whole number',
    float: 'number',
    Fraction: 'number',
    bool: 'true or false',
    Path: 'file',
    PublishedEntry: 'name of an entry',
    Any: 'any value',
}


def text() -> str:
    """The whole reference."""
    head, _, body = inspect.cleandoc(spec.__doc__ or '').partition('\n\n')
    parts = [
        '# `table.yaml`',
        _markdown(head),
        'Made from the code that reads them, by `python -m mmaction_ext.tables.spec.reference`.',
        _markdown(body),
    ]
    for entry, title in SECTIONS.items():
        parts += [f'## {title}', *_section(entry)]
    return '\n\n'.join(parts) + '\n'


def _section(entry: type[Entry]) -> Iterator[str]:
    described, _, listed = inspect.cleandoc(entry.__doc__ or '').partition('\n\nAttributes:\n')
    yield _markdown(described)
    meanings = _attributes(listed)
    # as of a mapping without any key in it
    filled = entry._defaults(Entries(), {}, SimpleNamespace(get=lambda where: None, path=Path()))  # type: ignore[arg-type]
    lines = ['| key | value | without it | |', '|---|---|---|---|']
    for name, known in entry.__pydantic_fields__.items():  # type: ignore[attr-defined]
        key = known.alias or name
        if key.startswith('<'):
            continue
        is_required = known.is_required() and key not in filled
        default = (
            'an error' if is_required else _default(known.get_default(call_default_factory=True))
        )
        value = _value(known.annotation)
        lines.append(f'| `{key}` | {value} | {default} | {meanings[name]} |')
    yield '\n'.join(lines)


def _attributes(listed: str) -> dict[str, str]:
    """Attributes of a docstring to what it says of them, as text of a cell."""
    found = re.findall(r'^ {4}(\w+): (.*(?:\n {8}.*)*)', listed, re.MULTILINE)
    return {name: _markdown(' '.join(said.split())).replace('|', r'\|') for name, said in found}


def _markdown(docstring: str) -> str:
    docstring = re.sub(r':\w+:`[^`]*?(\w+)`', r'``\1``', docstring)
    return docstring.replace('``', '`').replace('::\n', ':\n')


def _value(kind: Any) -> str:
    """A type, in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in SECTIONS:
        title = SECTIONS[kind].lower()
        return f'[{title}](#{title.replace(" ", "-")})'
    if origin is Annotated:
        return _value(parts[0])
    if origin is Literal:
        return ', '.join(f'`{part}`' for part in parts)
    if origin in (Union, types.UnionType):
        return ' or '.join(dict.fromkeys(_value(part) for part in parts if part is not type(None)))
    if origin is tuple:
        return f'list of {_value(parts[0])}'
    if origin is dict:
        return f'mapping of {_value(parts[0])} to {_value(parts[1])}'
    return _WORDS[kind]


def _default(value: Any) -> str:
    if isinstance(value, Select):
        return f'`{{policy: {value}}}`'
    if isinstance(value, tuple) and value:
        return f'`[{", ".join(map(str, value))}]`'
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    return f'`{value}`' if isinstance(value, (str, Fraction)) and value else '–'


if __name__ == '__main__':
    write_output(FILE, text())
