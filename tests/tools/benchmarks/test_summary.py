"""What the benchmarks' tables come to: ratios, Markdown, figures."""

import common
import operators
import pytest
import summary


@pytest.fixture
def table(tmp_path):
    """Rows of one size: native 2 ms, portable 4 ms, the loop 40 ms."""

    def table(size='x3d_10_L1', instructions='AVX2'):
        path = tmp_path / 'operators.csv'
        shared = dict(size=size, dtype='float32', device='a processor', instructions=instructions)
        made = common.Table(path, operators.COLUMNS, (), shared)
        made.add(implementation='matmul', gflop_s=100.0)
        made.add(implementation='copy', gb_s=10.0)
        for name, both in (('native', 2.0), ('portable', 4.0), ('shift_loop', 40.0)):
            numbers = dict(gflop_s=20.0, gb_s=4.0, of_matmul=0.2, of_copy=0.4, both_of_copy=0.3)
            made.add(implementation=name, forward_ms=1.0, both_ms=both, **numbers)
        return path

    return table


def test_ratios_are_of_the_same_rounds_and_those_of_the_study_follow_the_loop(table):
    [(key, found)] = summary.groups(common.read(table()))
    assert key == ('x3d_10_L1', 'float32')
    against = summary.ratios('x3d_10_L1', found, 'native')
    assert against.pop('shift_loop') == 20
    assert against == pytest.approx(
        {'correlation-sampler*': 20 * 51.8 / 26.1, 'natten*': 20 * 34.9 / 26.1}
    )
    assert summary.ratios('r50_14_L2', found, 'portable') == {'shift_loop': 10}


def test_markdown_has_a_line_for_each_of_ours(table):
    lines = summary.markdown(common.read(table('r50_14_L2'))).splitlines()
    assert lines[0].split(' | ')[3:6] == ['forward ms', 'both ms', 'shift_loop']
    assert lines[2:] == [
        '| r50_14_L2 | float32 | native | 1.0 | 2.0 | 20x | 20 % | 40 % | 30 % |',
        '| r50_14_L2 | float32 | portable | 1.0 | 4.0 | 10x | 20 % | 40 % | 30 % |',
    ]
    only = summary.markdown(common.read(table()), ['portable']).splitlines()
    assert len(only) == 3


@pytest.mark.parametrize('instructions, axis', [('AVX2', 'times as long'), ('sm_90', 'GFLOP/s')])
def test_a_figure_stands_beside_the_table_and_is_the_same_when_drawn_again(
    table, capsys, monkeypatch, instructions, axis
):
    monkeypatch.setitem(__import__('matplotlib').rcParams, 'svg.fonttype', 'none')
    path = table(instructions=instructions)
    summary.main([str(path)])
    drawn = path.with_suffix('.svg').read_text()
    assert axis in drawn and 'a processor' in drawn
    assert capsys.readouterr().out.count('| x3d_10_L1 |') == 2
    summary.main([str(path), '--plots-only'])
    assert path.with_suffix('.svg').read_text() == drawn and not capsys.readouterr().out


def test_other_tables_are_printed_without_their_environment(tmp_path, capsys):
    path = tmp_path / 'blocks.csv'
    common.Table(path, ('host', 'step_ms', 'device'), (), {'device': 'a'}).add(host='h', step_ms=1)
    capsys.readouterr()
    summary.main([str(path)])
    assert capsys.readouterr().out.splitlines() == [
        f'{path}: device a', '', '| host | step_ms |', '| --- | --- |', '| h | 1 |', '',
    ]  # fmt: skip
