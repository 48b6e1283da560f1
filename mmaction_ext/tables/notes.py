"""What stands around the cells of a table: footnotes, warnings, notes, the legend."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mmaction_ext.tables import protocol
from mmaction_ext.tables.cells import (
    Cell,
    CellStatus,
    SeedResult,
    Table,
    TableRow,
    is_imported,
)
from mmaction_ext.tables.seed_cells import run_results
from mmaction_ext.tables.spec import Column, Row, TableSpec

_LEGEND = {
    CellStatus.PARTIAL: '(n/N): n of N seeds count, a mean of other seeds than in the rows beside '
    'it and not to be compared with theirs',
    CellStatus.OUT_OF_TOLERANCE: 'out of tolerance: the difference to the published figure, as '
    'printed, is too large',
    CellStatus.RUNNING: 'running: not through yet',
    CellStatus.UNFINISHED: 'unfinished: still running or killed',
    CellStatus.DIVERGED: 'diverged: losses or scores that are not finite',
    CellStatus.FAILED: 'failed: ended with an error or killed',
    CellStatus.STALE: 'stale: only runs of another version of the config or code, with '
    'overrides, or tested under another protocol',
    CellStatus.MISSING: 'missing: no finished result',
    CellStatus.CONFLICT: 'conflict: results that contradict each other',
    CellStatus.UNTRUSTED: 'untrusted: damaged log',
}

DAGGER = '†'
#: Said of rows whose numbers are older than the code beside them.
DATED = 'Measured with an earlier version of the operators, modules or host'


def number_footnotes(table: Table) -> None:
    """Letter the footnotes in reading order, one per cell; equal texts share a letter."""
    letters: dict[str, str] = {}
    for row in table.rows:
        entries: list[TableRow | Cell] = [row, *row.cells]
        for noted in entries:
            if noted.note:
                noted.mark = letters.setdefault(noted.note, _letter(len(letters)))
    table.footnotes = [(letter, text) for text, letter in letters.items()]


def mark_imported(spec: TableSpec, table: Table) -> None:
    """One dagger and one note for what was not run here.

    It stands at the rows that have such a number, or once in the head where all with numbers do.
    """
    counted = {
        row.id: [
            seed
            for column, cell in zip(table.columns, row.cells, strict=True)
            if column.kind == 'history'
            for seed in cell.seeds
            if seed.status is CellStatus.OK
        ]
        for row in table.body
    }
    rows = [row for row in table.body if any(map(is_imported, counted[row.id]))]
    imported = [seed for row in rows for seed in counted[row.id] if is_imported(seed)]
    if not imported:
        return
    if len(rows) == sum(map(bool, counted.values())):
        table.head_mark = DAGGER
    else:
        for row in rows:
            row.mark += DAGGER
    told = ['runs that were logged elsewhere'] if any(seed.runs for seed in imported) else []
    told += ['numbers without a run behind them'] if not all(s.runs for s in imported) else []
    source = spec.runs.name_of_source if spec.runs else ''
    table.footnotes.append((DAGGER, f'Imported{source}: {", ".join(told)}'))


def _letter(index: int) -> str:
    """a ... z, aa, ab, ...; letters, because a raised digit reads as part of the number."""
    head, last = divmod(index, 26)
    return (_letter(head - 1) if head else '') + chr(ord('a') + last)


def warnings(spec: TableSpec, table: Table) -> list[str]:
    """Rows that were tested on differing data, or in differing ways, cannot be compared.

    The parts of a mean (the splits of a data set) are compared with the same parts of other
    means, and folds with folds of the same name.
    """
    parts: dict[str, int | str] = {
        part.id: part.fold or i for row in spec.rows for i, part in enumerate(spec.parts(row))
    }
    parts |= {row.id: row.fold for row in spec.rows if row.fold}
    measured = [each for row in table.rows for each in row.measured]
    found: list[str] = []
    for part in (None, *sorted(set(parts.values()), key=str)):
        rows = [row for row in measured if parts.get(row.id) == part]
        found += _differing_samples(rows) + _differing_protocols(spec, rows)
    return found


def _differing_samples(rows: Iterable[TableRow]) -> list[str]:
    counts: defaultdict[int, set[str]] = defaultdict(set)
    contents: defaultdict[str, set[str]] = defaultdict(set)
    for row, seed in _seeds(rows):
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


def _differing_protocols(spec: TableSpec, rows: Iterable[TableRow]) -> list[str]:
    """Facts in which rows may not differ, but do; an unknown fact is no difference."""
    if any(key.split('.')[0] == 'test_dataloader' for key in spec.varies):
        return []
    values: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row, seed in _seeds(rows):
        for key, value in seed.evaluation.get('protocol', {}).items():
            if value is not None and key not in spec.protocol:
                values[key][protocol.describe({key: value})].add(row.label)
    differing = {key: labels for key, labels in sorted(values.items()) if len(labels) > 1}
    return [
        f'Rows were tested under differing protocols ({_listed(labels)}).'
        for labels in differing.values()
    ]


def _seeds(rows: Iterable[TableRow]) -> list[tuple[TableRow, SeedResult]]:
    """(row, seed result) of all cells."""
    return [(row, seed) for row in rows for cell in row.cells for seed in cell.seeds]


def _listed(groups: Mapping[str, set[str]]) -> str:
    """``key: its rows; key: its rows``."""
    return '; '.join(
        f'{key}: {", ".join(sorted(labels))}' for key, labels in sorted(groups.items())
    )


def main_citation(spec: TableSpec) -> str:
    """Where most of the published figures of a table stand; empty where it shows none."""
    if not any(
        'published' in (column.kind, str(column.relative_to).partition('.')[0])
        for column in spec.columns
    ):
        return ''
    found = Counter(row.published.citation for row in spec.rows if row.published)
    return max(found, key=found.__getitem__, default='')


def row_note(row: Row, citation: str) -> str:
    """Why a row holds published figures alone, and where they stand if not where most do."""
    notes = [f'Published figures only: {row.reason}'] if row.reason else []
    if citation and row.published and row.published.citation != citation:
        notes.append(f'published in {row.published.citation}')
    text = '; '.join(notes)
    return text[:1].upper() + text[1:]


def notes(spec: TableSpec, table: Table, citation: str) -> list[str]:
    """The lines under a table."""
    cells = [cell for row in table.rows for cell in row.cells]
    found = [
        _protocol_note(spec, cells),
        _unknown_protocol_note(spec, table),
        _dated_note(table),
        _statistics_note(spec, cells),
        _bold_note(cells),
        _legend(spec, table),
    ]
    if citation:
        others = any(row.published and row.published.citation != citation for row in spec.rows)
        found.append(f'Published figures{" without a footnote" if others else ""}: {citation}.')
    found.append(spec.note)
    return [note for note in found if note]


def _protocol_note(spec: TableSpec, cells: Sequence[Cell]) -> str:
    if not any(column.kind == 'history' for column in spec.columns):
        return ''
    if spec.runs:
        return _selection_note(spec)
    samples = {seed.samples for cell in cells for seed in cell.seeds} - {None}
    count = f' ({samples.pop()} samples)' if len(samples) == 1 else ''
    wanted = protocol.describe(protocol.fixed(spec.protocol))
    logged = [column for column in spec.columns if column.kind == 'history']
    others = [
        f'{column.head}: {column.source.partition("/")[0]}'
        for column in logged
        if column.source.split('/')[0] != spec.split
    ]
    aside = f'; other splits: {", ".join(others)}' if others else ''
    own = ''.join(
        f' {column.head}: {column.select.checkpoint}.' for column in logged if column.select
    )
    name = spec.split_name or spec.split
    return ', '.join(
        filter(
            None,
            (
                f'{name[:1].upper()}{name[1:]} split{count}',
                wanted,
                f'{spec.select.checkpoint} of each run{aside}.{own}',
            ),
        )
    )


def _selection_note(spec: TableSpec) -> str:
    own = ''.join(
        f' {column.head}: {column.select.logged}.' for column in spec.columns if column.select
    )
    text = spec.select.logged
    return f'{text[:1].upper()}{text[1:]} of each run.{own}'


def _unknown_protocol_note(spec: TableSpec, table: Table) -> str:
    """Rows with numbers of which nobody recorded whether the protocol is the right one."""
    wanted = protocol.fixed(spec.protocol).keys()
    tests = [i for i, column in enumerate(table.columns) if column.source.startswith('test/')]
    rows = {
        row.label: None
        for row in table.body
        for i in tests
        for seed in row.cells[i].seeds
        if seed.status is CellStatus.OK
        and (seed.evaluation or seed.imported)
        and wanted - seed.evaluation.get('protocol', {}).keys()
    }
    return f'Protocol not recorded: {", ".join(rows)}.' if rows else ''


def _dated_note(table: Table) -> str:
    rows = ', '.join(row.label for row in table.rows if row.dated)
    return f'{DATED} than this one: {rows} (mmaction-ext explain lists the files).' if rows else ''


def _statistics_note(spec: TableSpec, cells: Sequence[Cell]) -> str:
    seeds = ', '.join(map(str, spec.seeds))
    parts = []
    if any(cell.std is not None for cell in cells):
        parts.append(f'Mean ± standard deviation (n−1) over seeds {seeds}')
    elif any(cell.seeds for cell in cells):
        parts.append(f'Seeds {seeds}' if len(spec.seeds) > 1 else f'Seed {seeds}, one run each')
    by_fold = any(seed.fold for cell in cells for seed in cell.seeds)
    folds = ', '.join(spec.folds)
    if by_fold:
        what = 'Mean ± standard deviation (n−1)' if len(spec.folds) > 1 else 'Value'
        parts = [
            f'{what} over folds {folds} of seed {seeds}; as folds share training samples, '
            'intervals over them are narrower than they should be'
        ]
    elif parts and spec.fold_rows and any(not column.fold for column in spec.measured):
        first = parts[0][:1].lower() + parts[0][1:]
        parts = [f'Mean over folds {folds} under each seed, then {first}']
    pooled = [column.head for column in spec.columns if column.over_folds == 'pooled']
    if pooled:
        parts.append(f'{", ".join(pooled)}: right samples of all folds over all their samples')
    if any(column.relative for column in spec.columns):
        brackets = any(cell.number and '[' in cell.text for cell in cells)
        own = any(row.relative_to not in ('', row.id) for row in spec.rows)
        reference = spec.reference
        to = 'a row’s own counterpart' if own or not reference else f'the row “{reference.label}”'
        some = ', but for those of means, which say so,' * any(cell.unpaired for cell in cells)
        parts.append(
            f'differences to {to} are paired by {"fold" if by_fold else "seed"}{some} '
            'and taken before rounding'
            + ', in brackets their 95 % interval (Student’s t)'
            * brackets
        )
    if any(row.mean_of for row in spec.rows):
        parts.append('a mean of rows is taken seed by seed')
    text = '; '.join(parts)
    return f'{text[:1].upper()}{text[1:]}.' if text else ''


def _bold_note(cells: Iterable[Cell]) -> str:
    if not any(cell.best for cell in cells):
        return ''
    return 'Bold: best among the complete cells of a column, as printed.'


def _legend(spec: TableSpec, table: Table) -> str:
    """Explain the statuses that occur."""
    cells = [cell for row in table.rows for cell in row.cells]
    found = {status for cell in cells for status in cell.statuses}
    texts = {status: text for status, text in _LEGEND.items() if status in found}
    if CellStatus.PARTIAL in found and any(seed.fold for cell in cells for seed in cell.seeds):
        texts[CellStatus.PARTIAL] = texts[CellStatus.PARTIAL].replace('seeds', 'folds')
    if CellStatus.MISSING in found:
        texts[CellStatus.MISSING] += _to_be_made(spec, table)
    return f'{"; ".join(texts.values())}.' if texts else ''


def _to_be_made(spec: TableSpec, table: Table) -> str:
    """How many of its runs a table lacks, counted as `plan` does, and what makes them."""

    def cell_of(row: Row, column: Column) -> Cell:
        return table.cell(row.id, column.key)

    runs = [results for row, _, results in run_results(spec, cell_of) if row.config]
    lacking = sum(any(each.status is not CellStatus.OK for each in results) for results in runs)
    if not lacking:
        return ''
    return (
        f' yet, {lacking} of {len(runs)} runs {"is" if lacking == 1 else "are"} to be made '
        f'(mmaction-ext launch {spec.id} --locked)'
    )
