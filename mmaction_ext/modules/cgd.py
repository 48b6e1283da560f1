"""CGD: the compact global descriptor, an attention over channels from averages and maxima.

He, Cheng et al., "Compact Global Descriptor for Neural Networks", arXiv 1907.09665. The layers are
those of the paper's code (github.com/HolmesShuan/Compact-Global-Descriptor, commit bdc0edd), which
has images only; the text was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Mapping

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import check_choice
from mmaction_ext.modules.frames import FrameModule

#: What an average and a maximum are taken of, and the axes of (N, T, C, H, W) that this is.
POOLED = {'frame': (3, 4), 'clip': (1, 3, 4)}


class CGDAttention(nn.Module):
    """Weighs channels by what they are on average, and at most, in a frame or a clip.

    With the average ``a``, the maximum ``m`` and the softmax ``s`` of ``a`` over channels, all
    vectors of ``C`` values: ``y0 = tanh((a . w0) s + bias0)``, ``y1 = tanh((m . w1) s + bias1)``,
    ``y2 = tanh((y1 . w2) y0 + bias2)``; features are multiplied by ``1 + y2``.

    Args:
        channels: ``C``.
        over: See :class:`CGD`.

    Raises:
        InputError: If ``over`` is none of its choices.
    """

    def __init__(self, channels: int, over: str = 'frame') -> None:
        super().__init__()
        check_choice('over', over, tuple(POOLED))
        self.over = over
        self.w0, self.w1, self.w2 = (_weight(channels) for _ in range(3))
        self.bias0, self.bias1, self.bias2 = (
            nn.Parameter(torch.zeros(1, channels, 1, 1)) for _ in range(3)
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Weigh the channels of frames (N, T, C, H, W)."""
        average = frames.mean(POOLED[self.over], keepdim=True).flatten(2)
        peak = frames.amax(POOLED[self.over], keepdim=True).flatten(2)
        shares = average.softmax(2)
        mean = _squash(average, self.w0, shares, self.bias0)
        most = _squash(peak, self.w1, shares, self.bias1)
        factor = 1 + _squash(most, self.w2, mean, self.bias2)
        return frames * factor.to(frames.dtype)[..., None, None]


def _weight(channels: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(channels, 1)))


def _squash(values: Tensor, weight: Tensor, shares: Tensor, bias: Tensor) -> Tensor:
    """tanh((values . weight) shares + bias), of values and shares (N, T, C)."""
    return torch.tanh(values @ weight * shares + bias.flatten())


@MODELS.register_module()
class CGD(FrameModule):
    """The attention of the compact global descriptor after stages of a backbone.

    In its own network it stands inside every block, see :class:`CGDResNet`; after a stage it is
    our construction. A new one is near the identity, as released. It knows nothing of the order of
    frames: by itself it is blind to the direction of time.

    Args:
        in_channels: See :class:`MotionModule`.
        over: What the average and the maximum are taken of, ``'frame'`` or ``'clip'``. The code
            has images only, and the papers that print it for video do not say.

    Raises:
        InputError: If ``over`` is none of its choices.
    """

    def __init__(self, in_channels: Mapping[int, int], over: str = 'frame') -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict(
            {
                str(stage): CGDAttention(channels, over)
                for stage, channels in self.in_channels.items()
            }
        )
