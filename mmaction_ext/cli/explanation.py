"""An explanation as text: each seed with all that is known of it, whatever others have in common.

:mod:`mmaction_ext.cli.brief` says the same in short, in the words of this module.
"""

import time
from collections.abc import Iterable
from typing import Any

from mmaction_ext.cli.common import Facts
from mmaction_ext.cli.text import clean, fold
from mmaction_ext.tracking.reading.record import tellers

INDENT = '  '
#: columns by which parts of parts are indented further
MARGIN = 8
#: how a config file of a run compares with the tree
_TREE = {
    'same': 'same in the tree',
    'differs': 'differs from the tree',
    'gone': 'no longer part of it',
    'only': 'in the tree; the run records no files',
}
#: how a source file of a run compares with the tree
_CODE = {
    'differs': 'differs from the tree',
    'gone': 'no longer in the tree',
    'new': 'not there at the time',
}
#: source files that are named
MOST_FILES = 5
LABEL_WIDTH = 14


def describe(facts: Facts) -> list[str]:
    """An explanation as lines of text."""
    lines = [title(facts), *entries(head_entries(facts))]
    for seed in facts.get('seeds', ()):
        lines += ['', *_seed_lines(seed, facts.get('config'))]
    for part in facts.get('parts', ()):
        lines += ['', *(INDENT + line if line else line for line in describe(part))]
    return lines


def title(facts: Facts, *names: str) -> str:
    """Which cell it is, by what ``names`` say or by all, and what it shows."""
    place = ' / '.join(facts[name] for name in names or ('table', 'row', 'column'))
    return f'{clean(place)} ({clean(facts["head"])}): {clean(facts["text"])}'


def head_entries(facts: Facts) -> list[tuple[str, Any]]:
    """What is known of a cell as a whole, as :func:`entries` takes it."""
    return [
        ('status', facts['status']),
        ('why', facts.get('why')),
        ('note', facts['note']),
        ('formula', facts.get('formula')),
        ('of', facts.get('select')),
        ('value', _spread(facts)),
        ('figure', facts.get('figure')),
        ('published in', facts.get('citation')),
        ('source', facts.get('source')),
        ('config', _config(facts.get('config'))),
    ]


def entries(pairs: Iterable[tuple[str, Any]], level: int = 1, margin: int = MARGIN) -> list[str]:
    """``name  text`` lines; long texts go on below themselves, and empty ones are left out.

    Args:
        pairs: names and texts.
        level: how far they are indented.
        margin: columns to leave free.
    """
    lines = []
    for name, text in pairs:
        if text not in (None, ''):
            head = f'{INDENT * level}{clean(name):<{LABEL_WIDTH}}'
            lines += fold(clean(text), head, ' ' * len(head), margin)
    return lines


def _spread(facts: Facts) -> str:
    if facts['value'] is None:
        return ''
    text = repr(facts['value'])
    if facts['std'] is not None:
        text += f', standard deviation {facts["std"]!r}'
    if facts['interval']:
        text += ', 95 % interval {!r} to {!r}'.format(*facts['interval'])
    return text


def _config(config: Facts | None) -> str:
    return f'{config["path"]}, hash {config["hash"]} in the tree' if config else ''


def seed_title(seed: Facts) -> str:
    """Which seed or fold it is, and its value or why it has none."""
    value = 'no value' if seed['value'] is None else repr(seed['value'])
    if seed.get('logged') is not None:
        value += f' ({seed["metric"]} {seed["logged"]!r})'
    if seed['status'] != 'ok':
        value += f': {seed["status"]}, {seed["reason"]}'
    unit = f'fold {seed["fold"]}' if seed.get('fold') else f'seed {seed["seed"]}'
    return clean(f'{unit}: {value}')


def _seed_lines(seed: Facts, config: Facts | None) -> list[str]:
    """One seed: its value, what was measured, and the runs behind it."""
    lines = [f'{INDENT}{line}' for line in fold(seed_title(seed), rest=INDENT, margin=MARGIN)]
    if 'measured' in seed:
        lines += _measured_lines(seed)
        for run in seed['runs']:
            lines += _run_lines(run, config)
    return lines


def _measured_lines(seed: Facts) -> list[str]:
    facts = seed['measured']
    return entries(
        [
            ('imported', imported(seed)),
            ('measured', ', '.join(place_words(facts))),
            ('samples', seed['samples']),
            ('test data', digest_words(seed)),
            ('protocol', ', '.join(protocol_words(facts))),
            ('checkpoint', file_words(facts.get('checkpoint'))),
            ('predictions', file_words(facts.get('predictions'))),
        ],
        2,
    )


def imported(seed: Facts) -> str:
    """Where a number comes from that none of our runs gave; empty for others."""
    if not seed['imported']:
        return ''
    if seed['runs']:
        return 'from a run that was logged elsewhere'
    return f'from {seed["line"] or "a file"}: no run is behind it'


def place_words(measured: Facts) -> list[str]:
    """When in its run something was measured."""
    return [
        f'{name} {measured[name]}' for name in ('attempt', 'iter', 'epoch') if name in measured
    ]


def digest_words(seed: Facts) -> str:
    """The digest of the test data; empty where nobody tells it."""
    return f'digest {seed["data_digest"]}' if seed['data_digest'] else ''


def protocol_words(measured: Facts) -> list[str]:
    """How something was measured."""
    protocol = measured.get('protocol') or {}
    return [f'{key} {value}' for key, value in protocol.items() if value is not None]


def file_words(facts: Facts | None) -> str:
    """A file that a result names, what became of it, and its digest; empty without one."""
    if not facts:
        return ''
    return f'{facts["path"] or "(not named)"} {facts["file"]} sha256 {facts.get("sha256")}'


def _run_lines(run: Facts, config: Facts | None) -> list[str]:
    """One run: identity, attempts, code, environment, data."""
    if 'job_type' not in run:
        return entries([('run', unknown_run(run))], 2)
    lines = entries(
        [
            ('run', f'{run["uid"]}, {run["job_type"]}, {run["state"]}, in {run_place(run)}'),
            ('called', '' if config else run['name']),
            ('config hash', _hash(run, config) if config else ''),
            ('overrides', ', '.join(override_words(run)) if config else ''),
            ('error', run['last_error']),
            ('told by', ', '.join(tellers(run['uid'], run['sources']))),
            *(('conflict', text) for text in run['conflicts']),
        ],
        2,
    )
    lines += entries([('attempt', attempt_words(item)) for item in run['attempts']], 2)
    lines += entries(
        [
            ('code', git_words(run['git'])),
            *(('source files', text) for text in _code(run['code'])),
            ('environment', ', '.join(environment_words(run))),
            *(('started from', text) for text in start_words(run)),
            *(('data', f'{split}: {list_words(facts)}') for split, facts in run['data'].items()),
            *(('config file', config_file_words(item)) for item in run['config_files']),
        ],
        2,
    )
    return lines


def unknown_run(run: Facts) -> str:
    """A run of which only the id is known, or what is kept beside the lock."""
    words = [f'{run["uid"]} (not in the folders of runs)']
    if 'kept' in run:
        starts = [moment(item['start']) for item in run['attempts'][:1]]
        words += [run['kept'], *starts, git_words(run['git'])]
    return ', '.join(filter(None, words))


def run_place(run: Facts) -> str:
    """The folder of a run, or where else it is."""
    logs = [item['log'] for item in run['attempts']]
    return run['folder'] or run['url'] or next(filter(None, logs), '?')


def is_of_tree(run: Facts, config: Facts) -> bool:
    """Whether a run is of the config as it stands in the tree."""
    return run['config_hash'] in (config['hash'], *config['aliases'])


def _hash(run: Facts, config: Facts) -> str:
    return f'{run["config_hash"]}, {"as" if is_of_tree(run, config) else "not as"} in the tree'


def override_words(run: Facts) -> list[str]:
    """Settings that were changed on the command line of a run."""
    return [f'{key}={value}' for key, value in run['overrides'].items()] or ['none']


def attempt_words(item: Facts) -> str:
    """One attempt at a run."""
    ended = f'exit code {item["exit_code"]}' if item['exit_code'] is not None else 'no exit record'
    parts = [
        f'{item["number"]}' if item['number'] else '',
        moment(item['start']),
        f'on {item["host"]}' if item['host'] else '',
        ended,
        item['signal'] or '',
        f'to iteration {item["last_iter"]}' if item['last_iter'] is not None else '',
        f'commit {item["commit"]}' if item['commit'] else '',
        'damaged' if item['corrupt'] else '',
    ]
    return ', '.join(filter(None, parts))


def moment(seconds: Any) -> str:
    """Date and time in UTC; empty where a log does not say."""
    try:
        return (
            '' if seconds is None else time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(seconds))
        )
    except (TypeError, OverflowError, ValueError, OSError):
        return ''


def git_words(git: Facts) -> str:
    """The commit of a run and whether its checkout had changes; empty where nobody tells."""
    if not git.get('commit'):
        return ''
    state = 'clean'
    if git.get('dirty'):
        digest = git.get('diff_sha256')
        state = f'with changes (sha256 of the diff {digest})' if digest else 'with changes'
    return f'commit {git["commit"]}, {state}'


def _code(code: Facts) -> list[str]:
    """The first source files that are not as in the tree, and how many more there are."""
    changed = code['changed']
    if not changed:
        return [f'{code["files"]}, all as in the tree'] if code['files'] else []
    named = [*map(source_words, changed[:MOST_FILES])]
    more = len(changed) - len(named)
    return named + ([f'and {more} more that changed since'] if more else [])


def source_words(item: Facts) -> str:
    """A source file that is not as in the tree."""
    return f'{item["path"]} ({_CODE[item["tree"]]})'


def environment_words(run: Facts) -> list[str]:
    """Versions and machine of a run."""
    return [f'{key} {value}' for key, value in run['env'].items()]


def start_words(run: Facts) -> list[str]:
    """The files whose weights a run began with: of the whole, then of parts."""
    whole = run['initial_checkpoint']
    parts = [f'{_initial(part)} ({part["part"]})' for part in run['initial_weights']]
    return [_initial(whole), *parts] if whole else parts


def _initial(checkpoint: Facts) -> str:
    return f'{checkpoint.get("path")} sha256 {checkpoint.get("sha256")}'


def list_words(facts: Facts) -> str:
    """A list of data that a run read, with its digest."""
    samples, digest = facts.get('num_samples'), facts.get('ann_sha256')
    return f'{facts.get("ann_file")}, {samples} samples, sha256 {digest} ({facts["list"]})'


def config_file_words(item: Facts) -> str:
    """A file of a run's config, beside the tree."""
    return f'{item["path"]} ({_TREE[item["tree"]]}) sha256 {item["sha256"]}'
