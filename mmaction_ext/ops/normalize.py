"""Feature vectors brought to one length, so that their inner product is a cosine."""

from torch import Tensor

from mmaction_ext.errors import check_positive
from mmaction_ext.ops.precision import widened


def l2_normalize(x: Tensor, dim: int = 1, eps: float = 1e-6) -> Tensor:
    """``x / sqrt(sum(x**2, dim) + eps)``, the normalisation in front of SELFY's and TCM's volumes.

    The gradient is finite also where ``x`` is zero.

    Args:
        x: Floating point tensor of any shape.
        dim: The dimension whose vectors get length one.
        eps: Added to the squared length; positive.

    Returns:
        Tensor of the shape and dtype of ``x``. Half precision is summed in float32.

    Raises:
        InputError: If ``eps`` is not positive.
        ValueError: If ``x`` is not floating point.
    """
    check_positive('eps', eps)
    if not x.is_floating_point():
        raise ValueError(f'x must be floating point, got {x.dtype}')
    wide = widened(x)
    return (wide * (wide.square().sum(dim, keepdim=True) + eps).rsqrt()).to(x.dtype)
