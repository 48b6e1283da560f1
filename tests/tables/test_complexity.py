from dataclasses import replace

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.complexity import complexity_result, read_complexity
from mmaction_ext.tables.seed_runs import RowConfig

CONFIG = RowConfig('demo/full', 'current', ('epoch', 2), network='net')


def test_counts_of_runs_and_of_the_file(make):
    record = make.record(complexity=dict(params=3, macs='many'))
    complexity = {('demo/full', 'current'): dict(params=7, macs=8)}

    def found(name, *records):
        return complexity_result(records, CONFIG, name, complexity)

    former = RowConfig('demo/full', 'new', aliases=('current',))
    assert complexity_result([record], former, 'params', {}).value == 3
    assert complexity_result([], former, 'macs', complexity).value == 8
    complexity['demo/full', 'current']['params'] = 3
    assert found('params', record, make.record(seed=1, complexity=dict(params=3))).value == 3
    assert found('params', make.record(exit_code=None, complexity=dict(params=3))).value == 3
    assert found('macs', record).value == 8 and found('macs', record).runs == ()
    complexity['demo/full', 'current']['params'] = 7
    conflict = found('params', record)
    assert conflict.status is CellStatus.CONFLICT and conflict.value is None
    assert conflict.reason == 'runs and the table of counts differ in params: 3, 7'
    for settings in (dict(digest='old'), dict(overrides={'a': 1}), dict(corrupt=True)):
        assert found('params', make.record(complexity=dict(params=3), **settings)).value == 7
    assert found('flops', record).status is CellStatus.MISSING
    conflict = found('params', record, make.record(seed=1, complexity=dict(params=4)))
    assert conflict.status is CellStatus.CONFLICT and '3, 4' in conflict.reason


def test_counts_are_of_a_network_whatever_becomes_of_the_rest_of_its_config(make):
    counts = {'net': dict(params=7, macs=8)}
    assert complexity_result([], CONFIG, 'params', counts).value == 7
    assert complexity_result([], replace(CONFIG, network='other'), 'params', counts).value is None
    known = dict(params=3, network='net')
    edited = make.record(digest='old', complexity=known)
    overridden = make.record(seed=1, overrides={'lr': 1}, complexity=known)
    assert complexity_result([edited, overridden], CONFIG, 'params', {}).value == 3
    assert complexity_result([edited], CONFIG, 'params', counts).status is CellStatus.CONFLICT
    other = make.record(complexity=dict(params=4, network='other'))
    assert complexity_result([other, edited], CONFIG, 'params', {}).value == 3


def test_complexity_csv(tmp_path):
    path = tmp_path / 'complexity.csv'
    assert read_complexity(path) == {}
    path.write_text('config,config_hash,params,macs,more\ndemo/full,ab,3,4,x\n')
    assert read_complexity(path) == {('demo/full', 'ab'): dict(params=3, macs=4)}
    path.write_text('config,network,params,macs\ndemo/full,ab,3,4\n')
    assert read_complexity(path) == {'ab': dict(params=3, macs=4)}
    for text in (
        'config,params\na,1\n',
        'config,config_hash,params,macs\na,b,three,4\n',
        'config,config_hash,params,macs\na\n',
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=r'complexity.csv is no table of'):
            read_complexity(path)
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match=r'complexity.csv is no table of'):
        read_complexity(path)
