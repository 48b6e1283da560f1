"""Accuracy of each class in a test, from what it logged or from its predictions."""

import re
from collections.abc import Mapping

import numpy as np

from mmaction_ext.datasets.synthmotion.scenes import CLASSES
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import class_names, counts_by_class, predicted_classes
from mmaction_ext.evaluation.predictions import (
    FILE_NAME,
    MOST_BYTES,
    Predictions,
    read_predictions,
)
from mmaction_ext.tracking.reading.comparison import file_state, named_file
from mmaction_ext.tracking.reading.ledger import as_dict
from mmaction_ext.tracking.reading.record import Evaluation, RunRecord

#: Metrics that hold the accuracy of one class, and its number.
CLASS_METRIC = re.compile(r'test/(?:class/top1_|motion/top1_class)(?P<number>\d+)')


def class_accuracies(record: RunRecord, test: Evaluation) -> tuple[dict[str, float], bool]:
    """Class name to top-1 accuracy in [0, 1] in a test of a run, and whether they are its own.

    They are where the test logged them, or its result says by their SHA-256 which predictions it
    wrote. Predictions of which no result says so need the checkpoint, samples and classes of the
    test. Empty where there are neither.
    """
    accuracies, is_checked = _logged(test), True
    if not accuracies:
        accuracies, is_checked = _predicted(record, test)
    names = class_names_of(record) if accuracies else {}
    return {
        names.get(number, f'class {number}'): accuracy
        for number, accuracy in sorted(accuracies.items())
    }, is_checked


def _logged(test: Evaluation) -> dict[int, float]:
    """Class to accuracy; those of an attempt that failed are none."""
    metrics = ((CLASS_METRIC.fullmatch(name), value) for name, value in test.values.items())
    found = {int(match['number']): value for match, value in metrics if match}
    return found if test.attempt.exit_code == 0 else {}


def _predicted(record: RunRecord, test: Evaluation) -> tuple[dict[int, float], bool]:
    checkpoint = test.values.get('test/checkpoint_sha256')
    if not checkpoint or not record.path:
        return {}, True
    path, digest = named_file(record.path, test.predictions)
    if digest and file_state(record.path, test.predictions, MOST_BYTES) != 'same':
        return {}, True
    try:
        predictions = read_predictions(path or record.path / FILE_NAME)
    except InputError:
        return {}, True
    is_of_test = predictions.meta.get('checkpoint_sha256') == checkpoint
    if not is_of_test or not _fits(predictions, record, test):
        return {}, True
    return top1_by_class(predictions.scores, predictions.labels), bool(digest)


def _fits(predictions: Predictions, record: RunRecord, test: Evaluation) -> bool:
    """Whether predictions have the samples and classes of a test, as far as these are known."""
    samples = test.values.get('test/num_samples')
    head = as_dict(as_dict(record.recipe.get('model')).get('cls_head'))
    told = samples, head.get('num_classes')
    return all(
        known in (None, size) for known, size in zip(told, predictions.scores.shape, strict=True)
    )


def top1_by_class(scores: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Share of the samples of each class that score highest on it.

    Args:
        scores: ``(N, num_classes)``; a sample of which one is not finite counts as wrong.
        labels: true classes, ``(N,)``.

    Returns:
        Class to accuracy in [0, 1], for the classes that have samples.
    """
    counts = counts_by_class(labels, predicted_classes(scores))
    return {label: correct / samples for label, (samples, correct) in counts.items()}


def class_names_of(record: RunRecord) -> Mapping[int, str]:
    """Names of the classes a run was tested on, by number; empty if nobody here knows them.

    Those of SynthMotion are known; for other data sets see
    :func:`mmaction_ext.evaluation.classes.class_names`. Names that two classes share are none.
    """
    if (record.config or '').startswith('synthmotion/'):
        return dict(enumerate(CLASSES))
    try:
        names = class_names(record.recipe)
        return names if len(set(names.values())) == len(names) else {}
    except (AttributeError, TypeError, ValueError):  # a run may record anything as its config
        return {}
