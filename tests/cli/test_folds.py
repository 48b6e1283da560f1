"""Two rows over three folds under two seeds, from the ledgers of their runs to every command."""

import json

import pytest

from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tracking.reading.find import find_runs

TABLE = """
id: demo
caption: A demo
seeds: [0, 1]
folds: [1, 2, 3]
columns:
  - {key: params, head: Params, from: static.params, scale: 1.0e-6, fmt: .2f}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, best: max}
  - {key: delta, head: Delta, from: top1, relative_to: reference, fmt: +.1f}
rows:
  - {id: base, config: base.py, reference: true}
  - {id: full, label: Full, config: full.py}
"""
#: by row, then seed, the accuracy in each fold
TOP1 = {'base': ((0.25, 0.5, 0.75), (0.3, 0.5, 0.7)), 'full': ((0.5, 0.5, 0.8), (0.6, 0.6, 0.9))}


@pytest.fixture
def folded(project):
    """All runs but the last fold of ``full`` under seed 1."""
    config = project.config('base')
    config.write_text("folds = (1, 2, 3)\nlists = 'test_{fold}.txt'\n" + config.read_text())
    text = project.config('full').read_text()
    project.config('full').write_text(text.replace('common.py', 'base.py'))
    project.table.write_text(TABLE)
    for row, seeds in TOP1.items():
        for seed, folds in enumerate(seeds):
            for fold, top1 in enumerate(folds, 1):
                if (row, seed, fold) != ('full', 1, 3):
                    project.train(f'{row}_fold{fold}', seed, top1)
    return project


def test_table_of_all_runs(folded):
    """base: 50 and 50; full: 60 and 70; differences 10 and 20."""
    folded.train('full_fold3', 1, 0.9)
    table = build_table(load_spec(folded.table), find_runs(folded.runs))
    assert [[cell.text for cell in row.cells] for row in table.body] == [
        ['1.50', '50.0 ± 0.0', '–'],
        ['1.50', '65.0 ± 7.1', '+15.0 ± 7.1'],
    ]
    assert table.is_complete


def test_commands_name_the_fold_that_is_lacking(folded, command):
    code, out, _ = command('plan', 'demo')
    assert code == 1 and 'demo: 11 of 12 done' in out
    assert 'train configs/demo/full.py --fold 3 --seed 1 --resume' in out
    code, out, _ = command('status', 'demo')
    assert 'full_fold3' in out and '1 missing' in out
    code, out, _ = command('explain', 'demo', 'full', 'top1', '--json')
    facts = json.loads(out)
    assert facts['text'] == '60.0 (1/2)'
    assert facts['note'] == 'seed 1 missing: of “Full, fold 3”: no run'
    assert [part['row'] for part in facts['parts']] == ['full_fold1', 'full_fold2', 'full_fold3']
    assert facts['parts'][0]['seeds'][0]['runs'][0]['config'] == 'demo/full_fold1'
    code, out, _ = command('explain', 'demo', 'full_fold2', 'delta')
    assert code == 0 and 'top1 of full_fold2 - top1 of base_fold2, paired by seed' in out
    code, out, _ = command('launch', folded.table, '--dry-run', '--rows', 'full')
    assert '\n  full_fold3  1 ' in out and '1 runs to train' in out
    code, out, _ = command('doctor')
    assert '0 errors' in out and 'stale' not in out


def test_folds_are_explained_together(folded, command):
    """Under one seed: in one of them on another machine, with another list."""
    table = folded.table.read_text()
    folded.table.write_text(table.replace('seeds: [0, 1]', 'seeds: [0]'))
    other = dict(ann_file='other.txt', ann_sha256='abd', num_samples=15)
    folded.train('full_fold2', 0, 0.5, env=dict(python='3.12'), data=dict(train=other))
    out = command('explain', 'demo', 'full', 'top1')[1]
    head, common, *parts = out.strip().split('\n\n')
    assert head.endswith('folds         1: 50.0, 2: 50.0, 3: 80.0')
    assert common.startswith('  The 3 results below have in common:\n    of            the last')
    assert 'config        configs/demo/full.py' in common and 'environment' not in common
    heads = [part.partition('\n')[0] for part in parts]
    assert heads == [
        f'  full_fold{fold}, seed 0: {top1} (test/acc/top1 {top1 / 100})'
        for fold, top1 in ((1, 50.0), (2, 50.0), (3, 80.0))
    ]
    first, second, third = ([line.strip() for line in part.split('\n')[3:]] for part in parts)
    assert (
        first
        == third
        == [
            'environment   python 3.11, torch 2.11',
            'data          train: train.txt, 16 samples, sha256 abc (differs)',
        ]
    )
    assert second == [
        'environment   python 3.12',
        'data          train: other.txt, 15 samples, sha256 abd (gone)',
    ]
    out = command('explain', 'demo')[1]
    assert 'Rows of single folds, such as base_fold1, base_fold2, base_fold3, are explained' in out


def test_page_and_lock_hold_every_fold(folded, command):
    command('tables', 'demo')
    assert 'demo/full_fold2' in (folded.root / 'reports/table.lock.json').read_text()
    assert command('report', '-o', 'page.html')[0] == 0
    page = (folded.root / 'page.html').read_text()
    assert '<td>2, 1</td>' in page
    for row in folded.runs.glob('demo/*'):
        assert f'demo/{row.name}' in page.replace('<wbr>', '')


def test_a_column_of_one_fold_is_explained_and_on_the_page(folded, command):
    column = '  - {key: third, head: Third, from: test/acc/top1, scale: 100, fold: 3}\n'
    folded.table.write_text(TABLE.replace('rows:\n', f'{column}rows:\n'))
    facts = json.loads(command('explain', 'demo', 'full', 'third', '--json')[1])
    assert facts['text'] == '80.0 (1/2)'
    assert [(part['row'], part['text']) for part in facts['parts']] == [
        ('full_fold3', '80.0 (1/2)')
    ]
    assert facts['formula'].endswith(', of the row full_fold3')
    assert command('report', '-o', 'page.html')[0] == 0
    page = (folded.root / 'page.html').read_text()
    lines = [
        line for line in page.split('<tr>') if '<td>2, 1</td>' in line or '<td>3, 0</td>' in line
    ]
    assert ['n/a' in line for line in lines] == [True, False, True, False]
