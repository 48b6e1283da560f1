"""The figure of a table as an SVG file: curves over levels, or accuracy against what it costs."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmaction_ext.report.template import NEUTRAL, color
from mmaction_ext.tables.cells import Cell, CellStatus, Table
from mmaction_ext.tables.spec import Drawing
from mmaction_ext.tables.spec.checks import MEASURED

#: cost that no column has -> row id -> a multiple of the reference row's
Costs = Mapping[str, Mapping[str, float]]
_LEVEL = re.compile(r'\d+(\.\d+)?$')
_WIDTH, _HEIGHT = 4.2, 3.6  # of a panel, inches
_ASIDE = 0.006  # of the width: lines stand aside of each other, so that whiskers stay apart
_MARKERS = 'os^DvP<X>hpd'  # in turn, as colours are, of which there is another number
_TEXT = re.compile(r'<dc:description>(.*?)</dc:description>', re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """A mean over seeds.

    Attributes:
        x: Where it stands: its level, or what it costs.
        y, low, high: The mean and the ends of its 95 % interval, in the printed unit.
    """

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """A pair of axes.

    Attributes:
        x: Title of the horizontal one.
        ticks: Where that has ticks, and what they say; none for a scale of numbers.
        lines: By the name of a row, its marks from left to right; ``None`` for a cell without
            an interval, where the line is broken.
    """

    x: str
    ticks: Mapping[float, str]
    lines: Mapping[str, Sequence[Mark | None]]


def panels(drawing: Drawing, table: Table, costs: Costs) -> list[Panel]:
    """What a drawing shows: of each cell all of whose seeds count, if they are three or more.

    Args:
        drawing: That of the table's specification.
        table: The table.
        costs: Of those that no column has, row id to a multiple of the reference row's.

    Returns:
        The panels with a mark; none where nothing is to be drawn.
    """
    if drawing.scatter:
        found = [_scatter(key, table, costs) for key in drawing.scatter]
    else:
        found = [_curves(drawing, table)]
    return [panel for panel in found if any(any(marks) for marks in panel.lines.values())]


def _curves(drawing: Drawing, table: Table) -> Panel:
    first = table.columns[[column.key for column in table.columns].index(drawing.lines[0])]
    lines: dict[str, list[Mark | None]] = {}
    if first.kind == 'row':  # a mark of the rows, of which those with one label are a line
        main = table.main_column
        assert main is not None, 'its specification is checked'
        cells = [(row, table.cell(row.id, first.key).text, main.key) for row in table.body]
        places = _places(list(dict.fromkeys(text for _, text, _ in cells)))
    else:
        heads = {column.key: column.head for column in table.columns}
        cells = [(row, heads[key], key) for row in table.body for key in drawing.lines]
        places = _places([heads[key] for key in drawing.lines])
    for row, text, key in cells:
        x, _ = places[text]
        lines.setdefault(row.label, []).append(_mark(x, table.cell(row.id, key)))
    return Panel(drawing.x, dict(places.values()), lines)


def _places(texts: Sequence[str]) -> dict[str, tuple[float, str]]:
    """Texts to where they stand: at the number that ends each of them, else in a row."""
    levels = {text: found[0] for text in texts if (found := _LEVEL.search(text))}
    if len(levels) == len(texts):
        return {text: (float(level), level) for text, level in levels.items()}
    return {text: (float(i), text) for i, text in enumerate(texts)}


def _scatter(key: str, table: Table, costs: Costs) -> Panel:
    main = table.main_column
    assert main is not None, 'its specification is checked'
    lines = {}
    for row in table.body:
        measured = costs.get(key, {}).get(row.id)
        cost = measured if key in MEASURED else _number(table.cell(row.id, key))
        mark = None if cost is None else _mark(cost, table.cell(row.id, main.key))
        lines[row.label] = [mark]
    heads = {column.key: column.head for column in table.columns}
    return Panel(heads.get(key) or MEASURED[key], {}, lines)


def _number(cell: Cell) -> float | None:
    return None if cell.value is None else float(cell.value)


def _mark(x: float, cell: Cell) -> Mark | None:
    if cell.status is not CellStatus.OK or cell.value is None or cell.interval is None:
        return None
    low, high = cell.interval
    return Mark(x, float(cell.value), float(low), float(high))


def draw(drawing: Drawing, table: Table, costs: Costs) -> str:
    """A table's figure as SVG: means over seeds, 95 % intervals, the level of chance.

    The file says in its description what is drawn; its bytes are those of the installed version
    of matplotlib.

    Args:
        drawing, table, costs: As of :func:`panels`.

    Returns:
        The SVG; empty where there is nothing to draw.
    """
    shown = panels(drawing, table, costs)
    if not shown:
        return ''
    import matplotlib.style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    options: Any = {
        'font.size': 9,
        'svg.fonttype': 'none',
        'svg.hashsalt': table.id,
        'text.parse_math': False,
    }
    buffer = io.BytesIO()
    with matplotlib.style.context('default'), matplotlib.rc_context(options):
        figure = Figure((_WIDTH * len(shown), _HEIGHT), layout='constrained')
        for i, panel in enumerate(shown):
            _draw_panel(figure.add_subplot(1, len(shown), i + 1), panel, drawing)
        figure.axes[0].set_ylabel(drawing.y)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            title='mean and 95 % interval',
            loc='outside upper center',
            ncols=4,
            frameon=False,
        )
        said = dict(Date=None, Title=table.caption, Description=_description(shown))
        FigureCanvasSVG(figure).print_svg(buffer, metadata=said)
    return buffer.getvalue().decode()


def _draw_panel(axes: Any, panel: Panel, drawing: Drawing) -> None:
    from matplotlib.ticker import MaxNLocator, NullLocator

    marks = [mark for line in panel.lines.values() for mark in line if mark]
    width = max(mark.x for mark in marks) - min(mark.x for mark in marks)
    for i, (label, line) in enumerate(panel.lines.items()):
        aside = (i - (len(panel.lines) - 1) / 2) * _ASIDE * width * bool(panel.ticks)
        axes.errorbar(
            [mark.x + aside if mark else math.nan for mark in line],
            [mark.y if mark else math.nan for mark in line],
            [
                [mark.y - mark.low if mark else math.nan for mark in line],
                [mark.high - mark.y if mark else math.nan for mark in line],
            ],
            color=color(i),
            marker=_MARKERS[i % len(_MARKERS)],
            markersize=3.5,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=2,
            label=label if any(line) else None,
        )
    if drawing.chance is not None:
        axes.axhline(
            float(drawing.chance), color=NEUTRAL, linestyle='--', linewidth=0.8, label='chance'
        )
    if panel.ticks:
        axes.set_xticks(list(panel.ticks), list(panel.ticks.values()))
    else:  # costs, which are multiples of each other
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter('{x:g}')
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=panel.x, ylim=(0, 100))


def _description(shown: Sequence[Panel]) -> str:
    """Every number that is drawn, in words."""
    return '\n'.join(
        f'{label}, {panel.x} {mark.x:.4g}: {mark.y:.2f} [{mark.low:.2f}, {mark.high:.2f}]'
        for panel in shown
        for label, line in panel.lines.items()
        for mark in line
        if mark
    )


def shows_the_same(svg: str, other: str) -> bool:
    """Whether two drawings say the same, whichever version of matplotlib drew them."""
    return re.findall(_TEXT, svg) == re.findall(_TEXT, other)
