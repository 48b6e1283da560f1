"""Runs of other configs, code or lists than there are now, and runs that lie there twice."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmaction_ext.tracking.doctor.finding import Finding, and_more, run_name
from mmaction_ext.tracking.doctor.run_file import read_run
from mmaction_ext.tracking.identity import config_below, config_hashes, load_config
from mmaction_ext.tracking.ledger.facts import source_digests
from mmaction_ext.tracking.ledger.format import RUN_FILE
from mmaction_ext.tracking.ledger.forms import RunFile
from mmaction_ext.tracking.reading.comparison import (
    NETWORK_CODE,
    code_changes,
    code_folder,
    list_state,
)
from mmaction_ext.tracking.reading.ledger import identity
from mmaction_ext.tracking.reading.record import RunRecord
from mmaction_ext.tracking.reading.rows import Row

_SET_ASIDE = re.compile(r'(seed\d+(-[0-9a-f]{8})?|test)\.([0-9a-f]{16}|unknown)(\.\d+)?')


def look(records: Sequence[RunRecord], configs: Path) -> list[Finding]:
    """Runs whose config, code or lists of data are others by now.

    Args:
        records: :class:`RunRecord` list, each with its folder from
            the working folder on.
        configs: folder of the configs as they stand in the tree.

    Returns:
        :class:`Finding` list.
    """
    return _stale(records, configs) + _other_code(records) + _other_lists(records)


def _stale(records: Iterable[RunRecord], configs: Path) -> list[Finding]:
    """Runs that belong to no config as it stands in the tree."""
    found: list[Finding] = []
    current: dict[str, tuple[str, ...]] = {}
    for record in records:
        if record.config is None or record.config_hash is None or record.overrides:
            continue
        if record.config not in current:
            current[record.config] = _hashes_in_tree(configs, record.config)
        now = current[record.config]
        if record.config_hash not in now:
            text = (
                'its config has changed since; tables show the row as stale'
                if now
                else 'its config is not in the tree'
            )
            found.append(
                Finding(
                    'warning' if now else 'note',
                    'stale',
                    run_name(record),
                    text,
                    'train it again, or delete it if it is no longer needed',
                )
            )
    return found


def _hashes_in_tree(configs: Path, name: str) -> tuple[str, ...]:
    """Hashes of a config as it stands; none where there is none, or it cannot be read."""
    try:
        return config_hashes(load_config(*config_below(configs, name)))
    except (ValueError, OSError):
        return ()


def _other_code(records: Iterable[RunRecord]) -> list[Finding]:
    """Runs whose networks were made by other code, those of the same code together."""
    records = [record for record in records if record.code]
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    tree = source_digests(name for record in records for name in record.code) if records else {}
    for record in records:
        changed = [
            path
            for path, state in code_changes(record.code, tree).items()
            if code_folder(path) in NETWORK_CODE and state != 'new'
        ]
        if changed:
            groups[tuple(changed)].append(run_name(record))
    return [
        Finding(
            'note',
            'other code',
            min(names),
            f'source files have changed since it{and_more(names)} began: {_counted(changed)}',
            'mmaction-ext explain names those of its network; train again where they matter',
        )
        for changed, names in groups.items()
    ]


def _counted(paths: Iterable[str]) -> str:
    """How many of some source files belong to each part of the package."""
    counts = Counter(map(code_folder, paths))
    return ', '.join(f'{counts[name]} of {name}' for name in NETWORK_CODE if counts[name])


def _other_lists(records: Iterable[RunRecord]) -> list[Finding]:
    """Annotation lists that are not those that runs read, each once."""
    groups: dict[str, list[str]] = defaultdict(list)
    facts_of: dict[str, Row] = {}
    for record in records:
        for facts in record.data.values():
            key = repr((facts.get('ann_file'), facts.get('ann_sha256')))
            groups[key].append(run_name(record))
            facts_of[key] = facts
    return [
        Finding(
            'note',
            'other list',
            facts['ann_file'],
            f'has changed since {min(names)}{and_more(names)} read it',
            'restore it, or train again, if the samples are others',
        )
        for key, names in groups.items()
        if list_state(facts := facts_of[key]) == 'differs'
    ]


def set_aside(root: Path) -> list[Finding]:
    """Folders below one whose run gave way to another version of its config."""
    places = [
        Path(folder) / name
        for folder, names, _ in os.walk(root)
        for name in names
        if _SET_ASIDE.fullmatch(name)
    ]
    return [
        Finding(
            'note',
            'set aside',
            place.as_posix(),
            'holds a run of another version of its config, kept when a new one took its place',
            'delete it if it is no longer needed',
        )
        for place in places
    ]


def is_set_aside(folder: Path) -> bool:
    """Whether a folder is one of those, or lies in one."""
    return any(_SET_ASIDE.fullmatch(part) for part in folder.parts)


def duplicates(roots: Iterable[Path]) -> list[Finding]:
    """Runs that lie in several folders: copies, of which tables would make attempts."""
    folders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for root in roots:
        for folder, _, names in os.walk(root):
            run = _identity(Path(folder)) if RUN_FILE in names else None
            if run:
                folders[run].add(Path(folder).as_posix())
    return [
        Finding(
            'error',
            'duplicate',
            min(places),
            f'is the same run as {", ".join(sorted(places)[1:])}',
            'move or delete all but one of them',
        )
        for places in folders.values()
        if len(places) > 1
    ]


def _identity(folder: Path) -> tuple[str, str] | None:
    """Id and job type of the run in a folder, also where its record is of before the ledger."""
    run = read_run(folder) or RunFile()
    uid = run.uid or ('' if None in (run.config, run.seed, run.config_hash) else identity(run).uid)
    return (uid, run.job_type or ('test' if folder.name == 'test' else 'train')) if uid else None
