"""What is made of the results of single seeds: means of rows, differences, cells."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import (
    LARGEST,
    SEVERITY,
    Cell,
    CellStatus,
    SeedResult,
    format_number,
    is_imported,
)
from mmaction_ext.tables.spec import Column, Row, TableSpec
from mmaction_ext.tables.statistics import Interval, mean, sample_std, t_interval, welch_interval

#: how far from a whole number of samples a share times their number may be: scores are float32
_SHARE = Fraction(1, 100)
_TOO_LARGE = f'the number is beyond {float(LARGEST):.0e}, too large to print'


def run_results(
    spec: TableSpec, cell_of: Callable[[Row, Column], Cell]
) -> Iterator[tuple[Row, int, tuple[SeedResult, ...]]]:
    """Every row that has runs of its own, under every seed, with the results of its metrics.

    Args:
        spec: the table.
        cell_of: the cell of a row, or of a fold of one, and a measured column.
    """
    for row in spec.with_runs:
        cells = [cell_of(row, column) for column in spec.measured]
        results = zip(*(cell.seeds for cell in cells if cell.seeds), strict=True)
        for seed, of_seed in zip(spec.seeds, list(results) or [()] * len(spec.seeds), strict=True):
            yield row, seed, of_seed


def scaled(result: SeedResult, scale: Fraction) -> SeedResult:
    """A result in the printed unit."""
    return result if result.value is None else replace(result, value=result.value * scale)


def shifted(result: SeedResult, figure: Fraction) -> SeedResult:
    """The difference of a result to a number."""
    return result if result.value is None else replace(result, value=result.value - figure)


def minus(mine: SeedResult, reference: SeedResult) -> SeedResult:
    """The difference of two results of one seed."""
    if mine.value is None:
        return mine
    if reference.value is None:
        reason = f'of the reference row: {reference.reason}'
        return SeedResult(
            mine.seed, reference.status, None, reason, reference.runs, fold=mine.fold
        )
    return SeedResult(
        mine.seed,
        CellStatus.OK,
        mine.value - reference.value,
        runs=_runs(reference, mine),
        imported=mine.imported or reference.imported,
        fold=mine.fold,
    )


def mean_result(rows: Sequence[Row], results: Sequence[SeedResult]) -> SeedResult:
    """One seed's mean over several rows; without one of them there is none."""
    runs = _runs(*results)
    for status in SEVERITY:
        wrong = [
            (row, result)
            for row, result in zip(rows, results, strict=True)
            if result.status is status
        ]
        if wrong:
            reasons = {result.reason for result in results}
            row, result = wrong[0]
            reason = 'no run' if reasons == {'no run'} else f'of “{row.label}”: {result.reason}'
            return SeedResult(result.seed, status, None, reason, runs)
    return SeedResult(
        results[0].seed,
        CellStatus.OK,
        mean(_values(results)),
        runs=runs,
        imported=any(result.imported for result in results),
    )


def fold_results(
    folds: Sequence[Row], by_fold: Sequence[Sequence[SeedResult]], column: Column
) -> list[SeedResult]:
    """What the folds of a row give: one result per seed, or per fold of the only seed.

    Papers print the mean over the splits of a data set. So each seed has its mean over the folds
    first, and seeds are compared then, each with its own partner: the spread is that of training
    anew. Where there is but one seed, nothing can be said of that, and the folds are what is
    compared, each with the same fold of another row. Their spread is that of the data; as their
    training sets overlap, they are no independent samples, and an interval over them is narrower
    than it should be (Bengio and Grandvalet, JMLR 2004).

    Args:
        folds: the folds.
        by_fold: of each, one result per seed, in the printed unit.
        column: where it is ``pooled``, each seed has the share of all samples together.
    """
    flat = reject_shared([result for results in by_fold for result in results])
    seeds = len(by_fold[0])
    by_seed = [flat[seed::seeds] for seed in range(seeds)]
    if column.over_folds == 'pooled':
        return [_pooled(folds, results, column) for results in by_seed]
    if seeds > 1:
        return [mean_result(folds, results) for results in by_seed]
    return [replace(result, fold=row.fold) for row, result in zip(folds, by_seed[0], strict=True)]


def _pooled(folds: Sequence[Row], results: Sequence[SeedResult], column: Column) -> SeedResult:
    """Right samples of all folds over all samples, of a metric that is such a share."""
    found = mean_result(folds, results)
    if found.value is None:
        return found
    right = total = 0
    for row, result in zip(folds, results, strict=True):
        count = (result.value or 0) / column.scale * (result.samples or 0)
        if not result.samples or abs(count - round(count)) > _SHARE:
            reason = f'of “{row.label}”: ' + (
                f'{column.metric} is no share of {result.samples} samples'
                if result.samples
                else 'nobody recorded how many samples were tested'
            )
            return SeedResult(result.seed, CellStatus.FAILED, None, reason, found.runs)
        right, total = right + round(count), total + result.samples
    return replace(found, value=Fraction(right, total) * column.scale, samples=total)


def _runs(*results: SeedResult) -> tuple[str, ...]:
    """Ids of the runs of some results, each once."""
    return tuple(dict.fromkeys(run for result in results for run in result.runs))


def reject_shared(results: Iterable[SeedResult]) -> list[SeedResult]:
    """Seeds and folds measured on one and the same checkpoint are not independent runs."""
    results = list(results)
    times = Counter(
        result.checkpoint
        for result in results
        if result.status is CellStatus.OK and result.checkpoint
    )
    return [
        replace(
            result,
            status=CellStatus.CONFLICT,
            value=None,
            reason='measured on the same checkpoint file',
        )
        if result.checkpoint and times[result.checkpoint] > 1
        else result
        for result in results
    ]


def dash() -> Cell:
    """A cell where nothing belongs."""
    return Cell(CellStatus.NOT_APPLICABLE, '–')


def number_cell(value: Fraction, column: Column) -> Cell:
    """A number without seeds."""
    if abs(value) > LARGEST:
        return Cell(CellStatus.FAILED, CellStatus.FAILED.value, note=_TOO_LARGE)
    number = format_number(value, column.fmt)
    status, remarks, notes = _judge(number, column)
    return Cell(status, number + _in_brackets(remarks), number, value, note='; '.join(notes))


def common_cell(cells: Sequence[Cell]) -> Cell:
    """What all parts of a mean show; a dash where they differ, the worst where one is wrong."""
    for status in SEVERITY:
        for cell in cells:
            if cell.status is status:
                return replace(cell)
    if len({cell.value for cell in cells}) > 1:
        return replace(dash(), note='differs between the rows of the mean')
    return replace(cells[0])


def seeds_cell(seeds: Iterable[SeedResult], column: Column) -> Cell:
    """Mean and standard deviation of the seeds that count, and why the others do not."""
    seeds = [_printable(seed) for seed in seeds]
    values = _values(seeds)
    note = _seed_note(seeds, bool(values))
    if not values:
        status = next(s for s in SEVERITY if s in {seed.status for seed in seeds})
        return Cell(status, status.value, seeds=tuple(seeds), note=note)
    centre, interval = mean(values), t_interval(values)
    number = format_number(centre, column.fmt)
    std = sample_std(values) if len(values) > 1 else None
    status, remarks, notes = _judge(number, column, seeds)
    text = number + _spread(std, interval, column) + _in_brackets(remarks)
    return Cell(
        status,
        text,
        number,
        centre,
        std,
        interval,
        tuple(seeds),
        '; '.join(filter(None, (note, *notes))),
    )


def difference_cell(
    mine: Sequence[SeedResult], reference: Sequence[SeedResult], column: Column
) -> Cell:
    """Difference of two rows: paired by seed or, sharing fewer than two, that of their means.

    Args:
        mine, reference: one :class:`SeedResult` per seed of the table, in the printed unit.
        column: the :class:`mmaction_ext.tables.spec.Column`.

    Returns:
        The cell; one of means needs two seeds of each row, and has Welch's interval from three
        of each on.
    """
    pairs = [minus(*each) for each in zip(mine, reference, strict=True)]
    if len(_counted(pairs)) < 2 <= min(len(_counted(mine)), len(_counted(reference))):
        seeds = [
            replace(pair, runs=_runs(theirs, ours))
            for pair, ours, theirs in zip(pairs, mine, reference, strict=True)
        ]
        return _unpaired_cell(seeds, _counted(mine), _counted(reference), column)
    return seeds_cell(pairs, column)


def cells_difference(mine: Cell, column: Column, other: Cell, other_column: Column) -> Cell:
    """Difference of two cells, of one table or of two, paired by seed or by fold.

    Args:
        mine, other: the cells.
        column, other_column: theirs.

    Returns:
        As of :func:`difference_cell`, of the seeds or folds that both have.

    Raises:
        InputError: they are in different units, or share no seed that counts.
    """
    theirs = {result.label: result for result in other.counted}
    ours = [result for result in mine.counted if result.label in theirs]
    if column.scale != other_column.scale or not ours:
        why = 'share no seed or fold with a number' if not ours else 'are in different units'
        raise InputError(
            f'{column.key!r} ({mine.text}) and {other_column.key!r} ({other.text}) {why}'
        )
    fmt = f'+{column.fmt.lstrip("+")}'
    as_difference = Column(column.key, column.head, column.key, fmt=fmt, relative_to='reference')
    return difference_cell(ours, [theirs[result.label] for result in ours], as_difference)


def _unpaired_cell(
    pairs: Sequence[SeedResult],
    mine: Sequence[SeedResult],
    reference: Sequence[SeedResult],
    column: Column,
) -> Cell:
    ours, theirs = _values(mine), _values(reference)
    centre, interval = mean(ours) - mean(theirs), welch_interval(ours, theirs)
    number = format_number(centre, column.fmt)
    is_import = any(map(is_imported, [*mine, *reference]))
    status = CellStatus.IMPORTED if is_import else CellStatus.PARTIAL
    remarks = [f'{len(_counted(pairs))}/{len(pairs)} paired']
    note = (
        f'difference of the means over {_named(mine)} and, of the reference row, '
        f'{_named(reference)}' + ', with Welch’s interval' * (interval is not None)
    )
    text = number + _interval_text(interval, column) + _in_brackets(remarks)
    return Cell(
        status,
        text,
        number,
        centre,
        None,
        interval,
        tuple(pairs),
        f'{_seed_note(pairs, True)}; {note}',
        unpaired=True,
    )


def _counted(seeds: Iterable[SeedResult]) -> list[SeedResult]:
    return [seed for seed in seeds if seed.status is CellStatus.OK]


def _values(seeds: Iterable[SeedResult]) -> list[Fraction]:
    return [seed.value for seed in seeds if seed.value is not None]


def _printable(result: SeedResult) -> SeedResult:
    """A result that is too large in the printed unit has failed."""
    if result.value is None or abs(result.value) <= LARGEST:
        return result
    return replace(result, status=CellStatus.FAILED, value=None, reason=_TOO_LARGE)


def _judge(
    number: str, column: Column, seeds: Sequence[SeedResult] = ()
) -> tuple[CellStatus, list[str], list[str]]:
    """Status of a cell with a printed number, remarks that stand beside it, and footnotes.

    What is printed is held against the tolerance, so that a reader comes to the same result.
    """
    status = CellStatus.OK
    remarks: list[str] = []
    notes: list[str] = []
    counted = _counted(seeds)
    if len(counted) < len(seeds):
        status = CellStatus.PARTIAL
        remarks.append(f'{len(counted)}/{len(seeds)}')
    imported = list(filter(is_imported, counted))
    if imported:
        status = CellStatus.IMPORTED
        if len(imported) < len(counted):
            notes.append(f'{_named(imported)} imported')
    if column.tolerance is not None and abs(Fraction(number)) > column.tolerance:
        status = CellStatus.OUT_OF_TOLERANCE
        remarks.append(status.value)
        notes.append(f'more than {float(column.tolerance):g} from the published figure')
    return status, remarks, notes


def _spread(std: Fraction | None, interval: Interval | None, column: Column) -> str:
    """`` ± 2.8``, of paired differences also `` [+58.1, +65.9]``."""
    if std is None:
        return ''
    text = f' ± {format_number(std, column.fmt.lstrip("+"))}'
    return text + (_interval_text(interval, column) if column.relative else '')


def _interval_text(interval: Interval | None, column: Column) -> str:
    if interval is None:
        return ''
    low, high = (format_number(end, column.fmt) for end in interval)
    return f' [{low}, {high}]'


def _in_brackets(remarks: Sequence[str]) -> str:
    return f' ({", ".join(remarks)})' if remarks else ''


def _seed_note(seeds: Iterable[SeedResult], has_values: bool) -> str:
    """Footnote, seeds with the same reason together; none for a cell that says it all."""
    reasons: dict[tuple[CellStatus, str], list[SeedResult]] = defaultdict(list)
    for seed in seeds:
        if seed.status is not CellStatus.OK:
            reasons[seed.status, seed.reason].append(seed)
    if not has_values and {status for status, _ in reasons} == {CellStatus.MISSING}:
        reasons = {key: found for key, found in reasons.items() if key[1] != 'no run'}
    return '; '.join(
        f'{_named(found)} {status.value}: {reason}' for (status, reason), found in reasons.items()
    )


def _named(results: Sequence[SeedResult]) -> str:
    labels = ', '.join(result.label for result in results)
    return f'{results[0].unit}{"s" if len(results) > 1 else ""} {labels}'
