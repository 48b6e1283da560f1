"""Which classes a row gains over another row, as in Figure 7 of KPSEM."""

import plotly.graph_objects as go

from mmaction_ext.report.addresses import figure_id
from mmaction_ext.report.figures import PageFigure, figure_text, height_of, label_axis, page_figure
from mmaction_ext.report.table_parts import counterpart
from mmaction_ext.report.template import GAIN, LOSS

#: Classes shown of a network that changes more of them than these together.
MOST_GAINS, MOST_LOSSES = 16, 8
UNCHECKED = ' Unchecked: no result says which predictions it was measured on.'
_ROW = 26  # pixels
_EQUAL = 1e-9  # a difference that is none, however it was rounded


def class_gain_bars(
    table, row, before: dict, after: dict, is_checked: bool = True
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
    if not before or before.keys() != after.keys():
        return None
    gains = sorted(
        ((100 * (after[name] - before[name]), name) for name in before),
        key=lambda gain: (-gain[0], gain[1]),
    )
    shown = _extremes(gains)
    axis = label_axis([name for _, name in shown])
    layout = dict(
        xaxis=dict(title='gain in points of top-1', zeroline=True, rangemode='tozero'),
        yaxis=axis,
        showlegend=False,
    )
    return page_figure(
        figure_id(table, 'classes', row.id),
        f'Classes: {row.label}',
        _caption(counterpart(table, row), gains, shown) + ('' if is_checked else UNCHECKED),
        [_bars(shown, before, after)],
        layout,
        height_of(axis, _ROW),
    )


def _bars(shown, before, after):
    return go.Bar(
        orientation='h',
        x=[round(gain, 6) for gain, _ in shown],
        y=list(range(len(shown))),
        marker_color=[GAIN if gain > -_EQUAL else LOSS for gain, _ in shown],
        text=[
            f'<b>{figure_text(name)}</b><br>{100 * before[name]:.1f} → '
            f'{100 * after[name]:.1f} ({gain:+.1f})'
            for gain, name in shown
        ],
        textposition='none',
        hovertemplate='%{text}<extra></extra>',
    )


def _extremes(gains) -> list:
    if len(gains) <= MOST_GAINS + MOST_LOSSES:
        return gains
    return gains[:MOST_GAINS] + gains[-MOST_LOSSES:]


def _caption(other, gains, shown) -> str:
    more = sum(gain > _EQUAL for gain, _ in gains)
    less = sum(gain < -_EQUAL for gain, _ in gains)
    part = f' Shown: {MOST_GAINS} that gain most, {MOST_LOSSES} that lose most.'
    return (
        f'Against “{other.label}”, means over seeds: {more} of {len(gains)} '
        f'classes gain, {less} lose.{part if len(shown) < len(gains) else ""}'
    )
