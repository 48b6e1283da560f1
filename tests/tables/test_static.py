import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.results import RowConfig
from mmaction_ext.tables.static import read_complexity, static_result

CONFIG = RowConfig('demo/full', 'current', ('epoch', 2))


def test_static_figures(make):
    record = make.record(static=dict(params=3, macs='many'))
    complexity = {('demo/full', 'current'): dict(params=7, macs=8)}

    def static(name, *records):
        return static_result(records, CONFIG, name, complexity)

    former = RowConfig('demo/full', 'new', aliases=('current',))
    assert static_result([record], former, 'params', {}).value == 3
    assert static_result([], former, 'macs', complexity).value == 8
    complexity['demo/full', 'current']['params'] = 3
    assert static('params', record, make.record(seed=1, static=dict(params=3))).value == 3
    assert static('params', make.record(exit_code=None, static=dict(params=3))).value == 3
    assert static('macs', record).value == 8 and static('macs', record).runs == ()
    complexity['demo/full', 'current']['params'] = 7
    conflict = static('params', record)
    assert conflict.status is CellStatus.CONFLICT and conflict.value is None
    assert conflict.reason == 'runs and the table of counts differ in params: 3, 7'
    for settings in (dict(digest='old'), dict(overrides={'a': 1}), dict(corrupt=True)):
        assert static('params', make.record(static=dict(params=3), **settings)).value == 7
    assert static('flops', record).status is CellStatus.MISSING
    conflict = static('params', record, make.record(seed=1, static=dict(params=4)))
    assert conflict.status is CellStatus.CONFLICT and '3, 4' in conflict.reason


def test_complexity_csv(tmp_path):
    path = tmp_path / 'complexity.csv'
    assert read_complexity(path) == {}
    path.write_text('config,config_hash,params,macs,more\ndemo/full,ab,3,4,x\n')
    assert read_complexity(path) == {('demo/full', 'ab'): dict(params=3, macs=4)}
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
