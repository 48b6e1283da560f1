import re
from dataclasses import replace
from fractions import Fraction

from mmaction_ext.report.runs import runs_by_uid
from mmaction_ext.report.seeds import seeds_addresses, seeds_table
from mmaction_ext.tables.cells import CellStatus, TableRow
from mmaction_ext.tables.render.html import render_table
from mmaction_ext.tables.run_summary import summaries


def by_uid(table, records):
    return runs_by_uid(summaries(records, [table]))


def rows_of(page):
    """The cells of each line of a table of seeds, its heading aside."""
    body = page.partition('</thead>')[2]
    return [re.findall(r'<td[^>]*>(.*?)</td>', line) for line in re.findall('<tr>.*</tr>', body)]


def change(table, row, seed, **facts):
    """Change what one seed contributed to the measured cell of a row."""
    cell = table.cell(row, 'top1')
    cell.seeds = tuple(
        replace(each, **facts) if each.seed == seed else each for each in cell.seeds
    )


def test_every_seed_of_a_row_with_runs_has_a_line(table, runs):
    page = seeds_table(table, by_uid(table, runs))
    assert [line[0] for line in rows_of(page)] == ['0', '1', '2'] * 3
    assert re.findall(r'rowspan="(\d)" id="([^"]*)">(\w+)<', page) == [
        ('3', f'seeds:demo:{row}', row) for row in ('base', 'full', 'part')
    ]
    assert re.findall(r'<th scope="col">([^<]*)', page) == ['Model', 'Seed', 'Top-1', 'Runs']


def test_values_are_rounded_as_in_the_table_and_exact_in_the_tooltip(table, runs):
    change(table, 'base', 1, value=Fraction(-9, 4))
    lines = rows_of(seeds_table(table, by_uid(table, runs)))
    assert [line[1] for line in lines[:2]] == [
        '<span title="50.0">50.0</span>',
        '<span title="-2.25">−2.2</span>',
    ]


def test_a_seed_that_does_not_count_says_why(table, runs):
    change(table, 'base', 0, status=CellStatus.FAILED, value=None, reason='loss is "nan"')
    lines = rows_of(seeds_table(table, by_uid(table, runs)))
    assert lines[0][1] == '<span class="state" title="loss is &#34;nan&#34;">failed</span>'
    assert lines[7][1:] == ['<span class="state" title="no run">missing</span>', '–']


def test_lines_lead_to_all_that_is_known_of_their_runs(table, make):
    """Training and test of one id, their page at W&B once, and a run that lies elsewhere."""
    url = 'https://wandb.example/me/suite/runs/base-0'
    change(table, 'base', 0, runs=('base-0', 'elsewhere'))
    runs = [make.run('base', 0, url=url), make.run('base', 0, url=url, job_type='test')]
    links = rows_of(seeds_table(table, by_uid(table, runs)))[0][2]
    assert re.findall(r'href="([^"]*)".*?aria-label="([^"]*)">(.*?)</a>', links) == [
        ('#run:base-0:train', 'run base-0', '<code>base-0</code>'),
        ('#run:base-0:test', 'run base-0 test', '<code>base-0</code> test'),
        (url, 'run base-0 at W&amp;B', 'W&amp;B'),
        ('#run:elsewhere', 'run elsewhere', '<code>elsewher</code>'),
    ]


def test_a_table_without_runs_has_no_seeds(make):
    assert seeds_table(make.table(make.row('a', [None])), {}) == ''


def test_cells_lead_to_the_seeds_of_their_row(table):
    table.rows.insert(1, TableRow('section', 'A section'))
    # of a row without runs of its own, which has no place to lead to
    table.cell('other', 'delta').seeds = table.cell('full', 'delta').seeds
    addresses = seeds_addresses(table)
    assert addresses == {row: f'seeds:demo:{row}' for row in ('base', 'full', 'part')}
    rows = [
        re.findall(r'<a href="#seeds:demo:(\w+)">([^<]*)', line)
        for line in render_table(table, addresses).split('<tr')
        if 'scope="row"' in line
    ]
    assert rows == [
        [('base', '51.0')],
        [('full', ''), ('full', '+2.0')],
        [('part', '52.5'), ('part', '+1.5')],
        [],
    ]
