"""From command line to config: seeds, folders, batches, checkpoints."""

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmaction_ext.engine import run_config
from mmaction_ext.engine.work_dir import default_work_dir
from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import load_config

ROW = Path(__file__).parents[2] / 'configs/synthmotion/dcf/table1_components/full.py'


def test_seed_comes_from_the_command_line_then_the_config_then_zero():
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=4))), 2) == 2
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=4)))) == 4
    assert run_config.choose_seed(Config(dict(randomness=dict(seed=None)))) == 0
    assert run_config.choose_seed(Config(dict())) == 0


@pytest.mark.parametrize('seed', [0, 2**32 - 1])
def test_seeds_that_numpy_takes(seed):
    assert run_config.choose_seed(Config(dict()), seed) == seed


@pytest.mark.parametrize('seed', [-1, 2**32])
def test_seeds_that_numpy_refuses(seed):
    for asked in ((Config(dict()), seed), (Config(dict(randomness=dict(seed=seed))),)):
        with pytest.raises(InputError, match=f"between 0 and .*, got '{seed}'$"):
            run_config.choose_seed(*asked)


def test_override_of_the_recipe_makes_another_run_with_its_own_folder():
    plain, none = run_config.identify(ROW, load_config(ROW), 0)
    changed, overrides = run_config.identify(ROW, load_config(ROW), 0, {'train_cfg.max_epochs': 1})
    assert none == {} and overrides == {'train_cfg.max_epochs': 1}
    assert changed.config_hash != plain.config_hash and changed.uid != plain.uid
    assert default_work_dir(plain, none) == plain.work_dir()
    assert default_work_dir(changed, overrides) != plain.work_dir()


@pytest.mark.parametrize(
    'setting',
    [
        {'train_dataloader.num_workers': 5},
        {'test_dataloader.batch_size': 3},
        {'model.test_cfg.max_testing_views': 10},
        {'default_hooks.logger.interval': 1},
    ],
)
def test_what_changes_no_number_is_no_override(setting):
    plain, _ = run_config.identify(ROW, load_config(ROW), 0)
    same, overrides = run_config.identify(ROW, load_config(ROW), 0, setting)
    assert (same.hashes, overrides) == (plain.hashes, {})


@pytest.mark.parametrize('world_size, expected', [(1, 8), (2, 4), (8, 1)])
def test_global_batch_is_split_over_processes(world_size, expected):
    cfg = Config(dict(global_batch_size=8, train_dataloader=dict(batch_size=8)))
    run_config.adapt_to_processes(cfg, world_size)
    assert cfg.train_dataloader.batch_size == expected


def test_global_batch_that_cannot_be_split_is_refused():
    cfg = Config(dict(global_batch_size=8, train_dataloader=dict(batch_size=8)))
    with pytest.raises(InputError, match=r'global_batch_size 8 .* 3 processes'):
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


def test_the_learning_rate_is_scaled_where_the_config_says_for_which_batch_it_is():
    cfg = Config(dict(auto_scale_lr=dict(enable=False, base_batch_size=64)))
    run_config.scale_learning_rate(cfg)
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=64)
    for nothing in ({}, dict(auto_scale_lr=None), dict(auto_scale_lr=dict(enable=True))):
        with pytest.raises(InputError, match='states no auto_scale_lr'):
            run_config.scale_learning_rate(Config(nothing))


@pytest.mark.parametrize('several', [False, True])
def test_final_checkpoint_is_an_artifact_of_wandb_when_asked(several):
    wandb = dict(type='RunWandbBackend')
    backends = [dict(type='LocalVisBackend'), wandb] if several else wandb
    cfg = Config(dict(visualizer=dict(vis_backends=backends)))
    run_config.log_final_checkpoint(cfg)
    assert cfg.visualizer.vis_backends == (
        [dict(type='LocalVisBackend'), dict(wandb, log_artifact=True)]
        if several
        else dict(wandb, log_artifact=True)
    )
    run_config.log_final_checkpoint(Config(dict()))


def test_missing_and_broken_configs_are_named(tmp_path):
    with pytest.raises(InputError, match=r'gone.py does not exist'):
        run_config.read_config(str(tmp_path / 'gone.py'))
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(')
    with pytest.raises(InputError, match=r'broken.py cannot be used'):
        run_config.read_config(str(broken))


def test_a_task_of_slurm_that_sees_one_gpu_uses_that(monkeypatch):
    """As with ``--gpus-per-task``; mmengine's own way would ask scontrol and take GPU 3 of 1."""
    called = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(run_config, 'init_dist', lambda *args, **more: called.append((args, more)))
    for name in ('JOB_ID', 'STEP_ID', 'PROCID', 'STEP_NUM_TASKS', 'LOCALID', 'STEP_NODELIST'):
        monkeypatch.setenv(f'SLURM_{name}', '3')
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')  # as it was, in the end
    run_config.join_processes('slurm', dict(dist_cfg=dict(backend='nccl', timeout=600)))
    assert called == [(('pytorch',), dict(backend='nccl', timeout=600))]
    assert os.environ['LOCAL_RANK'] == '0'


@pytest.mark.parametrize('seconds', [0, -1, 'long', float('nan'), None])
def test_a_timeout_that_is_none_is_refused(seconds):
    with pytest.raises(InputError, match=r'env_cfg.dist_cfg.timeout must be positive'):
        run_config.join_processes('pytorch', dict(dist_cfg=dict(timeout=seconds)))


def test_processes_that_lost_each_other_say_so_and_other_errors_stay():
    lost = '[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer'
    for error in (RuntimeError(lost), torch.distributed.DistNetworkError('timed out')):
        with pytest.raises(run_config.LostContact, match=r'is lost \(.*; start all'):
            with run_config.in_contact():
                raise error
    with pytest.raises(RuntimeError, match=r'^size mismatch$'), run_config.in_contact():
        raise RuntimeError('size mismatch')
