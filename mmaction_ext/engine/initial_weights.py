"""Which weights of a model the files really fill that its training starts from."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.model.weight_init import PretrainedInit
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.building import bare_timm, build_model
from mmaction_ext.models.host.building import timm_weights
from mmaction_ext.tracking.ledger.facts import weights_file

#: how many names a message shows
SHOWN = 3
#: how long a line of another's message may be
LENGTH = 200
#: in every weight before a file is loaded: finite, exact in half precision, and in no file
_UNTOUCHED = -(2.0**14)


@dataclass(frozen=True)
class Fit:
    """What a file fills of a part of the model.

    Attributes:
        source: The file.
        part: Name of the part in the model; empty for the whole.
        filled: Number of weights (tensors of floating point numbers) that it fills.
        total: Number of weights of the part.
        backbone_filled, backbone_total: The same of the backbone, where the part holds one; else
            of the part.
        missing: Names of weights that it does not fill.
        unused: Names in the file that are none of the part's.
        reshaped: Names that both have, in other shapes.
    """

    source: str
    part: str
    filled: int
    total: int
    backbone_filled: int
    backbone_total: int
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What is recorded of it."""
        return dict(
            **(weights_file(self.source) or {}),
            part=self.part or 'model',
            filled=self.filled,
            total=self.total,
            backbone_filled=self.backbone_filled,
            backbone_total=self.backbone_total,
        )

    def sentence(self) -> str:
        """``a.pth fills 120 of 122 weights of the model; not: cls_head.fc_cls.weight, ...``."""
        parts = [
            f'{self.source} fills {self.filled} of {self.total} weights of '
            f'{self.part or "the model"}'
        ]
        for title, names in (
            ('without', self.missing),
            ('of another shape', self.reshaped),
            ('unused of the file', self.unused),
        ):
            if names:
                more = ' ...' if len(names) > SHOWN else ''
                parts.append(f'{len(names)} {title}: {", ".join(names[:SHOWN])}{more}')
        return '; '.join(parts)


def check_fit(cfg: Config, model: nn.Module) -> list[Fit]:
    """Load what a training starts from, to see what it fills, before any time is spent.

    Args:
        cfg: Config whose ``load_from``, and whose model's ``Pretrained`` and ``pretrained``
            files, are read as the runner reads them; what lies at an address is fetched here, and
            kept for the runner.
        model: The config's model, on whatever device; its weights are not touched.

    Returns:
        A :class:`Fit` of each file.

    Raises:
        InputError: A file cannot be read or fetched, is refused by the part that loads it, fills
            nothing of the backbone, or fills weights with what is not finite.
    """
    fits = []
    for name, source, prefix, by_config in _pretrained_parts(model):
        part = build_model(cfg.model).get_submodule(name)
        load = PretrainedInit(source, prefix) if by_config else _init_alone
        fits.append(_measured(part, name, source, prefix, functools.partial(load, part)))
    path = bare_timm(cfg.model).get('checkpoint_path')
    if path:
        part = build_model(cfg.model).get_submodule('backbone')
        load_all = functools.partial(import_module('timm.models').load_checkpoint, part, path)
        fits.append(_measured(part, 'backbone', path, None, load_all))
    source = cfg.get('load_from')
    if names_weights(source):
        whole = build_model(cfg.model)
        fits.append(
            _measured(
                whole,
                '',
                source,
                None,
                lambda: load_checkpoint(
                    whole,
                    source,
                    map_location='cpu',
                    logger='silent',
                    revise_keys=[(r'^module\.', '')],
                ),
            )
        )
    for fit in fits:
        if not fit.backbone_filled:
            raise InputError(
                f'{cfg.filename} would not start from {fit.source}: nothing of it '
                f'fits the backbone; {fit.sentence()}'
            )
    return fits


def _pretrained_parts(model: nn.Module) -> list[tuple[str, str, str | None, bool]]:
    """Name, file, prefix in it, and whether ``init_cfg`` says so, of parts that start from one."""
    found = []
    for name, part in model.named_modules():
        inits = getattr(part, 'init_cfg', None) or ()
        found += [
            (name, init['checkpoint'], init.get('prefix'), True)
            for init in ([inits] if isinstance(inits, Mapping) else inits)
            if is_pretrained(init) and names_weights(init.get('checkpoint'))
        ]
        source = getattr(part, 'pretrained', None)
        if names_weights(source) and name not in {each[0] for each in found}:
            found.append((name, source, None, False))
    return found


def _init_alone(part: Any) -> None:
    """``init_weights`` of a part, which may inflate what it reads, without its submodules' own."""
    for module in part.modules():
        if module is not part and hasattr(module, 'init_weights'):
            module.init_weights = lambda: None
    part.init_weights()


def is_pretrained(init: Mapping[str, Any]) -> bool:
    """Whether a config is mmengine's ``Pretrained``: a class, or a name with scope or without."""
    kind = init.get('type')
    return kind is PretrainedInit or str(kind).rpartition('.')[2] in (
        'Pretrained',
        'PretrainedInit',
    )


def names_weights(source: Any) -> bool:
    """Whether a setting is a file or an address, not a switch or a name of timm's."""
    return isinstance(source, str) and source != '' and not source.startswith('timm.')


def _measured(
    part: nn.Module, name: str, source: str, prefix: str | None, load: Callable[[], Any]
) -> Fit:
    own = {key: value for key, value in part.state_dict().items() if value.is_floating_point()}
    for value in own.values():
        value.fill_(_UNTOUCHED)
    try:
        load()
    except AssertionError:  # mmengine's, where no name has the prefix
        pass
    except (LookupError, RuntimeError, OSError, ImportError) as error:
        raise InputError(
            f'{source} cannot be loaded into {name or "the model"}: {_reasons(error)}'
        ) from error
    for key, value in own.items():
        if not value.isfinite().all():
            raise InputError(
                f'{source} holds weights that are not finite, the first of them for '
                f'{f"{name}.{key}".lstrip(".")}'
            )
    filled = {key for key, value in own.items() if not (value == _UNTOUCHED).any()}
    core = {key for key in own if key.startswith('backbone.')} or set(own)
    theirs = _names(_content(part, source), prefix)
    same = {key for key, value in theirs.items() if key in own and isinstance(value, Tensor)}
    return Fit(
        source,
        name,
        len(filled),
        len(own),
        len(filled & core),
        len(core),
        tuple(key for key in own if key not in filled and key not in same),
        tuple(key for key in theirs if key not in part.state_dict()),
        tuple(
            f'{key} {tuple(theirs[key].shape)} for {tuple(own[key].shape)}'
            for key in own
            if key in same and key not in filled
        ),
    )


def _content(part: nn.Module, source: str) -> Any:
    if not hasattr(part, 'pretrained_cfg'):  # timm's have it
        return CheckpointLoader.load_checkpoint(source, 'cpu', logger='silent')
    return {} if source.endswith(('.npz', '.npy')) else timm_weights(source)


def _reasons(error: Exception) -> str:
    """The first of what torch lists in an error, a line each; the key that a file lacks."""
    if isinstance(error, LookupError):
        return f'it lacks {error}'
    title, *lines = str(error).strip().splitlines() or [type(error).__name__]
    more = f' ... ({len(lines)} in all)' if len(lines) > SHOWN else ''
    return '; '.join(_shortened(line.strip(' \t.')) for line in lines[:SHOWN] or [title]) + more


def _shortened(line: str) -> str:
    """Without most of a list of hundreds of names."""
    return line if len(line) <= LENGTH else f'{line[:LENGTH].rpartition(" ")[0]} ...'


def _names(content: Any, prefix: str | None) -> dict[str, Tensor]:
    """Weights by the names that mmengine looks for, those of a file with others among them."""
    state = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    names: dict[str, Any] = {
        str(key).removeprefix('module.'): value
        for key, value in state.items()
        if isinstance(value, Tensor)
    } or dict.fromkeys(map(str, state))
    return {
        key.removeprefix(prefix or ''): value
        for key, value in names.items()
        if key.startswith(prefix or '')
    }
