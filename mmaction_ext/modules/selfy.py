"""SELFY: spatio-temporal self-similarity (STSS) as generalised motion.

"Learning Self-Similarity in Space and Time as Generalized Motion for Video Action Recognition",
ICCV 2021. The layers are those of the authors' released code, which holds one configuration:
the defaults here. The text of the paper was not read. What the released code does not hold is
marked "our construction"; that the paper compares such variants is recollection, and how it lays
them out is not known here.

Shape legend: N clips, C channels, T frames, H rows, W columns, h = ceil(H / 2) and
w = ceil(W / 2) after the down-projection, L offsets, U x V window.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast

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
from mmaction_ext.ops.pointwise import pointwise
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides

DOWN_STRIDE = 2
EXTRACTIONS = ('conv', 'mlp', 'soft_argmax')
FUSIONS = ('add', 'multiply', 'concat')
RELUS = ('after_sum', 'none')
INTEGRATION_KERNELS = {
    'conv': (1, 3, 3),
    'pointwise': (1, 1, 1),
    'spatiotemporal': (3, 3, 3),
    'none': (1, 3, 3),
}


def _layer(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] = (0, 0, 0),
) -> nn.Sequential:
    conv = nn.Conv3d(in_channels, out_channels, kernel, stride, padding, bias=False)
    return nn.Sequential(
        OrderedDict(conv=conv, bn=nn.BatchNorm3d(out_channels), relu=nn.ReLU(inplace=True))
    )


class STSSTransformation(nn.Module):
    """From features to the STSS volume: similarities to the neighbours in space and time.

    Args:
        channels: ``C``.
        mid_channels: Channels after the down-projection.
        offsets: ``l``, frames between the two pixels of each similarity.
        window: Sides ``(U, V)`` of the window, vertical first.
    """

    def __init__(
        self, channels: int, mid_channels: int, offsets: tuple[int, ...], window: tuple[int, int]
    ) -> None:
        super().__init__()
        self.offsets, self.window = offsets, window
        self.conv = nn.Conv2d(channels, mid_channels, 3, DOWN_STRIDE, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(mid_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> cosine similarities (N, L, U*V, T, h, w), at least float32."""
        frames = x.transpose(1, 2).flatten(0, 1)  # copies nothing behind a 2-D backbone
        features = F.relu(self.bn(self.conv(frames)))
        features = features.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
        features = l2_normalize(widened(features))
        volume = local_correlation(features, self.offsets, self.window, scale=1.0)
        return volume.unflatten(1, (len(self.offsets), -1))


class STSSConvolution(nn.Module):
    """Extraction by convolutions over the window, the released one.

    Every pixel's (U, V) map of similarities is a sample. The first layer keeps its size, those
    between halve it, and the kernel of the last covers what remains. At 9 x 9 these are the
    released layers, with a last kernel of 3 x 3; other windows are our construction.

    Args:
        window: Sides ``(U, V)`` of the window.
        channels: Channels after each layer.
    """

    def __init__(self, window: tuple[int, int], channels: Sequence[int]) -> None:
        super().__init__()
        self.window, self.out_channels = window, channels[-1]
        widths, layers, size = (1, *channels), [], window
        for index in range(len(channels) - 1):
            step = 1 if index == 0 else 2
            layers.append(
                _layer(widths[index], widths[index + 1], (3, 3, 1), (step, step, 1), (1, 1, 0))
            )
            size = (size[0] + step - 1) // step, (size[1] + step - 1) // step
        layers.append(_layer(widths[-2], widths[-1], (*size, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, volume: Tensor) -> Tensor:
        """(B, U*V, T, h, w) -> (B, C_F, T, h, w), one sample for every b, t, y, x."""
        # (B, 1, U, V, T*h*w): the volume as it lies in memory. The pixels are an axis that no
        # kernel reaches along, so they need not become a huge batch of tiny maps.
        maps = volume.flatten(2).unflatten(1, (1, *self.window))
        maps = maps.to(next(self.layers.parameters()).dtype)
        convolutions, last = self.layers[:-1], cast(Any, self.layers[-1])
        # the last kernel covers the whole map: a product with all its values
        values = convolutions(maps).flatten(1, 3)[:, :, None, None]
        y = pointwise((values,), last.conv.weight.flatten(1)[..., None, None, None])
        return last.relu(last.bn(y)).flatten(1, 3).unflatten(-1, volume.shape[2:])


class STSSMLP(nn.Module):
    """Extraction by fully connected layers with BN and ReLU; our construction.

    As many layers as the convolutional extraction has, each as wide as its last one.

    Args:
        window: Sides ``(U, V)`` of the window.
        channels: Channels of the convolutional extraction.
    """

    def __init__(self, window: tuple[int, int], channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = channels[-1]
        widths = (window[0] * window[1], *[channels[-1]] * len(channels))
        self.layers = nn.Sequential(
            *(_layer(before, after, (1, 1, 1)) for before, after in pairwise(widths))
        )

    def forward(self, volume: Tensor) -> Tensor:
        """(B, U*V, T, h, w) -> (B, C_F, T, h, w)."""
        return self.layers(volume.to(next(self.layers.parameters()).dtype))


class STSSSoftArgmax(nn.Module):
    """Extraction of nothing but the displacement (dy, dx), 2 channels; our construction.

    Args:
        window: Sides ``(U, V)`` of the window.
        temperature: Divisor of the similarities before the softmax.
    """

    def __init__(self, window: tuple[int, int], temperature: float) -> None:
        super().__init__()
        self.window, self.temperature, self.out_channels = window, temperature, 2

    def forward(self, volume: Tensor) -> Tensor:
        """(B, U*V, T, h, w) -> (B, 2, T, h, w), in pixels of the down-projected map."""
        return soft_argmax(volume, self.window, self.temperature)


class STSSIntegration(nn.Module):
    """From the features of all offsets to the motion feature of the stage.

    Layers of each offset, shared between them; one layer over the channels of all offsets; and
    a strided transposed 1x1x1 convolution back to (C, H, W). The latter fills even rows and
    columns only. The others stay zero and count in the statistics of the last normalisation,
    as in the released code.

    Args:
        feature_channels: ``C_F``, channels the extraction gives for each offset.
        num_offsets: ``L``.
        channels: Channels after each of the shared layers, and last of the layer over all
            offsets.
        out_channels: ``C``.
        kind: ``'conv'``, ``'none'``, ``'pointwise'`` or ``'spatiotemporal'``; see :class:`SELFY`.
        zero_init: Start the last normalisation at zero.
    """

    def __init__(
        self,
        feature_channels: int,
        num_offsets: int,
        channels: Sequence[int],
        out_channels: int,
        kind: str,
        zero_init: bool,
    ) -> None:
        super().__init__()
        kernel = INTEGRATION_KERNELS[kind]
        padding = kernel[0] // 2, kernel[1] // 2, kernel[2] // 2
        widths = (feature_channels, *(() if kind == 'none' else channels[:-1]))
        self.shared = nn.Sequential(
            *(_layer(before, after, kernel, padding=padding) for before, after in pairwise(widths))
        )
        self.fuse = _layer(num_offsets * widths[-1], channels[-1], kernel, padding=padding)
        self.up = nn.ConvTranspose3d(
            channels[-1], out_channels, 1, stride=(1, DOWN_STRIDE, DOWN_STRIDE), bias=False
        )
        self.bn = nn.BatchNorm3d(out_channels)
        if zero_init:
            nn.init.zeros_(self.bn.weight)

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Features (N, L, C_F, T, h, w) and (T, H, W) -> (N, C, T, H, W)."""
        features = features.to(self.up.weight.dtype)  # the soft-argmax gives float32
        shared = self.shared(features.flatten(0, 1))
        folded = shared.unflatten(0, features.shape[:2]).flatten(1, 2)  # offsets, then channels
        return self.bn(self.up(self.fuse(folded), output_size=list(size)))


class SELFYBlock(nn.Module):
    """One block: transformation, extraction, integration, and fusion with its input.

    Args:
        transformation: From (N, C, T, H, W) to (N, L, U*V, T, h, w).
        extraction: From (B, U*V, T, h, w) to (B, C_F, T, h, w).
        integration: From (N, L, C_F, T, h, w) to (N, C, T, H, W).
        channels: ``C``.
        fusion: ``'add'``, ``'multiply'`` or ``'concat'``; see :class:`SELFY`.
        relu: ``'after_sum'`` or ``'none'``; see :class:`SELFY`.
    """

    def __init__(
        self,
        transformation: nn.Module,
        extraction: nn.Module,
        integration: nn.Module,
        channels: int,
        fusion: str,
        relu: str,
    ) -> None:
        super().__init__()
        self.transformation, self.extraction = transformation, extraction
        self.integration, self.fusion, self.relu = integration, fusion, relu
        if fusion == 'concat':
            self.concat = nn.Conv3d(2 * channels, channels, 1, bias=False)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d)):
                nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
        if fusion == 'concat':
            nn.init.dirac_(self.concat.weight.detach()[:, :channels])

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, C, T, H, W)."""
        volume = self.transformation(x)
        features = self.extraction(volume.flatten(0, 1))
        motion = self.integration(features.unflatten(0, volume.shape[:2]), x.shape[2:])
        fused = self._fuse(x, motion)
        return F.relu(fused) if self.relu == 'after_sum' else fused

    def _fuse(self, x: Tensor, motion: Tensor) -> Tensor:
        if self.fusion == 'concat':
            return pointwise((x, motion), self.concat.weight)
        return x + x * motion if self.fusion == 'multiply' else x + motion


@MODELS.register_module()
class SELFY(MotionModule):
    """Blocks that learn motion from the similarities of a pixel to its neighbours.

    A block halves the map by a strided convolution, takes the cosine similarity of every pixel
    to a U x V window around it in each of the frames ``t + l``, learns a feature from the
    (U, V) map of every pixel and offset, mixes pixels and offsets, and adds the result to its
    input. Similarities with pixels outside the map or the clip are zero.

    The defaults are the released setting, one block behind stage 3. The weights of the
    released checkpoint are those of a block here in the same order; each of its extraction
    kernels (out, in, 1, u, v) is (out, in, u, v, 1) here, a reshape.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        offsets: ``l``, frames between the two pixels, in any order; 0 is the frame itself. Sets
            other than ``(-k, ..., k)`` are our construction: the released code has no list.
        window: ``U = V``, or ``(U, V)``: rows and columns of the window, odd, from 3 on. The
            released code has 9; others are our construction.
        mid_channels: Channels after the down-projection.
        extraction: ``'conv'``, the released one; ``'mlp'``, see :class:`STSSMLP`; or
            ``'soft_argmax'``, see :class:`STSSSoftArgmax`. The latter two are our construction.
        extraction_channels: Channels after each convolution of the extraction.
        integration: ``'conv'``, 1x3x3 kernels, the released one. Our constructions: ``'none'``
            without the layers of each offset before the one over all of them; ``'pointwise'``
            with 1x1x1 kernels, so that no layer looks beyond its pixel; ``'spatiotemporal'``
            with 3x3x3 kernels.
        integration_channels: Channels after each layer of the integration but the last, which
            has those of the stage.
        fusion: ``'add'``: x + Z, the released one. Our constructions: ``'multiply'``, x + x * Z;
            ``'concat'``, a 1x1x1 convolution of x and Z, which starts by passing x on.
        relu: ``'after_sum'``: a ReLU on what the fusion gives, the released one, an identity at
            the start behind hosts whose stages end in a ReLU: ResNets with their 3-D kin, and
            X3D. ``'none'``: no ReLU, our construction for hosts whose stages end in a sum without
            one (ConvNeXt, ViT, Swin, MFNet), whose negative features it would cut off.
        num_blocks: Blocks after each stage, one behind the other. More than one is our
            construction.
        temperature: Divisor of the similarities before the softmax of ``'soft_argmax'`` and of
            :meth:`motion`. They lie in [0, 1], so 1 would leave nearly equal weights. The value
            is our construction.
        zero_init: Start as identity, as the released code; with ``relu='after_sum'`` on features
            that are not negative.

    Raises:
        InputError: If an argument is out of its range; the message names the value.
    """

    small: ClassVar = dict(
        offsets=(-1, 0, 1),
        window=3,
        mid_channels=8,
        extraction_channels=(2, 4, 4, 8),
        integration_channels=(8, 8, 8, 8),
    )

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        offsets: Sequence[int] = (-2, -1, 0, 1, 2),
        window: Window = 9,
        mid_channels: int = 128,
        extraction: str = 'conv',
        extraction_channels: Sequence[int] = (4, 16, 64, 64),
        integration: str = 'conv',
        integration_channels: Sequence[int] = (64,) * 4,
        fusion: str = 'add',
        relu: str = 'after_sum',
        num_blocks: int = 1,
        temperature: float = 0.01,
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        self.offsets, self.window = _check_offsets(offsets), window_sides(window, minimum=3)
        self.temperature = temperature
        _check_names(extraction, integration, fusion, relu)
        _check_counts(
            mid_channels=(mid_channels,),
            num_blocks=(num_blocks,),
            extraction_channels=extraction_channels,
            integration_channels=integration_channels,
        )
        check_positive('temperature', temperature)

        def build(channels: int) -> SELFYBlock:
            extract = _build_extraction(extraction, self.window, extraction_channels, temperature)
            return SELFYBlock(
                STSSTransformation(channels, mid_channels, self.offsets, self.window),
                extract,
                STSSIntegration(
                    extract.out_channels,
                    len(self.offsets),
                    integration_channels,
                    channels,
                    integration,
                    zero_init,
                ),
                channels,
                fusion,
                relu,
            )

        self.blocks = nn.ModuleDict(
            {
                str(stage): nn.Sequential(*(build(channels) for _ in range(num_blocks)))
                for stage, channels in self.in_channels.items()
            }
        )

    @property
    def min_frames(self) -> int:
        """One frame more than the longest offset, or that offset would never meet a frame."""
        return 1 + max(map(abs, self.offsets))

    def reach(self, stage: int) -> int:
        """Half the larger side of the window, in pixels of the stage's map."""
        self.block(stage)
        return DOWN_STRIDE * (max(self.window) // 2)

    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the blocks of ``stage``; see :meth:`MotionModule.forward`. Carries nothing.

        Raises:
            InputError: As :meth:`MotionModule.block_for`.
        """
        return self.block_for(x, stage)(x), ()

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """Where the first block of ``stage`` sees every pixel go, one map for each other frame.

        The soft-argmax of the STSS volume, at ``temperature``, and the similarity at its
        highest. Both are found on the down-projected map: 2 x 2 pixels share one value.

        Args:
            x: Features of shape (N, C, T, H, W), as ``forward`` gets them.
            stage: Number of the stage.

        Returns:
            Maps ``'t-2'``, ``'t+1'`` and so on, in the order of ``offsets`` without 0. Where
            ``t + l`` is outside the clip, displacement and confidence are 0.

        Raises:
            InputError: As :meth:`MotionModule.block_for`, or if the only offset is 0.
        """
        moving = [index for index, offset in enumerate(self.offsets) if offset]
        if not moving:
            raise InputError(f'offsets={self.offsets} look at no other frame: no motion to show')
        volume = self.block_for(x, stage)[0].transformation(x)[:, moving]
        displacement = soft_argmax(volume.flatten(0, 1), self.window, self.temperature)
        return Displacements(
            tuple(f't{self.offsets[index]:+d}' for index in moving),
            (tuple(range(x.shape[2])),) * len(moving),
            DOWN_STRIDE * _enlarge(displacement.unflatten(0, volume.shape[:2]), x),
            _enlarge(volume.amax(dim=2), x),
        )


def _build_extraction(
    name: str, window: tuple[int, int], channels: Sequence[int], temperature: float
) -> STSSConvolution | STSSMLP | STSSSoftArgmax:
    if name == 'soft_argmax':
        return STSSSoftArgmax(window, temperature)
    if name == 'mlp':
        return STSSMLP(window, channels)
    return STSSConvolution(window, channels)


def _enlarge(maps: Tensor, x: Tensor) -> Tensor:
    """(..., h, w) -> (..., H, W) of ``x``; row ``i`` of ``h`` is centred on row ``2 * i``."""
    for dim in (-2, -1):
        maps = maps.repeat_interleave(DOWN_STRIDE, dim).narrow(dim, 0, x.shape[dim])
    return maps


def _check_offsets(offsets: Sequence[int]) -> tuple[int, ...]:
    offsets = whole_numbers('offsets', offsets)
    if not offsets or len(set(offsets)) < len(offsets):
        raise InputError(
            f'offsets must hold at least one frame offset and none twice, got {offsets}'
        )
    return offsets


def _check_names(extraction: str, integration: str, fusion: str, relu: str) -> None:
    check_choice('extraction', extraction, EXTRACTIONS)
    check_choice('integration', integration, INTEGRATION_KERNELS)
    check_choice('fusion', fusion, FUSIONS)
    check_choice('relu', relu, RELUS)


def _check_counts(**arguments: Sequence[int]) -> None:
    for name, values in arguments.items():
        if not whole_numbers(name, values):
            raise InputError(f'{name} must hold at least one number, got {values!r}')
        for value in values:
            check_at_least(name, value, 1)
