"""DCF: dense correlation fields.

"Dense Correlation Fields for Motion Modeling in Action Recognition", section 3, Algorithm 1 and
appendix B.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window (K x K in the paper),
L temporal range, D = 2 * L * U * V channels of a correlation volume.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import (
    InputError,
    check_at_least,
    check_choice,
    check_positive,
    whole_numbers,
)
from mmaction_ext.modules.base import Displacements, MotionModule
from mmaction_ext.ops import l2_normalize, local_correlation, soft_argmax
from mmaction_ext.ops.correlation.local import CLIP_BORDERS
from mmaction_ext.ops.pointwise import pointwise
from mmaction_ext.ops.pooling import halved
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides

RELUS = ('after_sum', 'both', 'none')


class DCFBlock(nn.Module):
    """The block of one stage, Algorithm 1 without the pooling of its volume.

    Args:
        channels: ``C``, channels of the video feature ``F``.
        mid_channels: Channels after the first 1x1x1 convolution.
        offsets: Frames between the two pixels of each product.
        dilations: Pixels between neighbouring displacements, one per offset.
        passed_channels: Channels of the volumes that come from earlier stages.
        window: Sides ``(U, V)`` of the matching region.
        clip_border: See :func:`local_correlation`.
        relu: ``'after_sum'``, ``'both'`` or ``'none'``; see :class:`DCF`.
        temperature: Of :meth:`motion`; see :class:`DCF`.
        zero_init: Start the last normalisation at zero, so that the block starts as identity.
    """

    def __init__(
        self,
        channels: int,
        mid_channels: int,
        offsets: Sequence[int],
        dilations: Sequence[int],
        passed_channels: int,
        window: tuple[int, int],
        clip_border: str,
        relu: str,
        temperature: float,
        zero_init: bool,
    ) -> None:
        super().__init__()
        self.offsets, self.dilations = tuple(offsets), tuple(dilations)
        self.window, self.clip_border, self.relu = window, clip_border, relu
        self.temperature = temperature
        self.volume_channels = len(self.offsets) * window[0] * window[1]
        self.conv1 = nn.Conv3d(channels, mid_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(mid_channels)
        self.conv2 = nn.Conv3d(self.volume_channels + passed_channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(channels)
        if zero_init:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor, passed: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Enhance a feature by the correlation of its frames.

        Args:
            x: Video feature ``F``, (N, C, T, H, W).
            passed: Volumes of earlier stages at the resolution of ``x``, ``C_in``.

        Returns:
            The enhanced feature ``F'``, (N, C, T, H, W), and the volume of this stage, ``C``,
            (N, D, T, H, W).
        """
        volume = self._correlate(self._reduce(x))
        field = self.bn2(pointwise((volume, *passed), self.conv2.weight, like=x))
        if self.relu == 'both':
            return x + F.relu(field), volume
        return F.relu(x + field) if self.relu == 'after_sum' else x + field, volume

    def motion(self, x: Tensor) -> Displacements:
        """Where the features that the block correlates find their best match.

        The volume of the block with its products divided by the lengths of both vectors, so that
        a strong feature does not draw every match to itself. A frame without a partner in the
        clip (``clip_border='zeros'``) has displacement and confidence 0.

        Args:
            x: Video feature ``F``, (N, C, T, H, W).

        Returns:
            One map for each offset, its displacement the soft-argmax of the offset's cosines
            and its confidence the largest one.
        """
        # not in half precision, whose rounding of the cosines the softmax would magnify
        reduced = l2_normalize(widened(self._reduce(x)))
        cosines = self._correlate(reduced, scale=1.0).unflatten(1, (len(self.offsets), -1))
        displacements = [
            soft_argmax(cosines[:, i], self.window, self.temperature, dilation)
            for i, dilation in enumerate(self.dilations)
        ]
        names = tuple(f't{tau:+d}' for tau in self.offsets)
        return Displacements(
            names,
            (tuple(range(x.shape[2])),) * len(names),
            torch.stack(displacements, dim=1),
            cosines.amax(dim=2),
        )

    def _reduce(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(pointwise((x,), self.conv1.weight)))

    def _correlate(self, reduced: Tensor, scale: float | None = None) -> Tensor:
        return local_correlation(
            reduced, self.offsets, self.window, self.dilations, self.clip_border, scale
        )


@MODELS.register_module()
class DCF(MotionModule):
    """Dense correlation fields on several stages of a backbone.

    Each stage correlates its (channel-reduced) frames with their ``L`` neighbours on both
    sides, adds what a 1x1x1 convolution makes of the volumes to the feature, and hands its own
    volume, spatially pooled, to all later stages.

    Where the paper leaves a question open, an argument holds the answer; "counts" below are the
    parameters and multiply-adds of Tables 2 and 3, which this layout reproduces. Two answers have
    no argument. ``C`` in the factor ``1 / sqrt(C)`` of equation 1 is the number of channels that
    are correlated, after the reduction; the paper does not say which. The second convolution sees
    the stage's own volume first and then those of the earlier stages, the latest first; in each,
    channels count offsets from the past to the future, then rows, then columns of the window.
    Any other order is the same network with its weights permuted.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        reduction: Channels are reduced to ``C / reduction`` before the correlation: 2 for X3D,
            4 for R(2+1)D (section 3.3).
        window: ``K``, side of the matching region (section 3.3: 5), or its sides ``(U, V)``,
            vertical and horizontal (our construction).
        temporal_range: ``L``, neighbours on each side (section 3.3: 2).
        short_range_stages: Stages where ``L`` is 1. The paper says "the last stage"; the counts
            of Table 2 say that this is stage 4 itself, not the last one of a chosen group.
        long_term: "Long Term" of Table 1; without it ``L`` is 1 everywhere.
        spatial_pyramid: "Spatial Pyramid" of Table 1; without it no volume is handed on.
        bidirectional: Correlate with earlier frames also (section 3.2). The counts need it.
        dilate_with_step: Neighbour ``tau`` frames away is searched with a dilation of ``tau``
            pixels ("we enlarge the matching region as the temporal step increases by a dilation
            factor", section 3.2); the counts need K**2 positions at every step. Without it the
            dilation is 1.
        clip_border: What stands outside the clip: ``'zeros'`` (there is no such match),
            ``'replicate'`` or ``'circular'``. The paper does not say; the counts only need all
            ``2 * L`` volumes at every frame.
        relu: ``'after_sum'``: ReLU(F + C'), Algorithm 1, an identity at the start behind hosts
            whose stages end in a ReLU: ResNets with their 3-D kin, and X3D. ``'both'``:
            F + ReLU(C'), the text of section 3.3 and appendix B. ``'none'``: F + C', our
            construction for hosts whose stages end in a sum without a ReLU (ConvNeXt, ViT, Swin,
            MFNet), whose negative features ``'after_sum'`` would cut off.
        temperature: The cosines are divided by it before the softmax of :meth:`motion`, which
            the paper does not have; nothing else depends on it. At 0.01 a match that is better by
            0.05 counts e**5 = 150 times as much: close to the argmax, and the middle of matches
            that are equally good.
        zero_init: Start as identity (section 3.2: "without breaking its initial behavior").
            Not with ``relu='both'``, where a zero would never get a gradient.

    Raises:
        InputError: If an argument is out of its range; the message names the value.
    """

    small: ClassVar = dict(reduction=2)
    #: Two layers round.
    bfloat16_error = 0.01

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        reduction: int = 2,
        window: Window = 5,
        temporal_range: int = 2,
        short_range_stages: Sequence[int] = (4, 5),
        long_term: bool = True,
        spatial_pyramid: bool = True,
        bidirectional: bool = True,
        dilate_with_step: bool = True,
        clip_border: str = 'zeros',
        relu: str = 'after_sum',
        temperature: float = 0.01,
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        window = window_sides(window)
        _check_options(self.in_channels, reduction, temporal_range, clip_border, temperature)
        _check_relu(relu, zero_init)
        short_range_stages = whole_numbers('short_range_stages', short_range_stages)
        self.spatial_pyramid = spatial_pyramid
        self.blocks = nn.ModuleDict()
        passed_channels = 0
        for stage, channels in self.in_channels.items():
            short = not long_term or stage in short_range_stages
            offsets = _offsets(1 if short else temporal_range, bidirectional)
            dilations = [abs(tau) if dilate_with_step else 1 for tau in offsets]
            block = DCFBlock(
                channels,
                channels // reduction,
                offsets,
                dilations,
                passed_channels,
                window,
                clip_border,
                relu,
                temperature,
                zero_init,
            )
            self.blocks[str(stage)] = block
            if spatial_pyramid:
                passed_channels += block.volume_channels

    @property
    def min_frames(self) -> int:
        """One frame more than the longest step, or that step would never meet a frame."""
        return 1 + max(abs(tau) for stage in self.stages for tau in self.block(stage).offsets)

    def reach(self, stage: int) -> int:
        """Half the larger side of the window times the largest dilation, in pixels."""
        block = self.block(stage)
        return max(block.window) // 2 * max(block.dilations)

    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the block of ``stage``; see :meth:`MotionModule.forward`.

        Raises:
            InputError: As :meth:`MotionModule.block_for`, or if a carried volume does not become
                as large as ``x`` by halving.
        """
        block = self.block_for(x, stage)
        carried = tuple(_pool_to(volume, x) for volume in carried)
        x, volume = block(x, carried)
        return x, (volume, *carried) if self.spatial_pyramid else ()

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """Where each frame finds itself in its neighbours; see :meth:`MotionModule.motion`.

        One map for each offset, named ``'t+1'``, ``'t-2'`` and so on; :meth:`DCFBlock.motion`
        says how they are found.
        """
        return self.block_for(x, stage).motion(x)


def _check_options(
    in_channels: Mapping[int, int],
    reduction: int,
    temporal_range: int,
    clip_border: str,
    temperature: float,
) -> None:
    check_at_least('reduction', reduction, 1)
    if reduction > min(in_channels.values()):
        raise InputError(
            f'reduction must lie between 1 and the {min(in_channels.values())} '
            f'channels of the narrowest stage, got {reduction}'
        )
    check_at_least('temporal_range', temporal_range, 1)
    check_choice('clip_border', clip_border, CLIP_BORDERS)
    check_positive('temperature', temperature)


def _check_relu(relu: str, zero_init: bool) -> None:
    check_choice('relu', relu, RELUS)
    if relu == 'both' and zero_init:
        raise InputError("relu='both' with zero_init=True would never learn: set zero_init=False")


def _offsets(temporal_range: int, bidirectional: bool) -> tuple[int, ...]:
    forward = tuple(range(1, temporal_range + 1))
    return tuple(-tau for tau in reversed(forward)) + forward if bidirectional else forward


def _pool_to(volume: Tensor, x: Tensor) -> Tensor:
    """Halve a volume (N, D, T', H', W') by average pooling until it has the size of ``x``.

    Odd sizes are rounded up, as strided convolutions with padding do. The hosts of the paper
    keep all frames; where another one halves them, pairs of frames are averaged as pairs of
    pixels are (our construction).
    """
    pooled = volume.flatten(1, 2)
    while pooled.shape[-1] > x.shape[-1]:
        pooled = halved(pooled)
    pooled = pooled.unflatten(1, volume.shape[1:3])
    while pooled.shape[2] > x.shape[2]:
        pooled = F.avg_pool3d(pooled, (2, 1, 1), ceil_mode=True)
    if pooled.shape[2:] != x.shape[2:]:
        raise InputError(
            f'a correlation volume of size (T, H, W) = {tuple(volume.shape[2:])} '
            f'cannot be pooled to a stage of size {tuple(x.shape[2:])}: stages must '
            'keep or halve the frames and the map'
        )
    return pooled
