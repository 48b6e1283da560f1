"""LaTeX with booktabs, for any engine."""

import re
from collections.abc import Iterable, Iterator

from mmaction_ext.tables.cells import Cell, Table, TableRow
from mmaction_ext.tables.render.text import one_line

_SPECIAL = {
    '\\': r'\textbackslash{}',
    '{': r'\{',
    '}': r'\}',
    '$': r'\$',
    '&': r'\&',
    '#': r'\#',
    '%': r'\%',
    '_': r'\_',
    '^': r'\textasciicircum{}',
    '~': r'\textasciitilde{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '"': r'\char34{}',
    '`': r'\textasciigrave{}',
    '\u200b': '{}',
    # a bracket may be taken for the optional argument of the \\ before it
    '[': '{[}',
    ']': '{]}',
    '±': r'$\pm$',
    '−': '$-$',
    '–': '--',
    '—': '---',
    '×': r'$\times$',
    '·': r'$\cdot$',
    '†': r'$\dagger$',
    '✓': r'$\checkmark$',
    '≤': r'$\leq$',
    '≥': r'$\geq$',
    '≈': r'$\approx$',
    '∞': r'$\infty$',
    '→': r'$\rightarrow$',
    '←': r'$\leftarrow$',
    '↑': r'$\uparrow$',
    '↓': r'$\downarrow$',
    '“': '``',
    '”': "''",
    '‘': '`',
    '’': "'",
    '…': r'\ldots{}',
    '°': r'$^\circ$',
    '²': '$^2$',
    '³': '$^3$',
}
_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)")  # -- would print as a dash
_MINUS = re.compile(r'(?<![\w.-])-(?=\d)')  # of a number, not a hyphen
_GREEK = dict(
    zip(
        'αβγδεζηθικλμνξπρστυφχψω',
        [
            'alpha',
            'beta',
            'gamma',
            'delta',
            'epsilon',
            'zeta',
            'eta',
            'theta',
            'iota',
            'kappa',
            'lambda',
            'mu',
            'nu',
            'xi',
            'pi',
            'rho',
            'sigma',
            'tau',
            'upsilon',
            'phi',
            'chi',
            'psi',
            'omega',
        ],
        strict=True,
    )
)
_GREEK.update(
    zip(
        'ΓΔΘΛΞΠΣΦΨΩ',
        ['Gamma', 'Delta', 'Theta', 'Lambda', 'Xi', 'Pi', 'Sigma', 'Phi', 'Psi', 'Omega'],
        strict=True,
    )
)
#: Latin letters that pdflatex's default encoding lacks; it has all others below U+0180.
_NOT_IN_OT1 = frozenset('«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ')


def escape(text: str) -> str:
    """Text as LaTeX that prints exactly this text, on one line.

    A character that pdflatex knows no glyph for is printed as its code point, ``[U+4E2D]``.
    """
    text = _LIGATURE.sub('\u200b', one_line(text))
    return ''.join(map(_escape_char, text))


def _escape_char(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char in _GREEK:
        return f'$\\{_GREEK[char]}$'
    if ' ' <= char < '\x7f' or ('\xa1' <= char < '\u0180' and char not in _NOT_IN_OT1):
        return char
    return f'{{[}}U+{ord(char):04X}{{]}}'


def render(table: Table) -> str:
    """LaTeX of a table, a ``table`` environment."""
    lines = [
        r'% needs \usepackage{booktabs,amssymb,textcomp,graphicx}',
        r'\begin{table}[t]',
        r'\centering',
        rf'\caption{{{escape(table.caption)}}}',
        rf'\label{{tab:{re.sub("[^A-Za-z0-9.-]", "-", table.id)}}}',
        r'\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%',
        rf'\begin{{tabular}}{{l{"c" * len(table.columns)}}}',
        r'\toprule',
        _line(
            [escape(table.row_head) + _raised(table.head_mark)]
            + [escape(column.head) for column in table.columns]
        ),
        r'\midrule',
        *_body(table),
        r'\bottomrule',
        r'\end{tabular}}',
        *_notes(table),
        r'\end{table}',
    ]
    return '\n'.join(lines) + '\n'


def _body(table: Table) -> Iterator[str]:
    for i, row in enumerate(table.rows):
        if not row.is_section:
            yield _line([escape(row.label) + _mark(row)] + [_cell(cell) for cell in row.cells])
            continue
        if i:
            yield r'\midrule'
        width = len(table.columns) + 1
        yield rf'\multicolumn{{{width}}}{{l}}{{\emph{{{escape(row.label)}}}}} \\'


def _line(cells: Iterable[str]) -> str:
    return ' & '.join(cells) + r' \\'


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.number:
        text = _MINUS.sub('$-$', text)
    if cell.best:
        text = rf'\textbf{{{text}}}'
    return text + _mark(cell)


def _mark(noted: Cell | TableRow) -> str:
    return _raised(noted.mark)


def _raised(mark: str) -> str:
    return rf'\textsuperscript{{{escape(mark)}}}' if mark else ''


def _notes(table: Table) -> list[str]:
    notes = [rf'\textbf{{Warning:}} {escape(text)}' for text in table.warnings]
    notes += [f'{_raised(mark)}~{escape(text)}' for mark, text in table.footnotes]
    notes += [escape(text) for text in table.notes]
    if not notes:
        return []
    return [
        r'\par\medskip',
        r'\begin{minipage}{\linewidth}\footnotesize',
        ' \\par\n'.join(notes),
        r'\end{minipage}',
    ]
