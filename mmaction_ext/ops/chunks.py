"""How much is computed in one step, so that what it makes fits into the cache."""

from collections.abc import Iterator

from torch import Tensor

# Values of one step on a GPU, where it should be worth its launch.
_ELSEWHERE = 1 << 26


def chunks(x: Tensor, values_of_one: int, values_on_cpu: int) -> Iterator[slice]:
    """Slices of the first dimension of a tensor, one for each step.

    Args:
        x: Is cut along its first dimension; may be empty there.
        values_of_one: Values that a step makes of one item.
        values_on_cpu: Values that a step may make on the CPU, where they should stay in the
            cache. Elsewhere it is ``2**26``. A step has one item at least.
    """
    limit = values_on_cpu if x.device.type == 'cpu' else _ELSEWHERE
    size = max(1, limit // max(1, values_of_one))
    return (slice(first, first + size) for first in range(0, len(x), size))
