"""A network of timm's on the frames of clips: early stages frozen, channels shifted as in TSM.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch
from mmaction.models.backbones.resnet_tsm import TemporalShift
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.host.building import build_backbone
from mmaction_ext.models.host.stages import check_stage_number, find_stages


@MODELS.register_module()
class TimmFrames(BaseModule):
    """A convolutional network of timm's that sees each frame, to be trained in part.

    Args:
        model: its name in timm.
        num_segments: ``T``, frames of a clip.
        frozen_stages: the weights of the stem and of all stages up to this one stay as they are,
            and so do the statistics of their normalisations; 0 freezes none. Stages have the
            numbers of :func:`find_stages`.
        shift_div: one such part of the channels comes from the next frame and one from the last
            (TSM, Lin, Gan and Han, ICCV 2019: 8), before each inverted residual that adds its
            input, as TSM's MobileNetV2 has it. Frozen blocks are left alone, whose weights know
            nothing of other frames. None shifts nothing.
        options: what ``MotionBackbone`` takes for timm's networks beside the type.

    Raises:
        InputError: As ``MotionBackbone`` for timm's networks; if there is no such stage, or
            nothing to shift.
    """

    def __init__(
        self,
        model: str,
        num_segments: int,
        frozen_stages: int = 0,
        shift_div: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.network: Any = build_backbone(dict(type=f'timm.{model}', **options))
        self.num_segments, self.shift_div = num_segments, shift_div
        self._frozen = self._up_to(frozen_stages) if frozen_stages else []
        for layer in self._frozen:
            layer.requires_grad_(False)
        if shift_div is not None:
            self._shift_blocks(model)

    @property
    def feature_info(self) -> list[dict[str, Any]]:
        """timm's table of features, of which :func:`find_stages` has the stages."""
        return [
            dict(entry, module=f'network.{entry["module"]}') for entry in self.network.feature_info
        ]

    def train(self, mode: bool = True) -> 'TimmFrames':
        """Train, with the frozen layers as they are in a test."""
        super().train(mode)
        for layer in self._frozen:
            layer.eval()
        return self

    def forward(self, frames: Tensor) -> Tensor:
        """Last map, (N*T, C', H', W'), of frames (N*T, 3, H, W)."""
        if self.shift_div is None and frames.device.type == 'cpu':
            frames = frames.contiguous(memory_format=torch.channels_last)
        return self.network(frames)

    def _up_to(self, stage: int) -> list[nn.Module]:
        """The layers that run up to the end of a stage; timm has them in the order they run."""
        check_stage_number(stage)
        stages = find_stages(self.network)
        if stage not in stages:
            raise InputError(f'frozen_stages={stage}: there are stages {list(stages)}')
        names = [name for name, _ in self.network.named_modules()]
        last = f'{stages[stage]}.'
        end = 1 + max(i for i, name in enumerate(names) if f'{name}.'.startswith(last))
        rest = tuple(f'{name}.' for name in names[end:])
        return [
            self.network.get_submodule(name)
            for name in names[1:end]
            if not any(other.startswith(f'{name}.') for other in rest)
        ]

    def _shift_blocks(self, model: str) -> None:
        from timm.models._efficientnet_blocks import InvertedResidual  # slow to import

        shifted = [
            block.conv_pw
            for block in self.network.modules()
            if isinstance(block, InvertedResidual) and block.has_skip and block not in self._frozen
        ]
        if not shifted:
            raise InputError(
                f'shift_div={self.shift_div}: timm model {model!r} has no inverted residual with '
                'a shortcut behind its frozen stages'
            )
        for convolution in shifted:
            convolution.register_forward_pre_hook(self._shift)

    def _shift(self, convolution: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        return TemporalShift.shift(inputs[0].contiguous(), self.num_segments, self.shift_div)
