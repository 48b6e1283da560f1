"""What networks cost beside what their papers print: ``reports/complexity.md``."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError
from mmaction_ext.models.complexity import Complexity, count
from mmaction_ext.tables.aggregate import number_footnotes
from mmaction_ext.tables.cells import Cell, CellStatus, Table, TableRow, exact, format_number
from mmaction_ext.tables.document import Document
from mmaction_ext.tables.render import markdown
from mmaction_ext.tables.spec import Column

_ROW_KEYS = {'model', 'config', 'options', 'input_shape', 'params', 'gmacs', 'source', 'note'}
_REQUIRED = ('model', 'config', 'input_shape', 'source')
_COLUMNS = (
    ('input', 'Input (T×H×W)'),
    ('params', 'Params (M)'),
    ('published_params', 'Published params'),
    ('gmacs', 'GMACs'),
    ('published_gmacs', 'Published GMACs'),
    ('agrees', 'Prints as published'),
    ('source', 'Published in'),
    ('command', 'Arguments of tools/get_complexity.py'),
)
_NOTES = (
    'Counted: one multiply-add for each product that is summed in convolutions, linear layers, '
    'matrix products (attention) and correlations; a correlation is T·H·W·C·U·V for each offset, '
    'and offsets that leave the clip count in full (DCF, equation 2). Not counted: '
    'normalisation, activation, pooling (key points and regional means among them), additions, '
    'interpolation.',
    'Measured on the meta device by tools/get_complexity.py; nothing is loaded or trained. '
    '“Prints as published” compares the measured value, rounded to the digits that the paper '
    'prints, with what it prints.',
)


@dataclass(frozen=True)
class ComplexityRow:
    """One network of the report, or a heading.

    Attributes:
        model: Its printed name.
        config: Config file; None for a heading.
        options: Settings that differ from the config, dotted keys to values.
        input_shape: (C, T, H, W) of one view.
        params: Published millions of parameters as printed, e.g. ``'8.11'``; None for none.
        gmacs: Published billions of multiply-adds as printed; None for none.
        source: Where the published figures stand.
        note: Why the count does not round to them, or what stands in their place; empty where
            it does.
    """

    model: str
    config: Path | None = None
    options: dict | None = None
    input_shape: tuple[int, ...] = ()
    params: str | None = None
    gmacs: str | None = None
    source: str = ''
    note: str = ''


def load_rows(path: Path) -> tuple[str, list[ComplexityRow]]:
    """Read the specification of the report.

    Args:
        path: YAML file with ``caption`` and ``rows``; configs are relative to its folder.

    Returns:
        The caption and the rows.

    Raises:
        InputError: The file cannot be read or says what it must not; the message has the line.
    """
    document = Document(path)
    document.mapping((), {'caption', 'rows'}, ('caption', 'rows'))
    rows = [_load_row(document, ('rows', i)) for i in range(len(document.items(('rows',))))]
    return document.text(('caption',)), rows


def _load_row(document: Document, where: tuple) -> ComplexityRow:
    if 'section' in document.get(where):
        document.mapping(where, {'section'}, ('section',))
        return ComplexityRow(document.text((*where, 'section')))
    entry = document.mapping(where, _ROW_KEYS, _REQUIRED)
    for key in ('params', 'gmacs'):
        if not isinstance(entry.get(key, ''), str):
            raise document.error((*where, key), f'{key} must be quoted, to keep its digits')
    return ComplexityRow(
        document.text((*where, 'model')),
        document.path.parent / entry['config'],
        entry.get('options'),
        tuple(entry['input_shape']),
        entry.get('params'),
        entry.get('gmacs'),
        document.text((*where, 'source')),
        entry.get('note', ''),
    )


def measure(row: ComplexityRow) -> Complexity:
    """Count the network of a row.

    Raises:
        InputError: The config cannot be read, or its model not be built or run.
    """
    cfg = read_config(row.config, row.options)
    try:
        return count(cfg, row.input_shape)
    except ValueError as error:
        raise InputError(f'{row.config}: {error}') from error


def prints_as(value: Fraction, published: str) -> bool:
    """Whether a number, rounded to the digits of a printed one, prints the same."""
    digits = len(published.partition('.')[2])
    return format_number(value, f'.{digits}f') == published


def build_report(path: Path, progress: Callable[[str], None] = lambda _: None) -> str:
    """The report as Markdown.

    Args:
        path: Specification, see :func:`load_rows`.
        progress: Called with the name of each network before it is counted.

    Raises:
        InputError: As :func:`load_rows` and :func:`measure`; or a count differs from the
            published figure and no note says why, or agrees with it and a note says why not.
    """
    caption, rows = load_rows(path)
    table = Table(
        'complexity',
        caption,
        'Model',
        tuple(Column(key, head, '') for key, head in _COLUMNS),
        [],
        notes=list(_NOTES),
    )
    for row in rows:
        if row.config is not None:
            progress(row.model)
        table.rows.append(TableRow(row.model, row.model, _cells(row, path.parent)))
    number_footnotes(table)
    return '# Parameters and multiply-adds\n\n' + markdown.render(table)


def _cells(row: ComplexityRow, folder: Path) -> list[Cell]:
    if row.config is None:
        return []
    found = measure(row)
    measured = {'params': exact(found.params) / 10**6, 'gmacs': exact(found.macs) / 10**9}
    published = {'params': row.params, 'gmacs': row.gmacs}
    agreed = {key: prints_as(measured[key], text) for key, text in published.items() if text}
    _check_note(row, found, agreed)
    return [
        _text('×'.join(map(str, row.input_shape[1:]))),
        _text(format_number(measured['params'], '.3f')),
        _text(row.params or '–'),
        _text(format_number(measured['gmacs'], '.3f')),
        _text(row.gmacs or '–'),
        _agreement(agreed, row.note),
        _text(row.source),
        _text(_command(row, folder)),
    ]


def _check_note(row: ComplexityRow, found: Complexity, agreed: dict[str, bool]) -> None:
    counts = f'{row.model}: {found.params} parameters and {found.macs} multiply-adds'
    published = ', '.join(f'{key} {getattr(row, key)}' for key in agreed)
    if not all(agreed.values()) and not row.note:
        raise InputError(f'{counts} do not print as {published}, and no note says why')
    if agreed and all(agreed.values()) and row.note:
        raise InputError(f'{counts} print as {published}, but a note says why not: {row.note}')


def _command(row: ComplexityRow, folder: Path) -> str:
    """The arguments that measure the row alone, as a shell takes them, from above ``folder``."""
    options = [
        f'{key}={value if isinstance(value, str) else str(value).replace(" ", "")}'
        for key, value in (row.options or {}).items()
    ]
    return shlex.join(
        [
            (Path(folder.name) / row.config.relative_to(folder)).as_posix(),
            '--shape',
            *map(str, row.input_shape[1:]),
            *(['--cfg-options', *options] if options else []),
        ]
    )


def _agreement(agreed: dict[str, bool], note: str) -> Cell:
    if not agreed:
        return Cell(CellStatus.NOT_APPLICABLE, '–', note=note)
    words = {key: 'yes' if same else 'no' for key, same in agreed.items()}
    if len(set(words.values())) == 2:
        return Cell(CellStatus.OK, f'params {words["params"]}, GMACs {words["gmacs"]}', note=note)
    return Cell(CellStatus.OK, words.popitem()[1], note=note)


def _text(text: str) -> Cell:
    return Cell(CellStatus.OK, text)
