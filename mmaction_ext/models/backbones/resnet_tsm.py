"""TSM-ResNet as the released code of SELFY and TCM has it, and one of any width."""

from typing import Any

from mmaction.models.backbones.resnet import make_res_layer
from mmaction.models.backbones.resnet_tsm import ResNetTSM, TemporalShift
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule

from mmaction_ext.errors import InputError


@MODELS.register_module()
class ResNetTSMEveryBlock(ResNetTSM):
    """mmaction2's ``ResNetTSM`` with a temporal shift before the first convolution of every block.

    ``ResNetTSM`` itself leaves out every other block at depth 101, as TSM's own code does. The
    released code of SELFY (github.com/arunos728/SELFY) and of TCM (github.com/yzfly/TCM) does
    not. At other depths the two classes are the same network, with the same names of weights.

    Args:
        As of ``ResNetTSM``, but ``shift_place`` is ``'blockres'`` and ``temporal_pool`` False.

    Raises:
        InputError: If ``shift_place`` or ``temporal_pool`` is set to something else.
    """

    def make_temporal_shift(self) -> None:
        """Put a shift before the first convolution of every block."""
        if self.shift_place != 'blockres' or self.temporal_pool:
            raise InputError(
                'ResNetTSMEveryBlock shifts before the first convolution of a block: '
                f'it has no shift_place={self.shift_place!r}, '
                f'temporal_pool={self.temporal_pool}'
            )
        for name in self.res_layers:
            for block in getattr(self, name):
                block.conv1.conv = TemporalShift(
                    block.conv1.conv, self.num_segments, self.shift_div
                )


@MODELS.register_module()
class ThinResNetTSM(ResNetTSM):
    """mmaction2's ``ResNetTSM`` of another width, to be trained from scratch.

    Args:
        depth: As of ``ResNetTSM``.
        base_channels: Width of the stem and of the first stage's inner convolutions; 64 is
            ``ResNetTSM`` itself.
        kwargs: As of ``ResNetTSM``.

    Raises:
        InputError: If ``base_channels`` is below 1, or there are weights to start from.
    """

    def __init__(self, depth: int, base_channels: int = 64, **kwargs: Any) -> None:
        if base_channels < 1 or kwargs.get('pretrained'):
            raise InputError(
                'base_channels must be at least 1, and ThinResNetTSM has no weights '
                f'to start from; got {base_channels} and '
                f'pretrained={kwargs.get("pretrained")!r}'
            )
        self.base_channels = base_channels
        super().__init__(depth, pretrained2d=False, **kwargs)

    def init_structure(self) -> None:
        """Build stem and stages again at their width, then shift and attend as always."""
        common = dict(conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.inplanes = self.base_channels
        self.conv1 = ConvModule(
            self.in_channels,
            self.inplanes,
            kernel_size=7,
            stride=2,
            padding=3,
            bias=False,
            **common,
        )
        for stage, name in enumerate(self.res_layers):
            planes = self.base_channels * 2**stage
            setattr(
                self,
                name,
                make_res_layer(
                    self.block,
                    self.inplanes,
                    planes,
                    self.stage_blocks[stage],
                    stride=self.strides[stage],
                    dilation=self.dilations[stage],
                    style=self.style,
                    with_cp=self.with_cp,
                    **common,
                ),
            )
            self.inplanes = planes * self.block.expansion
        self.feat_dim = self.inplanes
        super().init_structure()
