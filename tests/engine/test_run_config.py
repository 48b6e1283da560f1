"""From command line to config: seeds, folders, batches, checkpoints."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmaction_ext.engine import run_config
from mmaction_ext.engine.work_dir import default_work_dir
from mmaction_ext.errors import InputError

ROW = Path(__file__).parents[2] / 'configs/synthmotion/dcf/table1_components/full.py'


def test_seed_comes_from_the_command_line_then_the_config_then_zero():
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=4))), 2) == 2
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=4)))) == 4
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=None)))) == 0
    assert run_config.choose_seed(Config(dict())) == 0


def test_override_of_the_recipe_makes_another_run_with_its_own_folder():
    plain, none = run_config.identify(ROW, 0)
    changed, overrides = run_config.identify(ROW, 0, {'train_cfg.max_epochs': 1})
    assert none == {} and overrides == {'train_cfg.max_epochs': 1}
    assert changed.config_hash != plain.config_hash and changed.uid != plain.uid
    assert default_work_dir(plain, none) == plain.work_dir()
    assert default_work_dir(changed, overrides) != plain.work_dir()


def test_number_of_loader_processes_is_no_override():
    plain, _ = run_config.identify(ROW, 0)
    same, overrides = run_config.identify(ROW, 0, {'train_dataloader.num_workers': 5})
    assert same == plain and overrides == {}


@pytest.mark.parametrize('world_size, expected', [(1, 8), (2, 4), (8, 1)])
def test_global_batch_is_split_over_processes(world_size, expected):
    cfg = Config(dict(global_batch_size=8, train_dataloader=dict(batch_size=8)))
    run_config.adapt_to_processes(cfg, world_size)
    assert cfg.train_dataloader.batch_size == expected


def test_global_batch_that_cannot_be_split_is_refused():
    cfg = Config(dict(global_batch_size=8, train_dataloader=dict(batch_size=8)))
    with pytest.raises(InputError, match='global_batch_size 8 .* 3 processes'):
        run_config.adapt_to_processes(cfg, 3)


def test_config_without_global_batch_keeps_its_batch_per_process():
    cfg = Config(dict(train_dataloader=dict(batch_size=6)))
    run_config.adapt_to_processes(cfg, 2)
    assert cfg.train_dataloader.batch_size == 6


def test_amp_needs_a_gpu_and_a_plain_optimizer_wrapper(monkeypatch):
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=1))))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(InputError, match='--amp needs a GPU'):
        run_config.use_amp(cfg)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    run_config.use_amp(cfg)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    with pytest.raises(InputError, match='DeepSpeed'):
        run_config.use_amp(Config(dict(optim_wrapper=dict(type='DeepSpeedOptimWrapper'))))


def test_missing_and_broken_configs_are_named(tmp_path):
    with pytest.raises(InputError, match='gone.py does not exist'):
        run_config.read_config(str(tmp_path / 'gone.py'))
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(')
    with pytest.raises(InputError, match='broken.py cannot be used'):
        run_config.read_config(str(broken))


def test_git_state_of_a_checkout_and_of_a_plain_folder(tmp_path):
    assert run_config.git_state(str(tmp_path)) == {}
    assert run_config.git_state(str(tmp_path / 'gone')) == {}
