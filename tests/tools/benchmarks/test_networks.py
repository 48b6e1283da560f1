"""The benchmarks of blocks and of whole networks, on SynthMotion's hosts and one clip."""

import blocks
import common
import hosts
import models
import pytest
import torch

from mmaction_ext.modules import dcf


@pytest.mark.parametrize('name', ['synthmotion_dcf', 'synthmotion_kpsem'])
def test_rows_of_blocks(tmp_path, name):
    path = tmp_path / 'blocks.csv'
    blocks.main(['--tiny', '--rounds', '3', '--hosts', name, '--output', str(path)])
    rows = common.read(path)
    assert set(rows[0]) == set(blocks.COLUMNS)
    assert {row['implementation'] for row in rows} >= {'portable', 'auto', 'shift_loop'}
    for row in rows:
        assert float(row['step_ms']) > 0 and 0 < float(row['error']) < 1e-4
        assert row['threads'] == '1' and row['torch'] == torch.__version__
    assert rows[-1]['of_shift_loop'] == '1.0'


def test_rows_of_models(tmp_path):
    path = tmp_path / 'models.csv'
    options = ['--tiny', '--rounds', '3', '--hosts', 'synthmotion_dcf']
    models.main([*options, '--output', str(path)])
    [row] = common.read(path)
    assert set(row) == set(models.COLUMNS)
    assert (row['base_macs'], row['module_macs']) == ('45762048', '57812480')  # of its table
    overhead = float(row['module_ms']) / float(row['base_ms']) - 1
    assert float(row['overhead']) == pytest.approx(overhead, abs=0.01)
    assert float(row['over']) == pytest.approx(overhead / 0.2633, abs=0.05)


def test_what_a_step_keeps_for_its_backward_pass_by_hand():
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(256, 1024))  # 1 MiB

        def data_preprocessor(self, data, training):
            return dict(x=data)

        def forward(self, x, mode):
            y = (x * self.weight).exp()  # x and the exponential
            return (y + 1).relu() * y.detach()[:1]  # the ReLU; again the exponential

    assert models.kept_mb(Network(), torch.ones(256, 1024)) == 3


@pytest.mark.parametrize('benchmark', [blocks, models])
def test_what_is_wrong_is_not_timed(tmp_path, monkeypatch, capsys, benchmark):
    path = tmp_path / 'rows.csv'
    wrong = dict(hosts._PEERS, local_correlation=lambda *args: hosts._local(*args).roll(1, 1))
    monkeypatch.setattr(hosts, '_PEERS', wrong)
    with pytest.raises(SystemExit, match='Nothing was timed'):
        benchmark.main(['--tiny', '--hosts', 'synthmotion_dcf', '--output', str(path)])
    assert not path.exists() and not capsys.readouterr().out


@pytest.mark.parametrize(
    'name', ['synthmotion_tcm', 'synthmotion_selfy', 'synthmotion_correlationblock']
)
def test_the_operators_of_every_module_are_exchanged(name):
    errors = blocks.check(name, hosts.HOSTS[name], 1, ['auto', 'shift_loop'])[2]
    assert 0 < errors['auto'] != errors['shift_loop']


def test_the_operator_is_as_it_was_after_an_exchange():
    before = dcf.local_correlation
    with hosts.swapped('native'):
        assert dcf.local_correlation.keywords == {'implementation': 'native'}
    assert dcf.local_correlation is before


def test_every_host_has_its_module_and_loses_it():
    for host in hosts.HOSTS.values():
        model = hosts.host_config(host).model
        assert model.backbone.module.type.lower() == host.module
        bare = hosts.without_module(model)
        assert bare['backbone']['module'] is None and bare['cls_head']['type'] != 'ConcatHead'
