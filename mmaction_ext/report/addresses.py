"""Addresses, most of them inside the page, and texts made safe for the places they go to.

Ids have their kind in front and colons between their parts. A colon stands in no part, so that
no two of them are equal, nor equal to one of :func:`mmaction_ext.tables.render.html.render_table`.
"""

import json
import re
from html import escape as _escape_html

from mmaction_ext.tables.render.html import escape
from mmaction_ext.tables.render.text import one_line
from mmaction_ext.tracking.reading.record import is_web_address

_UNSAFE = re.compile(r'[^A-Za-z0-9_.-]')
#: What could end a script element, or a line of JavaScript, inside JSON.
_JSON_ESCAPES = {ord(char): f'\\u{ord(char):04x}' for char in '<>&\u2028\u2029'}


def slug(text: str) -> str:
    """Text as part of an id; other texts give other slugs."""
    return _UNSAFE.sub(lambda match: f'~{ord(match[0]):x}~', text)


def section_id(table) -> str:
    """Id of a table's section."""
    return f'table:{slug(table.id)}'


def seeds_id(table, row) -> str:
    """Id of the place that lists the seeds of a row."""
    return f'seeds:{slug(table.id)}:{slug(row.id)}'


def figure_id(table, *kind: str) -> str:
    """Id of a figure."""
    return ':'.join(map(slug, ('figure', table.id, *kind)))


def run_id(record) -> str:
    """Id of a run's section; of numbers without a run behind them, that of their config."""
    if record.uid:
        return f'run:{slug(record.uid)}:{slug(record.job_type)}'
    return f'imported:{slug(record.config or "")}:{record.seed}:{slug(record.config_hash or "")}'


def absent_run_id(uid: str) -> str:
    """Id of the section of a run that is known only from what a table took from it."""
    return f'run:{slug(uid)}'


def web_link(address: str, text: str = '', label: str = '') -> str:
    """HTML of a link out of the page, as to a run at W&B.

    Args:
        address: what it leads to; may come from anywhere.
        text: what is shown, the address if empty.
        label: what it is called for those who do not see the page, if not by its text.

    Returns:
        Empty for what is no address of the web.
    """
    if not is_web_address(address):
        return ''
    name = f' aria-label="{escape(label)}"' if label else ''
    return (
        f'<a href="{escape(address)}" rel="noreferrer noopener"{name}>'
        f'{escape(text or address)}</a>'
    )


def embedded_json(value) -> str:
    """JSON that may stand inside a script element; the same bytes for the same value.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(',', ':'), allow_nan=False, ensure_ascii=False
    )
    return text.translate(_JSON_ESCAPES)


def figure_text(text: str) -> str:
    """Text for a figure, whose library takes texts for HTML."""
    return _escape_html(one_line(text), quote=False)
