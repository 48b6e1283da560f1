"""The folder of a run: who owns it, and which checkpoint in it is the newest sound one."""

import contextlib
import functools
import os
import os.path as osp
import re
import secrets
import time
from pathlib import Path
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmaction_ext.checkpoint_file import DamagedFile, check_whole, load_plain
from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import LockFile
from mmaction_ext.files.reading import read_regular
from mmaction_ext.files.writing import FilePath, refuse_foreign, refuse_link
from mmaction_ext.printable import clean
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import (
    CHECKPOINT_FILE,
    HEARTBEAT_FILE,
    HEARTBEAT_STALE_SECONDS,
    LOCK_FILE,
    RUN_FILE,
)
from mmaction_ext.tracking.ledger.forms import RunFile
from mmaction_ext.tracking.reading.ledger import read_ledger
from mmaction_ext.tracking.writing.attempts import read_run_file, write_run_file

_BEST = re.compile(r'best_(?P<metric>.+)_(epoch|iter)_(?P<number>\d+)\.pth')
_WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}')
#: seconds that a killed run's loader processes may hold on to its folder
LOCK_SECONDS = 30


def default_work_dir(identity: RunIdentity, overrides: dict[str, Any]) -> str:
    """Folder of the run; one whose recipe was overridden gets a folder of its own."""
    if not overrides:
        return identity.work_dir()
    folders = [f'{identity.work_dir()}-{digest[:8]}' for digest in identity.hashes]
    return next(filter(osp.isdir, folders), folders[0])


def as_begun(identity: RunIdentity, *folders: FilePath) -> RunIdentity:
    """A run as the first of some folders names it, where one holds it; its hash may be of old.

    What goes on under another hash than it began with would be another run to W&B and to
    whoever reads the ledger.
    """
    found = (identity.named_as_in(read_run_file(folder)) for folder in folders)
    return next(filter(None, found), identity)


def claim_work_dir(
    work_dir: FilePath,
    identity: RunIdentity,
    movable: bool = True,
    job_type: str = 'train',
    tested: FilePath | None = None,
) -> LockFile:
    """Mark a folder as this run's and keep other processes out of it while this one lives.

    The folder's ``run.json`` names the identity. Where it names another version of the
    config, the folder is renamed to ``<folder>.<old hash>``: its checkpoints must not be
    resumed from, and nothing that was computed is lost.

    The first claim draws the W&B id of the run, which ``run.json`` keeps for all its attempts
    (:func:`claimed_uid`): whoever trains the same row elsewhere has another run.

    Args:
        work_dir: the folder, which exists.
        identity: who the run is.
        movable: whether the folder is the run's own by its name and may be renamed; one that
            the user chose may hold other things.
        job_type: ``'train'``, or ``'test'`` for a test that is not part of a training run.
        tested: folder of the checkpoint that is tested. A test of a run has its id, if that
            folder, or the one that the test's lies in, is the run's.

    Returns:
        The lock, to be held for as long as the run lasts.

    Raises:
        InputError: another process that is alive works in the folder, it belongs to another run
            and may not be renamed, a newer version of this program made it, or a link or a name
            in it would have the run write elsewhere, or it cannot be written.
    """
    work_dir = Path(work_dir)
    _refuse_links(work_dir)
    lock = _lock(work_dir)
    try:
        _outwait(work_dir)
    except InputError:
        lock.close()
        raise
    found = read_run_file(work_dir)
    if (work_dir / RUN_FILE).exists() and not _is_of(found, identity, job_type):
        if not movable:
            lock.close()
            raise InputError(
                f'{work_dir} belongs to {found.get("config", "an unknown run")} '
                f'under seed {found.get("seed")}, or to another version of it, or '
                f'not to a {job_type} run: choose another --work-dir'
            )
        aside = _free_name(f'{work_dir}.{_word(work_dir, found, "config_hash") or "unknown"}')
        print(
            clean(
                f'{work_dir} holds a run of another version of {identity.config}; '
                f'it is kept as {aside}'
            )
        )
        os.rename(work_dir, aside)
        work_dir.mkdir()
        lock, found = _lock(work_dir), {}
    if not found:
        homes = [tested or work_dir.parent, work_dir.parent] if job_type == 'test' else []
        uid = next(
            (
                claimed_uid(home, identity)
                for home in homes
                if _is_of(read_run_file(home), identity, 'train')
            ),
            f'{identity.uid}-{secrets.token_hex(4)}',
        )
        try:
            write_run_file(work_dir, RunFile(**identity.facts, job_type=job_type, uid=uid))
        except OSError as error:
            raise InputError(
                f'{work_dir / RUN_FILE} cannot be written: {error.strerror}'
            ) from error
    return lock


def claimed_uid(work_dir: FilePath, identity: RunIdentity) -> str:
    """W&B id of the run of a folder that was claimed for it.

    Runs of before ids were drawn keep the one that their identity makes.

    Raises:
        InputError: ``run.json`` has something there that is no id.
    """
    return _word(work_dir, read_run_file(work_dir), 'uid') or identity.uid


def _word(work_dir: FilePath, found: dict[str, Any], name: str) -> str | None:
    """A value of ``run.json`` that becomes part of the name of a file; ``None`` without one."""
    value = found.get(name)
    if value is not None and not (isinstance(value, str) and _WORD.fullmatch(value)):
        raise InputError(
            f'{Path(work_dir, RUN_FILE)} has the {name} {str(value)[:80]!r}, which is '
            'none: move the folder away'
        )
    return value


def _refuse_links(work_dir: Path) -> None:
    """Refuse a folder of a run in which a name leads elsewhere, or which is such a name."""
    if (work_dir.parent / RUN_FILE).exists():
        refuse_link(work_dir)
    for entry in os.scandir(work_dir):
        if not entry.is_dir(follow_symlinks=False):
            refuse_foreign(entry.path)


def _is_of(found: dict[str, Any], identity: RunIdentity, job_type: str) -> bool:
    """Whether a folder's record is that of a run; those of old do not tell the type of job."""
    return bool(identity.named_as_in(found)) and found.get('job_type') in (job_type, None)


def _lock(work_dir: Path) -> LockFile:
    """Lock ``run.lock``, outwaiting the loader processes of a run that was just killed."""
    refuse_foreign(work_dir / LOCK_FILE)
    lock = LockFile(work_dir / LOCK_FILE)
    for _ in range(LOCK_SECONDS * 10):
        if lock.take():
            return lock
        if lock.holder.isdecimal() and Path(f'/proc/{lock.holder}').exists():
            break
        time.sleep(0.1)
    raise InputError(f'{work_dir} is in use by process {lock.holder}')


def _outwait(work_dir: Path) -> None:
    """Make sure that no process works in a folder whose lock does nothing, or was lost.

    On this machine the number of the process tells, on another one its heart.
    One that left without a word is watched until it is dead: a heart that beats is alive, whatever
    the clocks of the two machines say. How long ago it last did, one clock tells: that of the
    machine that has the files.

    Raises:
        InputError: one does.
    """
    ledger = read_ledger(work_dir, '')
    entry = ledger.entries[-1] if ledger.entries else None
    if entry is None or entry.exit_code is not None or entry.host is None:
        return
    if entry.host == process.host():
        if entry.boot_id == process.boot_id() and _works(entry.pid, entry.process_start):
            raise InputError(f'{work_dir} is in use by process {entry.pid}')
        return
    heart, began = work_dir / HEARTBEAT_FILE, time.monotonic()
    first, age = _pulse(heart), _age(heart, work_dir / LOCK_FILE)
    if not first:
        return
    left = HEARTBEAT_STALE_SECONDS - max(0.0, age)
    if left > 0:
        print(
            clean(
                f'{work_dir}: process {entry.pid} on {entry.host} left without a word; it is dead '
                f'if it gives no sign of life for {left:.0f} s'
            ),
            flush=True,
        )
    while True:
        # looked at once more when time is up: this process may have been stopped meanwhile, too
        is_up = time.monotonic() >= began + left
        if _pulse(heart) != first:
            raise InputError(f'{work_dir} is in use by process {entry.pid} on {entry.host}')
        if is_up:
            return
        time.sleep(min(1.0, left / 20))


def _works(pid: int | None, started: float | None) -> bool:
    """Whether another process of this machine lives, and has not just left its number behind."""
    if pid in (None, os.getpid()) or started is None or process.process_start(pid) != started:
        return False
    with contextlib.suppress(OSError):
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] not in 'ZX'
    return True


def _pulse(heart: Path) -> bytes:
    try:
        return read_regular(heart)
    except OSError:
        return b''


def _age(path: Path, now: Path) -> float:
    """Seconds since a file was written, by the clock that a file gets its time from."""
    try:
        os.utime(now)
        return now.stat().st_mtime - path.stat().st_mtime
    except OSError:
        return 0.0


def _free_name(path: str) -> str:
    names = [path] + [f'{path}.{number}' for number in range(2, 1000)]
    return next(name for name in names if not osp.exists(name))


def newest_checkpoint(work_dir: FilePath) -> str | None:
    """The ``epoch_*.pth`` or ``iter_*.pth`` of a run with the most iterations, or ``None``.

    One that is not whole, or whose bytes have changed since they were written, is passed over.

    Raises:
        InputError: a file is whole but cannot be read, or asks for more than weights and plain
            data.
    """
    found: list[tuple[int, str, Path]] = []
    matches = {file: CHECKPOINT_FILE.fullmatch(file.name) for file in Path(work_dir).glob('*.pth')}
    for unit in ('epoch', 'iter'):
        numbers = {
            file: int(match['number'])
            for file, match in matches.items()
            if match and match['unit'] == unit
        }
        for file in sorted(numbers, key=numbers.__getitem__, reverse=True):
            try:
                check_whole(file)
                content = load_plain(file)
            except DamagedFile:
                print(clean(f'{file} is damaged and is passed over'))
                continue
            meta = _part(content, 'meta') if isinstance(content, dict) else {}
            found.append((meta.get('iter', numbers[file]), unit, file))
            break
    # of two of one iteration that of the end of an epoch
    return str(max(found, key=lambda each: (each[0], each[1] == 'epoch'))[2]) if found else None


def best_checkpoint(work_dir: FilePath, metric: str = '') -> str | None:
    """The checkpoint that a run keeps as its best, ``best_<metric>_epoch_3.pth``, or ``None``.

    Args:
        work_dir: the run's folder.
        metric: of the validation, e.g. ``acc/top1``; may be left out where there is one.

    Raises:
        InputError: there are some of several metrics, of which none was named; or the file cannot
            be read.
    """
    matches = {file: _BEST.fullmatch(file.name) for file in Path(work_dir).glob('best_*.pth')}
    found: dict[str, list[tuple[int, Path]]] = {}
    for file, match in matches.items():
        if match:
            found.setdefault(match['metric'], []).append((int(match['number']), file))
    wanted = metric.replace('/', '_') if metric else next(iter(found), '')
    if not metric and len(found) > 1:
        raise InputError(
            f'{work_dir} keeps the best checkpoints by {", ".join(sorted(found))}: name one with '
            '--best METRIC'
        )
    if wanted not in found:
        return None
    best = max(found[wanted])[1]
    load_plain(best)
    return str(best)


def checkpoint_meta(path: FilePath) -> dict[str, Any]:
    """The ``meta`` entry of a checkpoint (epoch, iter, seed, ...); empty where it has none.

    Raises:
        InputError: the file is missing, damaged, asks for more than weights and plain data, or
            is no checkpoint.
    """
    return _part(_read_checkpoint(path), 'meta')


def trained_config_hash(checkpoint: FilePath) -> str:
    """Hash of the config that a checkpoint was trained with; ``'unknown'`` if it does not say.

    Raises:
        InputError: as :func:`checkpoint_meta`.
    """
    return _config_hash(_read_checkpoint(checkpoint))


def check_resumable(checkpoint: FilePath, identity: RunIdentity) -> None:
    """Make sure that a checkpoint belongs to a run before that run goes on from it.

    Raises:
        InputError: it cannot be read, is damaged, was trained with another config or under
            another seed, or holds no state of the optimizer, as the best ones by a metric.
    """
    check_whole(checkpoint)
    content = _read_checkpoint(checkpoint)
    digest, seed = _config_hash(content), _part(content, 'meta').get('seed', identity.seed)
    if digest not in identity.hashes:
        fault = f'was trained with another config (hash {digest}, not {identity.config_hash})'
    elif seed != identity.seed:
        fault = f'was trained under another seed ({seed}, not {identity.seed})'
    elif 'optimizer' not in content:
        fault = 'holds no state of the optimizer, so that training cannot go on from it'
    else:
        return
    raise InputError(
        f'checkpoint {checkpoint} {fault}; to start from its weights use '
        f'--cfg-options load_from={checkpoint}'
    )


def _config_hash(content: dict[str, Any]) -> str:
    hub = _part(content, 'message_hub')
    return str(_part(hub, 'runtime_info').get('config_hash', 'unknown'))


def _read_checkpoint(path: FilePath) -> dict[str, Any]:
    content = load_plain(Path(path))
    if not isinstance(content, dict):
        raise InputError(f'{path} is no checkpoint: it holds a {type(content).__name__}')
    return content


def _part(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def keep_checkpoint(runner: Runner) -> None:
    """Load no weights to start from into a model that goes on from a checkpoint.

    The checkpoint holds all weights, and the files and addresses that the first ones came from may
    be gone by then.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model.init_weights = lambda: None


def load_for_test(runner: Runner, checkpoint: FilePath | None) -> None:
    """Have a runner's next test load a checkpoint, and record which file it measures.

    The runner itself loads it, once its hooks have begun, as ``Runner.test()`` does: weights that
    a hook averages (``EMAHook``) are tested in place of the last ones.

    Raises:
        InputError: there is no checkpoint; from the test, it does not fit the model.
    """
    if checkpoint is None:
        raise InputError(f'{runner.work_dir} holds no readable checkpoint to test')
    meta = checkpoint_meta(checkpoint)
    runner._load_from, runner._resume, runner._has_loaded = str(checkpoint), False, False
    runner.load_checkpoint = functools.partial(_load_strictly, runner)
    for key in ('iter', 'epoch'):
        runner.message_hub.update_info(key, meta.get(key, 0))
    runner.message_hub.update_info('test_checkpoint', str(checkpoint))


def _load_strictly(runner: Runner, checkpoint: str) -> dict[str, Any]:
    try:
        return type(runner).load_checkpoint(runner, checkpoint, strict=True)
    except RuntimeError as error:
        raise InputError(f'checkpoint {checkpoint} does not fit the model: {error}') from error
