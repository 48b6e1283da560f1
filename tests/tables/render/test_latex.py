import re
import shutil
import subprocess

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.tables.render.latex import escape, render

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,amssymb,textcomp,graphicx}
\begin{document}
%s
\end{document}
"""
needs_pdflatex = pytest.mark.skipif(
    not shutil.which('pdflatex'), reason='pdflatex is not installed'
)


def compile_latex(folder, body):
    (folder / 'a.tex').write_text(DOCUMENT % body, encoding='utf-8')
    done = subprocess.run(
        ['pdflatex', '-interaction=nonstopmode', '-no-shell-escape', 'a.tex'],
        cwd=folder,
        capture_output=True,
        timeout=120,
    )
    log = done.stdout.decode('latin1')
    assert done.returncode == 0 and '\n!' not in log, log[-3000:]
    return log


@pytest.mark.parametrize(
    'text, latex',
    [
        ('50% & $a_b$', r'50\% \& \$a\_b\$'),
        ('\\input{x}', r'\textbackslash{}input\{x\}'),
        ('[x]', '{[}x{]}'),
        ('a--b', 'a-{}-b'),
        ('1 ± 2', r'1 $\pm$ 2'),
        ('Δ ✓ –', r'$\Delta$ $\checkmark$ --'),
        ('a\nb', 'a b'),
        ('é 中 ð', 'é {[}U+4E2D{]} {[}U+00F0{]}'),
        ('X3D-S', 'X3D-S'),
    ],
)
def test_escape(text, latex):
    assert escape(text) == latex


def test_body(table):
    lines = render(table).splitlines()
    plain = next(line for line in lines if line.startswith('Plain'))
    assert plain == r'Plain & -- & \textbf{$-$1.5 $\pm$ 0.2} \\'
    imported = next(line for line in lines if line.startswith('imported'))
    assert imported.endswith(r'& $-$2.5 $\pm$ 0.1 {[}$-$3.1, +0.2{]} (imported) \\')
    partial = next(line for line in lines if r'\textsuperscript{a} \\' in line)
    assert partial.endswith(r'& $\checkmark$ & 83.3 $\pm$ 1.1 (2/3)\textsuperscript{a} \\')
    assert sum(line.startswith(r'\multicolumn{3}{l}') for line in lines) == 1
    rows = [line for line in lines if line.endswith(r' \\') and 'multicolumn' not in line]
    assert len(rows) == len(table.rows)  # the head instead of the section
    assert {len(re.findall(r'(?<!\\)&', line)) for line in rows} == {2}


@given(st.text())
def test_no_special_character_is_left(text):
    """What remains after all escapes are taken away is harmless.

    Opening quotation marks are printed with the backtick that TeX has for them.
    """
    text = text.translate({ord(mark): None for mark in '“‘'})
    ours = r'\\[{}$&#%_]|\\char34|\\[A-Za-z]+(\{\})?|\{[\[\]]?\}|\$[^$]*\$'
    rest = re.sub(ours, '', escape(text))
    assert not set(rest) & set('\\{}$&#%_^~<>|"`\n')


@needs_pdflatex
def test_table_compiles_for_pdflatex(tmp_path, table):
    compile_latex(tmp_path, render(table))


@needs_pdflatex
def test_every_character_that_may_stand_in_a_text_compiles(tmp_path):
    ranges = [(0x20, 0x250), (0x370, 0x400), (0x2010, 0x2040), (0x2190, 0x2194), (0x2200, 0x2270)]
    texts = [''.join(map(chr, range(start, stop))) for start, stop in ranges]
    body = '\n\n'.join(' '.join(escape(char) for char in text) for text in texts)
    log = compile_latex(tmp_path, body)
    assert 'Missing character' not in log


@needs_pdflatex
def test_wide_tables_are_shrunk_to_the_page(tmp_path, table):
    table.columns = table.columns * 8
    for row in table.rows:
        row.cells = row.cells * 8
    log = compile_latex(tmp_path, render(table))
    widths = [float(width) for width in re.findall(r'Overfull \\hbox \(([\d.]+)pt', log)]
    assert all(width < 1 for width in widths)


def test_footnote_of_a_row_stands_at_its_label(table):
    [line] = [line for line in render(table).splitlines() if '$\\checkmark$' in line]
    assert line.partition(' & $\\checkmark$')[0].endswith('\\textsuperscript{b}')
