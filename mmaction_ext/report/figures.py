"""What the figures of a table share: how they are embedded, whiskers, labels, colours, links."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from mmaction_ext.report.addresses import seeds_id
from mmaction_ext.report.template import color
from mmaction_ext.tables.cells import Cell, SeedResult, Table, TableRow
from mmaction_ext.tables.render.text import one_line

_LABEL_WIDTH = 26
#: Names in the legend of a figure; with more, pointing at a mark has to do.
MOST_NAMES = 12


@dataclass(frozen=True)
class PageFigure:
    """A figure as the page embeds it.

    Attributes:
        id: its id in the page.
        title: printed above it.
        caption: what it shows and how, printed below it.
        data, layout: as plotly.js takes them, without a template.
        height: in CSS pixels.
    """

    id: str
    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int


def page_figure(
    name: str,
    title: str,
    caption: str,
    data: Sequence[Any],
    layout: Mapping[str, Any],
    height: int,
) -> PageFigure:
    """A figure out of traces and a layout, which are checked, and carry no template."""
    figure = go.Figure(data, layout).to_plotly_json()
    figure['layout'].pop('template', None)
    return PageFigure(name, title, caption, figure['data'], figure['layout'], height)


def links(table: Table, rows: Iterable[TableRow]) -> list[str]:
    """Where a click on the mark of a row leads: to its seeds."""
    return [f'#{seeds_id(table, row)}' for row in rows]


def colors(table: Table, rows: Iterable[TableRow]) -> list[str]:
    """The colours that rows have in every figure of their table."""
    places = {row.id: i for i, row in enumerate(table.body)}
    return [color(places[row.id]) for row in rows]


def label_axis(labels: Sequence[str]) -> dict[str, Any]:
    """An axis with a label at 0, 1, ..., from top to bottom: two labels may be equal."""
    return dict(
        tickmode='array',
        tickvals=list(range(len(labels))),
        showgrid=False,
        zeroline=False,
        ticktext=[wrapped(label) for label in labels],
        range=[len(labels) - 0.4, -0.6],
    )


def height_of(axis: Mapping[str, Any], least: int) -> int:
    """Height of a figure in which every label of :func:`label_axis` has room for its lines.

    Args:
        axis: the axis.
        least: pixels for a label of one line.
    """
    lines = max(label.count('<br>') + 1 for label in axis['ticktext'])
    return 110 + max(least, 8 + 17 * lines) * len(axis['ticktext'])


def figure_text(text: str) -> str:
    """Text for a figure, whose library takes texts for HTML."""
    return escape(one_line(text), quote=False)


def wrapped(label: str) -> str:
    """A label on lines short enough for a phone."""
    lines = textwrap.wrap(label, _LABEL_WIDTH) or ['']
    return '<br>'.join(map(figure_text, lines))


def values(items: Iterable[Cell | SeedResult]) -> list[float]:
    """The numbers of cells or seeds, of those that have one."""
    return [float(item.value) for item in items if item.value is not None]


def whiskers(cells: Sequence[Cell]) -> dict[str, Any] | None:
    """Error bars out of the spread of cells over seeds, none where no cell has one."""
    spreads = [_spread(cell) for cell in cells]
    if not any(any(spread) for spread in spreads):
        return None
    return dict(
        type='data',
        symmetric=False,
        array=[above for _, above in spreads],
        arrayminus=[below for below, _ in spreads],
        thickness=1.5,
        width=5,
    )


def _spread(cell: Cell) -> tuple[float, float]:
    """How far whiskers reach below and above: the interval, else the standard deviation."""
    if cell.interval and cell.value is not None:
        low, high = cell.interval
        return float(cell.value - low), float(high - cell.value)
    return (float(cell.std),) * 2 if cell.std is not None else (0.0, 0.0)


def whisker_note(cells: Sequence[Cell]) -> str:
    """What :func:`whiskers` are, for a caption."""
    parts = []
    if any(cell.interval for cell in cells):
        parts.append('95 % interval of the mean (Student’s t)')
    if any(cell.std is not None and not cell.interval for cell in cells):
        parts.append('one standard deviation where there are only two seeds')
    return f'Whiskers: {"; ".join(parts)}.' if parts else ''
