"""ME: the motion excitation of TEA, which gates channels by how they differ from the next frame.

"TEA: Temporal Excitation and Aggregation for Action Recognition", Li et al., CVPR 2020, arXiv
2004.01398. The layout is that of the released code (github.com/Phoenix1327/tea-action-recognition,
commit f59e2f8); the text of the paper was not read. The network is
:class:`mmaction_ext.models.TEA`.

Shape legend: N clips, T frames, C channels, R squeezed channels, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.modules.frames import FrameModule
from mmaction_ext.modules.neighbours import SqueezedFrames, conv_bn, differences, gate


class ME(SqueezedFrames):
    """Strengthens or weakens each channel of a frame by the frame's difference to the next one.

    Args:
        channels: ``C``.
        reduction: ``R`` is ``C // reduction``, and at least 1.

    Raises:
        InputError: If ``reduction`` is below 1.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__(channels, reduction)
        self.expand = conv_bn(self.squeezed, channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Gate frames (N, T, C, H, W); the last one by a difference of zero."""
        forward = differences(*self.squeeze(frames), step=1)
        pooled = forward.mean((3, 4), keepdim=True).flatten(0, 1)
        return frames + frames * gate(self.expand(pooled)).unflatten(0, frames.shape[:2])


@MODELS.register_module()
class MotionExcitation(FrameModule):
    """:class:`ME` after stages of a backbone; its own network has it inside every block.

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
            {str(stage): ME(channels, reduction) for stage, channels in self.in_channels.items()}
        )
