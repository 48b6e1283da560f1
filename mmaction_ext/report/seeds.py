"""What stands behind the cells of a table: every seed's values, and links to its runs."""

import re

from mmaction_ext.report.addresses import absent_run_id, run_id, seeds_id, web_link
from mmaction_ext.report.table_parts import rows_with_runs
from mmaction_ext.tables.cells import CellStatus, format_number
from mmaction_ext.tables.render.html import escape

_CELL = re.compile(r'(<td\b[^>]*>)(.*?)(</td>)', re.DOTALL)


def link_cells(fragment: str, table) -> str:
    """Link every cell that comes from runs to the seeds of its row.

    Args:
        fragment: the table as :func:`mmaction_ext.tables.render.html.render_table` gives it.
        table: the table.
    """
    addressed = [row.id for row in rows_with_runs(table)]
    cells = iter([(row, cell) for row in table.body for cell in row.cells])

    def link(match):
        row, cell = next(cells)
        if not cell.runs or row.id not in addressed:
            return match[0]
        return f'{match[1]}<a href="#{seeds_id(table, row)}">{match[2]}</a>{match[3]}'

    return _CELL.sub(link, fragment)


def seeds_table(table, runs: dict) -> str:
    """HTML of the seeds of every row that has runs; empty where none has.

    Args:
        table: the table.
        runs: uid to the list of :class:`RunRecord` with that id.
    """
    columns = [i for i, column in enumerate(table.columns) if column.kind == 'history']
    rows = rows_with_runs(table)
    if not rows:
        return ''
    heads = [table.row_head, 'Seed', *(table.columns[i].head for i in columns), 'Runs']
    head = ''.join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = [
        '<details class="seeds">',
        '<summary>Seeds and their runs</summary>',
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="Seeds: {escape(table.caption)}">',
        '<table>',
        f'<thead><tr>{head}</tr></thead>',
    ]
    lines += [_row_seeds(table, row, columns, runs) for row in rows]
    return '\n'.join(lines + ['</table>', '</div>', '</details>'])


def _row_seeds(table, row, columns, runs) -> str:
    results = list(zip(*(row.cells[i].seeds for i in columns), strict=True))
    head = (
        f'<th scope="rowgroup" rowspan="{len(results)}" id="{seeds_id(table, row)}">'
        f'{escape(row.label)}</th>'
    )
    lines = [
        f'<tr>{head if k == 0 else ""}{_seed(table, columns, seed, runs)}</tr>'
        for k, seed in enumerate(results)
    ]
    return '\n'.join(['<tbody>', *lines, '</tbody>'])


def _seed(table, columns, results, runs) -> str:
    values = [_value(result, table.columns[i]) for i, result in zip(columns, results, strict=True)]
    uids = sorted({uid for result in results for uid in result.runs})
    links = [link for uid in uids for link in _run_links(uid, runs)]
    return (
        f'<td>{results[0].seed}</td>'
        + ''.join(f'<td>{value}</td>' for value in values)
        + f'<td class="links">{" ".join(links) or "–"}</td>'
    )


def _run_links(uid, runs) -> list:
    """Links to a run: of its training, of tests of its checkpoints, and to its pages at W&B."""
    records = runs.get(uid, ())
    if not records:
        return [_link(absent_run_id(uid), uid)]
    pages = [
        web_link(page, 'W&B', f'run {uid} at W&B')
        for page in dict.fromkeys(record.url for record in records)
    ]
    return [_link(run_id(record), uid, record.job_type) for record in records] + [
        page for page in pages if page
    ]


def _value(result, column) -> str:
    if result.status is not CellStatus.OK:
        return f'<span class="state" title="{escape(result.reason)}">{result.status.value}</span>'
    number = format_number(result.value, column.fmt).replace('-', '−')
    return f'<span title="{float(result.value)!r}">{number}</span>'


def _link(address, uid, job_type='train') -> str:
    kind = '' if job_type == 'train' else f' {escape(job_type)}'
    return (
        f'<a href="#{address}" aria-label="run {escape(uid)}{kind}">'
        f'<code>{escape(uid[:8])}</code>{kind}</a>'
    )
