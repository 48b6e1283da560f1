"""Rows whose differences are taken to a row of their own instead of the table's reference."""

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables import CellStatus, build_table, load_spec
from mmaction_ext.tables.spec import Column, Row

DELTA = Column('delta', 'Delta', 'top1', fmt='+.1f', relative_to='reference')


def row(name, **options):
    return Row(name, name, f'configs/demo/{name}.py', 1, **options)


def test_difference_is_to_the_row_that_a_row_names(make):
    spec = make.spec(
        row('base', reference=True),
        row('more'),
        row('large', relative_to='large'),
        row('larger', relative_to='large'),
        columns=(make.top1, DELTA),
        seeds=(0,),
    )
    names = ('base', 'more', 'large', 'larger')
    records = [
        make.record(f'demo/{name}', 0, top1)
        for name, top1 in zip(names, (0.2, 0.3, 0.5, 0.55), strict=True)
    ]
    table = build_table(spec, records, make.configs(*(f'demo/{name}' for name in names)))
    cells = [each.cells[1] for each in table.rows]
    assert [cell.text for cell in cells] == ['–', '+10.0', '–', '+5.0']
    assert cells[2].status is CellStatus.NOT_APPLICABLE
    assert [each.counterpart for each in table.rows] == ['base', 'base', 'large', 'large']
    assert 'differences to a row’s own counterpart' in ' '.join(table.notes).lower()


SPEC = """id: demo
caption: Demo
published: published.yaml
columns:
  - {key: top1, head: Top-1, from: test/acc/top1}
  - {key: delta, head: Δ, from: top1, relative_to: reference}
rows:
  - {id: base, config: base.py, reference: true}
  - {id: full, config: full.py, relative_to: base}
  - {id: paper, published: p.other, reason: no code}
"""


@pytest.fixture
def table(tmp_path):
    for name in ('base', 'full'):
        (tmp_path / f'{name}.py').touch()
    (tmp_path / 'published.yaml').write_text('p: {paper: P, other: {top1: 1}}\n')
    path = tmp_path / 'table.yaml'
    path.write_text(SPEC)
    return path


def test_it_is_read(table):
    assert [each.relative_to for each in load_spec(table).rows] == ['', 'base', '']


@pytest.mark.parametrize('name', ['gone', 'paper'])
def test_row_that_is_not_run_is_no_counterpart(table, name):
    table.write_text(SPEC.replace('relative_to: base', f'relative_to: {name}'))
    with pytest.raises(
        InputError, match=f"table.yaml:9: .*relative_to: '{name}' is no row of this table with"
    ):
        load_spec(table)
