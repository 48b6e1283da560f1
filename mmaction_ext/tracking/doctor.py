"""What is wrong with the runs on disk, and what to do about it.

Nothing is changed but by :func:`remove_strays`.
"""

import json
import os
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.comparison import (NETWORK_CODE, code_changes, code_folder, list_state,
                                              top1_bounds)
from mmaction_ext.tracking.identity import (RunIdentity, config_below, config_hash,
                                            load_config)
from mmaction_ext.tracking.ledger.facts import source_digests
from mmaction_ext.tracking.ledger.files import file_sha256
from mmaction_ext.tracking.ledger.format import (HEARTBEAT_FILE, HEARTBEAT_STALE_SECONDS,
                                                 LOCK_FILE, METRICS_FILE, RESULTS_FOLDER, RUN_FILE)
from mmaction_ext.tracking.reading.liveness import is_locked
from mmaction_ext.tracking.reading.wandb_snapshot import SNAPSHOT_FOLDER

SEVERITIES = ('error', 'warning', 'note')
#: a temporary file that is younger may be about to be renamed by a process on another host
STRAY_SECONDS = 600
#: metric that predictions alone tell, and how far it may be from what was logged
TOP1, TOP1_TOLERANCE = 'test/acc/top1', 1e-6
_BACKUP = 'restore it from a backup, or delete the run and train it again'
_RESUME = 'the same command with --resume goes on from the newest checkpoint'
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
        :class:`Finding` list, the worst first. What cannot be read is among them.

    Raises:
        InputError: a folder does not exist.
    """
    for root in map(Path, roots):
        if not root.is_dir():
            raise InputError(f'runs folder {root} does not exist')
    found = [finding for root in map(Path, roots)
             for finding in _examine_folder(root, Path(configs), hash_files)]
    return sorted(found + _duplicates(roots), key=lambda item: (
        SEVERITIES.index(item.severity), item.check, item.place, item.text))


def _examine_folder(root, configs, hash_files) -> list:
    """Findings below one folder; runs are named by their path from the working folder on."""
    parts, found = _read_parts(root)
    records = [record for _, some in parts for record in some]
    for folder, some in parts:
        for record in some:
            if record.folder:
                record.folder = (folder / record.folder).as_posix()
        found += _damaged(folder, some)
    found += _unfinished(records) + _incomplete(records) + _contradictions(records)
    found += _one_sided(records) + _stitched(records) + _stale(records, configs)
    found += _other_code(records) + _other_lists(records)
    found += _measured_files(records, hash_files) + _set_aside(root)
    found += _copied_while_running(root) + [_stray(path) for path in stray_files(root)]
    known = {finding.place for finding in found if finding.check == 'unreadable'}
    found += [finding for finding in _half_written(root) if finding.place not in known]
    for folder, some in parts:
        found += _other_damage(folder, some, {finding.place for finding in found})
    return found


def _read_parts(folder) -> tuple:
    """Records by the folder in which they were looked for, and what cannot be read.

    A file that cannot be read takes its run out, and none beside it.
    """
    from mmaction_ext.tracking.records import find_runs
    try:
        return [(folder, find_runs(folder, cache=False))], []
    except Exception as error:  # the files may hold anything
        problem = _unreadable_part(folder, error)
    parts, found = [], []
    for inner in _folders_of_runs(folder):
        more, problems = _read_parts(inner)
        parts, found = parts + more, found + problems
    return parts, found or [problem]


def _folders_of_runs(folder) -> list:
    """Folders in a folder that may hold runs of their own; none in that of a run."""
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
        if {item.name for item in items} & {RUN_FILE, METRICS_FILE}:
            return []
        return [folder / item.name for item in items if item.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _unreadable_part(folder, error) -> Finding:
    place, found, reason = str(error).partition(' cannot be read: ')
    if isinstance(error, InputError) and found:
        return _closed(place, reason)
    return Finding('error', 'unreadable', folder.as_posix(), 'one of its files holds what no run '
                   f'writes ({type(error).__name__})', 'restore it from a backup, or delete it')


def _closed(place, reason) -> Finding:
    return Finding('error', 'unreadable', str(place), f'cannot be read: {reason}',
                   'make it readable, or restore it from a backup')


def _name(record) -> str:
    """How a run is called: by its folder, else its config, else its id."""
    if record.folder:
        return record.folder
    seed = '' if record.seed is None else f'/seed{record.seed}'
    return f'{record.config}{seed}' if record.config else f'run {record.uid}'


def _unfinished(records) -> list:
    found = []
    for record in records:
        where = f' at iteration {record.last_iter}' if record.last_iter else ''
        if record.state == 'killed':
            found.append(Finding(
                'warning', 'killed', _name(record), f'its process died{where} without a word',
                _RESUME))
        if record.state == 'failed' and record.fragments[-1].signal:
            found.append(Finding(
                'warning', 'ended', _name(record),
                f'was ended by {record.fragments[-1].signal}{where}', _RESUME))
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
    try:
        age = time.time() - float((record.heartbeat or {}).get('time'))
    except (TypeError, ValueError, OverflowError):
        return False
    return age > HEARTBEAT_STALE_SECONDS


def _damaged(root, records) -> list:
    found = []
    for record in records:
        places = {fragment: root / fragment.path for fragment in record.fragments}
        lost = {place for place in places.values() if _lost_rows(place.parent)}
        for fragment, place in places.items():
            if fragment.corrupt and place not in lost:
                found += _damage(fragment, place)
        last = places[record.fragments[-1]]
        if (record.truncated and record.state != 'running' and not record.corrupt
                and last not in lost):
            found.append(Finding(
                'note', 'truncated', last.as_posix(), 'ends in the middle of a record, as a kill '
                'or a full disk leaves it', 'all before it is read; nothing is to be done'))
    return found


def _damage(fragment, place) -> list:
    """Why an attempt is not trusted; nothing where its run has no ``run.json`` to tell of it."""
    text = 'was altered after it was written'
    if fragment.source == 'ledger':
        content = _read_object(place.with_name(RUN_FILE))
        if content is None:
            return []
        if fragment.number not in _numbers(content):
            text = f'tells of attempt {fragment.number}, of which {RUN_FILE} does not tell'
        elif fragment.truncated:
            text = 'is cut off, or lacks rows that were there when its attempt ended well'
    return [Finding('error', 'corrupt', place.as_posix(), f'{text}; tables do not trust it',
                    _BACKUP)]


def _attempts(content: dict) -> list:
    """The attempts that a ``run.json`` tells of."""
    attempts = content.get('attempts')
    return [item for item in attempts if isinstance(item, dict)] \
        if isinstance(attempts, list) else []


def _numbers(content: dict) -> set:
    return {item['number'] if _is_whole(item.get('number')) else place
            for place, item in enumerate(_attempts(content), 1)}


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _incomplete(records) -> list:
    """Runs of whose ledger a part is missing."""
    found = []
    for record in records:
        if 'ledger' in record.sources:
            folder = Path(record.folder)
            lost = _lost_rows(folder)
            found += [lost] if lost else []
            found += _lost_results(record, folder)
    return found


def _lost_rows(folder) -> Finding | None:
    """What is wrong where ``metrics.jsonl`` is shorter than it was at the end of an attempt."""
    attempts = _attempts(_read_object(folder / RUN_FILE) or {})
    sizes = [item['metrics_bytes'] for item in attempts if _is_whole(item.get('metrics_bytes'))]
    wanted, path = max(sizes, default=0), folder / METRICS_FILE
    size = path.stat().st_size if _is_file(path) else None
    if size is not None:
        text = f'has {size} of the {wanted} bytes it had when an attempt ended: rows are missing'
        return Finding('error', 'incomplete', path.as_posix(), text,
                       _BACKUP) if size < wanted else None
    if wanted > 0 or any(item.get('exit_code') == 0 for item in attempts):
        return Finding('error', 'incomplete', path.as_posix(),
                       'is gone: rows are missing', _BACKUP)
    if not sizes and any(item.get('exit_code') is not None for item in attempts):
        return Finding('note', 'incomplete', path.as_posix(), 'is not there, though an attempt '
                       'has ended', 'it may have failed before its first row; else restore it')
    return None


def _lost_results(record, folder) -> list:
    """Tests of which rows tell, but no result file."""
    try:
        names = os.listdir(folder / RESULTS_FOLDER)
    except OSError:
        names = []
    found = {}
    for item in record.evaluations:
        stem = f'{item.fragment.number}-{item.values.get("iter")}'
        is_there = any(name.startswith((f'{stem}.', f'{stem}-')) for name in names)
        if item.fragment.source == 'ledger' and item.fragment.exit_code == 0 and not is_there:
            found[stem] = Finding(
                'warning', 'result gone', (folder / RESULTS_FOLDER / f'{stem}.json').as_posix(),
                f'{METRICS_FILE} tells of the test, but its result file is not there',
                'restore it from a backup, or test the run again with tools/test.py')
    return list(found.values())


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
            for record in records if len(record.fragments) > 1 and _knows_its_attempts(record)]


def _knows_its_attempts(record) -> bool:
    """Whether ``run.json`` tells of all attempts of which the rest of the ledger tells."""
    numbers = {item.number for item in record.fragments if item.source == 'ledger'}
    known = _read_object(Path(record.folder) / RUN_FILE) if 'ledger' in record.sources else {}
    return known is not None and numbers <= _numbers(known)


def _stale(records, configs: Path) -> list:
    """Runs that belong to no config as it stands in the tree."""
    found, current = [], {}
    for record in records:
        if record.config is None or record.config_hash is None or record.overrides:
            continue
        if record.config not in current:
            current[record.config] = _hash_in_tree(configs, record.config)
        now = current[record.config]
        if now != record.config_hash:
            text = 'its config is not in the tree' if now is None else \
                'its config has changed since; tables show the row as stale'
            found.append(Finding('note' if now is None else 'warning', 'stale', _name(record),
                                 text, 'train it again, or delete it if it is no longer needed'))
    return found


def _hash_in_tree(configs, name: str) -> str | None:
    """Hash of a config as it stands; ``None`` where there is none, or it cannot be read."""
    try:
        return config_hash(load_config(config_below(configs, name)))
    except (ValueError, OSError):
        return None


def _other_code(records) -> list:
    """Runs whose networks were made by other code, those of the same code together."""
    tree, groups = source_digests(), defaultdict(list)
    for record in records:
        changed = [path for path, state in code_changes(record.code, tree).items()
                   if code_folder(path) in NETWORK_CODE and state != 'new']
        groups[tuple(changed)].append(_name(record))
    found = []
    for changed, names in groups.items():
        if changed:
            counts = Counter(map(code_folder, changed))
            which = ', '.join(f'{counts[name]} of {name}' for name in NETWORK_CODE
                              if counts[name])
            found.append(Finding(
                'note', 'other code', min(names), 'source files of the package have changed since '
                f'it{_and_more(names)} began: {which}', 'mmaction-ext explain names them; train '
                'again where numbers depend on them'))
    return found


def _and_more(names) -> str:
    """How many runs of the same kind there are beside the one that is named."""
    more = len(set(names)) - 1
    return f' and {more} more {"run" if more == 1 else "runs"}' if more else ''


def _other_lists(records) -> list:
    """Annotation lists that are not those that runs read, each once."""
    groups, facts_of = defaultdict(list), {}
    for record in records:
        for facts in record.data.values():
            if isinstance(facts, dict):
                key = repr((facts.get('ann_file'), facts.get('ann_sha256')))
                groups[key].append(_name(record))
                facts_of[key] = facts
    return [Finding('note', 'other list', facts['ann_file'], f'has changed since {min(names)}'
                    f'{_and_more(names)} read it', 'restore it, or train again, if the samples '
                    'are others')
            for key, names in groups.items()
            if list_state(facts := facts_of[key]) == 'differs']


def _measured_files(records, hash_files) -> list:
    """Checkpoints and predictions that results name and that are not there, or differ."""
    found, digests = {}, {}
    for record in records:
        for item in record.evaluations:
            for kind, facts in (('checkpoint', item.checkpoint),
                                ('predictions', item.predictions)):
                finding = _measured_file(record, kind, facts, digests, hash_files)
                if finding is None and hash_files and kind == 'predictions':
                    finding = _other_top1(record, item, digests)
                if finding:
                    found[finding] = None
    return list(found)


def _measured_file(record, kind, facts, digests, hash_files) -> Finding | None:
    file, digest = _named_file(record, facts)
    if file is None:
        return None
    if not _is_file(file):
        return Finding('warning', f'{kind} gone', file.as_posix(), f'the {kind} of a result of '
                       f'{_name(record)} is not there', 'the number stands, but cannot be '
                       'measured again')
    if not hash_files:
        return None
    if file not in digests:
        digests[file] = _digest(file)
    if isinstance(digests[file], OSError):
        return _closed(file.as_posix(), digests[file].strerror)
    if digests[file] != digest:
        return Finding('error', f'{kind} differs', file.as_posix(), f'is not the {kind} of which '
                       f'a result of {_name(record)} tells', 'test the run again with '
                       'tools/test.py')
    return None


def _named_file(record, facts) -> tuple:
    """A file that a result names and its SHA-256; ``None`` for both where it names none."""
    facts = facts if isinstance(facts, dict) else {}
    path, digest = facts.get('path'), facts.get('sha256')
    if not all(isinstance(text, str) and text for text in (path, digest)) or '://' in path:
        return None, None
    return Path(os.path.normpath(Path(record.folder) / path)), digest


def _digest(file) -> str | OSError:
    try:
        return file_sha256(file)
    except OSError as error:
        return error


def _is_file(path) -> bool:
    """As ``path.is_file()``, also of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _other_top1(record, item, digests) -> Finding | None:
    """What is wrong where predictions that are those of a result do not give its accuracy."""
    file, digest = _named_file(record, item.predictions)
    logged = item.values.get(TOP1)
    is_number = isinstance(logged, (int, float)) and not isinstance(logged, bool)
    if file is None or digests.get(file) != digest or not is_number or logged != logged:
        return None
    bounds = top1_bounds(file)
    if bounds is None or bounds[0] - TOP1_TOLERANCE <= logged <= bounds[1] + TOP1_TOLERANCE:
        return None
    return Finding('error', 'accuracy differs', file.as_posix(), f'gives a top-1 accuracy of '
                   f'{bounds[1]!r}, and a result of {_name(record)} says {logged!r}',
                   'test the run again with tools/test.py')


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
        found += [_unreadable(path) for path in files if _read_object(path) is None]
    return found


def _read_object(path) -> dict | None:
    """The JSON object in a file; ``None`` where it holds none or cannot be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


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
    for path in sorted((root / SNAPSHOT_FOLDER).rglob('*.json')):
        content = _read_object(path)
        if content is None:
            found.append(Finding('error', 'half-written', path.as_posix(), 'is no copy of a run',
                                 'delete it and run mmaction-ext import-wandb again'))
        elif content.get('state') == 'running':
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
            is_ours = _is_temporary(path) and _is_old(path)
            if is_ours and not is_locked(_run_folder(path) / LOCK_FILE):
                found.append(path)
    return sorted(found)


def _is_temporary(path) -> bool:
    """Whether a file has a name that only the writer of ledgers and copies gives."""
    if path.parent.name == RESULTS_FOLDER or SNAPSHOT_FOLDER in path.parts:
        return path.name.endswith('.json.tmp')
    return path.name in (f'{RUN_FILE}.tmp', f'{HEARTBEAT_FILE}.tmp')


def _run_folder(path) -> Path:
    return path.parent.parent if path.parent.name == RESULTS_FOLDER else path.parent


def _is_old(path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STRAY_SECONDS
    except OSError:
        return False  # it has just been renamed


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
    content = _read_object(folder / RUN_FILE) or {}
    known = [content.get(name) for name in ('config', 'seed', 'config_hash')]
    uid, job_type = content.get('uid'), content.get('job_type')
    if not uid and list(map(type, known)) == [str, int, str]:
        uid = RunIdentity(*known).uid
    if not isinstance(uid, str) or not uid:
        return None
    is_named = isinstance(job_type, str) and job_type
    return uid, job_type if is_named else 'test' if folder.name == 'test' else 'train'
