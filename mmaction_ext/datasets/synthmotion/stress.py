"""The data sets of the tables in ``configs/synthmotion/stress`` and ``hard``, one per preset."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mmaction_ext.datasets.synthmotion.generate import generate
from mmaction_ext.datasets.synthmotion.scenes import PRESETS
from mmaction_ext.errors import check_choice

ROOT = 'data/synthmotion_stress'
#: base clips of training, validation and test: of what is tested alone the 144 that hold every
#: combination of pair, size and speed equally often, and one of the splits that nobody uses
_TESTED = (1, 1, 144)
_TRAINED = MappingProxyType({'hard': (720, 144, 240), 'slow': (720, 1, 1), 'fast': (720, 1, 1)})
SETS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {name: _TRAINED.get(name, _TESTED) for name in PRESETS if name != 'default'}
)
"""Preset -> number of its base clips for training, validation and test."""


def generate_set(
    root: str | Path,
    name: str,
    workers: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Make a data set, or whatever of it is missing or damaged.

    Args:
        root: Folder of the folders ``size_3``, ``hard``, ...
        name: A key of :data:`SETS`.
        workers, progress, overwrite: As of :func:`generate`, which says what is raised.

    Returns:
        Its folder.

    Raises:
        InputError: If there is no such set.
    """
    check_choice('the stress set', name, SETS)
    train, val, test = SETS[name]
    return generate(
        Path(root, name),
        num_train=train,
        num_val=val,
        num_test=test,
        preset=name,
        workers=workers,
        progress=progress,
        overwrite=overwrite,
    )
