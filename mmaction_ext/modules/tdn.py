"""L-TDM: the long-term temporal difference module of TDN, a gate for every value of every map.

"TDN: Temporal Difference Networks for Efficient Action Recognition", Wang, Tong, Ji and Wu, CVPR
2021, arXiv 2012.10071. The layout is that of the released code (github.com/MCG-NJU/TDN, commit
a7c7e9b); the text of the paper was not read. The network, with the short-term module, is
:class:`mmaction_ext.models.TDN`.

Shape legend: N clips, T frames (one of each segment), C channels, R squeezed channels, H rows, W
columns.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.frames import FrameModule
from mmaction_ext.modules.neighbours import SqueezedFrames, conv_bn, differences, gate


class LTDM(SqueezedFrames):
    """Strengthens or weakens every value by the frame's differences to the next and the last one.

    The differences are seen at full and at half resolution; both directions share all weights.

    Args:
        channels: ``C``.
        reduction: ``R`` is ``C // reduction``, and at least 1.

    Raises:
        InputError: If ``reduction`` is below 1.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__(channels, reduction)
        self.coarse = conv_bn(self.squeezed, self.squeezed, 3)
        self.fine = conv_bn(self.squeezed, self.squeezed, 3)
        self.expand = conv_bn(self.squeezed, channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Gate frames (N, T, C, H, W).

        Raises:
            InputError: If they have fewer than 2 x 2 pixels, which leaves none at half resolution.
        """
        if min(frames.shape[3:]) < 2:
            raise InputError(
                f'L-TDM needs maps of at least 2 x 2 pixels, got {tuple(frames.shape[3:])}'
            )
        queries, keys = self.squeeze(frames)
        # one direction after the other, as released: each is normalised by its own statistics
        ahead, behind = (
            self._gate(differences(queries, keys, step).flatten(0, 1)) for step in (1, -1)
        )
        return frames + frames * ((ahead + behind) / 2).unflatten(0, frames.shape[:2])

    def _gate(self, difference: Tensor) -> Tensor:
        """(N*T, R, H, W) to (N*T, C, H, W)."""
        coarse = F.interpolate(self.coarse(F.avg_pool2d(difference, 2)), difference.shape[2:])
        return gate(self.expand((difference + coarse + self.fine(difference)) / 3))


@MODELS.register_module()
class LongTermTDM(FrameModule):
    """:class:`LTDM` after stages of a backbone; its own network has it inside the blocks.

    As released it does not start as the identity.

    Args:
        in_channels: See :class:`MotionModule`.
        reduction: Channels per squeezed channel.

    Raises:
        InputError: If an argument is out of its range.
    """

    small: ClassVar[Mapping[str, Any]] = dict(reduction=4)

    def __init__(self, in_channels: Mapping[int, int], reduction: int = 16) -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict(
            {str(stage): LTDM(channels, reduction) for stage, channels in self.in_channels.items()}
        )
