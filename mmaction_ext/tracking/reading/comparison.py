"""What a run recorded compared with what is on disk now: code, lists of data, measured files."""

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tracking.ledger.facts import is_own

#: part that source files of the user's make up
OWN_CODE = 'own modules'
#: parts of the code on which a run's numbers depend
NETWORK_CODE = (OWN_CODE, 'ops', 'modules', 'models')
#: lists of a data set have no more bytes
LISTS_BYTES = 1 << 30
#: metric that predictions alone tell, and how far it may be from what was logged
TOP1, TOP1_TOLERANCE = 'test/acc/top1', 1e-6


def code_changes(recorded: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Source files of a run that are not as in the tree, those of the network first.

    Args:
        recorded: path to SHA-256 of the run; where it is empty, nobody can tell. Of a file that
            changed between two attempts, it holds both, and then agrees with no tree.
        now: the same of the tree. What the user's own classes are made of is another matter for
            each run: a file of theirs that the run did not record is not new.

    Returns:
        Path to ``'differs'``, ``'gone'`` (no longer in the tree) or ``'new'`` (not in the run).
    """
    states = {
        path: 'new' if path not in recorded else 'gone' if path not in now else 'differs'
        for path in recorded.keys() | {path for path in now if not is_own(path)}
        if recorded.get(path) != now.get(path)
    }
    order = sorted(states, key=lambda path: (code_folder(path) not in NETWORK_CODE, path))
    return {path: states[path] for path in order} if recorded else {}


def code_folder(path: str) -> str:
    """Part of the package that a source file belongs to; empty for the package itself.

    Files that are none of it are the user's :data:`OWN_CODE`.

    >>> code_folder('mmaction_ext/ops/chunks.py')
    'ops'
    """
    parts = path.split('/')
    return OWN_CODE if is_own(path) else parts[1] if len(parts) > 2 else ''


def list_state(facts: object) -> str:
    """How the annotation list of a split compares with the one that a run read.

    Args:
        facts: ``ann_file`` and ``ann_sha256`` as
            :func:`mmaction_ext.datasets.configs.data_lists` gives them.

    Returns:
        As :func:`file_state`.
    """
    files, digest = _texts(facts, 'ann_file', 'ann_sha256')
    if not files or not digest:
        return 'unknown'
    return _state([Path(file) for file in files.split(',')], digest, LISTS_BYTES)


def file_state(folder: Path | str | None, facts: object, most: float = math.inf) -> str:
    """How a file that a result names compares with the one that it was measured on.

    Args:
        folder: the run's folder; ``None`` if it is not on this machine.
        facts: see :func:`named_file`.
        most: how many bytes it may have; a larger one is not read.

    Returns:
        ``'same'``, ``'differs'``, ``'gone'``, ``'unreadable'``, or ``'unknown'`` where the run
        names no file.
    """
    path, digest = named_file(folder or '', facts)
    if path is None or digest is None:
        return 'unknown'
    return 'gone' if folder is None else _state([path], digest, most)


def named_file(folder: Path | str, facts: object) -> tuple[Path, str] | tuple[None, None]:
    """A file that a result names and its SHA-256; ``None`` for both where it names none.

    Args:
        folder: the run's folder.
        facts: ``path``, relative to the folder, and ``sha256``; anything else names no file, nor
            does an address.
    """
    path, digest = _texts(facts, 'path', 'sha256')
    if not path or not digest or '://' in path:
        return None, None
    return Path(os.path.normpath(Path(folder) / path)), digest


def _texts(facts: object, *names: str) -> list[str]:
    """What some facts are, where they are texts; else empty."""
    known = facts if isinstance(facts, dict) else {}
    return [value if isinstance(value := known.get(name), str) else '' for name in names]


def _state(paths: Sequence[Path], digest: str, most: float) -> str:
    """How some files of at most so many bytes, one after the other, compare with a SHA-256."""
    if not all(map(is_file, paths)):
        return 'gone'
    try:
        if sum(os.stat(path).st_size for path in paths) > most:
            return 'unreadable'
        found = current_sha256(paths[0]) if len(paths) == 1 else file_sha256(*paths)
    except OSError:
        return 'unreadable'
    return 'same' if found == digest else 'differs'


def is_file(path: Path) -> bool:
    """As ``path.is_file()``, also of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def current_sha256(path: Path | str) -> str:
    """SHA-256 of a file, which this process reads once as long as the file does not change.

    Raises:
        OSError: it cannot be read.
    """
    state = os.stat(path)
    return _digest_of(
        os.path.abspath(path),
        (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns),
    )


@cache
def _digest_of(path: str, state: tuple[int, ...]) -> str:
    """``state`` tells a file from what it was before."""
    return file_sha256(path)


def other_top1(path: Path, logged: Any) -> float | None:
    """Top-1 accuracy by a file of predictions; ``None`` where it may be what was logged."""
    is_number = isinstance(logged, (int, float)) and not isinstance(logged, bool)
    bounds = top1_bounds(path) if is_number and logged == logged else None
    if bounds is None or bounds[0] - TOP1_TOLERANCE <= logged <= bounds[1] + TOP1_TOLERANCE:
        return None
    return bounds[1]


def top1_bounds(path: Path) -> tuple[float, float] | None:
    """Least and greatest top-1 accuracy that a file of predictions can stand for.

    They differ where several classes share the highest score of a sample.

    Returns:
        ``None`` where the file holds nothing of which that can be said.
    """
    from mmaction_ext.evaluation.predictions import read_predictions

    try:
        predictions = read_predictions(path)
        scores, labels = predictions.scores, predictions.labels
        if scores.ndim != 2 or not len(labels):
            return None
        own = scores[range(len(labels)), labels]
        is_best = own == scores.max(axis=1)
        is_alone = (scores == own[:, None]).sum(axis=1) == 1
    except Exception:  # whatever the file holds, it is no reason to stop
        return None
    return float((is_best & is_alone).mean()), float(is_best.mean())
