"""What tables see of a run: one record, whatever files it was read from."""

import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmaction_ext.errors import Diverged
from mmaction_ext.tracking.ledger.format import NON_FINITE_SAMPLES, TRAIN_LOSS
from mmaction_ext.tracking.ledger.forms import HeartbeatFile
from mmaction_ext.tracking.reading.rows import Place, Row

if TYPE_CHECKING:
    from mmaction_ext.tracking.ledger.forms import AttemptEntry, ResultFile
    from mmaction_ext.tracking.reading.ledger import LedgerRun

#: Where a number was read, in the order in which the sources are believed.
SOURCES = ('ledger', 'wandb-offline', 'wandb-online', 'csv')
#: From which of them runs are read: of ``auto``, each attempt from the first that tells of it.
SOURCE_CHOICES = ('auto', 'ledger', 'wandb')
_WEB = re.compile(r'https?://[^\s]+')


@dataclass
class Attempt:
    """All that is known of one attempt at a run; what nobody says is empty.

    A file tells of one or several attempts, and of the run that they are of. What several files
    tell of one attempt is put together by :mod:`mmaction_ext.tracking.reading.attempts`.

    Attributes:
        source: one of :data:`SOURCES`.
        path: the file that tells of it, relative to the folder that was searched, with forward
            slashes.
        number: number of the attempt, from 1.
        host, pid: machine and process that made it.
        commit: the git commit that it ran on.
        start_time, end_time: seconds since the epoch; ``None`` where nobody says. For display:
            clocks go backwards.
        exit_code: ``None`` without an exit record (killed, or still running).
        signal: name of the signal that ended it.
        last_error: the line that names the exception that ended it.
        resumed_from: the iteration that it went on from, 0 where it began anew; ``None`` where
            only its rows can tell.
        last_iter: largest iteration logged.
        corrupt: bytes were altered after they were written, or are missing.
        truncated: the file ends in the middle of a record: its writer was killed or still writes.
        newer: whether the file is of a version that this program does not know.
        problem: why the file cannot be read; empty if it can.
        uid, job_type, name, group: of its run, as :class:`RunRecord` has them.
        config: the run's W&B config: ``identity``, ``static``, ``recipe``, ``env``, ``git``,
            ``sources``, ``data``.
        state, last_sign: what the server called the run when it was asked, and when it had last
            heard of it, in seconds since the epoch.
        url: its page there.
        imported: whether it is of another project.
        count: how many rows were logged, those that are not kept counted.
        first_byte, end_byte: where in the file its first line begins and its last one ends.
        root: the folder that was searched.
        history: rows of a W&B log in the order they were logged, until they are sorted.
        rows: rows of the file by phase.
        phases: rows by phase and :data:`Place`, once it is put together.
        results: its result files by the place of the row they tell of.
        tags, summary: those of its run in W&B, where they are asked for.
        entry: what ``run.json`` says of it, where that tells of it.
        ledger: the ledger it stands in.
    """

    source: str = 'wandb-offline'
    path: str = ''
    number: int | None = None
    host: str = ''
    pid: int | None = None
    commit: str = ''
    start_time: float | None = None
    end_time: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    last_error: str = ''
    resumed_from: float | None = None
    last_iter: int | None = None
    corrupt: bool = False
    truncated: bool = False
    newer: bool = False
    problem: str = ''
    uid: str = ''
    job_type: str = ''
    name: str = ''
    group: str = ''
    config: Row = field(default_factory=dict)
    state: str = ''
    last_sign: float | None = None
    url: str = ''
    imported: bool = False
    count: int = 0
    first_byte: int | None = None
    end_byte: int | None = None
    root: Path | None = field(default=None, compare=False, repr=False)
    history: list[Row] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    phases: dict[str, dict[Place, Row]] = field(default_factory=dict)
    results: dict[Place, 'ResultFile'] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    summary: Row = field(default_factory=dict)
    entry: 'AttemptEntry | None' = None
    ledger: 'LedgerRun | None' = field(default=None, compare=False, repr=False)

    @property
    def origin(self) -> tuple[str, int | None, float]:
        """Host, process and start: what no two attempts have in common."""
        return self.host, self.pid, round(self.began, 3)

    @property
    def began(self) -> float:
        """Its start for comparisons: who does not know it has just been opened."""
        return math.inf if self.start_time is None else self.start_time

    @property
    def teller(self) -> str:
        """Who tells of it, in words."""
        if self.ledger is None:
            return f'{self.source} {self.path}'
        return f'ledger of {self.ledger.folder}, attempt {self.number}'

    def take(self, start: float, facts: Row) -> None:
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

    def training(self) -> dict[str, list[Row]]:
        """Its rows by phase, without the tests."""
        return {
            phase: list(rows.values()) for phase, rows in self.phases.items() if phase != 'test'
        }

    def without_rows(self) -> 'Attempt':
        """It as records show it."""
        return replace(
            self,
            rows={},
            phases={},
            results={},
            tags=(),
            summary={},
            config={},
            entry=None,
            ledger=None,
        )


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the test split.

    Attributes:
        values: the row: ``iter``, ``epoch`` and ``test/...`` metrics.
        attempt: the attempt that logged it.
        protocol: how it was tested (``num_clips``, ...); empty unless the ledger says.
        predictions: ``path`` relative to the run's folder and ``sha256``; ``None`` if none were
            written or only W&B tells of the evaluation.
        checkpoint: the same of the weights.
    """

    values: Row
    attempt: Attempt
    protocol: Row = field(default_factory=dict)
    predictions: Row | None = None
    checkpoint: Row | None = None


def is_diverged(values: Row) -> bool:
    """Whether the row of a test says that scores were not finite."""
    count = values.get(NON_FINITE_SAMPLES)
    return isinstance(count, (int, float)) and count != 0


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
        attempts: the attempts, oldest first, without their rows.
        rows: history by phase (``'train'``, ``'val'``): dicts with ``iter``, ``epoch`` and the
            metrics of that phase. What a later attempt repeated is there once, and what lies
            beyond the checkpoint it went on from only if it logged that itself. Of the training
            rows of an attempt, at most
            :data:`mmaction_ext.tracking.reading.rows.MAX_TRAIN_ROWS` with the same metrics.
        evaluations: every evaluation on the test split, of every attempt.
        logged: names of its metrics, whichever of them were asked for; of training, those of its
            last rows.
        folder: the run's folder relative to the one that was searched; empty if unknown.
        root: the folder that was searched; ``None`` where ``folder`` is empty.
        mirrors: which of :data:`SOURCES` tell of the same attempts again, as far as was looked.
        state: ``'finished'``, ``'failed'``, ``'running'``, ``'killed'`` (dead without an exit
            record) or ``'unknown'`` (no exit record, and nobody can tell).
        conflicts: where two runs claim to be this one, in words: two ledgers, two W&B logs, a
            result and its row, or attempts of which one can be no attempt at the run of the other.
        disagreements: what sources of the same attempts disagree about, in words; empty unless
            they were compared.
        damage: files that cannot be read as they were written, in words. Those that another
            source makes up for do not make the run :attr:`corrupt`.
        data: annotation lists by split.
        code: digest of each source file that the run used.
        heartbeat: the last sign of life in the ledger.
        last_error: how the last attempt failed, or an empty string.
        imported: whether it stands for numbers of another project or a CSV file.
        url: its page on a W&B server (http or https); empty if it has none.
        summary: what a run of other programs says of itself as a whole, by name.
    """

    uid: str
    job_type: str
    config: str | None = None
    seed: int | None = None
    config_hash: str | None = None
    overrides: Row = field(default_factory=dict)
    complexity: Row = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    env: Row = field(default_factory=dict)
    git: Row = field(default_factory=dict)
    name: str = ''
    group: str = ''
    attempts: tuple[Attempt, ...] = ()
    rows: Mapping[str, list[Row]] = field(default_factory=dict)
    evaluations: tuple[Evaluation, ...] = ()
    logged: frozenset[str] = field(default=frozenset(), compare=False)
    folder: str = ''
    mirrors: tuple[str, ...] = ()
    state: str = 'unknown'
    conflicts: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    data: dict[str, Row] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    heartbeat: HeartbeatFile | None = None
    last_error: str = ''
    imported: bool = False
    url: str = ''
    summary: Row = field(default_factory=dict)
    root: Path | None = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> Path | None:
        """The run's folder; ``None`` if unknown."""
        return self.root / self.folder if self.root and self.folder else None

    @property
    def read_from(self) -> tuple[str, ...]:
        """Which of :data:`SOURCES` its attempts were read from, the most trusted first."""
        found = {attempt.source for attempt in self.attempts}
        return tuple(source for source in SOURCES if source in found)

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last attempt; ``None`` if it has none."""
        return self.attempts[-1].exit_code

    @property
    def corrupt(self) -> bool:
        """Whether the log of any attempt was altered after it was written."""
        return any(attempt.corrupt for attempt in self.attempts)

    @property
    def truncated(self) -> bool:
        """Whether the log of the last attempt ends in the middle of a record."""
        return self.attempts[-1].truncated

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
        tested = self.evaluations[-1].values.get('iter', 0) if self.evaluations else -1
        if self.attempts and self.last_iter is not None and tested >= self.last_iter:
            return None  # no row is later
        row = self.lost_row
        return row[TRAIN_LOSS] if row and tested < row['iter'] else None

    @functools.cached_property
    def lost_row(self) -> Row | None:
        """The last of its training rows that has a loss, where that is not finite."""
        row = next((row for row in reversed(self.rows.get('train', ())) if TRAIN_LOSS in row), {})
        loss = row.get(TRAIN_LOSS)
        return row if isinstance(loss, float) and not math.isfinite(loss) else None

    @property
    def last_iter(self) -> int | None:
        """Iteration that the last attempt had reached, be it by going on from there."""
        last = self.attempts[-1]
        begin = int(last.resumed_from or 0) or None
        return begin if last.last_iter is None else last.last_iter


def is_web_address(text: str) -> bool:
    """Whether a text is an address of the web (http or https), and nothing else."""
    return bool(_WEB.fullmatch(text))


def tellers(uid: str, sources: Iterable[str]) -> list[str]:
    """Who tells of a run, in words.

    >>> tellers('lab/p/r1', ['wandb-online']), tellers('imported/logs/r1', ['wandb-online'])
    (['wandb-online'], ['copy of an offline W&B log'])
    """
    is_copy = uid.startswith('imported/')
    return [
        'copy of an offline W&B log' if is_copy and source == 'wandb-online' else source
        for source in sources
    ]


def order(record: RunRecord) -> tuple[Any, ...]:
    """Sort key of records: config, seed, hash, id, trainings before tests, files."""
    return (
        record.config or '',
        -1 if record.seed is None else record.seed,
        record.config_hash or '',
        record.uid,
        record.job_type != 'train',
        record.job_type,
        record.folder,
        [attempt.path for attempt in record.attempts],
    )


def oldest_first(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Attempts by their start, and those that tell their numbers by these: clocks go back."""
    ordered = sorted(attempts, key=lambda each: (each.began, each.path, str(each.root)))
    told = [each for each in ordered if each.number is not None]
    numbered = iter(sorted(told, key=lambda each: each.number or 0))
    return [each if each.number is None else next(numbered) for each in ordered]
