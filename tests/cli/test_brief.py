"""An explanation in short hides no difference: what is not the same for all stands with each."""

import copy
import functools
import json
import operator
import re
from collections import Counter

import pytest

from mmaction_ext.cli.brief import describe_briefly
from mmaction_ext.cli.explanation import describe
from mmaction_ext.cli.provenance import Explainer
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tracking.ledger.facts import config_digests, source_digests
from mmaction_ext.tracking.reading.find import find_runs

COMMON = 'The 2 results below have in common:'
BLOCK = 'mmaction_ext/modules/kpsem.py'


def blocks(out):
    """What stands under each head (a result, or what results have in common), in one line each."""
    parts = (part.strip().partition('\n') for part in out.strip().split('\n\n'))
    return {
        head.partition(':')[0] if head.startswith('seed ') else head: ' '.join(rest.split())
        for head, _, rest in parts
    }


def seeds(command, *argv):
    """What the two seeds of a cell have in common, and what each has of its own."""
    out = command('explain', 'demo', 'full', 'top1', *argv)[1]
    found = blocks(out)
    return found[COMMON], found['seed 0'], found['seed 1']


def other_file(project):
    """The config files of a run, one of them as it is no longer."""
    return config_digests(project.config('full')) | {'configs/demo/common.py': 'f' * 64}


#: what the run of seed 1 says otherwise; what is then told of seed 0, and what of seed 1
DIFFERENCES = {
    'environment': (
        dict(env=dict(python='3.12', torch='2.11')),
        'environment python 3.11',
        'environment python 3.12',
    ),
    'machine': (dict(env=dict(python='3.11')), 'environment torch 2.11', ''),
    'commit': (
        dict(git=dict(commit='beef' * 10, dirty=True, diff_sha256='d1ff')),
        'code commit c0ffee, with changes (sha256 of the diff d1ff)',
        'code commit beefbeefbeef, with changes (sha256 of the diff d1ff)',
    ),
    'changes': (
        dict(git=dict(commit='c0ffee', dirty=True, diff_sha256='d0ff')),
        'sha256 of the diff d1ff',
        'sha256 of the diff d0ff',
    ),
    'list': (
        dict(data=dict(train=dict(ann_file='train.txt', ann_sha256='abd', num_samples=16))),
        'data train: train.txt, 16 samples, sha256 abc (differs)',
        'data train: train.txt, 16 samples, sha256 abd (differs)',
    ),
    'weights': (
        dict(initial_checkpoint=dict(path='start.pth', sha256='5a')),
        '',
        'started from start.pth sha256 5a',
    ),
    'weights of a part': (
        dict(initial_weights=[dict(part='backbone', path='host.pth', sha256='5b')]),
        '',
        'started from host.pth sha256 5b (backbone)',
    ),
    'overrides': (dict(overrides={'lr': 2}), 'overrides none', 'overrides lr=2'),
}


@pytest.mark.parametrize('name', DIFFERENCES)
def test_what_runs_say_otherwise_stands_with_each_of_them(project, command, name):
    facts, of_first, of_second = DIFFERENCES[name]
    project.train('full', 0)
    project.train('full', 1, **facts)
    common, first, second = seeds(command)
    for text in filter(None, (of_first, of_second)):
        assert text not in common
    assert of_first in first and of_second in second
    assert 'told by ledger' in common and 'told by' not in first + second


def test_config_files_of_other_content(project, command):
    project.train('full', 0)
    project.train('full', 1, config_files=other_file(project))
    common, first, second = seeds(command)
    assert 'config files' not in common and 'config files 2 as in the tree' in first
    differs = f'config file configs/demo/common.py (differs from the tree) sha256 {"f" * 64}'
    assert f'{differs} config files 1 as in the tree' in second


def test_tests_by_another_protocol(project, command):
    for seed in (0, 1):
        project.train('full', seed)
    protocol = dict(split='test', num_clips=2)
    project.change(project.folder('full', 1), 'results/1-8.json', protocol=protocol)
    common, first, second = seeds(command)
    assert 'protocol split test' in common and 'num_clips' not in common
    assert 'protocol num_clips 1' in first and 'protocol num_clips 2' in second


@pytest.mark.parametrize('name', ['epoch_2.pth', 'predictions.npz'])
def test_a_file_that_is_not_as_it_was_is_named_with_its_digest(project, command, name):
    for seed in (0, 1):
        project.train('full', seed)
    kind = 'checkpoint' if name.endswith('.pth') else 'predictions'
    facts = json.loads((project.folder('full', 1) / 'results/1-8.json').read_text())
    (project.folder('full', 1) / name).write_bytes(b'other')
    _, first, second = seeds(command)
    assert 'verified epoch_2.pth, predictions.npz' in first
    assert f'{kind} {name} differs sha256 {facts[kind]["sha256"]}' in second
    assert 'verified' in second and f'verified {name}' not in second


def test_attempts_of_which_one_failed_are_all_told(project, command):
    folder = project.train('full', 1)
    project.train('full', 0)
    [attempt] = json.loads((folder / 'run.json').read_text())['attempts']
    failed = dict(attempt, exit_code=1, last_error='ValueError: no such crop', commit='beef')
    later = dict(attempt, number=2, start=1.8e9, resumed_from_iter=4)
    project.change(folder, attempts=[failed, later])
    common, first, second = seeds(command)
    assert 'attempt 1, on ' not in common and 'attempt 1, on ' in first
    assert 'attempt 1, 2023-11-14 22:13:20 UTC, on ' in second
    assert ', exit code 1, ' in second and 'commit beef' in second
    assert 'attempt 2, 2027-01-15 08:00:00 UTC, on ' in second


def test_files_of_the_network_are_named_and_others_counted(project, command):
    project.write(
        'configs/demo/full.py',
        "_base_ = ['common.py']\nmodel = dict(width=16, block=dict(type='KPSEM'))\n",
    )
    tree = source_digests()
    names = sorted(name for name in tree if name.startswith('mmaction_ext/cli/'))[:6]
    others = dict.fromkeys([*names, 'mmaction_ext/modules/tcm.py'], 'f' * 64)
    project.train('full', 0, sources=tree)
    project.train('full', 1, sources={**tree, **others})
    common, first, second = seeds(command)
    assert 'network files as in the tree' in common
    assert 'changed since' not in first and '; 7 other source files changed since' in second

    project.train('full', 1, sources={**tree, **others, BLOCK: 'f' * 64})
    common, first, second = seeds(command)
    assert 'network files' not in common and 'network files as in the tree' in first
    assert f'network files {BLOCK} (differs from the tree) network then sha256 ' in second
    assert '; 7 other source files changed since' in second

    project.train('full', 0, sources={**tree, BLOCK: 'e' * 64})
    common, first, second = seeds(command)
    assert f'network files {BLOCK} (differs from the tree)' in common
    states = [re.search(r'network then sha256 (\w+)', text) for text in (first, second)]
    assert all(states) and states[0][1] != states[1][1], 'it was another file in each'


def test_files_that_the_table_tracks_and_those_of_the_user_are_named(project, command):
    project.write('own.py', 'x = 1\n')
    tree = source_digests(['own.py'])
    project.train('full', 0, sources=tree)
    project.train('full', 1, sources=tree | {'own.py': 'f' * 64, 'mmaction_ext/errors.py': 'f'})
    _, _, second = seeds(command)
    assert 'network files own.py (differs from the tree)' in second and 'errors.py' not in second
    text = project.table.read_text()
    project.table.write_text(text.replace('seeds:', 'code: [mmaction_ext/errors.py]\nseeds:'))
    _, _, second = seeds(command)
    assert 'own.py (differs from the tree), mmaction_ext/errors.py (differs' in second


def test_both_sides_of_a_difference_share_what_they_can(project, command):
    for row, seed in (('base', 0), ('base', 1), ('full', 0), ('full', 1)):
        env = dict(python='3.11', torch='2.12' if row == 'full' else '2.11')
        project.train(row, seed, 0.5 + seed / 10, env=env)
    out = command('explain', 'demo', 'full', 'delta')[1]
    head, common, full, of_full, *_, base, of_base, _, last = out.strip().split('\n\n')
    assert 'seeds         0: 0.0, 1: 0.0' in head
    assert common.startswith('  The 4 results below have in common:')
    assert 'python 3.11' in common and 'torch' not in common
    assert full.startswith('  full / top1 (Top-1): 55.0 ± 7.1\n') and 'demo/full.py' in full
    assert of_full.split('\n')[1:] == ['      environment   torch 2.12']
    assert base.startswith('  base / top1 (Top-1): 55.0 ± 7.1\n') and 'demo/base.py' in base
    assert of_base.split('\n')[1:] == ['      environment   torch 2.11']
    assert last.startswith('    seed 1: 60.0 (test/acc/top1 0.6)\n')
    assert out.count('3.11') == out.count('protocol') == out.count('the last checkpoint') == 1


def test_a_seed_without_a_run_shares_nothing(project, command):
    project.train('full', 0)
    out = command('explain', 'demo', 'full', 'top1')[1]
    assert 'in common' not in out and out.endswith('\n\n  seed 1: no value: missing, no run\n')
    assert 'environment python 3.11, torch 2.11' in blocks(out)['seed 0']


# --- whatever the whole text shows of one seed


@pytest.fixture
def facts(project):
    """Two seeds, each trained and tested apart, with something of every kind."""
    weights = dict(
        initial_checkpoint=dict(path='start.pth', sha256='5a'),
        initial_weights=[dict(part='backbone', path='host.pth', sha256='5b')],
    )
    for seed in (0, 1):
        project.train('full', seed, config_files=other_file(project), **weights)
    spec, records = load_spec(project.table), find_runs(project.runs, cache=False)
    facts = Explainer(spec, build_table(spec, records), records).cell('full', 'top1')
    for seed in facts['seeds']:
        [run] = seed['runs']
        run['code'] = dict(files=2, changed=[dict(path=BLOCK, tree='differs')])
        run['conflicts'] = ['two ledgers']
        seed['runs'] += [dict(copy.deepcopy(run), job_type='test', folder=f'{run["folder"]}/test')]
    return facts


def leaves(node, *where):
    """Paths of keys to all that is in plain data."""
    if not isinstance(node, (dict, list)):
        yield where
    else:
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from leaves(node[key], *where, key)


def with_another(facts, where):
    """The facts with something else in one place."""
    facts = copy.deepcopy(facts)
    node = functools.reduce(operator.getitem, where[:-1], facts)
    value = node[where[-1]]
    if where[-1] == 'tree':
        node['tree'] = 'gone'
    elif isinstance(value, (bool, type(None))):
        node[where[-1]] = 'x' if value is None else not value
    else:
        node[where[-1]] = value + 1 if isinstance(value, (int, float)) else f'{value}x'
    return facts


def is_left_out(facts, where):
    """Whether the short text leaves it out: an id, or which file it is that is as it was."""
    node = functools.reduce(operator.getitem, where[:-1], facts)
    if not isinstance(node, dict):
        return False
    is_same = node.get('file') == 'verified' and where[-1] == 'sha256'
    return where[-1] == 'uid' or is_same or (node.get('tree') == 'same' and where[-1] != 'tree')


@pytest.mark.parametrize('seed', [0, 1])
def test_nothing_that_the_whole_text_shows_is_hidden(facts, seed):
    def network(row, run):
        return dict(run['code'], digest='d')

    def brief(facts):
        return Counter(describe_briefly(facts, network))

    lines, whole = brief(facts), describe(facts)
    shown = [
        where
        for where in leaves(facts['seeds'][seed], 'seeds', seed)
        if describe(with_another(facts, where)) != whole and not is_left_out(facts, where)
    ]
    assert len(shown) > 60
    assert not [where for where in shown if not brief(with_another(facts, where)) - lines]
