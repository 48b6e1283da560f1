"""Where half precision is widened: sums are made in a dtype that holds them."""

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 if it is float16 or bfloat16."""
    return x.float() if x.dtype in (torch.half, torch.bfloat16) else x
