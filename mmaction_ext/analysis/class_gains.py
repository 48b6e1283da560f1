"""Which classes a network gains over another: KPSEM Figure 7, as a file and on the page."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus, SeedResult
from mmaction_ext.tables.seed_runs import RowConfig, SeedRuns
from mmaction_ext.tables.spec import LAST
from mmaction_ext.tracking.reading.record import RunRecord

#: what the names of the metrics begin with, up to the id of the class
PREFIX = 'test/class/top1_'
#: A gain that is none, however its difference was rounded.
EQUAL = 1e-9
_ROW = 0.36  # inches
_PLAIN: dict[str, Any] = dict(parse_math=False, usetex=False)  # a class name may hold $ or _


@dataclass(frozen=True)
class ClassGain:
    """One class under two networks.

    Attributes:
        name: its name, or its id where no names are known.
        before: accuracy of the baseline in [0, 1].
        after: accuracy of the other network.
    """

    name: str
    before: float
    after: float

    @property
    def gain(self) -> float:
        """What the other network gains."""
        return self.after - self.before

    def __str__(self) -> str:
        """``50.0 → 70.0 (+20.0)``."""
        return f'{100 * self.before:.1f} → {100 * self.after:.1f} ({100 * self.gain:+.1f})'


def class_accuracies(
    records: Sequence[RunRecord], config: RowConfig, seeds: Sequence[int]
) -> dict[int, float]:
    """Accuracy of each class of one config, the mean over its seeds.

    Args:
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any config and seed.
        config: the config as it stands in the tree.
        seeds: seeds that it must have been run under.

    Returns:
        Id of the class to accuracy in [0, 1].

    Raises:
        InputError: a seed has no finished test with accuracies of classes; the message says why.
    """
    names = {
        metric
        for record in records
        if record.config == config.name
        for item in record.evaluations
        for metric in item.values
        if metric.startswith(PREFIX)
    }
    if not names:
        raise InputError(f'no run of {config.name} has {PREFIX}..., the accuracies of classes')
    of_seeds = [SeedRuns(records, config, seed, LAST) for seed in seeds]
    return {
        int(name.removeprefix(PREFIX)): _mean([each.result(name) for each in of_seeds], config)
        for name in sorted(names)
    }


def _mean(results: list[SeedResult], config: RowConfig) -> float:
    values = []
    for result in results:
        if result.status is not CellStatus.OK or result.value is None:
            raise InputError(f'{config.name}, seed {result.seed}: {result.reason}')
        values.append(result.value)
    return float(sum(values) / len(values))


def class_gains(
    before: Mapping[Any, float],
    after: Mapping[Any, float],
    names: Sequence[str] = (),
    margin: float = -1.0,
) -> list[ClassGain]:
    """Classes and what they gain, the largest gain first.

    Args:
        before: accuracy of the baseline by id, as of :func:`class_accuracies`, or by name.
        after: those of the other network.
        names: names of the classes by their id.
        margin: least gain, in [-1, 1]; without it all classes are there.

    Raises:
        InputError: the two were tested on different classes, or one has no name.
    """
    if before.keys() != after.keys():
        raise InputError(
            'the two networks were tested on different classes: '
            f'{sorted(before.keys() ^ after.keys())} are those of one alone'
        )
    if names and max(before) >= len(names):
        raise InputError(f'class {max(before)} has no name: there are {len(names)}')
    gains = [
        ClassGain(names[number] if names else str(number), before[number], after[number])
        for number in before
    ]
    large = [each for each in gains if each.gain >= margin - EQUAL]
    return sorted(large, key=lambda each: (-each.gain, each.name))


def draw_class_gains(gains: Sequence[ClassGain], labels: tuple[str, str], path: Path) -> None:
    """Two bars for each class, the gain beside them.

    Args:
        gains: what :func:`class_gains` found.
        labels: names of the baseline and of the other network.
        path: file to write; its suffix says how (``.png``, ``.pdf``, ``.svg``).

    Raises:
        InputError: there is no class to draw, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not gains:
        raise InputError('no class gains as much: there is nothing to draw')
    figure = Figure((7, 0.9 + _ROW * len(gains)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = range(len(gains))
    for offset, label, values in (
        (-0.2, labels[0], [100 * each.before for each in gains]),
        (0.2, labels[1], [100 * each.after for each in gains]),
    ):
        axes.barh([row + offset for row in rows], values, height=0.38, label=label)
    for row, each in zip(rows, gains, strict=True):
        axes.text(
            100 * max(each.before, each.after) + 1,
            row,
            f'{100 * each.gain:+.1f}',
            va='center',
            **_PLAIN,
        )
    axes.set_yticks(rows, [each.name for each in gains], **_PLAIN)
    axes.invert_yaxis()
    axes.set(xlim=(0, 112), xlabel='Top-1 (%)')
    axes.legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    buffer = io.BytesIO()
    path = Path(path)
    try:
        figure.savefig(buffer, format=path.suffix[1:] or 'png', dpi=150)
        path.write_bytes(buffer.getvalue())
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'{path} cannot be written: {reason}') from error
