"""GitHub-flavoured Markdown, padded so that it also reads well in a terminal."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import Cell, Table, TableRow
from mmaction_ext.tables.render.text import one_line
from mmaction_ext.tables.seed_cells import cells_difference

_SPECIAL = re.compile(r'([\\`*_\[\]|~$])')
_LIST_OR_HEADING = re.compile(r'^(\d*)([-+=#.)])')
_CELL = re.compile(
    r'(<!-- *cell: *(\S+) +(\S+) +(\S+)(?: +- +(\S+) +(\S+) +(\S+))? *-->).*?<!-- /cell -->'
)
_BEGIN, _END = re.compile(r'<!-- *table: *(.*?) *--> *'), '<!-- /table -->'
#: letters of the names of rows and columns that stand under a table; of more, `explain` tells
MOST_NAMED = 300
_ENTITIES = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


def escape(text: str) -> str:
    """Text as Markdown that shows exactly this text, on one line, inside a line."""
    text = ''.join(_ENTITIES.get(char, char) for char in one_line(text))
    return _SPECIAL.sub(r'\\\1', text)


def _paragraph(text: str) -> str:
    """:func:`escape` for a text that begins a line."""
    return _LIST_OR_HEADING.sub(r'\1\\\2', escape(text))


def render(table: Table) -> str:
    """Markdown of a table, as a page of its own."""
    return f'{within_text(table)}\n{_way_to_the_runs(table)}\n'


def _way_to_the_runs(table: Table) -> str:
    """How `explain` is asked about a number of a table."""
    rows = ', '.join(row.id for row in table.body)
    columns = one_line(', '.join(column.key for column in table.columns))
    if len(rows + columns) > MOST_NAMED or '`' in columns:
        return (
            f'`mmaction-ext explain {table.id}` lists the rows and columns; with one of each, it '
            'leads from a number to its runs.'
        )
    return (
        f'`mmaction-ext explain {table.id} ROW COLUMN` leads from a number to its runs; rows: '
        f'`{rows}`; columns: `{columns}`.'
    )


def within_text(table: Table) -> str:
    """A table with its notes, as it stands within a text."""
    lines = [f'**{escape(table.caption)}**', '']
    lines += _grid(table)
    notes = [f'**Warning:** {escape(text)}' for text in table.warnings]
    notes += [f'<sup>{letter}</sup> {escape(text)}' for letter, text in table.footnotes]
    notes += [_paragraph(text) for text in table.notes]
    for note in notes:
        lines += ['', note]
    return '\n'.join(lines) + '\n'


def embed(
    text: str, tables: Sequence[Table], path: str | Path = 'document', every: bool = False
) -> str:
    """Put tables, and single cells of them, where a document asks for them.

    Args:
        text: Markdown in which ``<!-- table: ID -->`` and ``<!-- /table -->``, each on a line
            of its own, enclose what an earlier call put there; within a line,
            ``<!-- cell: ID ROW COLUMN -->`` and ``<!-- /cell -->`` do, or, for the difference of
            two cells, ``<!-- cell: ID ROW COLUMN - ID ROW COLUMN -->``.
        tables: tables; those the document does not name are left out.
        path: the document's file, for messages.
        every: whether these are all tables there are. If not, what the document holds of others
            stays.

    Returns:
        The document.

    Raises:
        InputError: a place has no end, a table lacks a cell's row or column, two cells cannot be
            compared or, with ``every``, no table has an id; the message names file, line and id.
    """
    by_id = {table.id: table for table in tables}
    lines = [
        _with_cells(line, by_id, f'{path}:{number}', every)
        for number, line in enumerate(text.split('\n'), start=1)
    ]
    places = _places(lines, path)
    for begin, _, name in places if every else ():
        if name not in by_id:
            raise InputError(f'{path}:{begin + 1}: there is no table {name!r}')
    for begin, end, name in reversed(places):
        if name in by_id:
            lines[begin + 1 : end] = [f'\n{within_text(by_id[name])}']
    return '\n'.join(lines)


def _with_cells(line: str, tables: Mapping[str, Table], place: str, every: bool) -> str:
    """A line with its cells, and differences of two cells, as they are in the tables."""

    def renewed(match: re.Match[str]) -> str:
        places = [each for each in (match.group(2, 3, 4), match.group(5, 6, 7)) if each[0]]
        unknown = [name for name, *_ in places if name not in tables]
        if unknown and every:
            raise InputError(f'{place}: there is no table {unknown[0]!r}')
        if unknown:
            return match[0]
        try:
            found = [
                (tables[name].cell(*key), tables[name].column(key[1])) for name, *key in places
            ]
            cell = found[0][0] if len(found) == 1 else cells_difference(*found[0], *found[1])
        except InputError as error:
            raise InputError(f'{place}: {error}') from error
        return f'{match[1]}{escape(cell.text)}<!-- /cell -->'

    done = _CELL.sub(renewed, line)
    if len(re.findall('<!-- *cell:', line)) > len(_CELL.findall(line)):
        raise InputError(
            f'{place}: a place of a cell has no end on its line, or is none: it is written '
            '<!-- cell: TABLE ROW COLUMN --><!-- /cell -->, or with TABLE ROW COLUMN - TABLE ROW '
            'COLUMN for a difference'
        )
    return done


def _places(lines: Sequence[str], path: str | Path) -> list[tuple[int, int, str]]:
    """(index of the first line, index of the last line, id) of each place for a table."""
    found = [(i, match[1]) for i, match in enumerate(map(_BEGIN.fullmatch, lines)) if match]
    places = []
    for (begin, name), (after, _) in zip(found, [*found[1:], (len(lines), '')], strict=False):
        if _END not in lines[begin:after]:
            raise InputError(
                f'{path}:{begin + 1}: the place of table {name!r} has no end: no '
                f'line {_END} follows before another one begins'
            )
        places.append((begin, lines.index(_END, begin), name))
    return places


def _grid(table: Table) -> list[str]:
    head = [table.row_head] + [column.head for column in table.columns]
    rows = [[escape(text) for text in head]]
    rows[0][0] += _raised(table.head_mark)
    for row in table.rows:
        label = escape(row.label)
        if row.is_section:
            rows.append([f'*{label}*'] + [''] * len(table.columns))
        else:
            rows.append([label + _mark(row)] + [_cell(cell) for cell in row.cells])
    widths = [max(3, *(_width(row[i]) for row in rows)) for i in range(len(head))]
    rule = ['-' * widths[0]] + [f':{"-" * (width - 2)}:' for width in widths[1:]]
    return [_line(row, widths) for row in (rows[0], rule, *rows[1:])]


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.best:
        text = f'**{text}**'
    return text + _mark(cell)


def _mark(noted: Cell | TableRow) -> str:
    return _raised(noted.mark)


def _raised(mark: str) -> str:
    return f'<sup>{mark}</sup>' if mark else ''


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [text + ' ' * (width - _width(text)) for text, width in zip(row, widths, strict=True)]
    return f'| {" | ".join(padded)} |'


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in 'WF' for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
