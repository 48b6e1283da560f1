"""mmengine's runner, made to go on in the middle of an epoch and to write whole checkpoints."""

import copy
import functools
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS, LOOPS
from mmengine.dist import is_distributed, master_only
from mmengine.hooks import CheckpointHook
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmaction_ext.engine.checkpoints import ResumableCheckpointHook
from mmaction_ext.engine.loops import LOOPS_OF
from mmaction_ext.engine.resumable_loader import ResumableLoader
from mmaction_ext.engine.training_state import KEY
from mmaction_ext.files.writing import replacing


class ResumableRunner(Runner):
    """mmengine's ``Runner`` with parts of ours in the places of mmengine's own.

    These are the loops, the loaders and the ``CheckpointHook``; those of anyone else stay. The
    config is not changed, nor is its hash.

    Attributes:
        training_state: that of the checkpoint which training goes on from, see
            :mod:`mmaction_ext.engine.training_state`.
    """

    training_state: dict[str, Any] | None = None

    @functools.cached_property
    def side_group(self) -> Any:
        """A group of all processes in which no GPU is waited for; ``None`` for a single one."""
        if not is_distributed():
            return None
        seconds = ((self.cfg.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout')
        return torch.distributed.new_group(
            backend='gloo', timeout=None if seconds is None else timedelta(seconds=seconds)
        )

    @staticmethod
    def build_dataloader(
        dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
        """A loader that can go on anywhere."""
        return ResumableLoader.adopt(Runner.build_dataloader(dataloader, seed, diff_rank_seed))

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """A loop that can."""
        if not isinstance(loop, dict):
            return super().build_train_loop(loop)
        settings = copy.deepcopy(dict(loop))
        if 'type' in settings:
            with DefaultScope.overwrite_default_scope('mmaction'):
                kind = settings['type']
                kind = LOOPS.get(kind) if isinstance(kind, str) else kind
        else:
            kind = EpochBasedTrainLoop if settings.pop('by_epoch') else IterBasedTrainLoop
        settings['type'] = LOOPS_OF.get(kind, kind)
        return super().build_train_loop(settings)

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        """Register a hook, or ours in its place."""
        if isinstance(hook, dict):
            kind = hook.get('type')
            if (HOOKS.get(kind) if isinstance(kind, str) else kind) is CheckpointHook:
                hook = dict(hook, type=ResumableCheckpointHook)
        super().register_hook(hook, priority)

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, file_client_args: Any = None, **options: Any
    ) -> None:
        """Write a checkpoint; a kill, or a full disk, leaves the file as it was."""
        if file_client_args or options.get('backend_args') or '://' in str(out_dir):
            super().save_checkpoint(out_dir, filename, file_client_args, **options)
            return
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        with replacing(Path(out_dir, filename)) as path:
            super().save_checkpoint(str(path.parent), path.name, **options)

    def load_checkpoint(self, filename: str, *args: Any, **options: Any) -> dict[str, Any]:
        """Load one, and keep the state that training goes on with."""
        checkpoint: dict[str, Any] = super().load_checkpoint(filename, *args, **options)
        self.training_state = checkpoint.get(KEY) if self._resume else None
        return checkpoint
