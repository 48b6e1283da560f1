"""Regional maxima by operations of PyTorch, on any device.

Shape legend: N clips, C channels, T frames, H rows, W columns, P = H*W pixels, G sets of regions,
s regions along a side, K = s*s regions.

``embedding_bag`` takes the largest rows of a table within bags of them, and tells which they are,
the first of equal ones: here the rows are the channels of a pixel and each region is a bag. All
shapes are fixed, so there is no wait for the borders on a GPU, and the cost does not depend on K.
"""

import torch
from torch import Tensor

from mmaction_ext.ops.compiled import run


def maxima(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Largest value of each region and where it is.

    Args:
        x: Features of shape (N, C, T, H, W).
        rows: First row of each region and the end of the last, (N, G, T, s+1), int64.
        columns: Of columns likewise.

    Returns:
        Values (N, T, G, K, C), and the row and column of each, of equal ones the first by rows,
        (N, T, G, K, C, 2), int64. The sign of a zero makes no difference; a NaN is found where it
        is the first pixel of its region.
    """
    n, channels, num_frames, height, width = x.shape
    num_sets, side = rows.shape[1], rows.shape[3] - 1
    frames = x.permute(0, 2, 3, 4, 1).flatten(2, 3).flatten(0, 1)  # (N*T, P, C)
    region = (_regions(rows, height) * side).unsqueeze(-1) + _regions(columns, width).unsqueeze(-2)
    order = region.transpose(1, 2).flatten(0, 1).flatten(2).sort(stable=True).indices
    sizes = rows.diff().unsqueeze(-1) * columns.diff().unsqueeze(-2)
    sizes = sizes.transpose(1, 2).flatten(0, 1).flatten(2)  # (N*T, G, K) of (N*T, G, P) in order
    shape = n, num_frames, num_sets, side**2, channels
    values, points = x.new_empty(shape), rows.new_empty(*shape, 2)

    inference = torch.is_inference_mode_enabled()  # which threads do not inherit

    @torch.inference_mode(inference)
    def work(begin: int, end: int) -> int:
        some, count = slice(begin, end), end - begin
        pixel = torch.arange(count * height * width, device=x.device)
        first = pixel[:: height * width].view(-1, 1, 1)
        offsets = sizes[some].flatten().cumsum(0) - sizes[some].flatten()
        found, _, _, index = torch.embedding_bag(
            frames[some].flatten(0, 1), (order[some] + first).flatten(), offsets, mode=2
        )
        values.flatten(0, 1)[some] = found.view(count, *shape[2:])
        place = torch.stack((pixel // width % height, pixel % width), dim=-1)
        out = points.flatten(0, 1)[some].view(-1, 2)
        torch.index_select(place, 0, index.flatten(), out=out)
        return 0

    if x.device.type == 'cpu':
        run(work, n * num_frames if values.numel() else 0)
    elif values.numel():
        work(0, n * num_frames)
    return values, points


def maxima_backward(grad: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """Gradient of :func:`maxima`: each value's goes to its pixel.

    Args:
        grad: Of the values, (N, T, G, K, C).
        points: Of the values, (N, T, G, K, C, 2).
        height: H.
        width: W.

    Returns:
        Tensor of shape (N, T, H, W, C).
    """
    out = grad.new_zeros(*grad.shape[:2], height * width, grad.shape[-1])
    for clip, of_clip, place in zip(out, grad, points, strict=True):
        pixel = (place[..., 0] * width + place[..., 1]).flatten(1, 2)
        clip.scatter_add_(1, pixel, of_clip.flatten(1, 2))
    return out.unflatten(2, (height, width))


def _regions(borders: Tensor, size: int) -> Tensor:
    """The region of each row or column, (N, G, T, size)."""
    pixel = torch.arange(size, device=borders.device)
    return (pixel >= borders[..., 1:-1, None]).sum(-2)
