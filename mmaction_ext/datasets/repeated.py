"""Videos of which one reading gives several samples of a batch ("repeated augmentation").

As mmaction2's ``RepeatAugDataset`` with ``sample_once=True``, but the pipeline may begin with
``SeedSample`` and read with ``VideoInit``: what a sample looks like depends on seed, epoch
and sample alone, and a video that cannot be read is named, or replaced on demand.
"""

import copy
from typing import Any

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from mmaction_ext.datasets.guarded import Guard
from mmaction_ext.errors import InputError


class Repeat(BaseDataset):
    """Mix-in for a data set of mmaction2: frames are decoded once and augmented several times.

    Its samples are lists; ``collate_fn=dict(type='repeat_pseudo_collate')`` of the loader puts
    them into one batch, which is ``num_repeats`` times the loader's batch size.

    Args:
        num_repeats: samples that are made of a video.

    Raises:
        InputError: ``num_repeats`` is below 1, or the data set is one to test on; the pipeline
            does not decode.
    """

    def __init__(self, *args: Any, num_repeats: int = 2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if num_repeats < 1 or self.test_mode:
            raise InputError(
                'num_repeats must be at least 1, and a data set to test on repeats '
                f'nothing; got {num_repeats} with test_mode={self.test_mode}'
            )
        self.num_repeats = num_repeats

    def prepare_data(self, idx: int) -> list[dict[str, Any]]:
        """The samples of video ``idx``."""
        steps = self.pipeline.transforms
        decoded = next(
            (place for place, step in enumerate(steps, 1) if type(step).__name__ == 'VideoDecode'),
            None,
        )
        if decoded is None:
            raise InputError(
                f'the pipeline of {self.ann_file} has no VideoDecode to repeat what follows it'
            )
        data = self.get_data_info(idx)
        for step in steps[:decoded]:
            data = step(data)
        return [_through(copy.deepcopy(data), steps[decoded:]) for _ in range(self.num_repeats)]


def _through(data: dict[str, Any], steps: list[Any]) -> dict[str, Any]:
    for step in steps:
        data = step(data)
    return data


@DATASETS.register_module()
class RepeatedVideoDataset(Guard, Repeat, VideoDataset):
    """mmaction2's ``VideoDataset`` with :class:`Repeat`'s ``num_repeats`` and ``on_error``."""
