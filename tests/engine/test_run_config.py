"""From command line to config: seeds, folders, batches, checkpoints."""

import copy
import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmaction_ext.engine import run_config
from mmaction_ext.engine.work_dir import default_work_dir
from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import config_hash
from mmaction_ext.tracking.writing.attempts import read_run_file

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
    plain, none = run_config.identify(ROW, 0)
    changed, overrides = run_config.identify(ROW, 0, {'train_cfg.max_epochs': 1})
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
    plain, _ = run_config.identify(ROW, 0)
    same, overrides = run_config.identify(ROW, 0, setting)
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


def test_git_state_of_a_checkout_and_of_a_plain_folder(tmp_path):
    assert run_config.git_state(str(tmp_path)) == {}
    assert run_config.git_state(str(tmp_path / 'gone')) == {}


def test_git_state_names_what_was_changed(tmp_path):
    def git(*args):
        subprocess.run(
            ['git', '-C', str(tmp_path), '-c', 'user.name=x', '-c', 'user.email=x', *args],
            check=True,
            capture_output=True,
        )

    git('init')
    (tmp_path / 'a').write_text('one\n')
    git('add', 'a'), git('commit', '-m', 'a')
    clean = run_config.git_state(str(tmp_path))
    assert (clean['dirty'], clean['diff_sha256'], len(clean['commit'])) == (False, None, 40)
    (tmp_path / 'untracked').touch()
    assert run_config.git_state(str(tmp_path)) == clean, 'no file of the commit is changed'
    digests = set()
    for text in ('two\n', 'three\n', b'\xff\n'):
        (tmp_path / 'a').write_bytes(text if isinstance(text, bytes) else text.encode())
        state = run_config.git_state(str(tmp_path))
        assert state['dirty'] and state['commit'] == clean['commit']
        digests.add(state['diff_sha256'])
    assert len(digests) == 3 and None not in digests


@pytest.mark.parametrize(
    'names, device', [([], None), (['NVIDIA H200', 'NVIDIA A100'], 'NVIDIA H200')]
)
def test_environment_tells_versions_and_devices(monkeypatch, names, device):
    found = dict(gpus=names, num_gpus=len(names), cuda=None, driver=None)
    monkeypatch.setattr(run_config.ledger_facts, 'gpus', lambda: found)
    told = run_config.environment()
    assert told.items() >= dict(found, torch=version('torch'), host=platform.node()).items()
    assert told['device'] == (device or platform.processor() or platform.machine())


@pytest.fixture
def run(tmp_path):
    """Config of a run in a folder of its own, its identity and the facts of its tracking."""
    cfg = Config.fromfile(str(ROW))
    cfg.work_dir = str(tmp_path)
    identity, _ = run_config.identify(ROW, 3)
    facts = run_config.attach_tracking(cfg, identity, {'lr': 1}, dict(params=5), 'train')
    return cfg, identity, facts


def begin(run, **kwargs):
    return run_config.begin_attempt(*run, 'train', None, **kwargs)


def test_ledger_of_a_run_says_what_it_is(run, tmp_path):
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(b'weights')
    with begin(run, load_from=str(weights)) as attempt:
        found = read_run_file(tmp_path)
    cfg, identity, facts = run
    assert {
        name: found[name] for name in ('uid', 'config', 'seed', 'config_hash', 'job_type')
    } == dict(
        uid=identity.uid,
        config=identity.config,
        seed=3,
        config_hash=identity.config_hash,
        job_type='train',
    )
    assert found['overrides'] == {'lr': 1} and found['static']['params'] == 5
    assert 'multiply-adds' in found['static']['counter']
    assert found['env'] == facts['env'] and found['git'] == facts['git']
    assert found['recipe']['optim_wrapper'] == cfg.optim_wrapper.to_dict()
    assert next(iter(found['config_files'])) == f'configs/{identity.config}.py'
    assert 'mmaction_ext/modules/dcf.py' in found['sources']
    assert found['initial_checkpoint']['sha256'] == hashlib.sha256(b'weights').hexdigest()
    assert attempt.number == 1 and found['attempts'][0]['world_size'] == 1


@pytest.mark.parametrize(
    'visualizer, types',
    [
        (
            dict(type='ActionVisualizer', vis_backends=[dict(type='RunWandbBackend')]),
            ['RunWandbBackend', 'RunLedgerBackend'],
        ),
        (
            dict(type='ActionVisualizer', vis_backends=dict(type='LocalVisBackend')),
            ['LocalVisBackend', 'RunLedgerBackend'],
        ),
        (
            dict(
                type='ActionVisualizer', vis_backends=[dict(type='RunLedgerBackend', folder='old')]
            ),
            ['RunLedgerBackend'],
        ),
        (dict(type='ActionVisualizer'), ['RunLedgerBackend']),
        (None, ['LocalVisBackend', 'RunLedgerBackend']),
    ],
)
def test_rows_are_kept_whatever_the_config_logs_to(run, tmp_path, visualizer, types):
    run[0].visualizer = visualizer
    run_config.attach_tracking(run[0], run[1], {}, {}, 'train')
    with begin(run):
        backends = run[0].visualizer.vis_backends
    assert [backend.type for backend in backends] == types
    assert all('run' in each for each in backends if each.type == 'RunWandbBackend')
    assert backends[-1] == dict(type='RunLedgerBackend', folder=str(tmp_path), attempt=1)
    assert config_hash(run[0].to_dict()) == config_hash(dict(run[0].to_dict(), visualizer=None))


def test_only_the_first_process_keeps_a_ledger(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run_config, 'get_dist_info', lambda: (1, 2))
    before = run[0].to_dict()
    with begin(run) as attempt:
        assert attempt is None
    assert run[0].to_dict() == before and not list(tmp_path.iterdir())


def test_ledger_that_cannot_be_written_is_said(run, tmp_path):
    run[0].work_dir = str(tmp_path / 'gone')
    with pytest.raises(InputError, match=r'the ledger of .*/gone cannot be written: No such file'):
        begin(run)


def test_secrets_are_used_and_not_written_down(tmp_path, monkeypatch):
    cfg = Config.fromfile(str(ROW))
    cfg.work_dir = str(tmp_path)
    options = {
        'visualizer.vis_backends.0.init_kwargs.api_key': 'geheim',
        'test_dataloader.url': 'https://me:geheim@host/a',
    }
    cfg.merge_from_dict(options)
    identity, overrides = run_config.identify(ROW, 3, {'model.password': 'geheim'})
    monkeypatch.setattr('sys.argv', ['train.py', 'row.py', '--cfg-options', 'a.api_key=geheim'])
    before = os.umask(0o022)
    try:
        run_config.keep_private(None)
        (tmp_path / 'open').touch()
        run_config.keep_private(options)
        facts = run_config.attach_tracking(cfg, identity, overrides, {}, 'train')
        run_config.attach_predictions(cfg, identity, overrides)
        with run_config.begin_attempt(cfg, identity, facts, 'train', None):
            copy.deepcopy(cfg).dump(str(tmp_path / 'row.py'))
    finally:
        os.umask(before)
    assert sys.argv[1:] == ['row.py', '--cfg-options', 'a.api_key=***']
    assert cfg.test_dataloader.url == 'https://me:geheim@host/a'
    assert 'geheim' not in f'{facts} {cfg.custom_hooks} {copy.deepcopy(cfg).pretty_text}'
    assert oct((tmp_path / 'open').stat().st_mode)[-3:] == '644'
    for name in ('run.json', 'row.py'):
        assert oct((tmp_path / name).stat().st_mode)[-3:] == '600'
        text = (tmp_path / name).read_text()
        assert 'geheim' not in text and 'https://***@host/a' in text
    assert Config.fromfile(str(tmp_path / 'row.py')).model == cfg.model
