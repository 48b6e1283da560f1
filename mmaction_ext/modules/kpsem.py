"""KPSEM: key point shifts embedding module.

"Effective Action Recognition with Embedded Key Point Shifts", sections 3 and 4.2. Numbers of
equations are those of the paper.

Shape legend: N clips, C channels, T frames, H rows, W columns, G sets of regions, K = s*s regions
of a frame, d_e embedding channels.
"""

import math
import random
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice, check_positive
from mmaction_ext.modules.base import KeyPoints, MotionModule
from mmaction_ext.ops import regional_key_points, regional_mean, soft_key_points
from mmaction_ext.ops.precision import wide_dtype

REGIONS = ('area', 'hard', 'soft')
GRIDS = ('shift', 'stretch')
OFFSET_BOUNDS = ('straight_through', 'tanh')


class AReSE(nn.Module):
    """All G adaptive regional shift extractors of one stage (section 3.3, equations 4 to 11).

    Args:
        channels: ``C``.
        num_regions: ``K``.
        num_sets: ``G``.
        adaptive: See :class:`KPSEM`, as for the following arguments.
        regions: ``'area'``, ``'hard'`` or ``'soft'``.
        grid: ``'shift'`` or ``'stretch'``.
        offset_hidden_channels: Width of a hidden layer, or None.
        offset_bound: ``'straight_through'`` or ``'tanh'``.
        temperature: Of ``regions='soft'``.
        generator: Draws the fixed splits; each stage takes the next ones.

    Attributes:
        offset_network: ``I`` of equation 4 for all sets; None for one region or fixed splits.
    """

    splits: Tensor

    def __init__(
        self,
        channels: int,
        num_regions: int,
        num_sets: int,
        adaptive: bool,
        regions: str,
        grid: str,
        offset_hidden_channels: int | None,
        offset_bound: str,
        temperature: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.side, self.num_sets = math.isqrt(num_regions), num_sets
        self.adaptive, self.grid, self.offset_bound = adaptive, grid, offset_bound
        self.regions, self.temperature = regions, temperature
        self.offset_network: nn.Module | None = None
        if not adaptive:
            splits = 2 * torch.rand(num_sets, 2, generator=generator, device='cpu') - 1
            self.register_buffer('splits', torch.empty(num_sets, 2).copy_(splits))
        elif num_regions > 1:
            self.offset_network = _offset_network(channels, num_sets, offset_hidden_channels)
            self.offset_network.requires_grad_(regions != 'hard')

    def forward(self, x: Tensor) -> KeyPoints:
        """Key points, their shifts and the weights of their regions.

        Args:
            x: Features ``F``, (N, C, T, H, W).

        Returns:
            Everything in float32, or in float64 for features in float64.

        Raises:
            InputError: If the map has fewer than s pixels along a side.
        """
        exact = wide_dtype(x.dtype)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        rows, columns = self._borders(x, exact)
        if self.regions == 'soft':
            points, values = soft_key_points(x, rows, columns, self.temperature)
        else:
            points, values = regional_key_points(x, rows, columns)  # equations 6 and 7
        points, values = points.to(exact), values.to(exact)
        shifts = key_point_shifts(points, values)
        weights = self._regional_weights(x, rows, columns, exact)
        return KeyPoints(points, values, shifts, weights, rows, columns)

    def _borders(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Borders of the regions, (N, G, T, s+1) for rows and for columns."""
        shape = (x.shape[0], self.num_sets, x.shape[2], 2)
        if not self.adaptive:
            bias = self.splits[None, :, None].expand(shape)
        elif self.offset_network is None:
            bias = x.new_zeros(shape)
        else:  # equation 4: B_i = I(F_i), (dy, dx) in pixels
            bias = self.offset_network(x.mean(dim=(3, 4)))
            bias = bias.unflatten(1, (self.num_sets, 2)).transpose(2, 3)
        rows, columns = bias.to(dtype).unbind(dim=3)
        return self._lines(rows, x.shape[3]), self._lines(columns, x.shape[4])

    def _lines(self, bias: Tensor, size: int) -> Tensor:
        """Equation 5, O_a = O + B, for all lines of the grid: (N, G, T) -> (N, G, T, s+1).

        The bias goes as far as every region keeps a pixel; that of a fixed split is a part of
        the way.
        """
        share = torch.arange(self.side + 1, dtype=bias.dtype, device=bias.device) / self.side
        inside = 1 - (2 * share - 1).abs()  # 0 at the edges of the map, 1 in the middle
        shift = self.grid == 'shift'
        limit = size / self.side - 1 if shift else (size - self.side) / 2
        bias = self._bounded(bias, limit) if self.adaptive else bias * limit
        return share * size + bias.unsqueeze(-1) * (inside.ceil() if shift else inside)

    def _bounded(self, bias: Tensor, limit: float) -> Tensor:
        if limit <= 0:  # every region has one pixel: there is nothing to choose
            return bias * 0
        if self.offset_bound == 'tanh':
            return limit * torch.tanh(bias / limit)
        return _ClampWithWayBack.apply(bias, limit)

    def _regional_weights(
        self, x: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype
    ) -> Tensor:
        """Equation 11: softmax over K of the regions' means over two frames."""
        means = regional_mean(x, rows, columns, self.regions == 'hard').to(dtype)  # P_R
        means = (means[..., :-1] + means[..., 1:]) / 2  # P_T
        return means.softmax(dim=2)  # G_k


class _ClampWithWayBack(torch.autograd.Function):
    """Clamp to [-limit, limit] whose gradient leads values beyond the limit back, not further."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limit = limit
        return x.clamp(-limit, limit)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        passes = (x.abs() <= ctx.limit) | (x * grad > 0)  # a step goes against the gradient
        return grad * passes, None


def _offset_network(channels: int, num_sets: int, hidden: int | None) -> nn.Module:
    """One network C -> 2 for each set, side by side, for (N, C, T)."""
    if hidden is None:
        return nn.Conv1d(channels, 2 * num_sets, 1)
    return nn.Sequential(
        nn.Conv1d(channels, hidden * num_sets, 1),
        nn.ReLU(),
        nn.Conv1d(hidden * num_sets, 2 * num_sets, 1, groups=num_sets),
    )


def key_point_shifts(points: Tensor, values: Tensor) -> Tensor:
    """Where the key points of each frame go until the next one (equations 8 to 10).

    A key point goes to the key points of all regions of the next frame, weighted by how like its
    value theirs are. The weights sum to one, so equations 8 and 10 are

        S_a = sum_b W_ab * (I'_b - I_a) = sum_b W_ab * I'_b - I_a

    which needs no differences of all pairs.

    Args:
        points: Coordinates ``I``, (N, G, K, C, T, 2).
        values: ``V``, (N, G, K, C, T).

    Returns:
        ``S``, (N, G, K, C, T-1, 2), in the unit of the coordinates.
    """
    here, there = values[..., :-1].unsqueeze(3), values[..., 1:].unsqueeze(2)
    weights = (1 / ((here - there).abs() + 0.1)).softmax(dim=3)  # equation 9
    coordinates = points[..., 1:, :].unsqueeze(2).unbind(dim=-1)
    target = torch.stack([(weights * c).sum(dim=3) for c in coordinates], dim=-1)
    return target - points[..., :-1, :]


class KPSEMBlock(nn.Module):
    """The module of one stage: extractors, multi-set embedding and dimension reduction.

    Args:
        channels: ``C``.
        out_channels: Channels after the reduction.
        num_regions: ``K``.
        num_sets: ``G``.
        embedding_channels: ``d_e``.
        sum_regions: See :class:`KPSEM`, as for the following arguments.
        relative_coordinates: Shifts in parts of the map instead of pixels.
        reduction_norm: Normalisation and ReLU between the convolutions.
        extractor_options: Further arguments of :class:`AReSE`.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        num_regions: int,
        num_sets: int,
        embedding_channels: int,
        sum_regions: bool,
        relative_coordinates: bool,
        reduction_norm: bool,
        **extractor_options: Any,
    ) -> None:
        super().__init__()
        self.sum_regions, self.relative_coordinates = sum_regions, relative_coordinates
        self.extractor = AReSE(channels, num_regions, num_sets, **extractor_options)
        self.embeddings = nn.ModuleList(nn.Linear(2, embedding_channels) for _ in range(num_sets))
        between = (nn.BatchNorm2d(out_channels), nn.ReLU()) if reduction_norm else ()
        self.reduction = nn.Sequential(
            _halving_convolution(channels, out_channels),
            *between,
            _halving_convolution(out_channels, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The temporal features of a stage.

        Args:
            x: Features ``F``, (N, C, T, H, W).

        Returns:
            Tensor of shape (N, out_channels * (T-1)).
        """
        found = self.extractor(x)
        rkps = found.weights.unsqueeze(-1) * found.shifts  # equation 12, (N, G, K, C, T-1, 2)
        if self.relative_coordinates:
            rkps = torch.stack((rkps[..., 0] / x.shape[3], rkps[..., 1] / x.shape[4]), dim=-1)
        if self.sum_regions:
            rkps = rkps.sum(dim=2, keepdim=True)
        # equation 3, (N, K or 1, C, T-1, d_e)
        embedded = sum(
            embed(shifts)
            for embed, shifts in zip(self.embeddings, rkps.to(x.dtype).unbind(dim=1), strict=True)
        )
        reduced = self.reduction(embedded.transpose(1, 2).flatten(2, 3))
        pooled = reduced.mean(dim=-1).unflatten(2, (-1, x.shape[2] - 1)).mean(dim=2)
        return pooled.flatten(1)


def _halving_convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Kernel (1, 3), stride (1, 2) of section 4.2; 24 becomes 6 after two with this padding."""
    return nn.Conv2d(in_channels, out_channels, (1, 3), (1, 2), (0, 1), bias=False)


@MODELS.register_module()
class KPSEM(MotionModule):
    """Key point shifts as temporal features beside those of the backbone.

    A branch: the features of its stages pass unchanged, and what it makes of them is a vector for
    the classifier (equation 1, see :class:`ConcatHead`) of ``out_channels * (T-1)`` values for
    each stage, T being the frames at that stage.

    Each frame is split into K regions by lines that G small networks move (equations 4 and 5).
    The largest value of a region in a channel is a key point (6, 7); it goes to the key points of
    the next frame that have a similar value (8 to 10). Shifts are weighted by the means of their
    regions (11, 12), embedded by one linear layer for each set (3), and reduced (section 4.2).

    Where the paper leaves a question open, an argument holds the answer; "counts" below are the
    8.11M parameters of Table 1, which the defaults meet within 0.2% (200 classes).

    **What trains the splits.** The key points (6, 7) and the pixels that belong to a region do not
    change when a line moves by less than a pixel, so the printed equations give the networks of
    equation 4 no gradient. "The MLPs are trained jointly with the network" needs one of the
    other ``regions``. Likewise a single region leaves the features themselves without a gradient
    from the branch, unless its key point is soft.

    **When a shift is the motion.** A texture that moves shifts its largest value by exactly its
    motion while that stays in view. With several regions equation 9 tells key points apart by
    their values alone: shifts are exact where maxima differ clearly, and a mean over the regions
    where they are nearly equal, as in noise.

    **At the start** the (linear) offset networks have PyTorch's own initial weights. Over these,
    lines lie around the even grid with a standard deviation of ``r / sqrt(3)`` pixels, where ``r``
    is the root mean square over the channels of a frame's mean features: the larger the features,
    the further off. They lie elsewhere in each set, but nearly alike in the frames of a clip,
    whose mean features are alike. Starting at the grid itself would give all sets the same key
    points, which a small gradient would not part for long. The backbone's own classification is
    what it was, for its features are.

    **Convolutions without bias.** A bias in the reduction would add the same numbers to the
    vectors of all clips, which the bias of the classifier does already. Section 4.2 names none,
    and the counts do not tell: it would be 192 parameters of 8.11M.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        num_regions: ``K``, a square number (section 4.1: 4). 1 means no split.
        num_sets: ``G`` (section 4.1: 8).
        embedding_channels: ``d_e`` (section 4.1: 24).
        out_channels: Channels after the reduction. ``C / 4`` when None: 96 of 384 (section 4.2).
        adaptive: Splits that depend on the frame. If not, those of Table 2b: each set has one
            split for all frames and clips, drawn evenly from all that leave every region a pixel,
            and kept (a buffer, so that checkpoints have it).
        split_seed: Seed of those splits, which do not depend on what else was drawn. When None it
            comes from the seed that torch was given (``torch.manual_seed``), which is that of the
            run: each seed of a row has splits of its own, all its processes have the same.
        regions: ``'area'``: key points as printed; the means of equation 11 over the area between
            the lines, of which a line may cut a part of a pixel. The same as ``'hard'`` where
            lines fall between pixels, and yet all of equation 11 trains the splits; therefore the
            default. ``'hard'``: everything as printed, over whole pixels; the offset networks are
            frozen, since nothing would train them. ``'soft'``: key points are expectations under
            a softmax in each region, so that equations 6 to 10 train the splits as well.
        grid: How a bias moves the lines of 9 or 16 regions; for 4 both are the same. ``'shift'``:
            all inner lines by the bias, as equation 5 adds it to the one centre. ``'stretch'``:
            the centre by the bias, and the other lines so that cells on either side stay even.
        offset_hidden_channels: Width of a hidden layer in each offset network. The paper says
            MLP; the counts leave no room for one on the whole map, nor for a wide hidden layer,
            so it is linear when None. It sees the mean of each frame, and is shared by all
            frames: clips may have any number of them.
        offset_bound: What keeps a bias from leaving a region without a pixel; the paper states no
            bound at all. ``'straight_through'``: the bias as it is up to there, and no further.
            A plain clamp gives a bias beyond no gradient, so that it would stay there for good;
            here a gradient that leads back passes as if there were no bound, and one that leads
            further out does not. ``'tanh'``: ``limit * tanh(bias / limit)``, smooth and with its
            own gradient, but nearer to the grid than equation 5 says, and in float32 without a
            gradient from about nine limits on, from where nothing would lead back.
        temperature: Of ``regions='soft'``, see :func:`soft_key_points`.
        sum_regions: Add up the regions behind equation 12, which gives the RKPS of section 3.2,
            C x (T-1) x G x 2. If not, regions are embedded and reduced one by one, and averaged
            at the end: K times the multiply-adds, and without ``reduction_norm`` the same
            function but for a factor K of the shifts, for all behind equation 12 is linear.
        relative_coordinates: Embed shifts in parts of the map. Equation 8 says coordinates; they
            are pixels by default.
        reduction_norm: Batch normalisation and ReLU between the two convolutions of the
            reduction; section 4.2 names neither.

    Raises:
        InputError: If an argument is out of its range; the message names the value.
    """

    small: ClassVar = dict(num_regions=4, num_sets=2, embedding_channels=8)
    #: A rounded feature may also choose another key point.
    bfloat16_error = 0.1

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        num_regions: int = 4,
        num_sets: int = 8,
        embedding_channels: int = 24,
        out_channels: int | None = None,
        adaptive: bool = True,
        split_seed: int | None = None,
        regions: str = 'area',
        grid: str = 'shift',
        offset_hidden_channels: int | None = None,
        offset_bound: str = 'straight_through',
        temperature: float = 0.1,
        sum_regions: bool = True,
        relative_coordinates: bool = False,
        reduction_norm: bool = False,
    ) -> None:
        super().__init__(in_channels)
        _check_counts(
            num_sets=num_sets,
            embedding_channels=embedding_channels,
            out_channels=out_channels,
            offset_hidden_channels=offset_hidden_channels,
        )
        _check_options(num_regions, regions, grid, offset_bound, temperature)
        if out_channels is None and min(self.in_channels.values()) < 4:
            raise InputError(
                'out_channels must be given for a stage of less than 4 channels, got '
                f'stages of {list(self.in_channels.values())}'
            )
        generator = torch.Generator('cpu').manual_seed(
            _run_seed() if split_seed is None else split_seed
        )
        self.blocks = nn.ModuleDict(
            {
                str(stage): KPSEMBlock(
                    channels,
                    out_channels or channels // 4,
                    num_regions,
                    num_sets,
                    embedding_channels,
                    sum_regions,
                    relative_coordinates,
                    reduction_norm,
                    adaptive=adaptive,
                    regions=regions,
                    grid=grid,
                    temperature=temperature,
                    offset_hidden_channels=offset_hidden_channels,
                    offset_bound=offset_bound,
                    generator=generator,
                )
                for stage, channels in self.in_channels.items()
            }
        )

    @property
    def min_frames(self) -> int:
        """A shift is between two frames."""
        return 2

    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the block of ``stage``; see :meth:`MotionModule.forward`.

        Returns:
            ``x`` itself, and the vectors (N, out_channels * (T-1)) of all stages so far.

        Raises:
            InputError: As :meth:`MotionModule.block_for`, or if the map has fewer pixels along a
                side than regions.
        """
        return x, (*carried, self.block_for(x, stage)(x))

    def embed(self, carried: tuple[Tensor, ...]) -> Tensor:
        """The vectors of all stages, one behind the other; see :meth:`MotionModule.embed`."""
        return torch.cat(carried, dim=1)

    def motion(self, x: Tensor, stage: int) -> KeyPoints:
        """The key points of all sets; see :meth:`MotionModule.motion`."""
        return self.block_for(x, stage).extractor(x)


def _run_seed() -> int:
    """A seed made of torch's, whose own numbers become the weights."""
    return random.Random(f'splits of seed {torch.initial_seed()}').getrandbits(63)


def _check_counts(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None:
            check_at_least(name, value, 1)


def _check_options(
    num_regions: int, regions: str, grid: str, offset_bound: str, temperature: float
) -> None:
    check_at_least('num_regions', num_regions, 1)
    if math.isqrt(num_regions) ** 2 != num_regions:
        raise InputError(f'num_regions must be a square number, got {num_regions}')
    check_choice('regions', regions, REGIONS)
    check_choice('grid', grid, GRIDS)
    check_choice('offset_bound', offset_bound, OFFSET_BOUNDS)
    check_positive('temperature', temperature)
