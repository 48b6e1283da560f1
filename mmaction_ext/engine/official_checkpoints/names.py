"""Names of weights in the released code and here.

SELFY's and TCM's files have ``module.base_model.<torchvision's name in a ResNet>``, the block as
``selfy.`` or ``tcm_layer.`` beside it, and ``module.new_fc``, a 1x1 ``Conv1d``; networks without
dropout have ``base_model.fc1`` instead. MFNet's have ``module.<name>``.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from mmaction_ext.errors import InputError

#: Each network, and a part of a name that no other one has.
KINDS = {'selfy': 'selfy.', 'tcm': 'tcm_layer.', 'mfnet': '.conv_i1.'}

#: Last part of the names that torch before 0.4.1 did not write.
COUNTER = 'num_batches_tracked'

_BN = ('weight', 'bias', 'running_mean', 'running_var')
_INNER = r'backbone\.backbone\.'
_RESNET = {
    r'cls_head\.fc_cls': 'new_fc',
    _INNER + r'conv1\.conv': 'conv1',
    _INNER + r'conv1\.bn': 'bn1',
    _INNER + r'(layer\d\.\d+)\.conv(\d)\.conv(?:\.net)?': r'\1.conv\2',
    _INNER + r'(layer\d\.\d+)\.conv(\d)\.bn': r'\1.bn\2',
    _INNER + r'(layer\d\.\d+\.downsample)\.conv': r'\1.0',
    _INNER + r'(layer\d\.\d+\.downsample)\.bn': r'\1.1',
}


def _selfy_layers() -> dict[str, str]:
    layers = {
        'transformation.conv': 'stss_transformation.downsample.0',
        'transformation.bn': 'stss_transformation.downsample.1',
    }
    for part, theirs, count in (
        ('extraction.layers', 'stss_extraction', 4),
        ('integration.shared', 'stss_integration', 3),
    ):
        for index in range(count):
            layers[f'{part}.{index}.conv'] = f'{theirs}.conv{index}.0'
            layers[f'{part}.{index}.bn'] = f'{theirs}.conv{index}.1'
    layers.update(
        {
            'integration.fuse.conv': 'stss_integration.conv3_fuse.1',
            'integration.fuse.bn': 'stss_integration.conv3_fuse.2',
            'integration.up': 'stss_integration.upsample.0',
            'integration.bn': 'stss_integration.upsample.1',
        }
    )
    return {
        f'backbone.module.blocks.3.0.{ours}': f'selfy.{theirs}' for ours, theirs in layers.items()
    }


def _tcm_layers() -> dict[str, str]:
    layers = {'mtdm.conv': 'mtdm.chnl_reduction.0', 'mtdm.bn': 'mtdm.chnl_reduction.1'}
    # each convolution stands in a Sequential before its normalisation and its ReLU
    places = [
        ('conv1', 0),
        ('conv1', 3),
        ('conv1', 6),
        ('conv1', 9),
        ('conv2', 0),
        ('conv2', 3),
        ('conv3', 0),
        ('conv3', 3),
        ('conv4', 0),
        ('conv4', 3),
    ]
    for index, (group, position) in enumerate(places):
        layers[f'tam.transformation.{index}.conv'] = f'tam.{group}.{position}'
        layers[f'tam.transformation.{index}.bn'] = f'tam.{group}.{position + 1}'
    layers['tam.gate'] = 'tam.ETA.conv'
    return {
        f'backbone.module.blocks.3.{ours}': f'tcm_layer.{theirs}'
        for ours, theirs in layers.items()
    }


def _mfnet_layers() -> dict[str, str]:
    layers = {
        'cls_head.fc_cls': 'classifier',
        'backbone.backbone.stage1.conv': 'conv1.conv',
        'backbone.backbone.stage1.bn': 'conv1.bn',
        'backbone.backbone.tail.bn': 'tail.bn',
    }
    parts = {
        'multiplexer_in': 'conv_i1',
        'multiplexer_out': 'conv_i2',
        'conv1': 'conv_m1',
        'conv2': 'conv_m2',
        'shortcut': 'conv_w1',
    }
    for stage, depth in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for unit in range(depth):
            for ours, theirs in parts.items():
                for layer in ('bn', 'conv'):
                    layers[f'backbone.backbone.stage{stage}.{unit}.{ours}.{layer}'] = (
                        f'conv{stage}.B{unit + 1:02d}.{theirs}.{layer}'
                    )
    return layers


_LAYERS = {'selfy': _selfy_layers(), 'tcm': _tcm_layers(), 'mfnet': _mfnet_layers()}


def official_name(kind: str, name: str) -> str:
    """Name in the released code of a weight of this project's model.

    Args:
        kind: Key of :data:`KINDS`.
        name: Key of the state dict of a model of ``configs/{selfy,tcm,kpsem}``.

    Raises:
        ValueError: If the released network has nothing like it.
    """
    layer, _, leaf = name.rpartition('.')
    if layer in _LAYERS[kind]:
        return f'{_LAYERS[kind][layer]}.{leaf}'
    for pattern, replacement in _RESNET.items():
        match = re.fullmatch(pattern, layer)
        if match and kind != 'mfnet':
            return f'{match.expand(replacement)}.{leaf}'
    raise ValueError(f'{name} has no counterpart in the released code of {kind}')


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights without the wrappers' prefixes, the classifier always ``new_fc``.

    What stands before ``selfy.`` and ``tcm_layer.`` is dropped, wherever a file has the block.

    Raises:
        InputError: If two names become the same.
    """
    plain = {}
    for name, tensor in weights.items():
        short = re.sub(r'^(?:(?:module|base_model)\.)+', '', name)
        short = re.sub(r'^.*\.(?=(?:selfy|tcm_layer)\.)', '', short)
        short = re.sub(r'^fc1(?=\.)', 'new_fc', short)
        if short in plain:
            raise InputError(f'the file has {short} twice, once as {name}')
        plain[short] = tensor
    return plain


def released_names(kind: str, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Give the layers of a block the names of the released code, by their order, if need be.

    What is known of a block is its layers in their order; their names below ``selfy.`` and
    ``tcm_layer.`` are those of the released code. A block that shares no name with it is taken
    layer by layer, in the order of the file, if its tensors are of the same kinds in the same
    order. No such file is known: TCM's released models were trained with the released code.

    Args:
        kind: Key of :data:`KINDS`.
        weights: As :func:`plain_names` returns them.

    Returns:
        The weights, and whether layers were renamed.
    """
    theirs = [
        name for name in weights if name.startswith(KINDS[kind]) and not name.endswith(COUNTER)
    ]
    ours = _block_names(kind)
    if set(theirs) & set(ours) or _leaves(theirs) != _leaves(ours):
        return dict(weights), False
    layers = dict(zip(map(_layer, theirs), map(_layer, ours), strict=True))
    return {_rename(name, layers): tensor for name, tensor in weights.items()}, True


def _block_names(kind: str) -> list[str]:
    """Names of a block's weights in the released code, in its order, without the counters."""
    return [
        f'{theirs}.{leaf}'
        for ours, theirs in _LAYERS[kind].items()
        for leaf in (_BN if ours.endswith('.bn') else ('weight',))
    ]


def _leaves(names: Sequence[str]) -> list[str]:
    return [name.rpartition('.')[2] for name in names]


def _layer(name: str) -> str:
    return name.rpartition('.')[0]


def _rename(name: str, layers: Mapping[str, str]) -> str:
    layer, _, leaf = name.rpartition('.')
    return f'{layers[layer]}.{leaf}' if layer in layers else name
