from dataclasses import replace

from mmaction_ext.report.bars import ablation_bars, difference_dots
from mmaction_ext.report.complexity import complexity_scatter
from mmaction_ext.report.table_parts import counterpart, rows_with_runs
from mmaction_ext.tables.cells import CellStatus, TableRow


def test_counterpart_is_the_row_that_differences_are_taken_to(table):
    base, full, part, _ = table.rows
    assert [counterpart(table, row) for row in (base, full)] == [None, base]
    part.counterpart = 'full'
    assert counterpart(table, part) is full
    assert difference_dots(table).title == 'Difference to the row’s own counterpart'
    assert [row.id for row in rows_with_runs(table)] == ['base', 'full', 'part']
    assert table.main_column.key == 'top1'


def test_a_table_of_published_figures_has_no_main_column(make):
    table = make.table(make.row('a', [1.0]), columns=make.columns[:3])
    assert table.main_column is None
    assert complexity_scatter(table) is None and ablation_bars(table) is None


def test_sections_are_no_rows_of_the_body(table):
    rows = list(table.rows)
    table.rows.insert(1, TableRow('section', 'A section'))
    assert table.body == rows
    assert [row.id for row in rows_with_runs(table)] == ['base', 'full', 'part']


def test_a_row_whose_runs_do_not_count_has_runs_all_the_same(table):
    cell = table.cell('base', 'top1')
    cell.seeds = tuple(replace(seed, status=CellStatus.STALE, value=None) for seed in cell.seeds)
    assert rows_with_runs(table)[0].id == 'base'


def test_runs_of_a_difference_are_those_of_other_rows_too(table):
    """A row that was not measured itself has none, though its difference names the reference's."""
    cells = table.rows[-1].cells
    cells[4] = replace(cells[4], seeds=table.cell('base', 'top1').seeds)
    assert cells[4].runs and 'other' not in [row.id for row in rows_with_runs(table)]
