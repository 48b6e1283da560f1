"""The ledger of one run, beside its rows: who it is, its attempts, its results, its pulse."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.format import (
    HEARTBEAT_FILE,
    NEWER,
    RESULTS_FOLDER,
    RUN_FILE,
    NewerVersion,
    decode_object,
)


@dataclass
class LedgerRun:
    """What the ledger in one folder says.

    Attributes:
        root: the folder that was searched.
        folder: the run's folder, relative to it.
        facts: content of ``run.json`` without the attempts; empty if it is damaged.
        entries: the attempts in ``run.json``, oldest first.
        read_rows: reads its rows of metrics, as a list of
            :class:`mmaction_ext.tracking.reading.record.AttemptLog`; ``None`` without any.
        size: bytes of the file that holds them.
        results: contents of the result files, in the order of attempts, iterations and names,
            each with its own name as ``file``. Of one that is damaged, its name tells attempt
            and iteration, and ``metrics`` are ``None``.
        heartbeat: content of ``heartbeat``; ``None`` without one.
        damage: files that cannot be read as they were written, in words.
    """

    root: Path
    folder: str
    facts: dict = field(default_factory=dict)
    entries: list = field(default_factory=list)
    read_rows: Callable[[], list] | None = None
    size: int = 0
    results: list = field(default_factory=list)
    heartbeat: dict | None = None
    damage: list = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.root / self.folder

    @property
    def uid(self) -> str:
        """Id of the run; made up from its identity where an early ledger does not tell."""
        if self.facts.get('uid'):
            return self.facts['uid']
        known = [self.facts.get(name) for name in ('config', 'seed', 'config_hash')]
        return '' if None in known else RunIdentity(*known).uid

    @property
    def job_type(self) -> str:
        """``'train'`` or ``'test'``."""
        return self.facts.get('job_type') or 'train'

    @property
    def tells_of_attempts(self) -> bool:
        """Whether there is more than the name of the run."""
        return bool(self.entries or self.read_rows or self.results)

    def mirrors(self) -> list:
        """Absolute paths of the offline W&B logs that its attempts name."""
        return [path for entry in self.entries if (path := self.mirror(entry))]

    def mirror(self, entry: dict) -> str | None:
        """Absolute path of the offline W&B log that one of the attempts names."""
        name = entry.get('wandb')
        is_path = isinstance(name, str) and name and '://' not in name
        return os.path.abspath(self.path / name) if is_path else None

    def logs(self) -> dict:
        """Number of each attempt that has rows to its :class:`AttemptLog`."""
        attempts = self.read_rows() if self.read_rows else ()
        return {attempt.number: attempt for attempt in attempts}


_RESULT_NAME = re.compile(r'(\d+)-(\d+)(-\d+)?\.json')
_NUMBER = (int, float)
#: kinds of the values in ``run.json``, an attempt's entry, a result file and the heartbeat
_RUN = dict(
    uid=str,
    config=str,
    seed=int,
    config_hash=str,
    job_type=str,
    overrides=dict,
    recipe=dict,
    static=dict,
    env=dict,
    git=dict,
    sources=dict,
    data=dict,
    attempts=list,
)
_ENTRY = dict(number=int, host=str, boot_id=str, pid=int, process_start=_NUMBER, start=_NUMBER)
_RESULT = dict(
    uid=str,
    attempt=int,
    iter=int,
    epoch=int,
    checkpoint=dict,
    protocol=dict,
    metrics=dict,
    num_samples=int,
    data_digest=str,
    predictions=dict,
)
_HEARTBEAT = dict(attempt=int, pid=int, host=str, boot_id=str, iter=int, time=_NUMBER, beat=int)


def read_ledger(root, folder: str) -> LedgerRun:
    """Read what is small in a run's folder; a file that is damaged is named, not raised.

    Args:
        root: the folder that is searched.
        folder: the run's folder, relative to it.

    Returns:
        The ledger without its rows of metrics.
    """
    ledger = LedgerRun(Path(root), folder)
    content = _read_object(ledger, ledger.path / RUN_FILE, _RUN)
    entries = content.pop('attempts', None)
    ledger.facts = content if _is_identity(content) else {}
    ledger.entries = [
        of_kinds(entry, _ENTRY) for entry in entries or () if isinstance(entry, dict)
    ]
    ledger.heartbeat = _read_object(ledger, ledger.path / HEARTBEAT_FILE, _HEARTBEAT) or None
    ledger.results = _read_results(ledger)
    return ledger


def _is_identity(content: dict) -> bool:
    """Whether a ``run.json`` is one of ours; others may use that name."""
    kinds = (('config', str), ('seed', int), ('config_hash', str))
    return all(isinstance(content.get(name), kind) for name, kind in kinds)


def of_kinds(content: dict, kinds: dict) -> dict:
    """What of an object can be what it is named; the rest may come from anywhere.

    Args:
        content: plain data.
        kinds: name to the type of its value, or a tuple of types; ``None`` may stand for each.
    """
    return {
        name: value
        for name, value in content.items()
        if value is None or isinstance(value, kinds.get(name, object))
    }


def as_dict(value) -> dict:
    """A value that should be a dict; empty where it is none."""
    return value if isinstance(value, dict) else {}


def _read_object(ledger, path, kinds: dict) -> dict:
    """A JSON object; empty if the file does not exist, or is damaged."""
    problem = 'is damaged'
    try:
        content = decode_object(read_regular(path))
        if content == of_kinds(content, kinds):
            return content
    except FileNotFoundError:
        return {}
    except OSError as error:
        problem = f'is {unreadable(error)}'
    except NewerVersion:
        problem = NEWER
    except ValueError:
        pass
    place = Path(ledger.folder, path.relative_to(ledger.path)).as_posix()
    ledger.damage.append(f'{place} {problem}')
    return {}


def unreadable(error: OSError) -> str:
    """What is said of a file that cannot be read, after "is"."""
    return f'unreadable: {error.strerror}'


def _read_results(ledger) -> list:
    """The result files, each with its name as ``file``; what is none of this run's is named."""
    try:
        names = os.listdir(ledger.path / RESULTS_FOLDER)
    except OSError as error:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            place = Path(ledger.folder, RESULTS_FOLDER).as_posix()
            ledger.damage.append(f'{place} is {unreadable(error)}')
        return []
    results = []
    for name in sorted((name for name in names if name.endswith('.json')), key=_numbers):
        found = len(ledger.damage)
        result = _read_object(ledger, ledger.path / RESULTS_FOLDER / name, _RESULT)
        if len(ledger.damage) > found:
            results += _damaged_result(name)
        elif not _is_result(result, ledger.uid):
            ledger.damage.append(f'{ledger.folder}/{RESULTS_FOLDER}/{name} is no result of it')
        else:
            results.append(dict(result, file=f'{RESULTS_FOLDER}/{name}'))
    return results


def _damaged_result(name: str) -> list:
    """What the name of a result file tells, alone in a list; empty where it has another name."""
    found = _RESULT_NAME.fullmatch(name)
    return (
        [
            dict(
                attempt=int(found[1]),
                iter=int(found[2]),
                metrics=None,
                file=f'{RESULTS_FOLDER}/{name}',
            )
        ]
        if found
        else []
    )


def _numbers(name: str) -> tuple:
    return [int(number) for number in re.findall(r'\d+', name)], name


def _is_result(result: dict, uid: str) -> bool:
    return (
        isinstance(result.get('attempt'), int)
        and isinstance(result.get('iter'), int)
        and isinstance(result.get('metrics'), dict)
        and result.get('finished') is True
        and uid in ('', result.get('uid'))
    )
