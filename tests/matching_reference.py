"""The matching of MotionSqueeze and TCM restated with loops, and clips whose motion is known."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn


def trained(module):
    """The module with normalisations that are no longer trivial, in evaluation mode."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, 0.2, 0.1)
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
    return module.eval()


def moving_texture(dy, dx, frames, size=(24, 20), channels=64):
    """A clip (1, C, T, H, W) of a random texture that moves by (dy, dx) from frame to frame."""
    height, width = size
    y, x = (frames - 1) * abs(dy), (frames - 1) * abs(dx)
    canvas = torch.randn(
        channels, height + 2 * y, width + 2 * x, generator=torch.Generator().manual_seed(1)
    ).relu()
    clip = [
        canvas[:, y - t * dy : y - t * dy + height, x - t * dx : x - t * dx + width]
        for t in range(frames)
    ]
    return torch.stack(clip, dim=1)[None]


def staying(dy, dx, size):
    """Pixels, (H, W), that are still on the map after a move by (dy, dx)."""
    rows, columns = (torch.arange(side) for side in size)
    rows, columns = rows + dy, columns + dx
    return ((rows >= 0) & (rows < size[0]))[:, None] & ((columns >= 0) & (columns < size[1]))[None]


def normalised(x, norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]


def one_pixel(source, target, i, j, window, sigma, temperature):
    """Horizontal and vertical fraction and confidence of one pixel; maps are (D, H, W)."""
    _, height, width = source.shape
    up, left = window[0] // 2, window[1] // 2
    correlation = {}
    for row, column in itertools.product(range(window[0]), range(window[1])):
        y, x = i + row - up, j + column - left
        correlation[row, column] = torch.zeros((), dtype=source.dtype)
        if 0 <= y < height and 0 <= x < width:
            a, b = source[:, i, j], target[:, y, x]
            lengths = ((a * a).sum() + 1e-6).sqrt() * ((b * b).sum() + 1e-6).sqrt()
            correlation[row, column] = ((a * b).sum() / lengths).clamp(min=0)
    best = max(correlation, key=lambda cell: correlation[cell].item())
    exponentials = {}
    for (row, column), value in correlation.items():
        distance = (row - best[0]) ** 2 + (column - best[1]) ** 2
        mask = math.exp(-distance / (2 * sigma**2))
        exponentials[row, column] = torch.exp(mask * value / temperature)
    total = sum(exponentials.values())
    x = sum(e * (column - left) for (_, column), e in exponentials.items()) / total / left
    y = sum(e * (row - up) for (row, _), e in exponentials.items()) / total / up
    return torch.stack((x, y, correlation[best]))


def maps_by_loops(matching, clip, tempos, window, sigma, temperature):
    """The maps of one clip (C, T, H, W): (T, 3 * M, H, W)."""
    reduced = [
        normalised(
            torch.einsum('dc,chw->dhw', matching.conv.weight[:, :, 0, 0], clip[:, t]), matching.bn
        ).clamp(min=0)
        for t in range(clip.shape[1])
    ]
    _, frames, height, width = clip.shape
    maps = []
    for t in range(frames - 1):
        for tempo in tempos:
            source = reduced[t if tempo == 'fast' else 0]
            pixels = [
                one_pixel(source, reduced[t + 1], i, j, window, sigma, temperature)
                for i in range(height)
                for j in range(width)
            ]
            maps.append(torch.stack(pixels, dim=1).view(3, height, width))
    maps = torch.stack(maps).view(frames - 1, 3 * len(tempos), height, width)
    return torch.cat((maps, maps[-1:]))


def convolved(maps, layers, groups):
    """Maps (B, C, H, W) behind convolutions of so many groups with normalisation and ReLU."""
    for layer, number in zip(layers, groups, strict=True):
        weight = layer.conv.weight
        maps = F.conv2d(maps, weight, padding=weight.shape[-1] // 2, groups=number)
        maps = normalised(maps, layer.bn).clamp(min=0)
    return maps
