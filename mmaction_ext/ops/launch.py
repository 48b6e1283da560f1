"""Kernels of Triton: where they serve, and how they are started.

The kernels of an operator stand in a module of their own, which imports ``triton`` and so is
imported when its first kernel is started. What a kernel is started with is a :class:`Launch`, a
function of shapes and types alone: ``tools/benchmarks/triton_static.py`` compiles from it what the
operator starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmaction_ext.errors import InputError

#: What kernels take; sums are in single precision.
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
#: Compute capability from which on they serve: the first with matrix units for bfloat16.
_CAPABILITY = (8, 0)


class Launch(NamedTuple):
    """A kernel, and all that it is started with but its tensors and numbers.

    Attributes:
        module: that holds the kernel.
        kernel: its name.
        grid: how many programs there are.
        constants: what it is compiled for, by the names of its arguments.
        warps: of 32 threads, for each program.
        stages: rounds of a loop that are under way at a time, where it loads ahead.
        registers: that a thread has at most, where the compiler takes more than serve.
    """

    module: str
    kernel: str
    grid: int
    constants: dict[str, Any]
    warps: int
    stages: int = 1
    registers: int | None = None

    def options(self) -> dict[str, int]:
        """Options of Triton's compiler."""
        limit = {} if self.registers is None else dict(maxnreg=self.registers)
        return dict(num_warps=self.warps, num_stages=self.stages, **limit)


def is_chosen(implementation: str, x: Tensor) -> bool:
    """Whether kernels of Triton are to take a tensor.

    Args:
        implementation: ``'triton'`` asks for them; ``'auto'`` takes them where they serve.
        x: what they would read.

    Raises:
        InputError: they are asked for and cannot serve.
    """
    if implementation not in ('triton', 'auto') or (implementation == 'auto' and not x.is_cuda):
        return False
    lack = _lack(x)
    if lack and implementation == 'triton':
        raise InputError(f"implementation 'triton' is not available: {lack}")
    return not lack


def is_installed() -> bool:
    """Whether there is a Triton."""
    return importlib.util.find_spec('triton') is not None


def _lack(x: Tensor) -> str | None:
    """Why kernels cannot take a tensor."""
    if not is_installed():
        return 'triton is not installed'
    if x.dtype not in DTYPES:
        return f'it takes float32, bfloat16 and float16, not {x.dtype}'
    if interprets():
        return None if x.device.type == 'cpu' else 'its interpreter takes what is on the CPU'
    if not x.is_cuda or torch.version.cuda is None:
        return f'it takes what is on an NVIDIA GPU, not on {x.device.type}'
    if torch.cuda.get_device_capability(x.device) < _CAPABILITY:
        return f'it takes GPUs from compute capability 8.0 on, not {x.device}'
    return None


def interprets() -> bool:
    """Whether Triton is told to interpret kernels on the CPU (``TRITON_INTERPRET=1``)."""
    from triton import knobs

    return bool(knobs.runtime.interpret)


def digest(module: str) -> str:
    """What tells one state of kernels and of their launcher, beside them, from another."""
    kernels = Path(importlib.util.find_spec(module).origin)  # type: ignore[union-attr, arg-type]
    launcher = kernels.with_name(kernels.name.replace('_kernels', ''))
    return hashlib.sha256(kernels.read_bytes() + launcher.read_bytes()).hexdigest()[:16]


def start(launch: Launch, *arguments: Tensor | float) -> None:
    """Start a kernel on the stream that is current on the device of its tensors.

    Args:
        launch: which, and how.
        arguments: tensors and numbers; the first one is a tensor.
    """
    if not launch.grid:
        return
    kernel = getattr(importlib.import_module(launch.module), launch.kernel)
    device = arguments[0].device  # type: ignore[union-attr]
    with torch.cuda.device(device) if device.type == 'cuda' else contextlib.nullcontext():
        kernel[launch.grid,](*arguments, **launch.constants, **launch.options())
