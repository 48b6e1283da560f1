"""ECO: a 2-D network on a few frames of the whole video, and a 3-D one on its maps.

Zolfaghari, Singh and Brox, "ECO: Efficient Convolutional Network for Online Video Understanding",
ECCV 2018, arXiv 1804.09066. The layers are those of the authors' code
(github.com/mzolfaghari/ECO-pytorch, commit b175e7c).

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.models.backbones.bn_inception import INCEPTIONS, BNInception, Layer

_LAST_OF_LITE = 'inception_3c_double_3x3_1'
#: Units of the upper part of a 3-D ResNet-18 and their channels; of the first one there is the
#: second convolution alone.
_UNITS = {'3a': 128, '3b': 128, '4a': 256, '4b': 256, '5a': 512, '5b': 512}


@MODELS.register_module()
class ECO(BNInception):
    """ECO-Lite, or the whole ECO.

    BN-Inception up to the first of the two 3x3 of module 3c sees every frame by itself. Its maps,
    an eighth of the rows and columns, are the frames of a 3-D ResNet-18's stages 3 to 5, whose
    units add before they normalise. The whole ECO also takes every frame through the rest of
    BN-Inception and puts the mean over frames before the pooled maps of the 3-D network.

    With 174 classes and 16 frames of 224 x 224 the first has 37.39 M parameters and 46.49 G
    multiply-adds, the second 47.15 M and 64.41 G.

    Args:
        full: The whole ECO.
        dropout_2d: Of the whole ECO, of what BN-Inception gives for each frame.
        dropout_3d: Of the whole ECO, of what the 3-D network gives; that of ECO-Lite is its
            head's, and the whole one's head has none.
        base_channels: See :class:`BNInception`.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: If ``base_channels`` is not even and positive.
    """

    def __init__(
        self,
        full: bool = False,
        dropout_2d: float = 0.5,
        dropout_3d: float = 0.3,
        base_channels: int = 64,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        self.full = full
        super().__init__(base_channels, init_cfg=init_cfg)
        self.dropout_2d, self.dropout_3d = nn.Dropout(dropout_2d), nn.Dropout(dropout_3d)
        inplanes = 96
        for unit, planes in _UNITS.items():
            stride = 2 if unit in ('4a', '5a') else 1
            if unit == '3a':
                self.res3a_2 = nn.Conv3d(self.width(inplanes), self.width(planes), 3, 1, 1)
            else:
                layer = Layer(f'res{unit}_1', inplanes, planes, 3, stride)
                self._add(nn.Conv3d, nn.BatchNorm3d, layer)
                width = self.width(planes)
                self.add_module(f'res{unit}_2', nn.Conv3d(width, width, 3, 1, 1))
            if stride == 2:
                down = nn.Conv3d(self.width(inplanes), self.width(planes), 3, stride, 1)
                self.add_module(f'res{unit}_down', down)
            self.add_module(f'res{unit}_bn', nn.BatchNorm3d(self.width(planes)))
            inplanes = planes

    def layers(self) -> Iterator[Layer]:
        """The convolutions of its BN-Inception: of ECO-Lite's, the part that it runs."""
        for layer in super().layers():
            yield layer
            if layer.name == _LAST_OF_LITE and not self.full:
                return

    def forward(self, x: Tensor) -> Tensor:
        """Clips to one feature map, or the whole ECO's vector.

        Args:
            x: (N, 3, T, H, W).

        Returns:
            (N, 8 * ``base_channels``, T/4, H/32, W/32), sizes rounded up; of the whole ECO (N,
            24 * ``base_channels``, 1, 1, 1), the mean of BN-Inception first.
        """
        frames = self.stem(x.transpose(1, 2).flatten(0, 1))
        frames = self.inception('3b', self.inception('3a', frames))
        half = self.half_double('3c', frames)
        volume = self._convolve_volume(half.unflatten(0, (len(x), -1)).transpose(1, 2))
        if not self.full:
            return volume
        frames = self.inception('3c', frames, half)
        for name in list(INCEPTIONS)[3:]:
            frames = self.inception(name, frames)
        means = self.dropout_2d(frames.mean((2, 3))).unflatten(0, (len(x), -1)).mean(1)
        vector = torch.cat((means, self.dropout_3d(volume.mean((2, 3, 4)))), 1)
        return vector[..., None, None, None]

    def _convolve_volume(self, x: Tensor) -> Tensor:
        """The 3-D part: (N, 96, T, H, W) to (N, 512, T/4, H/4, W/4), at full width."""
        x = self.res3a_2(x)
        for before, unit in pairwise(_UNITS):
            y = F.relu(getattr(self, f'res{before}_bn')(x))
            down = getattr(self, f'res{unit}_down', None)
            branch = getattr(self, f'res{unit}_2')(self.unit(f'res{unit}_1', y))
            x = branch + (x if down is None else down(y))
        return F.relu(self.res5b_bn(x))
