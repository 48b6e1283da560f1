"""The predictions of a test as a file, ``predictions.npz`` beside the run, and their average.

The file holds arrays and a line of JSON and no pickles: reading one from elsewhere runs nothing.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import open_regular
from mmaction_ext.files.writing import write_atomically

FILE_NAME = 'predictions.npz'
#: of the checkpoint that validated best, where that is tested apart
BEST_FILE_NAME = 'predictions_best.npz'
#: no test has as many bytes of predictions
MOST_BYTES = 1 << 30
#: arrays of a file and their kinds, in numpy's letters
_KINDS = dict(names='U', labels='iu', scores='f', meta='U')
#: how far the probabilities of a sample may be from a sum of one; they may be half precision
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for a test set.

    Attributes:
        names: name of each sample, ``(N,)``: the last two parts of its path.
        labels: true classes, ``(N,)``, int64.
        scores: the model's output, ``(N, num_classes)``, float32; probabilities where the
            head's ``average_clips`` is ``'prob'``.
        meta: ``config``, ``seed``, ``config_hash`` and ``overrides`` of the run, ``iter`` and
            ``epoch`` of the checkpoint, ``checkpoint_sha256`` and ``data_digest``.
    """

    names: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    meta: dict[str, Any]


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write a file in one step: whoever reads it sees the old or the new one, whole."""
    content = io.BytesIO()
    np.savez(
        content,
        names=np.asarray(predictions.names, dtype=np.str_),
        labels=np.asarray(predictions.labels, dtype=np.int64),
        scores=np.asarray(predictions.scores, dtype=np.float32),
        meta=np.asarray(json.dumps(predictions.meta)),
    )
    write_atomically(path, content.getvalue())


def read_predictions(path: Path) -> Predictions:
    """Read a file that :func:`write_predictions` wrote.

    Raises:
        InputError: it cannot be read, is damaged, or does not hold predictions of the classes
            that it has scores of.
    """
    try:
        with open_regular(path, MOST_BYTES) as file, zipfile.ZipFile(file) as archive:
            found = Predictions(**_read_arrays(archive))
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    except Exception as error:  # zipfile and numpy have a different one for each kind of damage
        raise InputError(f'{path} is no file of predictions') from error
    count = len(found.names) if found.names.ndim == 1 else -1
    if (
        found.labels.shape != (count,)
        or found.scores.shape[:-1] != (count,)
        or not isinstance(found.meta, dict)
    ):
        raise InputError(f'{path} is no file of predictions')
    if count and not 0 <= found.labels.min() <= found.labels.max() < found.scores.shape[1]:
        raise InputError(f'{path} has labels that are none of its {found.scores.shape[1]} classes')
    return found


def _read_arrays(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The members, each read whole, so that its checksum is compared, and none but these."""
    sizes = {info.filename: info.file_size for info in archive.infolist()}
    if sizes.keys() != {f'{name}.npy' for name in _KINDS} or sum(sizes.values()) > MOST_BYTES:
        raise ValueError('other members')
    arrays = {name: _array(archive.read(f'{name}.npy'), kinds) for name, kinds in _KINDS.items()}
    return dict(arrays, meta=json.loads(str(arrays['meta'])))


def _array(data: bytes, kinds: str) -> np.ndarray:
    """The array in a member, which takes up all of it; nothing is allocated for it."""
    header = io.BytesIO(data)
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError('another version')
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(header)
    array = np.ndarray(shape, dtype, data, header.tell(), order='F' if is_fortran else 'C')
    if dtype.kind not in kinds or header.tell() + array.nbytes != len(data):
        raise ValueError('another array')
    return array


def average(
    predictions: Sequence[Predictions],
    files: Sequence[str],
    weights: Sequence[float] | None = None,
) -> np.ndarray:
    """Mean of the class probabilities of several models on the same samples.

    Args:
        predictions: the models' predictions.
        files: where each was read from, for error messages.
        weights: positive, one for each model; all alike if left out.

    Returns:
        Probabilities, ``(N, num_classes)``, float32; the mean is taken in float64.

    Raises:
        InputError: the samples, their labels or the numbers of classes differ, or the scores
            are no probabilities.
    """
    first = predictions[0]
    for other, file in zip(predictions, files, strict=True):
        _check_probabilities(other.scores, file)
        found = difference(first, other)
        if found:
            raise InputError(f'{files[0]} and {file} cannot be averaged: {found}')
    scores = [each.scores for each in predictions]
    if weights is not None:
        return np.asarray(np.average(scores, axis=0, weights=weights), dtype=np.float32)
    total = np.sum(scores, axis=0, dtype=np.float64)
    return np.asarray(total / len(predictions), dtype=np.float32)


def _check_probabilities(scores: np.ndarray, file: str) -> None:
    if not np.isfinite(scores).all():
        raise InputError(f'{file} holds scores that are not finite: its run diverged')
    sums = scores.sum(axis=1, dtype=np.float64)
    if not ((scores >= 0).all() and (abs(sums - 1) <= _SUM_TOLERANCE).all()):
        raise InputError(
            f'{file} holds scores that are no probabilities; its config needs '
            "model.cls_head.average_clips='prob'"
        )


def difference(first: Predictions, other: Predictions) -> str:
    """Why two models were not tested on the same thing; empty if they were."""
    if len(first.names) != len(other.names):
        return f'{len(first.names)} and {len(other.names)} samples'
    if first.scores.shape != other.scores.shape:
        return f'{first.scores.shape[1]} and {other.scores.shape[1]} classes'
    for what, mine, theirs in (
        ('samples', first.names, other.names),
        ('labels', first.labels, other.labels),
    ):
        differing = np.flatnonzero(mine != theirs)
        if len(differing):
            i = differing[0]
            return f'differing {what}, first {mine[i]} and {theirs[i]} at place {i}'
    if first.meta.get('data_digest') != other.meta.get('data_digest'):
        return 'the same names, but other files (their data digests differ)'
    return ''
