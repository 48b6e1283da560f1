"""What tables see of a run: one record, whatever files it was read from."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from mmaction_ext.errors import Diverged
from mmaction_ext.tracking.ledger.format import NON_FINITE_SAMPLES, TRAIN_LOSS

#: Where a number was read, in the order in which the sources are believed.
SOURCES = ('ledger', 'wandb-offline', 'wandb-online', 'csv')
#: From which of them runs are read: of ``auto``, each attempt from the first that tells of it.
SOURCE_CHOICES = ('auto', 'ledger', 'wandb')
_WEB = re.compile(r'https?://[^\s]+')


@dataclass(frozen=True)
class Fragment:
    """One attempt at a run.

    Attributes:
        path: the file that tells of it, relative to the folder that was searched, with forward
            slashes.
        start_time: seconds since the epoch; infinite if nobody says. For display: clocks go
            backwards.
        host, commit: where it ran and on which git commit.
        last_iter: largest iteration logged, or ``None``.
        exit_code: ``None`` without an exit record (killed, or still running).
        corrupt: bytes were altered after they were written, or are missing.
        truncated: the file ends in the middle of a record: its writer was killed or still writes.
        number: number of the attempt, from 1; ``None`` where nobody says.
        source: one of :data:`SOURCES`.
        pid: number of its process.
        signal: name of the signal that ended it.
        last_error: the line that names the exception that ended it, or an empty string.
        end_time: seconds since the epoch; ``None`` if it did not say.
    """

    path: str
    start_time: float
    host: str
    commit: str
    last_iter: int | None
    exit_code: int | None
    corrupt: bool
    truncated: bool
    number: int | None = None
    source: str = 'wandb-offline'
    pid: int | None = None
    signal: str | None = None
    last_error: str = ''
    end_time: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the test split.

    Attributes:
        values: the row: ``iter``, ``epoch`` and ``test/...`` metrics.
        fragment: the attempt that logged it.
        protocol: how it was tested (``num_clips``, ...); empty unless the ledger says.
        predictions: ``path`` relative to the run's folder and ``sha256``; ``None`` if none were
            written or only W&B tells of the evaluation.
        checkpoint: the same of the weights.
    """

    values: dict
    fragment: Fragment
    protocol: dict = field(default_factory=dict)
    predictions: dict | None = None
    checkpoint: dict | None = None


def is_diverged(values: dict) -> bool:
    """Whether the row of a test says that scores were not finite."""
    count = values.get(NON_FINITE_SAMPLES)
    return isinstance(count, (int, float)) and count != 0


def lost_row(rows) -> dict | None:
    """The last of the training rows that has a loss, where that is not finite."""
    row = next((row for row in reversed(rows) if TRAIN_LOSS in row), {})
    loss = row.get(TRAIN_LOSS)
    return row if isinstance(loss, float) and not math.isfinite(loss) else None


@dataclass
class RunRecord:
    """One training or test run, stitched from its attempts.

    Attributes:
        uid: W&B run id, the same for every attempt; of another project's run, with the project in
            front (``<entity>/<project>/<run id>``); empty where no run stands behind it.
        job_type: ``'train'`` or ``'test'``.
        config: posix path of the config below ``configs/``; ``None`` if unknown.
        seed: random seed; ``None`` if unknown.
        config_hash: hash of the resolved config; ``None`` if the log lost it.
        overrides: settings changed on the command line.
        complexity: parameters, multiply-adds and input shape of the model.
        recipe, env, git: resolved config, library versions, state of the checkout.
        name, group: W&B display name and group.
        fragments: the attempts, oldest first.
        rows: history by phase (``'train'``, ``'val'``): dicts with ``iter``, ``epoch`` and the
            metrics of that phase. What a later attempt repeated is there once, and what lies
            beyond the checkpoint it went on from only if it logged that itself. Of the training
            rows of an attempt, at most
            :data:`mmaction_ext.tracking.reading.rows.MAX_TRAIN_ROWS` with the same metrics.
        evaluations: every evaluation on the test split, of every attempt.
        folder: the run's folder relative to the one that was searched; empty if unknown.
        root: the folder that was searched; ``None`` where ``folder`` is empty.
        sources: which of :data:`SOURCES` tell of the attempts.
        mirrors: which of them tell of the same attempts again, of those that were read.
        state: ``'finished'``, ``'failed'``, ``'running'``, ``'killed'`` (dead without an exit
            record) or ``'unknown'`` (no exit record, and nobody can tell).
        conflicts: where two runs claim to be this one, in words: two ledgers, two W&B logs, a
            result and its row, or attempts of which one can be no attempt at the run of the other.
        disagreements: what sources of the same attempts disagree about, in words; empty unless
            they were compared.
        damage: files that cannot be read as they were written, in words. Those that another
            source makes up for do not make the run :attr:`corrupt`.
        data: annotation lists by split, from the ledger.
        code: digest of each source file that the run used, from the ledger.
        heartbeat: the last sign of life in the ledger.
        last_error: how the last attempt failed, or an empty string.
        imported: whether it stands for numbers of another project or a CSV file.
        url: its page on a W&B server (http or https); empty if it has none.
    """

    uid: str
    job_type: str
    config: str | None = None
    seed: int | None = None
    config_hash: str | None = None
    overrides: dict = field(default_factory=dict)
    complexity: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    git: dict = field(default_factory=dict)
    name: str = ''
    group: str = ''
    fragments: tuple = ()
    rows: dict = field(default_factory=dict)
    evaluations: tuple = ()
    folder: str = ''
    sources: tuple = ()
    mirrors: tuple = ()
    state: str = 'unknown'
    conflicts: tuple = ()
    disagreements: tuple = ()
    damage: tuple = ()
    data: dict = field(default_factory=dict)
    code: dict = field(default_factory=dict)
    heartbeat: dict | None = None
    last_error: str = ''
    imported: bool = False
    url: str = ''
    root: Path | None = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> Path | None:
        """The run's folder; ``None`` if unknown."""
        return self.root / self.folder if self.root and self.folder else None

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
    def diverged(self) -> bool:
        """Whether its last training losses were not finite, or its last test's scores."""
        return (
            self.last_error.startswith(Diverged.words)
            or self.lost_loss is not None
            or (bool(self.evaluations) and is_diverged(self.evaluations[-1].values))
        )

    @property
    def lost_loss(self) -> float | None:
        """The loss logged last, where it is not finite and no test has come since."""
        row = lost_row(self.rows.get('train', ()))
        tested = self.evaluations[-1].values.get('iter', 0) if self.evaluations else -1
        return row[TRAIN_LOSS] if row and tested < row['iter'] else None

    @property
    def last_iter(self) -> int | None:
        """Iteration that the last attempt had reached."""
        return self.fragments[-1].last_iter


def is_web_address(text: str) -> bool:
    """Whether a text is an address of the web (http or https), and nothing else."""
    return bool(_WEB.fullmatch(text))


def order(record) -> tuple:
    """Sort key of records: config, seed, hash, id, trainings before tests, files."""
    return (
        record.config or '',
        -1 if record.seed is None else record.seed,
        record.config_hash or '',
        record.uid,
        record.job_type != 'train',
        record.job_type,
        record.folder,
        [fragment.path for fragment in record.fragments],
    )


@dataclass
class AttemptLog:
    """What one file says about one attempt; what it does not say is empty.

    Attributes:
        source: one of :data:`SOURCES`.
        root, path: the folder that was searched, and the file relative to it.
        uid, job_type, name, group, host, commit, start_time, exit_code, last_iter, corrupt,
            truncated, number: as in :class:`RunRecord` and :class:`Fragment`; ``start_time`` is
            ``None`` if unknown.
        pid: as in :class:`Fragment`.
        resumed_from: the iteration that it went on from, 0 where it began anew; ``None`` where
            only its rows can tell.
        newer: whether the file is of a version that this program does not know.
        config: the run's W&B config: ``identity``, ``static``, ``recipe``, ``env``, ``git``.
        state: what the server said of the run when it was asked.
        last_sign: when the server had last heard of it, in seconds since the epoch.
        url: its page there.
        imported: whether it is of another project.
        first_byte, end_byte: where in the file its first line begins and its last one ends.
        count: how many rows it has in its ledger, those that are not in ``phases`` counted.
        problem: why the file cannot be read; empty if it can.
        phases: rows by phase.
    """

    source: str
    root: Path | None = None
    path: str = ''
    uid: str = ''
    job_type: str = ''
    name: str = ''
    group: str = ''
    host: str = ''
    commit: str = ''
    start_time: float | None = None
    exit_code: int | None = None
    last_iter: int | None = None
    corrupt: bool = False
    truncated: bool = False
    newer: bool = False
    number: int | None = None
    pid: int | None = None
    resumed_from: int | None = None
    config: dict = field(default_factory=dict)
    state: str = ''
    last_sign: float | None = None
    url: str = ''
    imported: bool = False
    first_byte: int | None = None
    end_byte: int | None = None
    count: int = 0
    problem: str = ''
    phases: dict = field(default_factory=dict)

    def fragment(self) -> Fragment:
        """The attempt as records show it."""
        return Fragment(
            self.path,
            math.inf if self.start_time is None else self.start_time,
            self.host,
            self.commit,
            self.last_iter,
            self.exit_code,
            self.corrupt,
            self.truncated,
            self.number,
            self.source,
            self.pid,
        )

    def take(self, start: float, facts: dict) -> None:
        """Believe what the attempt itself said, rather than whoever kept it.

        Args:
            start: when it began, in seconds since the epoch.
            facts: see :func:`mmaction_ext.tracking.reading.rows.told_of_attempts`. Attempts of
                another type of job, a test in the W&B run of its training, have numbers of
                their own.
        """
        self.start_time, self.host = start, facts.get('host', self.host)
        if facts.get('job_type', self.job_type) == self.job_type:
            self.number = facts.get('number')
        self.pid, self.resumed_from = facts.get('pid'), facts.get('resumed_from_iter')
        self.exit_code = facts.get('exit_code', self.exit_code)


def in_order(logs) -> list:
    """Attempts by their start, and those that tell their numbers by these: clocks go back."""
    logs = sorted(logs, key=_start)
    numbered = iter(
        sorted((log for log in logs if log.number is not None), key=lambda log: log.number)
    )
    return [log if log.number is None else next(numbered) for log in logs]


def _start(log) -> tuple:
    # a log without its first record is the one that has just been opened
    start = math.inf if log.start_time is None else log.start_time
    return start, log.path, str(log.root)
