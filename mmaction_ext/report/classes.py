"""Accuracy of each class of a row, from what its tests logged or from their predictions."""

import re

import numpy as np

from mmaction_ext.datasets.synthmotion.scenes import CLASSES
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import class_names, counts_by_class, predicted_classes
from mmaction_ext.evaluation.predictions import FILE_NAME, MOST_BYTES, read_predictions
from mmaction_ext.report.table_parts import main_column
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tracking.reading.comparison import file_state, named_file
from mmaction_ext.tracking.reading.ledger import as_dict

#: Metrics that hold the accuracy of one class, and its number.
_METRIC = re.compile(r'test/(?:class/top1_|motion/top1_class)(?P<number>\d+)')


class ClassAccuracies:
    """Accuracies of classes by run, each read once.

    Args:
        runs: uid to the list of :class:`RunRecord` with that id.
    """

    def __init__(self, runs: dict):
        self._runs, self._known, self._unchecked = runs, {}, set()

    def of_row(self, table, row) -> dict:
        """Class name to accuracy in [0, 1], the mean over the seeds that count.

        Empty where one of these seeds has no accuracies of classes.
        """
        counted = [self._of_seed(seed) for seed in _counted(table, row)]
        if not counted or any(each.keys() != counted[0].keys() for each in counted):
            return {}
        return {name: float(np.mean([each[name] for each in counted])) for name in counted[0]}

    def is_checked(self, table, row) -> bool:
        """Whether :meth:`of_row` took none from a file of which no result says what it held."""
        return not any(_key(seed) in self._unchecked for seed in _counted(table, row))

    def _of_seed(self, seed) -> dict:
        key = _key(seed)
        if key not in self._known:
            records = [record for uid in seed.runs for record in self._runs.get(uid, ())]
            found = (self._of_record(record, seed) for record in records)
            self._known[key] = next(filter(None, found), {})
        return self._known[key]

    def _of_record(self, record, seed) -> dict:
        accuracies = _logged(record, seed.checkpoint) or self._predicted(record, seed)
        names = names_of(record)
        return {
            names.get(number, f'class {number}'): accuracy
            for number, accuracy in sorted(accuracies.items())
        }

    def _predicted(self, record, seed) -> dict:
        """From the predictions of the very checkpoint that the table shows.

        They are those that its test wrote: their SHA-256 is compared where the test's result has
        it, and they have as many samples and classes as the test.
        """
        test = next(
            (
                item
                for item in reversed(record.evaluations)
                if item.values.get('test/checkpoint_sha256') == seed.checkpoint
            ),
            None,
        )
        if not seed.checkpoint or not record.path or test is None:
            return {}
        path, digest = named_file(record.path, test.predictions)
        if digest and file_state(record.path, test.predictions, MOST_BYTES) != 'same':
            return {}
        try:
            predictions = read_predictions(path or record.path / FILE_NAME)
        except InputError:
            return {}
        if predictions.meta.get('checkpoint_sha256') != seed.checkpoint or not _fits(
            predictions, record, test
        ):
            return {}
        if not digest:
            self._unchecked.add(_key(seed))
        return top1_by_class(predictions.scores, predictions.labels)


def _counted(table, row) -> list:
    """The seeds that count in the main column."""
    column = main_column(table)
    seeds = table.cell(row.id, column.key).seeds if column else ()
    return [seed for seed in seeds if seed.status is CellStatus.OK]


def _key(seed) -> tuple:
    return seed.runs, seed.checkpoint


def _fits(predictions, record, test) -> bool:
    """Whether predictions have the samples and classes of a test, as far as these are known."""
    samples = test.values.get('test/num_samples')
    head = as_dict(as_dict(record.recipe.get('model')).get('cls_head'))
    told = samples, head.get('num_classes')
    return all(
        known in (None, size) for known, size in zip(told, predictions.scores.shape, strict=True)
    )


def _logged(record, checkpoint) -> dict:
    for evaluation in record.evaluations:
        values = evaluation.values
        tested = values.get('test/checkpoint_sha256')
        found = {
            int(_METRIC.fullmatch(name)['number']): value
            for name, value in values.items()
            if _METRIC.fullmatch(name)
        }
        if found and evaluation.fragment.exit_code == 0 and tested == checkpoint:
            return found
    return {}


def top1_by_class(scores: np.ndarray, labels: np.ndarray) -> dict:
    """Share of the samples of each class that score highest on it.

    Args:
        scores: ``(N, num_classes)``; a sample of which one is not finite counts as wrong.
        labels: true classes, ``(N,)``.

    Returns:
        Class to accuracy in [0, 1], for the classes that have samples.
    """
    counts = counts_by_class(labels, predicted_classes(scores))
    return {label: correct / samples for label, (samples, correct) in counts.items()}


def names_of(record) -> dict:
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
