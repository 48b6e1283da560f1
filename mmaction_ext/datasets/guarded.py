"""Data sets that say what happens when a video cannot be read in the middle of an epoch.

mmaction2's own raise whatever the decoder raises, and so do these by default. On demand they
replace the sample by another one, and mark it, so that
:class:`mmaction_ext.tracking.writing.hooks.RunLoggerHook` can name the file and count it: training
on fewer videos is never silent.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from mmaction_ext.datasets.frame_names import FrameNames, listed_names
from mmaction_ext.datasets.samples import sample_file
from mmaction_ext.errors import InputError

#: what to do about a video that cannot be read
POLICIES = ('stop', 'replace')
#: unreadable samples in a row after which training stops in any case
MAX_TRIES = 10
#: key of a sample's meta information: file that it stands in for, and what was wrong with it
REPLACED = 'replaced'


class Guard(BaseDataset):
    """Mix-in for a data set of mmaction2: ``on_error``.

    What counts as unreadable is an :class:`InputError` of the pipeline, as raised by
    ``VideoInit``, ``NamedRawFrameDecode`` and ``SampleSegments``; any other error is a
    programming error and passes. Which sample replaces another depends on numpy's random state
    alone: with ``SeedSample`` first in the pipeline, on seed, epoch and sample, so that a
    resumed run and a run on more processes replace alike.

    Args:
        on_error: ``'stop'`` or ``'replace'``. In test mode it is always ``'stop'``: a replaced
            sample would change what the metrics are taken over.

    Raises:
        InputError: ``on_error`` is something else; a video cannot be read (when stopping), or
            :data:`MAX_TRIES` in a row cannot (when replacing).
    """

    def __init__(self, *args: Any, on_error: str = 'stop', **kwargs: Any) -> None:
        if on_error not in POLICIES:
            raise InputError(f'on_error must be one of {", ".join(POLICIES)}, got {on_error!r}')
        self.on_error = on_error
        super().__init__(*args, **kwargs)

    @property
    def replaces(self) -> bool:
        """Whether samples that cannot be read are replaced."""
        return self.on_error == 'replace' and not self.test_mode

    def prepare_data(self, idx: int) -> Any:
        """Sample ``idx`` through the pipeline, or another one in its place."""
        try:
            return super().prepare_data(idx)
        except InputError as error:
            if not self.replaces:
                raise
            return self._replace(idx, error)

    def _replace(self, idx: int, error: InputError) -> Any:
        rng = np.random.default_rng(np.random.randint(2**31 - 1))
        for _ in range(MAX_TRIES - 1):
            try:
                data = super().prepare_data(int(rng.integers(len(self))))
            except InputError:
                continue
            mark = (sample_file(self.get_data_info(idx)), str(error))
            for sample in data if isinstance(data, list) else [data]:
                sample['data_samples'].set_metainfo({REPLACED: mark})
            return data
        raise InputError(f'{error}; {MAX_TRIES - 1} others in its place could not be read either')


@DATASETS.register_module()
class GuardedVideoDataset(Guard, VideoDataset):
    """mmaction2's ``VideoDataset`` with :class:`Guard`'s ``on_error``."""


@DATASETS.register_module()
class GuardedRawframeDataset(Guard, RawframeDataset):
    """mmaction2's ``RawframeDataset`` with :class:`Guard`'s ``on_error``.

    With the ``filename_tmpl`` and ``start_index`` of this project's configs, ``'{:05}.jpg'`` and
    1, frames are named as the report beside the list says; see
    :func:`mmaction_ext.datasets.frame_names.listed_names`.
    """

    filename_tmpl: str
    start_index: int

    def load_data_list(self) -> list[dict[str, Any]]:
        """The samples of the list."""
        names = listed_names(self.ann_file, FrameNames(self.filename_tmpl, self.start_index))
        self.filename_tmpl, self.start_index = names.filename_tmpl, names.start_index
        return super().load_data_list()


def replaced_samples(batch: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """``(file, what was wrong)`` for each replaced sample of a collated batch."""
    samples = (batch or {}).get('data_samples', ())
    return [sample.metainfo[REPLACED] for sample in samples if REPLACED in sample.metainfo]


def replaces_samples(dataset: Any) -> bool:
    """Whether a data set replaces samples, or one in a wrapper such as ``RepeatDataset``."""
    inner = [*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)]
    return bool(getattr(dataset, 'replaces', False)) or any(
        replaces_samples(each) for each in inner if each is not None
    )
