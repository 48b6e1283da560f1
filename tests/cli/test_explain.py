import hashlib
import json
import shutil

import pytest

from mmaction_ext.tables import build_table, load_spec, locked_table
from mmaction_ext.tables.lock import lock_text
from mmaction_ext.tables.run_summary import summaries, summaries_text
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.facts import source_digests
from mmaction_ext.tracking.ledger.forms import SnapshotFile
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.snapshots import SCHEMA, write_snapshot


def explained(command, *argv):
    """Exit code and explanation."""
    code, out, err = command('explain', 'demo', *argv, '--json')
    assert not err
    return code, json.loads(out)


def flat(out):
    """A text whose lines are put together again."""
    return ' '.join(out.split())


@pytest.fixture
def trained(project):
    """Both rows under both seeds; full is better by 5 and 7 points."""
    for row, seed, top1 in (
        ('base', 0, 0.7),
        ('base', 1, 0.72),
        ('full', 0, 0.75),
        ('full', 1, 0.79),
    ):
        project.train(row, seed, top1)
    return project


def test_a_measured_number_down_to_its_runs(trained, command):
    code, facts = explained(command, 'full', 'top1')
    assert code == 0
    assert (facts['text'], facts['status'], facts['value']) == ('77.0 ± 2.8', 'ok', 77.0)
    assert facts['std'] == pytest.approx(8**0.5)
    assert (
        facts['formula']
        == 'mean and standard deviation (n-1) of test/acc/top1 x 100 over seeds 0, 1'
    )
    first, second = facts['seeds']
    assert [(seed['seed'], seed['value'], seed['logged']) for seed in (first, second)] == [
        (0, 75.0, 0.75),
        (1, 79.0, 0.79),
    ]
    folder = trained.folder('full', 1)
    digest = hashlib.sha256((folder / 'epoch_2.pth').read_bytes()).hexdigest()
    measured = second['measured']
    assert measured['checkpoint'] == dict(path='epoch_2.pth', sha256=digest, file='verified')
    assert measured['predictions']['file'] == 'verified'
    assert (measured['attempt'], measured['iter'], measured['epoch']) == (1, 8, 2)
    assert (second['samples'], second['data_digest']) == (240, 'f00d')
    [run] = second['runs']
    identity = trained.identity('full', 1)
    assert (run['uid'], run['config_hash']) == (identity.uid, identity.config_hash)
    assert facts['config']['hash'] == identity.config_hash
    assert run['git'] == dict(commit='c0ffee', dirty=True, diff_sha256='d1ff')
    assert run['env'] == dict(python='3.11', torch='2.11')
    assert run['sources'] == ['ledger'] and run['overrides'] == {}
    assert [(item['path'], item['tree']) for item in run['config_files']] == [
        ('configs/demo/full.py', 'same'),
        ('configs/demo/common.py', 'same'),
    ]


def test_the_same_as_text_with_all_that_is_known(trained, command):
    code, out, _ = command('explain', 'demo', 'full', 'top1', '--seed', '1', '--all')
    assert code == 0 and max(map(len, out.splitlines())) <= 100
    text = flat(out)
    assert text.startswith('demo / full / top1 (Top-1): 77.0 ± 2.8 status ok')
    for part in (
        'seed 1: 79.0 (test/acc/top1 0.79)',
        'checkpoint epoch_2.pth verified sha256 ',
        'predictions predictions.npz verified sha256 ',
        'test data digest f00d',
        f'run {trained.identity("full", 1).uid}, train, finished, in ',
        'code commit c0ffee, with changes (sha256 of the diff d1ff)',
        'config file configs/demo/common.py (same in the tree) sha256 ',
        'data train: train.txt, 16 samples, sha256 abc',
        'told by ledger',
        'environment python 3.11, torch 2.11',
        'overrides none',
    ):
        assert part in text
    assert 'seed 0:' not in text


def test_in_short_what_seeds_share_is_said_once(trained, command):
    code, out, _ = command('explain', 'demo', 'full', 'top1')
    assert (
        code == 0
        and out
        == f"""\
demo / full / top1 (Top-1): 77.0 ± 2.8
  status        ok
  formula       mean and standard deviation (n-1) of test/acc/top1 x 100 over seeds 0, 1
  of            the last checkpoint of each run
  value         77.0, standard deviation 2.8284271247461903
  config        configs/demo/full.py, hash {trained.identity('full', 0).config_hash} in the tree

  The 2 results below have in common:
    measured      attempt 1, iter 8, epoch 2
    samples       240
    test data     digest f00d
    protocol      split test, num_clips 1
    config hash   as in the tree
    overrides     none
    told by       ledger
    attempt       1, on {process.host()}, exit code 0, to iteration 8
    code          commit c0ffee, with changes (sha256 of the diff d1ff)
    network files the run records none
    environment   python 3.11, torch 2.11
    data          train: train.txt, 16 samples, sha256 abc (differs)
    config files  2 as in the tree

  seed 0: 75.0 (test/acc/top1 0.75)
    train         demo/full/seed0, 2023-11-14 22:13:20 UTC
    verified      epoch_2.pth, predictions.npz

  seed 1: 79.0 (test/acc/top1 0.79)
    train         demo/full/seed1, 2023-11-14 22:13:20 UTC
    verified      epoch_2.pth, predictions.npz
"""
    )


@pytest.mark.parametrize(
    ('change', 'state', 'code'),
    [
        (lambda path: path.unlink(), 'gone', 0),
        (lambda path: path.write_bytes(b'other'), 'differs', 1),
    ],
)
def test_files_are_hashed_again(trained, command, change, state, code):
    change(trained.folder('full', 0) / 'epoch_2.pth')
    found, facts = explained(command, 'full', 'top1', '--seed', '0')
    assert facts['seeds'][0]['measured']['checkpoint']['file'] == state
    assert found == code


def test_folder_of_another_run_in_another_place_is_not_its_own(trained, command):
    trained.folder('base', 0).rename(trained.root / 'moved')
    elsewhere = trained.root / 'archive/demo/full/seed0'
    shutil.copytree(trained.root / 'moved', elsewhere)
    code, facts = explained(
        command, 'full', 'top1', '--seed', '0', '--runs', 'archive', 'work_dirs'
    )
    measured = facts['seeds'][0]['measured']
    assert (code, measured['checkpoint']['file'], measured['predictions']['file']) == (
        0,
        'verified',
        'verified',
    )
    code, facts = explained(
        command, 'base', 'top1', '--seed', '0', '--runs', 'work_dirs', 'archive'
    )
    assert facts['seeds'][0]['measured']['checkpoint']['file'] == 'verified'


def test_damaged_copy_of_an_online_run_is_not_trusted(project, command):
    identity = project.identity('full', 0)
    path = project.runs / '.online/lab/p/u1-train.json'
    write_snapshot(
        path,
        SnapshotFile(
            schema=SCHEMA,
            uid='u1',
            state='finished',
            imported=True,
            config=dict(
                identity=dict(config=identity.config, seed=0, config_hash=identity.config_hash)
            ),
            rows=[{'iter': 8, 'epoch': 2, 'test/acc/top1': 0.75}],
        ),
    )
    _, facts = explained(command, 'full', 'top1')
    assert (facts['value'], facts['seeds'][0]['runs'][0]['uid']) == (75.0, 'lab/p/u1')
    path.write_bytes(path.read_bytes().replace(b'0.75', b'0.95'))
    code, facts = explained(command, 'full', 'top1')
    assert (code, facts['value'], facts['seeds'][0]['status']) == (1, None, 'untrusted')


def test_a_config_file_that_changed_without_effect_shows(trained, command):
    trained.write(
        'configs/demo/common.py',
        '# a comment\n' + (trained.root / 'configs/demo/common.py').read_text(),
    )
    _, facts = explained(command, 'full', 'top1', '--seed', '0')
    [run] = facts['seeds'][0]['runs']
    assert [item['tree'] for item in run['config_files']] == ['same', 'differs']


def test_source_files_that_changed_show(project, command):
    tree = source_digests()
    names = sorted(name for name in tree if name.startswith('mmaction_ext/cli/'))[:6]
    block = 'mmaction_ext/modules/kpsem.py'
    recorded = {**tree, **dict.fromkeys([*names, block, 'mmaction_ext/ops/gone.py'], 'f' * 64)}
    del recorded['mmaction_ext/errors.py']
    project.train('full', 0, sources=recorded)
    project.train('full', 1, sources=tree)
    _, facts = explained(command, 'full', 'top1')
    first, second = (seed['runs'][0]['code'] for seed in facts['seeds'])
    assert second == dict(files=len(tree), changed=[])
    assert first['files'] == len(recorded)
    assert [(item['path'], item['tree']) for item in first['changed']] == [
        (block, 'differs'),
        ('mmaction_ext/ops/gone.py', 'gone'),
        *((name, 'differs') for name in names),
        ('mmaction_ext/errors.py', 'new'),
    ]
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--all')
    text = flat(out)
    assert f'source files {block} (differs from the tree)' in text
    assert 'source files mmaction_ext/ops/gone.py (no longer in the tree)' in text
    assert 'source files and 4 more that changed since' in text
    assert f'source files {len(tree)}, all as in the tree' in text
    assert text.count('mmaction_ext/cli/') == 3


def test_lists_of_data_are_hashed_again(project, command):
    path = project.root / 'train.txt'
    digest = hashlib.sha256(path.read_bytes() * 2).hexdigest()
    data = {
        split: dict(ann_file=name, ann_sha256=digest, num_samples=32)
        for split, name in (('train', 'train.txt,train.txt'), ('test', 'gone.txt'))
    }
    project.train('full', 0, data=dict(data, val={}))
    _, facts = explained(command, 'full', 'top1', '--seed', '0')
    [run] = facts['seeds'][0]['runs']
    assert {split: item['list'] for split, item in run['data'].items()} == dict(
        train='same', val='unknown', test='gone'
    )
    path.write_text('another.mp4 0\n')
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--seed', '0')
    assert f'train: train.txt,train.txt, 32 samples, sha256 {digest} (differs)' in flat(out)


def test_what_there_is_to_explain(trained, command):
    assert command('explain', 'demo') == (
        0,
        """\
demo: A demo

row    label
base   base
full   Full
other  Other
both   Both

column  head
big     Big
params  Params
paper   Paper
top1    Top-1
delta   Delta
gap     Gap
""",
        '',
    )
    code, out, _ = command('explain', 'demo', 'full')
    assert code == 0 and out.endswith("""
column  head    in row full
big     Big     ✓
params  Params  1.50
paper   Paper   75.5
top1    Top-1   77.0 ± 2.8
delta   Delta   +6.0 ± 1.4
gap     Gap     +1.5 ± 2.8
""")
    facts = json.loads(command('explain', 'demo', 'full', '--json')[1])
    assert facts['rows'][1] == dict(id='full', label='Full', folds=[])
    assert facts['columns'][3] == dict(key='top1', head='Top-1', text='77.0 ± 2.8')
    shutil.rmtree(trained.runs)
    assert json.loads(command('explain', 'demo', '--json')[1])['columns'][3] == dict(
        key='top1', head='Top-1'
    )


def test_a_row_that_is_none_is_told_from_those_there_are(project, command):
    for words in (['ful'], ['ful', 'top1']):
        code, out, err = command('explain', 'demo', *words)
        assert code == 2 and not out
        assert "has no row 'ful'; it has base, full, other, both; did you mean full?" in err


def test_a_signal_is_the_last_error(project, command):
    project.train('full', 0, exit_code=143, signal='SIGTERM', last=3)
    _, facts = explained(command, 'full', 'top1', '--seed', '0')
    assert facts['seeds'][0]['runs'][0]['last_error'] == 'ended by SIGTERM'


def test_a_run_that_tells_less(project, command):
    """Neither config files nor the checkpoint's name: as a W&B log alone tells it."""
    folder = project.train('full', 0, config_files={})
    project.change(folder, 'results/1-8.json', checkpoint=None)
    _, facts = explained(command, 'full', 'top1', '--seed', '0')
    [seed] = facts['seeds']
    assert seed['measured']['checkpoint']['path'] == 'epoch_2.pth'
    assert seed['measured']['checkpoint']['file'] == 'verified'
    assert [(item['path'], item['tree']) for item in seed['runs'][0]['config_files']] == [
        ('configs/demo/full.py', 'only'),
        ('configs/demo/common.py', 'only'),
    ]


def test_a_difference_has_both_sides(trained, command):
    code, facts = explained(command, 'full', 'delta')
    assert (code, facts['text'], facts['value']) == (0, '+6.0 ± 1.4', 6.0)
    assert facts['formula'] == 'top1 of full - top1 of base, paired by seed, taken before rounding'
    assert [seed['value'] for seed in facts['seeds']] == [5.0, 7.0]
    assert [(part['row'], part['value']) for part in facts['parts']] == [
        ('full', 77.0),
        ('base', 71.0),
    ]
    assert facts['parts'][1]['seeds'][0]['measured']['checkpoint']['file'] == 'verified'
    _, facts = explained(command, 'base', 'delta')
    assert facts['why'] == 'the reference row has no difference to itself'


def test_a_difference_of_means_is_not_called_paired(project, command):
    """Seed 1 alone is shared; (75 + 79) / 2 - (70 + 72) / 2."""
    for row, seed, top1 in (
        ('base', 0, 0.7),
        ('base', 1, 0.72),
        ('full', 1, 0.75),
        ('full', 2, 0.79),
    ):
        project.train(row, seed, top1)
    table = project.root / 'configs/demo/table.yaml'
    table.write_text(table.read_text().replace('seeds: [0, 1]', 'seeds: [0, 1, 2]'))
    _, facts = explained(command, 'full', 'delta')
    assert (facts['text'], facts['value']) == ('+6.0 (1/3 paired)', 6.0)
    assert facts['formula'] == 'top1 of full - top1 of base, of the means, taken before rounding'
    assert facts['seeds'] == []  # what the one pair differs by is not what the cell is made of
    assert [[seed['value'] for seed in part['seeds']] for part in facts['parts']] == [
        [None, 75.0, 79.0],
        [70.0, 72.0, None],
    ]


def test_a_difference_to_a_published_figure(trained, command):
    code, facts = explained(command, 'full', 'gap')
    assert (code, facts['value'], facts['figure']) == (0, 1.5, 75.5)
    assert 'A Paper, Table 7' in facts['citation']
    trained.train('full', 1, 0.99)
    code, facts = explained(command, 'full', 'gap')
    assert (code, facts['status']) == (1, 'out of tolerance')


def test_published_static_marks_and_means(trained, command):
    _, facts = explained(command, 'full', 'paper')
    assert (facts['value'], facts['figure'], facts['entry']) == (75.5, 75.5, 'paper.full')
    assert 'A Paper, Table 7' in facts['citation']
    _, facts = explained(command, 'full', 'params')
    assert facts['value'] == 1.5 and facts['formula'] == 'static.params x 1e-06'
    assert trained.identity('full', 0).uid in facts['source']
    _, facts = explained(command, 'full', 'big')
    assert facts['text'] == '✓' and 'table.yaml' in facts['formula']
    _, facts = explained(command, 'both', 'top1')
    assert facts['value'] == 74.0
    assert [part['row'] for part in facts['parts']] == ['base', 'full']
    code, facts = explained(command, 'other', 'top1')
    assert code == 0 and facts['why'] == 'published figures only: nobody has its code'


def test_a_static_figure_of_a_row_that_never_ran(project, command):
    project.complexity(full=3000)
    code, facts = explained(command, 'full', 'params')
    assert code == 0 and 'complexity.csv' in facts['source']
    code, facts = explained(command, 'base', 'params')
    assert code == 1 and 'no line of complexity.csv' in facts['why']


def test_a_cell_without_its_number_says_why(project, command):
    project.train('full', 0, exit_code=1, last=3, last_error='ValueError: no such crop')
    code, facts = explained(command, 'full', 'top1')
    assert code == 1 and facts['status'] == 'failed'
    assert [(seed['status'], seed['reason']) for seed in facts['seeds']] == [
        ('failed', 'ended with exit code 1: ValueError: no such crop'),
        ('missing', 'no run'),
    ]
    [run] = facts['seeds'][0]['runs']
    assert run['last_error'] == 'ValueError: no such crop'
    assert [(item['exit_code'], item['last_iter']) for item in run['attempts']] == [(1, 3)]


def test_a_stale_run_is_told_from_the_tree(trained, command):
    old = trained.identity('full', 0).config_hash
    trained.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=32)\n")
    code, facts = explained(command, 'full', 'top1', '--seed', '0')
    assert code == 1 and facts['status'] == 'stale'
    [run] = facts['seeds'][0]['runs']
    assert run['config_hash'] == old != facts['config']['hash']
    assert [item['tree'] for item in run['config_files']] == ['differs', 'same']
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--seed', '0')
    new = facts['config']['hash']
    assert f'config hash {old}, not as in the tree, which has {new}' in flat(out)
    assert 'config files 1 as in the tree' in flat(out)
    assert 'config file configs/demo/full.py (differs from the tree) sha256 ' in flat(out)
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--seed', '0', '--all')
    assert f'config hash {old}, not as in the tree overrides' in flat(out)


def test_from_the_lock_alone(trained, command, monkeypatch):
    spec = load_spec(trained.table)
    table = build_table(spec, find_runs(trained.runs))
    (trained.root / 'reports').mkdir()
    trained.write('reports/table.lock.json', lock_text({'demo': locked_table(table, spec)}))
    trained.runs.rename(trained.root / 'elsewhere')
    code, facts = explained(command, 'full', 'top1', '--locked')
    assert (code, facts['value']) == (0, 77.0)
    seed = facts['seeds'][1]
    assert (seed['logged'], seed['measured']['iter']) == (0.79, 8)
    assert seed['measured']['checkpoint']['file'] == 'gone'
    assert [run['uid'] for run in seed['runs']] == [trained.identity('full', 1).uid]
    code, out, _ = command('explain', 'demo', 'full', 'delta', '--locked')
    assert code == 0 and '+6.0 ± 1.4' in out
    assert 'commit' not in out
    kept = summaries(find_runs(trained.root / 'elsewhere'), [table])
    trained.write('reports/runs.lock.json', summaries_text(kept))
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--locked')
    for run in kept:
        is_named = f'{run.uid} (not in the folders of runs), {run.job_type}, 20' in flat(out)
        assert is_named == (run.config == 'demo/full')
    assert flat(out).count('commit c0ffee, with changes') == len(kept) / 2


def test_an_imported_number_has_no_run(project, command):
    path = project.write('numbers.csv', 'config,seed,test/acc/top1\ndemo/full,0,0.81\n')
    code, facts = explained(command, 'full', 'top1', '--runs', path, '--seed', '0')
    assert code == 1 and facts['status'] == 'imported'
    [seed] = facts['seeds']
    assert (seed['value'], seed['imported'], seed['runs']) == (81.0, True, [])
    _, out, _ = command('explain', 'demo', 'full', 'top1', '--runs', path)
    assert 'from numbers.csv:2: no run is behind it' in out


def test_names_cannot_paint_the_terminal(project, command, markup):
    project.train(
        'full',
        0,
        exit_code=1,
        last_error=markup,
        env=dict(host=markup),
        overrides={markup: markup},
    )
    for words in (['full', 'top1'], ['full', 'delta'], ['full', 'top1', '--all']):
        _, out, _ = command('explain', 'demo', *words)
        assert 'red <script>alert(1)</script> next' in flat(out)
        assert not {'\x1b', '\x07', '\u202e'} & set(out)
