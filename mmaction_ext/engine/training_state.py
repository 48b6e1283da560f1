"""The state of a training between two steps, beside what mmengine keeps in a checkpoint.

That is, of every process: where its random generators and those of its loader processes stand,
what hooks count, the statistics of its batches, and gradients that wait for others to be added;
and of all: how far the epoch is, and whether the validation at its end has been made.
"""

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import EarlyStoppingHook, SyncBuffersHook
from mmengine.model import is_model_wrapper
from torch import nn

from mmaction_ext.datasets.seeding import derive_seed, seeds_samples
from mmaction_ext.engine.divergence import DivergenceHook
from mmaction_ext.engine.random_states import as_tensors, random_state, restore_random_state
from mmaction_ext.engine.resumable_loader import ResumableLoader
from mmaction_ext.tracking.writing.hooks import RunLoggerHook

#: key of a checkpoint
KEY = 'training_state'
#: what hooks keep between iterations; where it is a count, it is that of the process
_KEPT: tuple[tuple[type, str, bool], ...] = (
    (RunLoggerHook, '_replaced', True),
    (DivergenceHook, '_losses', False),
    (EarlyStoppingHook, 'wait_count', False),
    (EarlyStoppingHook, 'best_score', False),
    (SyncBuffersHook, 'called_in_train', False),
)


def gather_state(runner: Any, iteration: int) -> dict[str, Any] | None:
    """The state of all processes; each of them calls it.

    Args:
        runner: the runner of the training.
        iteration: number of iterations that are done.

    Returns:
        What goes into the checkpoint, on the first process.
    """
    loop, (rank, size) = runner.train_loop, get_dist_info()
    own: dict[str, Any] = dict(
        random=as_tensors(random_state(cuda=True)),
        loaders={name: loader.state() for name, loader in _loaders(runner).items()},
        hooks=[[name, kept, getattr(hook, kept)] for hook, name, kept, _ in _kept(runner)],
        gradients={
            name: parameter.grad.cpu()
            for name, parameter in _model(runner).named_parameters()
            if parameter.grad is not None
        },
        buffers={name: each.cpu() for name, each in _model(runner).named_buffers() if size > 1},
    )
    ranks: list[Any] = [own]
    if size > 1:
        ranks = [None] * size
        torch.distributed.gather_object(own, ranks if rank == 0 else None, group=runner.side_group)
    if rank:
        return None
    for other in ranks[1:]:
        other['buffers'] = {
            name: each
            for name, each in other['buffers'].items()
            if not torch.equal(each, own['buffers'][name])
        }
    own['buffers'] = {}
    return dict(
        position=loop.position(iteration),
        batch=_batch(loop.dataloader),
        validated=loop.validated,
        stopped=loop.stop_training,
        ranks=ranks,
    )


class Taken:
    """Where training goes on.

    Args:
        runner: the runner of the training, which has loaded the checkpoint, if any.
        loader: its training loader.

    Attributes:
        state: what :func:`gather_state` gave; empty where the checkpoint is of before there was
            any, or there is none.
        position: batches of the loader that are done; 0 once :meth:`go_on` was called.
    """

    def __init__(self, runner: Any, loader: ResumableLoader) -> None:
        self._runner, self._loader = runner, loader
        self.state: dict[str, Any] = runner.training_state or {}
        if not self.state:
            self.position = runner.train_loop.position(runner.iter)
            return
        samples, batch = self.state['position'] * self.state['batch'], _batch(loader)
        self.position = samples // batch
        if samples % batch:
            runner.logger.warning(
                f'the checkpoint was saved after {samples} samples, which are no whole number of '
                f'batches of {batch}: the first ones of the next batch are trained with twice'
            )

    def go_on(self) -> None:
        """Be where the checkpoint was."""
        position, self.position = self.position, 0
        if not self.state:
            for loader in _loaders(self._runner).values() if self._runner.iter else ():
                loader.go_on(dict(workers=[None] * loader.num_workers, is_begun=True))
            self._loader.go_on(None, position)
            return
        rank, size = get_dist_info()
        ranks = self.state['ranks']
        own = ranks[rank] if len(ranks) == size else _of_another_number(ranks)
        self._say_what_differs(size)
        for hook, name, kept, is_count in _kept(self._runner):
            told = [each[2] for one in ranks for each in one['hooks'] if each[:2] == [name, kept]]
            if told:
                setattr(hook, kept, sum(told[rank::size]) if is_count else told[0])
        model = _model(self._runner)
        buffers, parameters = dict(model.named_buffers()), dict(model.named_parameters())
        for name, each in own['buffers'].items():
            buffers[name].copy_(each)
        for name, each in own['gradients'].items():
            parameters[name].grad = each.to(parameters[name].device, copy=True)
        for name, loader in _loaders(self._runner).items():
            loader.go_on(own['loaders'].get(name), position if loader is self._loader else 0)
        if 'random' in own:
            restore_random_state(own['random'])
            return
        seed = derive_seed(self._runner.seed, self._runner.iter, rank)
        for begin in (torch.manual_seed, np.random.seed, random.seed):
            begin(seed)

    def _say_what_differs(self, size: int) -> None:
        """Say, once, why the uninterrupted run would not be repeated to the bit."""
        ranks, warn = self.state['ranks'], self._runner.logger.warning
        if len(ranks) != size:
            warn(
                f'resumed on {size} process{"es" * (size > 1)} from a checkpoint of {len(ranks)}: '
                'the same samples follow; what the model draws (dropout) differs'
            )
        else:
            found = len(ranks[0]['loaders'].get('train', {}).get('workers', ()))
            count = self._loader.num_workers
            if found != count and not seeds_samples(self._loader.dataset):
                warn(
                    f'resumed with {count} loader processes from a checkpoint of {found}: the '
                    'same samples follow, augmented otherwise, as the pipeline has no SeedSample'
                )


def _of_another_number(ranks: list[dict[str, Any]]) -> dict[str, Any]:
    """What a process takes up where there were more of them, or fewer.

    The gradients that wait are those of all samples so far: the mean over the processes, which is
    what ``DistributedDataParallel`` makes of them.
    """
    gradients = {
        name: torch.stack([each['gradients'][name] for each in ranks]).mean(0)
        for name in ranks[0]['gradients']
    }
    return dict(loaders={}, buffers={}, gradients=gradients)


def _kept(runner: Any) -> list[tuple[Any, str, str, bool]]:
    return [
        (hook, kind.__name__, name, is_count)
        for kind, name, is_count in _KEPT
        for hook in runner.hooks
        if isinstance(hook, kind)
    ]


def _loaders(runner: Any) -> dict[str, ResumableLoader]:
    loops = dict(train=runner.train_loop, val=runner.val_loop)
    return {name: loop.dataloader for name, loop in loops.items() if loop is not None}


def _model(runner: Any) -> nn.Module:
    model = runner.model
    inner: nn.Module = model.module if is_model_wrapper(model) else model
    return inner


def _batch(loader: ResumableLoader) -> int:
    """Samples of a batch, on all processes."""
    return (getattr(loader.batch_sampler, 'batch_size', None) or 1) * get_dist_info()[1]
