"""Turn a config file and the command line into the config of one run."""

import copy
import json
import os
import os.path as osp
import pickle
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import Config

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import RunIdentity, config_hash, config_name, load_config


def read_config(path, overrides: dict = None) -> Config:
    """Load a config, importing what its ``custom_imports`` names.

    Args:
        path: config file.
        overrides: ``--cfg-options``, dotted keys to values.

    Raises:
        InputError: the file is missing or does not parse.
    """
    if not osp.isfile(path):
        raise InputError(f'config {path} does not exist')
    try:
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(overrides or {})
    except Exception as error:
        raise InputError(f'config {path} cannot be used: {_one_line(error)}') from error
    return cfg


def choose_seed(cfg: Config, seed: int = None) -> int:
    """The seed asked for, else the config's, else 0; a run always has one."""
    if seed is None:
        seed = cfg.get('randomness', {}).get('seed')
    return seed or 0


def identify(path, seed: int, overrides: dict = None) -> tuple:
    """Identity of the run that ``path`` describes under ``seed``.

    The hash is taken over what the file resolves to with ``overrides`` merged in, before this
    machine's number of processes changes anything, so every machine agrees on it.

    Returns:
        The :class:`RunIdentity`, and those ``overrides`` that change the recipe (all or none:
        none where the hash stays that of the file, as for the number of loader processes).
    """
    plain = load_config(path)
    changed = Config(copy.deepcopy(plain))
    changed.merge_from_dict(overrides or {})
    digest = config_hash(changed.to_dict())
    effective = {} if digest == config_hash(plain) else dict(overrides)
    return RunIdentity(config_name(path), seed, digest), effective


def default_work_dir(identity: RunIdentity, overrides: dict) -> str:
    """Folder of the run; one whose recipe was overridden gets a folder of its own."""
    suffix = f'-{identity.config_hash[:8]}' if overrides else ''
    return identity.work_dir() + suffix


def claim_work_dir(work_dir, identity: RunIdentity) -> None:
    """Mark a folder as this run's; what another version of the config left is moved aside.

    The folder's ``run.json`` names the identity. Where it names another one, the folder is
    renamed to ``<folder>.<old hash>``: its checkpoints must not be resumed from, and nothing
    that was computed is lost.
    """
    work_dir = Path(work_dir)
    record = work_dir / 'run.json'
    facts = asdict(identity)
    found = _read_record(record) if record.exists() else facts
    if found != facts:
        aside = _free_name(f'{work_dir}.{found.get("config_hash", "unknown")}')
        print(f'{work_dir} holds a run of another version of {identity.config}; '
              f'it is kept as {aside}')
        os.rename(work_dir, aside)
        work_dir.mkdir()
    temporary = record.with_suffix('.tmp')
    temporary.write_text(json.dumps(facts, indent=1) + '\n')
    os.replace(temporary, record)


def init_process_group(launcher: str) -> None:
    """Start ``torch.distributed`` for the CPU; mmengine does so itself on GPUs.

    Call it before the runner is made: mmengine asks for CUDA whatever the backend.
    """
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise InputError(f'--launcher {launcher} needs GPUs; on the CPU use pytorch (torchrun)')
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def adapt_to_processes(cfg: Config, world_size: int) -> None:
    """Split the recipe's global batch over the processes and let DDP run on the CPU.

    A config that states ``global_batch_size`` trains with that batch whatever the number of
    processes. One that does not keeps mmengine's meaning of ``batch_size``: per process.

    Raises:
        InputError: ``world_size`` does not divide ``global_batch_size``.
    """
    total = cfg.get('global_batch_size')
    if total is not None:
        if total % world_size:
            raise InputError(f'global_batch_size {total} of {cfg.filename} cannot be split '
                             f'over {world_size} processes')
        cfg.train_dataloader.batch_size = total // world_size
    if world_size > 1 and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False))


def use_amp(cfg: Config) -> None:
    """Train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on the CPU."""
    wrapper = cfg.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise InputError(f'--amp does not work with the optimizer wrapper {wrapper.type}')
    wrapper.type = 'AmpOptimWrapper'
    if torch.cuda.is_available():
        wrapper.setdefault('loss_scale', 'dynamic')
    else:
        wrapper.setdefault('dtype', 'bfloat16')


def attach_tracking(cfg: Config, identity: RunIdentity, overrides: dict, static: dict,
                    job_type: str) -> None:
    """Give the config's :class:`RunWandbBackend` the identity and facts of this run.

    Args:
        cfg: config whose ``visualizer.vis_backends`` is changed in place.
        identity: who the run is.
        overrides: ``--cfg-options`` that change the recipe.
        static: parameters and multiply-adds.
        job_type: ``'train'`` or ``'test'``.
    """
    facts = dict(
        identity=dict(config=identity.config, seed=identity.seed,
                      config_hash=identity.config_hash, overrides=dict(overrides or {})),
        static=static,
        recipe=copy.deepcopy(cfg.to_dict()),
        env=environment(),
        git=git_state(osp.dirname(osp.abspath(cfg.filename))))
    for backend in cfg.get('visualizer', {}).get('vis_backends', []):
        if backend.get('type') == 'RunWandbBackend':
            backend.update(run=dict(uid=identity.uid, group=identity.group, name=identity.name),
                           config=facts, job_type=job_type,
                           tags=[identity.config.split('/')[0]])


def environment() -> dict:
    """Versions of what the numbers depend on, and the device they ran on."""
    from importlib.metadata import version
    names = ('torch', 'torchvision', 'timm', 'mmengine', 'mmaction2', 'numpy', 'decord')
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    return dict({name: version(name) for name in names}, python=platform.python_version(),
                device=device or platform.machine(), host=platform.node())


def git_state(folder: str) -> dict:
    """Commit of the checkout that holds ``folder``, and whether it is modified.

    Returns:
        ``{'commit': str, 'dirty': bool}``, empty outside a git checkout or without git.
    """
    def git(*args):
        return subprocess.run(('git', '-C', folder) + args, check=True, text=True,
                              capture_output=True).stdout.strip()

    try:
        return dict(commit=git('rev-parse', 'HEAD'),
                    dirty=bool(git('status', '--porcelain', '--untracked-files=no')))
    except (OSError, subprocess.CalledProcessError):
        return {}


def _read_record(path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError:
        return {}


def _free_name(path: str) -> str:
    names = [path] + [f'{path}.{number}' for number in range(2, 1000)]
    return next(name for name in names if not osp.exists(name))


def newest_checkpoint(work_dir):
    """The newest ``epoch_*.pth`` of a run that can be read back, or ``None``.

    A kill in the middle of saving leaves a broken file behind; it is passed over.

    Raises:
        InputError: a file is whole but holds objects that are not safe to load.
    """
    files = sorted(Path(work_dir).glob('epoch_*.pth'),
                   key=lambda file: int(file.stem.rpartition('_')[2]), reverse=True)
    return next((str(file) for file in files if _loads(file)), None)


def checkpoint_meta(path) -> dict:
    """The ``meta`` entry of a checkpoint (epoch, iter, seed, ...); empty where it has none.

    Raises:
        InputError: the file is missing, damaged, or holds more than weights and plain data.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True).get('meta', {})
    except Exception as error:
        raise InputError(f'checkpoint {path} cannot be read: {_one_line(error)}') from error


def load_for_test(runner, checkpoint) -> None:
    """Load a checkpoint's weights and record which file the test is about to measure.

    Raises:
        InputError: there is no checkpoint, or it does not fit the model.
    """
    if checkpoint is None:
        raise InputError(f'{runner.work_dir} holds no readable checkpoint to test')
    meta = checkpoint_meta(checkpoint)
    try:
        runner.load_checkpoint(checkpoint, strict=True)
    except RuntimeError as error:
        raise InputError(f'checkpoint {checkpoint} does not fit the model: {error}') from error
    for key in ('iter', 'epoch'):
        runner.message_hub.update_info(key, meta.get(key, 0))
    runner.message_hub.update_info('test_checkpoint', str(checkpoint))


def _loads(file) -> bool:
    try:
        torch.load(file, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if 'Unsupported global' in str(error):
            raise InputError(f'checkpoint {file} holds more than weights and plain data: '
                             f'{_one_line(error)}') from error
        return _pass_over(file)
    except Exception:
        return _pass_over(file)
    return True


def _pass_over(file) -> bool:
    print(f'{file} is damaged and is passed over')
    return False


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
