"""ResNet on every frame, whose blocks a subclass chooses: what the video ResNets share.

"Deep Residual Learning for Image Recognition", He et al., CVPR 2016, in torchvision's form (the
stride is on the 3x3 convolution) and with torchvision's names of weights. A network that mixes
frames in some of its blocks is this one with blocks of its own.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any, ClassVar

from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.errors import check_at_least, check_choice
from mmaction_ext.models.backbones.image_weights import ImageStart

#: Blocks of each stage; 14 and 26, which no paper has, are for small data and for tests.
DEPTHS = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
_INIT = (dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', layer='BatchNorm2d', val=1))


@MODELS.register_module()
class FrameResNet(ImageStart):
    """torchvision's ResNet on each frame of clips; as it stands, the backbone of TSN.

    Subclasses override :meth:`make_block`, or :meth:`forward` where there is more than a stem and
    four stages, ``init_blocks`` for what does not start as convolutions and normalisations do,
    ``image_name`` where they have weights that an image network lacks, and ``pools_stem``.

    Args:
        depth: 50 or 101; or 14 or 26, with one and two bottlenecks a stage.
        num_segments: ``T``, frames of a clip.
        base_channels: Channels of the stem; all other widths are multiples, 64 is torchvision's.
        pretrained: Image weights to start from, see :class:`ImageStart`; None for none.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: If an argument is out of its range; while initialising, if the weights of
            ``pretrained`` do not fit.
    """

    #: Whether a max pooling halves the maps behind the stem. Where none does, layer 1 halves them.
    pools_stem: ClassVar[bool] = True

    def __init__(
        self,
        depth: int,
        num_segments: int,
        base_channels: int = 64,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(pretrained, list(_INIT) if init_cfg is None else init_cfg)
        check_choice('depth', depth, tuple(DEPTHS))
        check_at_least('num_segments', num_segments, 1)
        check_at_least('base_channels', base_channels, 1)
        self.num_segments = num_segments
        self.conv1 = nn.Conv2d(3, base_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if self.pools_stem else nn.Identity()
        inplanes = base_channels
        for layer, blocks in enumerate(DEPTHS[depth], start=1):
            stage, planes = nn.Sequential(), base_channels * 2 ** (layer - 1)
            for index in range(blocks):
                halves = index == 0 and (layer > 1 or not self.pools_stem)
                stride = 2 if halves else 1
                stage.append(self.make_block(layer, index, inplanes, planes, stride))
                inplanes = planes * Bottleneck.expansion
            self.add_module(f'layer{layer}', stage)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """The block at a place of the network; here torchvision's bottleneck.

        Args:
            layer: 1 to 4, as in the names of weights.
            index: Place in the layer, from 0.
            inplanes: Channels of its input.
            planes: Channels of its inner convolutions; four times as many leave it.
            stride: Of its 3x3 convolution, and of the shortcut.

        Returns:
            A module from (N*T, C, H, W) to (N*T, 4 * ``planes``, H / ``stride``, W / ``stride``).
        """
        return Bottleneck(inplanes, planes, stride, make_shortcut(inplanes, planes, stride))

    def forward(self, x: Tensor) -> Tensor:
        """Frames to one feature map.

        Args:
            x: (N*T, 3, H, W).

        Returns:
            (N*T, 32 * ``base_channels``, H/32, W/32), sizes rounded up.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def make_shortcut(
    inplanes: int, planes: int, stride: int, bias: bool = False
) -> nn.Sequential | None:
    """Projection beside a bottleneck that changes the shape of features, None beside others."""
    outplanes = planes * Bottleneck.expansion
    if stride == 1 and inplanes == outplanes:
        return None
    return nn.Sequential(
        nn.Conv2d(inplanes, outplanes, 1, stride, bias=bias), nn.BatchNorm2d(outplanes)
    )
