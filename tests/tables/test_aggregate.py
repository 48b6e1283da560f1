from dataclasses import replace
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mmaction_ext.errors import InputError
from mmaction_ext.tables import CellStatus, build_table, locked_table
from mmaction_ext.tables.lock import lock_text
from mmaction_ext.tables.published import Published, PublishedEntry
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.spec import Column, Row, Section, Select

DELTA = Column('delta', 'Delta', 'top1', fmt='+.1f', relative_to='reference')
CONFIGS = ('demo/base', 'demo/full', 'demo/more')


@pytest.fixture
def build(make):
    """Table of the rows base (reference), full and more, as row id to cells by column."""

    def build(
        *records,
        columns=(make.top1, DELTA),
        rows=('base', 'full', 'more'),
        complexity=None,
        **changes,
    ):
        spec = make.spec(*rows, columns=columns, **changes)
        table = build_table(spec, records, make.configs(*CONFIGS), complexity)
        cells = {
            row.id: dict(zip((column.key for column in columns), row.cells, strict=True))
            for row in table.rows
            if not row.is_section
        }
        return table, cells

    return build


def two_seeds(make, row, first, second, **changes):
    return [
        make.record(f'demo/{row}', seed, top1, **changes)
        for seed, top1 in enumerate((first, second))
    ]


def test_mean_std_and_paired_difference_by_hand(make, build):
    """base 20.0, 22.0; full 80.0, 86.0: differences 60.0 and 64.0."""
    _, cells = build(*two_seeds(make, 'base', 0.2, 0.22), *two_seeds(make, 'full', 0.8, 0.86))
    base, full = cells['base'], cells['full']
    assert base['top1'].text == '21.0 ± 1.4' and full['top1'].text == '83.0 ± 4.2'
    assert full['delta'].text == '+62.0 ± 2.8' and full['delta'].value == 62
    assert (base['delta'].text, base['delta'].status) == ('–', CellStatus.NOT_APPLICABLE)
    assert full['top1'].n == 2 and full['top1'].status is CellStatus.OK
    assert [cells['more'][key].text for key in ('top1', 'delta')] == ['missing', 'missing']


def test_interval_of_the_paired_difference_by_hand(make, build):
    """Differences 60, 64, 62: mean 62, std 2, t(2) = 4.3027, reach 4.3027 * 2 / sqrt(3) = 4.97."""
    records = [
        make.record(f'demo/{row}', seed, top1)
        for row, values in (('base', (0.2, 0.22, 0.2)), ('full', (0.8, 0.86, 0.82)))
        for seed, top1 in enumerate(values)
    ]
    table, cells = build(*records, seeds=(0, 1, 2))
    cell = cells['full']['delta']
    assert cell.text == '+62.0 ± 2.0 [+57.0, +67.0]'
    assert [float(end) for end in cell.interval] == pytest.approx([57.0317, 66.9683], abs=1e-4)
    # the mean of a row has its interval too, but the paper's cells print the spread alone
    assert cells['full']['top1'].text == '82.7 ± 3.1' and cells['full']['top1'].interval
    assert 'in brackets their 95 % interval (Student’s t).' in table.notes[1]
    # without one seed there are two differences, too few
    assert build(*records[1:], seeds=(0, 1, 2))[1]['full']['delta'].interval is None


def test_rows_that_share_no_seed_are_compared_by_their_means(make, build):
    """(80 + 90) / 2 - (10 + 20) / 2."""
    records = [
        make.record(f'demo/{row}', seed, top1)
        for row, seed, top1 in (
            ('base', 0, 0.1),
            ('base', 1, 0.2),
            ('full', 2, 0.8),
            ('full', 3, 0.9),
        )
    ]
    table, cells = build(*records, seeds=(0, 1, 2, 3))
    assert cells['full']['delta'].text == '+70.0 (0/4 paired)'
    assert 'difference of the means over seeds 2, 3' in cells['full']['delta'].note
    assert any('(n/N)' in note for note in table.notes)
    assert table.notes[1].endswith(
        'are paired by seed, but for those of means, which say so, and taken before rounding.'
    )


def published_rows():
    entries = {
        name: PublishedEntry(f'p.{name}', {'top1': figure}, 'P, Table 1')
        for name, figure in (('base', 44.6), ('full', '86x6'))
    }
    return tuple(
        Row(name, name, f'{name}.py', 1, reference=name == 'base', published=entries.get(name))
        for name in ('base', 'full', 'more')
    )


@pytest.mark.parametrize(
    'top1, tolerance, text, status',
    [
        ((0.45, 0.452), '0.5', '+0.5 ± 0.1', CellStatus.OK),
        ((0.451, 0.451), '0.5', '+0.5 ± 0.0', CellStatus.OK),  # just the tolerance
        ((0.4511, 0.4511), '0.5', '+0.5 ± 0.0', CellStatus.OK),  # as printed
        ((0.4516, 0.4516), '0.5', '+0.6 ± 0.0 (out of tolerance)', CellStatus.OUT_OF_TOLERANCE),
        ((0.4404, 0.4404), '0.5', '-0.6 ± 0.0 (out of tolerance)', CellStatus.OUT_OF_TOLERANCE),
        ((0.4, 0.44), '0.5', '-2.6 ± 2.8 (out of tolerance)', CellStatus.OUT_OF_TOLERANCE),
        ((0.4, 0.44), None, '-2.6 ± 2.8', CellStatus.OK),
        ((0.4, None), '0.5', '-4.6 (1/2, out of tolerance)', CellStatus.OUT_OF_TOLERANCE),
        ((None, None), '0.5', 'missing', CellStatus.MISSING),
    ],
)
def test_difference_to_the_published_figure(make, build, top1, tolerance, text, status):
    off = Column(
        'off',
        'Off',
        'top1',
        fmt='+.1f',
        relative_to='published.top1',
        tolerance=tolerance and Fraction(tolerance),
    )
    table, cells = build(
        *two_seeds(make, 'base', *top1), columns=(make.top1, off), rows=published_rows()
    )
    cell = cells['base']['off']
    assert (cell.text, cell.status) == (text, status)
    outside = status is CellStatus.OUT_OF_TOLERANCE
    assert ('more than 0.5 from the published figure' in cell.note) == outside
    # a text is no figure, and a row without an entry has none
    assert [cells[row]['off'].text for row in ('full', 'more')] == ['–', '–']
    assert 'Published figures: P, Table 1.' in table.notes


def test_static_figures_may_be_compared_with_published_ones(make, build):
    columns = (
        Column('params', 'Params', 'static.params'),
        Column('off', 'Off', 'params', relative_to='published.top1', tolerance=Fraction(1)),
    )
    _, cells = build(
        make.record('demo/base', complexity=dict(params=47)),
        columns=columns,
        rows=published_rows(),
    )
    cell = cells['base']['off']
    assert (cell.text, cell.status) == ('2.4 (out of tolerance)', CellStatus.OUT_OF_TOLERANCE)


def test_imported_rows_have_a_dagger_and_one_note(make, build):
    """It says so once; the best is the best, whoever logged it, and the machine still reads it."""
    records = [
        *two_seeds(make, 'base', 0.7, 0.7),
        *two_seeds(make, 'full', 0.9, 0.9, imported=True),
        make.record('demo/more', 0, 0.8),
        make.record('demo/more', 1, 0.8, imported=True),
    ]
    table, cells = build(*records)
    texts = [cells[row]['top1'].text for row in ('base', 'full', 'more')]
    assert texts == ['70.0 ± 0.0', '90.0 ± 0.0', '80.0 ± 0.0']
    assert [cells[row]['top1'].status for row in ('full', 'more')] == [CellStatus.IMPORTED] * 2
    assert [cells[row]['top1'].best for row in ('base', 'full', 'more')] == [False, True, False]
    assert cells['full']['delta'].text == '+20.0 ± 0.0'
    assert [row.mark for row in table.rows] == ['', '†', '†'] and not table.head_mark
    assert (cells['full']['top1'].note, cells['more']['top1'].note) == ('', 'seed 1 imported')
    note = 'Imported: runs that were logged elsewhere'
    assert table.footnotes[-1] == ('†', note) and table.is_complete
    nobodys = [replace(record, uid='') if record.imported else record for record in records]
    table, cells = build(*nobodys)
    assert table.footnotes[-1] == ('†', 'Imported: numbers without a run behind them')
    assert {row.id for row, *_ in table.incomplete} == {'full', 'more'}
    table, _ = build(*(replace(record, imported=True) for record in records))
    assert table.head_mark == '†' and not any(row.mark for row in table.rows)
    table, _ = build(*records, mark_imported=False)
    assert not any(row.mark for row in table.rows) and not any(
        m == '†' for m, _ in table.footnotes
    )
    partial = build(make.record('demo/base', 0, 0.7, imported=True))[1]['base']['top1']
    assert (partial.text, partial.status) == ('70.0 (1/2)', CellStatus.IMPORTED)


def test_cells_by_name(make, build):
    table, cells = build(*two_seeds(make, 'base', 0.8, 0.8))
    assert table.cell('base', 'top1') is cells['base']['top1']
    assert table.cell('base', 'top1').runs == ('demo/base-0-current', 'demo/base-1-current')
    for names, message in (
        (('gone', 'top1'), "no row 'gone'; it has base, full, more"),
        (('base', 'gone'), "no column 'gone'; it has top1, delta"),
    ):
        with pytest.raises(InputError, match=f'table demo has {message}'):
            table.cell(*names)
    assert [(row.id, column.key) for row, column, _ in table.incomplete] == [
        (row, key) for row in ('full', 'more') for key in ('top1', 'delta')
    ]


def with_protocols(make, build, first, second, **changes):
    records = [
        record
        for row, protocol in (('base', first), ('full', second))
        for record in two_seeds(make, row, 0.7, 0.8, test=dict(protocol=protocol))
    ]
    return build(*records, **changes)[0]


def test_differing_protocols_are_a_warning(make, build):
    one, ten = dict(num_clips=1, clip_len=8), dict(num_clips=10, clip_len=8)
    table = with_protocols(make, build, one, ten)
    assert table.warnings == [
        'Rows were tested under differing protocols (num_clips 1: base; num_clips 10: full).'
    ]
    for changes in (
        dict(protocol=dict(num_clips='any')),
        dict(varies=('test_dataloader',)),
        dict(varies=('test_dataloader.dataset.pipeline',)),
    ):
        assert with_protocols(make, build, one, ten, **changes).warnings == []
    assert with_protocols(make, build, one, {}).warnings == []


def test_protocol_stands_under_the_table(make, build):
    wanted = dict(num_clips=10, num_crops='any', resolution=[256, 256])
    ten = dict(num_clips=10, num_crops=3, resolution=(256, 256))
    table = with_protocols(make, build, ten, dict(num_clips=10), protocol=wanted)
    assert table.notes[:2] == [
        'Test split (240 samples), num_clips 10, resolution 256×256, last checkpoint of each run.',
        'Protocol not recorded: full.',
    ]
    table = with_protocols(make, build, ten, dict(num_clips=1), protocol=wanted)
    assert table.cell('full', 'top1').status is CellStatus.STALE
    assert 'tested with num_clips 1 instead of 10' in table.cell('full', 'top1').note


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=5))
def test_cells_equal_numpy_over_the_logged_values(make, values):
    records = [make.record('demo/base', seed, value) for seed, value in enumerate(values)]
    spec = make.spec('base', seeds=tuple(range(len(values))))
    [row] = build_table(spec, records, make.configs('demo/base')).rows
    np.testing.assert_allclose(float(row.cells[0].value), 100 * np.mean(values), rtol=1e-9)
    np.testing.assert_allclose(
        float(row.cells[0].std), 100 * np.std(values, ddof=1), rtol=1e-6, atol=1e-9
    )


def test_one_seed_has_no_spread(make, build):
    _, cells = build(make.record('demo/base', 0, 0.8), seeds=(0,))
    assert (cells['base']['top1'].text, cells['base']['top1'].std) == ('80.0', None)


def test_partial_cell_says_how_many_and_why(make, build):
    records = [
        make.record('demo/base', 0, 0.8),
        make.record('demo/base', 1, 0.7, exit_code=None),
        *two_seeds(make, 'full', 0.9, 0.8),
    ]
    table, cells = build(*records)
    cell = cells['base']['top1']
    assert (cell.text, cell.status) == ('80.0 (1/2)', CellStatus.PARTIAL)
    assert table.footnotes == [
        ('a', 'seed 1 unfinished: no exit record, still running or killed at iteration 8'),
        (
            'b',
            'seed 1 unfinished: of the reference row: no exit record, still running or '
            'killed at iteration 8',
        ),
    ]
    assert cells['full']['delta'].text == '+10.0 (1/2)' and cells['full']['delta'].mark == 'b'
    assert any('(n/N): n of N seeds count' in note for note in table.notes)


def test_seeds_that_are_not_asked_for_do_not_count(make, build):
    _, cells = build(*two_seeds(make, 'base', 0.2, 0.22), make.record('demo/base', 2, 0.9))
    assert cells['base']['top1'].text == '21.0 ± 1.4'


@pytest.mark.parametrize(
    'change, status',
    [
        (dict(exit_code=None), CellStatus.UNFINISHED),
        (dict(exit_code=None, state='running'), CellStatus.RUNNING),
        (dict(exit_code=None, state='killed'), CellStatus.FAILED),
        (dict(exit_code=1), CellStatus.FAILED),
        (dict(digest='old'), CellStatus.STALE),
        (dict(overrides={'a': 1}), CellStatus.STALE),
        (dict(corrupt=True), CellStatus.UNTRUSTED),
        (dict(top1=None), CellStatus.MISSING),
        (dict(conflicts=('two sources',)), CellStatus.CONFLICT),
    ],
)
def test_every_state_has_its_own_word_and_no_number(make, build, change, status):
    change = {'top1': 0.8, **change}
    top1 = change.pop('top1')
    table, cells = build(*two_seeds(make, 'base', top1, top1, **change))
    cell = cells['base']['top1']
    assert (cell.status, cell.text, cell.value, cell.best) == (status, status.value, None, False)
    assert cell.note.startswith(f'seeds 0, 1 {status.value}: ')
    assert any(f'{status.value}: ' in note for note in table.notes)
    assert not table.is_complete
    assert len({s.value for s in CellStatus}) == len(CellStatus)


def test_best_by_what_is_printed_with_ties(make, build):
    _, cells = build(
        *two_seeds(make, 'base', 0.8004, 0.8004),
        *two_seeds(make, 'full', 0.7996, 0.7996),
        *two_seeds(make, 'more', 0.7, 0.7),
    )
    assert [cells[row]['top1'].text for row in ('base', 'full')] == ['80.0 ± 0.0'] * 2
    assert [cells[row]['top1'].best for row in ('base', 'full', 'more')] == [True, True, False]


def test_only_complete_cells_compete(make, build):
    records = [
        make.record('demo/base', 0, 0.99),
        *two_seeds(make, 'full', 0.8, 0.8),
        *two_seeds(make, 'more', 0.7, 0.7),
    ]
    _, cells = build(*records)
    assert [cells[row]['top1'].best for row in ('base', 'full', 'more')] == [False, True, False]


def test_a_lone_cell_is_not_the_best(make, build):
    table, cells = build(*two_seeds(make, 'base', 0.8, 0.8))
    assert not cells['base']['top1'].best
    assert not any('Bold' in note for note in table.notes)


def test_best_may_be_the_smallest(make, build):
    loss = Column('loss', 'Loss', 'test/acc/top1', best='min')
    _, cells = build(
        *two_seeds(make, 'base', 2, 2), *two_seeds(make, 'full', 1, 1), columns=(loss,)
    )
    assert cells['full']['loss'].best and not cells['base']['loss'].best


def test_seeds_measured_on_one_checkpoint_are_no_repetition(make, build):
    same = {'test/checkpoint_sha256': 'x'}
    table, cells = build(*two_seeds(make, 'base', 0.8, 0.8, values=same))
    assert cells['base']['top1'].status is CellStatus.CONFLICT
    assert table.footnotes[0][1] == ('seeds 0, 1 conflict: measured on the same checkpoint file')


def test_differing_numbers_of_samples_are_a_warning(make, build):
    table, _ = build(
        *two_seeds(make, 'base', 0.8, 0.8), *two_seeds(make, 'full', 0.8, 0.9, samples=60)
    )
    assert table.warnings == [
        'Rows were tested on differing numbers of samples (240 samples: base; 60 samples: full).'
    ]
    assert not table.is_complete


def test_differing_test_data_are_a_warning(make, build):
    table, _ = build(
        *two_seeds(make, 'base', 0.8, 0.8, values={'test/data_digest': 'a' * 64}),
        *two_seeds(make, 'full', 0.8, 0.9, values={'test/data_digest': 'b' * 64}),
    )
    assert table.warnings == [
        'Rows were tested on differing data (digests aaaaaaaa: base; bbbbbbbb: full).'
    ]
    assert not table.is_complete


def test_complete_table(make, build):
    table, _ = build(
        *(record for row in ('base', 'full', 'more') for record in two_seeds(make, row, 0.5, 0.6))
    )
    assert table.is_complete and not table.footnotes and not table.warnings
    assert table.notes[0] == 'Test split (240 samples), last checkpoint of each run.'
    assert table.notes[1] == (
        'Mean ± standard deviation (n−1) over seeds 0, 1; differences to '
        'the row “base” are paired by seed and taken before rounding.'
    )


def test_marks_static_and_published_columns(make, build):
    entry = PublishedEntry('p.full', {'top1': 47.6, 'delta': None}, 'P, Table 1')
    rows = (
        Row('base', 'Base', 'base.py', 1, reference=True, marks={'basic': False}),
        Section('Ours'),
        Row('full', 'Full', 'full.py', 1, published=entry, marks={'basic': True}),
    )
    columns = (
        Column('basic', 'Basic', 'row.basic'),
        Column('params', 'Params', 'static.params', Fraction(1, 10**6), '.2f', 'min'),
        Column('more', 'Δ', 'params', fmt='+.2f', relative_to='reference'),
        Column('pub', 'Published', 'published.top1'),
        Column('pub_delta', 'Published Δ', 'published.delta'),
    )
    table, cells = build(
        make.record('demo/base', complexity=dict(params=3250000)),
        rows=rows,
        columns=columns,
        complexity={('demo/full', 'current'): dict(params=3375000, macs=1)},
    )
    assert [row.is_section for row in table.rows] == [False, True, False]
    shown = {row: [cell.text for cell in by_key.values()] for row, by_key in cells.items()}
    assert shown == {
        'base': ['', '3.25', '–', '–', '–'],
        'full': ['✓', '3.38', '+0.12', '47.6', '–'],
    }
    assert cells['base']['params'].best and table.is_complete
    assert 'Published figures: P, Table 1.' in table.notes


def test_difference_of_a_figure_that_is_missing(make, build):
    columns = (
        Column('params', 'Params', 'static.params'),
        Column('more', 'Δ', 'params', relative_to='reference'),
    )
    _, cells = build(make.record('demo/base', complexity=dict(params=3)), columns=columns)
    assert cells['full']['more'].status is CellStatus.MISSING


def test_notes_name_policy_and_other_splits(make, build):
    columns = (make.top1, Column('val', 'Val', 'val/acc/top1'))
    table, _ = build(columns=columns, select=Select('best', 'val/acc/top1'), seeds=(3,))
    assert table.notes[0] == (
        'Test split, checkpoint with the highest val/acc/top1 of each run; other splits: Val: val.'
    )
    assert table.notes[1] == 'Seed 3, one run each.'


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_bytes_do_not_depend_on_the_order_of_the_runs(make, random):
    records = [
        make.record(
            f'demo/{row}',
            seed,
            0.5 + seed / 7 + len(row) / 30,
            uid=uid,
            exit_code=code,
            imported=row == 'full' and seed == 2,
            test=dict(protocol=dict(num_clips=seed)),
        )
        for row in ('base', 'full', 'more')
        for seed in (0, 1, 2)
        for uid, code in (('a', 0), ('b', 0 if row == 'more' else None))
    ]
    records[-1].evaluations[0].values['test/acc/top1'] = 0.1
    spec = make.spec('base', 'full', 'more', columns=(make.top1, DELTA), seeds=(0, 1, 2))

    def all_bytes():
        table = build_table(spec, records, make.configs(*CONFIGS))
        return [render(table) for render in RENDERERS.values()] + [
            lock_text({'demo': locked_table(table, spec)})
        ]

    expected = all_bytes()
    random.shuffle(records)
    assert all_bytes() == expected


SPLITS = ('base1', 'base2', 'full1', 'full2')


def split_rows(reference='base'):
    """Two splits of two models, their means, and a model of published figures alone."""
    parts = [Row(name, name, f'{name}.py', 1, reference=name == reference) for name in SPLITS]
    means = [
        Row(name, name, None, 1, reference=name == reference, mean_of=(f'{name}1', f'{name}2'))
        for name in ('base', 'full')
    ]
    entry = PublishedEntry('p.other', {'top1': 66.0, 'gflops': '86x6', 'top5': None}, 'P, Table 1')
    other = Row('other', 'Other', None, 1, published=entry, reason='no code')
    return (means[0], *parts, other, means[1])


@pytest.fixture
def build_splits(make):
    def build_splits(*records, columns=(make.top1, DELTA), reference='base', **changes):
        spec = make.spec(*split_rows(reference), columns=columns, **changes)
        configs = make.configs(*(f'demo/{name}' for name in SPLITS))
        table = build_table(spec, records, configs)
        return table, {
            row.id: dict(zip((column.key for column in columns), row.cells, strict=True))
            for row in table.rows
        }

    return build_splits


def all_splits(make, **changes):
    values = {'base1': (0.2, 0.3), 'base2': (0.4, 0.3), 'full1': (0.5, 0.7), 'full2': (0.7, 0.8)}
    return [
        record
        for row, (first, second) in values.items()
        for record in two_seeds(make, row, first, second, **changes)
    ]


def test_mean_of_rows_is_taken_seed_by_seed(make, build_splits):
    """base: seed 0 (20 + 40) / 2, seed 1 (30 + 30) / 2; full: 60 and 75; split 1: +30, +40."""
    table, cells = build_splits(*all_splits(make))
    assert cells['base']['top1'].text == '30.0 ± 0.0'
    assert cells['full']['top1'].text == '67.5 ± 10.6'
    assert cells['full']['delta'].text == '+37.5 ± 10.6'
    assert cells['full1']['delta'].text == '+35.0 ± 7.1'  # to the same split of the reference
    assert [cells[row]['delta'].text for row in ('base', 'base1', 'base2')] == ['–'] * 3
    assert cells['full']['top1'].seeds[0].runs == ('demo/full1-0-current', 'demo/full2-0-current')
    assert table.is_complete
    assert any('a mean of rows is taken seed by seed' in note for note in table.notes)


def test_parts_of_a_mean_may_be_tested_on_differing_data(make, build_splits):
    def of_splits(*sizes):
        records = all_splits(make)
        for record in records:
            size = sizes[SPLITS.index(record.config.rpartition('/')[2])]
            record.evaluations[0].values['test/num_samples'] = size
        return build_splits(*records)[0].warnings

    assert of_splits(60, 80, 60, 80) == []
    assert of_splits(60, 80, 60, 90) == [
        'Rows were tested on differing numbers of samples (80 samples: base2; 90 samples: full2).'
    ]


def test_mean_lacks_the_seeds_that_a_part_lacks(make, build_splits):
    records = [
        record for record in all_splits(make) if (record.config, record.seed) != ('demo/full2', 1)
    ]
    _, cells = build_splits(*records)
    cell = cells['full']['top1']
    assert (cell.text, cell.status) == ('60.0 (1/2)', CellStatus.PARTIAL)
    assert cell.note == 'seed 1 missing: of “full2”: no run'
    assert cells['full']['delta'].text == '+30.0 (1/2)'


@pytest.mark.parametrize(
    'first, second, worst',
    [
        (dict(exit_code=1), dict(digest='old'), CellStatus.FAILED),
        (dict(exit_code=None), dict(corrupt=True), CellStatus.UNTRUSTED),
        (dict(digest='old'), dict(top1=None), CellStatus.STALE),
        ({}, dict(top1=None), CellStatus.MISSING),
    ],
)
def test_mean_is_as_bad_as_its_worst_part(make, build_splits, first, second, worst):
    records = [
        make.record(f'demo/{row}', seed, **{'top1': 0.5, **change})
        for row, change in (('full1', first), ('full2', second))
        for seed in (0, 1)
    ]
    _, cells = build_splits(*records)
    cell = cells['full']['top1']
    assert (cell.status, cell.text, cell.value) == (worst, worst.value, None)
    assert '“full' in cell.note


def test_mean_without_any_run_needs_no_footnote(make, build_splits):
    _, cells = build_splits()
    assert cells['base']['top1'].text == 'missing' and not cells['base']['top1'].note


def test_static_figure_of_a_mean_is_that_of_its_parts(make, build_splits):
    columns = (Column('params', 'Params', 'static.params', fmt='.0f', best='min'),)

    def shown(*params):
        records = [
            make.record(f'demo/{row}', complexity=dict(params=value))
            for row, value in zip(SPLITS, params, strict=True)
            if value
        ]
        table, cells = build_splits(*records, columns=columns)
        return [cells[row]['params'].text for row in ('base', 'full', 'other')], table.footnotes

    assert shown(3, 3, 4, 4) == (['3', '4', '–'], [('a', 'Published figures only: no code')])
    texts, notes = shown(3, 3, 4, 5)
    assert texts == ['3', '–', '–']
    assert notes[1] == ('b', 'differs between the rows of the mean')
    assert shown(3, None, 4, 4)[0] == ['missing', '4', '–']


def test_published_figures_alone(make, build_splits):
    columns = (
        Column('params', 'Params', 'static.params'),
        make.top1,
        DELTA,
        Column('pub', 'Published', 'published.top1', best='max'),
        Column('gflops', 'GFLOPs', 'published.gflops', Fraction(1, 1000)),
        Column('more', 'Δ GFLOPs', 'gflops', relative_to='reference'),
        Column('top5', 'Top-5', 'published.top5'),
    )
    table, cells = build_splits(*all_splits(make, complexity=dict(params=1)), columns=columns)
    assert [cell.text for cell in cells['other'].values()] == [
        '–',
        '–',
        '–',
        '66.0',
        '86x6',
        '–',
        '–',
    ]
    assert cells['other']['gflops'].status is CellStatus.OK
    [row] = [row for row in table.rows if row.id == 'other']
    assert (row.note, row.mark) == ('Published figures only: no code', 'a')
    assert table.footnotes == [('a', row.note)] and table.is_complete
    assert 'Published figures: P, Table 1.' in table.notes


def test_published_figures_keep_their_digits(make, tmp_path):
    """Whatever the format of the column says: rounding them would print what no paper has."""
    (tmp_path / 'p.yaml').write_text(
        'p: {paper: P, a: {top1: 82.88}, b: {top1: 73.50}, c: {top1: 96.0}, d: {top1: 98}}\n'
    )
    published = Published(tmp_path / 'p.yaml')
    rows = [
        Row(
            name,
            name,
            None if name != 'b' else 'b.py',
            1,
            reference=name == 'b',
            published=published.entry(f'p.{name}'),
            reason='' if name == 'b' else 'no code',
        )
        for name in 'abcd'
    ]
    columns = (
        Column('pub', 'P', 'published.top1', fmt='+.1f', best='max'),
        Column('more', 'Δ', 'pub', fmt='+.1f', relative_to='reference'),
        Column('kilo', 'k', 'published.top1', Fraction(1, 1000), '.3f'),
    )
    table = build_table(make.spec(*rows, columns=columns), [], make.configs('demo/b'))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ['+82.88', '+9.38', '0.083'],
        ['+73.50', '–', '0.074'],
        ['+96.0', '+22.50', '0.096'],
        ['+98', '+24.50', '0.098'],
    ]
    assert table.rows[3].cells[0].best


def test_rows_published_elsewhere_say_where(make):
    entries = [
        PublishedEntry(f'p.{name}', {'top1': 1}, source)
        for name, source in (('a', 'P, Table 1'), ('b', 'a list'), ('c', 'P, Table 1'))
    ]
    rows = [
        Row(entry.name, entry.name, None, 1, published=entry, reason='no code')
        for entry in entries
    ]
    table = build_table(make.spec(*rows, columns=(Column('pub', 'P', 'published.top1'),)), [], {})
    assert [row.note for row in table.rows] == [
        'Published figures only: no code',
        'Published figures only: no code; published in a list',
        'Published figures only: no code',
    ]
    assert 'Published figures without a footnote: P, Table 1.' in table.notes


def test_numbers_too_large_in_the_printed_unit(make):
    """1e299 is a number, a hundred times that is none that a table prints."""
    from mmaction_ext.tables.render import RENDERERS

    columns = (
        make.top1,
        Column('delta', 'D', 'top1', relative_to='reference', fmt='+.1f'),
        Column('params', 'P', 'static.params', Fraction(100)),
    )
    records = [
        make.record('demo/base', seed, value, complexity=dict(params=9 * 10**299))
        for seed, value in ((0, 1e299), (1, -4e297))
    ]
    records += [make.record('demo/full', seed, 4e297) for seed in (0, 1)]
    table = build_table(
        make.spec('base', 'full', columns=columns), records, make.configs('demo/base', 'demo/full')
    )
    cell = table.cell('base', 'top1')
    assert [seed.status for seed in cell.seeds] == [CellStatus.FAILED, CellStatus.OK]
    assert cell.note == 'seed 0 failed: the number is beyond 1e+300, too large to print'
    assert table.cell('base', 'params').status is CellStatus.FAILED
    assert table.cell('full', 'delta').value > 10**299 * 7
    for render in RENDERERS.values():
        assert 'too large to print' in render(table)
