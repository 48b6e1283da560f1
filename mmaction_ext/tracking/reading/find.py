"""Search of folders for all that tells of runs."""

import contextlib
import gc
import multiprocessing
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mmaction_ext.errors import InputError, check_at_least, check_choice
from mmaction_ext.tracking.ledger.format import METRICS_FILE, NON_FINITE_SAMPLES, RUN_FILE
from mmaction_ext.tracking.reading import metrics, wandb_offline, wandb_snapshot
from mmaction_ext.tracking.reading.cache import Cache, Entry
from mmaction_ext.tracking.reading.csv_runs import read_csv_runs
from mmaction_ext.tracking.reading.ledger import (
    LedgerRun,
    read_heartbeat,
    read_ledger,
    unreadable,
)
from mmaction_ext.tracking.reading.merge import chosen, merge
from mmaction_ext.tracking.reading.record import SOURCE_CHOICES, Attempt, RunRecord, order
from mmaction_ext.tracking.reading.told import KeptRuns
from mmaction_ext.tracking.reading.wandb_log import LOG_NAME, record_class

#: Fewer bytes than this are read sooner than processes start.
POOL_BYTES = 8 << 20
#: Small files are read, and left to a cache, so many bytes at a time.
BATCH_BYTES = 1 << 20
Item = TypeVar('Item')
#: id, type of job, and the folder of a run that has no id
Key = tuple[str, str, str]
_READERS = {
    'ledger': metrics.read_attempts,
    'wandb-offline': wandb_offline.read_attempt,
    'wandb-online': wandb_snapshot.read_attempts,
}


def find_runs(
    root: Path | str, keys: Collection[str] | None = None, **options: Any
) -> list[RunRecord]:
    """Every run whose ledger, W&B log or snapshot lies anywhere below a folder.

    Args:
        root: folder to search; symbolic links (``latest-run``) are not followed.
        keys, options: see :func:`read_runs`.

    Returns:
        :class:`mmaction_ext.tracking.reading.record.RunRecord` list, ordered by config, seed and
        id, the same whatever the order of the files.

    Raises:
        InputError: the folder does not exist or cannot be read. A file in it that cannot be
            read, or is too large or none, is damage to its run.
    """
    return read_runs([root], keys, **options)


def read_runs(
    paths: Iterable[Path | str],
    keys: Collection[str] | None = None,
    *,
    source: str = 'auto',
    compare: bool = False,
    cache: bool = True,
    jobs: int | None = None,
) -> list[RunRecord]:
    """As :func:`find_runs`, of several folders and CSV files at once.

    A run that several folders tell of is one run; where they disagree, that is a conflict. Each
    attempt at a run is read from one source: the ledger where that tells of it, else the offline
    W&B log, else the copy of an online run. A log that an attempt in a ledger names is not opened.

    Args:
        paths: folders, and CSV files as
            :func:`mmaction_ext.tracking.reading.csv_runs.read_csv_runs` takes them.
        keys: names of the metrics to give, ``None`` for all. Those that tell that a run
            diverged come with them. Conflicts are looked for in all.
        source: one of :data:`mmaction_ext.tracking.reading.record.SOURCE_CHOICES`; ``ledger`` and
            ``wandb`` leave out whatever else there is. CSV files are read in any case.
        compare: also read every other source of each run, and tell where they disagree.
        cache: keep what was read in the user's cache directory, where that can be written, and
            read only what has changed.
        jobs: processes that read; as many as there are cores if ``None``.

    Raises:
        InputError: a folder or file does not exist, or cannot be read.
    """
    check_choice('source', source, SOURCE_CHOICES)
    if jobs is not None:
        check_at_least('jobs', jobs, 1)
    keys = None if keys is None else frozenset({*keys, NON_FINITE_SAMPLES})
    tables = [Path(path) for path in paths if _is_table(path)]
    roots = [Path(path) for path in paths if not _is_table(path)]
    records = [record for path in tables for record in read_csv_runs(path, keys)]
    with _without_collector():
        records += _find(roots, keys, source, compare, cache, jobs)
    return sorted(records, key=order)


def _is_table(path: Path | str) -> bool:
    return Path(path).suffix.lower() == '.csv' and not Path(path).is_dir()


#: how often a ledger is read whose run goes on meanwhile
READS = 3


@dataclass
class _File:
    """A file that is read, or was once; rows that a cache keeps are not kept here, too."""

    root: Path
    path: str
    source: str
    cache: Cache | None = None
    state: os.stat_result | None = None
    entry: Entry | None = None

    @property
    def size(self) -> int:
        """Its bytes when it was read."""
        return self.state.st_size if self.state else 0

    @property
    def heads(self) -> list[Attempt]:
        """Its attempts without their rows, once it was read."""
        return self.entry.heads if self.entry else []

    def attempts(self) -> list[Attempt]:
        """Its attempts with their rows."""
        entry = self.entry
        if entry is None or entry.packed is None:
            kept = self.cache and self.state and self.cache.get(self.path, self.state)
            entry = kept or _parse(self)
        return entry.attempts(self.root, self.path)


@dataclass
class _Run:
    """All that tells of one run."""

    ledgers: list[LedgerRun] = field(default_factory=list)
    files: list[_File] = field(default_factory=list)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from searching, again and again, rows that are all in use for unused ones."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _find(
    roots: Sequence[Path],
    keys: Collection[str] | None,
    source: str,
    compare: bool,
    cache: bool,
    jobs: int | None,
) -> list[RunRecord]:
    files: list[_File] = []
    folders: list[tuple[str, Path]] = []
    for root in roots:
        if not root.is_dir():
            raise InputError(f'runs folder {root} does not exist')
        found, places = _search(root)
        files += found
        folders += [(folder, root) for folder in places]
    several = len(roots) > 1
    files = _sorted_once(files, lambda file: (file.path, file.root), several)
    caches = {root: Cache(root) for root in roots} if cache else {}
    is_kept = cache and not compare and source != 'wandb'
    kept = {root: _kept_runs(root, caches[root]) for root in roots} if is_kept else {}
    ledgers = [
        (root in kept and kept[root].find(folder)) or read_ledger(root, folder)
        for folder, root in _sorted_once(folders, lambda place: place, several)
    ]
    homes = {(ledger.root, ledger.folder) for ledger in ledgers if ledger.run}
    if source == 'wandb':
        ledgers = []
    for file in files:
        file.cache = caches.get(file.root)
    files = _chosen(files, ledgers, source, compare)
    rows = {(file.root, file.path): file for file in files if file.source == 'ledger'}
    of_ledgers = [
        (ledger, rows.get((ledger.root, _below(ledger.folder, METRICS_FILE))))
        for ledger in ledgers
    ]
    told = {id(file) for ledger, file in of_ledgers if ledger.told}
    _read([file for file in files if id(file) not in told], jobs)
    for file in files:
        if file.cache and id(file) in told:
            file.cache.use(file.path)
    runs = _group(
        [
            ledger if ledger.told else _with_rows(ledger, file, kept.get(ledger.root))
            for ledger, file in of_ledgers
        ],
        files,
    )
    records = []
    for key, run in runs.items():
        is_alone = len(run.ledgers) == 1 and not run.files
        if not is_alone:
            run.ledgers = [_with_told_rows(ledger, rows) for ledger in run.ledgers]
        records.append(_record(key, run, homes, keys, compare, kept if is_alone else {}))
    for runs_of_root in kept.values():
        runs_of_root.save()
    for each in caches.values():
        each.tidy()
    return records


def _kept_runs(root: Path, cache: Cache) -> KeptRuns:
    def read_again(folder: str) -> RunRecord:
        file = _File(root, _below(folder, METRICS_FILE), 'ledger', cache)
        _read([file], 1)
        ledger = _with_rows(read_ledger(root, folder), file)
        return merge(ledger.uid, ledger.job_type, [ledger], [], [])

    return KeptRuns(root, read_again)


def _with_told_rows(ledger: LedgerRun, rows: dict[tuple[Path, str], _File]) -> LedgerRun:
    """A ledger with its rows, where they are asked for though it is kept what they tell."""
    if ledger.told is None:
        return ledger
    file = rows[ledger.root, _below(ledger.folder, METRICS_FILE)]
    _read([file], 1)
    return _with_rows(read_ledger(ledger.root, ledger.folder), file)


def _chosen(
    files: list[_File], ledgers: Iterable[LedgerRun], source: str, compare: bool
) -> list[_File]:
    """The files of a source, without the W&B logs of attempts that ledgers tell of.

    What a ledger names is passed over only where its name is that of the ledger's own run.
    """
    if source != 'auto':
        return [file for file in files if (file.source == 'ledger') == (source == 'ledger')]
    named = {} if compare else {path: ledger for ledger in ledgers for path in ledger.mirrors()}
    return [
        file
        for file in files
        if file.source != 'wandb-offline'
        or (ledger := named.get(os.path.abspath(file.root / file.path))) is None
        or PurePosixPath(file.path).name != f'run-{ledger.uid}.wandb'
    ]


def _below(folder: str, name: str) -> str:
    return name if folder == '.' else f'{folder}/{name}'


def _with_rows(ledger: LedgerRun, rows: _File | None, kept: KeptRuns | None = None) -> LedgerRun:
    """A ledger with its rows; that of a run which goes on is read again.

    Its end tells how many rows there were: of rows that were read before, some would seem to be
    lost. So the rows that count are never older than the rest. Nor does the ledger of a run that
    had ended tell of an attempt that began since.

    Args:
        ledger: as it was before its rows were read.
        rows: the :class:`_File` of its rows; ``None`` if there was none.
        kept: knows whether anything has changed meanwhile.
    """
    if (
        rows is None
        or not ledger.is_over
        or any((head.number or 0) > len(ledger.entries) for head in rows.heads)
    ):
        if rows and kept and kept.is_unchanged(ledger) and not ledger.damage:
            read_heartbeat(ledger)
        else:
            ledger, rows = _read_again(ledger.root, ledger.folder, rows)
    if rows:
        ledger.read_rows, ledger.size = rows.attempts, rows.size
        ledger.damage += [f'{rows.path} is {head.problem}' for head in rows.heads if head.problem]
    return ledger


def _read_again(root: Path, folder: str, rows: _File | None) -> tuple[LedgerRun, _File | None]:
    """The ledger of a folder, and its rows where there are newer ones."""
    for _ in range(READS):
        ledger = read_ledger(root, folder)
        newer = _newer(root, _below(folder, METRICS_FILE), rows)
        if newer is None:
            break
        rows = newer
    return ledger, rows


def _newer(root: Path, path: str, rows: _File | None) -> _File | None:
    """The rows at a place, read again; ``None`` where ``rows`` are all there are."""
    try:
        state = os.stat(root / path)
    except OSError:
        return None
    if rows and state.st_size == rows.size:
        return None
    newer = _File(root, path, 'ledger', state=state)
    newer.entry = _parse(newer)
    return newer


def _search(root: Path) -> tuple[list[_File], list[str]]:
    """Files with rows below a folder, and folders that have a ledger or the start of one."""
    files: list[_File] = []
    folders: list[str] = []

    def fail(error: OSError) -> None:
        place = Path(error.filename)
        if place == root:
            raise InputError(f'{place} cannot be read: {error.strerror}') from error
        folders.append(place.relative_to(root).as_posix())

    start = len(os.path.join(root, ''))
    for path, _, names in os.walk(root, onerror=fail):
        folder = path[start:] or '.'
        for name in names:
            source = _source(folder, name)
            if source:
                files.append(_File(root, _below(folder, name), source))
        if RUN_FILE in names or METRICS_FILE in names:
            folders.append(folder)
    return files, folders


def _source(folder: str, name: str) -> str | None:
    """Which of the readers a file is for, if any."""
    if name == METRICS_FILE:
        return 'ledger'
    if LOG_NAME.fullmatch(name):
        return 'wandb-offline'
    is_snapshot = (
        name.endswith('.json')
        and folder.count('/') == 2
        and folder.startswith(f'{wandb_snapshot.SNAPSHOT_FOLDER}/')
    )
    return 'wandb-online' if is_snapshot else None


def _sorted_once(
    found: list[Item], place: Callable[[Item], tuple[str, Path]], several: bool
) -> list[Item]:
    """Sorted, and without what lies in two of the folders that were searched.

    Args:
        place: function from an item to (path, root).
        several: whether more than one folder was searched.
    """
    found = sorted(found, key=lambda item: (place(item)[0], str(place(item)[1])))
    if not several:
        return found
    once: dict[str, Item] = {}
    for item in found:
        path, root = place(item)
        once.setdefault(os.path.realpath(root / path), item)
    return list(once.values())


def _read(files: list[_File], jobs: int | None) -> None:
    """Fill in the entries of files, from their caches as far as they have not changed."""
    for file in files:
        try:
            file.state = os.stat(file.root / file.path)
        except OSError as error:
            file.entry = _unreadable(file, error)
            continue
        file.entry = file.cache.get(file.path, file.state) if file.cache else None
        if file.entry:
            file.entry.packed = None
    changed = [file for file in files if file.entry is None]
    for batch, entries in _parsed(changed, jobs):
        for file, entry in zip(batch, entries, strict=True):
            file.entry = entry
        for cache in {id(file.cache): file.cache for file in batch if file.cache}.values():
            _keep([file for file in batch if file.cache is cache], cache)


def _keep(files: list[_File], cache: Cache) -> None:
    """Leave the rows of files to their cache, but of those that have changed meanwhile."""
    unchanged: dict[str, tuple[os.stat_result, Entry]] = {}
    for file in files:
        with contextlib.suppress(OSError):
            state, was = os.stat(file.root / file.path), file.state
            if was and _is_same(state, was) and file.entry and file.entry.is_read:
                unchanged[file.path] = state, file.entry
    kept = cache.put(unchanged)
    for file in files:
        if file.path in kept:
            file.state, entry = unchanged[file.path]
            entry.packed = None


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _parsed(files: list[_File], jobs: int | None) -> Iterator[tuple[list[_File], list[Entry]]]:
    """Yield batches of files with their entries, read by several processes where that pays."""
    batches: list[list[_File]] = []
    room = 0
    for file in sorted(files, key=lambda file: -file.size):
        if not batches or file.size > room:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(file)
        room -= file.size
    is_worth_it = sum(file.size for file in files) > POOL_BYTES
    if jobs != 1 and len(batches) > 1 and is_worth_it and _can_fork():
        yield from _parsed_by_pool(batches, jobs or len(os.sched_getaffinity(0)))
        return
    for batch in batches:
        yield batch, _parse_all(batch)


def _can_fork() -> bool:
    """Whether processes can be copied: other ways to start them run the user's script again."""
    return (
        sys.platform == 'linux'
        and threading.active_count() == 1
        and not multiprocessing.current_process().daemon
    )


def _parsed_by_pool(
    batches: list[list[_File]], jobs: int
) -> Iterator[tuple[list[_File], list[Entry]]]:
    """As :func:`_parsed`; what a dying process leaves is read here."""
    if any(file.source == 'wandb-offline' for batch in batches for file in batch):
        record_class()  # imported once, not in every process
    rest = {id(batch): batch for batch in batches}
    pool = ProcessPoolExecutor(min(jobs, len(batches)), multiprocessing.get_context('fork'))
    with pool, contextlib.suppress(BrokenProcessPool):
        waiting = {
            pool.submit(_parse_all, [replace(file, cache=None) for file in batch]): batch
            for batch in batches
        }
        for future in as_completed(waiting):
            batch = waiting.pop(future)
            entries = future.result()
            del rest[id(batch)]
            yield batch, entries
    for batch in rest.values():
        yield batch, _parse_all(batch)


def _parse_all(files: list[_File]) -> list[Entry]:
    return [_parse(file) for file in files]


def _parse(file: _File) -> Entry:
    try:
        return Entry.of(_READERS[file.source](file.root / file.path))
    except OSError as error:
        return _unreadable(file, error)


def _unreadable(file: _File, error: OSError) -> Entry:
    """What the name of a file tells of the attempts that it cannot tell of."""
    name = PurePosixPath(file.path).name
    if file.source == 'ledger':
        log = Attempt('ledger', number=1)
    elif file.source == 'wandb-online':
        log = wandb_snapshot.damaged(PurePosixPath(name).stem)
    else:
        log = Attempt(uid=name.removeprefix('run-').removesuffix('.wandb'), job_type='train')
    log.corrupt, log.problem = True, unreadable(error)
    return Entry.of([log], is_read=False)


def _group(ledgers: Iterable[LedgerRun], files: Iterable[_File]) -> dict[Key, _Run]:
    """(uid, type of job, folder) to :class:`_Run`; the folder tells runs without id apart."""
    runs: dict[Key, _Run] = defaultdict(_Run)
    for file in files:
        if file.source != 'ledger' and file.heads:
            runs[_uid(file), file.heads[0].job_type, ''].files.append(file)
    logged = _uids_by_folder(runs)
    for ledger in ledgers:
        # where run.json is lost, the W&B logs beside it may tell
        uids = logged.get((ledger.root, ledger.folder, ledger.job_type), ())
        if ledger.tells_of_attempts or (ledger.damage and not uids):
            uid = ledger.uid or (min(uids) if len(uids) == 1 else '')
            runs[uid, ledger.job_type, '' if uid else ledger.folder].ledgers.append(ledger)
    return runs


def _uid(file: _File) -> str:
    """Id of the run that a W&B log or snapshot is of; other projects may have equal ids."""
    head = file.heads[0]
    if not head.imported:
        return head.uid
    place = PurePosixPath(file.path).parent.relative_to(wandb_snapshot.SNAPSHOT_FOLDER)
    return f'{place.as_posix()}/{head.uid}'


def _uids_by_folder(runs: dict[Key, _Run]) -> dict[tuple[Path, str, str], set[str]]:
    """(root, folder, type of job) to the ids of all W&B logs below."""
    found: dict[tuple[Path, str, str], set[str]] = defaultdict(set)
    for (uid, job_type, _), run in runs.items():
        for file in run.files:
            for folder in _folders_above(file):
                found[file.root, folder, job_type].add(uid)
    return found


def _folders_above(file: _File) -> list[str]:
    """Folders below its root that a file lies in, the nearest first."""
    return [folder.as_posix() for folder in PurePosixPath(file.path).parents][:-1]


def _record(
    key: Key,
    run: _Run,
    homes: set[tuple[Path, str]],
    keys: Collection[str] | None,
    compare: bool,
    kept: Mapping[Path, KeptRuns],
) -> RunRecord:
    """Put together what was found of one run, and keep it where it can be."""
    uid, job_type, _ = key
    [ledger] = run.ledgers if kept else [None]
    if ledger and ledger.told:
        return kept[ledger.root].record(uid, job_type, ledger, keys)
    logs = [log for file in run.files if file.source == 'wandb-offline' for log in file.attempts()]
    snapshots = [file.attempts() for file in run.files if file.source == 'wandb-online']
    home = _home(run.files, homes)
    record = merge(uid, job_type, run.ledgers, logs, snapshots, home, compare)
    if ledger:
        kept[ledger.root].add(ledger, record)
    return chosen(record, keys)


def _home(files: list[_File], homes: set[tuple[Path, str]]) -> tuple[Path | None, str]:
    """(root, folder) of the nearest ``run.json`` above the last of a run's W&B logs.

    Args:
        files: the logs.
        homes: (root, folder) of every ``run.json``.
    """
    return next(
        (
            (file.root, folder)
            for file in files[-1:]
            for folder in _folders_above(file)
            if (file.root, folder) in homes
        ),
        (None, ''),
    )
