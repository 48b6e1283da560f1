"""What a model understands of SynthMotion: the scene, the direction of time, or both."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmaction_ext.datasets.synthmotion.scenes import (
    CLASSES,
    PAIRS,
    PRESETS,
    SIZES,
    SPEEDS,
    num_classes,
)
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import usable_rows


def motion_accuracies(scores: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Per-clip results from which all accuracies are means.

    Args:
        scores: class scores, ``(N, num_classes)``. Any monotonic scale will do.
        labels: true classes, ``(N,)``.

    Returns:
        float64 arrays of shape ``(N,)`` in [0, 1]: ``top1``, is the best class the true
        one; ``pair``, is it of the true reversal pair; ``within_pair``, does the true class
        score above its own time reversal, one half for an exact tie. A clip with a score
        that is not finite counts as wrong everywhere.
    """
    best = scores.argmax(axis=1)
    clips = np.arange(len(labels))
    own, partner = scores[clips, labels], scores[clips, labels ^ 1]
    results = {
        'top1': best == labels,
        'pair': best // 2 == labels // 2,
        'within_pair': (own > partner) + 0.5 * (own == partner),
    }
    usable = usable_rows(scores)
    return {name: usable * value.astype(np.float64) for name, value in results.items()}


@METRICS.register_module()
class SynthMotionMetric(BaseMetric):
    """Accuracies on SynthMotion that tell motion from appearance.

    Logs, each in [0, 1] and under the prefix ``motion``: ``top1``; ``pair``, the right pair
    of classes; ``within_pair``, the true class above its time reversal, which is exactly 0.5
    for a model that ignores the order of frames, on any split that holds both directions of
    each clip, and the same of each pair alone, ``within_turning`` and so on; ``top1_small``,
    ``top1_medium``, ``top1_large`` by size of the moving thing and ``top1_slow``, ``top1_fast`` by
    speed, as far as the split has such clips.

    Attributes:
        class_accuracy: class name -> top-1 accuracy on its clips, of the last evaluation.

    Args:
        meta_file: ``meta.csv`` of the data set.
        per_class: also log the accuracies of the classes, as ``top1_class00`` and so on.
        collect_device: where results of several processes meet, ``'cpu'`` or ``'gpu'``.
        prefix: what the metrics' names begin with.

    The pipeline must hand on ``filename``: ``PackActionInputs(meta_keys=('filename', ...))``.

    Raises:
        InputError: ``meta_file`` is missing or no such table; while evaluating, a clip does
            not appear in it or has another label there, or there is not one score per class.
    """

    default_prefix = 'motion'

    def __init__(
        self,
        meta_file: str,
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.meta_file = str(meta_file)
        self.per_class = per_class
        self.class_accuracy: dict[str, float] = {}
        self._meta = _read_meta(self.meta_file)
        last = max(row['label'] for row in self._meta.values())
        self._num_classes = min(n for n in map(num_classes, PRESETS) if n > last)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store file, label and scores of a batch of evaluated clips.

        Args:
            data_batch: not used.
            data_samples: dicts with ``filename``, ``gt_label`` (tensor of one label) and
                ``pred_score`` (tensor of one score per class).
        """
        self.results.extend(self._result(sample) for sample in data_samples)

    def _result(self, sample: dict[str, Any]) -> dict[str, Any]:
        if 'filename' not in sample:
            raise InputError(
                'SynthMotionMetric needs the file of each clip: '
                "PackActionInputs(meta_keys=('filename', ...))"
            )
        file = '/'.join(PurePath(sample['filename']).parts[-2:])
        label, scores = int(sample['gt_label']), sample['pred_score'].float().cpu().numpy()
        if file not in self._meta:
            raise InputError(f'{sample["filename"]}: not in {self.meta_file}')
        if label != self._meta[file]['label']:
            raise InputError(
                f'{sample["filename"]}: has label {label} but '
                f'{self._meta[file]["label"]} in {self.meta_file}'
            )
        if scores.shape != (self._num_classes,):
            raise InputError(
                f'{self.meta_file} has {self._num_classes} classes, but the model gives '
                f'scores of shape {scores.shape}'
            )
        return {'file': file, 'label': label, 'scores': scores}

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Mean accuracies over all clips and over their groups.

        Args:
            results: what :meth:`process` stored, of all processes.

        Returns:
            The accuracies by name, without prefix.
        """
        labels = np.array([result['label'] for result in results])
        scores = np.stack([result['scores'] for result in results])
        right = motion_accuracies(scores, labels)
        metrics = {name: float(value.mean()) for name, value in right.items()}
        for key, names in (('size', SIZES), ('speed', SPEEDS)):
            groups = np.array([self._meta[result['file']][key] for result in results])
            metrics.update(
                (f'top1_{name}', value)
                for name, value in _group_means(right['top1'], groups, names).items()
            )
        pairs = np.array([PAIRS[label // 2] for label in labels])
        metrics.update(
            (f'within_{name}', value)
            for name, value in _group_means(right['within_pair'], pairs, PAIRS).items()
        )
        by_label = _group_means(right['top1'], labels, range(self._num_classes))
        self.class_accuracy = {CLASSES[label]: value for label, value in by_label.items()}
        if self.per_class:
            metrics.update((f'top1_class{label:02d}', by_label[label]) for label in by_label)
        return metrics


def _group_means(values: np.ndarray, groups: np.ndarray, names: Iterable[Any]) -> dict[Any, float]:
    return {name: float(values[groups == name].mean()) for name in names if (groups == name).any()}


def _read_meta(path: str) -> dict[str, dict[str, Any]]:
    """File below ``videos`` -> its label, size and speed."""
    try:
        with open(path, newline='', encoding='utf-8') as file:
            meta: dict[str, dict[str, Any]] = {
                row['file']: {
                    'label': int(row['label']),
                    'size': row['size'],
                    'speed': row['speed'],
                }
                for row in csv.DictReader(file)
            }
    except OSError as error:
        raise InputError(
            f'{path}: cannot be read ({error.strerror}); is the data set '
            'made? (mmaction-ext prepare synthmotion)'
        ) from error
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f'{path}: not the meta.csv of SynthMotion') from error
    if not meta:
        raise InputError(f'{path}: lists no clip')
    if not all(0 <= row['label'] < len(CLASSES) for row in meta.values()):
        raise InputError(f'{path}: a label is not from 0 to {len(CLASSES) - 1}')
    return meta
