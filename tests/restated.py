"""What plain restatements of networks need: normalisations that are not trivial, and those."""

import torch
import torch.nn.functional as F
from torch import nn


def trained(module):
    """The module in float64 for evaluation, with normalisations that no two share."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, 0.2, 0.3)
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
    return module.double().eval()


def normalised(x, norm):
    """Of maps (N, C, H, W), by the running statistics of a layer."""
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
