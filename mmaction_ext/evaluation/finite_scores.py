"""Scores that are not finite are never counted as right, whichever metric counts.

mmaction2's ``AccMetric`` sorts NaN behind all numbers, so that a network which gives nothing else
"recognizes" the videos of the last class.
"""

from collections.abc import Callable, Sequence

import numpy as np
from mmaction.evaluation.metrics import acc_metric

from mmaction_ext.evaluation.classes import counts_by_class, predicted_classes, usable_rows


def _top_k(count: Callable) -> Callable:
    def top_k_accuracy(scores: Sequence, labels: Sequence, topk: tuple = (1,)) -> list[float]:
        """mmaction2's, of which the samples without finite scores are all wrong."""
        usable = usable_rows(np.asarray(scores))
        if usable.all():
            return count(scores, labels, topk)
        if not usable.any():
            return [0.0] * len(topk)
        found = count(np.asarray(scores)[usable], np.asarray(labels)[usable], topk)
        return [float(value * usable.mean()) for value in found]

    return top_k_accuracy


def _mean_class(count: Callable) -> Callable:
    def mean_class_accuracy(scores: Sequence, labels: Sequence) -> float:
        """mmaction2's, with the samples without finite scores in their classes, all wrong.

        The mean is over the classes that have samples or are predicted, as mmaction2 takes it.
        """
        usable = usable_rows(np.asarray(scores))
        if usable.all():
            return count(scores, labels)
        labels, predicted = np.asarray(labels), predicted_classes(np.asarray(scores))
        shares = [
            correct / samples for samples, correct in counts_by_class(labels, predicted).values()
        ]
        return sum(shares) / len(np.union1d(labels, predicted[usable]))

    return mean_class_accuracy


def apply() -> None:
    """Have ``AccMetric`` count so; may be called again."""
    for name, wrap in (('top_k_accuracy', _top_k), ('mean_class_accuracy', _mean_class)):
        count = getattr(acc_metric, name)
        if count.__module__ != __name__:
            setattr(acc_metric, name, wrap(count))
