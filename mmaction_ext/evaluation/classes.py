"""Classes of a test: their names, and how many samples of each are recognized. Torch-free."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmaction_ext.datasets.configs import annotation_files, dataset_config
from mmaction_ext.datasets.flips import read_labels
from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular

#: stands for the prediction where a score is not finite
NO_PREDICTION = -1


def usable_rows(scores: np.ndarray) -> np.ndarray:
    """Which samples have finite scores only.

    Args:
        scores: ``(N, num_classes)``.

    Returns:
        ``(N,)`` of bool.
    """
    return np.isfinite(scores).all(axis=1)


def predicted_classes(scores: np.ndarray) -> np.ndarray:
    """Class with the highest score of each sample.

    Args:
        scores: ``(N, num_classes)``.

    Returns:
        ``(N,)`` of int64; :data:`NO_PREDICTION` where a score is not finite.
    """
    return np.where(usable_rows(scores), scores.argmax(axis=1), NO_PREDICTION)


def hits(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> np.ndarray:
    """Which samples have their class among the ``k`` that score highest.

    Of equal scores those count that mmaction2's ``AccMetric`` counts, so that the mean is what a
    test logs.

    Args:
        scores: ``(N, num_classes)``; a sample of which one is not finite has none.
        labels: true classes, ``(N,)``.
        k: at least 1.

    Returns:
        ``(N,)`` of bool.
    """
    best = np.argsort(scores, axis=1)[:, -k:]
    return (best == labels[:, None]).any(axis=1) & usable_rows(scores)


def mean_class_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the classes' shares of recognized samples, of those classes that have samples."""
    shares = [right / samples for samples, right in counts_by_class(labels, predicted).values()]
    return float(np.mean(shares))


def confusion(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Number of samples of each class by the class that is predicted.

    Args:
        labels: true classes, ``(N,)``.
        predicted: predicted classes, ``(N,)``, see :func:`predicted_classes`.
        num_classes: number of classes.

    Returns:
        ``(num_classes, num_classes + 1)``, true by predicted; those without a prediction stand in
        the last column.
    """
    counts = np.zeros((num_classes, num_classes + 1), int)
    np.add.at(counts, (labels, predicted), 1)  # NO_PREDICTION is the last one
    return counts


def counts_by_class(labels: np.ndarray, predicted: np.ndarray) -> dict[int, tuple[int, int]]:
    """Number of samples of each class, and how many of them are recognized.

    Args:
        labels: true classes, ``(N,)``.
        predicted: predicted classes, ``(N,)``.

    Returns:
        Class to (samples, correct), in the order of the classes, for those that have samples.
    """
    classes, samples = np.unique(labels, return_counts=True)
    return {
        int(label): (int(count), int((predicted[labels == label] == label).sum()))
        for label, count in zip(classes, samples, strict=True)
    }


def class_names(cfg: Mapping[str, Any], file: str | Path | None = None) -> dict[int, str]:
    """Names of the classes, by number.

    Args:
        cfg: resolved config; names are its test set's ``metainfo.classes``, or those in the
            table that a metric of it names as ``meta_file`` (columns ``label`` and ``class``), or
            those in ``classes.txt`` beside its list of test samples.
        file: text file with a name per line, which comes before the config.

    Returns:
        Empty where nobody knows them.

    Raises:
        InputError: ``file`` cannot be read.
    """
    if file:
        try:
            return dict(enumerate(read_regular(file).decode('utf-8').splitlines()))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f'labels {file} cannot be read: {error}') from error
    dataset = dataset_config(cfg, 'test')
    stated = (dataset.get('metainfo') or {}).get('classes') or ()
    return (
        dict(enumerate(stated))
        or _names_of_metrics(cfg.get('test_evaluator') or ())
        or _names_beside(annotation_files(dataset))
    )


def _names_of_metrics(evaluators: Any) -> dict[int, str]:
    """From a metric's table; a missing or other table is no error, the numbers will do."""
    evaluators = [evaluators] if isinstance(evaluators, Mapping) else evaluators
    for path in filter(None, (evaluator.get('meta_file') for evaluator in evaluators)):
        try:
            table = io.StringIO(read_regular(path).decode('utf-8'), newline='')
            return {int(row['label']): row['class'] for row in csv.DictReader(table)}
        except (OSError, KeyError, TypeError, ValueError, csv.Error):
            continue
    return {}


def _names_beside(lists: Sequence[str | Path]) -> dict[int, str]:
    try:
        return dict(enumerate(read_labels(Path(lists[0]).with_name('classes.txt'))))
    except (InputError, IndexError):
        return {}
