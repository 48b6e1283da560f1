"""Learning curves: what the runs of a table logged on their way, a line per row and seed."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mmaction_ext.report.addresses import figure_id, run_id
from mmaction_ext.report.figures import PageFigure, figure_text, page_figure
from mmaction_ext.report.template import color
from mmaction_ext.tables.cells import CellStatus, Table, TableRow
from mmaction_ext.tables.run_summary import MAX_POINTS, RunSummary, validation_metric
from mmaction_ext.tracking.ledger.format import TRAIN_LOSS

_PHASES = {'train': 'while training', 'val': 'on the validation split while training'}
_DASHES = ('solid', 'dot', 'dash', 'longdash', 'dashdot', 'longdashdot')


#: Place of a row, the row, place of a seed, and a run of both.
_RowRun = tuple[int, TableRow, int, RunSummary]


def learning_curves(table: Table, runs: Mapping[str, Sequence[RunSummary]]) -> list[PageFigure]:
    """Validation metric and training loss of every run that belongs to a table.

    Args:
        table: the table.
        runs: uid to the runs with that id.

    Returns:
        The figures; none where no run has logged anything yet.
    """
    column = table.main_column
    if column is None:
        return []
    lines = _runs_by_row(table, runs)
    metric = validation_metric(column.source)
    figures = (
        _curves(table, lines, metric, column.head, float(column.scale)),
        _curves(table, lines, TRAIN_LOSS, 'Loss', 1.0),
    )
    return [figure for figure in figures if figure]


def _runs_by_row(table: Table, runs: Mapping[str, Sequence[RunSummary]]) -> list[_RowRun]:
    """The runs of every row and seed; one that rows share is in each.

    The mean of rows has no runs of its own, and a run of another version of the row's config is
    none of the row's.
    """
    found: list[_RowRun] = []
    for i, row in enumerate(table.body):
        measured = (
            results
            for part in row.measured
            for results in zip(
                *(
                    cell.seeds
                    for cell, column in zip(part.cells, table.columns, strict=True)
                    if column.kind == 'history' and cell.seeds
                ),
                strict=True,
            )
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
            of_seed = [run for uid in uids for run in runs.get(uid, ())]
            if len({run.config for run in of_seed}) == 1:
                found += [(i, row, j, run) for run in of_seed]
    return found


def _curves(
    table: Table, lines: Sequence[_RowRun], metric: str, head: str, scale: float
) -> PageFigure | None:
    phase = metric.partition('/')[0]
    shown = [line for line in lines if metric in line[-1].curves]
    if not shown:
        return None
    first = {row.id: (i, j) for i, row, j, _ in reversed(shown)}
    traces = [
        _line(i, row, j, run, metric, scale, first[row.id] == (i, j)) for i, row, j, run in shown
    ]
    averaged = any(run.curves[metric].logged > MAX_POINTS for *_, run in shown)
    layout = dict(
        xaxis=dict(title='iteration', rangemode='tozero'),
        showlegend=True,
        yaxis=dict(title=figure_text(head)),
    )
    caption = f'{metric}, a line per run; broken lines are further seeds.' + (
        f' Neighbours averaged to at most {MAX_POINTS} points.' if averaged else ''
    )
    return page_figure(
        figure_id(table, 'curves', phase),
        f'{head} {_PHASES[phase]}',
        caption,
        traces,
        layout,
        340 + 12 * min(len(first), 16),
    )


def _line(
    i: int, row: TableRow, j: int, run: RunSummary, metric: str, scale: float, is_first: bool
) -> go.Scatter:
    curve = run.curves[metric]
    return go.Scatter(
        name=figure_text(row.label),
        legendgroup=row.id,
        showlegend=is_first,
        mode='lines+markers' if curve.logged <= 12 else 'lines',
        x=curve.iters,
        y=[float(f'{scale * value:.7g}') for value in curve.values],
        line=dict(color=color(i), dash=_DASHES[j % len(_DASHES)], width=2),
        marker_color=color(i),
        meta=dict(link=f'#{run_id(run)}'),
        text=f'<b>{figure_text(row.label)}</b>, seed {run.seed}',
        hovertemplate='%{text}<br>%{y:.4g} at iteration %{x:d}<extra></extra>',
    )
