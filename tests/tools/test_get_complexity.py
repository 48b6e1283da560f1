"""The command line of tools/get_complexity.py."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from tool_runs import main_of

from mmaction_ext.cli import complexity
from mmaction_ext.models.complexity import count
from mmaction_ext.tables import read_complexity
from mmaction_ext.tracking.identity import config_name, network_of

MODEL = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        module=dict(type='DCF'),
        stages=(2,),
        num_segments=8,
        backbone=dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8),
    ),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=12),
)


@pytest.fixture(scope='module')
def main():
    return main_of('complexity')


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'thin.py'
    Config(dict(model=MODEL, input_shape=(3, 8, 64, 64))).dump(path)
    return str(path)


def test_json_of_one_config_is_one_object(main, config, capsys):
    assert main([config, '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    expected = count(MODEL, (3, 8, 64, 64))
    assert (found['params'], found['macs']) == (expected.params, expected.macs)
    assert found['input_shape'] == [3, 8, 64, 64] and found['config'] == config


@pytest.fixture
def other(tmp_path):
    """The same network, another experiment."""
    path = tmp_path / 'other.py'
    Config(dict(model=MODEL, input_shape=(3, 8, 64, 64), lr=1)).dump(path)
    return str(path)


def test_json_of_several_configs_is_a_list_of_each_once(main, config, other, capsys):
    assert main([config, other, config, '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each.pop('config') for each in found] == [config, other]
    assert found[0] == found[1]


def test_table_stands_for_the_configs_of_its_rows(main, config, other, tmp_path, capsys):
    Path(config).with_name('published.yaml').write_text('p: {paper: P, row: {top1: null}}\n')
    table = Path(config).with_name('table.yaml')
    table.write_text("""
id: demo
caption: c
published: published.yaml
columns: [{key: top1, head: T, from: test/acc/top1}]
rows: [{id: thin, config: thin.py}, {id: other, config: other.py},
       {id: mean, mean_of: [thin, other]}, {id: p, published: p.row, reason: no code}]
""")
    path = tmp_path / 'complexity.csv'
    assert main([str(table), '--csv', str(path)]) == 0
    lines = [line.split(',') for line in path.read_text().splitlines()]
    assert lines[0] == ['config', 'network', 'params', 'macs']
    assert [line[0] for line in lines[1:]] == sorted([config_name(config), config_name(other)])


def test_processes_count_what_one_counts(main, config, other, capsys):
    for workers in ('0', '2'):
        assert main([config, other, '--json', '--workers', workers]) == 0
    one, two = capsys.readouterr().out.splitlines()
    assert one == two


def test_ensemble_costs_what_its_members_cost(main, config, other, tmp_path, capsys):
    path = tmp_path / 'both.py'
    path.write_text("_base_ = './thin.py'\nensemble = dict(members=['thin.py', 'other.py'])\n")
    assert main([str(path), '--json']) == 0
    found, expected = json.loads(capsys.readouterr().out), count(MODEL, (3, 8, 64, 64))
    assert (found['params'], found['macs']) == (2 * expected.params, 2 * expected.macs)
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == 'members'


def test_table(main, config, capsys):
    assert main([config, '--shape', '8', '32', '32']) == 0
    line = capsys.readouterr().out.splitlines()[1]
    expected = count(MODEL, (3, 8, 32, 32))
    assert line.split() == [
        config,
        '3x8x32x32',
        f'{expected.params / 1e6:.3f}',
        f'{expected.macs / 1e9:.4f}',
    ]


@pytest.mark.parametrize(
    'shape, message',
    [
        (['7', '64', '64'], '7 frames'),
        (['0', '64', '64'], '(3, 0, 64, 64)'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(main, config, capsys, shape, message):
    assert main([config, '--shape', *shape]) == 2
    output = capsys.readouterr()
    assert output.err.count('\n') == 1 and message in output.err and config in output.err
    assert not output.out


def test_config_that_does_not_exist(main, capsys):
    assert main(['/nowhere/none.py']) == 2
    assert '/nowhere/none.py' in capsys.readouterr().err


def test_config_without_a_shape(main, tmp_path, capsys):
    path = tmp_path / 'bare.py'
    Config(dict(model=MODEL)).dump(path)
    assert main([str(path)]) == 2
    assert '--shape' in capsys.readouterr().err


def test_a_row_that_cannot_be_counted_hides_no_other(main, config, tmp_path, capsys):
    bad, path = tmp_path / 'bad.py', tmp_path / 'complexity.csv'
    Config(dict(model=dict(MODEL, type='NoSuchModel'), input_shape=(3, 8, 64, 64))).dump(bad)
    assert main([str(bad), config, '--csv', str(path), '--json']) == 2
    output = capsys.readouterr()
    assert [each['config'] for each in json.loads(output.out)] == [config]
    assert network_of(config) in read_complexity(path)
    assert output.err.count('\n') == 1 and f'{bad}: ' in output.err and 'NoSuchM' in output.err


def test_csv_is_what_make_tables_reads(main, config, tmp_path, capsys):
    path = tmp_path / 'complexity.csv'
    assert main([config, '--csv', str(path)]) == 0
    expected = count(MODEL, (3, 8, 64, 64))
    assert read_complexity(path) == {
        network_of(config): dict(params=expected.params, macs=expected.macs)
    }
    text, path = path.read_text(), tmp_path / 'new' / 'x.csv'
    Path(config).write_text(Path(config).read_text() + 'optim_wrapper = dict(lr=1)\n')
    assert main([config, '--csv', str(path)]) == 0 and path.read_text() == text


def test_a_file_that_cannot_be_written_is_named_before_anything_is_counted(
    main, config, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(complexity, 'measure_all', lambda args: pytest.fail('counted'))
    for option in ([config, '--csv'], ['--report']):
        assert main([*option, f'{config}/x.csv']) == 2
        assert f'{config} cannot be written: ' in capsys.readouterr().err
