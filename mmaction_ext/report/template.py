"""How figures look: one set of colours that reads on light and dark, two sets for the rest."""

from typing import Any

import plotly.graph_objects as go

#: Contrast of at least 3 with the page in both colour schemes.
PALETTE = (
    '#3079d6',
    '#d2691e',
    '#2a9461',
    '#c9439a',
    '#8a63d2',
    '#1b8fa0',
    '#d94552',
    '#8a8418',
    '#a8713e',
    '#5f7f9c',
)
#: Colours of what gains and what loses.
GAIN, LOSS = PALETTE[0], PALETTE[1]
#: Colour of what belongs to no row.
NEUTRAL = '#7b8594'
PAGE = {'light': '#ffffff', 'dark': '#14181f'}
_INK = {'light': '#1d2430', 'dark': '#e4e8ee'}
_SOFT = {'light': '#5c6675', 'dark': '#9aa5b4'}
_GRID = {'light': '#e3e7ed', 'dark': '#2a313c'}
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif'
_CLEAR = 'rgba(0,0,0,0)'


def color(index: int) -> str:
    """Colour of the row at a place; they repeat."""
    return PALETTE[index % len(PALETTE)]


def templates() -> dict[str, dict[str, Any]]:
    """Colour scheme to the template of its figures."""
    return {scheme: _template(scheme) for scheme in PAGE}


def _template(scheme: str) -> dict[str, Any]:
    axis = dict(
        gridcolor=_GRID[scheme],
        linecolor=_GRID[scheme],
        zerolinecolor=_SOFT[scheme],
        automargin=True,
        ticks='',
        ticklabelstandoff=6,
        title=dict(standoff=10, font_size=13),
    )
    layout = go.Layout(
        font=dict(family=_FONT, size=13, color=_INK[scheme]),
        colorway=PALETTE,
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        xaxis=axis,
        yaxis=axis,
        hovermode='closest',
        margin=dict(l=8, r=20, t=34, b=8),
        bargap=0.45,
        legend=dict(orientation='h', yref='container', yanchor='bottom', y=0, x=0, font_size=12),
        hoverlabel=dict(
            bgcolor=PAGE[scheme],
            bordercolor=_SOFT[scheme],
            align='left',
            font=dict(color=_INK[scheme], family=_FONT),
        ),
        modebar=dict(bgcolor=_CLEAR, color=_SOFT[scheme], activecolor=_INK[scheme]),
    )
    traces = (
        go.Bar(error_x_color=_INK[scheme]),
        go.Scatter(
            marker_color=_INK[scheme], error_x_color=_INK[scheme], error_y_color=_INK[scheme]
        ),
    )
    return dict(
        data={trace.type: [trace.to_plotly_json()] for trace in traces},
        layout=layout.to_plotly_json(),
    )
