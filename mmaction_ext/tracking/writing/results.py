"""Result files: what one evaluation on the test split measured, on what and how."""

import contextlib
import itertools
import os
from pathlib import Path
from typing import Any

from mmaction_ext.files.reading import read_regular
from mmaction_ext.files.writing import FilePath, file_sha256, refuse_link, write_atomically
from mmaction_ext.tracking.ledger.format import RESULTS_FOLDER, SCHEMA, decode_object, to_plain
from mmaction_ext.tracking.ledger.forms import ResultFile


def write_result(folder: FilePath, attempt: int, result: dict[str, Any]) -> Path:
    """Write the result of one evaluation as ``results/<attempt>-<iter>.json``.

    A second one of the same attempt at the same iteration gets a name of its own.

    Args:
        folder: the run's folder.
        attempt: number of the attempt.
        result: ``uid``, ``job_type``, ``iter``, ``epoch``, ``checkpoint``, ``protocol``,
            ``metrics``, ``num_samples``, ``data_digest`` and ``predictions``.

    Returns:
        The file.

    Raises:
        InputError: ``results`` is a link.
        OSError: it cannot be written.
    """
    results = Path(folder) / RESULTS_FOLDER
    refuse_link(results)
    results.mkdir(exist_ok=True)
    stem = f'{attempt}-{result["iter"]}'
    stems = itertools.chain([stem], (f'{stem}-{number}' for number in itertools.count(2)))
    path = next(path for path in (results / f'{stem}.json' for stem in stems) if not path.exists())
    content = to_plain(dict(schema=SCHEMA, attempt=attempt, **result, finished=True))
    write_atomically(path, ResultFile.of(content).text())
    return path


def is_measured(folder: FilePath, checkpoint: FilePath) -> bool:
    """Whether a result file of a run's folder tells what a checkpoint, with these bytes, gave."""
    digest = file_sha256(checkpoint)
    for path in Path(folder, RESULTS_FOLDER).glob('*.json'):
        with contextlib.suppress(OSError, ValueError):
            found = ResultFile.of(decode_object(read_regular(path)))
            if found.metrics and (found.checkpoint or {}).get('sha256') == digest:
                return True
    return False


def relative_path(path: FilePath, folder: FilePath) -> str:
    """A file's path relative to a run's folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()
