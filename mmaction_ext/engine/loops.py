"""Training loops that go on wherever they were interrupted, as if they had not been.

mmengine's own begin an epoch anew, or load what was trained with once more to throw it away; and
they leave out the validation of the epoch whose checkpoint they go on from.
"""

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch import nn

from mmaction_ext.engine import training_state
from mmaction_ext.engine.resumable_loader import ResumableLoader


class _Resumable:
    """What both loops do; beside mmengine's hook points there are two more.

    ``after_step`` comes when all is done of an iteration, and of the epoch that it ends;
    ``after_validation`` when all is done of a validation.

    Attributes:
        validated: number of iterations at the last validation; -1 before it.
    """

    runner: Any
    dataloader: ResumableLoader
    _iter: int
    validated = -1

    def position(self, iteration: int) -> int:
        """Batches that :meth:`take_up` has to leave out after so many iterations."""
        raise NotImplementedError

    def take_up(self) -> training_state.Taken:
        """Find where training goes on, which ``self.runner`` has loaded the checkpoint of."""
        taken = training_state.Taken(self.runner, self.dataloader)
        self.validated = taken.state.get('validated', self._iter or -1)
        self.stop_training = taken.state.get('stopped', False)
        return taken

    def validate_if_due(self, count: int, last: int) -> None:
        """Validate after so many epochs or iterations of ``last``, once."""
        self._decide_current_val_interval()  # type: ignore[attr-defined]
        loop: Any = self
        if (
            self.runner.val_loop is not None
            and self.validated != self._iter
            and count >= loop.val_begin
            and (count % loop.val_interval == 0 or count == last)
        ):
            self.runner.val_loop.run()
            self.validated = self._iter
            self.runner.call_hook('after_validation')


class EpochLoop(_Resumable, EpochBasedTrainLoop):
    """mmengine's ``EpochBasedTrainLoop``, which goes on at the next batch of an epoch."""

    _is_under_way = False

    def position(self, iteration: int) -> int:
        """Batches of the epoch under way that are done, which may be all of them."""
        return self.dataloader.position if self._is_under_way else 0

    def run(self) -> nn.Module:
        """Train."""
        self.runner.call_hook('before_train')
        taken = self.take_up()
        if not taken.position:
            taken.go_on()
            if self._epoch:
                self.validate_if_due(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self._run_epoch(taken)
            self.validate_if_due(self._epoch, self._max_epochs)
        self.runner.call_hook('after_train')
        return self.runner.model

    def _run_epoch(self, taken: training_state.Taken) -> None:
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        begin, self._is_under_way = taken.position, True
        if begin:
            taken.go_on()
        for index, batch in enumerate(self.dataloader, begin):
            self.run_iter(index, batch)
            if index + 1 < len(self.dataloader):
                self.runner.call_hook('after_step')
        self._is_under_way = False
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.runner.call_hook('after_step')


class IterationLoop(_Resumable, IterBasedTrainLoop):
    """mmengine's ``IterBasedTrainLoop``, which goes on at the next batch, loading no other."""

    def position(self, iteration: int) -> int:
        """Batches that are done, which may be more than the loader has at once."""
        return iteration

    def run(self) -> nn.Module:
        """Train."""
        self.runner.call_hook('before_train')
        taken = self.take_up()
        self.runner.call_hook('before_train_epoch')
        if isinstance(self.dataloader.sampler, InfiniteSampler):
            passes = 0
        else:
            passes, taken.position = divmod(taken.position, len(self.dataloader))
        if passes and hasattr(self.dataloader.sampler, 'set_epoch'):
            self.dataloader.sampler.set_epoch(passes)
        taken.go_on()
        self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)
        self.dataloader_iterator._epoch = passes
        if self._iter:
            self.validate_if_due(self._iter, self._max_iters)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self.runner.call_hook('after_step')
            self.validate_if_due(self._iter, self._max_iters)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model


#: mmengine's loops, and ours in their places
LOOPS_OF: dict[type, type] = {EpochBasedTrainLoop: EpochLoop, IterBasedTrainLoop: IterationLoop}
