"""BN-Inception, the image network of TSN, TRN and ECO.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015, in the form of the Caffe model that github.com/yjxiong/tsn-pytorch and
its descendants run: convolutions with a bias, pools that round up, and its names of layers.

Shape legend: M frames, C channels, H rows, W columns.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.backbones.image_weights import ImageStart

_INIT = (
    dict(type='Kaiming', layer=['Conv2d', 'Conv3d']),
    dict(type='Constant', layer=['BatchNorm2d', 'BatchNorm3d'], val=1),
)


class Branches(NamedTuple):
    """Channels of an inception module.

    Attributes:
        single: Of the 1x1; 0 in modules that halve the map, which have none.
        reduce: Of the 1x1 before the 3x3.
        three: Of the 3x3.
        double_reduce: Of the 1x1 before the two 3x3.
        double: Of both of the two 3x3.
        pool: Of the 1x1 behind the pool; 0 in modules that halve the map, which have none.
    """

    single: int
    reduce: int
    three: int
    double_reduce: int
    double: int
    pool: int

    @property
    def stride(self) -> int:
        """Of the last convolution of both branches, and of the pool."""
        return 1 if self.single else 2


INCEPTIONS = {
    '3a': Branches(64, 64, 64, 64, 96, 32),
    '3b': Branches(64, 64, 96, 64, 96, 64),
    '3c': Branches(0, 128, 160, 64, 96, 0),
    '4a': Branches(224, 64, 96, 96, 128, 128),
    '4b': Branches(192, 96, 128, 96, 128, 128),
    '4c': Branches(160, 128, 160, 128, 160, 128),
    '4d': Branches(96, 128, 192, 160, 192, 128),
    '4e': Branches(0, 128, 192, 192, 256, 0),
    '5a': Branches(352, 192, 320, 160, 224, 128),
    '5b': Branches(352, 192, 320, 192, 224, 128),
}


class Layer(NamedTuple):
    """A convolution; a normalisation and a ReLU follow each."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1


def layers() -> Iterator[Layer]:
    """All convolutions in an order of computation."""
    yield Layer('conv1_7x7_s2', 3, 64, 7, 2)
    yield Layer('conv2_3x3_reduce', 64, 64)
    yield Layer('conv2_3x3', 64, 192, 3)
    width = 192
    for name, module in INCEPTIONS.items():
        place = f'inception_{name}'
        yield Layer(f'{place}_double_3x3_reduce', width, module.double_reduce)
        yield Layer(f'{place}_double_3x3_1', module.double_reduce, module.double, 3)
        yield Layer(f'{place}_double_3x3_2', module.double, module.double, 3, module.stride)
        yield Layer(f'{place}_3x3_reduce', width, module.reduce)
        yield Layer(f'{place}_3x3', module.reduce, module.three, 3, module.stride)
        if module.single:
            yield Layer(f'{place}_1x1', width, module.single)
            yield Layer(f'{place}_pool_proj', width, module.pool)
        width = module.single + module.three + module.double + (module.pool or width)


@MODELS.register_module()
class BNInception(ImageStart):
    """BN-Inception on each frame, without its classifier.

    It sees blue, green and red from 0 to 255 without their means (104, 117, 128): a
    ``data_preprocessor`` with these, a standard deviation of 1 and ``to_rgb=True``, which turns
    the order of colours around.

    Args:
        base_channels: Channels of the first convolution; all other widths are multiples of a
            32nd of it, 64 is the published network.
        partial_bn: Leave all normalisations but the first as they are, as the code of TSN and
            TRN does.
        pretrained: Image weights to start from, see :class:`ImageStart`; None for none.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: If ``base_channels`` is not even and positive; while initialising, if the
            weights of ``pretrained`` do not fit.
    """

    def __init__(
        self,
        base_channels: int = 64,
        partial_bn: bool = False,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(pretrained, list(_INIT) if init_cfg is None else init_cfg)
        if type(base_channels) is not int or base_channels < 2 or base_channels % 2:
            raise InputError(f'base_channels must be even and positive, got {base_channels!r}')
        self.base_channels = base_channels
        for layer in self.layers():
            self._add(nn.Conv2d, nn.BatchNorm2d, layer)
        # by name: synchronised normalisations take the place of others
        self._frozen = [f'{layer.name}_bn' for layer in self.layers()][1:] if partial_bn else []
        for name in self._frozen:
            getattr(self, name).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """See torch's; what ``partial_bn`` leaves as it is stays in evaluation mode."""
        super().train(mode)
        for name in self._frozen:
            getattr(self, name).eval()
        return self

    def layers(self) -> Iterator[Layer]:
        """The convolutions that it has, at full width."""
        return layers()

    def width(self, channels: int) -> int:
        """What so many channels of the published network are here."""
        return channels * self.base_channels // 64

    def _add(self, conv: type[nn.Module], norm: type[nn.Module], layer: Layer) -> None:
        width = self.width(layer.out_channels)
        in_channels = 3 if layer.in_channels == 3 else self.width(layer.in_channels)
        self.add_module(
            layer.name, conv(in_channels, width, layer.kernel, layer.stride, layer.kernel // 2)
        )
        self.add_module(f'{layer.name}_bn', norm(width))

    def unit(self, name: str, x: Tensor) -> Tensor:
        """A convolution by name, its normalisation and ReLU."""
        return F.relu(getattr(self, f'{name}_bn')(getattr(self, name)(x)))

    def stem(self, x: Tensor) -> Tensor:
        """Frames (M, 3, H, W) to maps of an eighth of the rows and columns, before module 3a."""
        x = F.max_pool2d(self.unit('conv1_7x7_s2', x), 3, 2, ceil_mode=True)
        x = self.unit('conv2_3x3', self.unit('conv2_3x3_reduce', x))
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    def half_double(self, name: str, x: Tensor) -> Tensor:
        """The branch of the two 3x3 of an inception module, up to the first of them."""
        place = f'inception_{name}_double_3x3'
        return self.unit(f'{place}_1', self.unit(f'{place}_reduce', x))

    def inception(self, name: str, x: Tensor, half_double: Tensor | None = None) -> Tensor:
        """An inception module.

        Args:
            name: In :data:`INCEPTIONS`.
            x: Its input.
            half_double: What :meth:`half_double` makes of it, where that is known.
        """
        place = f'inception_{name}'
        if half_double is None:
            half_double = self.half_double(name, x)
        three = self.unit(f'{place}_3x3', self.unit(f'{place}_3x3_reduce', x))
        double = self.unit(f'{place}_double_3x3_2', half_double)
        if not INCEPTIONS[name].single:
            return torch.cat((three, double, F.max_pool2d(x, 3, 2, ceil_mode=True)), 1)
        pooled = F.max_pool2d(x, 3, 1, 1) if name == '5b' else F.avg_pool2d(x, 3, 1, 1)
        single = self.unit(f'{place}_1x1', x)
        return torch.cat((single, three, double, self.unit(f'{place}_pool_proj', pooled)), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Frames to one feature map.

        Args:
            x: (M, 3, H, W), H and W multiples of 32: pools and convolutions round others to
                different sizes.

        Returns:
            (M, 16 * ``base_channels``, H/32, W/32).
        """
        x = self.stem(x)
        for name in INCEPTIONS:
            x = self.inception(name, x)
        return x
