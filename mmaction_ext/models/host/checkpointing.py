"""Gradient checkpointing of any backbone's stages: memory for a second forward pass."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_submodules(network: nn.Module, names: Iterable[str]) -> None:
    """Let submodules keep no activations but their input for the backward pass.

    Gradients, dropout and running statistics are those of the plain network. Each submodule
    keeps its class and the names of its weights; forward hooks run once, outside of what is
    computed again. Copies and pickles of the network are checkpointed as well.

    Args:
        network: The network, which is changed.
        names: Submodules. Those numbered like them (``layer1`` to ``layer7`` for ``layer3``)
            are checkpointed too, so that nothing between them is left out.
    """
    for name in _with_siblings(network, names):
        submodule = network.get_submodule(name)
        submodule.forward = partial(run_checkpointed, submodule.forward)


def run_checkpointed(function: Callable[..., Any], *inputs: Any, **named_inputs: Any) -> Any:
    """Call a module's method; its activations are computed again for the backward pass.

    Args:
        function: Bound method of a module, or the module itself.
        inputs: What it is called with.
        named_inputs: The same, by name.
    """
    if not torch.is_grad_enabled():
        return function(*inputs, **named_inputs)
    module = getattr(function, '__self__', function)
    return checkpoint(function, *inputs, use_reentrant=False, **_contexts(module), **named_inputs)


def _contexts(module: Any) -> dict[str, Any]:
    if torch.compiler.is_compiling():  # it takes no context, and counts a batch once
        return {}
    return {'context_fn': lambda: (nullcontext(), _same_statistics(module))}


@contextmanager
def _same_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch normalisations count a batch into copies that are thrown away."""
    norms = [
        norm
        for norm in module.modules()
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.training
    ]
    kept = [
        (norm, name, buffer)
        for norm in norms
        for name, buffer in norm.named_buffers(recurse=False)
    ]
    for norm, name, buffer in kept:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)


def _with_siblings(network: nn.Module, names: Iterable[str]) -> list[str]:
    """Names and the names that differ from them in their last number only, none in another."""
    patterns = [
        re.compile(re.escape(name.rstrip('0123456789')) + r'\d+')
        if name[-1].isdigit()
        else re.compile(re.escape(name))
        for name in names
    ]
    found = [
        name
        for name, _ in network.named_modules()
        if any(pattern.fullmatch(name) for pattern in patterns)
    ]
    return [name for name in found if not any(name.startswith(f'{other}.') for other in found)]
