"""One self-contained HTML page: no script, no request, light and dark, readable on a phone.

What a page looks like is in ``templates``; every text that stands in one is escaped by the
template engine, on one line (:func:`mmaction_ext.tables.render.text.one_line`).
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmaction_ext.tables.cells import Cell, CellStatus, Table
from mmaction_ext.tables.render.text import one_line

_MINUS = re.compile(r'(?<![\w.-])-(?=\d)')  # of a number, not a hyphen
_BAD = (CellStatus.DIVERGED, CellStatus.FAILED, CellStatus.CONFLICT, CellStatus.UNTRUSTED)


def environment(*folders: Path) -> Environment:
    """Templates of some folders, and of the one for tables, in which every text is escaped.

    Args:
        folders: searched for a template before those for tables.
    """
    made = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).with_name('templates')]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(minus=_with_minus, tooltip=_tooltip, words=_words)
    made.globals.update(cell_id=cell_id, bad_statuses=_BAD)
    return made


def _shown(value: object) -> object:
    """What stands in a template for a value, which is escaped then unless it is HTML."""
    if isinstance(value, Markup):
        return value
    return '' if value is None else one_line(str(value))


def _with_minus(text: str) -> str:
    return _MINUS.sub('−', text)


def _words(text: str) -> list[str]:
    return one_line(text).split(' ')


def _tooltip(cell: Cell) -> str:
    """What each seed contributed, unrounded; of a difference of means, of which it is."""
    if cell.unpaired:
        return cell.note
    return ', '.join(
        f'{seed.unit} {seed.label}: '
        + (f'{float(seed.value)!r}' if seed.value is not None else seed.status.value)
        for seed in cell.seeds
    )


_environment = cache(environment)


def render(table: Table) -> str:
    """HTML page of a table."""
    return _environment().get_template('table_page.html.j2').render(table=table, addresses={})


def render_table(table: Table, addresses: Mapping[str, str] | None = None) -> Markup:
    """The table and its notes alone, for a page that brings its own style.

    Args:
        table: the table.
        addresses: row id to where the cells of the row lead that come from runs; those of other
            rows are no links.
    """
    template = _environment().get_template('table.html.j2')
    return Markup(template.render(table=table, addresses=addresses or {}))


def cell_id(table_id: str, row_id: str, column_key: str) -> str:
    """``id`` of a measured cell, for links to it; no two cells of any tables share one."""
    return f'{table_id}/{row_id}/{quote(column_key, safe="")}'
