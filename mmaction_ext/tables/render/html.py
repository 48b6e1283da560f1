"""One self-contained HTML page: no script, no request, light and dark, readable on a phone."""

import re
from html import escape as _escape_html
from urllib.parse import quote

from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.render.text import one_line

#: How :func:`render_table` looks, on a page that names these colours.
TABLE_STYLE = """
.scroll { overflow-x: auto; border-block: 2px solid var(--ink); width: fit-content;
  max-width: 100%; background:
    linear-gradient(to left, var(--page) 1.5rem, transparent) right / 3rem 100% local,
    linear-gradient(to left, var(--shade), transparent) right / .9rem 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .75rem; text-align: center; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom;
  line-height: 1.3; white-space: normal; text-wrap: balance; max-width: 9rem; }
tbody tr + tr > * { border-top: 1px solid var(--faint); }
tbody tr:hover > * { background: var(--band); }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--page);
  min-width: 9rem; max-width: 18rem; white-space: normal; overflow-wrap: break-word; }
tbody th { font-weight: 500; line-height: 1.35; }
tr.section th { font-style: italic; color: var(--soft); max-width: none; padding-top: 1rem; }
thead span { white-space: nowrap; }
.std { color: var(--soft); font-weight: 400; font-size: .88em; }
[data-status="out of tolerance"] .std { color: var(--bad); }
[data-status="imported"] .std { color: var(--warn); }
.best { font-weight: 700; color: var(--accent); }
.na { color: var(--soft); }
.state { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .85em;
  color: var(--warn); background: var(--warn-page); }
.bad { color: var(--bad); background: var(--bad-page); }
sup { font-size: .7em; line-height: 0; margin-left: .15em; color: var(--soft); }
.notes { margin-top: 1.1rem; font-size: .875rem; color: var(--soft); max-width: 60rem;
  overflow-wrap: anywhere; }
.notes p { margin: .3rem 0; }
.notes .warning { color: var(--bad); background: var(--bad-page); padding: .5rem .8rem;
  border-radius: .4rem; }
""".strip()
#: The same on a phone.
NARROW_TABLE_STYLE = """
th, td { padding: .45rem .55rem; }
  th:first-child { max-width: 8.5rem; min-width: 6.5rem; } thead th { max-width: 6.5rem; }
""".strip()

_STYLE = (
    """
:root { color-scheme: light dark;
  --page: #ffffff; --ink: #1d2430; --soft: #5c6675; --faint: #e3e7ed; --band: #f6f7f9;
  --shade: #1d243030; --accent: #0b5cad;
  --warn: #8a5300; --warn-page: #fff3dc; --bad: #a11b2b; --bad-page: #fde9eb; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14181f; --ink: #e4e8ee; --soft: #9aa5b4; --faint: #2a313c; --band: #1c222b;
  --shade: #000000a0; --accent: #7db8f5;
  --warn: #f0bd6a; --warn-page: #3a2c12; --bad: #ff9ba6; --bad-page: #43191f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 100rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 1.25rem; text-wrap: balance;
  overflow-wrap: anywhere; }
"""
    + TABLE_STYLE
    + """
@media (max-width: 40rem) {
  main { padding: 1.1rem .8rem 2rem; } h1 { font-size: 1.12rem; margin-bottom: .9rem; }
  body { font-size: 15px; } """
    + NARROW_TABLE_STYLE
    + """ }
@media print { .scroll { overflow: visible; } }
"""
).strip()

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MINUS = re.compile(r'(?<![\w.-])-(?=\d)')  # of a number, not a hyphen
_BAD = (CellStatus.DIVERGED, CellStatus.FAILED, CellStatus.CONFLICT, CellStatus.UNTRUSTED)


def escape(text: str) -> str:
    """Text as HTML, for elements and quoted attributes alike, on one line."""
    return _escape_html(one_line(text), quote=True)


def render(table) -> str:
    """HTML page of a :class:`mmaction_ext.tables.cells.Table`."""
    title = escape(table.caption)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_STYLE}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{render_table(table)}
</main>
</body>
</html>
"""


def render_table(table) -> str:
    """The table and its notes alone, for a page that brings its own style."""
    lines = [
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}">',
        f'<table id="{escape(table.id)}">',
        '<thead>',
        _head(table),
        '</thead>',
        '<tbody>',
    ]
    lines += [_row(row, table) for row in table.rows]
    lines += ['</tbody>', '</table>', '</div>', '<div class="notes">']
    lines += [f'<p class="warning">Warning: {escape(text)}</p>' for text in table.warnings]
    lines += [f'<p><sup>{letter}</sup> {escape(text)}</p>' for letter, text in table.footnotes]
    lines += [f'<p>{escape(text)}</p>' for text in table.notes]
    return '\n'.join(lines + ['</div>'])


def _head(table) -> str:
    heads = [table.row_head] + [column.head for column in table.columns]
    return '<tr>' + ''.join(f'<th scope="col">{_words(head)}</th>' for head in heads) + '</tr>'


def _words(text) -> str:
    """Escaped text that breaks between words only, not at the hyphen of Top-1."""
    return ' '.join(f'<span>{escape(word)}</span>' for word in one_line(text).split(' '))


def _row(row, table) -> str:
    label = escape(row.label)
    if row.is_section:
        width = len(table.columns) + 1
        return f'<tr class="section"><th colspan="{width}" scope="rowgroup">{label}</th></tr>'
    cells = ''.join(
        _cell(cell, cell_id(table.id, row.id, column.key))
        for cell, column in zip(row.cells, table.columns, strict=True)
    )
    return (
        f'<tr id="{escape(table.id)}-{escape(row.id)}">'
        f'<th scope="row">{label}{_mark(row)}</th>{cells}</tr>'
    )


def cell_id(table_id: str, row_id: str, column_key: str) -> str:
    """``id`` of a measured cell, for links to it; no two cells of any tables share one."""
    return f'{table_id}/{row_id}/{quote(column_key, safe="")}'


def _cell(cell, name) -> str:
    attributes = [f'data-status="{cell.status.value}"']
    if cell.seeds:
        attributes += [f'id="{escape(name)}"', f'title="{escape(_tooltip(cell))}"']
    if cell.runs:
        attributes.append(f'data-runs="{escape(" ".join(cell.runs))}"')
    return f'<td {" ".join(attributes)}>{_body(cell)}{_mark(cell)}</td>'


def _mark(noted) -> str:
    return f'<sup>{noted.mark}</sup>' if noted.mark else ''


def _body(cell) -> str:
    if cell.number:
        rest = escape(_MINUS.sub('−', cell.text[len(cell.number) :]))
        number = escape(cell.number.replace('-', '−'))
        number = f'<span class="best">{number}</span>' if cell.best else number
        return number + (f'<span class="std"> {rest}</span>' if rest else '')
    text = escape(cell.text)
    if cell.status is CellStatus.OK:
        return text
    if cell.status is CellStatus.NOT_APPLICABLE:
        return f'<span class="na">{text}</span>'
    kind = 'state bad' if cell.status in _BAD else 'state'
    return f'<span class="{kind}">{text}</span>'


def _tooltip(cell) -> str:
    """What each seed contributed, unrounded; of a difference of means, of which it is."""
    if cell.unpaired:
        return cell.note
    return ', '.join(
        f'seed {seed.seed}: '
        + (f'{float(seed.value)!r}' if seed.value is not None else seed.status.value)
        for seed in cell.seeds
    )
