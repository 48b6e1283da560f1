"""Checkpoints as W&B artifacts, and the calls of W&B that may take long."""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_NAME_LENGTH = 128  # the most that W&B takes


def artifact_name(identity: Mapping[str, Any]) -> str:
    """Name of the artifact that holds the checkpoints of a config under a seed.

    >>> artifact_name(dict(config='dcf/table1_components/full', seed=1))
    'dcf-table1_components-full-seed1'
    """
    name = f'{identity.get("config", "run")}-seed{identity.get("seed", 0)}'
    return re.sub(r'[^A-Za-z0-9_.-]', '-', name)[-_NAME_LENGTH:]


def log_checkpoint(
    run: Any,
    path: str,
    identity: Mapping[str, Any],
    metadata: Mapping[str, Any],
    seconds: float,
) -> None:
    """Log a checkpoint file as an artifact of a run, without copying it.

    Args:
        run: the open W&B run. Offline it writes down path and MD5, for ``wandb sync``.
        path: absolute path of the file.
        identity: ``config`` and ``seed`` of the run.
        metadata: plain data about the file; its ``iter`` becomes an alias.
        seconds: how long the upload may take.

    Raises:
        Exception: whatever W&B raises.
    """
    import wandb

    artifact = wandb.Artifact(artifact_name(identity), type='model', metadata=dict(metadata))
    # unless told otherwise, W&B makes one copy before the upload and keeps another after it
    artifact.add_file(path, policy='immutable', skip_cache=True)
    aliases = ['latest', f'iter{metadata["iter"]}'] if 'iter' in metadata else ['latest']
    logged = run.log_artifact(artifact, aliases=aliases)
    if not run.offline and not run.disabled:
        logged.wait(timeout=int(seconds))


def within(seconds: float, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function in a thread of its own and return what it returns.

    Args:
        seconds: how long to wait for it.

    Raises:
        TimeoutError: it takes longer; the thread is left behind and does not keep the process
            from ending.
        BaseException: what the function raises.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((function(*args, **kwargs), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f'W&B took more than {seconds:g} s')
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


@contextlib.contextmanager
def staging_in(folder: str) -> Iterator[None]:
    """Context in which W&B keeps copies of small artifacts (tables) in a folder of the run.

    Its own choice is below the user's home folder, which on clusters is small. The user's
    ``WANDB_DATA_DIR`` wins.
    """
    if 'WANDB_DATA_DIR' in os.environ:
        yield
        return
    os.environ['WANDB_DATA_DIR'] = os.path.abspath(folder)
    try:
        yield
    finally:
        os.environ.pop('WANDB_DATA_DIR', None)
