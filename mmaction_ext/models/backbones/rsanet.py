"""RSANet: a ResNet on frames, seven of whose 3x3 convolutions are relational self-attention.

Kim, Kwon, Wang, Kwak and Cho, "Relational Self-Attention: What's Missing in Attention for Video
Understanding", NeurIPS 2021, arXiv 2111.01673; as the released code has it
(github.com/KimManjin/RSA, commit c66d7be).

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import stochastic_depth

from mmaction_ext.errors import InputError
from mmaction_ext.models.backbones.frame_resnet import DEPTHS, FrameResNet, make_shortcut
from mmaction_ext.modules.rsa import RelationalSelfAttention

#: Layer and index of the blocks of ResNet-50 that have the attention.
PLACES = ((1, 2), (2, 1), (2, 3), (3, 1), (3, 3), (3, 5), (4, 1))


class RSABottleneck(Bottleneck):
    """torchvision's bottleneck with stochastic depth and, where asked for, the attention.

    Args:
        inplanes: See ``FrameResNet.make_block``, as for the following.
        planes: Channels of the inner layers.
        stride: Of the 3x3 convolution.
        num_segments: ``T``.
        survival: Probability that a clip of the training goes through the residual branch, which
            is divided by it.
        attention: Arguments of the attention that replaces the 3x3 convolution; None for none.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int,
        num_segments: int,
        survival: float,
        attention: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(inplanes, planes, stride, make_shortcut(inplanes, planes, stride))
        self.num_segments, self.survival = num_segments, survival
        self.attends = attention is not None
        if attention is not None:
            self.conv2 = RelationalSelfAttention(planes, **attention)

    def forward(self, x: Tensor) -> Tensor:
        """Frames (N*T, C, H, W) to frames."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.conv2(self._clips(out)).flatten(0, 1) if self.attends else self.conv2(out)
        out = self.bn3(self.conv3(self.relu(self.bn2(out))))
        dropped = stochastic_depth(self._clips(out), 1 - self.survival, 'row', self.training)
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(dropped.flatten(0, 1) + shortcut)

    def _clips(self, frames: Tensor) -> Tensor:
        return frames.unflatten(0, (-1, self.num_segments))


@MODELS.register_module()
class RSANet(FrameResNet):
    """RSANet-50 of the released code: frames, (N*T, 3, H, W), to one feature map of each.

    The blocks with the attention start from no image weights, their 1x1 convolutions and
    normalisations neither; the last normalisation of a block that does not is zero.

    Args:
        depth: See ``FrameResNet``, as for ``num_segments``, ``base_channels``, ``pretrained`` and
            ``init_cfg``.
        num_segments: ``T``.
        places: Layer, 1 to 4, and index, above 0, of each block with the attention. The default
            is for depth 50, the only one that the code has.
        survival: Probability that a clip goes through the residual branch of the last block; that
            of the others falls linearly from 1 for the first one.
        base_channels: Of the stem.
        pretrained: Image weights.
        init_cfg: As of mmengine's ``BaseModule``.
        attention: See :class:`RelationalSelfAttention`: its arguments.

    Raises:
        InputError: If an argument is out of its range, or there is no such place.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        places: Sequence[tuple[int, int]] = PLACES,
        survival: float = 0.8,
        base_channels: int = 64,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **attention: Any,
    ) -> None:
        if not 0 < survival <= 1:
            raise InputError(f'survival must be above 0 and at most 1, got {survival!r}')
        self.depth, self.survival, self.attention = depth, survival, attention
        self.places = tuple((layer, index) for layer, index in places)
        super().__init__(depth, num_segments, base_channels, pretrained, init_cfg)
        for layer, index in self.places:
            if layer not in (1, 2, 3, 4) or not 0 < index < DEPTHS[depth][layer - 1]:
                raise InputError(
                    f'places must be (layer, index) of blocks of depth {depth}, none the first of '
                    f'its layer, got {(layer, index)}'
                )

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """A bottleneck, with the attention at the places of that."""
        blocks = DEPTHS[self.depth]
        place = sum(blocks[: layer - 1]) + index
        return RSABottleneck(
            inplanes,
            planes,
            stride,
            self.num_segments,
            1 - (1 - self.survival) * place / (sum(blocks) - 1),
            self.attention if (layer, index) in self.places else None,
        )

    def init_blocks(self) -> None:
        """Start residual branches at zero, where no image weights come after this."""
        for block in self.modules():
            if isinstance(block, RSABottleneck):
                nn.init.zeros_(block.bn3.weight)

    def image_name(self, name: str) -> str | None:
        """None in blocks with the attention."""
        return None if self.leaves_out(name) else name

    def leaves_out(self, name: str) -> bool:
        """Blocks with the attention are not those of an image network."""
        return name.startswith(tuple(f'layer{layer}.{index}.' for layer, index in self.places))
