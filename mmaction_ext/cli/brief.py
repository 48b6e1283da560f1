"""An explanation as text, in short: what all results have in common is said once.

What is not the same for all of them stands with each of those that it is of, so that no difference
is lost. Files that are as they were are named without their digests, and of the source files that
have changed only those of the network are named.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from mmaction_ext.cli.common import Facts
from mmaction_ext.cli.explanation import (
    INDENT,
    attempt_words,
    config_file_words,
    digest_words,
    entries,
    environment_words,
    file_words,
    git_words,
    head_entries,
    imported,
    is_of_tree,
    list_words,
    moment,
    override_words,
    place_words,
    protocol_words,
    run_place,
    seed_title,
    source_words,
    start_words,
    title,
    unknown_run,
)
from mmaction_ext.cli.text import clean, fold
from mmaction_ext.tracking.reading.record import tellers

#: what a run's network is beside the tree, by the id of its row; see :meth:`Explainer.network`
Network = Callable[[str, Facts], Facts]
#: entries of which several stand in one line
_IN_ONE_LINE = ('measured', 'protocol', 'overrides', 'environment', 'same lists')
#: of a commit
_COMMIT_DIGITS = 12
#: entries of a cell that its one seed says, too
_SAID_BY_SEED = ('formula', 'value')
#: those that may be the same for several cells
_OF_CELLS = ('of', 'config')


class _Entry(NamedTuple):
    """What is said of something.

    Attributes:
        name, text: see :func:`mmaction_ext.cli.explanation.entries`.
        split: of the list of data that it is about; empty for anything else.
    """

    name: str
    text: str
    split: str = ''


@dataclass
class _Node:
    """A cell, or one seed of it.

    Attributes:
        head: its first line.
        own: what is always said of it.
        facts: what others may have in common with it.
        nodes: what it is made of.
        results: how many seeds of which something is known it has or is.
    """

    head: str
    own: list[_Entry]
    facts: list[_Entry] = field(default_factory=list)
    nodes: list['_Node'] = field(default_factory=list)
    results: int = 0

    @property
    def common(self) -> list[_Entry]:
        """What holds of all results that it has."""
        return self.facts + self.common_below

    @property
    def common_below(self) -> list[_Entry]:
        """What holds of all results of what it is made of."""
        first, *others = [node.common for node in self.nodes if node.results] or [[]]
        return [entry for entry in first if all(entry in other for other in others)]


def describe_briefly(facts: Facts, network: Network) -> list[str]:
    """An explanation as lines of text, as short as it can be without hiding a difference.

    Args:
        facts: see :meth:`mmaction_ext.cli.provenance.Explainer.cell`.
        network: see :meth:`mmaction_ext.cli.provenance.Explainer.network`.
    """
    return _lines(_made_of(_Node(title(facts), _head(facts)), facts, network))


def _head(facts: Facts) -> list[_Entry]:
    return [_Entry(name, text) for name, text in head_entries(facts) if text not in (None, '')]


def _made_of(node: _Node, facts: Facts, network: Network) -> _Node:
    """The node with the seeds and parts that the facts about a cell name."""
    seeds = facts.get('seeds', ())
    node.own += _plain_seeds([seed for seed in seeds if _is_plain(seed)])
    node.nodes = [_seed(seed, facts, network) for seed in seeds if not _is_plain(seed)]
    node.nodes += [_part(part, network) for part in facts.get('parts', ())]
    node.results = sum(each.results for each in node.nodes)
    return node


def _is_plain(seed: Facts) -> bool:
    """Whether a seed is but a number: no run logged it as such."""
    return 'measured' not in seed and seed['status'] == 'ok'


def _plain_seeds(seeds: Sequence[Facts]) -> list[_Entry]:
    if not seeds:
        return []
    unit = 'fold' if seeds[0].get('fold') else 'seed'
    values = ', '.join(f'{seed.get("fold") or seed["seed"]}: {seed["value"]!r}' for seed in seeds)
    return [_Entry(f'{unit}s', values)]


def _part(facts: Facts, network: Network) -> _Node:
    """A cell that another one is made of; together with its seed, where it has but one."""
    config = facts.get('config')
    own = [entry for entry in _head(facts) if entry.name not in _OF_CELLS]
    own = [entry for entry in own if entry != ('status', 'ok', '')]
    shared = [
        _Entry('of', facts.get('select') or ''),
        _Entry('config', config['path'] if config else ''),
    ]
    if not _is_one_seed(facts):
        node = _Node(title(facts, 'row', 'column'), own, _known(shared))
        return _made_of(node, facts, network)
    [node] = _made_of(_Node('', []), facts, network).nodes
    node.head = f'{clean(facts["row"])}, {node.head}'
    node.own = [entry for entry in own if entry.name not in _SAID_BY_SEED] + node.own
    node.facts = _known(shared) + node.facts
    return node


def _is_one_seed(facts: Facts) -> bool:
    seeds = facts.get('seeds', ())
    return (
        len(seeds) == 1
        and 'measured' in seeds[0]
        and facts['std'] is None
        and facts['value'] == seeds[0]['value']
    )


def _seed(seed: Facts, cell: Facts, network: Network) -> _Node:
    head = seed_title(seed)
    if 'measured' not in seed:
        return _Node(head, [])
    known = [run for run in seed['runs'] if 'job_type' in run]
    of_runs = [list(_run_facts(run, cell, network)) for run in known]
    own = [*chain.from_iterable(map(_run_entries, seed['runs'])), *_files(seed['measured'])]
    told = _told([run['job_type'] for run in known], of_runs)
    node = _Node(head, _known(own), _known([*_measured_facts(seed), *told]))
    node.results = int(bool(node.own or node.facts))
    return node


def _known(found: Iterable[_Entry]) -> list[_Entry]:
    """Entries that say something, each once."""
    return [entry for entry in dict.fromkeys(found) if entry.text]


def _run_entries(run: Facts) -> Iterator[_Entry]:
    """What is said of every run: where it is and when it was, and all that went wrong."""
    if 'job_type' not in run:
        yield _Entry('run', unknown_run(run))
        return
    attempts = run['attempts']
    state = '' if run['state'] == 'finished' else run['state']
    date = moment(attempts[0]['start']) if len(attempts) == 1 else ''
    name = '' if run['folder'] else f'{run["uid"]}, in '
    words = filter(None, (f'{name}{run_place(run)}', state, date))
    yield _Entry(run['job_type'], ', '.join(words))
    yield _Entry('error', run['last_error'])
    for text in run['conflicts']:
        yield _Entry('conflict', text)
    if len(attempts) > 1:
        for item in attempts:
            yield _Entry('attempt', attempt_words(item))


def _files(measured: Facts) -> Iterator[_Entry]:
    """Files that a result names: those that are as they were by their names alone."""
    files = {name: measured.get(name) or {} for name in ('checkpoint', 'predictions')}
    same = [facts['path'] for facts in files.values() if facts.get('file') == 'verified']
    yield _Entry('verified', ', '.join(same))
    for name, facts in files.items():
        if facts.get('file') != 'verified':
            yield _Entry(name, file_words(facts))


def _measured_facts(seed: Facts) -> Iterator[_Entry]:
    measured = seed['measured']
    yield _Entry('imported', imported(seed))
    for text in place_words(measured):
        yield _Entry('measured', text)
    yield _Entry('samples', '' if seed['samples'] is None else str(seed['samples']))
    yield _Entry('test data', digest_words(seed))
    for text in protocol_words(measured):
        yield _Entry('protocol', text)


def _told(kinds: Sequence[str], of_runs: Sequence[list[_Entry]]) -> Iterator[_Entry]:
    """What the runs of a seed tell; where it does not hold of all of them, of which it does."""
    for entry in dict.fromkeys(chain.from_iterable(of_runs)):
        holds = [entry in told for told in of_runs]
        if all(holds) or _is_left_out(entry, of_runs):
            yield entry
        else:
            which = ', '.join(kind for kind, is_so in zip(kinds, holds, strict=True) if is_so)
            yield entry._replace(text=f'{which}: {entry.text}')


def _is_left_out(entry: _Entry, of_runs: Sequence[list[_Entry]]) -> bool:
    """Whether it is a list of data that the other runs do not name: a test reads its own alone."""
    others = chain.from_iterable(told for told in of_runs if entry not in told)
    return bool(entry.split) and all(other.split != entry.split for other in others)


def _run_facts(run: Facts, cell: Facts, network: Network) -> Iterator[_Entry]:
    """What is known of a run, but for what is said of each."""
    config = cell.get('config')
    if config is None:
        yield _Entry('called', run['name'])
    else:
        other = f'{run["config_hash"]}, not as in the tree, which has {config["hash"]}'
        yield _Entry('config hash', 'as in the tree' if is_of_tree(run, config) else other)
        for text in override_words(run):
            yield _Entry('overrides', text)
    yield _Entry('told by', ', '.join(tellers(run['uid'], run['sources'])))
    if len(run['attempts']) == 1:
        yield _Entry('attempt', _undated(run['attempts'][0], run['git']))
    yield from _code(run, network(cell['row'], run))
    if config is not None and not run['code']['files']:
        yield _Entry('network files', 'the run records none')
    for text in environment_words(run):
        yield _Entry('environment', text)
    for text in start_words(run):
        yield _Entry('started from', text)
    for split, facts in run['data'].items():
        yield _list(split, facts)
    yield from _config_files(run['config_files'])


def _undated(attempt: Facts, git: Facts) -> str:
    """An attempt without its date, and without the commit where that is the run's."""
    commit = None if attempt['commit'] == git.get('commit') else attempt['commit']
    return attempt_words(dict(attempt, start=None, commit=commit))


def _code(run: Facts, network: Facts) -> Iterator[_Entry]:
    """The commit, and the files of the network that are not as in the tree; others are counted."""
    changed = network['changed']
    others = len(run['code']['changed']) - len(changed)
    commit = str(run['git'].get('commit') or '')[:_COMMIT_DIGITS]
    words = [git_words(dict(run['git'], commit=commit))]
    words += [f'{others} other source files changed since'] * bool(others)
    yield _Entry('code', '; '.join(filter(None, words)))
    if run['code']['files']:
        names = ', '.join(map(source_words, changed))
        yield _Entry('network files', names or 'as in the tree')
    if changed:
        yield _Entry('network then', f'sha256 {network["digest"]} of the files that differ')


def _list(split: str, facts: Facts) -> _Entry:
    if facts['list'] != 'same':
        return _Entry('data', f'{split}: {list_words(facts)}', split)
    text = f'{split} {facts.get("ann_file")} ({facts.get("num_samples")} samples)'
    return _Entry('same lists', text, split)


def _config_files(files: Sequence[Facts]) -> Iterator[_Entry]:
    """Those that are not as in the tree, and how many are."""
    same = sum(item['tree'] == 'same' for item in files)
    if any(item['tree'] == 'only' for item in files):
        yield _Entry('config files', 'the run records none')
        return
    for item in files:
        if item['tree'] != 'same':
            yield _Entry('config file', config_file_words(item))
    if same:
        yield _Entry('config files', f'{same} as in the tree')


def _lines(node: _Node, said: frozenset[_Entry] = frozenset(), level: int = 0) -> list[str]:
    """A node as text, without what is said already."""
    facts = [entry for entry in node.facts if entry not in said]
    lines = fold(node.head, INDENT * level, INDENT * (level + 1))
    lines += entries(_by_name(node.own + facts), level + 1, margin=0)
    said = said.union(facts)
    shared = [entry for entry in node.common_below if entry not in said]
    if node.results > 1 and shared:
        head = f'The {node.results} results below have in common:'
        lines += ['', INDENT * (level + 1) + head]
        lines += entries(_by_name(shared), level + 2, margin=0)
        said = said.union(shared)
    was_short = False
    for each in node.nodes:
        found = _lines(each, said, level + 1)
        is_short = len(found) == 1
        lines += found if is_short and was_short else ['', *found]
        was_short = is_short
    return lines


def _by_name(found: Iterable[_Entry]) -> Iterator[tuple[str, str]]:
    """Names and texts of entries, those of one name together or in one line."""
    texts: dict[str, list[str]] = {}
    for entry in found:
        texts.setdefault(entry.name, []).append(entry.text)
    for name, of_name in texts.items():
        for text in [', '.join(of_name)] if name in _IN_ONE_LINE else of_name:
            yield name, text
