"""RSA: relational self-attention, a convolution whose kernel and input are made of relations.

Kim, Kwon, Wang, Kwak and Cho, "Relational Self-Attention: What's Missing in Attention for Video
Understanding", NeurIPS 2021, arXiv 2111.01673. "The code" below is
github.com/KimManjin/RSA, commit c66d7be; symbols are those of the code. The text of the paper was
not read.

Shape legend: N clips, T frames, C channels, H rows, W columns, P = T * H * W positions, L queries,
D channels of a query, a key and a kernel, E = C / L channels of a value.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice, odd_sides
from mmaction_ext.modules.frames import FrameModule, ResidualCore
from mmaction_ext.ops import l2_normalize

#: Of a kernel, and of what it is applied to: basic, relational, the sum of both.
TYPES = ('V', 'R', 'VplusR')


class RelationalSelfAttention(nn.Module):
    """The core that stands in the place of a bottleneck's 3x3 convolution in RSANet.

    With q, k, v the query, key and value of a position, each of length one, and k[m], v[m] those
    of its neighbours m, zero outside the clip:

    - kernel of query l: ``K[l, d] = sum_c q[l, c] * (P1[c, d] + sum_m H1[c, d, m] * k[m, c])``;
    - relations of values, ``R[e, f] = I[e, f] + sum_m G[f, m] * v[m, e]``, and the context,
      ``C[f, d] = sum_e R[e, f] * sum_m H2[d, m] * v[m, e]``;
    - the output is ``sum_d K[l, d] * C[f, d]``, in channel ``f * L + l``. (The code names the axes
      of this product the other way round; its weights are for the order that it makes.)

    There is no bias and no normalisation.

    Args:
        channels: ``C``, of the input and of the output.
        num_queries: ``L``.
        query_channels: ``D``; ``C / L`` when None, as released.
        neighbourhood: Odd sides (frames, rows, columns) of the neighbourhood.
        kernel_type: ``'VplusR'``, as released; ``'R'`` without P1; ``'V'``: the query is the
            kernel, and there are no keys.
        feat_type: ``'VplusR'``, as released; ``'R'`` without I; ``'V'``: ``C[f, d]`` is the sum
            over the neighbours of the value f alone.

    Raises:
        InputError: If an argument is out of its range, or ``num_queries`` does not divide the
            channels.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_queries: int = 8,
        query_channels: int | None = None,
        neighbourhood: Sequence[int] = (5, 7, 7),
        kernel_type: str = 'VplusR',
        feat_type: str = 'VplusR',
    ) -> None:
        super().__init__()
        check_at_least('num_queries', num_queries, 1)
        if channels % num_queries:
            raise InputError(f'num_queries={num_queries} must divide the {channels} channels')
        check_choice('kernel_type', kernel_type, TYPES)
        check_choice('feat_type', feat_type, TYPES)
        sides = odd_sides('neighbourhood', neighbourhood)
        values = channels // num_queries
        width = values if query_channels is None else query_channels
        check_at_least('query_channels', width, 1)
        self.num_queries = num_queries
        self.P1: nn.Parameter | None = None
        self.I: nn.Parameter | None = None
        self.H1: nn.Module | None = None
        self.G: nn.Module | None = None
        self.split = (num_queries * width, 0 if kernel_type == 'V' else width, values)
        self.projection = nn.Conv3d(channels, sum(self.split), 1, bias=False)
        if kernel_type == 'VplusR':
            scale = math.sqrt(1 / (math.prod(sides) * width))
            self.P1 = nn.Parameter(scale * torch.randn(1, width, width))
        if kernel_type != 'V':
            self.H1 = _over_neighbours(width, width**2, sides)
        self.H2 = _over_neighbours(1, width, sides)
        if feat_type == 'VplusR':
            self.I = nn.Parameter(torch.eye(values)[None])
        if feat_type != 'V':
            self.G = _over_neighbours(1, values, sides)
        for convolution in self.modules():
            if isinstance(convolution, nn.Conv3d):
                nn.init.kaiming_normal_(convolution.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, frames: Tensor) -> Tensor:
        """Attend.

        Args:
            frames: (N, T, C, H, W).

        Returns:
            Of the same shape.
        """
        query, key, value = self.projection(frames.transpose(1, 2)).split(self.split, dim=1)
        query = l2_normalize(query.unflatten(1, (self.num_queries, -1)), dim=2).flatten(3)
        kernel = self._kernel(query, l2_normalize(key))
        out = torch.einsum('nldp,nfdp->npfl', kernel, self._context(l2_normalize(value)))
        n, t, _, h, w = frames.shape
        return out.reshape(n, t, h, w, -1).permute(0, 1, 4, 2, 3)

    def _kernel(self, query: Tensor, key: Tensor) -> Tensor:
        """(N, L, D, P) from queries (N, L, D, P) and keys (N, D, T, H, W)."""
        if self.H1 is None:
            return query
        relations = self.H1(key).flatten(2).unflatten(1, (key.shape[1], -1))  # (N, D, D, P)
        if self.P1 is not None:
            relations = relations + self.P1[..., None]
        return torch.einsum('nlcp,ncdp->nldp', query, relations)

    def _context(self, value: Tensor) -> Tensor:
        """(N, E, D, P) from values (N, E, T, H, W)."""
        maps = value.flatten(0, 1).unsqueeze(1)
        context = self.H2(maps).flatten(2).unflatten(0, value.shape[:2])  # (N, E, D, P)
        if self.G is None:
            return context
        relations = self.G(maps).flatten(2).unflatten(0, value.shape[:2])  # (N, E, E, P)
        if self.I is not None:
            relations = relations + self.I[..., None]
        return torch.einsum('nefp,nedp->nfdp', relations, context)


@MODELS.register_module()
class RSA(FrameModule):
    """Relational self-attention after one or more stages of a backbone.

    In its own network it stands in the place of convolutions (``RSANet``). After a stage, its
    output is normalised and added to the features: our construction, see ``ResidualCore``.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        num_queries: See :class:`RelationalSelfAttention`, as for the following.
        query_channels: ``D``.
        neighbourhood: Sides of the neighbourhood.
        kernel_type: Of the kernel.
        feat_type: Of the context.
        zero_init: Start the normalisation at zero: a new block is the identity.

    Raises:
        InputError: If an argument is out of its range, or ``num_queries`` does not divide the
            channels of a stage.
    """

    small: ClassVar = dict(num_queries=4, neighbourhood=(3, 3, 3))

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        num_queries: int = 8,
        query_channels: int | None = None,
        neighbourhood: Sequence[int] = (5, 7, 7),
        kernel_type: str = 'VplusR',
        feat_type: str = 'VplusR',
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            core = RelationalSelfAttention(
                channels,
                num_queries=num_queries,
                query_channels=query_channels,
                neighbourhood=neighbourhood,
                kernel_type=kernel_type,
                feat_type=feat_type,
            )
            self.blocks[str(stage)] = block = ResidualCore(core, channels)
            if not zero_init:
                nn.init.ones_(block.bn.weight)


def _over_neighbours(channels: int, out_channels: int, sides: tuple[int, int, int]) -> nn.Conv3d:
    """A convolution of each channel by itself, over its neighbourhood."""
    return nn.Conv3d(
        channels,
        out_channels,
        sides,
        padding=(sides[0] // 2, sides[1] // 2, sides[2] // 2),
        groups=channels,
        bias=False,
    )
