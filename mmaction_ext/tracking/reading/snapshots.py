"""Snapshots: runs of somewhere else, copied into files that are read as logs are.

A run on a W&B server, or a log that another project wrote, becomes one JSON file
``<root>/.online/<place>/<run id>-<job type>.json``, written as a whole and with a checksum. What
the source said when it was copied stands in it (``seen``), so that copying again takes only what
has changed.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular
from mmaction_ext.files.writing import write_output
from mmaction_ext.tracking.identity import RunIdentity, json_digest
from mmaction_ext.tracking.ledger.forms import Seen, SnapshotFile, WrongForm
from mmaction_ext.tracking.reading.rows import (
    Row,
    flat,
    split_by_phase,
    start_of,
    told_of_attempts,
)
from mmaction_ext.tracking.reading.wandb_snapshot import (
    SNAPSHOT_BYTES,
    SNAPSHOT_FOLDER,
    SNAPSHOT_VALUES,
    run_uid,
)

#: longest name of a snapshot or its folder, quoted; file systems have room for 255
MOST_LETTERS = 220
#: version of the files; those of version 1 had no checksum, and are copied anew
SCHEMA = 2


@dataclass(frozen=True)
class SourceRun:
    """A run as its source lists it, before its history is read.

    Attributes:
        place: folders below ``.online``: entity and project, or what stands for them.
        run_id, name, group, job_type: as given to ``wandb.init``.
        state: ``'finished'``, ``'failed'``, ``'crashed'``, ``'running'`` or ``'preempted'``.
        read_rows: reads the history; called only where the run is copied.
        config: the run's W&B config.
        updated: when the source last heard of it, seconds since the epoch.
        row_count: how many rows its history has, as far as the source says.
        url, host, commit: where to look at it, where it ran, and on which git commit.
        start_time: seconds since the epoch, or ``None``.
        exit_code: ``None`` where nobody knows.
        problem: why it must not be copied; empty if it may.
        tags, summary: those of the run in W&B.
        source: one of :data:`mmaction_ext.tracking.reading.record.SOURCES`.
        path: the file that tells of it, or the line of one.
    """

    place: tuple[str, ...]
    run_id: str
    name: str
    group: str
    job_type: str
    state: str
    read_rows: Callable[[], list[Row]]
    config: Row = field(default_factory=dict)
    updated: float = 0.0
    row_count: int | None = None
    url: str = ''
    host: str = ''
    commit: str = ''
    start_time: float | None = None
    exit_code: int | None = None
    problem: str = ''
    tags: tuple[str, ...] = ()
    summary: Row = field(default_factory=dict)
    source: str = 'wandb-online'
    path: str = ''

    @property
    def identity(self) -> Row | None:
        """What this project's own runs say they are; ``None`` for any other run."""
        found = self.config.get('identity')
        kinds = dict(config=str, seed=int, config_hash=str)
        if isinstance(found, dict) and all(
            isinstance(found.get(name), kind) for name, kind in kinds.items()
        ):
            return found
        return None


@dataclass(frozen=True)
class Copied:
    """What became of one run.

    Attributes:
        run: the :class:`SourceRun`.
        outcome: ``'new'``, ``'changed'``, ``'unchanged'``, ``'newer'`` (the snapshot is, and was
            kept) or ``'skipped'``.
        reason: why it was skipped.
        path: the snapshot.
        identity: the row and seed it was taken for; ``None`` if it was skipped.
    """

    run: SourceRun
    outcome: str
    reason: str = ''
    path: Path | None = None
    identity: RunIdentity | None = None


class Copier:
    """Copies runs into snapshots, and only those that changed.

    Args:
        root: folder of the runs; snapshots are written below its ``.online``.
        identify: function of a :class:`SourceRun` that is none of this project's own, returning
            its :class:`mmaction_ext.tracking.identity.RunIdentity`, or an
            :class:`~mmaction_ext.errors.InputError` that says why it has none.
        rename: foreign name of a metric to the name it has here; ``iter`` and ``epoch`` too.
        dry_run: whether to write nothing.
        as_is: whether to copy runs with their whole config, tags and summary, whosever they are
            and without asking which config and seed that is, for tables whose ``runs`` they are.
    """

    def __init__(
        self,
        root: Path | str,
        identify: 'Callable[[SourceRun], RunIdentity | InputError] | None' = None,
        rename: dict[str, str] | None = None,
        dry_run: bool = False,
        as_is: bool = False,
    ) -> None:
        self.root, self.identify = Path(root), identify or _refuse
        self.rename, self.dry_run, self.as_is = dict(rename or {}), dry_run, as_is

    def __call__(self, run: SourceRun) -> Copied:
        """Copy one run.

        Raises:
            InputError: the snapshot cannot be written, or the source fails.
        """
        path = snapshot_path(self.root, run)
        if any(len(name) > MOST_LETTERS for name in path.relative_to(self.root).parts):
            return Copied(run, 'skipped', 'its id or folder is too long for a file name', path)
        identity = None if self.as_is else _own_identity(run) or self.identify(run)
        if run.problem or not run.run_id.strip():
            identity = InputError(run.problem or 'it has no id')
        if isinstance(identity, InputError):
            return Copied(run, 'skipped', str(identity), path)
        facts = self._facts(run, identity)
        outcome = _compare(read_snapshot(path), facts['seen'])
        if outcome in ('new', 'changed') and not self.dry_run:
            self._write(path, run, facts)
        return Copied(run, outcome, '', path, identity)

    def _facts(self, run: SourceRun, identity: RunIdentity | None) -> Row:
        """A snapshot without its rows."""
        uid = run_uid(run.run_id, run.job_type)
        config = run.config
        if identity and run.identity is None:
            config = dict(
                identity=dict(
                    config=identity.config,
                    seed=identity.seed,
                    config_hash=identity.config_hash,
                    overrides={},
                )
            )
        facts = dict(
            schema=SCHEMA,
            url=run.url,
            uid=uid,
            job_type=run.job_type or 'train',
            name=run.name,
            group=run.group,
            state=run.state,
            exit_code=run.exit_code,
            host=run.host,
            commit=run.commit,
            start_time=run.start_time,
            imported=self.as_is or run.identity is None,
            config=config,
        )
        if self.as_is:
            facts.update(uid=run.run_id, tags=list(run.tags), summary=run.summary)
        digest = json_digest([facts, self.rename])
        return dict(facts, seen=dict(updated=run.updated, rows=run.row_count, digest=digest))

    def _write(self, path: Path, run: SourceRun, facts: Row) -> None:
        found = run.read_rows()
        if run.row_count is not None:  # fewer than were listed: read again the next time
            facts['seen']['rows'] = min(run.row_count, len(found))
        rows = history_rows(found, self.rename)
        if not self.as_is and _told_of_earlier(found):
            last: Row = next((row for row in reversed(rows) if split_by_phase([row])), {})
            is_tested = any(key.startswith('test/') for key in last)
            facts.update(state='finished' if is_tested else 'unknown', exit_code=None)
        if not self.as_is and any(key.startswith('train/') for row in rows for key in row):
            facts['job_type'] = 'train'  # a test that was logged into the run it belongs to
        try:
            write_snapshot(path, SnapshotFile.of(dict(facts, rows=rows)))
        except WrongForm as error:
            raise InputError(f'{path} would hold what no run has: {error}') from error


def snapshot_path(root: Path | str, run: SourceRun) -> Path:
    """File of a run's snapshot; what no file name may have in it is quoted."""
    name = f'{_file_name(run.run_id)}-{_file_name(run.job_type or "train")}.json'
    return Path(root, SNAPSHOT_FOLDER, *map(_file_name, run.place), name)


def _file_name(text: str) -> str:
    name = quote(text, safe=' ', errors='backslashreplace')
    return name.replace('.', '%2E') if not name.strip('. ') else name


def read_snapshot(path: Path | str) -> SnapshotFile | None:
    """A snapshot; ``None`` where there is none that can be read."""
    try:
        return SnapshotFile.parse(read_regular(path, SNAPSHOT_BYTES), SNAPSHOT_VALUES)
    except (OSError, ValueError):
        return None


def write_snapshot(path: Path | str, content: SnapshotFile) -> None:
    """Replace a snapshot as a whole; numbers that are not finite are written as strings.

    Raises:
        InputError: it cannot be written.
    """
    write_output(path, content.text())


def history_rows(rows: Iterable[Row], rename: dict[str, str] | None = None) -> list[Row]:
    """History as W&B gives it, in the form in which logs are read.

    Args:
        rows: dicts; ``_step`` and ``_timestamp`` put them in order and are then dropped, like all
            of W&B's own entries. Attempts that were synced one by one count ``_step`` from 0
            again: then the start of their attempt decides, or the time where a row does not tell
            that. A row that was uploaded twice is taken once.
        rename: foreign names of metrics, see :class:`Copier`.

    Returns:
        Rows whose nested values have names joined by dots. Where no row says ``iter``, rows are
        numbered from 1.
    """
    renamed = [_renamed(row, rename or {}) for row in _as_logged(rows)]
    renamed = [row for row in renamed if row]
    if not any('iter' in row for row in renamed):
        renamed = [dict(iter=index, **row) for index, row in enumerate(renamed, 1)]
    return renamed


def _renamed(row: Row, rename: dict[str, str]) -> Row:
    """A row without W&B's entries; what was renamed wins over what had the name before."""
    kept = {key: value for key, value in flat(row).items() if key[:1] != '_' or key in rename}
    taken = {rename[key]: kept.pop(key) for key in list(kept) if key in rename}
    return {**kept, **taken}


def _as_logged(rows: Iterable[Row]) -> list[Row]:
    unique = {
        (start_of(row), row.get('_step'), row.get('_timestamp')) if '_step' in row else index: row
        for index, row in enumerate(rows)
    }
    steps = [row.get('_step') for row in unique.values()]
    if None in steps:
        return list(unique.values())
    if len(set(steps)) == len(steps):
        return sorted(unique.values(), key=lambda row: row['_step'])
    if None in map(start_of, rows):
        return sorted(unique.values(), key=lambda row: row.get('_timestamp', math.inf))
    return sorted(unique.values(), key=lambda row: (start_of(row), row['_step']))


def _told_of_earlier(rows: list[Row]) -> bool:
    """Whether a server tells the state of another attempt than the last one that logged rows.

    It is that of the log that was uploaded last. Attempts of old do not say how they ended, but
    the last one, if it came to test, had come to the end of training.
    """
    return bool(rows) and not told_of_attempts(rows) and _as_logged(rows)[-1] != rows[-1]


def _compare(found: SnapshotFile | None, seen: Row) -> str:
    """Whether a snapshot has to be written; one that saw more than the source now has is kept."""
    if found is None:
        return 'new'
    earlier = found.seen or Seen()
    if earlier.facts() == seen:
        return 'unchanged'
    return 'newer' if (earlier.updated or 0) > seen['updated'] else 'changed'


def _own_identity(run: SourceRun) -> RunIdentity | None:
    found = run.identity
    if not found:
        return None
    return RunIdentity(found['config'], found['seed'], found['config_hash'])


def _refuse(run: SourceRun) -> InputError:
    return InputError('it does not say which config and seed it is')
