import math

from mmaction_ext.tables import CellStatus
from mmaction_ext.tables.places import living_run, places, process_of
from mmaction_ext.tables.spec import Column, Row


def states(found):
    """Name of each place to its state."""
    return {place.name: place.status.value for place in found}


def test_state_is_the_worst_of_the_logged_metrics(make):
    columns = (make.top1, Column('pair', 'Pair', 'test/motion/pair'))
    spec = make.spec('base', 'full', 'more', columns=columns)
    records = [
        make.record('demo/base', 0),
        make.record('demo/base', 1),
        make.record('demo/full', 0, values={'test/motion/pair': 1.0}),
        make.record('demo/full', 1, values={'test/motion/pair': math.nan}),
    ]
    found = places(spec, records, make.configs('demo/base', 'demo/full', 'demo/more'))
    assert states(found) == {
        'base/seed0': 'missing',
        'base/seed1': 'missing',  # one metric is not there
        'full/seed0': 'ok',
        'full/seed1': 'diverged',
        'more/seed0': 'missing',
        'more/seed1': 'missing',
    }
    assert [place.is_done for place in found] == [False, False, True, False, False, False]
    assert [place.reason for place in found[2:5]] == ['', 'test/motion/pair is nan', 'no run']


def test_only_rows_with_a_config_have_places(make):
    rows = (
        Row('full', 'Full', 'full.py', 1, reference=True),
        Row('paper', 'P', None, 2),
        Row('mean', 'M', None, 3, mean_of=('full',)),
    )
    found = places(make.spec(*rows, seeds=(4,)), [], make.configs('demo/full'))
    assert states(found) == {'full/seed4': 'missing'}


def test_a_table_without_metrics_lacks_nothing(make):
    spec = make.spec('full', columns=(Column('params', 'P', 'static.params'),))
    assert states(places(spec, [], make.configs('demo/full'))) == {
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
    [place] = places(make.spec('full', seeds=(0,)), records, make.configs('demo/full'))
    assert {record.uid for record in place.fresh} == {'now'}
    assert {record.uid for record in place.others} == {'old', 'other', 'lost'}


def test_a_living_run_of_any_version_is_found(make):
    def living(**settings):
        return make.record(exit_code=None, top1=None, state='running', **settings)

    [place] = places(
        make.spec('full', seeds=(0,)),
        [
            make.record(exit_code=1, top1=None, uid='failed'),
            living(digest='old', uid='old', fragment=dict(pid=7)),
        ],
        make.configs('demo/full'),
    )
    assert place.status is not CellStatus.OK and place.living.uid == 'old'
    assert process_of(place.living) == 'process 7 on h'
    assert living_run(place.fresh) is None
    assert process_of(living(fragment=dict(number=1))) == 'a process on h'
