"""Runs whose numbers are no longer finite: training stops, tests say so."""

from collections.abc import Sequence
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmaction_ext.errors import Diverged
from mmaction_ext.tracking.ledger.format import NON_FINITE_SAMPLES

#: iterations in a row without a finite loss after which training stops. Loss scaling of mixed
#: precision takes a few at most until its scale fits.
PATIENCE = 20


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Stop training whose loss stays non-finite, and count test samples without finite scores.

    A test of which samples have scores that are not finite gets their number as one of its
    metrics, ``test/nonfinite_samples``; others do not have it.

    Args:
        patience: iterations in a row without a finite loss after which training stops; 0 to go on
            whatever the loss.

    Raises:
        Diverged: in training, that many have passed.
    """

    priority = 'HIGHEST'  # a metric must be there before others log it

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience, self._losses, self._samples = patience, 0, 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Look at the loss, which is that of any process."""
        if not self.patience or not outputs or 'loss' not in outputs:
            return
        is_finite = torch.as_tensor(outputs['loss']).detach().isfinite().all()
        self._losses = self._losses + 1 if _on_any_process(not is_finite) else 0
        if self._losses >= self.patience:
            raise Diverged(
                f'the loss was not finite in {self._losses} iterations in a row, up to '
                f'iteration {runner.iter + 1}; a lower learning rate or clipped '
                'gradients may help'
            )

    def before_test_epoch(self, runner: Runner) -> None:
        """Start counting."""
        self._samples = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Count the samples of a batch."""
        scores = [getattr(sample, 'pred_score', None) for sample in outputs or ()]
        self._samples += sum(
            isinstance(each, torch.Tensor) and not bool(each.isfinite().all()) for each in scores
        )

    def after_test_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Enter the number into the metrics, and say it."""
        count = torch.tensor(self._samples, device=get_device())
        all_reduce(count)
        if count and metrics is not None:
            metrics[NON_FINITE_SAMPLES.removeprefix('test/')] = count.item()
            runner.logger.warning(
                f'diverged: the scores of {count.item()} test samples are not '
                'finite, and count as wrong'
            )


def _on_any_process(value: bool) -> bool:
    found = torch.tensor(float(value), device=get_device())
    all_reduce(found)
    return bool(found)
