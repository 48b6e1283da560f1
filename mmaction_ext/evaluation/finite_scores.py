"""Scores that are not finite are never counted as right, whichever metric or head counts.

mmaction2's ``AccMetric`` sorts NaN behind all numbers, so that a network which gives nothing else
"recognizes" the videos of the last class, and is most precise where samples have several labels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmaction.evaluation.metrics import acc_metric
from mmaction.models.heads import base, omni_head, rgbpose_head

from mmaction_ext.evaluation.classes import counts_by_class, predicted_classes, usable_rows


def _top_k(count: Callable[..., list[float]]) -> Callable[..., list[float]]:
    def top_k_accuracy(
        scores: Sequence[np.ndarray], labels: Sequence[int], topk: tuple[int, ...] = (1,)
    ) -> list[float]:
        """mmaction2's, of which the samples without finite scores are all wrong."""
        usable = usable_rows(np.asarray(scores))
        if usable.all():
            return count(scores, labels, topk)
        if not usable.any():
            return [0.0] * len(topk)
        found = count(np.asarray(scores)[usable], np.asarray(labels)[usable], topk)
        return [float(value * usable.mean()) for value in found]

    return top_k_accuracy


def _mean_class(count: Callable[..., float]) -> Callable[..., float]:
    def mean_class_accuracy(scores: Sequence[np.ndarray], labels: Sequence[int]) -> float:
        """mmaction2's, with the samples without finite scores in their classes, all wrong.

        The mean is over the classes that have samples or are predicted, as mmaction2 takes it.
        """
        usable = usable_rows(np.asarray(scores))
        if usable.all():
            return count(scores, labels)
        predicted = predicted_classes(np.asarray(scores))
        counts = counts_by_class(np.asarray(labels), predicted)
        shares = [correct / samples for samples, correct in counts.values()]
        return sum(shares) / len(np.union1d(labels, predicted[usable]))

    return mean_class_accuracy


def _mean_precision(count: Callable[..., float]) -> Callable[..., float]:
    def mean_average_precision(
        scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]
    ) -> float:
        """mmaction2's, of which the labels of samples without finite scores are never found.

        The precision of a class is over its recall, which for them ends below 1.
        """
        usable = usable_rows(np.asarray(scores))
        if usable.all():
            return count(scores, labels)
        sound, true = np.asarray(scores)[usable], np.asarray(labels) == 1
        there, found = true.sum(axis=0), true[usable].sum(axis=0)
        precisions = [
            count(sound[:, k, None], true[usable, k, None].astype(int)) * found[k] / there[k]
            if found[k]
            else 0.0
            for k in np.flatnonzero(there)
        ]
        return float(np.mean(precisions)) if precisions else np.nan

    return mean_average_precision


def _sample_precision(count: Callable[..., float]) -> Callable[..., float]:
    def mmit_mean_average_precision(
        scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]
    ) -> float:
        """mmaction2's, a mean over samples, of which those without finite scores have 0."""
        usable = usable_rows(np.asarray(scores))
        if not usable.any():
            return 0.0
        found = count(np.asarray(scores)[usable], np.asarray(labels)[usable])
        return float(found * usable.mean())

    return mmit_mean_average_precision


#: functions that mmaction2 counts by, and what makes them count so
_WRAPPERS: dict[str, Callable[..., Callable[..., Any]]] = {
    'top_k_accuracy': _top_k,
    'mean_class_accuracy': _mean_class,
    'mean_average_precision': _mean_precision,
    'mmit_mean_average_precision': _sample_precision,
}


def apply() -> None:
    """Have ``AccMetric`` count so, and the heads for training's log; may be called again."""
    for module in (acc_metric, base, omni_head, rgbpose_head):
        for name in _WRAPPERS.keys() & vars(module).keys():
            count = getattr(module, name)
            if count.__module__ != __name__:
                setattr(module, name, _WRAPPERS[name](count))
