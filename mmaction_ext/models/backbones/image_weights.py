"""Weights of image networks for video networks: where they are, and how they are inflated."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor, nn

from mmaction_ext.checkpoint_file import find_weights, load_address, load_plain
from mmaction_ext.errors import InputError, last_line

_LISTED = 8
_CLASSIFIERS = ('fc.', 'last_linear.')


class ImageStart(BaseModule):
    """A network that may start from the weights of an image network of the same layout.

    Args:
        pretrained: Image weights, see :func:`load_image_weights`; None for none.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: If both load weights.
    """

    def __init__(
        self, pretrained: str | None, init_cfg: dict[str, Any] | list[dict[str, Any]]
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.pretrained = pretrained
        if pretrained is not None and self._loads_by_init_cfg():
            raise InputError(
                f'pretrained={pretrained!r} and init_cfg={init_cfg} both load weights: give one'
            )

    def init_weights(self) -> None:
        """Initialise; then load the image weights of ``pretrained``, if any.

        Raises:
            InputError: If these do not fit; the message lists the names.
        """
        fresh = not self.is_init
        super().init_weights()
        if not fresh or self._loads_by_init_cfg():
            return
        self.init_blocks()
        if self.pretrained is not None:
            weights = load_image_weights(self.pretrained)
            kept = {name: value for name, value in weights.items() if not self.leaves_out(name)}
            inflate(self, kept, self.image_name, self.pretrained)

    def init_blocks(self) -> None:
        """Initialise what starts in another way than ``init_cfg`` says."""

    def image_name(self, name: str) -> str | None:
        """Name in the image network of a weight of this one, or None if images lack it."""
        return name

    def leaves_out(self, name: str) -> bool:
        """Whether a weight of the image network, not of its classifier, has no place here."""
        return False

    def _loads_by_init_cfg(self) -> bool:
        configs = [self.init_cfg] if isinstance(self.init_cfg, dict) else self.init_cfg
        return any(config['type'] in ('Pretrained', PretrainedInit) for config in configs)


def load_image_weights(source: str) -> dict[str, Tensor]:
    """State dict of an image network, without running any code that a file may hold.

    Args:
        source: ``'torchvision://<model>'`` or ``'torchvision://<model>.<weights>'``,
            ``'timm.<model>.<tag>'``, a URL, or a local file (a state dict, or a checkpoint with
            one under ``'state_dict'``). All but a file may use the internet, once: torch and
            timm keep what they fetched.

    Returns:
        Weights on the CPU by name.

    Raises:
        InputError: If there is no such model or file, or the file is damaged, asks for more than
            tensors and plain data, or holds no weights.
    """
    if source.startswith('timm.'):
        return _load_timm(source.removeprefix('timm.'))
    url = _torchvision_url(source) if source.startswith('torchvision://') else source
    if url.startswith(('http://', 'https://')):
        state = load_address(url)
    else:
        state = load_plain(os.path.expanduser(url))
    return find_weights(state, source)


def inflate(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    image_name: Callable[[str], str | None],
    source: str,
) -> None:
    """Load weights of an image network into a video network of the same layout.

    A k x k kernel becomes 1 x k x k: every frame is seen as an image. Only the classifier,
    ``fc.*`` or ``last_linear.*``, may be left over, and only counters of batches,
    ``num_batches_tracked``, and what images do not have may be missing.

    Args:
        network: The video network.
        weights: State dict of the image network.
        image_name: From a name in the video network to the one in ``weights``, or to None for
            what images do not have.
        source: Where the weights are from, for messages.

    Raises:
        InputError: If a weight is missing, left over or of another shape; the message lists
            the names. The network is unchanged then.
    """
    own = network.state_dict()
    names = {name: image_name(name) for name in own}
    found = {
        name: _fitted(weights[image], value)
        for name, value in own.items()
        if (image := names[name]) is not None and image in weights
    }
    problems: dict[str, list[Any]] = {
        'missing': [
            image
            for name, image in names.items()
            if image is not None and name not in found and not name.endswith('num_batches_tracked')
        ],
        'left over': [
            name
            for name in weights
            if name not in names.values() and not name.startswith(_CLASSIFIERS)
        ],
        'of another shape': [
            names[name] for name, value in found.items() if value.shape != own[name].shape
        ],
    }
    told = '; '.join(f'{kind}: {_list(listed)}' for kind, listed in problems.items() if listed)
    if told:
        raise InputError(f'the weights of {source} are not those of this network: {told}')
    network.load_state_dict(found, strict=False)


def _fitted(weight: Tensor, target: Tensor) -> Tensor:
    """A weight in the shape of another one that differs in axes of length 1 alone."""
    ours, theirs = ([side for side in each.shape if side != 1] for each in (target, weight))
    return weight.reshape(target.shape) if ours == theirs else weight


def _list(names: list[str]) -> str:
    more = f' and {len(names) - _LISTED} more' if len(names) > _LISTED else ''
    return ', '.join(names[:_LISTED]) + more


def _load_timm(name: str) -> dict[str, Tensor]:
    import timm  # slow to import, and only some networks need it

    if not timm.is_model(name):
        raise InputError(f'unknown timm model {name!r}')
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except RuntimeError as error:  # timm's word for a model without weights or an unknown tag
        raise InputError(f'timm has no weights for {name!r}: {last_line(error)}') from error


def _torchvision_url(source: str) -> str:
    from mmengine.runner.checkpoint import get_torchvision_models

    urls = get_torchvision_models()
    name = source.removeprefix('torchvision://')
    if name not in urls:
        raise InputError(f'torchvision has no weights for {name!r}')
    return urls[name]
