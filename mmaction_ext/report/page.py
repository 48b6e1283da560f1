"""The whole page out of tables and runs."""

import base64
import hashlib

from mmaction_ext.report.addresses import embedded_json, section_id
from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.report.classes import ClassAccuracies
from mmaction_ext.report.complexity import complexity_scatter
from mmaction_ext.report.curves import learning_curves
from mmaction_ext.report.gains import class_gain_bars
from mmaction_ext.report.navigation import KINDS, entries
from mmaction_ext.report.runs import absent_runs, absent_section, runs_by_uid, runs_section, uses
from mmaction_ext.report.script import EARLY_SCRIPT, SCRIPT
from mmaction_ext.report.seeds import link_cells, seeds_table
from mmaction_ext.report.style import STYLE
from mmaction_ext.report.table_parts import counterpart
from mmaction_ext.report.template import templates
from mmaction_ext.tables.render.html import escape, render_table
from mmaction_ext.tracking.reading.record import order

TITLE = 'Motion modules for action recognition'
_NO_SCRIPT = '<noscript><p class="empty">The figure needs JavaScript.</p></noscript>'


def build_report(tables, records) -> str:
    """One HTML page with every table, its figures and the runs behind it.

    The page holds all it needs and asks for nothing: its policy forbids every request. The same
    tables, runs and predictions give the same bytes.

    Args:
        tables: :class:`mmaction_ext.tables.cells.Table` of any order.
        records: :class:`RunRecord` of any order, with all their
            metrics; predictions are read from their folders.
    """
    records = sorted(records, key=order)
    runs = runs_by_uid(records)
    accuracies = ClassAccuracies(runs)
    listed = entries(tables)
    opened = max(listed, key=lambda entry: entry.with_numbers, default=None)
    sections = [_section(entry, runs, accuracies, entry is opened) for entry in listed]
    absent = absent_runs(tables, runs)
    count = len(records) + len(absent)
    body = '\n'.join(
        [
            _bar(),
            '<div class="layout">',
            _contents(listed, count),
            '<main id="main">',
            _head(listed, count),
            *_groups(listed, sections),
            _runs(records, absent, uses(tables)),
            '</main>',
            '</div>',
        ]
    )
    page = _document(body, has_figures='class="plot"' in body)
    return page.encode('utf-8', 'replace').decode('utf-8')  # a lone surrogate is no text


def _document(body, has_figures) -> str:
    scripts = _figure_scripts() if has_figures else []
    policy = _policy([EARLY_SCRIPT, *scripts, SCRIPT])
    loaded = '\n'.join(f'<script>{script}</script>' for script in [*scripts, SCRIPT])
    data = (
        f'<script type="application/json" id="templates">{embedded_json(templates())}</script>'
        if has_figures
        else ''
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{TITLE}: tables and runs</title>
<link rel="icon" href="data:,">
<style>
{STYLE}
</style>
<noscript><style>.plot {{ display: none; }}</style></noscript>
<script>{EARLY_SCRIPT}</script>
</head>
<body>
{body}
{data}
{loaded}
</body>
</html>
"""


def _figure_scripts() -> list:
    from plotly.offline import get_plotlyjs

    return [get_plotlyjs()]


def _policy(scripts) -> str:
    """Content security policy: these scripts alone, and no request to anywhere.

    The plotting library sets styles of its own and saves pictures out of data and blobs.
    """
    digests = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    allowed = ' '.join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _bar() -> str:
    options = ''.join(f'<option value="{_class(kind)}">{kind}</option>' for kind in KINDS)
    return (
        '<a class="skip" href="#main">Skip to the tables</a>\n'
        '<header class="bar"><strong>mmaction_ext</strong>\n'
        '<input id="words" type="search" placeholder="Search tables and rows" '
        'aria-label="Search tables and rows" data-script hidden>\n'
        '<select id="kind" aria-label="Show tables with cells of a kind" data-script hidden>'
        f'<option value="">all tables</option>{options}</select>\n'
        '<button id="scheme" type="button" data-script hidden></button></header>'
    )


def _class(kind) -> str:
    return kind.replace(' ', '-')


def _contents(listed, count) -> str:
    lines = [
        '<nav class="contents" aria-label="Tables">',
        '<details id="contents" open>',
        '<summary>Contents</summary>',
    ]
    for group, members in _by_group(listed):
        lines += [f'<h2>{escape(group)}</h2>', '<ul>']
        lines += [
            f'<li{" class=lively" if entry.with_numbers else ""}>'
            f'<a href="#{section_id(entry.table)}"><span>{escape(entry.name)}</span>'
            f'<span class="number">{_ratio(entry)}</span></a></li>'
            for entry in members
        ]
        lines.append('</ul>')
    lines += [
        '<h2>Provenance</h2>',
        f'<ul><li><a href="#runs"><span>Runs</span><span class="number">{count}</span></a>'
        '</li></ul>',
        '</details>',
        '</nav>',
    ]
    return '\n'.join(lines)


def _by_group(listed) -> list:
    groups = {}
    for entry in listed:
        groups.setdefault(entry.group, []).append(entry)
    return list(groups.items())


def _ratio(entry) -> str:
    if not entry.total:
        return 'published'
    return f'{entry.with_numbers}/{entry.total}'


def _head(listed, count) -> str:
    facts = [
        ('Tables', len(listed)),
        ('Tables with results', sum(entry.with_numbers > 0 for entry in listed)),
        (
            'Cells with a number',
            f'{sum(entry.with_numbers for entry in listed):,} '
            f'<span class="soft">of {sum(entry.total for entry in listed):,}</span>',
        ),
        ('Runs', f'{count:,}'),
    ]
    numbers = ''.join(f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in facts)
    key = ''.join(f'<li><i class="{_class(kind)}"></i>{kind}</li>' for kind in KINDS)
    return (
        f'<h1>{TITLE}</h1>\n<p class="soft">Every number with the runs behind it: a number '
        'that is underlined leads to its seeds and their runs.</p>\n'
        f'<dl class="numbers">{numbers}</dl>\n'
        f'<ul class="key" aria-label="Colours of the bars">{key}</ul>\n'
        '<p id="shown" class="soft" role="status"></p>'
    )


def _groups(listed, sections) -> list:
    by_table = {entry.table.id: section for entry, section in zip(listed, sections, strict=True)}
    return [
        '\n'.join(
            [
                f'<section class="group"><h2>{escape(group)}</h2>',
                *(by_table[entry.table.id] for entry in members),
                '</section>',
            ]
        )
        for group, members in _by_group(listed)
    ]


def _section(entry, runs, accuracies, is_open) -> str:
    table = entry.table
    kinds = ' '.join(_class(kind) for kind in KINDS if entry.counts[kind])
    empty = '' if entry.has_runs else '<p class="empty">No run of this table yet.</p>'
    parts = [
        f'<details class="table" id="{section_id(table)}" data-kinds="{kinds}" '
        f'data-text="{_search_text(entry)}"{" open" if is_open else ""}>',
        f'<summary><h3>{escape(entry.name)}</h3>'
        f'<span class="caption">{escape(table.caption)}</span>{_tally(entry)}</summary>',
        '<div class="body">',
        empty,
        link_cells(render_table(table), table),
        seeds_table(table, runs),
        _figures(table, runs),
        _class_figures(table, accuracies),
        '</div>',
        '</details>',
    ]
    return '\n'.join(filter(None, parts))


def _search_text(entry) -> str:
    table = entry.table
    texts = [
        table.id,
        entry.group,
        entry.name,
        table.caption,
        *(row.label for row in table.rows),
        *(column.head for column in table.columns),
    ]
    return escape(' '.join(texts).lower())


def _tally(entry) -> str:
    if not entry.total:
        return '<span class="tally">published figures only</span>'
    parts = ''.join(
        f'<i class="{_class(kind)}" style="flex:{entry.counts[kind]}"></i>'
        for kind in KINDS
        if entry.counts[kind]
    )
    told = ', '.join(f'{entry.counts[kind]} {kind}' for kind in KINDS if entry.counts[kind])
    return (
        f'<span class="tally">{entry.with_numbers} of {entry.total} cells'
        f'<span class="progress" role="img" aria-label="{told}" title="{told}">{parts}</span>'
        '</span>'
    )


def _figures(table, runs) -> str:
    figures = [
        ablation_bars(table),
        difference_dots(table),
        complexity_scatter(table),
        *learning_curves(table, runs),
    ]
    figures = [_figure(figure) for figure in figures if figure]
    return '\n'.join(['<div class="figures">', *figures, '</div>']) if figures else ''


def _class_figures(table, accuracies) -> str:
    """Gains of classes of every row over its counterpart, folded: there may be many."""
    figures = [
        _class_figure(table, row, counterpart(table, row), accuracies) for row in table.body
    ]
    figures = [_figure(figure) for figure in figures if figure]
    if not figures:
        return ''
    return '\n'.join(
        [
            f'<details class="classes"><summary>Gains of the classes ({len(figures)})</summary>',
            '<div class="figures">',
            *figures,
            '</div>',
            '</details>',
        ]
    )


def _class_figure(table, row, other, accuracies):
    if not other:
        return None
    before, after = (accuracies.of_row(table, each) for each in (other, row))
    is_checked = all(accuracies.is_checked(table, each) for each in (other, row))
    return class_gain_bars(table, row, before, after, is_checked)


def _figure(figure) -> str:
    data = embedded_json(dict(data=figure.data, layout=figure.layout))
    return (
        f'<figure aria-labelledby="{figure.id}:title">'
        f'<h4 id="{figure.id}:title">{escape(figure.title)}</h4>{_NO_SCRIPT}\n'
        f'<div class="plot" id="{figure.id}" style="height:{figure.height}px"></div>'
        f'<script type="application/json">{data}</script>\n'
        f'<figcaption>{escape(figure.caption)}</figcaption></figure>'
    )


def _runs(records, absent, used) -> str:
    text = '\n'.join(filter(None, (runs_section(records, used), absent_section(absent, used))))
    text = text or '<p class="soft">There is no run yet.</p>'
    return f'<section id="runs"><h2>Runs</h2>\n{text}\n</section>'
