"""Addresses inside the page.

Ids have their kind in front and colons between their parts. A colon stands in no part, so that
no two of them are equal, nor equal to one of :func:`mmaction_ext.tables.render.html.render_table`.
"""

import re

from mmaction_ext.tables.cells import Table, TableRow
from mmaction_ext.tables.run_summary import RunSummary

_UNSAFE = re.compile(r'[^A-Za-z0-9_.-]')


def slug(text: str) -> str:
    """Text as part of an id; other texts give other slugs."""
    return _UNSAFE.sub(lambda match: f'~{ord(match[0]):x}~', text)


def section_id(table: Table) -> str:
    """Id of a table's section."""
    return f'table:{slug(table.id)}'


def seeds_id(table: Table, row: TableRow) -> str:
    """Id of the place that lists the seeds of a row."""
    return f'seeds:{slug(table.id)}:{slug(row.id)}'


def figure_id(table: Table, *kind: str) -> str:
    """Id of a figure."""
    return ':'.join(map(slug, ('figure', table.id, *kind)))


def run_id(run: RunSummary) -> str:
    """Id of a run's section; of numbers without a run behind them, that of their config."""
    if run.uid:
        return f'run:{slug(run.uid)}:{slug(run.job_type)}'
    return f'imported:{slug(run.config or "")}:{run.seed}:{slug(run.config_hash or "")}'


def absent_run_id(uid: str) -> str:
    """Id of the section of a run that is known only from what a table took from it."""
    return f'run:{slug(uid)}'
