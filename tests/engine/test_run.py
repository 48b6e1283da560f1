"""A run from its config file to its ledger, short of the runner."""

import contextlib
import copy
import errno
import hashlib
import importlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmaction_ext.engine import checks, initial_weights
from mmaction_ext.engine.run import Run
from mmaction_ext.engine.run_config import wandb_backends
from mmaction_ext.errors import InputError
from mmaction_ext.models.building import build_model
from mmaction_ext.tracking.identity import config_hash, load_config
from mmaction_ext.tracking.writing.attempts import read_run_file

ROW = Path(__file__).parents[2] / 'configs/synthmotion/dcf/table1_components/full.py'


@pytest.fixture
def run(tmp_path):
    """A run in a folder of its own that is about to begin."""
    run = Run(str(ROW), 'train')
    run.identify(3)
    run.overrides, run.complexity = {'lr': 1}, dict(params=5)
    run.settle(str(tmp_path))
    return run


def test_ledger_says_what_the_run_is(run, tmp_path, monkeypatch):
    (tmp_path / 'own_hook.py').write_text('class OwnHook:\n    pass\n')
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module('own_hook')
    run.cfg.custom_hooks.append(dict(type='own_hook.OwnHook'))
    weights = tmp_path / 'weights.pth'
    torch.save(build_model(run.cfg.model).state_dict(), weights)
    run.cfg.load_from = str(weights)
    run.check([])
    run.start_from(None)
    run.begin()
    with run.under_way(''):
        found = read_run_file(tmp_path)
    names = ('uid', 'config', 'seed', 'config_hash', 'job_type')
    assert {name: found[name] for name in names} == dict(
        uid=run.identity.uid,
        config=run.identity.config,
        seed=3,
        config_hash=run.identity.config_hash,
        job_type='train',
    )
    assert found['overrides'] == {'lr': 1} and 3e5 < found['static']['params'] < 4e5
    assert 'multiply-adds' in found['static']['counter']
    assert found['env']['torch'] == version('torch') and 'commit' in found['git']
    assert found['recipe']['optim_wrapper'] == run.cfg.optim_wrapper.to_dict()
    assert next(iter(found['config_files'])) == f'configs/{run.identity.config}.py'
    assert {'mmaction_ext/modules/dcf.py', 'own_hook.py'} <= found['sources'].keys()
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found['initial_checkpoint'] == dict(path=str(weights), sha256=digest)
    [fit] = found['initial_weights']
    assert (fit['part'], fit['sha256']) == ('model', digest)
    assert fit['filled'] == fit['total'] > 50
    assert run.ledger.number == 1 and found['attempts'][0]['world_size'] == 1


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
    run.cfg.visualizer = visualizer
    run.begin()
    with run.under_way(''):
        backends = run.cfg.visualizer.vis_backends
    assert [backend.type for backend in backends] == types
    assert all('run' in each for each in backends if each.type == 'RunWandbBackend')
    assert backends[-1] == dict(type='RunLedgerBackend', folder=str(tmp_path), attempt=1)
    assert config_hash(run.cfg.to_dict()) == config_hash(dict(run.cfg.to_dict(), visualizer=None))


def test_only_the_first_process_keeps_a_ledger(run, tmp_path):
    run.cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    run.rank, before = 1, run.cfg.to_dict()
    run.claim()
    run.begin()
    with run.under_way(''):
        assert run.cfg.to_dict() == before and not list(tmp_path.iterdir())


def test_ledger_that_cannot_be_written_is_said(run, tmp_path):
    run.cfg.work_dir = str(tmp_path / 'gone')
    with pytest.raises(InputError, match=r'the ledger of .*/gone cannot be written: No such file'):
        run.begin()


def test_full_disk_is_named_and_other_errors_are_not(run):
    run.ledger = contextlib.nullcontext()
    message = f'the disk of {run.cfg.work_dir} is full; free some'
    with pytest.raises(InputError, match=message), run.under_way('free some'):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(OSError, match='broken'), run.under_way('free some'):
        raise OSError(errno.EIO, 'broken')


def test_secrets_are_used_and_not_written_down(tmp_path, monkeypatch):
    options = {
        'visualizer.vis_backends.0.init_kwargs.api_key': 'geheim',
        'test_dataloader.url': 'https://me:geheim@host/a',
        'model.password': 'geheim',
    }
    run = Run(str(ROW), 'train', options)
    run.identify(3)
    run.complexity = {}
    run.settle(str(tmp_path))
    monkeypatch.setattr('sys.argv', ['train.py', 'row.py', '--cfg-options', 'a.api_key=geheim'])
    before = os.umask(0o022)
    try:
        (tmp_path / 'open').touch()
        run.begin()
        with run.under_way(''):
            copy.deepcopy(run.cfg).dump(str(tmp_path / 'row.py'))
    finally:
        os.umask(before)
    assert sys.argv[1:] == ['row.py', '--cfg-options', 'a.api_key=***']
    assert run.cfg.test_dataloader.url == 'https://me:geheim@host/a'
    text = copy.deepcopy(run.cfg).pretty_text
    assert 'geheim' not in text and 'mmaction_ext/engine/run.py' not in text
    (backend,) = wandb_backends(run.cfg)
    assert 'mmaction_ext/engine/run.py' in backend['config']['sources']
    assert oct((tmp_path / 'open').stat().st_mode)[-3:] == '644'
    for name in ('run.json', 'row.py'):
        assert oct((tmp_path / name).stat().st_mode)[-3:] == '600'
        text = (tmp_path / name).read_text()
        assert 'geheim' not in text and 'https://***@host/a' in text
    assert Config.fromfile(str(tmp_path / 'row.py')).model.backbone == run.cfg.model.backbone


def test_hooks_of_a_run_are_told_no_secrets(run, monkeypatch):
    monkeypatch.setattr('mmaction_ext.engine.run.Runner.from_cfg', lambda cfg: cfg)
    run.overrides = {'model.password': 'geheim'}
    run.ledger = None
    hooks = run.runner(patience=7).custom_hooks[-3:]
    assert [hook.type for hook in hooks] == [
        'PredictionsHook',
        'WandbResultsHook',
        'DivergenceHook',
    ]
    assert hooks[0].run == dict(run.identity.facts, overrides={'model.password': '***'})
    assert hooks[0].path == f'{run.cfg.work_dir}/predictions.npz' and hooks[2].patience == 7


def test_file_is_read_and_the_model_of_all_checks_built_once(tmp_path, monkeypatch):
    read, built, parse = [], [], Config.fromfile

    def count_reads(path, *args, **options):
        read.append(str(path))
        return parse(path, *args, **options)

    def count_models(config, device='cpu', **options):
        built.append(device)
        return build_model(config, device, **options)

    monkeypatch.setattr(Config, 'fromfile', count_reads)
    for module in (checks, initial_weights):
        monkeypatch.setattr(module, 'build_model', count_models)
    run = Run(str(ROW), 'train', {'train_cfg.max_epochs': 1})
    run.identify(None)
    assert run.identify_weights(0)[0] == str(ROW)
    run.settle(str(tmp_path))
    run.check([])
    run.claim()
    run.start_from('auto')
    run.begin()
    with run.under_way(''):
        pass
    assert (read, built) == ([str(ROW)], ['meta'])


def test_test_sets_that_are_folds_have_the_weights_of_one_run(tmp_path):
    (tmp_path / 'configs').mkdir()
    source, path = (tmp_path / f'configs/{name}.py' for name in ('a', 'b'))
    source.write_text('lr = 1\n')
    path.write_text("_base_ = 'a.py'\nweights_of = 'a.py'\nfolds = (1, 2)\nlist = '{fold}'\n")
    trained = Run(str(source), 'train')
    trained.identify(3)
    for fold in ('1', '2'):
        tested = Run(str(path), 'test', fold=fold)
        assert tested.identify_weights(3) == (source, trained.identity)
        assert tested.identify_weights(3)[1].fold == ''


def test_weights_of_another_config_are_those_of_its_run(tmp_path):
    (tmp_path / 'configs').mkdir()
    source, path = (tmp_path / f'configs/{name}.py' for name in ('a', 'b'))
    source.write_text('lr = 1\n')
    path.write_text("_base_ = 'a.py'\nweights_of = 'a.py'\nlr = 2\n")
    trained, tested = Run(str(source), 'train'), Run(str(path), 'test')
    trained.identify(3)
    assert tested.identify_weights(3) == (source, trained.identity)
    assert tested.identify_weights(3)[1].hashes == trained.identity.hashes
    tested.identify(3)
    assert tested.identity.config_hash != trained.identity.config_hash


@pytest.fixture
def folded(tmp_path):
    path = tmp_path / 'configs/own/row.py'
    path.parent.mkdir(parents=True)
    path.write_text(
        f"_base_ = ['{ROW}']\nfolds = (1, 2)\n"
        "test_dataloader = dict(dataset=dict(ann_file='test_{fold}.txt'))\n"
    )
    return path


def test_a_run_of_a_fold_is_that_of_its_own_config(folded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(str(folded), 'train', {'model.cls_head.dropout_ratio': 0.1}, '2')
    run.identify(1)
    run.settle(None)
    assert run.cfg.test_dataloader.dataset.ann_file == 'test_2.txt' and 'folds' not in run.cfg
    assert run.overrides == {'model.cls_head.dropout_ratio': 0.1}
    run = Run(str(folded), 'train', fold='2')
    run.identify(1)
    run.settle(None)
    assert run.cfg.work_dir == 'work_dirs/own/row_fold2/seed1'
    assert run.identity.config_hash == config_hash(load_config(folded, '2'))
    run.check([])
    run.start_from(None)
    run.begin()
    with run.under_way(''):
        found = read_run_file(run.cfg.work_dir)
    assert (found['config'], found['fold'], found['seed']) == ('own/row_fold2', '2', 1)


@pytest.mark.parametrize(
    'fold, message',
    [
        (None, r'row.py has the folds 1, 2: name one with --fold'),
        ('3', r'row.py has the folds 1, 2, but no fold 3'),
    ],
)
def test_a_run_needs_one_of_the_folds(folded, fold, message):
    with pytest.raises(InputError, match=message):
        Run(str(folded), 'train', fold=fold)
    with pytest.raises(InputError, match=r'full.py has no folds, and so no fold 1'):
        Run(str(ROW), 'train', fold='1')
