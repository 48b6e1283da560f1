"""What a data set that is built says of its samples. Torch-free."""

import functools
import hashlib
import os
from typing import Any


def sample_file(info: dict[str, Any]) -> str:
    """File or folder of a sample, from its ``get_data_info``."""
    return info.get('filename') or info['frame_dir']


def sample_name(info: dict[str, Any]) -> str:
    """Last two parts of the path of a sample's video or frame folder.

    Args:
        info: what mmaction2's data sets know about the sample.
    """
    return '/'.join(sample_file(info).split('/')[-2:])


@functools.lru_cache(maxsize=1)
def data_digest(dataset: Any) -> str:
    """Digest of which samples a dataset holds: names, labels, and sizes of the files.

    Contents are not read, so that it costs one ``stat`` per video; a data set that was made
    with another seed or another encoder has other sizes. The digest of one and the same object is
    not taken twice.

    Args:
        dataset: mmaction2's ``VideoDataset`` or ``RawframeDataset``.
    """
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = sample_file(info)
        size = os.path.getsize(path) if os.path.isfile(path) else info.get('total_frames')
        digest.update(f'{sample_name(info)} {info["label"]} {size}\n'.encode())
    return digest.hexdigest()
