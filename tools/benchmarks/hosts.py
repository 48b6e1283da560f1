"""Whole networks to measure, and the exchange of the operators under their modules.

Each module is on its paper's backbone and on SynthMotion's host, as in the rows of tables.
"""

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

import peers
import torch
from common import CHECKOUT
from sizes import CorrelationSize
from torch import Tensor, nn

import mmaction_ext.register  # noqa: F401  what configs name
from mmaction_ext import ops
from mmaction_ext.engine.run_config import read_config
from mmaction_ext.models.building import build_model
from mmaction_ext.ops.correlation.choice import IMPLEMENTATIONS
from mmaction_ext.ops.keypoint.borders import keep_apart, pixel_borders
from mmaction_ext.ops.keypoint.regions import MAXIMA_IMPLEMENTATIONS, MEAN_IMPLEMENTATIONS

#: What ``shift_loop`` puts in the place of an operator: loops, or masks.
SHIFT_LOOP = 'shift_loop'


class Host(NamedTuple):
    """A network with a module.

    Attributes:
        config: its config, below ``configs``.
        module: its type in the config, in small letters.
        clips: how many a step takes.
    """

    config: str
    module: str
    clips: int


#: modules of torch's own operators, under which nothing is exchanged, to their rows
WITHOUT_OPERATORS = {
    'rsa': 'rsa',
    'motionexcitation': 'tea',
    'longtermtdm': 'tdn',
    'tadaconv': 'tadaconv',
    'ct': 'ctnet',
    'cgnl': 'cgnl',
    'cgd': 'cgd',
    'conv3d': 'conv3d',
}
HOSTS = {
    'synthmotion_dcf': Host('synthmotion/dcf/table1_components/full.py', 'dcf', 8),
    'synthmotion_tcm': Host('synthmotion/tcm/ablation_components/full.py', 'tcm', 8),
    'synthmotion_motionsqueeze': Host('synthmotion/cross/motion_squeeze.py', 'motionsqueeze', 8),
    'synthmotion_correlationblock': Host(
        'synthmotion/cross/correlation_block.py', 'correlationblock', 8
    ),
    'synthmotion_selfy': Host('synthmotion/selfy/ablation_offsets/two.py', 'selfy', 8),
    'synthmotion_kpsem': Host('synthmotion/kpsem/table2a_regions/kpsem.py', 'kpsem', 8),
    **{
        f'synthmotion_{module}': Host(f'synthmotion/cross/{name}.py', module, 8)
        for module, name in WITHOUT_OPERATORS.items()
    },
    **{
        f'synthmotion_conv3d_{axis}': Host(f'synthmotion/cross/conv3d_{axis}.py', 'conv3d', 8)
        for axis in ('space', 'time')
    },
    'x3d_dcf': Host('dcf/table1_components/full.py', 'dcf', 2),
    'r2plus1d_dcf': Host('dcf/table3_backbones/dcf_r50_8f.py', 'dcf', 1),
    'tsm_tcm': Host('tcm/table_sthv1/tcm_r50_8f.py', 'tcm', 1),
    'tsm_motionsqueeze': Host('rivals/sthv1/msnet_r50_8f.py', 'motionsqueeze', 1),
    'r2plus1d_correlationblock': Host(
        'cross/sthv1/r2plus1d_r50/correlation_block.py', 'correlationblock', 1
    ),
    'tsm_selfy': Host('selfy/table1_sthv1/selfy_tsm_r50_8f.py', 'selfy', 1),
    'mfnet_kpsem': Host('kpsem/table1_mini_kinetics/mf_kpsem.py', 'kpsem', 1),
}


def host_config(host: Host) -> Any:
    """The config of a network with its module."""
    return read_config(CHECKOUT / 'configs' / host.config)


def without_module(model: Mapping[str, Any]) -> dict[str, Any]:
    """The network of a config without its module, and without a head that asks for its vector."""
    head = model['cls_head']
    return dict(
        model,
        backbone=dict(model['backbone'], module=None, stages=()),
        cls_head=head['head'] if head['type'] == 'ConcatHead' else head,
    )


def built(model: Mapping[str, Any]) -> Any:
    """A network in training mode, the same whenever it is built.

    Its last normalisations do not start at zero, where a module would add nothing.
    """
    torch.manual_seed(0)
    network = build_model(model).train()
    with torch.no_grad():
        for each in network.modules():
            if isinstance(each, nn.modules.batchnorm._BatchNorm):
                each.weight.masked_fill_(each.weight == 0, 0.5)
    return network


def views(network: Any, shape: tuple[int, ...], clips: int, seed: int = 0) -> dict[str, Any]:
    """Random clips of a network's shape (C, T, H, W), as a loader hands them over."""
    from mmaction.models import Recognizer2D
    from mmaction.structures import ActionDataSample

    generator = torch.Generator().manual_seed(seed)
    made = torch.randint(256, (clips, *shape), generator=generator, dtype=torch.uint8)
    is_2d = isinstance(network, Recognizer2D)
    return dict(
        inputs=list(made.transpose(1, 2) if is_2d else made.unsqueeze(1)),
        data_samples=[ActionDataSample().set_gt_label(clip % 2) for clip in range(clips)],
    )


@contextlib.contextmanager
def swapped(implementation: str) -> Iterator[None]:
    """Let the modules call their operators by an implementation.

    Args:
        implementation: a name of the operator's, ``'portable'``, which is ``'auto'`` where it has
            no such name, or ``SHIFT_LOOP``.
    """
    files = [file for name, file in sys.modules.items() if name.startswith(_CALLERS)]
    with contextlib.ExitStack() as stack:
        for file, (name, known) in itertools.product(files, _OPERATORS.items()):
            if hasattr(file, name):
                function = _exchanged(name, known, implementation)
                stack.enter_context(mock.patch.object(file, name, function))
        yield


#: files whose operators are exchanged; the last is an operator made of one of them
_CALLERS = ('mmaction_ext.modules.', 'mmaction_ext.ops.correlation.grouped')
_OPERATORS = dict(
    local_correlation=IMPLEMENTATIONS,
    pair_correlation=IMPLEMENTATIONS,
    regional_key_points=MAXIMA_IMPLEMENTATIONS,
    regional_mean=MEAN_IMPLEMENTATIONS,
)


def _exchanged(name: str, known: tuple[str, ...], implementation: str) -> Callable[..., Any]:
    if implementation == SHIFT_LOOP:
        return _PEERS[name]
    own = implementation if implementation in known else 'auto'
    return functools.partial(getattr(ops, name), implementation=own)


def has(module: str, implementation: str) -> bool:
    """Whether the operators of a module know an implementation."""
    if module in WITHOUT_OPERATORS:
        return implementation == 'auto'
    known = MAXIMA_IMPLEMENTATIONS if module == 'kpsem' else IMPLEMENTATIONS
    return implementation in (*known, 'portable', SHIFT_LOOP)


def _local(
    x: Tensor,
    offsets: tuple[int, ...],
    window: tuple[int, int],
    dilation: int | tuple[int, ...] = 1,
    clip_border: str = 'zeros',
    scale: float | None = None,
) -> Tensor:
    assert clip_border == 'zeros' and window[0] == window[1]
    dilations = (dilation,) * len(offsets) if isinstance(dilation, int) else dilation
    n, c, t, h, w = x.shape
    size = CorrelationSize('', (n, c, t, h, w), offsets, dilations, window[0])
    volume = peers.local_of(peers.pair_shift_loop, size)(x)
    return volume if scale is None else volume * (scale * x.shape[1] ** 0.5)


def _pair(
    queries: Tensor,
    keys: Tensor,
    window: tuple[int, int],
    dilation: int = 1,
    scale: float | None = None,
) -> Tensor:
    assert window[0] == window[1]
    scale = queries.shape[1] ** -0.5 if scale is None else scale
    return peers.pair_shift_loop(queries * scale, keys, window[0], dilation)


def _key_points(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    height, width = x.shape[-2:]
    whole = pixel_borders(rows, height).to(x.dtype), pixel_borders(columns, width).to(x.dtype)
    values, indices = peers.region_maxima(x, *whole)
    return torch.stack((indices // width, indices % width), -1), values


def _means(x: Tensor, rows: Tensor, columns: Tensor, whole_pixels: bool = False) -> Tensor:
    place = pixel_borders if whole_pixels else keep_apart
    height, width = x.shape[-2:]
    lines = place(rows, height).to(x.dtype), place(columns, width).to(x.dtype)
    return peers.region_means(x, *lines)


_PEERS: dict[str, Callable[..., Any]] = dict(
    local_correlation=_local,
    pair_correlation=_pair,
    regional_key_points=_key_points,
    regional_mean=_means,
)


def distance(found: list[Tensor], truth: list[Tensor]) -> float:
    """Length of the difference of tensors over the length of the truth, taken as one vector."""
    apart = sum(
        (a.double() - b.double()).square().sum().item() for a, b in zip(found, truth, strict=True)
    )
    length = sum(each.double().square().sum().item() for each in truth)
    relative = (apart / length) ** 0.5 if length else float('inf')
    return relative if relative == relative else float('inf')
