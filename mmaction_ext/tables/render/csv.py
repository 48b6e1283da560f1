"""CSV with one line per cell: unrounded numbers, status, and what each seed contributed.

Numbers are in the column's unit (percent, millions); ``low`` and ``high`` are the ends of the 95 %
interval of the mean, for three seeds or more; ``values`` and ``runs`` list the seeds that
count, so that mean and standard deviation can be recomputed from one line. ``note`` holds the
footnotes of the row and of the cell.
"""

import csv
import io

HEADER = ('table', 'section', 'row', 'label', 'column', 'head', 'status', 'value', 'std', 'low',
          'high', 'n', 'seeds', 'text', 'values', 'runs', 'note')


def render(table) -> str:
    """CSV of a :class:`mmaction_ext.tables.cells.Table`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(HEADER)
    section = ''
    for row in table.rows:
        if row.is_section:
            section = row.label
        for column, cell in zip(table.columns, row.cells):
            writer.writerow([table.id, section, row.id, row.label, column.key, column.head,
                             *_cell(cell), '; '.join(filter(None, (row.note, cell.note)))])
    return buffer.getvalue()


def _cell(cell) -> list:
    counted = [seed for seed in cell.seeds if seed.value is not None]
    return [
        cell.status.value, _number(cell.value), _number(cell.std),
        *map(_number, cell.interval or (None, None)),
        cell.n if cell.seeds else '', len(cell.seeds) or '', cell.text,
        '; '.join(f'{seed.seed}: {_number(seed.value)}' for seed in counted),
        '; '.join(f'{seed.seed}: {" ".join(seed.runs)}' for seed in counted)]


def _number(value) -> str:
    return '' if value is None else repr(float(value))
