"""Which network a file is of, from its names and shapes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmaction_ext.engine.official_checkpoints.names import KINDS
from mmaction_ext.errors import InputError

_INTEGRATION_CHANNELS = 64


@dataclass(frozen=True)
class Network:
    """What a file says of its network.

    Attributes:
        settings: The keys by which the configs of a network differ, dotted, and their values.
        description: One line for people.
        remark: What the file leaves open; empty where that is nothing.
    """

    settings: dict[str, Any]
    description: str
    remark: str = ''


def identify(kind: str, weights: Mapping[str, Tensor], num_segments: int | None = None) -> Network:
    """Find the network of a file.

    Where a tensor is missing the usual network is assumed; :func:`convert` then lists it.

    Args:
        kind: Key of :data:`~mmaction_ext.engine.official_checkpoints.names.KINDS`.
        weights: With the names of the released code.
        num_segments: Frames of a clip, where they are known.

    Raises:
        InputError: If the file is of another kind, has a kernel that the released code cannot
            make, or does not go with ``num_segments``.
    """
    _check_kind(kind, weights)
    if kind == 'mfnet':
        if num_segments is not None:
            raise InputError('MFNet takes clips of any length: leave out --num-segments')
        classes = _size(weights, 'classifier.weight', 0, 400)
        return Network({'model.cls_head.num_classes': classes}, f'MFNet, {classes} classes')
    depth = _depth(weights)
    classes = _size(weights, 'new_fc.weight', 0, 174)
    read_block = _selfy if kind == 'selfy' else _tcm
    frames, settings, block, remark = read_block(weights, num_segments)
    return Network(
        {**_tsm(depth, classes, frames), **settings},
        f'TSM-ResNet-{depth}, {frames} frames, {classes} classes, {block}',
        '' if num_segments else remark,
    )


def _check_kind(kind: str, weights: Mapping[str, Tensor]) -> None:
    found = [each for each, mark in KINDS.items() if any(mark in name for name in weights)]
    if kind not in found:
        raise InputError(
            f'the file is none of {kind}: no name in it has {KINDS[kind]!r}'
            + ''.join(f', but {KINDS[each]!r} of {each}' for each in found)
        )


def _size(weights: Mapping[str, Tensor], name: str, axis: int, default: int) -> int:
    shape = weights[name].shape if name in weights else ()
    return shape[axis] if len(shape) > axis else default


def _depth(weights: Mapping[str, Tensor]) -> int:
    """The ResNet a file is nearest to; what does not fit is found when it is converted."""
    blocks = len(
        {match.group() for name in weights if (match := re.match(r'layer3\.\d+\.', name))}
    )
    if any(re.match(r'layer\d\.\d+\.conv3\.', name) for name in weights):
        return 101 if blocks > 6 else 50
    return 34 if blocks > 2 else 18


def _tsm(depth: int, classes: int, frames: int) -> dict[str, Any]:
    # at depth 101 mmaction2's own network shifts every other block, the released code each
    return {
        'input_shape': (3, frames, 224, 224),
        'model.backbone.num_segments': frames,
        'model.backbone.backbone.type': 'ResNetTSMEveryBlock' if depth == 101 else 'ResNetTSM',
        'model.backbone.backbone.depth': depth,
        'model.backbone.backbone.num_segments': frames,
        'model.cls_head.in_channels': 512 if depth < 50 else 2048,
        'model.cls_head.num_classes': classes,
        'model.cls_head.num_segments': frames,
    }


def _selfy(
    weights: Mapping[str, Tensor], frames: int | None
) -> tuple[int, dict[str, Any], str, str]:
    channels = _size(weights, 'selfy.stss_integration.conv3_fuse.1.weight', 1, 320)
    count = channels // _INTEGRATION_CHANNELS
    if count % 2 == 0:
        raise InputError(
            f'the fusing convolution of SELFY reads {channels} channels: that is not '
            f'{_INTEGRATION_CHANNELS} for each of an odd number of offsets'
        )
    half = count // 2
    if frames is not None and frames <= half:
        raise InputError(f'--num-segments {frames} is too few for offsets from -{half} to {half}')
    chosen = frames or max(16 if count == 9 else 8, half + 1)
    remark = (
        f'clips of {chosen} frames are assumed: {count} offsets do not tell; --num-segments does'
    )
    if count == 9:  # the released code has 5 for any length; the cost of 16 frames fits 9
        remark += ' (9 for clips of 16 frames is recalled of the paper, not read in it)'
    return (
        chosen,
        {'model.backbone.module.offsets': tuple(range(-half, half + 1))},
        f'SELFY with {count} offsets',
        remark,
    )


def _tcm(
    weights: Mapping[str, Tensor], frames: int | None
) -> tuple[int, dict[str, Any], str, str]:
    kernel = _size(weights, 'tcm_layer.tam.ETA.conv.weight', 2, 3)
    if kernel % 2 == 0 or kernel > 7:
        raise InputError(
            f'the gate of TCM has a kernel of {kernel}: the released code makes odd '
            'ones, 7 for 64 frames'
        )
    # the kernel is log2 of the frames, rounded down, then up to an odd number
    fewest, most = max(2, 2 ** (kernel - 1)), 2 ** (kernel + 1) - 1
    if frames is not None and not fewest <= frames <= most:
        raise InputError(
            f'--num-segments {frames} does not go with the gate of TCM: a kernel of '
            f'{kernel} is that of {fewest} to {most} frames'
        )
    chosen = frames or {3: 8}.get(kernel, fewest)
    remark = (
        f'clips of {chosen} frames are assumed: a gate of {kernel} is that of {fewest} to '
        f'{most}; --num-segments tells'
    )
    return (
        chosen,
        {'model.backbone.module.num_segments': chosen},
        f'TCM with a gate of {kernel}',
        remark,
    )
