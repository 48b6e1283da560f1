import math

from mmaction_ext.tables import CellStatus
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tables.row_seeds import living_run, process_of, row_seeds
from mmaction_ext.tables.spec import Column, Row


def states(found):
    """Name of each row and seed to its state."""
    return {row_seed.name: row_seed.status.value for row_seed in found}


def test_state_is_the_worst_of_the_logged_metrics(make):
    columns = (make.top1, Column('pair', 'Pair', 'test/motion/pair'))
    spec = make.spec('base', 'full', 'more', columns=columns)
    records = [
        make.record('demo/base', 0),
        make.record('demo/base', 1),
        make.record('demo/full', 0, values={'test/motion/pair': 1.0}),
        make.record('demo/full', 1, values={'test/motion/pair': math.nan}),
    ]
    found = row_seeds(spec, records, make.configs('demo/base', 'demo/full', 'demo/more'))
    assert states(found) == {
        'base/seed0': 'missing',
        'base/seed1': 'missing',  # one metric is not there
        'full/seed0': 'ok',
        'full/seed1': 'diverged',
        'more/seed0': 'missing',
        'more/seed1': 'missing',
    }
    assert [row_seed.is_done for row_seed in found] == [False, False, True, False, False, False]
    assert [row_seed.reason for row_seed in found[2:5]] == [
        '',
        'test/motion/pair is nan',
        'no run',
    ]


def test_only_rows_with_a_config_have_seeds(make):
    rows = (
        Row('full', 'Full', 'full.py', 1, reference=True),
        Row('more', 'More', 'more.py', 2),
        Row('paper', 'P', None, 3, published=PublishedEntry('p', {}, 'P'), reason='no code'),
        Row('mean', 'M', None, 4, mean_of=('full', 'more')),
    )
    found = row_seeds(make.spec(*rows, seeds=(4,)), [], make.configs('demo/full', 'demo/more'))
    assert states(found) == {'full/seed4': 'missing', 'more/seed4': 'missing'}


def test_a_table_without_metrics_lacks_nothing(make):
    spec = make.spec('full', columns=(Column('params', 'P', 'static.params'),))
    assert states(row_seeds(spec, [], make.configs('demo/full'))) == {
        'full/seed0': 'ok',
        'full/seed1': 'ok',
    }


def test_runs_of_a_place_by_their_version(make):
    records = [
        make.record(uid='now'),
        make.record(digest='old', uid='old'),
        make.record(overrides={'lr': 1}, uid='other'),
        make.record(digest=None, uid='lost'),
        make.record(seed=1, uid='else'),
    ]
    [row_seed] = row_seeds(make.spec('full', seeds=(0,)), records, make.configs('demo/full'))
    assert {record.uid for record in row_seed.fresh} == {'now'}
    assert {record.uid for record in row_seed.others} == {'old', 'other', 'lost'}


def test_a_living_run_of_any_version_is_found(make):
    def living(**settings):
        return make.record(exit_code=None, top1=None, state='running', **settings)

    [row_seed] = row_seeds(
        make.spec('full', seeds=(0,)),
        [
            make.record(exit_code=1, top1=None, uid='failed'),
            living(digest='old', uid='old', attempt=dict(pid=7)),
        ],
        make.configs('demo/full'),
    )
    assert row_seed.status is not CellStatus.OK and row_seed.living.uid == 'old'
    assert process_of(row_seed.living) == 'process 7 on h'
    assert living_run(row_seed.fresh) is None
    assert process_of(living(attempt=dict(number=1))) == 'a process on h'
