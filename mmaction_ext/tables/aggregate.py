"""From runs to a table: one cell per row and column, each with its status.

Means and standard deviations are taken over the exact decimals that were logged and rounded
once, when they are printed; differences are paired by seed and taken before rounding.
"""

from collections import Counter, defaultdict
from dataclasses import replace

from mmaction_ext.tables.cells import (SEVERITY, Cell, CellStatus, SeedResult, Table, TableRow,
                                       exact, format_number, mean, sample_std)
from mmaction_ext.tables.results import SeedEvidence, resolve_configs, static_result
from mmaction_ext.tables.spec import Section

#: What a test row says about itself besides its metrics.
PROTOCOL_KEYS = frozenset({'test/num_samples', 'test/checkpoint_sha256', 'test/data_digest'})


def build_table(spec, records, configs=None, complexity=None) -> Table:
    """Build a table.

    Args:
        spec: :class:`mmaction_ext.tables.spec.TableSpec`.
        records: :class:`mmaction_ext.tracking.records.RunRecord` of any runs, in any order.
        configs: row id to :class:`mmaction_ext.tables.results.RowConfig`; resolved from the
            files if left out.
        complexity: see :func:`mmaction_ext.tables.results.static_result`.

    Returns:
        The table; the same bytes whatever the order of ``records``.

    Raises:
        InputError: a row's config cannot be read.
    """
    builder = _Builder(spec, records, configs or resolve_configs(spec), complexity or {})
    cells = builder.cells()
    citation = _main_citation(spec)
    table = Table(spec.id, spec.caption, spec.row_head, spec.columns, [])
    for row in spec.layout:
        if isinstance(row, Section):
            table.rows.append(TableRow('', row.title))
        else:
            table.rows.append(TableRow(row.id, row.label, [cells[row.id, column.key]
                                                           for column in spec.columns],
                                       _row_note(row, citation)))
    _mark_best(table)
    number_footnotes(table)
    table.warnings = _sample_warnings(spec, table)
    table.notes = _notes(spec, table, citation)
    return table


def seed_states(spec, records, configs=None) -> dict:
    """State of every row and seed: the worst over the table's logged metrics.

    Args:
        spec, records, configs: as for :func:`build_table`.

    Returns:
        Row id to seed to :class:`mmaction_ext.tables.cells.CellStatus`, for the rows with a
        config.
    """
    builder = _Builder(spec, records, configs or resolve_configs(spec), {})
    states = {row.id: {} for row in spec.configured}
    for row in spec.configured:
        results = [builder.history(row, column)
                   for column in spec.columns if column.kind == 'history']
        for i, seed in enumerate(spec.seeds):
            found = {result[i].status for result in results}
            states[row.id][seed] = next((status for status in SEVERITY if status in found),
                                        CellStatus.OK)
    return states


class _Builder:
    """Fills cells column by column, since a column may build on an earlier one."""

    def __init__(self, spec, records, configs, complexity):
        self.spec, self.records, self.configs = spec, list(records), configs
        self.complexity = complexity
        self.evidence = {
            (row.id, seed): SeedEvidence(self.records, configs[row.id], seed, spec.select)
            for row in spec.configured for seed in spec.seeds}
        self.by_id = {row.id: row for row in spec.rows}
        self.done = {}

    def cells(self) -> dict:
        """(row id, column key) to cell."""
        makers = dict(row=self.mark, static=self.static, published=self.published,
                      history=self.measured, column=self.difference)
        parts_first = sorted(self.spec.rows, key=lambda row: bool(row.mean_of))
        for column in self.spec.columns:
            for row in parts_first:
                self.done[row.id, column.key] = makers[column.kind](row, column)
        return self.done

    def mark(self, row, column) -> Cell:
        value = row.marks.get(column.name, False)
        text = value if isinstance(value, str) else '✓' if value else ''
        return Cell(CellStatus.OK, text)

    def static(self, row, column) -> Cell:
        if row.is_published_only:
            return _dash()
        if row.mean_of:
            return _common_cell([self.done[name, column.key] for name in row.mean_of])
        found = static_result(self.records, self.configs[row.id], column.name, self.complexity)
        if found.value is None:
            return Cell(found.status, found.status.value, note=found.reason)
        return _number_cell(found.value * column.scale, column)

    def published(self, row, column) -> Cell:
        figure = row.published.figures.get(column.name) if row.published else None
        if figure is None:
            return _dash()
        if isinstance(figure, str):
            return Cell(CellStatus.OK, figure)
        return _number_cell(exact(figure) * column.scale, column)

    def history(self, row, column) -> list:
        """One scaled :class:`SeedResult` per seed."""
        if row.mean_of:
            parts = [self.by_id[name] for name in row.mean_of]
            by_seed = zip(*(self.history(part, column) for part in parts))
            return [_mean_result(parts, results) for results in by_seed]
        results = [self.evidence[row.id, seed].result(column.source) for seed in self.spec.seeds]
        return [_scaled(result, column.scale) for result in _reject_shared(results)]

    def measured(self, row, column) -> Cell:
        if row.is_published_only:
            return _dash()
        return _seeds_cell(self.history(row, column), column)

    def difference(self, row, column) -> Cell:
        """Difference to the reference row, paired by seed."""
        counterpart = self.counterpart(row)
        if row.id == counterpart.id:
            return _dash()
        mine = self.done[row.id, column.source]
        reference = self.done[counterpart.id, column.source]
        if mine.seeds:
            return _seeds_cell([_minus(a, b) for a, b in zip(mine.seeds, reference.seeds)],
                               column)
        for cell in (mine, reference):
            if cell.value is None and cell.status is CellStatus.OK:  # a published text
                return _dash()
            if cell.value is None:
                return Cell(cell.status, cell.text, note=cell.note)
        return _number_cell(mine.value - reference.value, column)

    def counterpart(self, row):
        """The reference row; for a part of a mean, the same part of a reference that is one."""
        reference = self.spec.reference
        for mean_row in self.spec.rows:
            same_part = dict(zip(mean_row.mean_of, reference.mean_of))
            if row.id in same_part:
                return self.by_id[same_part[row.id]]
        return reference


def _dash() -> Cell:
    return Cell(CellStatus.NOT_APPLICABLE, '–')


def _number_cell(value, column) -> Cell:
    number = format_number(value, column.fmt)
    return Cell(CellStatus.OK, number, number, value)


def _common_cell(cells) -> Cell:
    """What all parts of a mean show; a dash where they differ, the worst where one is wrong."""
    for status in SEVERITY:
        for cell in cells:
            if cell.status is status:
                return replace(cell)
    if len({cell.value for cell in cells}) > 1:
        return replace(_dash(), note='differs between the rows of the mean')
    return replace(cells[0])


def _mean_result(rows, results) -> SeedResult:
    """One seed's mean over several rows; without one of them there is none."""
    runs = tuple(run for result in results for run in result.runs)
    for status in SEVERITY:
        wrong = [(row, result) for row, result in zip(rows, results) if result.status is status]
        if wrong:
            reasons = {result.reason for result in results}
            row, result = wrong[0]
            reason = 'no run' if reasons == {'no run'} else f'of “{row.label}”: {result.reason}'
            return SeedResult(result.seed, status, None, reason, runs)
    return SeedResult(results[0].seed, CellStatus.OK, mean([result.value for result in results]),
                      runs=runs)


def _seeds_cell(seeds, column) -> Cell:
    """Mean and standard deviation of the seeds that count, and why the others do not."""
    values = [seed.value for seed in seeds if seed.status is CellStatus.OK]
    note = _seed_note(seeds, bool(values))
    if not values:
        status = next(s for s in SEVERITY if s in {seed.status for seed in seeds})
        return Cell(status, status.value, seeds=tuple(seeds), note=note)
    centre = mean(values)
    number = format_number(centre, column.fmt)
    std = sample_std(values) if len(values) > 1 else None
    text = number if std is None else f'{number} ± {format_number(std, column.fmt.lstrip("+"))}'
    complete = len(values) == len(seeds)
    if not complete:
        text += f' ({len(values)}/{len(seeds)})'
    return Cell(CellStatus.OK if complete else CellStatus.PARTIAL, text, number, centre, std,
                tuple(seeds), note)


def _seed_note(seeds, has_values) -> str:
    """Footnote, seeds with the same reason together; none for a cell that says it all."""
    reasons = defaultdict(list)
    for seed in seeds:
        if seed.status is not CellStatus.OK:
            reasons[seed.status, seed.reason].append(str(seed.seed))
    if not has_values and {status for status, _ in reasons} == {CellStatus.MISSING}:
        reasons = {key: names for key, names in reasons.items() if key[1] != 'no run'}
    return '; '.join(
        f'seed{"s" if len(names) > 1 else ""} {", ".join(names)} {status.value}: {reason}'
        for (status, reason), names in reasons.items())


def _scaled(result, scale) -> SeedResult:
    return result if result.value is None else replace(result, value=result.value * scale)


def _minus(mine, reference) -> SeedResult:
    if mine.status is not CellStatus.OK:
        return mine
    if reference.status is not CellStatus.OK:
        reason = f'of the reference row: {reference.reason}'
        return SeedResult(mine.seed, reference.status, None, reason, reference.runs)
    return SeedResult(mine.seed, CellStatus.OK, mine.value - reference.value,
                      runs=reference.runs + mine.runs)


def _reject_shared(results) -> list:
    """Seeds that were measured on one and the same checkpoint are not independent runs."""
    seeds = defaultdict(list)
    for result in results:
        if result.status is CellStatus.OK and result.checkpoint:
            seeds[result.checkpoint].append(result.seed)
    return [
        replace(result, status=CellStatus.CONFLICT, value=None,
                reason='measured on the same checkpoint file')
        if len(seeds[result.checkpoint]) > 1 else result for result in results]


def _mark_best(table) -> None:
    """Mark the best complete cells of a column, as printed: what looks equal is equal."""
    for i, column in enumerate(table.columns):
        cells = [row.cells[i] for row in table.rows if not row.is_section]
        cells = [cell for cell in cells if cell.status is CellStatus.OK and cell.number]
        if not column.best or len(cells) < 2:
            continue
        pick = max if column.best == 'max' else min
        best = pick(float(cell.number) for cell in cells)
        for cell in cells:
            cell.best = float(cell.number) == best


def number_footnotes(table) -> None:
    """Letter the footnotes in reading order, one per cell; equal texts share a letter."""
    letters = {}
    for row in table.rows:
        for noted in (row, *row.cells):
            if noted.note:
                noted.mark = letters.setdefault(noted.note, _letter(len(letters)))
    table.footnotes = [(letter, text) for text, letter in letters.items()]


def _letter(index) -> str:
    """a ... z, aa, ab, ...; letters, because a raised digit reads as part of the number."""
    head, last = divmod(index, 26)
    return (_letter(head - 1) if head else '') + chr(ord('a') + last)


def _sample_warnings(spec, table) -> list:
    """Rows that were tested on differing data cannot be compared.

    The parts of a mean (the splits of a data set) are compared with the same parts of other
    means.
    """
    parts = {name: i for row in spec.rows for i, name in enumerate(row.mean_of)}
    return [warning for part in (None, *sorted(set(parts.values())))
            for warning in _differing_samples([row for row in table.rows
                                               if parts.get(row.id) == part])]


def _differing_samples(rows) -> list:
    counts, contents = defaultdict(set), defaultdict(set)
    for row in rows:
        for seed in (seed for cell in row.cells for seed in cell.seeds):
            if seed.samples is not None:
                counts[seed.samples].add(row.label)
            if seed.data is not None:
                contents[seed.data].add(row.label)
    if len(counts) > 1:
        named = {f'{count} samples': labels for count, labels in counts.items()}
        return [f'Rows were tested on differing numbers of samples ({_listed(named)}).']
    if len(contents) > 1:
        short = {digest[:8]: labels for digest, labels in contents.items()}
        return [f'Rows were tested on differing data (digests {_listed(short)}).']
    return []


def _listed(groups) -> str:
    """``key: its rows; key: its rows``."""
    return '; '.join(f'{key}: {", ".join(sorted(labels))}'
                     for key, labels in sorted(groups.items()))


def _main_citation(spec) -> str:
    """Where most of the published figures of a table stand; empty where it shows none."""
    if not any(column.kind == 'published' for column in spec.columns):
        return ''
    found = Counter(row.published.citation for row in spec.rows if row.published)
    return max(found, key=found.get, default='')


def _row_note(row, main_citation) -> str:
    """Why a row holds published figures alone, and where they stand if not where most do."""
    notes = [f'Published figures only: {row.reason}'] if row.reason else []
    if main_citation and row.published and row.published.citation != main_citation:
        notes.append(f'published in {row.published.citation}')
    text = '; '.join(notes)
    return text[:1].upper() + text[1:]


def _notes(spec, table, citation) -> list:
    cells = [cell for row in table.rows for cell in row.cells]
    notes = [_protocol_note(spec, cells), _statistics_note(spec, cells)]
    notes += [_bold_note(table, cells), _legend(cells)]
    if citation:
        others = any(row.published and row.published.citation != citation for row in spec.rows)
        notes.append(f'Published figures{" without a footnote" if others else ""}: {citation}.')
    notes.append(spec.note)
    return [note for note in notes if note]


def _protocol_note(spec, cells) -> str:
    if not any(column.kind == 'history' for column in spec.columns):
        return ''
    select = spec.select
    checkpoint = 'last checkpoint'
    if select.policy == 'best':
        end = 'highest' if select.mode == 'max' else 'lowest'
        checkpoint = f'checkpoint with the {end} {select.metric}'
    samples = {seed.samples for cell in cells for seed in cell.seeds} - {None}
    count = f' ({samples.pop()} samples)' if len(samples) == 1 else ''
    others = [f'{column.head}: {column.source.partition("/")[0]}' for column in spec.columns
              if column.kind == 'history' and column.source.split('/')[0] != spec.split]
    aside = f'; other splits: {", ".join(others)}' if others else ''
    return f'{spec.split.capitalize()} split{count}, {checkpoint} of each run{aside}.'


def _statistics_note(spec, cells) -> str:
    seeds = ', '.join(map(str, spec.seeds))
    parts = []
    if any(cell.std is not None for cell in cells):
        parts.append(f'Mean ± standard deviation (n−1) over seeds {seeds}')
    elif any(cell.seeds for cell in cells):
        parts.append(f'Seeds {seeds}' if len(spec.seeds) > 1 else f'Seed {seeds}, one run each')
    if any(column.relative for column in spec.columns):
        parts.append('differences to the row '
                     f'“{spec.reference.label}” are paired by seed and taken before rounding')
    if any(row.mean_of for row in spec.rows):
        parts.append('a mean of rows is taken seed by seed')
    text = '; '.join(parts)
    return f'{text[:1].upper()}{text[1:]}.' if text else ''


def _bold_note(table, cells) -> str:
    if not any(cell.best for cell in cells):
        return ''
    return 'Bold: best among the complete cells of a column, as printed.'


def _legend(cells) -> str:
    """Explain the statuses that occur."""
    found = {cell.status for cell in cells}
    texts = [text for status, text in _LEGEND.items() if status in found]
    return f'{"; ".join(texts)}.' if texts else ''


_LEGEND = {
    CellStatus.PARTIAL: '(n/N): n of N seeds count',
    CellStatus.RUNNING: 'unfinished: still running or killed',
    CellStatus.FAILED: 'failed: ended with an error',
    CellStatus.STALE: 'stale: only runs of another version of the config, or with overrides',
    CellStatus.MISSING: 'missing: no finished result',
    CellStatus.CONFLICT: 'conflict: results that contradict each other',
    CellStatus.UNTRUSTED: 'untrusted: damaged log',
}
