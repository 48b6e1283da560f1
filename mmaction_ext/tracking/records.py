"""Runs as tables see them: all attempts at one run put together into one record."""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.wandb_log import WandbLog, read_log

_LOG_NAME = re.compile(r'run-(?P<uid>.+)\.wandb')
_RUN_FOLDER = re.compile(r'(?P<config>.+?)/seed(?P<seed>\d+)/')


@dataclass(frozen=True)
class Fragment:
    """One attempt at a run: one ``.wandb`` file.

    Attributes:
        path: the file, relative to the folder that was searched, with forward slashes.
        start_time: seconds since the epoch; infinite if the log does not say.
        host, commit: where it ran and on which git commit.
        last_iter: largest iteration logged, or ``None``.
        exit_code: ``None`` without an exit record (killed, or still running).
        corrupt, truncated: see :class:`mmaction_ext.tracking.wandb_log.Damage`.
    """

    path: str
    start_time: float
    host: str
    commit: str
    last_iter: int | None
    exit_code: int | None
    corrupt: bool
    truncated: bool


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the test split.

    Attributes:
        values: the row: ``iter``, ``epoch`` and ``test/...`` metrics.
        fragment: the attempt that logged it.
    """

    values: dict
    fragment: Fragment


@dataclass
class RunRecord:
    """One training or test run, stitched from its attempts.

    Attributes:
        uid: W&B run id, the same for every attempt.
        job_type: ``'train'`` or ``'test'``.
        config: posix path of the config below ``configs/``; ``None`` if unknown.
        seed: random seed; ``None`` if unknown.
        config_hash: hash of the resolved config; ``None`` if the log lost it.
        overrides: settings changed on the command line.
        static: parameters, multiply-adds and input shape of the model.
        recipe, env, git: resolved config, library versions, state of the checkout.
        name, group: W&B display name and group.
        fragments: the attempts, oldest first.
        rows: history by phase (``'train'``, ``'val'``): dicts with ``iter``, ``epoch`` and the
            metrics of that phase. What a later attempt repeated is there once.
        evaluations: every evaluation on the test split, of every attempt.
    """

    uid: str
    job_type: str
    config: str | None = None
    seed: int | None = None
    config_hash: str | None = None
    overrides: dict = field(default_factory=dict)
    static: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    git: dict = field(default_factory=dict)
    name: str = ''
    group: str = ''
    fragments: tuple = ()
    rows: dict = field(default_factory=dict)
    evaluations: tuple = ()

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last attempt; ``None`` if it has none."""
        return self.fragments[-1].exit_code

    @property
    def corrupt(self) -> bool:
        """Whether the log of any attempt was altered after it was written."""
        return any(fragment.corrupt for fragment in self.fragments)

    @property
    def truncated(self) -> bool:
        """Whether the log of the last attempt ends in the middle of a record."""
        return self.fragments[-1].truncated

    @property
    def finished(self) -> bool:
        """Whether the last attempt ended with exit code 0 and no log is damaged."""
        return self.exit_code == 0 and not self.corrupt

    @property
    def last_iter(self) -> int | None:
        """Iteration that the last attempt had reached."""
        return self.fragments[-1].last_iter


def find_runs(root, keys=None) -> list:
    """Every run whose W&B log lies anywhere below a folder.

    Args:
        root: folder to search; symbolic links (``latest-run``) are not followed.
        keys: metrics to read, see :func:`mmaction_ext.tracking.wandb_log.read_log`.

    Returns:
        :class:`RunRecord` list, ordered by config, seed and id.

    Raises:
        InputError: the folder does not exist, or a log in it cannot be opened.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f'runs folder {root} does not exist')
    attempts = {}
    for path in _log_files(root):
        log = _open_log(path, keys)
        job_type = log.job_type or 'train'
        attempts.setdefault((log.run_id, job_type), []).append(log)
    records = [_make_record(root, *key, logs) for key, logs in attempts.items()]
    return sorted(records, key=_order)


def stitch(attempts) -> list:
    """Join the rows of successive attempts into one curve.

    A later attempt went on from a checkpoint: from its first iteration on, it replaces what
    earlier attempts had logged.

    Args:
        attempts: for each attempt, oldest first, its rows of one phase, each with ``iter``.

    Returns:
        Rows, no iteration twice; rows that one attempt logged at one iteration are merged.
    """
    joined = {}
    for rows in attempts:
        start = min((row['iter'] for row in rows), default=math.inf)
        joined = {iteration: row for iteration, row in joined.items() if iteration < start}
        for row in rows:
            joined[row['iter']] = {**joined.get(row['iter'], {}), **row}
    return list(joined.values())


def _log_files(root) -> list:
    def fail(error):
        raise InputError(f'{error.filename} cannot be read: {error.strerror}') from error

    return sorted(Path(folder) / name for folder, _, names in os.walk(root, onerror=fail)
                  for name in names if _LOG_NAME.fullmatch(name))


def _open_log(path, keys) -> WandbLog:
    try:
        log = read_log(path, keys)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    log.run_id = log.run_id or _LOG_NAME.fullmatch(path.name)['uid']
    return log


def _make_record(root, uid, job_type, logs) -> RunRecord:
    logs = sorted(logs, key=lambda log: (_start_time(log), log.path))
    fragments = tuple(_fragment(root, log) for log in logs)
    phases = [split_by_phase(log.rows) for log in logs]
    record = RunRecord(
        uid, job_type, **_identity(logs, fragments), fragments=fragments,
        name=logs[-1].name, group=logs[-1].group,
        evaluations=tuple(Evaluation(row, fragment)
                          for fragment, rows in zip(fragments, phases)
                          for row in rows.get('test', ())))
    for phase in sorted({phase for rows in phases for phase in rows} - {'test'}):
        record.rows[phase] = stitch([rows.get(phase, []) for rows in phases])
    return record


def _start_time(log) -> float:
    # a log without its first record is the one that has just been opened
    return math.inf if log.start_time is None else log.start_time


def _fragment(root, log) -> Fragment:
    return Fragment(
        path=log.path.relative_to(root).as_posix(), start_time=_start_time(log), host=log.host,
        commit=log.commit, last_iter=log.last_iter, exit_code=log.exit_code,
        corrupt=log.damage.corrupt, truncated=log.damage.truncated)


def _identity(logs, fragments) -> dict:
    """Who the run is, by its newest log that says so, else by the folder it lies in."""
    configs = [log.config for log in logs if isinstance(log.config.get('identity'), dict)]
    if not configs:
        place = _RUN_FOLDER.match(fragments[-1].path)
        return dict(config=place['config'], seed=int(place['seed'])) if place else {}
    facts = {name: _as_dict(configs[-1].get(name)) for name in ('static', 'recipe', 'env', 'git')}
    identity = configs[-1]['identity']
    for name, kind in (('config', str), ('seed', int), ('config_hash', str)):
        value = identity.get(name)
        facts[name] = value if isinstance(value, kind) else None
    return dict(facts, overrides=_as_dict(identity.get('overrides')))


def _as_dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def split_by_phase(rows) -> dict:
    """Sort history rows by the phase their metrics belong to.

    Args:
        rows: dicts with ``iter``, ``epoch`` and metrics named ``<phase>/<metric>``.

    Returns:
        Phase to rows; a row with metrics of two phases is in both, each time with the metrics
        of that phase. Rows without an integer ``iter`` and metrics without a phase are left
        out.
    """
    phases = {}
    for row in rows:
        if not isinstance(row.get('iter'), int):
            continue
        place = {key: row[key] for key in ('iter', 'epoch') if key in row}
        parts = {}
        for key, value in row.items():
            phase, slash, _ = key.partition('/')
            if slash:
                parts.setdefault(phase, dict(place))[key] = value
        for phase, part in parts.items():
            phases.setdefault(phase, []).append(part)
    return phases


def _order(record) -> tuple:
    return (record.config or '', -1 if record.seed is None else record.seed,
            record.config_hash or '', record.uid, record.job_type)
