"""Learning curves: what the runs of a table logged on their way, a line per row and seed."""

import math

import plotly.graph_objects as go

from mmaction_ext.report.addresses import figure_id, run_id
from mmaction_ext.report.figures import PageFigure, figure_text, page_figure
from mmaction_ext.report.table_parts import main_column
from mmaction_ext.report.template import color
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.seed_runs import is_finite

#: Points of a line; of more, groups of neighbours are averaged.
MAX_POINTS = 150
_PHASES = {'train': 'while training', 'val': 'on the validation split while training'}
_DASHES = ('solid', 'dot', 'dash', 'longdash', 'dashdot', 'longdashdot')


def learning_curves(table, runs) -> list:
    """Validation metric and training loss of every run that belongs to a table.

    Args:
        table: the table.
        runs: uid to the :class:`mmaction_ext.tracking.reading.record.RunRecord` with that id.

    Returns:
        :class:`mmaction_ext.report.figures.PageFigure` list, empty where no run has logged
        anything yet.
    """
    column = main_column(table)
    if column is None:
        return []
    lines = _runs_by_row(table, runs)
    metric = column.source.partition('/')[2]
    figures = (
        _curves(table, lines, f'val/{metric}', column.head, float(column.scale)),
        _curves(table, lines, 'train/loss', 'Loss', 1.0),
    )
    return [figure for figure in figures if figure]


def _runs_by_row(table, runs) -> list:
    """(place of the row, row, place of the seed, record); a run that rows share is in each.

    The mean of rows has no runs of its own, and a run of another version of the row's config is
    none of the row's.
    """
    found = []
    for i, row in enumerate(table.body):
        measured = zip(
            *(
                cell.seeds
                for cell, column in zip(row.cells, table.columns, strict=True)
                if column.kind == 'history' and cell.seeds
            ),
            strict=True,
        )
        for j, results in enumerate(measured):
            uids = sorted(
                {
                    uid
                    for result in results
                    if result.status is not CellStatus.STALE
                    for uid in result.runs
                }
            )
            records = [record for uid in uids for record in runs.get(uid, ())]
            if len({record.config for record in records}) == 1:
                found += [(i, row, j, record) for record in records]
    return found


def _curves(table, lines, metric, head, scale) -> PageFigure | None:
    phase = metric.partition('/')[0]
    traces, named = [], set()
    for i, row, j, record in lines:
        points = [
            (entry['iter'], scale * entry[metric])
            for entry in record.rows.get(phase, ())
            if is_finite(entry.get(metric))
        ]
        if points:
            traces.append(_line(i, row, j, record, points, row.id not in named))
            named.add(row.id)
    if not traces:
        return None
    averaged = any(trace.meta['averaged'] for trace in traces)
    layout = dict(
        xaxis=dict(title='iteration', rangemode='tozero'),
        showlegend=True,
        yaxis=dict(title=figure_text(head)),
    )
    caption = f'{metric}, a line per run; broken lines are further seeds.' + (
        f' Neighbours averaged to at most {MAX_POINTS} points.' if averaged else ''
    )
    title = f'{head} {_PHASES[phase]}'
    return page_figure(
        figure_id(table, 'curves', phase),
        title,
        caption,
        traces,
        layout,
        340 + 12 * min(len(named), 16),
    )


def _line(i, row, j, record, points, is_first):
    x, y = zip(*thinned(points, MAX_POINTS), strict=True)
    return go.Scatter(
        name=figure_text(row.label),
        legendgroup=row.id,
        showlegend=is_first,
        mode='lines+markers' if len(points) <= 12 else 'lines',
        x=x,
        y=y,
        line=dict(color=color(i), dash=_DASHES[j % len(_DASHES)], width=2),
        marker_color=color(i),
        meta=dict(link=f'#{run_id(record)}', averaged=len(points) > MAX_POINTS),
        text=f'<b>{figure_text(row.label)}</b>, seed {record.seed}',
        hovertemplate='%{text}<br>%{y:.4g} at iteration %{x:d}<extra></extra>',
    )


def thinned(points, most: int) -> list:
    """Means of equally long groups of neighbours, at most ``most`` of them.

    Args:
        points: (x, y) pairs in order.
        most: how many points may be left.
    """
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        tuple(_rounded(sum(values) / len(group)) for values in zip(*group, strict=True))
        for group in groups
    ]


def _rounded(value) -> float:
    return float(f'{value:.7g}')
