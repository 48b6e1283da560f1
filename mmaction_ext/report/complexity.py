"""Accuracy against multiply-adds: of what was measured, and of what papers print."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from mmaction_ext.report.addresses import figure_id
from mmaction_ext.report.figures import (
    MOST_NAMES,
    PageFigure,
    colors,
    figure_text,
    links,
    page_figure,
    values,
    whisker_note,
    whiskers,
)
from mmaction_ext.report.template import NEUTRAL
from mmaction_ext.tables.cells import Cell, Table, TableRow
from mmaction_ext.tables.spec import Column

_MACS = re.compile(r'(?P<macs>\d+(\.\d+)?)(\s*[x×]\s*\d+)*')
#: A wider range than this factor gets a logarithmic axis.
_WIDE = 20
#: A row, its GFLOPs, and the cell of its accuracy.
_Point = tuple[TableRow, float, Cell]


def complexity_scatter(table: Table) -> PageFigure | None:
    """The main measured column, and what papers print for it, against multiply-adds.

    A published point needs both figures from the paper. Of an entry such as ``86x6`` the
    multiply-adds of one view are drawn, as they are of what was measured.

    Returns:
        The figure, or ``None`` where no row has both an accuracy and multiply-adds.
    """
    column = table.main_column
    if column is None:
        return None
    accuracy = _find(table, 'published', column.source.rpartition('/')[2])
    measured = _points(table, _find(table, 'complexity', 'macs'), column, _measured_macs)
    published = _points(table, _find(table, 'published', 'gflops'), accuracy, _published_macs)
    if not measured and not published:
        return None
    data = [_measured_trace(table, column, point) for point in measured]
    data += [_published_trace(published)] if published else []
    layout = dict(
        xaxis=_axis([macs for _, macs, _ in measured + published]),
        yaxis=dict(title=figure_text(column.head)),
        showlegend=bool(measured) and len(data) <= MOST_NAMES,
    )
    return page_figure(
        figure_id(table, 'cost'),
        f'{column.head} against cost',
        _caption(measured, published),
        data,
        layout,
        400,
    )


def _find(table: Table, kind: str, name: str) -> Column | None:
    return next(
        (column for column in table.columns if (column.kind, column.name) == (kind, name)), None
    )


def _points(
    table: Table,
    macs_column: Column | None,
    column: Column | None,
    macs_of: Callable[[Cell, Column], float | None],
) -> list[_Point]:
    """(row, GFLOPs, cell of the accuracy) where both are known."""
    if macs_column is None or column is None:
        return []
    found = [
        (
            row,
            macs_of(table.cell(row.id, macs_column.key), macs_column),
            table.cell(row.id, column.key),
        )
        for row in table.body
    ]
    return [(row, macs, cell) for row, macs, cell in found if macs and cell.value is not None]


def _measured_macs(cell: Cell, column: Column) -> float | None:
    return None if cell.value is None else float(cell.value / column.scale) * 1e-9


def _published_macs(cell: Cell, column: Column) -> float | None:
    """GFLOPs of one view, out of a number or a text such as ``86x6``."""
    parts = _MACS.fullmatch(cell.text.strip())
    return float(parts['macs']) if parts else None


def _axis(macs: Sequence[float]) -> dict[str, Any]:
    axis = dict(title='GFLOPs of one view (multiply-adds)')
    if max(macs) > _WIDE * min(macs):
        axis.update(type='log', dtick='D2')
    return axis


def _measured_trace(table: Table, column: Column, point: _Point) -> go.Scatter:
    row, macs, cell = point
    return go.Scatter(
        name=figure_text(row.label),
        mode='markers',
        x=[macs],
        y=values([cell]),
        customdata=links(table, [row]),
        cliponaxis=False,
        error_y=whiskers([cell]),
        marker=dict(size=12, color=colors(table, [row])[0]),
        text=f'<b>{figure_text(row.label)}</b>',
        hovertemplate=f'%{{text}}<br>%{{y:{column.fmt}}} at %{{x:.3~g}} GFLOPs<extra></extra>',
    )


def _published_trace(points: Sequence[_Point]) -> go.Scatter:
    return go.Scatter(
        name='published',
        mode='markers',
        x=[macs for _, macs, _ in points],
        y=values(cell for _, _, cell in points),
        text=[figure_text(row.label) for row, _, _ in points],
        marker=dict(size=10, color=NEUTRAL, symbol='diamond-open', line_width=2),
        hovertemplate='<b>%{text}</b>, published<br>%{y} at %{x} GFLOPs<extra></extra>',
    )


def _caption(measured: Sequence[_Point], published: Sequence[_Point]) -> str:
    parts = [whisker_note([cell for _, _, cell in measured])] if measured else []
    if published:
        only = ' Nothing of this table has been measured here yet.' if not measured else ''
        parts.append(f'Hollow: figures that papers print, not runs.{only}')
    return ' '.join(filter(None, parts))
