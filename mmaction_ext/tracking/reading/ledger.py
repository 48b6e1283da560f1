"""The ledger of one run, beside its rows: who it is, its attempts, its results, its pulse."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.format import (
    HEARTBEAT_FILE,
    NEWER,
    RESULTS_FOLDER,
    RUN_FILE,
    NewerVersion,
)
from mmaction_ext.tracking.ledger.forms import (
    AttemptEntry,
    Facts,
    Form,
    HeartbeatFile,
    ResultFile,
    RunFile,
    WrongForm,
)
from mmaction_ext.tracking.reading.record import Attempt

F = TypeVar('F', bound=Form)


@dataclass
class LedgerRun:
    """What the ledger in one folder says.

    Attributes:
        root: the folder that was searched.
        folder: the run's folder, relative to it.
        run: what ``run.json`` says of the run; ``None`` if it is damaged, or none of ours.
        entries: the attempts in ``run.json``, oldest first.
        read_rows: reads its rows of metrics, as a list of :class:`Attempt`; ``None`` without any.
        size: bytes of the file that holds them.
        results: the result files, in the order of attempts, iterations and names. Of one that is
            damaged, its name tells attempt and iteration, and ``metrics`` are ``None``.
        heartbeat: the last sign of life; ``None`` without one.
        damage: files that cannot be read as they were written, in words.
        told: what else it tells, where that is kept and its files were not read.
    """

    root: Path
    folder: str
    run: RunFile | None = None
    entries: list[AttemptEntry] = field(default_factory=list)
    read_rows: Callable[[], list[Attempt]] | None = None
    size: int = 0
    results: list[ResultFile] = field(default_factory=list)
    heartbeat: HeartbeatFile | None = None
    damage: list[str] = field(default_factory=list)
    told: Facts | None = None

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.root / self.folder

    @property
    def uid(self) -> str:
        """Id of the run; made up from its identity where an early ledger does not tell."""
        if self.run is None:
            return ''
        return self.run.uid or identity(self.run).uid

    @property
    def job_type(self) -> str:
        """``'train'`` or ``'test'``."""
        return (self.run and self.run.job_type) or 'train'

    @property
    def tells_of_attempts(self) -> bool:
        """Whether there is more than the name of the run."""
        return bool(self.entries or self.read_rows or self.results)

    @property
    def is_over(self) -> bool:
        """Whether the last attempt that it knows of has ended."""
        return bool(self.entries) and self.entries[-1].exit_code is not None

    def mirrors(self) -> list[str]:
        """Absolute paths of the offline W&B logs that its attempts name."""
        return [path for entry in self.entries if (path := self.mirror(entry))]

    def mirror(self, entry: AttemptEntry) -> str | None:
        """Absolute path of the offline W&B log that one of the attempts names."""
        name = entry.wandb
        return os.path.abspath(self.path / name) if name and '://' not in name else None

    def logs(self) -> dict[int, Attempt]:
        """Number of each attempt that has rows to what these tell of it."""
        attempts = self.read_rows() if self.read_rows else ()
        return {attempt.number: attempt for attempt in attempts if attempt.number is not None}


def identity(run: RunFile) -> RunIdentity:
    """Who a run is, by a ``run.json`` that says so."""
    return RunIdentity(str(run.config), int(run.seed or 0), str(run.config_hash))


_RESULT_NAME = re.compile(r'(\d+)-(\d+)(-\d+)?\.json')


def read_ledger(root: Path | str, folder: str) -> LedgerRun:
    """Read what is small in a run's folder; a file that is damaged is named, not raised.

    Args:
        root: the folder that is searched.
        folder: the run's folder, relative to it.

    Returns:
        The ledger without its rows of metrics.
    """
    ledger = LedgerRun(Path(root), folder)
    run = _read(ledger, RUN_FILE, RunFile)
    if run is not None:
        ledger.entries, run.attempts = run.attempts or [], None
        # others may use that name
        ledger.run = None if None in (run.config, run.seed, run.config_hash) else run
    read_heartbeat(ledger)
    ledger.results = _read_results(ledger)
    return ledger


def read_heartbeat(ledger: LedgerRun) -> None:
    """Read the last sign of life."""
    ledger.heartbeat = _read(ledger, HEARTBEAT_FILE, HeartbeatFile)


def as_dict(value: object) -> Facts:
    """A value that should be a dict; empty where it is none."""
    return value if isinstance(value, dict) else {}


def _read(ledger: LedgerRun, name: str, form: type[F]) -> F | None:
    """An object in the run's folder; ``None`` if the file does not exist, or is damaged."""
    try:
        return form.parse(read_regular(os.path.join(ledger.root, ledger.folder, name)))
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f'is {unreadable(error)}'
    except NewerVersion:
        problem = NEWER
    except WrongForm as error:
        problem = f'is damaged: {error}'
    except ValueError:
        problem = 'is damaged'
    ledger.damage.append(f'{Path(ledger.folder, name).as_posix()} {problem}')
    return None


def unreadable(error: OSError) -> str:
    """What is said of a file that cannot be read, after "is"."""
    return f'unreadable: {error.strerror}'


def _read_results(ledger: LedgerRun) -> list[ResultFile]:
    """The result files; what is none of this run's is named."""
    try:
        names = os.listdir(os.path.join(ledger.root, ledger.folder, RESULTS_FOLDER))
    except OSError as error:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            place = Path(ledger.folder, RESULTS_FOLDER).as_posix()
            ledger.damage.append(f'{place} is {unreadable(error)}')
        return []
    results = []
    for name in sorted(filter(is_result_name, names), key=_numbers):
        file = f'{RESULTS_FOLDER}/{name}'
        result = _read(ledger, file, ResultFile)
        if result is None:
            found = _RESULT_NAME.fullmatch(name)
            if found:
                results.append(ResultFile(attempt=int(found[1]), iter=int(found[2]), file=file))
        elif not _is_result(result, ledger.uid):
            ledger.damage.append(f'{ledger.folder}/{file} is no result of it')
        else:
            result.file = file
            results.append(result)
    return results


def is_result_name(name: str) -> bool:
    """Whether a file among the results is taken for one."""
    return name.endswith('.json')


def _numbers(name: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r'\d+', name)], name


def _is_result(result: ResultFile, uid: str) -> bool:
    is_there = None not in (result.attempt, result.iter, result.metrics)
    return is_there and result.finished is True and uid in ('', result.uid)
