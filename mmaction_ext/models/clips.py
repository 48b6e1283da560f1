"""How many frames a 2-D recognizer is given, held against how many it was built for.

mmaction2's ``Recognizer2D`` lays the frames of all samples in a row, and what looks at several of
them (temporal shifts, motion modules, the consensus of a head) cuts the row into clips of its own
``num_segments``. Samples of another length are cut into clips of neighbouring videos.
"""

import functools
from collections.abc import Callable
from typing import Any

from mmaction.models import Recognizer2D, Recognizer3D  # noqa: F401 (checks take both from here)
from mmengine.logging import print_log
from torch import Tensor, nn

from mmaction_ext.errors import InputError


def built_for(recognizer: nn.Module) -> dict[str, int]:
    """Config keys of the parts that know the length of a clip, and that length in frames."""
    head = getattr(recognizer, 'cls_head', None)
    parts = {
        'model.backbone': recognizer.backbone,
        'model.cls_head': head,
        'model.cls_head.head': getattr(head, 'head', None),
    }
    found = {
        f'{key}.num_segments': getattr(part, 'num_segments', None) for key, part in parts.items()
    }
    return {key: length for key, length in found.items() if isinstance(length, int)}


def check_clips(recognizer: nn.Module, num_frames: int) -> None:
    """Refuse samples that do not divide into clips, and say of how many clips others are.

    Args:
        recognizer: A 2-D recognizer.
        num_frames: Frames of each sample.

    Raises:
        InputError: With both numbers.
    """
    for key, length in built_for(recognizer).items():
        if num_frames % length:
            raise InputError(
                f'samples of {num_frames} frames do not divide into clips of '
                f'{key}={length}: num_segments (or num_clips) of the pipeline must '
                'be as many'
            )
        told = recognizer.__dict__.setdefault('_told_frames', set())
        if num_frames != length and num_frames not in told:
            told.add(num_frames)
            print_log(
                f'samples of {num_frames} frames are seen as {num_frames // length} clips of '
                f'{key}={length}',
                logger='current',
            )


def _checked(extract_feat: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(extract_feat)
    def checked(self: Recognizer2D, inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        check_clips(self, inputs.shape[1])
        return extract_feat(self, inputs, *args, **kwargs)

    return checked


def apply() -> None:
    """Have every ``Recognizer2D`` look at its input so; may be called again."""
    if not hasattr(Recognizer2D.extract_feat, '__wrapped__'):
        Recognizer2D.extract_feat = _checked(Recognizer2D.extract_feat)
