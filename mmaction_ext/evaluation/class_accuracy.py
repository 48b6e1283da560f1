"""Accuracy of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class ClassAccuracyMetric(BaseMetric):
    """Top-1 accuracy on the videos of each class: KPSEM Figure 7.

    Logs, each in [0, 1] and under the prefix ``class``, ``top1_000`` and so on: one for each
    class that the split has videos of, its id with as many digits as the last one's. Scores of
    which one is not finite count as wrong.

    Args:
        collect_device: where results of several processes meet, ``'cpu'`` or ``'gpu'``.
        prefix: what the metrics' names begin with.
    """

    default_prefix = 'class'

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store what became of a batch of evaluated videos.

        Args:
            data_batch: not used.
            data_samples: dicts with ``gt_label`` (tensor of one label) and ``pred_score``
                (tensor of a score for each class).
        """
        for sample in data_samples:
            scores, label = sample['pred_score'], int(sample['gt_label'])
            right = int(scores.argmax()) == label and bool(scores.isfinite().all())
            self.results.append((label, right, len(scores)))

    def compute_metrics(self, results: list[tuple[int, bool, int]]) -> dict[str, float]:
        """Accuracy of each class.

        Args:
            results: what :meth:`process` stored, of all processes.

        Returns:
            The accuracies by name, without prefix, in the order of the classes.
        """
        labels, right, num_classes = (np.array(column) for column in zip(*results, strict=True))
        digits = len(str(num_classes[0] - 1))
        return {
            f'top1_{label:0{digits}d}': float(right[labels == label].mean())
            for label in np.unique(labels)
        }
