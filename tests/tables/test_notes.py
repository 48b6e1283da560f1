from dataclasses import replace

import pytest

from mmaction_ext.tables import build_table, locked_table
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.notes import _LEGEND, _letter
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tables.row_seeds import row_seeds
from mmaction_ext.tables.spec import Column, Row

STOPPED = dict(exit_code=143, attempt=dict(signal='SIGTERM'))


def test_footnote_letters():
    assert [_letter(i) for i in (0, 25, 26, 27, 51, 52, 701, 702)] == [
        'a',
        'z',
        'aa',
        'ab',
        'az',
        'ba',
        'zz',
        'aaa',
    ]


def test_every_status_that_is_not_fine_is_explained():
    fine = {CellStatus.OK, CellStatus.NOT_APPLICABLE, CellStatus.IMPORTED}  # that has a dagger
    assert set(_LEGEND) == set(CellStatus) - fine
    for status in set(_LEGEND) - {CellStatus.PARTIAL}:
        assert _LEGEND[status].startswith(f'{status.value}: ')


@pytest.fixture
def legend(make):
    """The legend of a table from its runs: that from its lock, with the counts of a plan."""

    def legend(spec, *records):
        configs = make.configs(*(row.config_name for row in spec.with_runs))
        table = build_table(spec, records, configs)
        again = build_table(spec, (), configs, locked=locked_table(table, spec))
        assert again.notes == table.notes
        found = [row_seed.is_done for row_seed in row_seeds(spec, records, configs)]
        note = table.notes[-1]
        count = f'{found.count(False)} of {len(found)} runs '
        assert (count in note) == ('missing: ' in note and False in found)
        return note

    return legend


def test_what_is_missing_is_counted_with_the_command_that_makes_it(make, legend):
    paper = Row('paper', 'P', None, 3, published=PublishedEntry('p', {}, 'P'), reason='no code')
    spec = make.spec('base', 'full', paper)
    base = [make.record('demo/base', seed, 0.8) for seed in (0, 1)]
    assert legend(spec, *base) == (
        'missing: no finished result yet, 2 of 4 runs are to be made (mmaction-ext launch demo '
        '--locked).'
    )
    stopped = make.record('demo/full', 0, None, **STOPPED)
    assert legend(spec, *base, stopped) == legend(spec, *base)
    full = make.record('demo/full', 1, 0.8)
    assert legend(spec, *base, full).startswith('(n/N): n of N seeds count, ')
    only = replace(spec, seeds=(0,))
    assert ' yet, 1 of 2 runs is to be made ' in legend(only, *base)


def test_folds_are_runs_of_their_own(make, legend):
    spec = make.spec('base', 'full', seeds=(0,), folds=('1', '2'))
    assert ' yet, 3 of 4 runs are to be made ' in legend(spec, make.record('demo/base_fold1'))


def test_no_run_fills_a_cell_of_costs(make, legend):
    spec = make.spec('base', columns=(Column('params', 'Params', 'static.params'), make.top1))
    records = [make.record('demo/base', seed, 0.8) for seed in (0, 1)]
    assert legend(spec, *records) == 'missing: no finished result.'


def test_the_split_has_the_name_that_the_table_gives_it(make):
    spec = make.spec('base', split_name='inner validation')
    table = build_table(spec, [make.record('demo/base')], make.configs('demo/base'))
    assert table.notes[0] == ('Inner validation split (240 samples), last checkpoint of each run.')
