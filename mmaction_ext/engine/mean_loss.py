"""The loss of a whole batch, for the logs of several processes."""

from mmaction.registry import HOOKS
from mmengine.dist import all_reduce_dict
from mmengine.hooks import Hook


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Log the losses of the whole batch: the mean over the processes, not the first one's."""

    priority = 'HIGHEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Average ``outputs``, a dict of scalar tensors, over the processes in place."""
        if outputs and runner.world_size > 1:
            all_reduce_dict(outputs, op='mean')
