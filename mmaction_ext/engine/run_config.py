"""Turn a config file and the command line into the config of one run."""

import contextlib
import copy
import importlib
import os
import os.path as osp
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import torch
from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, get_dist_info, init_dist, is_distributed
from mmengine.hooks import CheckpointHook
from mmengine.utils.dl_utils import set_multi_processing

from mmaction_ext.engine.slurm_step import process_variables
from mmaction_ext.errors import InputError, check_positive, check_seed, last_line
from mmaction_ext.tracking.identity import (
    RunIdentity,
    config_hashes,
    config_name,
    in_fold,
    shared_fold,
    weights_source,
)
from mmaction_ext.tracking.writing.masking import mask, mask_arguments

Result = TypeVar('Result')
#: settings that only training needs
TRAINING = (
    'train_cfg',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'val_cfg',
    'val_dataloader',
    'val_evaluator',
)


def read_config(
    path: str | os.PathLike[str], overrides: dict[str, Any] | None = None, fold: str = ''
) -> Config:
    """Load a config, importing what its ``custom_imports`` names.

    Args:
        path: config file.
        overrides: ``--cfg-options``, dotted keys to values.
        fold: one of its folds; a config with folds that is read without keeps ``{fold}``.

    Raises:
        InputError: the file is missing, does not parse, or has no such fold.
    """
    if not osp.isfile(path):
        raise InputError(f'config {path} does not exist')
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
        import_modules(cfg.get('custom_imports') or {})
    except Exception as error:
        raise InputError(f'config {path} cannot be used: {last_line(error)}') from error
    if fold:
        cfg.update(in_fold(path, cfg.to_dict(), fold))
        cfg.pop('folds')
    override(cfg, overrides or {})
    return cfg


def import_modules(custom_imports: Mapping[str, Any]) -> None:
    """Import what a config's ``custom_imports`` names, as mmengine does.

    Modules are also found in the folder of the process, last of all: they shadow no other.

    Args:
        custom_imports: ``imports``, names, and ``allow_failed_imports``.

    Raises:
        InputError: one cannot be imported; the message says why.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    names = custom_imports.get('imports') or ()
    for name in [names] if isinstance(names, str) else names:
        try:
            importlib.import_module(name)
        except Exception as error:
            if not (custom_imports.get('allow_failed_imports') and isinstance(error, ImportError)):
                reason = last_line(error)
                if isinstance(error, ModuleNotFoundError):
                    reason += f'; modules of your own are looked for in {os.getcwd()}'
                raise InputError(f'custom_imports: {name} cannot be imported: {reason}') from error


def override(cfg: Config, options: dict[str, Any]) -> None:
    """Change settings of a config in place.

    Args:
        cfg: as it was read.
        options: ``--cfg-options``, dotted keys to values.

    Raises:
        InputError: they do not fit.
    """
    try:
        cfg.merge_from_dict(options)
    except Exception as error:
        raise InputError(f'config {cfg.filename} cannot be used: {last_line(error)}') from error


def drop_training(cfg: Config) -> None:
    """Leave nothing in a config that only training needs."""
    cfg.update(dict.fromkeys(TRAINING))


def choose_seed(cfg: Config, seed: int | None = None) -> int:
    """The seed asked for, else the config's, else 0; a run always has one."""
    if seed is None:
        seed = cfg.get('randomness', {}).get('seed')
    if seed is not None:
        check_seed(seed)
    return seed or 0


def identify(
    path: str | os.PathLike[str],
    config: dict[str, Any],
    seed: int,
    overrides: dict[str, Any] | None = None,
    fold: str = '',
) -> tuple[RunIdentity, dict[str, Any]]:
    """Identity of the run that a config describes under a seed.

    The hash is taken over what the file resolves to with ``overrides`` merged in, before this
    machine's number of processes changes anything, so every machine agrees on it.

    Args:
        path: the config file.
        config: what it resolves to, see :func:`mmaction_ext.tracking.identity.load_config`.
        seed: the seed.
        overrides: dotted keys to values.
        fold: the fold that it is in.

    Returns:
        The :class:`RunIdentity`, and those ``overrides`` that change the recipe (all or none:
        none where the hash stays that of the file, as for the number of loader processes).
    """
    known, effective = config_hashes(config), {}
    if overrides:
        changed = Config(copy.deepcopy(config))
        changed.merge_from_dict(overrides)
        hashes = config_hashes(changed.to_dict())
        if hashes[0] != known[0]:
            known, effective = hashes, dict(overrides)
    return RunIdentity(config_name(path, fold), seed, known[0], known[1:], fold), effective


def identify_weights(
    path: str | os.PathLike[str], config: dict[str, Any], seed: int, fold: str = ''
) -> tuple[str | os.PathLike[str], RunIdentity]:
    """Which run trains the weights that a config is tested with.

    Args:
        path: the config file.
        config: what it resolves to, see :func:`mmaction_ext.tracking.identity.load_config`.
        seed: the seed of both.
        fold: the fold of both; the weights may be those of a config without folds.

    Returns:
        Config file and :class:`RunIdentity` of that run: ``path`` itself, or the config that its
        ``weights_of`` names.
    """
    source = weights_source(path, config)
    if source is None:
        return path, identify(path, config, seed, fold=fold)[0]
    [(name, (digest, *aliases))] = config['weights_of_hashes'].items()
    return source, RunIdentity(name, seed, digest, tuple(aliases), *shared_fold(source, fold))


class LostContact(InputError):
    """The processes of a run do not hear each other; started again, it can go on.

    Each says so: it may be alone on its machine.
    """

    exit_code = os.EX_TEMPFAIL

    def exit(self, every_rank: bool = True) -> int:
        """As of any, on every process."""
        return super().exit(every_rank=True)


@contextlib.contextmanager
def in_contact() -> Iterator[None]:
    """Make one sentence of what breaks where processes talk to each other.

    Raises:
        LostContact: one waited for the others for longer than ``env_cfg.dist_cfg.timeout``, or
            they are gone.
    """
    try:
        yield
    except RuntimeError as error:  # gloo has no type of its own
        if not (isinstance(error, torch.distributed.DistError) or 'gloo' in str(error)):
            raise
        raise LostContact(
            f'contact with the other processes is lost ({last_line(error)}); start all of them '
            'again, with --resume to go on from the newest checkpoint'
        ) from error


@in_contact()
def join_processes(launcher: str, env_cfg: Mapping[str, Any]) -> tuple[int, int]:
    """Start ``torch.distributed`` before the runner does.

    The runner would do it too late to agree on who prepares the folder, and asks for CUDA
    whatever the backend; here processes without a GPU meet over gloo. What Slurm started meets as
    what torchrun did: mmengine would call ``scontrol``, which some compute nodes lack, and take a
    task for one that sees the GPUs of all (``--gpus-per-task``).

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        env_cfg: the config's ``env_cfg``; ``dist_cfg.timeout`` is how many seconds a process
            waits for the others before it takes them for lost.

    Returns:
        Rank and number of processes.

    Raises:
        InputError: ``launcher`` does not work without GPUs or here, the timeout is no positive
            number, or the processes do not find each other.
    """
    if launcher == 'none' or is_distributed():
        return get_dist_info()
    options = dict(env_cfg.get('dist_cfg') or {})
    if 'timeout' in options:
        check_positive('env_cfg.dist_cfg.timeout', options['timeout'])
    set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
    if launcher == 'slurm':
        # not before: until here each task tells what is wrong, as srun ends them with the first
        os.environ.update(process_variables(os.environ))
        if count := torch.cuda.device_count():
            os.environ['LOCAL_RANK'] = str(int(os.environ['LOCAL_RANK']) % count)
        launcher = 'pytorch'
    if torch.cuda.is_available():
        init_dist(launcher, **options)
    elif launcher == 'pytorch':
        seconds = options.get('timeout')
        torch.distributed.init_process_group(
            'gloo', timeout=None if seconds is None else timedelta(seconds=seconds)
        )
    else:
        raise InputError(f'--launcher {launcher} needs GPUs; without one use pytorch or slurm')
    return get_dist_info()


@in_contact()
def from_first_process(function: Callable[..., Result], *args: Any) -> Result:
    """Call a function on the first process once all have come this far; all get its result.

    What the first process just wrote is then complete, and no two processes can disagree.
    """
    barrier()
    results: list[Any] = [function(*args) if get_dist_info()[0] == 0 else None]
    broadcast_object_list(results)
    return results[0]


def adapt_to_processes(cfg: Config, world_size: int) -> None:
    """Split the recipe's global batch over the processes and let DDP run on the CPU.

    A config that states ``global_batch_size`` trains with that batch whatever the number of
    processes. One that does not keeps mmengine's meaning of ``batch_size``: per process.

    Raises:
        InputError: ``world_size`` does not divide ``global_batch_size``.
    """
    total = cfg.get('global_batch_size')
    if total is not None and cfg.get('train_dataloader'):
        if total < 1 or total % world_size:
            raise InputError(
                f'global_batch_size {total} of {cfg.filename} cannot be split '
                f'over {world_size} processes'
            )
        cfg.train_dataloader.batch_size = total // world_size
    if cfg.get('launcher', 'none') != 'none' and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = dict(
            type='CPUDistributedDataParallel',
            sync_bn=cfg.pop('sync_bn', None) is not None,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def use_amp(cfg: Config) -> None:
    """Train in float16 with loss scaling.

    Raises:
        InputError: there is no GPU, which mmengine's mixed precision needs, or the config has
            an optimizer wrapper of another kind.
    """
    wrapper = cfg.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise InputError(f'--amp does not work with the optimizer wrapper {wrapper.type}')
    if not torch.cuda.is_available():
        raise InputError('--amp needs a GPU, and there is none')
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')


def keep_best(cfg: Config, metric: str) -> None:
    """Have the checkpoint that is best by a metric of the validation stay beside the last ones.

    Args:
        cfg: the config; its recipe and hash stay what they are.
        metric: as validation names it, ``acc/top1``, or with ``val/`` before it.

    Raises:
        InputError: nothing is validated, or which values of the metric are good is not known.
    """
    if not (cfg.get('val_dataloader') and cfg.get('val_cfg')):
        raise InputError(f'--keep-best {metric}: {cfg.filename} is not validated')
    metric = metric.removeprefix('val/')
    hook = cfg.setdefault('default_hooks', {}).setdefault(
        'checkpoint', dict(type='CheckpointHook')
    )
    known = hook.get('save_best') or []
    names = [known] if isinstance(known, str) else list(known)
    if metric not in names and names != ['auto']:
        try:
            CheckpointHook(save_best=metric)
        except ValueError as error:
            raise InputError(f'--keep-best {metric}: {last_line(error)}') from error
        hook.save_best = [*names, metric] if names else metric


def scale_learning_rate(cfg: Config) -> None:
    """Have mmengine scale the learning rate with the batch of all processes.

    Raises:
        InputError: the config does not say for which batch its learning rate is meant.
    """
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise InputError(
            f'--auto-scale-lr: {cfg.filename} states no auto_scale_lr=dict(base_batch_size=N), '
            'the batch for which its learning rate is meant'
        )
    cfg.auto_scale_lr.enable = True


def log_final_checkpoint(cfg: Config) -> None:
    """Have W&B keep the checkpoint that is tested as an artifact."""
    for backend in wandb_backends(cfg):
        backend['log_artifact'] = True


class RecordedConfig(Config):
    """A config that is written into logs, copies and checkpoints without its secrets.

    Nor with what W&B is told of the run, which the ledger holds too: the recipe once more,
    digests, versions. To format these hundreds of lines takes yapf seconds.
    """

    @property
    def pretty_text(self) -> str:
        """As text, see :func:`mmaction_ext.tracking.writing.masking.mask`."""
        text = Config(mask(self.to_dict()))
        for backend in wandb_backends(text):
            backend.pop('config', None)
        return text.pretty_text


def keep_private(options: Mapping[str, Any]) -> None:
    """Let nobody else read what holds the command line, and mask its secrets there.

    Args:
        options: ``--cfg-options``; where there are none, nothing changes.
    """
    if options:
        os.umask(0o077)
        sys.argv[1:] = mask_arguments(sys.argv[1:])  # which W&B writes down


def wandb_backends(cfg: Config) -> list[dict[str, Any]]:
    """Configs of the W&B backends of a run's visualiser."""
    return [
        backend
        for backend in backends(cfg.get('visualizer') or {})
        if backend.get('type') == 'RunWandbBackend'
    ]


def backends(visualizer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Configs of a visualiser's backends, of which there may be one, several or none."""
    backends = visualizer.get('vis_backends') or []
    return [backends] if isinstance(backends, dict) else backends
