"""Where half precision is widened: sums are made in a dtype that holds them."""

import torch
from torch import Tensor


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype that values of ``dtype`` are summed in: float64 for its own, else float32."""
    return torch.promote_types(dtype, torch.float32)


def widened(x: Tensor) -> Tensor:
    """``x`` in its :func:`wide_dtype`: itself if it is float32 or float64."""
    return x.to(wide_dtype(x.dtype))
