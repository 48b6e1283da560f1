"""What `init --from-wandb` makes of runs: keys of rows and seeds, metrics, their good end."""

import re
from itertools import product

import pytest
import yaml
from wandb_logs import write_run

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tables.foreign_runs import with_foreign_runs
from mmaction_ext.tables.proposal import _Metric, propose


def proposed(folder, source='wandb', **options):
    """(what the proposal holds, its text, the table it builds)."""
    text = propose(source, folder, **options)
    (folder / 'table.yaml').write_text(text)
    spec, lines = with_foreign_runs(load_spec(folder / 'table.yaml'))
    return yaml.safe_load(text), text, build_table(spec, spec.foreign), lines


def grid(folder, make, *axes):
    """Runs of every combination; ``make`` gives what of ``write_run``."""
    for start, values in enumerate(product(*axes)):
        write_run(folder / 'wandb', f'r{start}', start=start, **make(start, *values))


def test_method_and_seed(tmp_path):
    """The other settings that vary by method, or by run, are none; nor is training shown."""

    def make(start, method, seed):
        config = dict(method=method, seed=seed, lr=0.1 * len(method), out=f'/tmp/{start}')
        config['model'] = dict(n_params=1_500_000 + len(method))
        rows = [
            {'epoch': e, 'train/acc': 0.9, 'val/acc': 0.5 + seed / 50 + e / 10, 'val/loss': 1.25}
            for e in range(2)
        ]
        return dict(config=config, rows=rows, summary={'_runtime': 5}, tags=['paper'])

    grid(tmp_path, make, ('baseline', 'ours'), range(3))
    found, text, table, lines = proposed(tmp_path)
    assert found['runs'] == dict(source='wandb', row='method', seed='seed')
    assert found['seeds'] == [0, 1, 2] and not lines
    assert found['rows'] == [
        dict(id='baseline', label='baseline', reference=True),
        dict(id='ours', label='ours'),
    ]
    params, acc, delta, loss = found['columns']
    assert (params['from'], params['scale'], params['head']) == (
        'config.model.n_params',
        1e-6,
        'Params (M)',
    )
    assert (acc['from'], acc['best'], acc['scale']) == ('val/acc', 'max', 100)
    assert (delta['from'], delta['relative_to']) == (acc['key'], 'reference')
    assert (loss['from'], loss['best']) == ('val/loss', 'min')
    assert '# select: {policy: best, metric: val/acc, mode: max}' in text
    assert 'train/acc' in text and 'tags there are: paper' in text
    assert table.is_complete and table.body[0].cells[0].text == '1.50'


def test_a_grid_needs_several_keys(tmp_path):
    grid(
        tmp_path,
        lambda start, width, lr, seed: dict(
            config=dict(width=width, opt=dict(lr=lr), random_seed=seed), rows=[{'score': start}]
        ),
        (32, 64),
        (0.1, 0.01),
        (1, 2),
    )
    found, _, table, lines = proposed(tmp_path)
    assert found['runs'] == dict(source='wandb', seed='random_seed')
    assert found['rows'][0] == {
        'id': 'width-32-lr-0.1',
        'label': 'width 32, lr 0.1',
        'wandb': {'width': 32, 'opt.lr': 0.1},
    }
    assert len(table.body) == 4 and table.is_complete and not lines


def test_names_of_runs(tmp_path):
    grid(
        tmp_path,
        lambda start, name, seed: dict(display_name=f'{name}_seed{seed}', rows=[{'acc': 0.5}]),
        ('a b', 'c'),
        range(2),
    )
    found, _, table, _ = proposed(tmp_path)
    assert found['runs'].keys() == {'source', 'name'}
    assert [row.label for row in table.body] == ['a b', 'c'] and table.is_complete


def test_groups(tmp_path):
    """Grouped runs with a seed each, W&B's way to repeat a run."""
    grid(
        tmp_path,
        lambda start, group, seed: dict(
            config=dict(seed=seed), run_group=group, rows=[{'eval/loss': 3.0 + start}]
        ),
        ('x', 'y'),
        range(2),
    )
    found, _, table, _ = proposed(tmp_path)
    assert found['runs'] == dict(source='wandb', row='group', seed='seed')
    assert table.body[0].cells[0].text == '3.50 ± 0.71'


def test_one_run_of_each(tmp_path):
    (tmp_path / 'runs.csv').write_text('Model,Top-1,FLOPs,Depth\nA,70.5,1.5,18\nB,71.5,2.5,50\n')
    found, text, table, _ = proposed(tmp_path, 'runs.csv')
    assert found['runs'] == dict(source='runs.csv', row='Model', seed=0)
    assert [column['from'] for column in found['columns']] == ['config.FLOPs', 'metric.Top-1']
    assert [[cell.text for cell in row.cells] for row in table.body] == [
        ['1.50', '70.5'],
        ['2.50', '71.5'],
    ]
    assert 'nothing looks like a seed' in text


def test_said_keys_win(tmp_path):
    (tmp_path / 'runs.csv').write_text('a,b,n,acc\nx,p,1,0.5\ny,p,2,0.7\n')
    found, *_ = proposed(tmp_path, 'runs.csv', row_key='b', seed_key='n')
    assert found['runs'] == dict(source='runs.csv', row='b', seed='n')
    with pytest.raises(InputError, match="a is 'x', no whole number: say by --seed-key"):
        propose('runs.csv', tmp_path, seed_key='a')


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(row_key='mehtod'), "--row-key: no run has 'mehtod'; did you mean method?"),
        (dict(seed_key='sed'), "--seed-key: no run has 'sed'; did you mean seed?"),
    ],
)
def test_a_key_that_no_run_has(tmp_path, options, message):
    write_run(tmp_path / 'wandb', 'r', config=dict(method='a', seed=0), rows=[{'acc': 0.5}])
    with pytest.raises(InputError, match=re.escape(message)):
        propose('wandb', tmp_path, **options)


def test_a_run_without_seed_counts_for_nothing(tmp_path):
    """A debugging run among nine good ones hides none of them."""

    def make(start, method, seed):
        return dict(config=dict(method=method, seed=seed), rows=[{'acc': 0.5}])

    grid(tmp_path, make, ('a', 'b'), (0, 1))
    write_run(tmp_path / 'wandb', 'debug', config=dict(method='a'), rows=[{'acc': 0.1}])
    found, text, table, lines = proposed(tmp_path)
    assert found['seeds'] == [0, 1] and table.is_complete
    assert '# 1 finished runs have no seed' in text
    assert len(lines) == 1 and 'run debug counts for nothing: seed is None' in lines[0]


def test_a_single_row(tmp_path):
    """Its mean over seeds is a table, too."""
    grid(
        tmp_path,
        lambda start, seed: dict(config=dict(model='r18', seed=seed), rows=[{'acc': seed / 2}]),
        range(2),
    )
    found, _, table, _ = proposed(tmp_path)
    assert found['runs']['row'] == 'model'
    assert [row.label for row in table.body] == ['r18']
    assert table.body[0].cells[0].text == '25.0 ± 35.4'


def test_a_run_that_was_made_twice(tmp_path):
    def make(start, method, seed):
        return dict(config=dict(method=method, seed=seed), rows=[{'acc': start / 10}])

    grid(tmp_path, make, ('a', 'b'), (0, 1))
    write_run(
        tmp_path / 'wandb', 'again', config=dict(method='b', seed=1), rows=[{'acc': 0.9}], start=9
    )
    found, text, table, _ = proposed(tmp_path)
    assert found['runs']['row'] == 'method' and 'several runs of one seed' in text
    assert '(1/2)' in table.body[1].cells[0].text


def test_keys_of_several_words(tmp_path):
    (tmp_path / 'runs.csv').write_text(
        'Run Name,Method,Random Seed,Acc@1 (%),#Params\n'
        'a,A,1,70.5,2e7\nb,A,2,71.5,2e7\nc,B,1,72.5,3e7\nd,B,2,73.5,3e7\n'
    )
    found, *_ = proposed(tmp_path, 'runs.csv')
    assert found['runs'] == {'source': 'runs.csv', 'row': 'Method', 'seed': 'Random Seed'}
    assert [column['from'] for column in found['columns']] == [
        'config.#Params',
        'metric.Acc@1 (%)',
    ]
    (tmp_path / 'runs.csv').write_text('Method,FLOPs,Params,Top-1\nA,1.5,310,70.5\nB,2,290,71.5\n')
    found, *_ = proposed(tmp_path, 'runs.csv')
    assert [column['fmt'] for column in found['columns'][:2]] == ['.2f', '.0f']


def test_runs_that_cannot_be_told_apart(tmp_path):
    grid(tmp_path, lambda start, lr: dict(config=dict(lr=0.1, data='d'), rows=[{'acc': 1}]), 'xx')
    with pytest.raises(InputError, match='what varies is nothing'):
        propose('wandb', tmp_path)


def test_nothing_that_finished(tmp_path):
    write_run(tmp_path / 'wandb', 'r', exit_code=1)
    with pytest.raises(InputError, match=r'no finished run \(states of those there are: failed'):
        propose('wandb', tmp_path)


def test_texts_of_runs_stay_values_and_comments(tmp_path, markup='a: [b]\n# {c} "\x1b \u2028é'):
    grid(
        tmp_path,
        lambda start, method, seed: dict(
            config={'method': method, 'seed': seed, f'k\n- {seed}': seed},
            rows=[{'acc\n': 0.5}],
            tags=['x\nid: evil'],
        ),
        (markup, 'other'),
        range(2),
    )
    found, text, table, _ = proposed(tmp_path)
    assert found['rows'][0]['label'] == markup and found['id'] != 'evil'
    assert not {'\x1b', '\u2028'} & set(text) and table.is_complete


@pytest.mark.parametrize(
    'name, best, phase',
    [
        ('test/acc', 'max', 0),
        ('val_loss', 'min', 1),
        ('evalTop1', 'max', 1),
        ('Val/Top-1', 'max', 1),
        ('valid/mIoU', 'max', 1),
        ('train/loss', 'min', 3),
        ('FID', 'min', 2),
        ('something', None, 2),
        ('test_error', 'min', 0),
    ],
)
def test_which_end_is_good(name, best, phase):
    assert (_Metric(name).best, _Metric(name).phase) == (best, phase)
