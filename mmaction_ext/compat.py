"""Cures for the defects that the host stack shows on today's torch and setuptools.

One function per defect, each naming its upstream issue, each a no-op where the defect is
gone. :func:`apply` runs them all and may be called any number of times; importing
``mmaction_ext.register`` does so before it touches mmaction2.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import json
import os.path as osp
import sys
import types
import warnings
from typing import Any

MIM_NAME = 'mmaction_ext'


def apply() -> None:
    """Mend every known defect of the installed mmaction2 / mmengine / torch."""
    silence_lite_build()
    provide_importlib_metadata()
    provide_drn()
    replace_pkg_resources()
    allow_mmengine_checkpoints()
    load_weights_only()
    format_configs_once()
    keep_scopes_from_functions()


def silence_lite_build() -> None:
    """Keep mmcv from warning, at every start, that its lite build lacks an operator."""
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')


def provide_importlib_metadata() -> None:
    """Let ``import importlib_metadata`` succeed.

    mmaction2 1.2.0 imports the back-port in ``mmaction/utils/dependency.py`` without
    declaring it (open-mmlab/mmaction2#2714 lists it among the wheel's faults); the
    standard library has held the same names since Python 3.8.
    """
    if importlib.util.find_spec('importlib_metadata') is None:
        sys.modules['importlib_metadata'] = importlib.metadata


def provide_drn() -> None:
    """Stand in for ``mmaction.models.localizers.drn``, missing from the 1.2.0 wheel.

    Without it ``import mmaction.models`` fails (open-mmlab/mmaction2#2714). The stand-in
    refuses to be built, so nobody trains a DRN that is not there.
    """
    package = 'mmaction.models.localizers.drn'
    spec = importlib.util.find_spec('mmaction')
    root, *_ = (spec and spec.submodule_search_locations) or ('',)
    if package in sys.modules or osp.exists(osp.join(root, 'models', 'localizers', 'drn')):
        return

    class DRN:
        """Placeholder of a localizer that the installed mmaction2 wheel lacks."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise ImportError(
                'DRN is missing from the installed mmaction2 wheel (open-mmlab/mmaction2#2714)'
            )

    for name in (package, f'{package}.drn'):
        module = types.ModuleType(name)
        vars(module).update(DRN=DRN, __path__=[])
        sys.modules[name] = module


def replace_pkg_resources() -> None:
    """Resolve ``_base_ = 'mmaction::...'`` without ``pkg_resources``.

    mmengine 0.10.7 asks ``pkg_resources`` where a package lies; setuptools 82 removed that
    module. ``mmaction_ext::...`` is made known as well: mmengine otherwise refuses every
    package outside its own list.
    """
    names = [f'mmengine.{name}' for name in ('utils.package_utils', 'utils', 'config.utils')]
    for name in (*names, 'mmengine.config.config', 'mmengine.hub.hub'):
        # the last imports torch: where nobody asked for it, it will import what is mended here
        if name != 'mmengine.hub.hub' or name in sys.modules:
            mend_module(importlib.import_module(name))


def mend_module(module: types.ModuleType) -> None:
    """Do what :func:`replace_pkg_resources` does, for one module of mmengine."""
    if 'MODULE2PACKAGE' in vars(module):
        module.MODULE2PACKAGE.setdefault(MIM_NAME, MIM_NAME)
    if importlib.util.find_spec('pkg_resources') is None:
        for function in (is_installed, get_installed_path):
            if function.__name__ in vars(module):
                setattr(module, function.__name__, function)


def is_installed(package: str) -> bool:
    """Whether a distribution or an importable module of that name exists.

    Args:
        package: distribution name (``mmaction2``) or module name (``mmaction``).
    """
    return _has_distribution(package) or importlib.util.find_spec(package) is not None


def get_installed_path(package: str) -> str:
    """Folder of an installed package, as mmengine's function of that name.

    Args:
        package: distribution name (``mmaction2``) or module name (``mmaction``).

    Raises:
        ModuleNotFoundError: nothing of that name is installed.
        RuntimeError: the name belongs to a namespace package.
    """
    names = [package] + _top_level_modules(package)
    specs = filter(None, (importlib.util.find_spec(name) for name in names))
    spec = next(specs, None)
    if spec is None:
        raise ModuleNotFoundError(f'{package} is not installed')
    if spec.origin is None:
        raise RuntimeError(f'{package} is a namespace package, which has no single folder')
    return osp.dirname(spec.origin)


def _has_distribution(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _top_level_modules(package: str) -> list[str]:
    if not _has_distribution(package):
        return []
    text = importlib.metadata.distribution(package).read_text('top_level.txt') or ''
    return text.split()


def allow_mmengine_checkpoints() -> None:
    """Allow-list the classes in mmengine's own checkpoints for weights-only loading.

    Since torch 2.6 ``torch.load`` refuses them, so ``--resume`` failed. Safe loading stays
    on: only the training-log buffer and plain numpy arrays and numbers are added. The buffer
    and the one-cycle scheduler also pickle methods of their own as ``getattr(cls, name)``; a
    ``getattr`` that can reach nothing else stands in for the builtin.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler import OneCycleParamScheduler

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return

    methods = {
        HistoryBuffer: ('min', 'max', 'mean', 'current'),
        OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
    }

    def known_method(owner: type, name: str) -> Any:
        if owner not in methods or name not in methods[owner]:
            raise ValueError(f'a checkpoint asks for {owner!r}.{name}, which is not allowed')
        return getattr(owner, name)

    core = importlib.import_module(
        'numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray'
    )
    dtypes = [type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', '?')]
    # checkpoints written under numpy 1 name the same functions by their old module
    old_names = [
        (getattr(core, name), f'numpy.core.multiarray.{name}')
        for name in ('_reconstruct', 'scalar')
    ]
    torch.serialization.add_safe_globals(
        [
            *methods,
            np.ndarray,
            np.dtype,
            core._reconstruct,
            core.scalar,
            *dtypes,
            *old_names,
            (known_method, 'builtins.getattr'),
        ]
    )


def load_weights_only() -> None:
    """Let mmengine load checkpoints of every scheme without running code that they may hold.

    mmengine 0.10.7 fetches ``http(s)://``, ``torchvision://``, ``open-mmlab://`` and ``mmcls://``
    by ``torch.hub``, which unpickles whatever it is given; other schemes depend on the default of
    ``torch.load``, which an environment variable changes. So do the weights of a
    ``torchvision.<network>`` backbone.
    """
    from mmengine.runner import checkpoint
    from torchvision.models import _api

    from mmaction_ext.checkpoint_file import load_address, load_plain

    class WeightsOnlyTorch(types.ModuleType):
        """``torch`` for the module whose loaders all call its ``load``."""

        load = staticmethod(load_plain)

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module('torch'), name)

    checkpoint.torch, checkpoint.load_url = WeightsOnlyTorch('torch'), load_address
    load = _api.load_state_dict_from_url
    if not isinstance(load, functools.partial):
        _api.load_state_dict_from_url = functools.partial(load, weights_only=True)


def format_configs_once() -> None:
    """Keep the text of a config once yapf has formatted it.

    mmengine 0.10.7 has it formatted again whenever it asks for ``Config.pretty_text``, which every
    log and every saved checkpoint does: a second of the processor or more each time.
    """
    from mmengine.config import config

    original = config.FormatCode
    if hasattr(original, '__wrapped__'):
        return

    @functools.lru_cache(8)
    def formatted(text: str, options: str) -> tuple[str, bool]:
        return original(text, **json.loads(options))

    @functools.wraps(original)
    def format_code(text: str, **options: Any) -> tuple[str, bool]:
        return formatted(text, json.dumps(options))

    config.FormatCode = format_code


def keep_scopes_from_functions() -> None:
    """Let the ``collate_fn`` and ``worker_init_fn`` of a loader be inherited from a package.

    mmengine 0.10.7 notes in them, as in all else that a config inherits so, the ``_scope_`` they
    come from, and hands it on to the functions, which know no such argument.
    """
    from mmengine.runner import Runner

    original = Runner.build_dataloader
    if hasattr(original, '__wrapped__'):
        return

    @functools.wraps(original)
    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(dataloader, dict):
            functions = {
                key: {name: value for name, value in dataloader[key].items() if name != '_scope_'}
                for key in ('collate_fn', 'worker_init_fn')
                if isinstance(dataloader.get(key), dict)
            }
            dataloader = type(dataloader)({**dataloader, **functions})
        return original(dataloader, *args, **kwargs)

    Runner.build_dataloader = staticmethod(build_dataloader)
