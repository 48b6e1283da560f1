"""What a run's numbers depend on, beside its config: code, data lists and first weights."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mmaction_ext
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tracking.identity import config_chain

#: what ``static.macs`` counts
COUNTER = (
    'multiply-adds of one view in convolutions, linear layers, matrix products and correlations'
)
#: where NVIDIA's kernel module names its version
DRIVER_FILE = Path('/proc/driver/nvidia/version')


def source_digests(names: Iterable[str] = ()) -> dict[str, str]:
    """SHA-256 of source files as they are.

    Args:
        names: what runs recorded beside this package's, see :func:`is_own`; those that are not
            found are left out.

    Returns:
        Digest of each module of this package, by its path beginning with ``mmaction_ext/``, and
        of those files.
    """
    package = Path(mmaction_ext.__file__).parent
    files = {
        path.relative_to(package.parent).as_posix(): path for path in sorted(package.rglob('*.py'))
    }
    files.update((name, path) for name in names if is_own(name) and (path := find_source(name)))
    return {name: file_sha256(path) for name, path in files.items()}


def is_own(name: str) -> bool:
    """Whether a source file that a run recorded is the user's own: none of this package."""
    return not name.startswith('mmaction_ext/')


def find_source(name: str) -> Path | None:
    """A source file of the user's, in the folder of the process or where Python finds modules.

    Args:
        name: as :func:`mmaction_ext.engine.own_sources.own_sources` gives it.
    """
    if os.path.isabs(name) or '..' in Path(name).parts:
        return None
    paths = (Path(folder, name) for folder in ('', *sys.path))
    return next((path for path in paths if path.is_file()), None)


def config_digests(path: Path | str) -> dict[str, str]:
    """SHA-256 of a config and of all that it inherits from, itself first.

    Files are named by their path from ``configs/`` on; those of another package as in ``_base_``
    (``mmaction::...``).

    Args:
        path: the config file.
    """
    return {name: file_sha256(file) for name, file in config_chain(path)}


def weights_file(path: str | None) -> dict[str, str | None] | None:
    """Path and digest of the file that a run starts from; an address has no digest."""
    if not path:
        return None
    return dict(path=path, sha256=file_sha256(path) if os.path.isfile(path) else None)


def gpus() -> dict[str, Any]:
    """The GPUs that this process sees, and what drives them.

    Returns:
        ``gpus``, their names in CUDA's order, ``num_gpus``, ``cuda``, the version that torch was
        built for, and ``driver``, the version of NVIDIA's. Without a GPU these are ``[]``, 0 and
        twice ``None``; so is a version that is not known.
    """
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return dict(
        gpus=names,
        num_gpus=len(names),
        cuda=torch.version.cuda if names else None,
        driver=_driver() if names else None,
    )


def _driver() -> str | None:
    try:
        text = DRIVER_FILE.read_text()
    except OSError:
        return None
    found = re.search(r'Kernel Module\s.*?(\d+(?:\.\d+)+)', text)
    return found[1] if found else None
