"""What a run's numbers depend on, beside its config: code, data lists and first weights."""

import hashlib
import os
import re
from pathlib import Path

import mmaction_ext
from mmaction_ext.tracking.identity import config_name
from mmaction_ext.tracking.ledger.files import file_sha256

#: what ``static.macs`` counts
COUNTER = ('multiply-adds of one view in convolutions, linear layers, matrix products and '
           'correlations')
#: where NVIDIA's kernel module names its version
DRIVER_FILE = Path('/proc/driver/nvidia/version')


def source_digests() -> dict:
    """SHA-256 of each module of this package, by its path beginning with ``mmaction_ext/``."""
    package = Path(mmaction_ext.__file__).parent
    return {path.relative_to(package.parent).as_posix(): file_sha256(path)
            for path in sorted(package.rglob('*.py'))}


def config_digests(path) -> dict:
    """SHA-256 of a config and of all that it inherits from, itself first.

    Files are named by their path from ``configs/`` on; those of another package as in ``_base_``
    (``mmaction::...``).

    Args:
        path: the config file.
    """
    from mmengine.config import Config
    digests, waiting = {}, [(f'configs/{config_name(path)}.py', str(path))]
    while waiting:
        name, file = waiting.pop(0)
        digests[name] = file_sha256(file)
        for base in Config._get_base_files(file):
            found, _ = Config._get_cfg_path(base, file)
            waiting.append((base if '::' in base else f'configs/{config_name(found)}.py', found))
    return digests


def data_lists(cfg: dict) -> dict:
    """The annotation lists of a config's splits.

    Args:
        cfg: resolved config.

    Returns:
        Split (``'train'``, ``'val'``, ``'test'``) to ``ann_file``, ``ann_sha256`` and
        ``num_samples``. Where a split is put together of several data sets, the names are joined
        with commas, the digest is of all files one after the other, and the samples are added up.
        Splits without a list, or whose list is missing, are left out.
    """
    lists = {}
    for split in ('train', 'val', 'test'):
        files = annotation_files((cfg.get(f'{split}_dataloader') or {}).get('dataset') or {})
        if files and all(os.path.isfile(file) for file in files):
            content = [Path(file).read_bytes() for file in files]
            lists[split] = dict(
                ann_file=','.join(files), ann_sha256=hashlib.sha256(b''.join(content)).hexdigest(),
                num_samples=sum(bool(line.strip()) for text in content
                                for line in text.splitlines()))
    return lists


def annotation_files(dataset: dict) -> list:
    """Paths of the annotation lists of a data set, also of those in wrappers.

    Args:
        dataset: config of the data set.
    """
    if dataset.get('ann_file'):
        return [os.path.join(dataset.get('data_root') or '', dataset['ann_file'])]
    inner = [*(dataset.get('datasets') or ()), dataset.get('dataset')]
    return [file for each in inner if isinstance(each, dict) for file in annotation_files(each)]


def weights_file(path: str | None) -> dict | None:
    """Path and digest of the file that a run starts from; an address has no digest."""
    if not path:
        return None
    return dict(path=path, sha256=file_sha256(path) if os.path.isfile(path) else None)


def gpus() -> dict:
    """The GPUs that this process sees, and what drives them.

    Returns:
        ``gpus``, their names in CUDA's order, ``num_gpus``, ``cuda``, the version that torch was
        built for, and ``driver``, the version of NVIDIA's. Without a GPU these are ``[]``, 0 and
        twice ``None``; so is a version that is not known.
    """
    import torch
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return dict(gpus=names, num_gpus=len(names), cuda=torch.version.cuda if names else None,
                driver=_driver() if names else None)


def _driver() -> str | None:
    try:
        text = DRIVER_FILE.read_text()
    except OSError:
        return None
    found = re.search(r'Kernel Module\s.*?(\d+(?:\.\d+)+)', text)
    return found[1] if found else None
