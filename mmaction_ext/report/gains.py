"""Which classes a row gains over another row, as in Figure 7 of KPSEM."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mmaction_ext.analysis.class_gains import EQUAL, ClassGain, class_gains
from mmaction_ext.report.addresses import figure_id
from mmaction_ext.report.figures import PageFigure, figure_text, height_of, label_axis, page_figure
from mmaction_ext.report.table_parts import counterpart
from mmaction_ext.report.template import GAIN, LOSS
from mmaction_ext.tables.cells import Table, TableRow

#: Classes shown of a network that changes more of them than these together.
MOST_GAINS, MOST_LOSSES = 16, 8
UNCHECKED = ' Unchecked: no result says which predictions it was measured on.'
_ROW = 26  # pixels


def class_gain_bars(
    table: Table,
    row: TableRow,
    before: Mapping[str, float],
    after: Mapping[str, float],
    is_checked: bool = True,
) -> PageFigure | None:
    """What each class gains over the row's counterpart, the largest gain on top.

    Args:
        table: the table.
        row: a row.
        before: class name to accuracy in [0, 1] of the counterpart.
        after: the same of ``row``.
        is_checked: whether all of them are known to be those that were measured.

    Returns:
        The figure; of many classes it shows those that gain and lose most. ``None`` where the
        two were not tested on the same classes.
    """
    other = counterpart(table, row)
    if other is None or not before or before.keys() != after.keys():
        return None
    gains = class_gains(before, after)
    shown = _extremes(gains)
    axis = label_axis([each.name for each in shown])
    layout = dict(
        xaxis=dict(title='gain in points of top-1', zeroline=True, rangemode='tozero'),
        yaxis=axis,
        showlegend=False,
    )
    return page_figure(
        figure_id(table, 'classes', row.id),
        f'Classes: {row.label}',
        _caption(other, gains, shown) + ('' if is_checked else UNCHECKED),
        [_bars(shown)],
        layout,
        height_of(axis, _ROW),
    )


def _bars(shown: Sequence[ClassGain]) -> go.Bar:
    return go.Bar(
        orientation='h',
        x=[round(100 * each.gain, 6) for each in shown],
        y=list(range(len(shown))),
        marker_color=[GAIN if each.gain > -EQUAL else LOSS for each in shown],
        text=[f'<b>{figure_text(each.name)}</b><br>{each}' for each in shown],
        textposition='none',
        hovertemplate='%{text}<extra></extra>',
    )


def _extremes(gains: list[ClassGain]) -> list[ClassGain]:
    if len(gains) <= MOST_GAINS + MOST_LOSSES:
        return gains
    return gains[:MOST_GAINS] + gains[-MOST_LOSSES:]


def _caption(other: TableRow, gains: Sequence[ClassGain], shown: Sequence[ClassGain]) -> str:
    more = sum(each.gain > EQUAL for each in gains)
    less = sum(each.gain < -EQUAL for each in gains)
    part = f' Shown: {MOST_GAINS} that gain most, {MOST_LOSSES} that lose most.'
    return (
        f'Against “{other.label}”, means over seeds: {more} of {len(gains)} '
        f'classes gain, {less} lose.{part if len(shown) < len(gains) else ""}'
    )
