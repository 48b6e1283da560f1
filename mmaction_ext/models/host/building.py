"""From configs to backbones and motion modules, with the errors a user can act on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.modules import MotionModule

TIMM = 'timm.'


def is_timm(config: Mapping[str, Any]) -> bool:
    """Whether a backbone's config names a model of timm."""
    return str(config.get('type')).startswith(TIMM)


def build_backbone(config: dict[str, Any]) -> nn.Module:
    """Build a registered backbone, or timm's for ``'timm.<model>'``.

    Raises:
        InputError: If its type or, for timm, an argument is unknown.
    """
    if is_timm(config):
        return _build_timm(config['type'].removeprefix(TIMM), config)
    _find_class(config.get('type'), 'backbone')
    return MODELS.build(config)


def build_module(config: dict[str, Any], in_channels: Mapping[int, int]) -> MotionModule:
    """Build a registered motion module for stages of the given channels.

    Raises:
        InputError: If its type or an argument is unknown, or it is no motion module.
    """
    found = _find_class(config.get('type'), 'module')
    if not issubclass(found, MotionModule):
        raise InputError(f'module type {config["type"]!r} is no MotionModule')
    try:
        return MODELS.build(dict(config, in_channels=in_channels))
    except TypeError as error:  # an argument it does not have
        raise InputError(f'module {config["type"]!r}: {error}') from error


def _find_class(kind: str | type | None, role: str) -> type:
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise InputError(f'unknown {role} type {kind!r}{did_you_mean(kind, MODELS.module_dict)}')
    return found


def _build_timm(name: str, config: dict[str, Any]) -> nn.Module:
    """timm's model, which loads its ``checkpoint_path`` by ``init_weights``, if it has one.

    So other backbones load what they start from: a model that is looked at, tested or resumed
    needs no such file.
    """
    import timm  # slow to import, and only some hosts need it

    if not timm.is_model(name):
        raise InputError(f'unknown timm model {name!r}{did_you_mean(name, timm.list_models())}')
    arguments = {key: value for key, value in config.items() if key != 'type'}
    path = arguments.pop('checkpoint_path', None)
    if path:  # in the place of what timm would fetch
        arguments.pop('pretrained', None)
    try:
        backbone: Any = timm.create_model(name, num_classes=0, global_pool='', **arguments)
    except TypeError as error:  # an argument the model does not have
        raise InputError(f'timm model {name!r}: {error}') from error
    backbone.is_init = not path  # timm initialises, or loads what it fetches, while building
    if path:
        backbone.pretrained, backbone.init_weights = path, partial(load_timm, backbone, path)
    return backbone


def timm_weights(path: str) -> dict[str, Any]:
    """The weights in a file that timm can read, by timm's rules; no code in it is run.

    Raises:
        FileNotFoundError, RuntimeError: it is missing, damaged, or asks for more than weights.
    """
    from timm.models import load_state_dict

    return load_state_dict(path, weights_only=True)


def load_timm(backbone: Any, path: str) -> None:
    """Fill a backbone of timm's from a file, of which the classifier is left out.

    Args:
        backbone: the model, without classifier.
        path: a state dict, a checkpoint with one, safetensors, or NumPy's ``.npz`` where timm
            has a converter for the model.

    Raises:
        FileNotFoundError, RuntimeError: as :func:`timm_weights`; names or shapes are not all
            those of the model.
    """
    from timm.models import load_checkpoint

    if path.endswith(('.npz', '.npy')):
        load_checkpoint(backbone, path)
        return
    classifiers = backbone.pretrained_cfg.get('classifier') or ()
    left_out = tuple(
        f'{name}.' for name in ([classifiers] if isinstance(classifiers, str) else classifiers)
    )
    backbone.load_state_dict(
        {
            name: value
            for name, value in timm_weights(path).items()
            if not name.startswith(left_out)
        }
    )
