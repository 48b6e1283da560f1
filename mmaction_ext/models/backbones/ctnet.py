"""CT-Net: a ResNet on frames, in half of whose blocks channels see each other in two steps.

"CT-Net: Channel Tensorization Network for Video Classification", Li et al., ICLR 2021,
arXiv 2106.01603; https://github.com/Andy1621/CT-Net, commit 83badd6, called the code below. The
text of the paper was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmaction_ext.errors import check_choice
from mmaction_ext.models.backbones.frame_resnet import FrameResNet
from mmaction_ext.modules.ctnet import GATES, ChannelTensorization

#: Number of blocks with the module in ResNet-50, as the code has them, to which blocks of each
#: layer these are.
PLACES: dict[int, Callable[[int], bool]] = {
    3: lambda index: index > 1 and index % 2 == 1,
    4: lambda index: index == 1,
    5: lambda index: index > 0 and index % 2 == 0,
    7: lambda index: index % 2 == 1,
    12: lambda index: index > 0,
}
_NO_IMAGE = re.compile(r'\.conv2\.(by_row|fusion|by_column)\.')


class CTBottleneck(nn.Module):
    """A bottleneck with channel tensorization in the place of its 3x3 convolution.

    Args:
        inplanes: Channels of its input, and of its output.
        planes: Channels between the two 1x1 convolutions.
        num_segments: ``T``.
        gates: See :class:`ChannelTensorization`.
    """

    def __init__(
        self, inplanes: int, planes: int, num_segments: int, gates: Sequence[str]
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        norm = dict(type='BN')
        self.conv1 = ConvModule(inplanes, planes, 1, norm_cfg=norm)
        self.conv2 = ChannelTensorization(planes, gates)
        self.conv3 = ConvModule(planes, inplanes, 1, norm_cfg=norm, act_cfg=None)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """From (N*T, C, H, W) to the same shape."""
        frames = self.conv1(x).unflatten(0, (-1, self.num_segments))
        return self.relu(self.conv3(self.conv2(frames).flatten(0, 1)) + x)


@MODELS.register_module()
class CTNet(FrameResNet):
    """CT-Net: channel tensorization in the place of some bottlenecks' 3x3 convolutions.

    With ``TSMHead(174, 2048)`` depth 50 has 20.96 M parameters and, for 8 frames of 256 x 256,
    37.04 G multiply-adds.

    Args:
        depth: See :class:`FrameResNet`.
        num_segments: ``T``.
        num_total: How many blocks of ResNet-50 have the module: 7, every second one of a layer
            from its second one on; 4, the second one of each layer; 3, those of the 7 that are no
            second one; 5, every second one from the third one on; 12, all but the first one of
            each layer. The same blocks of layers that other depths have.
        gates: See :class:`ChannelTensorization`.
        **network: What else :class:`FrameResNet` takes.

    Raises:
        InputError: As :class:`FrameResNet` and :class:`ChannelTensorization`, or if ``num_total``
            is another number.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        *,
        num_total: int = 7,
        gates: Sequence[str] = GATES,
        **network: Any,
    ) -> None:
        check_choice('num_total', num_total, tuple(PLACES))
        self.num_total, self.gates = num_total, gates
        super().__init__(depth, num_segments, **network)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """A bottleneck with channel tensorization or one without.

        See :meth:`FrameResNet.make_block`.
        """
        if PLACES[self.num_total](index):
            return CTBottleneck(inplanes, planes, self.num_segments, self.gates)
        return super().make_block(layer, index, inplanes, planes, stride)

    def image_name(self, name: str) -> str | None:
        """That of torchvision's ResNet; see :meth:`ImageStart.image_name`."""
        if _NO_IMAGE.search(name):
            return None
        return re.sub(r'conv(\d)\.bn\.', r'bn\1.', name.replace('.conv.', '.'))

    def leaves_out(self, name: str) -> bool:
        """Whether a weight is of a 3x3 convolution that is not here, or its normalisation."""
        found = re.match(r'layer\d\.(\d+)\.(conv2|bn2)\.', name)
        return found is not None and PLACES[self.num_total](int(found[1]))
