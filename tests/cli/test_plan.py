import json
import shutil

import pytest


def row_of(out, name):
    [line] = [line for line in out.splitlines() if line.startswith(f'{name} ')]
    return ' '.join(line.split())


def test_what_is_lacking_and_the_commands_that_make_it(project, command):
    project.train('base', 0, 0.7)
    project.train('full', 0, 0.75)
    project.train('full', 1, exit_code=1, last_error='ValueError: no such crop')
    project.complexity(base=2_000_000)
    code, out, err = command('plan', project.table)
    assert (code, err) == (1, '')
    assert out.startswith('demo: 2 of 4 done')
    # 2 M x 16 samples x 2 epochs x 3
    assert row_of(out, 'base') == 'base done 0; missing 1 1.50 M 2.00 M 2 epochs 16 192 M'
    assert row_of(out, 'full') == 'full done 0; failed 1 1.50 M 2.00 M 2 epochs 16 192 M'
    assert 'lacking: 1 failed, 1 missing; training: 384 M MACs' in out
    assert 'full/seed1 failed: ended with exit code 1: ValueError: no such crop' in out
    commands = [line.strip() for line in out.splitlines() if ' train ' in line]
    assert commands == [
        f'mmaction-ext train {project.config(row)} --seed 1 --resume' for row in ('base', 'full')
    ]
    assert f'mmaction-ext launch {project.table}' in out


def test_costs_of_a_row_that_never_ran_come_from_the_file_of_costs(project, command):
    project.complexity(full=2_500_000_000)
    _, out, _ = command('plan', 'demo', '--json')
    [table] = json.loads(out)
    costs = {row['id']: row['cost'] for row in table['rows']}
    assert costs['full'] == dict(
        params=1500000,
        macs=2500000000,
        length=['epoch', 2],
        samples=16,
        clips=32,
        training=240_000_000_000,
    )
    assert costs['base']['macs'] is None and costs['base']['training'] is None
    assert table['training'] == dict(macs=480_000_000_000, unknown=2)
    assert table['states'] == dict(missing=4)


def test_only_a_finished_table_exits_with_0(project, command):
    for row in ('base', 'full'):
        for seed in (0, 1):
            project.train(row, seed)
    code, out, _ = command('plan', 'demo')
    assert code == 0 and 'lacking' not in out and 'mmaction-ext' not in out
    assert command('plan', 'demo', '--commands')[:2] == (0, '\n')


def test_missing_shows_only_gaps(project, command):
    project.train('base', 0)
    project.train('base', 1)
    project.train('full', 0)
    _, out, _ = command('plan', 'demo', '--missing')
    assert row_of(out, 'full').startswith('full missing 1 ')
    assert not [line for line in out.splitlines() if line.startswith('base')]
    _, out, _ = command('plan', 'demo', '--missing', '--json')
    [table] = json.loads(out)
    assert [(row['id'], [seed['seed'] for seed in row['seeds']]) for row in table['rows']] == [
        ('full', [1])
    ]


def test_commands_for_several_gpus(project, command):
    for seed in (0, 1):
        project.train('base', seed)
    _, out, _ = command('plan', 'demo', '--commands', '--gpus', '8')
    assert out.splitlines() == [
        f'mmaction-ext train configs/demo/full.py --seed {seed} --resume --gpus 8'
        for seed in (0, 1)
    ]


def test_a_stale_run_is_planned_again(project, command):
    project.train('full', 0)
    project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=32)\n")
    _, out, _ = command('plan', 'demo', '--json')
    [full] = [row for row in json.loads(out)[0]['rows'] if row['id'] == 'full']
    assert [seed['state'] for seed in full['seeds']] == ['stale', 'missing']
    assert full['seeds'][0]['command'].endswith('--seed 0 --resume')
    assert full['seeds'][0]['reason'] == 'run of another version of the config'


def test_a_living_run_is_not_started_again(project, command, hold):
    hold(project.train('full', 0, exit_code=None, last=3))
    _, out, _ = command('plan', 'demo', '--json')
    [full] = [row for row in json.loads(out)[0]['rows'] if row['id'] == 'full']
    assert full['seeds'][0]['state'] == 'running' and not full['seeds'][0]['command']


def test_a_living_run_beside_a_failed_one_is_not_started_again(project, command, hold):
    """The training failed; a process tests its weights in a folder of its own."""
    failed = project.train('full', 0, exit_code=1, last_error='ValueError: no such crop')
    tested = failed.with_name('seed0-test')
    shutil.copytree(failed, tested)
    content = json.loads((tested / 'run.json').read_text())
    content['attempts'][0].update(exit_code=None, last_error=None)
    project.change(tested, job_type='test', attempts=content['attempts'])
    holder = hold(tested)
    _, out, _ = command('plan', 'demo', '--json')
    [full] = [row for row in json.loads(out)[0]['rows'] if row['id'] == 'full']
    assert full['seeds'][0]['state'] == 'running' and not full['seeds'][0]['command']
    assert f'; process {holder.pid} on ' in full['seeds'][0]['reason']
    code, out, _ = command('plan', 'demo', '--commands')
    assert code == 1 and 'demo/full.py --seed 0' not in out and 'demo/full.py --seed 1' in out
    _, out, _ = command('plan', 'demo', '--missing')
    assert f'process {holder.pid} on ' in ' '.join(out.split())


def test_a_table_of_which_all_is_running_is_listed_with_those_that_lack_something(
    project, command, hold
):
    for row, seed in (('base', 0), ('base', 1), ('full', 1)):
        project.train(row, seed)
    hold(project.train('full', 0, exit_code=None, last=3))
    code, out, _ = command('plan', '--missing')
    assert code == 1 and row_of(out, 'demo').startswith('demo 3 of 4 1 running')


def test_contradictory_results_are_to_be_looked_at_not_trained(project, command):
    folder = project.train('full', 0, 0.75)
    content = json.loads((folder / 'results/1-8.json').read_text())
    content['metrics']['test/acc/top1'] = 0.5
    (folder / 'results/1-8-2.json').write_text(json.dumps(content))
    _, out, _ = command('plan', 'demo', '--json')
    [full] = [row for row in json.loads(out)[0]['rows'] if row['id'] == 'full']
    assert full['seeds'][0]['state'] == 'conflict' and not full['seeds'][0]['command']


@pytest.fixture
def ensemble(project):
    """A table of an ensemble and a row with the weights of another config."""
    project.write('configs/demo/again.py', "_base_ = ['common.py']\nweights_of = 'full.py'\n")
    project.write(
        'configs/demo/both.py',
        "_base_ = ['common.py']\nensemble = dict(members=['base.py', 'again.py'])\n",
    )
    return project.write(
        'configs/more/table.yaml',
        """
id: more
caption: More
columns:
  - {key: top1, head: Top-1, from: test/acc/top1}
rows:
  - {id: both, config: ../demo/both.py}
""",
    )


def test_what_an_ensemble_needs_comes_first(project, ensemble, command):
    project.train('base', 0)
    _, out, _ = command('plan', ensemble, '--commands')
    folder = project.root / 'configs/demo'
    assert out.splitlines() == [
        f'mmaction-ext train {folder}/full.py --seed 0 --resume',
        f'mmaction-ext test {folder}/again.py --seed 0',
        f'mmaction-ext test-ensemble {folder}/both.py --seed 0',
    ]


def test_an_ensemble_costs_no_training(project, ensemble, command):
    _, out, _ = command('plan', 'more')
    assert row_of(out, 'both') == 'both missing 0 ensemble'


def test_schedule_in_iterations_counts_batches(project, command):
    project.write(
        'configs/demo/common.py',
        """
model = dict(type='Tiny')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
global_batch_size = 4
train_dataloader = dict(batch_size=4, dataset=dict(
    type='RepeatDataset', times=3, dataset=dict(type='VideoDataset', ann_file='train.txt')))
""",
    )
    project.complexity(full=1000)
    _, out, _ = command('plan', 'demo', '--json')
    [full] = [row for row in json.loads(out)[0]['rows'] if row['id'] == 'full']
    assert full['cost'] == dict(
        params=1500000, macs=1000, length=['iter', 100], samples=48, clips=400, training=1_200_000
    )


def test_without_a_data_list_the_cost_is_unknown_unless_a_run_tells(project, command):
    project.complexity(base=1000, full=1000)
    (project.root / 'train.txt').unlink()
    project.train('full', 0)
    _, out, _ = command('plan', 'demo', '--json')
    costs = {row['id']: row['cost'] for row in json.loads(out)[0]['rows']}
    assert costs['base']['clips'] is None and costs['full']['clips'] == 32


def test_overview_is_one_line_per_table(project, ensemble, command):
    project.train('base', 0)
    code, out, _ = command('plan')
    assert code == 1
    assert row_of(out, 'demo').startswith('demo 1 of 4 3 missing')
    assert row_of(out, 'more').startswith('more 0 of 1 1 missing')
    assert '1 of 5 rows and seeds are done in 2 tables' in out


def test_names_cannot_paint_the_terminal(project, command, markup):
    project.train('full', 0, exit_code=1, last_error=markup)
    text = project.table.read_text().replace(
        'id: full, label: Full', f'id: full, label: {json.dumps(markup)}'
    )
    project.table.write_text(text)
    for argv in (['plan', 'demo'], ['plan', 'demo', '--json']):
        _, out, _ = command(*argv)
        assert '\x1b' not in out and '\x07' not in out and '\u202e' not in out
    assert json.loads(out)[0]['rows'][1]['label'] == markup


def test_lines_fit_100_columns(project, command):
    project.train('full', 0, exit_code=1, last_error='long ' * 60)
    _, out, _ = command('plan', 'configs/demo/table.yaml')
    assert max(map(len, out.splitlines())) <= 100


def train_seeds(project, **results):
    """Three seeds of each row; their top-1 in percent."""
    text = project.table.read_text().replace('seeds: [0, 1]', 'seeds: [0, 1, 2]')
    project.table.write_text(text)
    for row, values in results.items():
        for seed, value in enumerate(values):
            project.train(row, seed, value / 100)


def test_seeds_that_a_difference_needs(project, command):
    """Differences of 1, 2 and 3 points: 1 standard deviation is found with 10 seeds."""
    train_seeds(project, base=(70, 71, 70), full=(71, 73, 73))
    code, out, err = command('plan', 'demo', '--power', '1')
    assert (code, err) == (1, '')
    assert row_of(out, 'full') == 'full base 3 +2.0 [-0.5, +4.5] 1.0 10 155 3.3'
    assert row_of(out, 'both').startswith('both base 3 +1.0 [-0.2, +2.2] 0.5 5 ')
    assert 'full 72.3: base +2.0 [-0.5, +4.5]' in out
    assert 'With 10 seeds each row finds 1 (full needs most)' in out
    assert command('plan', 'demo', '--power', '4')[0] == 0


def test_power_by_a_lock_is_that_by_the_runs(project, command):
    train_seeds(project, base=(70, 71, 70), full=(71, 73, 73))
    assert command('tables')[0] == 0
    by_runs = command('plan', 'demo', '--power', '1', '--json')
    shutil.rmtree(project.runs)
    assert command('plan', 'demo', '--power', '1', '--json', '--locked') == by_runs
    [table] = json.loads(by_runs[1])
    assert (table['column'], table['is_enough']) == ('top1', False)
    full = next(row for row in table['rows'] if row['row'] == 'full')
    assert full['needed'] == dict(estimate=10, at_most=155)
    assert full['told_apart'] is False


def test_power_says_where_seeds_are_too_few(project, command):
    project.train('base', 0)
    project.train('full', 0)
    code, out, _ = command('plan', 'demo', '--power', '2')
    assert code == 1
    assert row_of(out, 'full') == 'full base 1 0.0 1 seed in common, 3 are needed'
    (project.root / 'empty').mkdir()
    _, out, _ = command('plan', 'demo', '--power', '2', '--runs', 'empty')
    assert out == 'demo / top1 (Top-1): no result yet\n'
    _, out, _ = command('plan', '--power', '2', '--runs', 'empty')
    assert out == 'without any result: 1 of 1 tables\n'


@pytest.mark.parametrize(
    ('words', 'error'),
    [
        (['--power', '0'], '--power must be positive, got 0.0'),
        (['--power', 'nan'], '--power must be positive, got nan'),
        (['--power', '2', '--metric', 'delta'], "no measured column 'delta'; it has top1"),
        (['--power', '2', '--commands'], '--missing and --commands do not go with --power'),
        (['--locked'], '--locked and --metric go with --power alone'),
        (['--power', '2', '--locked'], 'reports/table.lock.json cannot be read'),
    ],
)
def test_a_power_that_cannot_be_told(project, command, words, error):
    project.train('base', 0)
    code, _, err = command('plan', 'demo', *words)
    assert code == 2 and error in err and err.count('\n') == 1
