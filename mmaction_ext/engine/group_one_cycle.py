"""One cycle of the learning rate for parameters whose learning rates differ."""

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import OneCycleLR
from mmengine.registry import PARAM_SCHEDULERS
from torch.optim import Optimizer


@PARAM_SCHEDULERS.register_module()
class GroupOneCycleLR(OneCycleLR):
    """mmengine's ``OneCycleLR`` up to the learning rate that each parameter group starts with.

    mmengine's takes one peak for all groups, so that an ``lr_mult`` of ``paramwise_cfg`` has no
    effect.

    Args:
        optimizer: Whose groups have their learning rates.
        options: Of mmengine's ``OneCycleLR``, but for ``eta_max``.
    """

    def __init__(self, optimizer: Optimizer | OptimWrapper, **options: Any) -> None:
        peaks = [group['lr'] for group in optimizer.param_groups]
        super().__init__(optimizer, eta_max=peaks, **options)
