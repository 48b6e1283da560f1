"""What a run recorded compared with what is on disk now: code, lists of data, predictions."""

import hashlib
from pathlib import Path

#: parts of this package on whose code a run's numbers depend
NETWORK_CODE = ('ops', 'modules', 'models')


def code_changes(recorded: dict, now: dict) -> dict:
    """Source files of a run that are not as in the tree, those of the network first.

    Args:
        recorded: path to SHA-256 of the run; where it is empty, nobody can tell. Of a file that
            changed between two attempts, it holds both, and then agrees with no tree.
        now: the same of the tree.

    Returns:
        Path to ``'differs'``, ``'gone'`` (no longer in the tree) or ``'new'`` (not in the run).
    """
    states = {path: 'new' if path not in recorded else 'gone' if path not in now else 'differs'
              for path in recorded.keys() | now.keys() if recorded.get(path) != now.get(path)}
    order = sorted(states, key=lambda path: (code_folder(path) not in NETWORK_CODE, path))
    return {path: states[path] for path in order} if recorded else {}


def code_folder(path: str) -> str:
    """Part of the package that a source file belongs to; empty for the package itself.

    >>> code_folder('mmaction_ext/ops/chunks.py')
    'ops'
    """
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else ''


def list_state(facts) -> str:
    """How the annotation list of a split compares with the one that a run read.

    Args:
        facts: ``ann_file`` and ``ann_sha256`` as
            :func:`mmaction_ext.tracking.ledger.facts.data_lists` gives them.

    Returns:
        ``'same'``, ``'differs'``, ``'gone'``, or ``'unknown'`` where the run does not say.
    """
    facts = facts if isinstance(facts, dict) else {}
    files, digest = facts.get('ann_file'), facts.get('ann_sha256')
    if not all(isinstance(text, str) and text for text in (files, digest)):
        return 'unknown'
    paths = [Path(file) for file in files.split(',')]
    try:
        if not all(path.is_file() for path in paths):
            return 'gone'
        content = b''.join(path.read_bytes() for path in paths)
    except (OSError, ValueError):
        return 'gone'
    return 'same' if hashlib.sha256(content).hexdigest() == digest else 'differs'


def top1_bounds(path) -> tuple | None:
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
