"""What networks cost beside what their papers print: ``reports/complexity.md``."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationInfo, model_validator
from pydantic.dataclasses import dataclass

from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError
from mmaction_ext.models.complexity import Complexity, count
from mmaction_ext.tables.aggregate import number_footnotes
from mmaction_ext.tables.cells import Cell, CellStatus, Table, TableRow, exact, format_number
from mmaction_ext.tables.document import ENTRY, Document, Entry
from mmaction_ext.tables.render import markdown
from mmaction_ext.tables.spec import Column

_COLUMNS = (
    ('input', 'Input (T×H×W)'),
    ('params', 'Params (M)'),
    ('published_params', 'Published params'),
    ('gmacs', 'GMACs'),
    ('published_gmacs', 'Published GMACs'),
    ('agrees', 'Prints as published'),
    ('source', 'Published in'),
    ('command', 'Arguments of mmaction-ext complexity'),
)
_NOTES = (
    'Counted: one multiply-add for each product that is summed in convolutions, linear layers, '
    'matrix products (attention) and correlations; a correlation is T·H·W·C·U·V for each offset, '
    'and offsets that leave the clip count in full (DCF, equation 2). Not counted: '
    'normalisation, activation, pooling (key points and regional means among them), additions, '
    'interpolation.',
    'Measured on the meta device by mmaction-ext complexity; nothing is loaded or trained. '
    '“Prints as published” compares the measured value, rounded to the digits that the paper '
    'prints, with what it prints.',
)


def _beside(path: Path, info: ValidationInfo) -> Path:
    return info.context.path.parent / path if info.context else path


def _quoted(value: object) -> object:
    if isinstance(value, (int, float)):
        raise ValueError('must be quoted, to keep its digits')
    return value


@dataclass(frozen=True, config=ENTRY)
class ComplexityRow(Entry):
    """One network of the report, or a heading.

    Attributes:
        model: Its printed name; empty for a heading.
        config: Config file; None for a heading.
        options: Settings that differ from the config, dotted keys to values.
        input_shape: (C, T, H, W) of one view.
        params: Published millions of parameters as printed, e.g. ``'8.11'``; None for none.
        gmacs: Published billions of multiply-adds as printed; None for none.
        source: Where the published figures stand.
        note: Why the count does not round to them, or what stands in their place; empty where
            it does.
        section: The heading.
    """

    model: str = ''
    config: Annotated[Path, AfterValidator(_beside)] | None = None
    options: dict[str, Any] | None = None
    input_shape: tuple[int, ...] = ()
    params: Annotated[str, BeforeValidator(_quoted)] | None = None
    gmacs: Annotated[str, BeforeValidator(_quoted)] | None = None
    source: str = ''
    note: str = ''
    section: str = ''

    @model_validator(mode='after')
    def _is_network_or_heading(self) -> ComplexityRow:
        needed = (self.model, self.config, self.input_shape, self.source)
        if any(needed) if self.section else not all(needed):
            raise ValueError('a row has a section, or model, config, input_shape and source')
        return self


@dataclass(frozen=True, config=ENTRY)
class _Specification(Entry):
    caption: str
    rows: tuple[ComplexityRow, ...]


def load_rows(path: Path) -> tuple[str, tuple[ComplexityRow, ...]]:
    """Read the specification of the report.

    Args:
        path: YAML file with ``caption`` and ``rows``; configs are relative to its folder.

    Returns:
        The caption and the rows.

    Raises:
        InputError: The file cannot be read or says what it must not; the message has file, line
            and key.
    """
    specification = Document(path).validated(TypeAdapter(_Specification))
    return specification.caption, specification.rows


def measure(row: ComplexityRow) -> Complexity:
    """Count the network of a row.

    Raises:
        InputError: The config cannot be read, or its model not be built or run.
    """
    assert row.config is not None, 'a heading has no network'
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
        table.rows.append(TableRow(row.model, row.section or row.model, _cells(row, path.parent)))
    number_footnotes(table)
    return '# Parameters and multiply-adds\n\n' + markdown.within_text(table)


def _cells(row: ComplexityRow, folder: Path) -> list[Cell]:
    if row.config is None:
        return []
    found = measure(row)
    measured = {'params': exact(found.params) / 10**6, 'gmacs': exact(found.macs or 0) / 10**9}
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
        _text(_command(row, row.config, folder)),
    ]


def _check_note(row: ComplexityRow, found: Complexity, agreed: dict[str, bool]) -> None:
    counts = f'{row.model}: {found.params} parameters and {found.macs} multiply-adds'
    published = ', '.join(f'{key} {getattr(row, key)}' for key in agreed)
    if not all(agreed.values()) and not row.note:
        raise InputError(f'{counts} do not print as {published}, and no note says why')
    if agreed and all(agreed.values()) and row.note:
        raise InputError(f'{counts} print as {published}, but a note says why not: {row.note}')


def _command(row: ComplexityRow, config: Path, folder: Path) -> str:
    """The arguments that measure the row alone, as a shell takes them, from above ``folder``."""
    options = [
        f'{key}={value if isinstance(value, str) else str(value).replace(" ", "")}'
        for key, value in (row.options or {}).items()
    ]
    return shlex.join(
        [
            (Path(folder.name) / config.relative_to(folder)).as_posix(),
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
