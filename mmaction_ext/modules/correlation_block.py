"""The correlation block of CorrNet: learnt weights for the products of neighbouring frames.

Wang, Tran, Torresani and Feiszli, "Video Modeling with Correlation Networks", CVPR 2020, arXiv
1906.03349. There is no released code and the text of the paper was not read. The operator, the
placement and that there is a "correlation-sum" and a "correlation-concat" block come from a
reader's notes that quote the paper; the layers of the blocks come from an unofficial
implementation (github.com/tefantasy/CorrNet, commit e533ef7), "the unofficial code" below. The
block is our construction from these; an argument holds the answer to each question that they
leave open.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window (K x K in the paper),
G groups, D = G * U * V channels of a correlation volume.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice, check_positive
from mmaction_ext.modules.base import Displacements
from mmaction_ext.modules.frames import FrameModule
from mmaction_ext.ops import grouped_correlation, l2_normalize, pair_correlation, soft_argmax
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides


class StageCorrelation(nn.Module):
    """The block of one stage; see :class:`CorrelationBlock` for the arguments that it shares.

    Args:
        channels: ``C``, channels of the features.
        mid_channels: Channels that are correlated.
    """

    def __init__(
        self,
        channels: int,
        mid_channels: int,
        *,
        groups: int,
        window: tuple[int, int],
        dilation: int,
        weight_frames: int,
        weight_init: str,
        displaced: str,
        clip_border: str,
        fusion: str,
        relu: str,
        zero_init: bool,
        temperature: float,
    ) -> None:
        super().__init__()
        self.groups, self.window, self.dilation = groups, window, dilation
        self.displaced, self.clip_border = displaced, clip_border
        self.fusion, self.relu, self.temperature = fusion, relu, temperature
        volume_channels = groups * window[0] * window[1]
        _check_channels(channels, mid_channels, groups, volume_channels, fusion)
        self.conv1 = nn.Conv2d(channels, mid_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(mid_channels)
        self.weight: nn.Parameter | None = None
        if weight_frames:
            self.weight = nn.Parameter(torch.ones(mid_channels, weight_frames, *window))
            if weight_init == 'kaiming':
                nn.init.kaiming_normal_(self.weight)
        shape = (
            (volume_channels, channels)
            if fusion == 'sum'
            else (mid_channels, channels - volume_channels)
        )
        self.conv2 = nn.Conv2d(*shape, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(shape[1])
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)
        if zero_init:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """Enhance frames (N, T, C, H, W)."""
        reduced = self._reduce(frames)
        volume = grouped_correlation(
            *self._pairs(reduced), self.weight, self.groups, self.window, self.dilation
        )
        if self.fusion == 'sum':
            y = frames + self._expand(volume)
        else:
            y = torch.cat((volume, self._expand(reduced)), dim=2)
        return F.relu(y) if self.relu == 'after_sum' else y

    def motion(self, frames: Tensor) -> Displacements:
        """Where the features that the block correlates find their best match.

        By the cosines of all channels together, without the learnt weights: what a group of
        channels weighs most need not be where a pixel went. The displacement is their soft-argmax
        over the window, the confidence the largest.

        Args:
            frames: Features, (N, T, C, H, W).
        """
        # not in half precision, whose rounding of the cosines the softmax would magnify
        reduced = l2_normalize(widened(self._reduce(frames)), dim=2)
        queries, keys = (x.flatten(0, 1) for x in self._pairs(reduced))
        cosines = pair_correlation(queries, keys, self.window, self.dilation, scale=1.0)
        displacement = soft_argmax(cosines, self.window, self.temperature, self.dilation)
        each = frames.shape[:2]
        times = range(each[1])
        backward = self.displaced == 'previous'
        return Displacements(
            ('t-1' if backward else 't+1',),
            (tuple(times) if backward else tuple(max(0, t - 1) for t in times),),
            displacement.unflatten(0, each).transpose(1, 2).unsqueeze(1),
            cosines.amax(dim=1).unflatten(0, each).unsqueeze(1),
        )

    def _reduce(self, frames: Tensor) -> Tensor:
        """The features that are correlated, (N, T, mid_channels, H, W)."""
        reduced = F.relu(self.bn1(self.conv1(frames.flatten(0, 1))))
        return reduced.unflatten(0, frames.shape[:2])

    def _expand(self, features: Tensor) -> Tensor:
        return self.bn2(self.conv2(features.flatten(0, 1))).unflatten(0, features.shape[:2])

    def _pairs(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """For each frame the map the window is centred in and the map it lies in."""
        first = (
            frames[:, :1] if self.clip_border == 'replicate' else torch.zeros_like(frames[:, :1])
        )
        previous = torch.cat((first, frames[:, :-1]), dim=1)
        return (frames, previous) if self.displaced == 'previous' else (previous, frames)


@MODELS.register_module()
class CorrelationBlock(FrameModule):
    """The correlation block of CorrNet on several stages of a backbone: res2, res3 and res4 there.

    A quarter of the channels is correlated with those of the previous frame: in each group of
    channels the mean of the products under learnt weights, at every displacement of the window.
    What a 1x1 convolution makes of that is added to the features.

    Our construction, see the head of this file. One answer has no argument: in the volume all
    displacements of a group stand together, where the unofficial code has all groups of a
    displacement together. That is the same network with its weights permuted.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        reduction: Channels are reduced to ``C / reduction`` before the correlation; 4 in the
            unofficial code.
        groups: ``G``, which must divide the reduced channels; 32 in the unofficial code.
        window: ``K``, side of the window (7 in the notes), or its sides ``(U, V)``.
        dilation: Pixels between neighbouring displacements; 2 in the notes, for a region of
            13 x 13.
        weight_frames: ``L`` of the C x L x K x K weights: 1 for the same weights at every frame
            (a weight "per channel and window position" in the notes; a network is then free to
            see clips of any length, hence our choice), the frames of a clip for weights of each
            frame, as in the unofficial code (a host that sees whole clips needs ``num_segments``
            then), 0 for no weights.
        weight_init: ``'kaiming'``, as in the unofficial code, or ``'ones'``, where the block
            starts with the plain correlation.
        displaced: Which frame the window moves over. ``'previous'``, as in the formula of the
            notes, or ``'current'``, as in the unofficial code.
        clip_border: What stands before the first frame: ``'replicate'``, itself, as in the
            unofficial code, or ``'zeros'``.
        fusion: ``'sum'``, or ``'concat'``, which the paper finds worse: the volume beside what a
            1x1 convolution makes of the reduced features; ``G * K**2`` channels are the volume's
            and must leave some for these.
        relu: ``'after_sum'``, a ReLU at the end, as in the unofficial code, or ``'none'``, for
            hosts whose stages end without one.
        zero_init: Start the last normalisation at zero, so that the block of ``'sum'`` starts as
            identity. No source has it: the paper trains from scratch.
        temperature: Of the softmax of :meth:`motion`, as in :class:`DCF`; nothing else depends
            on it.

    Raises:
        InputError: If an argument is out of its range; the message names the value.
    """

    small: ClassVar = dict(reduction=2, groups=2, window=3, zero_init=True)

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        reduction: int = 4,
        groups: int = 32,
        window: Window = 7,
        dilation: int = 2,
        weight_frames: int = 1,
        weight_init: str = 'kaiming',
        displaced: str = 'previous',
        clip_border: str = 'replicate',
        fusion: str = 'sum',
        relu: str = 'after_sum',
        zero_init: bool = False,
        temperature: float = 0.01,
    ) -> None:
        super().__init__(in_channels)
        for name, value, least in (
            ('reduction', reduction, 1),
            ('groups', groups, 1),
            ('dilation', dilation, 1),
            ('weight_frames', weight_frames, 0),
        ):
            check_at_least(name, value, least)
        check_choice('weight_init', weight_init, ('kaiming', 'ones'))
        check_choice('displaced', displaced, ('previous', 'current'))
        check_choice('clip_border', clip_border, ('replicate', 'zeros'))
        check_choice('fusion', fusion, ('sum', 'concat'))
        check_choice('relu', relu, ('after_sum', 'none'))
        check_positive('temperature', temperature)
        if zero_init and fusion != 'sum':
            raise InputError(f"zero_init needs fusion='sum', which is {fusion!r}")
        self.blocks = nn.ModuleDict(
            {
                str(stage): StageCorrelation(
                    channels,
                    channels // reduction,
                    groups=groups,
                    window=window_sides(window),
                    dilation=dilation,
                    weight_frames=weight_frames,
                    weight_init=weight_init,
                    displaced=displaced,
                    clip_border=clip_border,
                    fusion=fusion,
                    relu=relu,
                    zero_init=zero_init,
                    temperature=temperature,
                )
                for stage, channels in self.in_channels.items()
            }
        )

    def reach(self, stage: int) -> int:
        """Half the larger side of the window times the dilation, in pixels."""
        block = self.block(stage)
        return max(block.window) // 2 * block.dilation

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """Where each frame finds itself in its neighbour; see :meth:`StageCorrelation.motion`.

        One map, ``'t-1'`` from every frame to the previous one, or with ``displaced='current'``
        ``'t+1'`` from the previous one to it. That of the first frame is of itself or of nothing,
        as ``clip_border`` has it.
        """
        return self.block_for(x, stage).motion(x.transpose(1, 2))


def _check_channels(
    channels: int, mid_channels: int, groups: int, volume_channels: int, fusion: str
) -> None:
    if mid_channels < 1 or mid_channels % groups:
        raise InputError(
            f'groups must divide the {mid_channels} correlated of {channels} channels, '
            f'got {groups}'
        )
    if fusion == 'concat' and volume_channels >= channels:
        raise InputError(
            f"fusion='concat': {groups} groups make a volume of {volume_channels} channels, which "
            f'leaves none of {channels}'
        )
