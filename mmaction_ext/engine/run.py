"""One run from its config file to its ledger: what training, testing and averaging do alike."""

import contextlib
import copy
import errno
import functools
import os
import os.path as osp
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, get_dist_info
from mmengine.runner import Runner
from torch import nn

from mmaction_ext.datasets.configs import data_lists
from mmaction_ext.engine import checks
from mmaction_ext.engine.divergence import PATIENCE
from mmaction_ext.engine.environment import environment, git_state
from mmaction_ext.engine.initial_weights import Fit, check_fit
from mmaction_ext.engine.interruption import Interruption, InterruptionHook
from mmaction_ext.engine.own_sources import own_sources
from mmaction_ext.engine.run_config import (
    RecordedConfig,
    adapt_to_processes,
    backends,
    choose_seed,
    from_first_process,
    identify,
    identify_weights,
    in_contact,
    join_processes,
    keep_private,
    override,
    read_config,
    wandb_backends,
)
from mmaction_ext.engine.runner import ResumableRunner
from mmaction_ext.engine.work_dir import (
    as_begun,
    check_resumable,
    claim_work_dir,
    claimed_uid,
    default_work_dir,
    newest_checkpoint,
)
from mmaction_ext.errors import InputError, Preempted
from mmaction_ext.evaluation.predictions import FILE_NAME
from mmaction_ext.files.locks import LockFile
from mmaction_ext.printable import clean
from mmaction_ext.tracking.identity import RunIdentity, check_fold, complete_config, unscoped
from mmaction_ext.tracking.ledger import facts as ledger_facts
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.hooks import record_progress
from mmaction_ext.tracking.writing.masking import mask


class Run:
    """A training, a test, or the average of an ensemble.

    Its config file is read here, once. What it needs comes step by step, in the order of the
    methods: each raises :class:`InputError` for what the user can mend, before any time is spent.

    Args:
        path: The config file.
        job_type: ``'train'`` or ``'test'``.
        options: ``--cfg-options``, dotted keys to values.
        fold: One of the folds that the config declares; none where it declares none.

    Attributes:
        path, job_type, options, fold: As given.
        cfg: The config of the run, which the steps make of the file.
        rank: This process's among those of the run.
        identity: Who the run is.
        overrides: Those options that change the recipe.
        predictions: Name of the file that a test's predictions are written to.
        model: The model on the meta device.
        complexity: Parameters and multiply-adds.
        ledger: What records the run; on other processes than the first a context that does
            nothing.
    """

    identity: RunIdentity
    overrides: dict[str, Any]
    model: nn.Module
    complexity: dict[str, Any]
    ledger: RunLedger | contextlib.nullcontext[None]

    def __init__(
        self,
        path: str,
        job_type: str,
        options: dict[str, Any] | None = None,
        fold: str | None = None,
    ) -> None:
        self.path, self.job_type, self.options = path, job_type, options or {}
        self.fold = fold or ''
        self.predictions = FILE_NAME
        self.cfg = read_config(path, fold=self.fold)
        self._file = unscoped(self.cfg.to_dict())
        check_fold(path, self._file, 'name one with --fold')
        override(self.cfg, self.options)
        self.rank, self._world_size = get_dist_info()
        self._lock: LockFile | None = None
        self._first_weights: str | None = None
        self._fits: list[Fit] = []

    @functools.cached_property
    def resolved(self) -> dict[str, Any]:
        """What the file says, as :func:`mmaction_ext.tracking.identity.load_config` gives it."""
        return complete_config(self.path, self._file, self.fold)

    def join(self, launcher: str) -> None:
        """Meet the other processes of the run, and fit the config to their number.

        Args:
            launcher: See :func:`join_processes`.
        """
        self.rank, self._world_size = join_processes(launcher, self.cfg.get('env_cfg', {}))
        self.cfg.launcher = launcher
        adapt_to_processes(self.cfg, self._world_size)

    def identify(self, seed: int | None, **recorded: Any) -> None:
        """Find out who the run is.

        Args:
            seed: See :func:`choose_seed`.
            recorded: What changes the recipe beside the options.
        """
        seed = choose_seed(self.cfg, seed)
        options = {**self.options, **recorded}
        self.identity, self.overrides = identify(
            self.path, self.resolved, seed, options, self.fold
        )

    def identify_weights(self, seed: int) -> tuple[str | os.PathLike[str], RunIdentity]:
        """Which run trains the weights that the config is tested with, see there."""
        return identify_weights(self.path, self.resolved, seed, self.fold)

    def settle(self, work_dir: str | None, below: str = '') -> None:
        """Choose the folder.

        A run that was begun there, or in the folder that this one lies below, goes on under its
        own name.

        Args:
            work_dir: The folder that the user chose, which is never moved.
            below: Subfolder of the run's own, where the user chose none.
        """
        home = default_work_dir(self.identity, self.overrides)
        self._is_movable = not work_dir
        self.cfg.work_dir = work_dir or (osp.join(home, below) if below else home)
        begun = [self.cfg.work_dir, home] if below else [self.cfg.work_dir]
        self.identity = from_first_process(as_begun, self.identity, *begun)

    def check(self, splits: Sequence[str]) -> None:
        """Find what is wrong before time is spent, and count parameters and multiply-adds.

        Args:
            splits: Those whose data are used: ``'train'``, ``'val'``, ``'test'``.
        """
        checks.check_output_folder(self.cfg.work_dir)
        self.model, self.complexity = checks.check_model(self.cfg)
        checks.check_types(self.cfg)
        checks.check_loaders(self.cfg, splits)
        checks.check_testing_views(self.cfg, splits)
        checks.check_evaluators(self.cfg, splits)
        checks.check_frames(self.cfg, self.model, splits)
        checks.check_datasets(self.cfg, splits)

    @in_contact()
    def claim(self, tested: str | None = None) -> None:
        """Mark the folder as the run's, see :func:`claim_work_dir`.

        Args:
            tested: Folder of the checkpoint that is tested.
        """
        if self.rank == 0:
            self._lock = claim_work_dir(
                self.cfg.work_dir, self.identity, self._is_movable, self.job_type, tested
            )
        barrier()

    def start_from(self, checkpoint: str | None) -> None:
        """Have training go on from a checkpoint, or see which weights it starts with.

        Args:
            checkpoint: The file, or ``'auto'`` for the newest readable one of the folder. Without
                one training starts from scratch.

        Raises:
            InputError: The newest one is of another run, or cannot be gone on from.
        """
        self._first_weights = self.cfg.get('load_from')
        if checkpoint == 'auto':
            checkpoint = self.newest_checkpoint()
            if checkpoint:
                from_first_process(check_resumable, checkpoint, self.identity)
        if checkpoint:
            self.cfg.load_from, self.cfg.resume = checkpoint, True
            return
        checks.check_initial_weights(self.cfg)
        self._fits = check_fit(self.cfg, self.model)
        for fit in self._fits if self.rank == 0 else ():
            print(clean(fit.sentence()))

    def newest_checkpoint(self) -> str | None:
        """The newest readable checkpoint of the folder; the same on all processes."""
        return from_first_process(newest_checkpoint, self.cfg.work_dir)

    def begin(self) -> None:
        """Enter an attempt into the ledger, and have rows of metrics written there and to W&B.

        From here on the config is written down without its secrets.
        """
        keep_private(self.options)
        facts = dict(
            identity=dict(self.identity.facts, overrides=mask(dict(self.overrides))),
            static=self.complexity,
            recipe=mask(copy.deepcopy(self.cfg.to_dict())),
            env=environment(),
            git=git_state(osp.dirname(osp.abspath(self.cfg.filename))),
            sources={**ledger_facts.source_digests(), **own_sources(self.cfg.to_dict())},
            data=data_lists(self.cfg),
        )
        object.__setattr__(self.cfg, '__class__', RecordedConfig)
        uid = claimed_uid(self.cfg.work_dir, self.identity)
        self.ledger = contextlib.nullcontext()
        if self.rank == 0:
            try:
                self.ledger = ledger = RunLedger(
                    self.cfg.work_dir,
                    self._record(uid, facts),
                    bool(self.cfg.get('resume')),
                    self._world_size,
                    self._lock,
                )
            except OSError as error:
                raise InputError(
                    f'the ledger of {self.cfg.work_dir} cannot be written: {error.strerror}'
                ) from error
            facts['sources'] = ledger.sources
            _log_to(self.cfg, ledger)
        for backend in wandb_backends(self.cfg):
            backend.update(
                run=dict(uid=uid, group=self.identity.group, name=self.identity.name),
                config=facts,
                job_type=self.job_type,
                tags=[self.identity.config.split('/')[0]],
            )

    def _record(self, uid: str, facts: dict[str, Any]) -> dict[str, Any]:
        """What ``run.json`` tells of the run beside its attempts."""
        return dict(
            uid=uid,
            **self.identity.facts,
            job_type=self.job_type,
            overrides=facts['identity']['overrides'],
            recipe=facts['recipe'],
            config_files=ledger_facts.config_digests(self.cfg.filename),
            static=dict(self.complexity, counter=ledger_facts.COUNTER),
            **{name: facts[name] for name in ('env', 'git', 'sources', 'data')},
            initial_checkpoint=ledger_facts.weights_file(self._first_weights),
            initial_weights=[fit.facts() for fit in self._fits],
        )

    @contextlib.contextmanager
    def under_way(self, advice: str) -> Iterator[None]:
        """Be at it: how that ends goes into the ledger.

        Args:
            advice: What to do where the disk is full.

        Raises:
            InputError: It is, or the other processes are lost.
        """
        try:
            with self.ledger, in_contact():
                yield
        except (Preempted, KeyboardInterrupt) as error:
            if getattr(error, 'is_agreed', False):
                barrier()  # once one process ends, whoever started them ends the first one too
            raise
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise InputError(f'the disk of {self.cfg.work_dir} is full; {advice}') from error

    def runner(self, patience: int = PATIENCE, interruption: Interruption | None = None) -> Runner:
        """mmengine's runner of the config, which the ledger follows.

        It stops where the loss stays non-finite; its tests leave their predictions in the folder,
        show them in W&B, and say how many scores are not finite.

        Args:
            patience: See :class:`mmaction_ext.engine.divergence.DivergenceHook`.
            interruption: Who may want training to stop, which then saves a checkpoint; others are
                saved as often as ``checkpoint_interval`` of the config says.
        """
        run = dict(self.identity.facts, overrides=mask(dict(self.overrides)))
        self.cfg.custom_hooks = [
            *(self.cfg.get('custom_hooks') or ()),
            dict(
                type='PredictionsHook', path=osp.join(self.cfg.work_dir, self.predictions), run=run
            ),
            dict(type='WandbResultsHook'),
            dict(type='DivergenceHook', patience=patience),
        ]
        runner = ResumableRunner.from_cfg(self.cfg)
        record_progress(runner, self.ledger)
        if interruption:
            runner.register_hook(
                InterruptionHook(interruption, self.cfg.get('checkpoint_interval'))
            )
        return runner


def _log_to(cfg: Config, ledger: RunLedger) -> None:
    """Add a :class:`RunLedgerBackend` to the backends of a config, whatever they are."""
    visualizer = cfg.get('visualizer') or dict(
        type='Visualizer', vis_backends=dict(type='LocalVisBackend')
    )
    ours = dict(type='RunLedgerBackend', folder=cfg.work_dir, attempt=ledger.number)
    others = [each for each in backends(visualizer) if each.get('type') != ours['type']]
    cfg.visualizer = dict(visualizer, vis_backends=[*others, ours])
