"""R(2+1)D with bottlenecks, the backbone of DCF.

"Dense Correlation Fields for Motion Modeling in Action Recognition", Table 6.

Shape legend: N clips, C channels, T frames, H rows, W columns.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import check_choice
from mmaction_ext.models.backbones.image_weights import ImageStart
from mmaction_ext.models.backbones.stem import build_stem

_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_EXPANSION = 4
_INIT = (dict(type='Kaiming', layer='Conv3d'), dict(type='Constant', layer='BatchNorm3d', val=1))


class R2Plus1DBottleneck(nn.Module):
    """A ResNet bottleneck with a depthwise temporal convolution beside its 3x3.

    Without ``temporal`` and ``temporal_bn`` the submodules have the names of torchvision's
    bottleneck.

    Args:
        in_channels: Channels of the input.
        mid_channels: Channels between the two 1x1x1 convolutions; the output has four times as
            many.
        stride: Spatial stride, on the 1x3x3 convolution.
        order: See :class:`R2Plus1D`.
        temporal_norm: See :class:`R2Plus1D`.
    """

    def __init__(
        self, in_channels: int, mid_channels: int, stride: int, order: str, temporal_norm: str
    ) -> None:
        super().__init__()
        self.order, self.temporal_norm = order, temporal_norm
        out_channels = _EXPANSION * mid_channels
        self.conv1 = nn.Conv3d(in_channels, mid_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(mid_channels)
        self.temporal = nn.Conv3d(
            mid_channels,
            mid_channels,
            (3, 1, 1),
            padding=(1, 0, 0),
            groups=mid_channels,
            bias=False,
        )
        if temporal_norm != 'none':
            self.temporal_bn = nn.BatchNorm3d(mid_channels)
        self.conv2 = nn.Conv3d(
            mid_channels, mid_channels, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False
        )
        self.bn2 = nn.BatchNorm3d(mid_channels)
        self.conv3 = nn.Conv3d(mid_channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, (1, stride, stride), bias=False),
                nn.BatchNorm3d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, T, H, W) to features with four times ``mid_channels``."""
        y = F.relu(self.bn1(self.conv1(x)))
        if self.order == 'temporal_first':
            y = self._spatial(self._temporal(y))
        else:
            y = self._temporal(self._spatial(y))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))

    def _spatial(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(x)))

    def _temporal(self, x: Tensor) -> Tensor:
        x = self.temporal(x)
        if self.temporal_norm == 'none':
            return x
        x = self.temporal_bn(x)
        return F.relu(x) if self.temporal_norm == 'bn_relu' else x


@MODELS.register_module()
class R2Plus1D(ImageStart):
    """R(2+1)D-50 or -101 of DCF's Table 6: a ResNet with depthwise temporal convolutions.

    ``stage1`` is the stem with its pool, ``stage2`` to ``stage5`` are the residual stages; the
    number of frames never changes. With ``I3DHead(174, 2048)`` and 8 frames of 224x224 depth 50
    has 23.883 M parameters and 32.743 G multiply-adds (Table 3: 23.9 M, 32.7 G). These numbers
    demand that the temporal convolution be depthwise and the stride be on the 1x3x3. They do
    not tell the following readings apart, so arguments hold them.

    mmaction2's ``ResNet2Plus1d`` is another net: it factorises into full convolutions with an
    enlarged middle width (51.1 M). Its ``ResNet3d`` has no depthwise temporal convolution, and
    its inflation of 2-D weights passes over what does not fit; hence neither is used here.

    Args:
        depth: 50 or 101.
        in_channels: Channels of a frame.
        base_channels: Channels of ``stage1``; all other widths are multiples.
        order: ``'temporal_first'``: 3x1x1 before 1x3x3, the order of rows in Table 6.
            ``'spatial_first'``: after it, as the name R(2+1)D has it.
        temporal_norm: What follows the 3x1x1: ``'bn_relu'``, as after every convolution of
            R(2+1)D, ``'bn'`` or ``'none'``. Table 6 does not show normalisations.
        temporal_init: ``'identity'``: the kernel starts as (0, 1, 0), so that every frame
            starts by itself, as in the image network whose weights are loaded (but for
            ``temporal_norm``, exactly so). ``'random'``: as the other convolutions. Unstated.
        zero_init_residual: Start each block's last normalisation at zero when training from
            scratch. Unstated; off, as in torchvision. Loaded weights replace it.
        pretrained: Weights of an image ResNet of this depth ("ImageNet", section 4.1), loaded
            by ``init_weights``: ``'torchvision://resnet50'``, ``'timm.resnet50.a1_in1k'``, a
            URL or a local file; see :func:`load_image_weights`. k x k kernels become 1 x k x k.
        init_cfg: As in mmengine's ``BaseModule``. None: Kaiming's normal initialisation of
            convolutions, normalisations at one.

    Raises:
        InputError: If an argument is none of its choices, or ``pretrained`` and an ``init_cfg``
            both load weights.
    """

    def __init__(
        self,
        depth: int = 50,
        *,
        in_channels: int = 3,
        base_channels: int = 64,
        order: str = 'temporal_first',
        temporal_norm: str = 'bn_relu',
        temporal_init: str = 'identity',
        zero_init_residual: bool = False,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(pretrained, list(_INIT) if init_cfg is None else init_cfg)
        check_choice('depth', depth, _DEPTHS)
        check_choice('order', order, ('temporal_first', 'spatial_first'))
        check_choice('temporal_norm', temporal_norm, ('bn_relu', 'bn', 'none'))
        check_choice('temporal_init', temporal_init, ('identity', 'random'))
        self.temporal_init, self.zero_init_residual = temporal_init, zero_init_residual
        self.stage1 = build_stem(in_channels, base_channels, (1, 7, 7))
        width = base_channels
        for i, blocks in enumerate(_DEPTHS[depth]):
            stride, mid_channels = 1 if i == 0 else 2, base_channels * 2**i
            stage = nn.Sequential()
            for j in range(blocks):
                stage.append(
                    R2Plus1DBottleneck(
                        width, mid_channels, stride if j == 0 else 1, order, temporal_norm
                    )
                )
                width = _EXPANSION * mid_channels
            self.add_module(f'stage{i + 2}', stage)

    def forward(self, x: Tensor) -> Tensor:
        """Clips to one feature map.

        Args:
            x: (N, C, T, H, W).

        Returns:
            (N, 32 * ``base_channels``, T, H/32, W/32), sizes rounded up.
        """
        x = self.stage1(x)
        return self.stage5(self.stage4(self.stage3(self.stage2(x))))

    def init_blocks(self) -> None:
        """Start the temporal convolutions and, where asked for, the last normalisations."""
        for block in self.modules():
            if isinstance(block, R2Plus1DBottleneck):
                if self.temporal_init == 'identity':
                    nn.init.dirac_(block.temporal.weight, groups=block.temporal.groups)
                if self.zero_init_residual:
                    nn.init.zeros_(block.bn3.weight)

    def image_name(self, name: str) -> str | None:
        """Name that torchvision and timm give a weight of this network in an image ResNet.

        Args:
            name: Name in the state dict, e.g. ``'stage2.0.conv1.weight'``.

        Returns:
            E.g. ``'layer1.0.conv1.weight'``, or None for the temporal units, which images lack.
        """
        stage, _, rest = name.partition('.')
        if '.temporal' in rest:
            return None
        if stage == 'stage1':
            kind, _, leaf = rest.partition('.')
            return f'{kind}1.{leaf}'
        return f'layer{int(stage.removeprefix("stage")) - 1}.{rest}'
