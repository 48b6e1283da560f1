"""Offline W&B logs as attempts."""

from mmaction_ext.tracking.reading.record import AttemptLog
from mmaction_ext.tracking.reading.rows import split_by_phase, told_of_attempts
from mmaction_ext.tracking.reading.wandb_log import read_log


def read_attempt(path) -> list:
    """The attempt that one ``.wandb`` file tells of, alone in a list.

    Args:
        path: the file; see :func:`mmaction_ext.tracking.reading.wandb_log.read_log`.

    Raises:
        OSError: the file cannot be read.
    """
    log = read_log(path)
    attempt = AttemptLog(
        'wandb-offline',
        uid=log.run_id,
        job_type=log.job_type or 'train',
        name=log.name,
        group=log.group,
        host=log.host,
        commit=log.commit,
        start_time=log.start_time,
        exit_code=log.exit_code,
        last_iter=log.last_iter,
        corrupt=log.damage.corrupt,
        truncated=log.damage.truncated,
        newer=log.damage.newer,
        config=log.config,
        phases=split_by_phase(log.rows),
    )
    for start, facts in told_of_attempts(log.rows).items():
        attempt.take(start, facts)
    return [attempt]
