"""Rows over the folds of a data set: means, differences paired by fold, what is lacking."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.gaps import find_gaps, ordered_jobs
from mmaction_ext.tables.lock import lock_text, read_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.row_results import locked_table
from mmaction_ext.tables.row_seeds import row_seeds
from mmaction_ext.tables.seed_runs import resolve_configs
from mmaction_ext.tables.spec import Column, load_spec

FOLDS = ('1', '2', '3')
SAMPLES = {'1': 10, '2': 20, '3': 30}
#: by fold, the accuracy under seeds 0 and 1
BASE = {'1': (0.1, 0.2), '2': (0.3, 0.3), '3': (0.5, 0.7)}
FULL = {'1': (0.4, 0.5), '2': (0.5, 0.5), '3': (0.6, 0.8)}
DELTA = Column('delta', 'Δ', 'top1', fmt='+.1f', relative_to='reference')


def pooled(top1):
    return replace(top1, key='all', head='All clips', over_folds='pooled')


@pytest.fixture
def build(make):
    """A table of rows ``base`` and ``full`` over folds, and its cells."""

    def build(*records, columns=(make.top1, DELTA), folds=FOLDS, **changes):
        spec = make.spec('base', 'full', columns=columns, folds=folds, **changes)
        configs = make.configs(*(row.config_name for row in spec.configured))
        table = build_table(spec, records, configs)
        return table, {
            row.id: dict(zip((column.key for column in columns), row.cells, strict=True))
            for row in table.body
        }

    return build


def runs(make, seeds=(0, 1)):
    return [
        make.record(f'demo/{row}_fold{fold}', seed, of[fold][seed], samples=SAMPLES[fold])
        for row, of in (('base', BASE), ('full', FULL))
        for fold in FOLDS
        for seed in seeds
    ]


def test_several_seeds_are_compared_by_their_means_over_the_folds(make, build):
    """base: 30 and 40 under seeds 0 and 1; full: 50 and 60."""
    table, cells = build(*runs(make))
    assert cells['base']['top1'].text == '35.0 ± 7.1'
    assert cells['full']['top1'].text == '55.0 ± 7.1'
    assert cells['full']['delta'].text == '+20.0 ± 0.0'
    assert table.is_complete and not table.warnings  # of other folds other samples are tested
    assert [row.id for row in table.body] == ['base', 'full']
    assert table.cell('full_fold3', 'delta').text == '+10.0 ± 0.0'
    assert table.notes[-2].startswith(
        'Mean over folds 1, 2, 3 under each seed, then mean ± standard deviation '
        '(n−1) over seeds 0, 1; differences to the row “base” are paired by seed'
    )


def test_folds_of_the_only_seed_are_compared_with_each_other(make, build):
    """base: 10, 30, 50; full: 40, 50, 60; differences 30, 20, 10: 20 ± 4.3027 * 10 / √3."""
    table, cells = build(*runs(make), seeds=(0,))
    assert cells['base']['top1'].text == '30.0 ± 20.0'
    assert cells['full']['top1'].text == '50.0 ± 10.0'
    assert cells['full']['delta'].text == '+20.0 ± 10.0 [-4.8, +44.8]'
    assert [seed.label for seed in cells['full']['top1'].seeds] == list(FOLDS)
    assert not table.warnings
    assert table.notes[-2] == (
        'Mean ± standard deviation (n−1) over folds 1, 2, 3 of seed 0; as folds share training '
        'samples, intervals over them are narrower than they should be; differences to the row '
        '“base” are paired by fold and taken before rounding, in brackets their 95 % interval '
        '(Student’s t).'
    )


def test_pooled_folds_are_the_share_of_all_clips(make, build):
    """base: (1 + 6 + 15) / 60, (2 + 6 + 21) / 60; full: 32 / 60, 39 / 60."""
    columns = (pooled(make.top1), replace(DELTA, source='all'))
    _, cells = build(*runs(make), columns=columns)
    seeds = [[seed.value for seed in cells[row]['all'].seeds] for row in ('base', 'full')]
    sixtieth = Fraction(100, 60)
    assert seeds == [[22 * sixtieth, 29 * sixtieth], [32 * sixtieth, 39 * sixtieth]]
    assert cells['full']['delta'].text == '+16.7 ± 0.0'
    table, cells = build(*runs(make), columns=columns, seeds=(0,))
    assert [cells[row]['all'].text for row in ('base', 'full')] == ['36.7', '53.3']
    assert 'All clips: right samples of all folds over all their samples' in table.notes[-2]


def test_only_a_share_of_the_samples_is_pooled(make, build):
    odd = [make.record('demo/base_fold1', top1=0.123, samples=10)]
    _, cells = build(*odd, *runs(make, (0,))[1:], columns=(pooled(make.top1),), seeds=(0,))
    assert (cells['base']['all'].status, cells['full']['all'].text) == (CellStatus.FAILED, '53.3')
    assert 'fold 1”: test/acc/top1 is no share of 10 samples' in cells['base']['all'].note


def test_what_is_lacking_is_named_by_fold(make, build):
    some = [run for run in runs(make) if (run.config, run.seed) != ('demo/full_fold2', 0)]
    _, cells = build(*some)
    assert cells['full']['top1'].text == '60.0 (1/2)'
    assert cells['full']['top1'].note == 'seed 0 missing: of “full, fold 2”: no run'
    table, cells = build(*some, seeds=(0,))
    assert cells['full']['top1'].text == '50.0 ± 14.1 (2/3)'
    assert cells['full']['top1'].note == 'fold 2 missing: no run'
    assert cells['full']['delta'].text == '+20.0 ± 14.1 (2/3)'  # 30 and 10
    assert any(
        note.startswith(
            '(n/N): n of N folds count, a mean of other folds than in the rows beside it and not '
            'to be compared with theirs'
        )
        for note in table.notes
    )


def test_any_fold_tells_what_the_network_costs(make):
    params = Column('params', 'Params', 'static.params')
    spec = make.spec('base', 'full', columns=(params, make.top1), folds=FOLDS)
    configs = {
        name: replace(config, network='net')
        for name, config in make.configs(*(row.config_name for row in spec.configured)).items()
    }
    record = make.record('demo/base_fold1', complexity=dict(params=7, network='net'))
    table = build_table(spec, [record], configs)
    assert [row.cells[0].text for row in table.body] == ['7.0', '7.0']


def test_folds_of_one_checkpoint_are_a_conflict(make, build):
    same = {'test/checkpoint_sha256': 'same'}
    _, cells = build(
        *(make.record(f'demo/base_fold{fold}', values=same) for fold in '12'), seeds=(0,)
    )
    assert cells['base']['top1'].status is CellStatus.CONFLICT


def of(fold, top1):
    return replace(top1, key=f'of_{fold}', head=f'Fold {fold}', fold=fold)


@pytest.mark.parametrize('same', [{}, {'test/checkpoint_sha256': 'one network'}])
def test_a_column_of_one_fold_is_over_the_seeds_of_that_fold(make, build, same):
    """Folds may be test sets of one network: that is no conflict where each has its column."""
    columns = (of('1', make.top1), of('3', make.top1), replace(DELTA, source='of_3'))
    records = [
        make.record(
            f'demo/{row}_fold{fold}',
            seed,
            of[fold][seed],
            values={k: f'{v} {row} {seed}' for k, v in same.items()},
        )
        for row, of in (('base', BASE), ('full', FULL))
        for fold in FOLDS
        for seed in (0, 1)
    ]
    table, cells = build(*records, columns=columns)
    assert {row: [cell.text for cell in each.values()] for row, each in cells.items()} == {
        'base': ['15.0 ± 7.1', '60.0 ± 14.1', '–'],
        'full': ['45.0 ± 7.1', '70.0 ± 14.1', '+10.0 ± 0.0'],
    }
    assert table.is_complete
    assert table.cell('base_fold1', 'of_1').text == '15.0 ± 7.1'
    assert table.cell('base_fold1', 'of_3').text == table.cell('base_fold2', 'of_3').text == '–'
    assert 'Mean over folds' not in ' '.join(table.notes)
    _, cells = build(*records[:-1], columns=columns)
    assert cells['full']['of_3'].text == '60.0 (1/2)' and cells['full']['of_1'].is_fine


def test_a_column_of_one_fold_is_locked_by_its_runs(make, build):
    columns = (of('2', make.top1), make.top1)
    table, _ = build(*runs(make), columns=columns)
    spec = make.spec('base', 'full', columns=columns, folds=FOLDS)
    configs = make.configs(*(row.config_name for row in spec.configured))
    again = build_table(spec, (), configs, locked=locked_table(table, spec))
    assert [row.cells for row in again.body] == [row.cells for row in table.body]


accuracies = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=12, max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accuracies, st.permutations(FOLDS), st.sampled_from([(0,), (0, 1)]))
def test_the_order_of_folds_changes_no_number(make, build, values, order, seeds):
    records = [
        make.record(f'demo/{row}_fold{fold}', seed, values[6 * i + 2 * j + seed], samples=1000)
        for i, row in enumerate(('base', 'full'))
        for j, fold in enumerate(FOLDS)
        for seed in (0, 1)
    ]
    columns = (make.top1, DELTA, pooled(make.top1))
    one, other = (
        build(*records, columns=columns, folds=each, seeds=seeds) for each in (FOLDS, order)
    )
    for row in ('base', 'full'):
        for key in ('top1', 'delta', 'all'):
            a, b = one[1][row][key], other[1][row][key]
            assert (a.text, a.value, a.std, a.interval) == (b.text, b.value, b.std, b.interval)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accuracies, st.sampled_from([(0,), (0, 1), (0, 1, 2)]))
def test_one_fold_is_as_good_as_none(make, build, values, seeds):
    def texts(suffix, folds):
        records = [
            make.record(f'demo/{row}{suffix}', seed, values[3 * i + seed], samples=1000)
            for i, row in enumerate(('base', 'full'))
            for seed in seeds
        ]
        columns = (make.top1, DELTA) + ((pooled(make.top1),) if folds else ())
        _, cells = build(*records, columns=columns, folds=folds, seeds=seeds)
        return [[cell.text for cell in row.values()] for row in cells.values()]

    with_fold = texts('_fold1', ('1',))
    assert [row[:2] for row in with_fold] == texts('', ())
    assert [row[2] for row in with_fold] == [row[0] for row in with_fold]


TABLE = """
id: demo
caption: A demo
seeds: [0, 1]
folds: [1, 2, ann]
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100}
rows:
  - {id: base, config: base.py, reference: true}
  - {id: full, config: full.py}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'configs/demo'
    folder.mkdir(parents=True)
    (folder / 'base.py').write_text(
        "folds = (1, 2, 'ann')\n"
        "train_dataloader = dict(dataset=dict(ann_file='train_{fold}.txt'))\n"
    )
    (folder / 'full.py').write_text("_base_ = 'base.py'\na = 1\n")
    (folder / 'table.yaml').write_text(TABLE)
    return folder


def test_rows_stand_for_runs_in_every_fold(folder, make):
    spec = load_spec(folder / 'table.yaml')
    assert [row.config_name for row in spec.configured] == [
        *('demo/base_fold1', 'demo/base_fold2', 'demo/base_ann'),
        *('demo/full_fold1', 'demo/full_fold2', 'demo/full_ann'),
    ]
    assert [row.id for row in spec.rows] == ['base', 'full'] and len(spec.wanted_runs) == 12
    configs = resolve_configs(spec)
    assert len({config.digest for config in configs.values()}) == 6
    assert len({config.network for config in configs.values()}) == 1
    done = make.record('demo/base_ann', digest=configs['base_ann'].digest)
    gaps = find_gaps(row_seeds(spec, [done]), spec, [done])
    jobs = ordered_jobs(gaps)
    assert len(jobs) == 11 and 'base_ann/seed0' not in {job.name for job in jobs}
    assert jobs[1].line().endswith('base.py --fold 2 --seed 0 --resume')
    assert jobs[1].run == 'demo/base_fold2/seed0'


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('folds: [1, 2, ann]\n', '', 'base.py has the folds 1, 2, ann: the table must name some'),
        ('[1, 2, ann]', '[1, 3]', 'base.py has the folds 1, 2, ann, but no fold 3'),
        ('[1, 2, ann]', '[1, 1]', "folds[1]: '1' is given twice"),
        ('[1, 2, ann]', '[a/b]', "'a/b' is no plain file name"),
        ('id: full', 'id: base_fold1', "folds: a fold and a row have the id 'base_fold1'"),
        ('scale: 100', 'over_folds: all', 'over_folds'),
        ('scale: 100', 'fold: 3', "'3' is no fold of the table: 1, 2, ann"),
        ('scale: 100', 'fold: 1, over_folds: pooled', 'of a logged metric that is not pooled'),
    ],
)
def test_mistakes_are_named(folder, old, new, message):
    (folder / 'table.yaml').write_text(TABLE.replace(old, new))
    with pytest.raises(InputError) as error:
        resolve_configs(load_spec(folder / 'table.yaml'))
    assert message in str(error.value) and '\n' not in str(error.value)


def test_a_row_of_one_fold_and_configs_without_folds(folder):
    text = TABLE.replace('folds: [1, 2, ann]\n', '').replace('.py', '.py, fold: 2')
    (folder / 'table.yaml').write_text(text)
    spec = load_spec(folder / 'table.yaml')
    assert [row.config_name for row in spec.configured] == ['demo/base_fold2', 'demo/full_fold2']
    (folder / 'base.py').write_text('a = 1\n')
    with pytest.raises(InputError, match=r'table.yaml:8: .*has no folds, and so no fold 2'):
        resolve_configs(spec)


def test_a_lock_and_every_format_have_what_the_folds_gave(make, build, tmp_path):
    for seeds in ((0, 1), (0,)):
        columns = (make.top1, DELTA, pooled(make.top1))
        table, _ = build(*runs(make), columns=columns, seeds=seeds)
        spec = make.spec('base', 'full', columns=columns, folds=FOLDS, seeds=seeds)
        (tmp_path / 'lock.json').write_text(lock_text({'demo': locked_table(table, spec)}))
        configs = make.configs(*(row.config_name for row in spec.configured))
        locked = read_lock(tmp_path / 'lock.json')['demo']
        assert len(locked.results) == 6 * len(seeds)
        again = build_table(spec, (), configs, locked=locked)
        for render in RENDERERS.values():
            assert render(again) == render(table)
