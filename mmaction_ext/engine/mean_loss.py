"""The loss of a whole batch, for the logs of several processes."""

from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_reduce_dict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Log the losses of the whole batch: the mean over the processes, not the first one's."""

    priority = 'HIGHEST'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Average ``outputs``, a dict of scalar tensors, over the processes in place."""
        if outputs and runner.world_size > 1:
            all_reduce_dict(outputs, op='mean')
