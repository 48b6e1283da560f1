"""Offline W&B logs as attempts."""

from pathlib import Path

from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.rows import split_by_phase, told_of_attempts
from mmaction_ext.tracking.reading.wandb_log import read_log


def read_attempt(path: Path | str) -> list[Attempt]:
    """The attempt that one ``.wandb`` file tells of, alone in a list.

    Args:
        path: the file; see :func:`mmaction_ext.tracking.reading.wandb_log.read_log`.

    Raises:
        OSError: the file cannot be read.
    """
    log = read_log(path)
    log.job_type = log.job_type or 'train'
    for start, facts in told_of_attempts(log.history).items():
        log.take(start, facts)
    log.rows, log.history = split_by_phase(log.history), []
    return [log]
