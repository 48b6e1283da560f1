"""The parts of a table that figures, seeds and runs are about."""

from mmaction_ext.tables.cells import Table, TableRow


def rows_with_runs(table: Table) -> list[TableRow]:
    """The rows whose measured columns come from runs, or name runs that do not count."""
    columns = [i for i, column in enumerate(table.columns) if column.kind == 'history']
    return [row for row in table.body if any(row.cells[i].runs for i in columns)]


def counterpart(table: Table, row: TableRow) -> TableRow | None:
    """The row that a row's differences are taken to; ``None`` without one, or if it is itself."""
    if row.counterpart in ('', row.id):
        return None
    return next(each for each in table.rows if each.id == row.counterpart)
