"""``mmaction-ext plan --power``: how many seeds a difference needs, and what is not told apart."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from mmaction_ext.cli.text import clean, columns, fold
from mmaction_ext.tables.cells import format_number
from mmaction_ext.tables.power import Comparison, TablePower
from mmaction_ext.tables.statistics import MOST_PAIRS

HEADS = ('row', 'against', 'seeds', 'difference', 'sd', 'needed', 'at most', 'finds', 'remark')
LEGEND = (
    'sd: of the differences, seed by seed; needed: seeds with which a two-sided 5 % paired t test '
    'finds a true difference of {points} in 80 % of studies, by that sd; at most: the same by the '
    'upper 95 % limit of the sd, which few seeds know badly; finds: the least true difference '
    'that the seeds there are find as often.'
)


def describe(power: TablePower) -> list[str]:
    """Lines about one table."""
    points = f'{power.difference:g}'
    head = f'{power.table.id} / {power.column.key} ({power.column.head})'
    if not power.means:
        return [clean(f'{head}: no result yet')]
    lines = [clean(f'{head}: what tells a difference of {points} from noise'), '']
    if power.rows:
        lines += columns(
            (_row_cells(power, row) for row in power.rows),
            HEADS,
            right=HEADS[4:8],
            elastic=(8, 0, 1),
        )
        lines += ['', *fold(LEGEND.format(points=points))]
    else:
        lines += ['The table has no reference row to compare with.']
    lines += ['', *_not_told_apart(power)]
    return lines + _advice(power)


def _row_cells(power: TablePower, row: Comparison) -> list[object]:
    needed, finds = row.needed(power.difference), row.detectable
    return [
        row.row,
        row.other,
        len(row.seeds),
        _difference(power, row),
        '' if row.std is None else _plain(power, row.std),
        _count(needed.estimate) if needed else '',
        _count(needed.at_most) if needed else '',
        '' if finds is None else _plain(power, Fraction(finds)),
        row.problem,
    ]


def _count(seeds: int | None) -> str:
    return f'> {MOST_PAIRS}' if seeds is None else str(seeds)


def _plain(power: TablePower, value: Fraction) -> str:
    return format_number(value, power.column.fmt.lstrip('+'))


def _difference(power: TablePower, pair: Comparison, sign: int = 1) -> str:
    """``+1.7 [-1.2, +4.6]``; of ``other`` less ``row`` where ``sign`` is -1."""
    if pair.difference is None:
        return ''
    ends = [sign * end for end in pair.interval or ()]
    signed = f'+{power.column.fmt.lstrip("+")}'
    shown = ', '.join(format_number(end, signed) for end in sorted(ends))
    return format_number(sign * pair.difference, signed) + (f' [{shown}]' if shown else '')


def _not_told_apart(power: TablePower) -> list[str]:
    """Each row with those below it from which it is not told apart, the highest mean first."""
    known = [pair for pair in power.pairs if pair.is_told_apart is not None]
    alike = [pair for pair in known if not pair.is_told_apart]
    lines = [f'{len(known) - len(alike)} of {len(power.pairs)} pairs of rows are told apart.']
    if alike:
        lines = [lines[0], '', 'not told apart yet (the 95 % interval holds 0):']
    for name in sorted(power.means, key=lambda name: -power.means[name]):
        others = [text for pair in alike if (text := _below(power, pair, name))]
        if others:
            text = f'{name} {_plain(power, power.means[name])}: ' + '; '.join(others)
            lines += fold(clean(text), '  ', '    ')
    if len(known) > 1:
        lines += ['', 'Each pair by itself: 1 in 20 that do not differ seems to.']
    unknown = Counter(pair.problem for pair in power.pairs if pair.is_told_apart is None)
    for problem, count in sorted(unknown.items()):
        lines += fold(clean(f'Of {count} pair{"s" * (count > 1)} nobody can tell: {problem}.'))
    return lines


def _below(power: TablePower, pair: Comparison, name: str) -> str:
    """The other row of a pair, and by how much ``name`` is above it; empty if it is not."""
    sign = {pair.row: 1, pair.other: -1}.get(name)
    if sign is None:
        return ''
    other = pair.other if sign == 1 else pair.row
    means = power.means
    if (means[name], pair.row == name) < (means[other], pair.row == other):
        return ''
    return f'{other} {_difference(power, pair, sign)}'


def _advice(power: TablePower) -> list[str]:
    needs = [
        (need.estimate, row.row) for row in power.rows if (need := row.needed(power.difference))
    ]
    known = [(count, name) for count, name in needs if count is not None]
    if power.is_enough or not known:
        return []
    count, name = max(known)
    return [
        '',
        *fold(
            clean(
                f'With {count} seeds each row finds {power.difference:g} ({name} needs most): '
                f'name them in seeds: of {power.table.spec_path}.'
            )
        ),
    ]


def as_json(power: TablePower) -> dict[str, Any]:
    """What is known of one table as plain data, in the printed unit."""
    return dict(
        id=power.table.id,
        column=power.column.key,
        metric=power.column.metric,
        difference=power.difference,
        is_enough=power.is_enough,
        means={name: float(value) for name, value in power.means.items()},
        rows=list(_entries(power, power.rows)),
        pairs=list(_entries(power, power.pairs)),
    )


def _entries(power: TablePower, pairs: Iterable[Comparison]) -> Iterable[dict[str, Any]]:
    for pair in pairs:
        needed = pair.needed(power.difference)
        yield dict(
            row=pair.row,
            other=pair.other,
            seeds=pair.seeds,
            difference=None if pair.difference is None else float(pair.difference),
            interval=pair.interval and [float(end) for end in pair.interval],
            std=None if pair.std is None else float(pair.std),
            told_apart=pair.is_told_apart,
            detectable=pair.detectable,
            needed=needed and needed._asdict(),
            problem=pair.problem,
        )
