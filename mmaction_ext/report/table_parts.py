"""The parts of a table that figures, seeds and runs are about."""

from mmaction_ext.tables.cells import CellStatus


def main_column(table):
    """The measured column that a table is about: the first; ``None`` without one."""
    return next((column for column in table.columns if column.kind == 'history'), None)


def body_rows(table) -> list:
    """The rows of a table that are no headings."""
    return [row for row in table.rows if not row.is_section]


def rows_with_runs(table) -> list:
    """The rows whose measured columns come from runs, or name runs that do not count."""
    columns = [i for i, column in enumerate(table.columns) if column.kind == 'history']
    return [row for row in body_rows(table) if any(row.cells[i].runs for i in columns)]


def reference_row(table):
    """The row that differences are taken to; ``None`` where no column holds such differences.

    It is the row that was measured, or waits to be, and has no difference.
    """
    for column in table.columns:
        source = next((each for each in table.columns if each.key == column.source), None)
        for row in body_rows(table) if column.relative and source else ():
            if (table.cell(row.id, column.key).status is CellStatus.NOT_APPLICABLE
                    and table.cell(row.id, source.key).seeds):
                return row
    return None
