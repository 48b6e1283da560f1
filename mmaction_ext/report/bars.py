"""Ablations as bars, and the differences to their reference row."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from mmaction_ext.report.addresses import figure_id
from mmaction_ext.report.figures import (
    PageFigure,
    colors,
    figure_text,
    height_of,
    label_axis,
    links,
    page_figure,
    values,
    whisker_note,
    whiskers,
)
from mmaction_ext.report.table_parts import counterpart
from mmaction_ext.tables.cells import Cell, Table, TableRow
from mmaction_ext.tables.spec import Column

_ROW = 38  # pixels


def ablation_bars(table: Table) -> PageFigure | None:
    """The main measured column: a bar per row with whiskers, a ring per seed.

    Returns:
        The figure, or ``None`` where nothing was measured.
    """
    column = table.main_column
    if column is None:
        return None
    rows = _measured_rows(table, column)
    if not rows:
        return None
    cells = [table.cell(row.id, column.key) for row in rows]
    bars = go.Bar(
        orientation='h',
        textposition='none',
        **_marks(table, rows, cells),
        marker=dict(color=colors(table, rows), opacity=0.75),
    )
    return _figure(table, 'bars', f'{column.head} by row', '', column, rows, bars)


def difference_dots(table: Table) -> PageFigure | None:
    """The first column of differences with a measured one: a dot and whiskers per row.

    Returns:
        The figure, or ``None`` where no difference is known.
    """
    for column in table.columns:
        rows = _measured_rows(table, column) if column.relative else []
        if rows:
            return _difference_dots(table, column, rows)
    return None


def _difference_dots(table: Table, column: Column, rows: Sequence[TableRow]) -> PageFigure:
    cells = [table.cell(row.id, column.key) for row in rows]
    dots = go.Scatter(
        mode='markers',
        **_marks(table, rows, cells),
        marker=dict(size=12, color=colors(table, rows), symbol='diamond'),
    )
    labels = {other.label for row in rows if (other := counterpart(table, row))}
    to = f'“{labels.pop()}”' if len(labels) == 1 else 'the row’s own counterpart'
    some = ', where a row shares two with it' * any(cell.unpaired for cell in cells)
    unit = next((seed.unit for cell in cells for seed in cell.seeds), 'seed')
    return _figure(
        table,
        'differences',
        f'Difference to {to}',
        f'Paired by {unit}{some}. ',
        column,
        rows,
        dots,
    )


def _measured_rows(table: Table, column: Column) -> list[TableRow]:
    cells = [(row, table.cell(row.id, column.key)) for row in table.body]
    return [row for row, cell in cells if cell.seeds and cell.value is not None]


def _marks(table: Table, rows: Sequence[TableRow], cells: Sequence[Cell]) -> dict[str, Any]:
    """What bars and dots have in common: one per row, at its mean."""
    return dict(
        x=values(cells),
        y=list(range(len(rows))),
        error_x=whiskers(cells),
        customdata=links(table, rows),
        text=_hover_texts(rows, cells),
        hovertemplate='%{text}<extra></extra>',
    )


def _hover_texts(rows: Sequence[TableRow], cells: Sequence[Cell]) -> list[str]:
    return [
        f'<b>{figure_text(row.label)}</b><br>{figure_text(cell.text)}'
        + (
            f'<br>95 %: {float(cell.interval[0]):.4g} to {float(cell.interval[1]):.4g}'
            if cell.interval
            else ''
        )
        for row, cell in zip(rows, cells, strict=True)
    ]


def _figure(
    table: Table,
    kind: str,
    title: str,
    begin: str,
    column: Column,
    rows: Sequence[TableRow],
    marks: Any,
) -> PageFigure:
    cells = [table.cell(row.id, column.key) for row in rows]
    axis = label_axis([row.label for row in rows])
    layout = dict(
        xaxis=dict(title=figure_text(column.head), zeroline=True, rangemode='tozero'),
        yaxis=axis,
        showlegend=False,
    )
    caption = f'{begin}Rings: the seeds. {whisker_note(cells)}'.strip()
    return page_figure(
        figure_id(table, kind),
        title,
        caption,
        [marks, _seed_rings(table, column, rows)],
        layout,
        height_of(axis, _ROW),
    )


def _seed_rings(table: Table, column: Column, rows: Sequence[TableRow]) -> go.Scatter:
    rings = [
        (place, link, seed)
        for place, (row, link) in enumerate(zip(rows, links(table, rows), strict=True))
        for seed in table.cell(row.id, column.key).counted
    ]
    unit = next((seed.unit for _, _, seed in rings), 'seed')
    return go.Scatter(
        mode='markers',
        x=values(seed for _, _, seed in rings),
        y=[place for place, _, _ in rings],
        customdata=[link for _, link, _ in rings],
        text=[seed.label for _, _, seed in rings],
        cliponaxis=False,
        hovertemplate=f'{unit} %{{text}}: %{{x:{column.fmt}}}<extra></extra>',
        marker=dict(size=8, symbol='circle-open', line_width=1.5),
    )
