"""What is wrong with the runs on disk, and what to do about it.

Nothing is changed but by :func:`remove_strays`.
"""

import fcntl
import json
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger.files import file_sha256
from mmaction_ext.tracking.ledger.format import (HEARTBEAT_FILE, HEARTBEAT_STALE_SECONDS,
                                                 LOCK_FILE, METRICS_FILE, RESULTS_FOLDER, RUN_FILE)

SEVERITIES = ('error', 'warning', 'note')
#: a temporary file that is younger may be about to be renamed by a process on another host
STRAY_SECONDS = 600
#: where ``import-wandb`` keeps its copies
SNAPSHOTS = '.online'
_SET_ASIDE = re.compile(r'seed\d+(-[0-9a-f]{8})?\.([0-9a-f]{16}|unknown)(\.\d+)?')


@dataclass(frozen=True)
class Finding:
    """Something about the runs on disk.

    Attributes:
        severity: ``'error'`` (numbers cannot be trusted), ``'warning'`` (something is to be done)
            or ``'note'`` (nothing has to be done).
        check: short name of what was looked for.
        place: file, folder or run.
        text: what is the case.
        advice: what to do.
    """

    severity: str
    check: str
    place: str
    text: str
    advice: str


def examine(roots, configs='configs', hash_files: bool = True) -> list:
    """Look at all runs below some folders.

    Args:
        roots: the folders.
        configs: folder of the configs as they stand in the tree.
        hash_files: whether to read checkpoints and predictions that results name, to see that
            they are those that were measured.

    Returns:
        :class:`Finding` list, the worst first.

    Raises:
        InputError: a folder does not exist or cannot be read.
    """
    found = [finding for root in map(Path, roots)
             for finding in _examine_folder(root, Path(configs), hash_files)]
    return sorted(found + _duplicates(roots), key=lambda item: (
        SEVERITIES.index(item.severity), item.check, item.place, item.text))


def _examine_folder(root, configs, hash_files) -> list:
    """Findings below one folder; runs are named by their path from the working folder on."""
    from mmaction_ext.tracking.records import find_runs
    records = find_runs(root, cache=False)
    for record in records:
        if record.folder:
            record.folder = (root / record.folder).as_posix()
    found = _unfinished(records) + _damaged(root, records) + _contradictions(records)
    found += _one_sided(records) + _stitched(records) + _stale(records, configs)
    found += _measured_files(records, hash_files) + _half_written(root) + _set_aside(root)
    found += _copied_while_running(root) + [_stray(path) for path in stray_files(root)]
    return found + _other_damage(root, records, {finding.place for finding in found})


def _name(record) -> str:
    """How a run is called: by its folder, else its config, else its id."""
    if record.folder:
        return record.folder
    seed = '' if record.seed is None else f'/seed{record.seed}'
    return f'{record.config}{seed}' if record.config else f'run {record.uid}'


def _unfinished(records) -> list:
    found = []
    for record in records:
        if record.state == 'killed':
            where = f' at iteration {record.last_iter}' if record.last_iter else ''
            found.append(Finding(
                'warning', 'killed', _name(record), f'its process died{where} without a word',
                'the same command with --resume goes on from the newest checkpoint'))
        if record.state == 'unknown':
            found.append(Finding(
                'note', 'unfinished', _name(record), 'has no exit record and no ledger to tell '
                'whether it runs', 'if it does not, train it again with --resume'))
        if record.state == 'running' and _is_silent(record):
            found.append(Finding(
                'warning', 'silent', _name(record), 'its process lives, but gives no sign of life',
                f'it was stopped or hangs; look at process {record.heartbeat.get("pid")}'))
    return found


def _is_silent(record) -> bool:
    beat = (record.heartbeat or {}).get('time')
    return isinstance(beat, (int, float)) and time.time() - beat > HEARTBEAT_STALE_SECONDS


def _damaged(root, records) -> list:
    found = []
    for record in records:
        for fragment in record.fragments:
            if fragment.corrupt:
                found.append(Finding(
                    'error', 'corrupt', (root / fragment.path).as_posix(), 'was altered after it '
                    'was written; tables do not trust it', 'restore it from a backup, or delete '
                    'the run and train it again'))
        if record.truncated and record.state != 'running' and not record.corrupt:
            found.append(Finding(
                'note', 'truncated', (root / record.fragments[-1].path).as_posix(), 'ends in the '
                'middle of a record, as a kill or a full disk leaves it', 'all before it is read; '
                'nothing is to be done'))
    return found


def _other_damage(root, records, known) -> list:
    """Damaged files of which nothing has been said yet.

    Args:
        root: the folder of runs.
        records: their records.
        known: places of the findings so far.
    """
    found = []
    for text in sorted({text for record in records for text in record.damage}):
        name, _, what = text.partition(' is ')
        place = (root / name).as_posix()
        if place not in known:
            found.append(Finding('warning', 'damaged', place, f'is {what}; another source makes '
                                 'up for it', 'restore it from a backup'))
    return found


def _contradictions(records) -> list:
    return [Finding('error', 'conflict', _name(record), text, 'find out which source was altered '
                    'or belongs to another run, and take it away')
            for record in records for text in record.conflicts]


def _one_sided(records) -> list:
    """Runs of which the ledger or the W&B log alone tells."""
    found = []
    for record in records:
        sources = set(record.sources)
        if record.imported or not sources:
            continue
        if sources == {'ledger'}:
            found.append(Finding('note', 'no W&B log', _name(record), 'only its ledger tells of '
                                 'it', 'tables need no more; W&B was off or its log is gone'))
        elif 'ledger' not in sources:
            found.append(Finding('note', 'no ledger', _name(record), 'only its W&B log tells of '
                                 'it', 'tables read it; it was made elsewhere or before ledgers '
                                 'were kept'))
    return found


def _stitched(records) -> list:
    return [Finding('note', 'attempts', _name(record), f'was made in {len(record.fragments)} '
                    'attempts', 'they are joined when they are read; nothing is to be done')
            for record in records if len(record.fragments) > 1]


def _stale(records, configs: Path) -> list:
    """Runs that belong to no config as it stands in the tree."""
    found, current = [], {}
    for record in records:
        if record.config is None or record.config_hash is None or record.overrides:
            continue
        if record.config not in current:
            current[record.config] = _hash_in_tree(configs / f'{record.config}.py')
        now = current[record.config]
        if now != record.config_hash:
            text = 'its config is not in the tree' if now is None else \
                'its config has changed since; tables show the row as stale'
            found.append(Finding('note' if now is None else 'warning', 'stale', _name(record),
                                 text, 'train it again, or delete it if it is no longer needed'))
    return found


def _hash_in_tree(path: Path) -> str | None:
    try:
        return config_hash(load_config(path))
    except ValueError:
        return None


def _measured_files(records, hash_files) -> list:
    """Checkpoints and predictions that results name and that are not there, or differ."""
    found, digests = {}, {}
    for record in records:
        for item in record.evaluations:
            for kind, facts in (('checkpoint', item.checkpoint),
                                ('predictions', item.predictions)):
                finding = _measured_file(record, kind, facts or {}, digests, hash_files)
                if finding:
                    found[finding] = None
    return list(found)


def _measured_file(record, kind, facts, digests, hash_files) -> Finding | None:
    path, digest = facts.get('path'), facts.get('sha256')
    if not path or not digest or '://' in path:
        return None
    file = Path(os.path.normpath(Path(record.folder) / path))
    if not file.is_file():
        return Finding('warning', f'{kind} gone', file.as_posix(), f'the {kind} of a result of '
                       f'{_name(record)} is not there', 'the number stands, but cannot be '
                       'measured again')
    if not hash_files:
        return None
    if file not in digests:
        digests[file] = file_sha256(file)
    if digests[file] != digest:
        return Finding('error', f'{kind} differs', file.as_posix(), f'is not the {kind} of which '
                       f'a result of {_name(record)} tells', 'test the run again with '
                       'tools/test.py')
    return None


def _half_written(root) -> list:
    """Ledgers of which a part is missing or cannot be read."""
    found = []
    for folder, _, names in os.walk(root):
        folder = Path(folder)
        if METRICS_FILE in names and RUN_FILE not in names:
            found.append(Finding('error', 'half-written', folder.as_posix(),
                                 f'holds {METRICS_FILE} but no {RUN_FILE}, so that nobody knows '
                                 f'whose it is', f'restore {RUN_FILE}, or delete the folder'))
        files = [folder / RUN_FILE] * (RUN_FILE in names)
        if folder.name == RESULTS_FOLDER and (folder.parent / RUN_FILE).exists():
            files += [folder / name for name in sorted(names) if name.endswith('.json')]
        found += [_unreadable(path) for path in files if not _reads(path)]
    return found


def _reads(path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def _unreadable(path) -> Finding:
    return Finding('error', 'half-written', path.as_posix(), 'is no JSON object',
                   'restore it from a backup, or delete the run and make it again')


def _set_aside(root) -> list:
    found = []
    for folder, names, _ in os.walk(root):
        for name in [name for name in names if _SET_ASIDE.fullmatch(name)]:
            found.append(Finding(
                'note', 'set aside', (Path(folder) / name).as_posix(), 'holds a run of another '
                'version of its config, kept when a new one took its place',
                'delete it if it is no longer needed'))
    return found


def _copied_while_running(root) -> list:
    found = []
    for path in sorted((root / SNAPSHOTS).rglob('*.json')):
        try:
            content = json.loads(path.read_bytes())
            state = content.get('state')
        except (OSError, ValueError, AttributeError):
            found.append(Finding('error', 'half-written', path.as_posix(), 'is no copy of a run',
                                 'delete it and run mmaction-ext import-wandb again'))
            continue
        if state == 'running':
            found.append(Finding('note', 'copied early', path.as_posix(), 'is the copy of a run '
                                 'that was still going on', 'run mmaction-ext import-wandb again'))
    return found


def stray_files(root) -> list:
    """Temporary files that a process left when it died while it wrote its ledger.

    Those of runs that live, or may live on another host, are none.

    Returns:
        Paths, sorted.
    """
    found = []
    for folder, _, names in os.walk(root):
        folder = Path(folder)
        for name in names:
            path = folder / name
            if _is_temporary(path) and _is_old(path) and not _is_locked(_run_folder(path)):
                found.append(path)
    return sorted(found)


def _is_temporary(path) -> bool:
    """Whether a file has a name that only the writer of ledgers and copies gives."""
    if path.parent.name == RESULTS_FOLDER or SNAPSHOTS in path.parts:
        return path.name.endswith('.json.tmp')
    return path.name in (f'{RUN_FILE}.tmp', f'{HEARTBEAT_FILE}.tmp')


def _run_folder(path) -> Path:
    return path.parent.parent if path.parent.name == RESULTS_FOLDER else path.parent


def _is_old(path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STRAY_SECONDS
    except OSError:
        return False  # it has just been renamed


def _is_locked(folder) -> bool:
    """Whether a living process of this host holds a run's folder."""
    try:
        with open(folder / LOCK_FILE, 'rb') as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _stray(path) -> Finding:
    return Finding('warning', 'stray file', path.as_posix(), 'was left by a process that died '
                   'while it wrote', 'mmaction-ext doctor --fix removes it')


def remove_strays(roots) -> list:
    """Delete what :func:`stray_files` finds below some folders.

    Returns:
        Paths of the files that are gone now.

    Raises:
        InputError: one cannot be deleted.
    """
    removed = []
    for path in [path for root in roots for path in stray_files(root)]:
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f'{path} cannot be deleted: {error.strerror}') from error
        removed.append(path)
    return removed


def _duplicates(roots) -> list:
    """Runs that lie in several folders: copies, of which tables would make attempts."""
    folders = defaultdict(set)
    for root in map(Path, roots):
        for folder, _, names in os.walk(root):
            run = _identity(Path(folder)) if RUN_FILE in names else None
            if run:
                folders[run].add(Path(folder).as_posix())
    return [Finding('error', 'duplicate', sorted(places)[0], 'is the same run as '
                    f'{", ".join(sorted(places)[1:])}', 'move or delete all but one of them')
            for places in folders.values() if len(places) > 1]


def _identity(folder) -> tuple | None:
    """Id and job type of the run in a folder, also where its record is of before the ledger."""
    try:
        content = json.loads((folder / RUN_FILE).read_bytes())
        uid = content.get('uid') or RunIdentity(*(content[name] for name in (
            'config', 'seed', 'config_hash'))).uid
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return uid, content.get('job_type') or ('test' if folder.name == 'test' else 'train')
