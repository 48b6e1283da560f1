"""How much of a score is motion: the same clips reversed in time, and standing still."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import collect_results
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, autocast
from torch import Tensor

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import hits


def reversed_clip(frames: Tensor) -> Tensor:
    """The frames of clips ``(M, T, ...)`` in the opposite order."""
    return frames.flip(1)


def still_clip(frames: Tensor) -> Tensor:
    """The middle frame of clips ``(M, T, ...)`` in the place of each, of two the earlier one."""
    middle = (frames.shape[1] - 1) // 2
    return frames[:, middle : middle + 1].expand_as(frames)


#: what a test is repeated on, by the name of its accuracy
CONTROLS = {'reversed': reversed_clip, 'still': still_clip}


@HOOKS.register_module()
class TemporalControlsHook(Hook):
    """Beside a test, test the same clips reversed, and with one frame in the place of all.

    Adds ``controls/reversed_top1`` and ``controls/still_top1``, in [0, 1], to what the test
    logs: a network that goes by looks alone loses nothing by either, one that goes by motion
    falls with the second, and with the first where its classes have a direction.

    The number of frames of a 2-D network is its backbone's ``num_segments``.

    Raises:
        InputError: While testing, if a 2-D network does not tell its number of frames.
    """

    #: before the metrics of a test are logged
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self._right: list[dict[str, bool]] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget an earlier test."""
        self._right = []

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any],
        outputs: Sequence[Any] = (),
    ) -> None:
        """Test a batch once more under each control."""
        right = []
        network = runner.model.module if is_model_wrapper(runner.model) else runner.model
        num_segments = getattr(network.backbone, 'num_segments', None)
        for change in CONTROLS.values():
            inputs = [_changed(change, clips, num_segments) for clips in data_batch['inputs']]
            with autocast(enabled=runner.test_loop.fp16):
                samples = runner.model.test_step(
                    dict(inputs=inputs, data_samples=deepcopy(data_batch['data_samples']))
                )
            scores = np.stack([sample.pred_score.float().cpu().numpy() for sample in samples])
            labels = np.array([sample.gt_label.item() for sample in samples])
            right.append(hits(scores, labels))
        self._right += [
            dict(zip(CONTROLS, map(bool, each), strict=True)) for each in zip(*right, strict=True)
        ]

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the accuracies, over the samples of all processes, to the test's metrics."""
        results = collect_results(self._right, len(runner.test_dataloader.dataset), 'cpu')
        if results is None or metrics is None:  # not the first process
            return
        for name in CONTROLS:
            metrics[f'controls/{name}_top1'] = float(np.mean([right[name] for right in results]))


def _changed(
    change: Callable[[Tensor], Tensor], clips: Tensor, num_segments: int | None
) -> Tensor:
    """One sample's clips: ``(M * T, C, H, W)``, or ``(M, C, T, H, W)`` of a 3-D network."""
    if clips.dim() == 5:
        return change(clips.transpose(1, 2)).transpose(1, 2)
    if num_segments is None:
        raise InputError(
            'TemporalControlsHook: the backbone has no num_segments, so that nobody knows which '
            'frames are a clip'
        )
    return change(clips.unflatten(0, (-1, num_segments))).flatten(0, 1)
