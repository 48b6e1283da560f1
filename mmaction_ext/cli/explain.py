"""Say where a printed number comes from, down to runs, checkpoints, files and commits.

A difference is explained by both of its sides, a mean of rows by its parts, a published figure by
its citation, and a cell without a number by what is wrong.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any

from mmaction_ext.cli.common import (
    Facts,
    add_complexity_option,
    add_configs_option,
    add_json_option,
    add_lock_options,
    add_runs_option,
    find_table,
    needed_metrics,
    read_counts,
    read_records,
)
from mmaction_ext.cli.text import clean, fold, print_json
from mmaction_ext.tracking.reading.record import tellers

NAME = 'explain'
HELP = 'where a printed number comes from'
EPILOG = """examples:
  mmaction-ext explain dcf_table1 full top1              the cell in row full, column top1
  mmaction-ext explain dcf_table1 full top1 --seed 1     only the run of seed 1
  mmaction-ext explain configs/dcf/table1_components/table.yaml full delta
  mmaction-ext explain dcf_table1 full top1 --locked     from reports/table.lock.json, no runs

ROW and COLUMN are the id and key that table.yaml gives them. Files that a result names are hashed
again: verified, differs, gone (not on this machine), unreadable, or unknown (the log names no
file). Lists of data are, too: same, differs, gone, unreadable, or unknown. Source files of the
package that are not as they were are named, those of the network first; --json names them all.

exit codes: 0 explained, and the cell has its number; 1 explained, but the cell has none, is not
complete, or a file behind it differs; 2 bad input
"""
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


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('table', metavar='TABLE', help='id of a table, or its table.yaml')
    parser.add_argument('row', metavar='ROW', help='id of a row')
    parser.add_argument('column', metavar='COLUMN', help='key of a column')
    parser.add_argument('--seed', type=int, metavar='K', help='only the run of this seed')
    add_lock_options(parser, 'build the table from its lock file instead of the runs')
    add_configs_option(parser)
    add_runs_option(parser)
    add_complexity_option(parser)
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print the explanation; returns 1 where the cell is not as it should be."""
    facts = explain(args)
    if args.json:
        print_json(facts)
    else:
        print('\n'.join(describe(facts)))
    return int(not _is_sound(facts))


def explain(args: Namespace) -> Facts:
    """The explanation that the command line asks for, as plain data."""
    from mmaction_ext.cli.provenance import Explainer
    from mmaction_ext.errors import check_choice
    from mmaction_ext.tables import LockedTable, build_table, read_lock

    spec = find_table(args.table, args.configs, args.lock if args.locked else None)
    if args.seed is not None:
        check_choice('--seed', args.seed, spec.seeds)
    if args.locked:
        locked = read_lock(args.lock).get(spec.id, LockedTable())
        table = build_table(spec, (), complexity=read_counts(args), locked=locked)
        return Explainer(spec, table, (), args.seed).cell(args.row, args.column)
    records = read_records(args, [spec], needed_metrics([spec]))
    table = build_table(spec, records, complexity=read_counts(args))
    return Explainer(spec, table, records, args.seed).cell(args.row, args.column)


def _is_sound(facts: Facts) -> bool:
    files = [
        seed['measured'].get(key, {}).get('file')
        for seed in facts.get('seeds', ())
        if 'measured' in seed
        for key in ('checkpoint', 'predictions')
        if seed['measured'].get(key)
    ]
    parts = all(map(_is_sound, facts.get('parts', ())))
    return facts['complete'] and 'differs' not in files and parts


def describe(facts: Facts) -> list[str]:
    """An explanation as lines of text."""
    place = f'{facts["table"]} / {facts["row"]} / {facts["column"]}'
    lines = [f'{clean(place)} ({clean(facts["head"])}): {clean(facts["text"])}']
    lines += _entries(
        [
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
    )
    for seed in facts.get('seeds', ()):
        lines += ['', *_seed_lines(seed, facts.get('config'))]
    for part in facts.get('parts', ()):
        lines += ['', *(INDENT + line if line else line for line in describe(part))]
    return lines


def _entries(pairs: Iterable[tuple[str, Any]], level: int = 1) -> list[str]:
    """``name  text`` lines; long texts go on below themselves, and empty ones are left out."""
    lines = []
    for name, text in pairs:
        if text not in (None, ''):
            head = f'{INDENT * level}{name:<{LABEL_WIDTH}}'
            lines += fold(clean(text), head, ' ' * len(head), MARGIN)
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


def _unit(seed: Facts) -> str:
    return f'fold {seed["fold"]}' if seed.get('fold') else f'seed {seed["seed"]}'


def _seed_lines(seed: Facts, config: Facts | None) -> list[str]:
    """One seed: its value, what was measured, and the runs behind it."""
    value = 'no value' if seed['value'] is None else repr(seed['value'])
    if seed.get('logged') is not None:
        value += f' ({seed["metric"]} {seed["logged"]!r})'
    if seed['status'] != 'ok':
        value += f': {seed["status"]}, {seed["reason"]}'
    lines = [
        f'{INDENT}{line}'
        for line in fold(clean(f'{_unit(seed)}: {value}'), rest=INDENT, margin=MARGIN)
    ]
    if 'measured' in seed:
        lines += _measured_lines(seed)
        for run in seed['runs']:
            lines += _run_lines(run, config)
    return lines


def _measured_lines(seed: Facts) -> list[str]:
    facts = seed['measured']
    where = [f'{name} {facts[name]}' for name in ('attempt', 'iter', 'epoch') if name in facts]
    protocol = facts.get('protocol') or {}
    return _entries(
        [
            ('imported', _imported(seed)),
            ('measured', ', '.join(where)),
            ('samples', seed['samples']),
            ('test data', seed['data_digest'] and f'digest {seed["data_digest"]}'),
            (
                'protocol',
                ', '.join(
                    f'{key} {value}' for key, value in protocol.items() if value is not None
                ),
            ),
            ('checkpoint', _file(facts.get('checkpoint'))),
            ('predictions', _file(facts.get('predictions'))),
        ],
        2,
    )


def _imported(seed: Facts) -> str:
    if not seed['imported']:
        return ''
    if seed['runs']:
        return 'from a run that was logged elsewhere'
    return f'from {seed["line"] or "a file"}: no run is behind it'


def _file(facts: Facts | None) -> str:
    if not facts:
        return ''
    return f'{facts["path"] or "(not named)"} {facts["file"]} sha256 {facts.get("sha256")}'


def _run_lines(run: Facts, config: Facts | None) -> list[str]:
    """One run: identity, attempts, code, environment, data."""
    if 'job_type' not in run:
        return _entries([('run', f'{run["uid"]} (not in the folders of runs)')], 2)
    same = config and run['config_hash'] in (config['hash'], *config['aliases'])
    tree = f'{run["config_hash"]}, {"as" if same else "not as"} in the tree' if config else ''
    lines = _entries(
        [
            ('run', f'{run["uid"]}, {run["job_type"]}, {run["state"]}, in {_place(run)}'),
            ('called', '' if config else run['name']),
            ('config hash', tree),
            (
                'overrides',
                tree
                and (
                    ', '.join(f'{key}={value}' for key, value in run['overrides'].items())
                    or 'none'
                ),
            ),
            ('error', run['last_error']),
            ('told by', ', '.join(tellers(run['uid'], run['sources']))),
            *(('conflict', text) for text in run['conflicts']),
        ],
        2,
    )
    lines += _entries([('attempt', _attempt(item)) for item in run['attempts']], 2)
    lines += _entries(
        [
            ('code', _git(run['git'])),
            *(('source files', text) for text in _code(run['code'])),
            ('environment', _pairs(run['env'])),
            ('started from', _initial(run['initial_checkpoint'])),
            *(
                ('started from', f'{_initial(part)} ({part["part"]})')
                for part in run['initial_weights']
            ),
            *(('data', _data(split, facts)) for split, facts in run['data'].items()),
            *(
                ('config file', f'{item["path"]} ({_TREE[item["tree"]]}) sha256 {item["sha256"]}')
                for item in run['config_files']
            ),
        ],
        2,
    )
    return lines


def _place(run: Facts) -> str:
    logs = [item['log'] for item in run['attempts']]
    return run['folder'] or run['url'] or next(filter(None, logs), '?')


def _attempt(item: Facts) -> str:
    ended = f'exit code {item["exit_code"]}' if item['exit_code'] is not None else 'no exit record'
    parts = [
        f'{item["number"]}' if item['number'] else '',
        _moment(item['start']),
        f'on {item["host"]}' if item['host'] else '',
        ended,
        item['signal'] or '',
        f'to iteration {item["last_iter"]}' if item['last_iter'] is not None else '',
        f'commit {item["commit"]}' if item['commit'] else '',
        'damaged' if item['corrupt'] else '',
    ]
    return ', '.join(filter(None, parts))


def _moment(seconds: Any) -> str:
    """Date and time in UTC; empty where a log does not say."""
    try:
        return (
            '' if seconds is None else time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(seconds))
        )
    except (TypeError, OverflowError, ValueError, OSError):
        return ''


def _git(git: Facts) -> str:
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
    named = [f'{item["path"]} ({_CODE[item["tree"]]})' for item in changed[:MOST_FILES]]
    more = len(changed) - len(named)
    return named + ([f'and {more} more that changed since'] if more else [])


def _initial(checkpoint: Facts | None) -> str:
    if not checkpoint:
        return ''
    return f'{checkpoint.get("path")} sha256 {checkpoint.get("sha256")}'


def _data(split: str, facts: Facts) -> str:
    return (
        f'{split}: {facts.get("ann_file")}, {facts.get("num_samples")} samples, sha256 '
        f'{facts.get("ann_sha256")} ({facts["list"]})'
    )


def _pairs(facts: Facts) -> str:
    return ', '.join(f'{key} {value}' for key, value in facts.items())
