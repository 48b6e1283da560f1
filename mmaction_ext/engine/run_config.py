"""Turn a config file and the command line into the config of one run."""

import contextlib
import copy
import hashlib
import os
import os.path as osp
import platform
import subprocess
import sys

import torch
from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, get_dist_info, init_dist, is_distributed
from mmengine.utils.dl_utils import set_multi_processing

from mmaction_ext.datasets.configs import data_lists
from mmaction_ext.engine.divergence import PATIENCE
from mmaction_ext.engine.work_dir import claimed_uid
from mmaction_ext.errors import InputError, last_line
from mmaction_ext.evaluation.predictions import FILE_NAME
from mmaction_ext.tracking.identity import (
    RunIdentity,
    config_hashes,
    config_name,
    load_config,
    weights_source,
)
from mmaction_ext.tracking.ledger import facts as ledger_facts
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.masking import mask, mask_arguments


def read_config(path, overrides: dict | None = None) -> Config:
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
        raise InputError(f'config {path} cannot be used: {last_line(error)}') from error
    return cfg


def choose_seed(cfg: Config, seed: int | None = None) -> int:
    """The seed asked for, else the config's, else 0; a run always has one."""
    if seed is None:
        seed = cfg.get('randomness', {}).get('seed')
    if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise InputError(
            f'the seed must be a whole number between 0 and 2**32 - 1, got {str(seed)[:80]!r}'
        )
    return seed or 0


def identify(path, seed: int, overrides: dict | None = None) -> tuple:
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
    known, hashes, effective = config_hashes(plain), config_hashes(changed.to_dict()), overrides
    if hashes[0] == known[0]:
        hashes, effective = known, {}
    return RunIdentity(config_name(path), seed, hashes[0], hashes[1:]), dict(effective)


def identify_weights(path, seed: int) -> tuple:
    """Which run trains the weights that a config is tested with.

    Returns:
        Config file and :class:`RunIdentity` of that run: ``path`` itself, or the config that its
        ``weights_of`` names.
    """
    source = weights_source(path, load_config(path)) or path
    return source, identify(source, seed)[0]


def join_processes(launcher: str, env_cfg: dict) -> tuple:
    """Start ``torch.distributed`` before the runner does.

    The runner would do it too late to agree on who prepares the folder, and asks for CUDA
    whatever the backend; here processes without a GPU meet over gloo.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        env_cfg: the config's ``env_cfg``.

    Returns:
        Rank and number of processes.

    Raises:
        InputError: ``launcher`` does not work without GPUs.
    """
    if launcher != 'none' and not is_distributed():
        set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
        if torch.cuda.is_available():
            init_dist(launcher, **env_cfg.get('dist_cfg', {}))
        elif launcher == 'pytorch':
            torch.distributed.init_process_group('gloo')
        else:
            raise InputError(f'--launcher {launcher} needs GPUs; without one use pytorch')
    return get_dist_info()


def from_first_process(function, *args):
    """Call a function on the first process once all have come this far; all get its result.

    What the first process just wrote is then complete, and no two processes can disagree.
    """
    barrier()
    results = [function(*args) if get_dist_info()[0] == 0 else None]
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


def log_final_checkpoint(cfg: Config) -> None:
    """Have W&B keep the checkpoint that is tested as an artifact."""
    for backend in _wandb_backends(cfg):
        backend['log_artifact'] = True


class RecordedConfig(Config):
    """A config that is written into logs, copies and checkpoints without its secrets."""

    @property
    def pretty_text(self) -> str:
        """As text, see :func:`mmaction_ext.tracking.writing.masking.mask`."""
        return Config(mask(self.to_dict())).pretty_text


def keep_private(options: dict | None) -> None:
    """Let nobody else read what holds the command line, and mask its secrets there.

    Args:
        options: ``--cfg-options``; without any, nothing changes.
    """
    if options:
        os.umask(0o077)
        sys.argv[1:] = mask_arguments(sys.argv[1:])  # which W&B writes down


def attach_tracking(
    cfg: Config, identity: RunIdentity, overrides: dict, static: dict, job_type: str
) -> dict:
    """Give the config's :class:`RunWandbBackend` the identity and facts of this run.

    Args:
        cfg: config whose ``visualizer.vis_backends`` is changed in place, and whose
            ``work_dir`` was claimed.
        identity: who the run is.
        overrides: ``--cfg-options`` that change the recipe.
        static: parameters and multiply-adds.
        job_type: ``'train'`` or ``'test'``.

    Returns:
        The facts: ``identity``, ``static``, ``recipe``, ``env`` and ``git``, without secrets. The
        config itself becomes a :class:`RecordedConfig`.
    """
    facts = dict(
        identity=dict(
            config=identity.config,
            seed=identity.seed,
            config_hash=identity.config_hash,
            overrides=mask(dict(overrides or {})),
        ),
        static=static,
        recipe=mask(copy.deepcopy(cfg.to_dict())),
        env=environment(),
        git=git_state(osp.dirname(osp.abspath(cfg.filename))),
    )
    object.__setattr__(cfg, '__class__', RecordedConfig)
    for backend in _wandb_backends(cfg):
        uid = claimed_uid(cfg.work_dir, identity)
        backend.update(
            run=dict(uid=uid, group=identity.group, name=identity.name),
            config=facts,
            job_type=job_type,
            tags=[identity.config.split('/')[0]],
        )
    return facts


def begin_attempt(
    cfg: Config,
    identity: RunIdentity,
    facts: dict,
    job_type: str,
    lock,
    load_from: str | None = None,
    fits=(),
):
    """Enter an attempt into the ledger of a run, and have its rows of metrics written there.

    Args:
        cfg: config of the run, whose ``visualizer.vis_backends`` is changed in place.
        identity: who the run is.
        facts: what :func:`attach_tracking` found.
        job_type: ``'train'`` or ``'test'``.
        lock: what :func:`mmaction_ext.engine.work_dir.claim_work_dir` returned.
        load_from: file with the weights that training starts from.
        fits: what :func:`mmaction_ext.engine.initial_weights.check_fit` found.

    Returns:
        The :class:`RunLedger`, to be entered with ``with``; on other processes than the first a
        context that does nothing.

    Raises:
        InputError: the ledger cannot be written.
    """
    rank, world_size = get_dist_info()
    if rank != 0:
        return contextlib.nullcontext()
    try:
        told = _ledger_facts(cfg, identity, facts, job_type, load_from, fits)
        attempt = RunLedger(cfg.work_dir, told, bool(cfg.get('resume')), world_size, lock)
    except OSError as error:
        raise InputError(
            f'the ledger of {cfg.work_dir} cannot be written: {error.strerror}'
        ) from error
    _attach_ledger(cfg, attempt)
    return attempt


def _ledger_facts(cfg, identity, facts, job_type, load_from, fits) -> dict:
    """What ``run.json`` tells of a run beside its attempts."""
    return dict(
        uid=claimed_uid(cfg.work_dir, identity),
        **identity.facts,
        job_type=job_type,
        overrides=facts['identity']['overrides'],
        recipe=facts['recipe'],
        config_files=ledger_facts.config_digests(cfg.filename),
        static=dict(facts['static'], counter=ledger_facts.COUNTER),
        env=facts['env'],
        git=facts['git'],
        sources=ledger_facts.source_digests(),
        data=data_lists(cfg),
        initial_checkpoint=ledger_facts.weights_file(load_from),
        initial_weights=[fit.facts() for fit in fits],
    )


def _attach_ledger(cfg, attempt) -> None:
    """Add a :class:`RunLedgerBackend` to the backends of the config, whatever they are."""
    visualizer = cfg.get('visualizer') or dict(
        type='Visualizer', vis_backends=dict(type='LocalVisBackend')
    )
    ours = dict(type='RunLedgerBackend', folder=cfg.work_dir, attempt=attempt.number)
    others = [each for each in _backends(visualizer) if each.get('type') != ours['type']]
    cfg.visualizer = dict(visualizer, vis_backends=[*others, ours])


def _wandb_backends(cfg) -> list:
    return [
        backend
        for backend in _backends(cfg.get('visualizer') or {})
        if backend.get('type') == 'RunWandbBackend'
    ]


def _backends(visualizer: dict) -> list:
    """Configs of a visualiser's backends, of which there may be one, several or none."""
    backends = visualizer.get('vis_backends') or []
    return [backends] if isinstance(backends, dict) else backends


def watch_divergence(cfg: Config, patience: int = PATIENCE) -> None:
    """Stop training whose loss stays non-finite, and have tests say that scores are.

    Args:
        cfg: config whose ``custom_hooks`` is changed in place.
        patience: see :class:`mmaction_ext.engine.divergence.DivergenceHook`.
    """
    hook = dict(type='DivergenceHook', patience=patience)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), hook]


def attach_predictions(cfg: Config, identity: RunIdentity, overrides: dict) -> None:
    """Have the test of a run write its predictions into ``cfg.work_dir`` and show them in W&B.

    Args:
        cfg: config whose ``custom_hooks`` is changed in place.
        identity: who the run is.
        overrides: settings that differ from the file's.
    """
    run = dict(identity.facts, overrides=mask(dict(overrides or {})))
    hook = dict(type='PredictionsHook', path=osp.join(cfg.work_dir, FILE_NAME), run=run)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), hook, dict(type='WandbResultsHook')]


def environment() -> dict:
    """Versions of what the numbers depend on, and the devices they ran on.

    Returns:
        Version by package, ``python``, ``host``, and what
        :func:`mmaction_ext.tracking.ledger.facts.gpus` says; ``device`` is the first GPU or,
        without one, the processor.
    """
    from importlib.metadata import version

    names = ('torch', 'torchvision', 'timm', 'mmengine', 'mmaction2', 'numpy', 'av')
    gpus = ledger_facts.gpus()
    device = next(iter(gpus['gpus']), None) or platform.processor() or platform.machine()
    return dict(
        {name: version(name) for name in names},
        python=platform.python_version(),
        device=device,
        host=platform.node(),
        **gpus,
    )


def git_state(folder: str) -> dict:
    """Commit of the checkout that holds ``folder``, and whether and how it is modified.

    Returns:
        ``{'commit': str, 'dirty': bool, 'diff_sha256': str | None}``, the last the digest of
        ``git diff HEAD`` where that says anything; empty outside a git checkout or without git.
    """

    def git(*args):
        return subprocess.run(('git', '-C', folder) + args, check=True, capture_output=True).stdout

    try:
        diff = git('diff', '--no-ext-diff', '--no-color', 'HEAD')
        return dict(
            commit=git('rev-parse', 'HEAD').decode().strip(),
            dirty=bool(git('status', '--porcelain', '--untracked-files=no')),
            diff_sha256=hashlib.sha256(diff).hexdigest() if diff else None,
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
