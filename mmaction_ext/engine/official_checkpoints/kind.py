"""What is known of the files of one network's released code, and what several of them share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmaction_ext.errors import InputError

Weights = Mapping[str, Tensor]

_INNER = r'backbone\.backbone\.'
#: Layers of mmaction2's ResNet in a ``MotionBackbone``, and torchvision's names of them.
RESNET = {
    r'cls_head\.fc_cls': 'new_fc',
    _INNER + r'conv1\.conv': 'conv1',
    _INNER + r'conv1\.bn': 'bn1',
    _INNER + r'(layer\d\.\d+)\.conv(\d)\.conv(?:\.net)?': r'\1.conv\2',
    _INNER + r'(layer\d\.\d+)\.conv(\d)\.bn': r'\1.bn\2',
    _INNER + r'(layer\d\.\d+\.downsample)\.conv': r'\1.0',
    _INNER + r'(layer\d\.\d+\.downsample)\.bn': r'\1.1',
}
#: Layers of a ``FrameResNet``, in a ``MotionBackbone`` or not, which has torchvision's names.
FRAME_RESNET = {
    r'cls_head\.fc_cls': 'new_fc',
    r'backbone\.(?:backbone\.)?((?:conv1|bn1|layer\d)(?:\..*)?)': r'\1',
}


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


@dataclass(frozen=True)
class Kind:
    """The files of one network's released code.

    Attributes:
        mark: Regular expression that some weight in a file has, in its name or its shape, as
            ``conv1.weight 64x3x7x7``, and none of another kind.
        configs: Configs below ``configs/`` that a file may be of; one that differs from all is
            written beside the weights.
        layers: From layers here, regular expressions, to their names in a file without the
            wrappers' prefixes, as ``re.Match.expand`` takes them.
        read: From the weights, by these names, and the frames of a clip, where they are known,
            to the network. It raises InputError if there is no such network, or several fit and
            the frames would tell. Where a tensor is missing the usual network is assumed.
        shape: From a weight's name here and its shape to the shape in a file; None where the two
            differ in axes of length 1 at most.
        block: Prefix of the names of a block whose layers are known by their order.
        unused: Regular expression of names that files have and no forward pass uses.
    """

    mark: str
    configs: tuple[str, ...]
    layers: Mapping[str, str]
    read: Callable[[Weights, int | None], Network]
    shape: Callable[[str, tuple[int, ...]], tuple[int, ...] | None] = lambda name, shape: None
    block: str = ''
    unused: str = r'(?!)'


def size(weights: Weights, name: str, axis: int, default: int) -> int:
    """Length of an axis of a weight, or a default where there is none."""
    shape = weights[name].shape if name in weights else ()
    return shape[axis] if len(shape) > axis else default


def refuse_frames(network: str, frames: int | None) -> None:
    """Refuse a number of frames that no file of a network depends on.

    Raises:
        InputError: If there is one.
    """
    if frames is not None:
        raise InputError(f'{network} takes clips of any length: leave out --num-segments')


def resnet_depth(weights: Weights) -> int:
    """The ResNet a file is nearest to; what does not fit is found when it is converted."""
    blocks = len(
        {match.group() for name in weights if (match := re.match(r'layer3\.\d+\.', name))}
    )
    if any(re.match(r'layer\d\.\d+\.conv3\.', name) for name in weights):
        return 101 if blocks > 6 else 50
    return 34 if blocks > 2 else 18


def tsm_settings(depth: int, classes: int, frames: int) -> dict[str, Any]:
    """How configs of a TSM-ResNet in a ``MotionBackbone`` differ."""
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


def segments_settings(
    network: str, depth: int, classes: int, frames: int | None, channels: int = 3
) -> dict[str, Any]:
    """How configs of a ``FrameResNet`` whose file tells nothing of the frames of a clip differ.

    Raises:
        InputError: If these are not known.
    """
    if frames is None:
        raise InputError(
            f'files of {network} do not tell the frames (or segments) of a clip, which its result '
            'depends on: give --num-segments, 8 or 16 in its released configurations'
        )
    side = 256 if classes == 400 else 224  # of what configs for Kinetics-400 test on
    return {
        'input_shape': (channels, frames, side, side),
        'model.backbone.depth': depth,
        'model.backbone.num_segments': frames,
        'model.cls_head.num_classes': classes,
        'model.cls_head.num_segments': frames,
    }
