"""The random numbers of a process: where its generators stand, and how to put them back there."""

import random
from typing import Any

import numpy as np
import torch

#: a state of all generators, of plain data and arrays, or tensors, alone
RandomState = dict[str, Any]


def random_state(cuda: bool = False) -> RandomState:
    """Where the generators of torch, numpy and Python stand.

    Args:
        cuda: whether to ask for the one of this process's GPU too, which waits for the GPU.
    """
    name, keys, *rest = np.random.get_state()
    version, words, gauss = random.getstate()
    state: RandomState = dict(
        torch=torch.get_rng_state().numpy(),
        numpy=[name, keys, *rest],
        python=[version, np.array(words, np.int64), gauss],
    )
    if cuda and torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state().numpy()
    return state


def restore_random_state(state: RandomState) -> None:
    """Put the generators where :func:`random_state` found them."""
    torch.set_rng_state(torch.as_tensor(state['torch']).cpu())
    name, keys, *rest = state['numpy']
    np.random.set_state((name, torch.as_tensor(keys).cpu().numpy().astype(np.uint32), *rest))
    version, words, gauss = state['python']
    random.setstate((version, tuple(words.tolist()), gauss))
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.as_tensor(state['cuda']).cpu())


def as_tensors(state: RandomState | None) -> RandomState | None:
    """A state whose arrays are tensors, which a checkpoint may hold.

    Between processes arrays travel faster.
    """
    if state is None:
        return None
    name, keys, *rest = state['numpy']
    version, words, gauss = state['python']
    return dict(
        {key: torch.as_tensor(state[key]) for key in ('torch', 'cuda') if key in state},
        numpy=[
            name,
            keys if torch.is_tensor(keys) else torch.as_tensor(keys.astype(np.int64)),
            *rest,
        ],
        python=[version, torch.as_tensor(words), gauss],
    )
