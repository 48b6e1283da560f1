"""Text for a terminal: nothing that a name smuggles in, columns that fit, colour where wanted."""

import math
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmaction_ext.printable import clean
from mmaction_ext.tracking.ledger.format import to_json

__all__ = [
    'clean',
    'colour',
    'columns',
    'cut',
    'duration',
    'fold',
    'is_screen',
    'line_width',
    'print_json',
    'quantity',
    'width',
]

#: columns that sentences are folded to where no terminal says how many it has
WIDTH = 100
GAP = '  '
#: no column that is cut is made narrower
NARROWEST = 8
_COLOURS = {'red': 31, 'green': 32, 'yellow': 33, 'blue': 34, 'faint': 2}
_PREFIXES = (('E', 10**18), ('P', 10**15), ('T', 10**12), ('G', 10**9), ('M', 10**6), ('k', 1000))


def width(text: str) -> int:
    """Columns that a text takes on a terminal: East Asian characters two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        2
        if unicodedata.east_asian_width(char) in 'WF'
        else 0
        if unicodedata.combining(char)
        else 1
        for char in text
    )


def line_width() -> int | None:
    """Columns of the terminal that is written to; ``None`` where output goes elsewhere, whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_screen() -> bool:
    """Whether what is written to is a terminal that knows colours and how to clear itself."""
    return sys.stdout.isatty() and os.environ.get('TERM') != 'dumb'


def fold(text: str, first: str = '', rest: str = '', margin: int = 0) -> list[str]:
    """A sentence as lines that fit, none of its words broken.

    Args:
        text: the sentence.
        first, rest: what its first line and the others begin with.
        margin: columns to leave free.
    """
    return textwrap.wrap(
        text,
        max((line_width() or WIDTH) - margin, NARROWEST),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cut(text: str, limit: int | None) -> str:
    """The text, its end replaced by ``…`` where it is wider than ``limit`` columns."""
    if limit is None or width(text) <= limit:
        return text
    left = limit - 1
    for index, char in enumerate(text):
        left -= width(char)
        if left < 0:
            return text[:index] + '…'
    return text + '…'


def colour(text: str, name: str) -> str:
    """The text in a colour, on a terminal that knows colours; ``NO_COLOR`` is honoured."""
    if not name or os.environ.get('NO_COLOR') or not is_screen():
        return text
    return f'\x1b[{_COLOURS[name]}m{text}\x1b[0m'


def columns(
    rows: Iterable[Sequence[object]],
    heads: tuple[str, ...],
    right: tuple[str, ...] = (),
    elastic: tuple[int, ...] = (0,),
    colours: Mapping[str, str] | None = None,
) -> list[str]:
    """Lines of a table that is no wider than the terminal, if it goes to one.

    Args:
        rows: sequences of cells, one per head.
        heads: heads of the columns; a column in which no row has anything is left out.
        right: heads of the columns that are flush right.
        elastic: indices of the columns that give way where the lines are too long, in order.
        colours: word with which a cell begins to colour.
    """
    cells = [tuple(heads)] + [tuple(clean(cell) for cell in row) for row in rows]
    widths = [max((width(row[i]) for row in cells[1:]), default=0) for i in range(len(heads))]
    widths = [
        max(size, width(head)) if size else 0 for size, head in zip(widths, heads, strict=True)
    ]
    limit = line_width()
    for index in elastic:
        wanted = sum(size + len(GAP) for size in widths if size) - len(GAP)
        excess = wanted - limit if limit else 0
        if excess > 0 and widths[index]:
            widths[index] = max(min(NARROWEST, widths[index]), widths[index] - excess)
    return [_line(row, widths, [head in right for head in heads], colours or {}) for row in cells]


def _line(
    row: Sequence[str],
    widths: Sequence[int],
    flush_right: Sequence[bool],
    colours: Mapping[str, str],
) -> str:
    parts = []
    for cell, size, is_right in zip(row, widths, flush_right, strict=True):
        if size:
            shown = cut(cell, size)
            space = ' ' * (size - width(shown))
            shown = colour(shown, colours.get(cell.partition(' ')[0], ''))
            parts.append(space + shown if is_right else shown + space)
    return GAP.join(parts).rstrip()


def quantity(value: float | None) -> str:
    """A number with three digits and the prefix of its unit; empty for ``None``.

    >>> quantity(23_480_000_000)
    '23.5 G'
    """
    if value is None:
        return ''
    for prefix, size in _PREFIXES:
        if value >= size:
            scaled = value / size
            return f'{scaled:.{max(0, 2 - int(math.log10(scaled)))}f} {prefix}'
    return f'{value:g}'


def duration(seconds: float | None) -> str:
    """``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``; empty for ``None``."""
    if seconds is None:
        return ''
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 99.5:
        return f'{seconds:.0f} s'
    if minutes < 60:
        return f'{minutes} min'
    if hours < 24:
        return f'{minutes // 60} h {minutes % 60:02d} min'
    return f'{hours // 24} d {hours % 24} h'


def print_json(content: Any) -> None:
    """Print as JSON that every reader takes: NaN and infinity as text."""
    print(to_json(content, indent=1))
