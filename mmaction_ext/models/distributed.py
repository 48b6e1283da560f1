"""Data-parallel training on processes without a GPU."""

from typing import Any

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmaction_ext.errors import InputError

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _SumOverProcesses(torch.autograd.Function):
    """What every process has of a tensor, added up; each gets the gradients of all.

    ``torch.distributed.nn.functional.all_reduce`` does the same and is to be removed; what torch
    names in its place is private.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _added(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _added(grad)


def _added(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the samples of all processes, on any device.

    ``torch.nn.SyncBatchNorm`` takes CUDA tensors only. Processes may hold different numbers of
    samples. Takes (N, C, ...) of any rank; the gradient crosses the processes too.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f'expected at least 2 dimensions, got {x.dim()}')

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over all dimensions but the second."""
        if not self.training or not dist.is_initialized():
            return super().forward(x)
        dims = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = x.new_tensor(x.numel() // x.shape[1])
        dist.all_reduce(count)
        mean = _SumOverProcesses.apply(x.sum(dims)) / count
        centred = x - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(dims)) / count
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        y = centred * torch.rsqrt(variance + self.eps).view(shape)
        return y * self.weight.view(shape) + self.bias.view(shape) if self.affine else y

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.num_batches_tracked is None:
            return
        assert self.running_mean is not None and self.running_var is not None
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def synchronise_batch_norm(module: nn.Module) -> nn.Module:
    """Make every batch normalisation in ``module`` a :class:`SyncBatchNorm`, in place.

    Names, parameters and buffers stay what they are, so checkpoints fit either way.

    Raises:
        InputError: a layer does more than normalise (timm's norm-and-activation layers, say),
            which would be lost.
    """
    for name, child in module.named_modules():
        if isinstance(child, _BatchNorm) and type(child) not in PLAIN:
            raise InputError(f'sync_bn cannot handle {name}, a {type(child).__name__}, on the CPU')
        if isinstance(child, _BatchNorm):
            child.__class__ = SyncBatchNorm
    return module


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's data-parallel wrapper for processes without a GPU.

    Args:
        module: the model.
        sync_bn: whether batch normalisation sees the whole global batch (the config's
            ``sync_bn``, which mmengine honours on GPUs alone).
        kwargs: as for ``MMDistributedDataParallel``.
    """

    def __init__(self, module: nn.Module, sync_bn: bool = False, **kwargs: Any) -> None:
        kwargs.update(device_ids=None, broadcast_buffers=False)
        super().__init__(module=synchronise_batch_norm(module) if sync_bn else module, **kwargs)
