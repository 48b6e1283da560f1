"""The whole page out of tables and runs."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.report.classes import row_accuracies
from mmaction_ext.report.complexity import complexity_scatter
from mmaction_ext.report.curves import learning_curves
from mmaction_ext.report.figures import PageFigure
from mmaction_ext.report.gains import class_gain_bars
from mmaction_ext.report.markup import render
from mmaction_ext.report.navigation import KINDS, Entry, entries, is_ours
from mmaction_ext.report.runs import absent_runs, runs_by_uid, runs_section, uses
from mmaction_ext.report.seeds import seeds_addresses, seeds_table
from mmaction_ext.report.table_parts import counterpart
from mmaction_ext.report.template import templates
from mmaction_ext.tables.cells import Table
from mmaction_ext.tables.render.html import render_table
from mmaction_ext.tables.run_summary import RunSummary

#: of the tables of our papers, and of those of a project without a name
OUR_TITLE, TITLE = 'Motion modules for action recognition', 'Action recognition'


def build_report(
    tables: Sequence[Table], runs: Sequence[RunSummary], title: str | None = None
) -> str:
    """One HTML page with every table, its figures and the runs behind it.

    The page holds all it needs and asks for nothing: its policy forbids every request. The same
    tables and runs give the same bytes.

    Args:
        tables: tables of any order.
        runs: what :func:`mmaction_ext.tables.run_summary.summaries` or the file of them says of
            the runs, in the order in which they are listed.
        title: of the page; what all the tables have as their ``project`` if left out.
    """
    by_uid = runs_by_uid(runs)
    listed = entries(tables)
    sections = [_section(entry, by_uid) for entry in listed]
    absent = absent_runs(tables, by_uid)
    early, own = render('early.js'), render('page.js')
    has_figures = any(section.figures or section.class_figures for section in sections)
    scripts = [*([_plotting_library()] if has_figures else []), own]
    page = render(
        'page.html.j2',
        title=title or _title(tables),
        kinds=list(KINDS),
        groups=_groups(sections),
        opened=max(listed, key=lambda entry: entry.with_numbers, default=None),
        entries=listed,
        count=len(runs) + len(absent),
        runs=runs_section(runs, absent, uses(tables)),
        early=early,
        scripts=scripts,
        digests=[_digest(script) for script in (early, *scripts)],
        templates=templates() if has_figures else None,
    )
    return f'{page}\n'


def _title(tables: Sequence[Table]) -> str:
    projects = {table.project for table in tables}
    if len(projects) == 1 and '' not in projects:
        return projects.pop()
    return OUR_TITLE if any(map(is_ours, tables)) else TITLE


@dataclass(frozen=True)
class Section:
    """A table on the page.

    Attributes:
        entry: the table and where it belongs.
        table, seeds: HTML of it, and of what stands behind its cells.
        figures: its figures.
        class_figures: gains of classes of every row over its counterpart; there may be many.
    """

    entry: Entry
    table: Markup
    seeds: Markup
    figures: Sequence[PageFigure]
    class_figures: Sequence[PageFigure]

    @property
    def search_text(self) -> str:
        """What a search of the page finds it by."""
        table = self.entry.table
        texts = [
            table.id,
            self.entry.group,
            self.entry.name,
            table.caption,
            *(row.label for row in table.rows),
            *(column.head for column in table.columns),
        ]
        return ' '.join(texts).lower()


def _section(entry: Entry, runs: Mapping[str, Sequence[RunSummary]]) -> Section:
    table = entry.table
    figures = (
        ablation_bars(table),
        difference_dots(table),
        complexity_scatter(table),
        *learning_curves(table, runs),
    )
    return Section(
        entry,
        render_table(table, seeds_addresses(table)),
        seeds_table(table, runs),
        [figure for figure in figures if figure],
        _class_figures(table, runs),
    )


def _class_figures(table: Table, runs: Mapping[str, Sequence[RunSummary]]) -> list[PageFigure]:
    figures = []
    for row in table.body:
        other = counterpart(table, row)
        if other:
            (before, is_known), (after, is_checked) = (
                row_accuracies(table, each, runs) for each in (other, row)
            )
            figures.append(class_gain_bars(table, row, before, after, is_known and is_checked))
    return [figure for figure in figures if figure]


def _groups(sections: Sequence[Section]) -> dict[str, list[Section]]:
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.entry.group, []).append(section)
    return groups


def _plotting_library() -> Markup:
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
