"""What TEA and TDN share: frames that are compared with, and mixed with, their neighbours.

Shape legend: N clips, T frames, C channels, R squeezed channels, H rows, W columns.
"""

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmaction_ext.errors import check_at_least


class TemporalConv(nn.Conv1d):
    """Depthwise convolution over time, 3 frames wide, of zeros beyond the ends; no bias.

    Args:
        channels: ``C``.
        shift_div: It starts as TSM's shift: the first ``C // shift_div`` channels from the next
            frame, as many again from the one before, the others as they are. None: all are.

    Raises:
        InputError: If an argument is out of its range.
    """

    def __init__(self, channels: int, shift_div: int | None) -> None:
        super().__init__(channels, channels, 3, padding=1, groups=channels, bias=False)
        if shift_div is not None:
            check_at_least('shift_div', shift_div, 2)
        fold = 0 if shift_div is None else channels // shift_div
        with torch.no_grad():
            self.weight.zero_()
            self.weight[:fold, 0, 2] = 1
            self.weight[fold : 2 * fold, 0, 0] = 1
            self.weight[2 * fold :, 0, 1] = 1

    def forward(self, frames: Tensor) -> Tensor:
        """Mix frames (N, T, C, H, W)."""
        pixels = frames.transpose(1, 2).flatten(3)
        mixed = F.conv2d(pixels, self.weight.unsqueeze(3), padding=(1, 0), groups=self.groups)
        return mixed.unflatten(3, frames.shape[3:]).transpose(1, 2)


class SqueezedFrames(nn.Module):
    """Two views of frames in few channels, which differences are taken of.

    Args:
        channels: ``C``.
        reduction: ``R`` is ``C // reduction``, and at least 1.

    Raises:
        InputError: If ``reduction`` is below 1.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        check_at_least('reduction', reduction, 1)
        self.squeezed = max(1, channels // reduction)
        self.reduce = conv_bn(channels, self.squeezed, 1)
        self.transform = ConvModule(
            self.squeezed,
            self.squeezed,
            3,
            padding=1,
            groups=self.squeezed,
            bias=False,
            act_cfg=None,
        )

    def squeeze(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (N, T, C, H, W) as they are compared and as they are compared with.

        Returns:
            Two tensors (N, T, R, H, W).
        """
        queries = self.reduce(frames.flatten(0, 1))
        keys = self.transform(queries)
        return queries.unflatten(0, frames.shape[:2]), keys.unflatten(0, frames.shape[:2])


def differences(queries: Tensor, keys: Tensor, step: int) -> Tensor:
    """``keys`` of the neighbour of a frame minus ``queries`` of the frame itself.

    Args:
        queries, keys: (N, T, R, H, W).
        step: 1 for the next frame, -1 for the one before.

    Returns:
        Tensor of the same shape, zero at the frame that has no such neighbour.
    """
    missing = torch.zeros_like(queries[:, :1])
    if step == 1:
        return torch.cat((keys[:, 1:] - queries[:, :-1], missing), dim=1)
    return torch.cat((missing, keys[:, :-1] - queries[:, 1:]), dim=1)


def gate(maps: Tensor) -> Tensor:
    """A gate between -1/2 and 1/2: what it multiplies is weakened or strengthened by half."""
    return torch.sigmoid(maps) - 0.5


def conv_bn(in_channels: int, out_channels: int, kernel: int) -> ConvModule:
    """Convolution without bias that keeps the size of maps, then normalisation.

    It starts by Kaiming's rule (fan out).
    """
    return ConvModule(
        in_channels,
        out_channels,
        kernel,
        padding=kernel // 2,
        norm_cfg=dict(type='BN'),
        act_cfg=None,
    )
