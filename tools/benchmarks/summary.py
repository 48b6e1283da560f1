"""Print what the tables of the benchmarks come to, as Markdown, and draw their figures.

    python tools/benchmarks/summary.py                      (all of reports/benchmarks)
    python tools/benchmarks/summary.py FILE.csv --plots-only

Of ``operators.csv`` and its kind: for each size how many times as long each peer takes as our
implementations, forward and backward, as medians of the same rounds; and the share of the rates of
the same rounds. The figure beside the table (``.svg``) shows these ratios, for rows of a GPU the
roofline: what each size reached of what matrix product and copy allow at its intensity.

Two public packages do not install here as they are published. Their columns, ``*``, are derived:
what they took in the study of peers, as a multiple of the shift loop there, times what the shift
loop takes here.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import common

OURS = ('native', 'portable', 'auto', 'triton')
PEERS = ('shift_loop', 'unfold', 'compiled', 'compiled_loop', 'masks')
#: size -> spatial-correlation-sampler 0.5.0 and natten 0.17.5 (``na2d_qk``, built with -O3 and
#: AVX2), forward and backward in multiples of the shift loop. A study with patched builds on two
#: cores of an AMD EPYC, one thread, three to ten rounds, ±30 %.
STUDIED: dict[str, tuple[float | None, float]] = {
    'x3d_10_L1': (51.8 / 26.1, 34.9 / 26.1),
    'x3d_20_L1': (60.3 / 22.1, 39.2 / 22.1),
    'x3d_40_L1': (51.1 / 17.4, 44.0 / 17.4),
    'r50_14_L1': (89.1 / 48.0, 50.6 / 48.0),
    'r50_28_L1': (112.1 / 40.5, 61.0 / 40.5),
    'r50_56_L1': (115.5 / 31.5, 52.0 / 31.5),
    'selfy_14': (None, 77.4 / 128.6),
    'selfy_28': (None, 48.0 / 56.4),
}
STUDIED_NAMES = ('correlation-sampler*', 'natten*')
ROOFLINE_MARKS = dict(triton='o', auto='.', portable='P', unfold='^', compiled_loop='D')
Row = dict[str, str]


def groups(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str], dict[str, Row]]]:
    """Rows of each size and dtype by implementation."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row['size'], row['dtype']), {})[row['implementation']] = row
    yield from found.items()


def ratios(size: str, found: dict[str, Row], ours: str) -> dict[str, float]:
    """How many times as long peers take as an implementation of ours, both passes."""
    own = float(found[ours]['both_ms'])
    made = {name: float(found[name]['both_ms']) / own for name in PEERS if name in found}
    if size in STUDIED and 'shift_loop' in made:
        for name, multiple in zip(STUDIED_NAMES, STUDIED[size], strict=True):
            if multiple:
                made[name] = multiple * made['shift_loop']
    return made


def markdown(rows: Sequence[Row], ours: Sequence[str] = OURS) -> str:
    """A table of the rows of ``operators.csv``: a line for each size and implementation of ours.

    Args:
        rows: as :func:`common.read` gives them.
        ours: which implementations.
    """
    lines = []
    peers = [
        name
        for name in (*PEERS, *STUDIED_NAMES)
        if any(
            name in ratios(size, found, own)
            for (size, _), found in groups(rows)
            for own in ours
            if own in found
        )
    ]
    for (size, dtype), found in groups(rows):
        for own in ours:
            if own in found:
                row, against = found[own], ratios(size, found, own)
                picked = f'{own}: {row["picked"]}' if row['picked'] else own
                cells = [size, dtype, picked, row['forward_ms'], row['both_ms']]
                cells += [f'{against[name]:.3g}x' if name in against else '' for name in peers]
                cells += [_percent(row[name]) for name in ('of_matmul', 'of_copy', 'both_of_copy')]
                lines.append(cells)
    head = ['size', 'dtype', 'implementation', 'forward ms', 'both ms', *peers]
    head += ['of matmul', 'of copy', 'both of copy']
    return _table(head, lines)


def _percent(value: str) -> str:
    return f'{100 * float(value):.0f} %' if value else ''


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ['---'] * len(head)
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (head, rule, *lines))


def plain(rows: Sequence[Row]) -> str:
    """A table of other benchmarks' rows without what all share of their environment."""
    kept = [name for name in rows[0] if name not in common.ENVIRONMENT]
    return _table(kept, [[row[name] for name in kept] for row in rows])


def environment(rows: Sequence[Row]) -> str:
    """What the rows say of where they were measured, each value once."""
    facts = []
    for name in common.ENVIRONMENT:
        values = dict.fromkeys(row[name] for row in rows if row.get(name))
        if values and name != 'load':
            facts.append(f'{name} {", ".join(values)}')
    return '; '.join(facts)


def draw(path: Path, figure_of: str | None = None) -> Path | None:
    """The figure of a table of operators, beside it; None of other tables.

    Args:
        path: the table.
        figure_of: ``'roofline'`` or ``'ratios'``; None for that of the device.
    """
    rows = common.read(path)
    if not rows or 'both_ms' not in rows[0]:
        return None
    import matplotlib

    matplotlib.use('Agg')
    matplotlib.rcParams.update({'svg.hashsalt': 'benchmarks', 'font.size': 8})
    from matplotlib import pyplot

    on_gpu = rows[0]['instructions'].startswith('sm_')
    kind = figure_of or ('roofline' if on_gpu else 'ratios')
    figure, axes = pyplot.subplots(figsize=(9, 5), layout='constrained')
    dict(roofline=_roofline, ratios=_ratio_plot)[kind](axes, rows)
    axes.set_title(environment(rows), fontsize=6, wrap=True)
    target = path.with_suffix('.svg')
    figure.savefig(target, metadata={'Date': None})
    pyplot.close(figure)
    return target


def _ratio_plot(axes: Any, rows: Sequence[Row]) -> None:
    """Ratios of both passes by size: a mark for each peer, filled for the native path."""
    found = dict(groups(rows))
    names = [' '.join(key).removesuffix(' float32') for key in found]
    shown = [own for own in ('native', 'portable') if any(own in each for each in found.values())]
    marks = dict(zip((*PEERS, *STUDIED_NAMES), 'os^vDP*', strict=True))
    for own in shown:
        for color, (peer, mark) in enumerate(marks.items()):
            points = [
                (place, against[peer])
                for place, ((size, _), each) in enumerate(found.items())
                if own in each and peer in (against := ratios(size, each, own))
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    mark,
                    color=f'C{color}',
                    fillstyle='full' if own == 'native' else 'none',
                    label=f'{peer} / {own}',
                )
    axes.axhline(1, color='black', linewidth=0.5)
    axes.set_xticks(range(len(names)), names, rotation=45, ha='right')
    axes.set(yscale='log', ylabel='times as long as ours, forward and backward')
    axes.legend(ncols=2, fontsize=6)


def _roofline(axes: Any, rows: Sequence[Row]) -> None:
    """Rate over intensity of the forward pass, below what the same run's rates allow."""
    intensities = []
    for number, dtype in enumerate(dict.fromkeys(row['dtype'] for row in rows)):
        own = [row for row in rows if row['dtype'] == dtype]
        for name, mark in ROOFLINE_MARKS.items():
            points = [
                (float(row['gflop_s']) / float(row['gb_s']), float(row['gflop_s']))
                for row in own
                if row['implementation'] == name and row['gflop_s']
            ]
            if points:
                intensities += [x for x, _ in points]
                label = f'{name}, {dtype}'
                axes.plot(*zip(*points, strict=True), mark, color=f'C{number}', label=label)
        flops = max(float(row['gflop_s']) for row in own if row['implementation'] == 'matmul')
        copy = max(float(row['gb_s']) for row in own if row['implementation'] == 'copy')
        edge = flops / copy
        reach = [min([*intensities, edge]) / 2, edge, max([*intensities, edge]) * 2]
        roof = [min(flops, x * copy) for x in reach]
        axes.plot(reach, roof, color=f'C{number}', label=f'matmul and copy, {dtype}')
    axes.set(xscale='log', yscale='log', xlabel='operations a byte', ylabel='GFLOP/s, forward')
    axes.legend(fontsize=6)


def main(argv: Sequence[str] | None = None) -> None:
    """Print and draw."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = [common.REPORTS / f'{name}.csv' for name in ('operators', 'blocks', 'models')]
    default += [common.REPORTS / f'{name}.csv' for name in ('memory', 'data_loading')]
    made.add_argument(
        'tables',
        nargs='*',
        type=Path,
        default=[path for path in default if path.exists()],
        metavar='FILE.csv',
        help='default: those of reports/benchmarks',
    )
    made.add_argument('--plots-only', action='store_true', help='print no table')
    made.add_argument(
        '--figure', choices=('roofline', 'ratios'), help='default: roofline of a GPU, else ratios'
    )
    args = made.parse_args(argv)
    for path in args.tables:
        rows = common.read(path)
        if not args.plots_only:
            print(f'{os.fspath(path)}: {environment(rows)}\n')
            print(markdown(rows) if 'both_ms' in rows[0] else plain(rows))
        figure = draw(path, args.figure)
        if figure:
            common.progress(f'drawn: {figure}')


if __name__ == '__main__':
    main()
