"""How the runs of a suite fare: a matrix of rows and seeds, on a terminal drawn in its place."""

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mmaction_ext.cli.text import clean, duration, is_screen
from mmaction_ext.suites.executors.local import RunState
from mmaction_ext.suites.progress import Progress

_Key = TypeVar('_Key', str, int)
#: seconds between two lines about how far the runs are, where there is no terminal
REPORT_SECONDS = 20
#: seconds between two drawings on a terminal
DRAW_SECONDS = 0.5
#: lines that are no rows: heads, what is not shown, the summary, and one for the cursor
_MARGIN = 4
#: columns for the name of a row, at least, and between two
_NAME_WIDTH, _GAP = 12, 2
_STYLES = dict(
    done='green',
    finished='green',
    running='blue',
    failed='red',
    stopped='yellow',
    cancelled='yellow',
    waiting='bright_black',
    queued='bright_black',
)
#: those are shown first where not all rows fit
_FIRST = ('running', 'failed', 'killed', 'diverged', 'left out', 'in use', 'stopped')


@dataclass(frozen=True)
class Cell:
    """How one run fares.

    Attributes:
        row, seed: which.
        word: its state.
        progress: how far it is.
    """

    row: str
    seed: int
    word: str
    progress: Progress = field(default_factory=Progress)


def cells(states: Sequence[RunState]) -> list[Cell]:
    """The cells of what an executor looks after."""
    return [
        Cell(name, state.task.job.seed, state.word, state.progress)
        for state, name in zip(states, row_names(states), strict=True)
    ]


def row_names(states: Sequence[RunState]) -> list[str]:
    """Names of rows, of two tables that have one of the same name with the config's folder."""
    names = [state.task.job.name.rpartition('/')[0] for state in states]
    configs = [state.task.run.rpartition('/')[0] for state in states]
    meant = {name: {c for n, c in zip(names, configs, strict=True) if n == name} for name in names}
    return [
        config if len(meant[name]) > 1 else name
        for name, config in zip(names, configs, strict=True)
    ]


def matrix(found: Sequence[Cell], width: int | None = None, height: int | None = None) -> Group:
    """Rows and seeds with their states, and a line about all of them.

    Args:
        found: one per run.
        width, height: how many columns and lines there may be; the rows and seeds that run or
            failed are shown rather than others.
    """
    rows: dict[str, dict[int, Cell]] = {}
    seeds: dict[int, dict[str, Cell]] = {}
    for cell in sorted(found, key=lambda cell: cell.seed):
        seeds.setdefault(cell.seed, {})[cell.row] = cell
    for cell in found:
        rows.setdefault(cell.row, {})[cell.seed] = cell
    shown = _most_telling(rows, height and height - _MARGIN)
    texts = [*map(_text, found), *(Text(f'seed {seed}') for seed in seeds)]
    each = max((text.cell_len for text in texts), default=0) + _GAP
    columns = _most_telling(seeds, width and (width - _NAME_WIDTH) // each)
    rest = width and max(1, width - len(columns) * each - _GAP)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style='bold')
    table.add_column('run', no_wrap=True, overflow='ellipsis', max_width=rest)
    for seed in columns:
        table.add_column(f'seed {seed}', no_wrap=True, overflow='ellipsis')
    for row in shown:
        table.add_row(Text(clean(row)), *(_text(rows[row].get(seed)) for seed in columns))
    hidden = [
        f'{len(of) - len(of_these)} more {what}'
        for of, of_these, what in ((rows, shown, 'rows'), (seeds, columns, 'seeds'))
        if len(of_these) < len(of)
    ]
    lines = [f'and {", ".join(hidden)}'] if hidden else []
    lines.append(summary(found))
    return Group(table, *(Text(line, no_wrap=True, overflow='ellipsis') for line in lines))


def _most_telling(lines: Mapping[_Key, Mapping[Any, Cell]], most: int | None) -> list[_Key]:
    """Rows, or seeds, in their order; of too many those that run or failed."""
    if most is None or len(lines) <= most:
        return list(lines)
    ranked = sorted(lines, key=lambda key: _rank(lines[key]))[: max(1, most)]
    return [key for key in lines if key in ranked]


def _rank(row: Mapping[Any, Cell]) -> int:
    words = [cell.word for cell in row.values()]
    return min(
        (_FIRST.index(word) for word in words if word in _FIRST),
        default=len(_FIRST) + ('done' in words),
    )


def _text(cell: Cell | None) -> Text:
    if cell is None:
        return Text('')
    text = cell.word
    if cell.word == 'running' and cell.progress.fraction is not None:
        text = ' '.join(
            filter(None, (f'{cell.progress.fraction:.0%}', duration(cell.progress.seconds_left)))
        )
    return Text(text, style=_STYLES.get(cell.word, 'red'))


def summary(found: Sequence[Cell]) -> str:
    """How many runs there are in each state."""
    counts = Counter(cell.word for cell in found)
    return ', '.join(f'{count} {word}' for word, count in counts.most_common()) + (
        f' of {len(found)} runs'
    )


def how_far(progress: Progress) -> str:
    """How far a run is, in words."""
    if progress.iteration is None:
        return 'starting'
    parts = [f'iteration {progress.iteration}']
    if progress.total:
        parts = [f'iteration {progress.iteration} of {progress.total}']
    if progress.seconds_left is not None:
        parts.append(f'{duration(progress.seconds_left)} left')
    if isinstance(progress.value, float):
        parts.append(f'{progress.metric} {progress.value:.4g}')
    return ', '.join(parts)


class Board:
    """Says what happens, and shows how all runs fare; nobody need be there to read.

    On a terminal the matrix stands below what was said and is drawn again in its place, in as
    many lines and columns as there are. Elsewhere there are lines, those about progress every
    :data:`REPORT_SECONDS`.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._due = self._start + REPORT_SECONDS
        self._live: Live | None = None
        if is_screen():
            self._due = self._start
            self._live = Live(console=Console(highlight=False), auto_refresh=False)

    def __enter__(self) -> 'Board':
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            with contextlib.suppress(OSError):  # the terminal is gone
                self._live.stop()

    def say(self, text: str) -> None:
        """Print a line with the minutes and seconds since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        line = f'[{minutes:3d}:{seconds:02d}] {clean(text)}'
        with contextlib.suppress(OSError):
            if self._live:
                self._live.console.print(Text(line))
            else:
                print(line, flush=True)

    def show(self, states: Sequence[RunState]) -> None:
        """Draw the matrix, or say how far each run is, if it is time to."""
        now = time.monotonic()
        is_over = not any(state.word in ('waiting', 'running') for state in states)
        if now < self._due and not (is_over and self._live):
            return
        if self._live:
            self._due = now + DRAW_SECONDS
            with contextlib.suppress(OSError):
                width, height = self._live.console.size
                self._live.update(matrix(cells(states), width, height), refresh=True)
            return
        self._due = now + REPORT_SECONDS
        for state in states:
            if state.word == 'running':
                self.say(f'{state.task.job.name}: {how_far(state.progress)}')
        sys.stdout.flush()
