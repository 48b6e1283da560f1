import functools
import os
from dataclasses import replace

import pytest

from mmaction_ext.tables.gaps import Gap, Job, find_gaps, job_kind, ordered_jobs
from mmaction_ext.tables.row_seeds import row_seeds
from mmaction_ext.tracking.identity import config_hash, load_config

ENSEMBLE = "_base_ = 'base.py'\nensemble = dict(members=['again.py', 'base.py'])\n"


@pytest.fixture
def gaps(make, tmp_path):
    """Gaps of a row and one seed, of configs that inherit, borrow weights and are averaged."""
    folder = tmp_path / 'configs/demo'
    folder.mkdir(parents=True)
    for name, text in (
        ('base', 'a = 1\n'),
        ('full', "_base_ = 'base.py'\na = 2\n"),
        ('again', "_base_ = 'full.py'\nweights_of = 'full.py'\n"),
        ('both', ENSEMBLE),
    ):
        (folder / f'{name}.py').write_text(text)

    @functools.cache
    def digest(name):
        return config_hash(load_config(folder / name))

    def gaps(row, *records):
        spec = make.spec(row, seeds=(0,))
        spec = replace(
            spec,
            layout=tuple(replace(each, config=folder / f'{each.id}.py') for each in spec.layout),
        )
        records = [
            replace(record, config_hash=digest(f'{record.config.rpartition("/")[2]}.py'))
            for record in records
        ]
        return find_gaps(row_seeds(spec, records), spec, records)

    return gaps


def names(gaps):
    """Names of all jobs, in the order in which they are to be done."""
    return [job.name for job in ordered_jobs(gaps)]


def test_a_place_with_a_result_is_no_gap(make, gaps):
    assert gaps('full', make.record('demo/full')) == []


def test_what_a_run_is_made_of_comes_first(make, gaps):
    assert names(gaps('full')) == ['full/seed0']
    assert names(gaps('again')) == ['demo/full/seed0', 'again/seed0']
    assert names(gaps('both')) == [
        'demo/full/seed0',
        'demo/base/seed0',
        'demo/again/seed0',
        'both/seed0',
    ]
    assert names(gaps('both', make.record('demo/full'))) == [
        'demo/base/seed0',
        'demo/again/seed0',
        'both/seed0',
    ]


def test_folds_that_are_test_sets_share_the_run_whose_weights_they_test(make, tmp_path):
    (tmp_path / 'full.py').write_text('a = 1\n')
    (tmp_path / 'sets.py').write_text(
        "folds = ('easy', 'hard')\nweights_of = 'full.py'\nlist = '{fold}.txt'\n"
    )
    spec = make.spec('sets', seeds=(0, 1), folds=('easy', 'hard'))
    layout = tuple(replace(each, config=tmp_path / f'{each.id}.py') for each in spec.layout)
    spec = replace(spec, layout=layout)
    found = find_gaps(row_seeds(spec, ()), spec, ())
    assert [
        job.line().partition('mmaction-ext ')[2].replace(f'{tmp_path}/', '')
        for job in ordered_jobs(found)
    ] == [
        'train full.py --seed 0 --resume',
        'train full.py --seed 1 --resume',
        'test sets.py --fold easy --seed 0',
        'test sets.py --fold hard --seed 0',
        'test sets.py --fold easy --seed 1',
        'test sets.py --fold hard --seed 1',
    ]


@pytest.mark.parametrize(
    'source',
    [
        dict(exit_code=1),
        dict(exit_code=None),
        dict(corrupt=True),
        dict(seed=1),
        dict(overrides={'a': 3}),
        dict(imported=True),
    ],
)
def test_only_a_finished_run_of_our_own_lends_its_weights(make, gaps, source):
    assert names(gaps('again', make.record('demo/full', **source))) == [
        'demo/full/seed0',
        'again/seed0',
    ]


@pytest.mark.parametrize('row', ['again', 'both'])
def test_what_is_being_made_is_waited_for(make, gaps, row):
    living = make.record('demo/full', exit_code=None, state='running', attempt=dict(pid=7))
    [gap] = gaps(row, living)
    assert gap.jobs == () and gap.reason == (
        'no run; process 7 on h works on demo/full/seed0, which it needs'
    )


def test_nothing_is_started_beside_a_living_run(make, gaps):
    living = make.record(
        'demo/full',
        exit_code=None,
        top1=None,
        state='running',
        job_type='test',
        attempt=dict(pid=7),
    )
    [gap] = gaps('full', make.record('demo/full', exit_code=1, top1=None), living)
    assert gap.jobs == () and gap.obstacle == 'process 7 on h works on it'


def test_a_stopped_run_goes_on(make, gaps):
    stopped = make.record('demo/full', exit_code=143, attempt=dict(signal='SIGTERM'))
    [gap] = gaps('full', stopped)
    assert [job.line().partition(' --')[2] for job in gap.jobs] == ['seed 0 --resume']
    assert gap.reason == 'stopped by SIGTERM'


def test_what_another_run_would_not_mend_is_left_alone(make, gaps):
    [gap] = gaps('full', make.record('demo/full', top1=0.5), make.record('demo/full', top1=0.6))
    assert gap.jobs == () and gap.row_seed.status.value == 'conflict'
    assert gap.reason.endswith('; remove what is wrong first') and '0.6' in gap.reason


def test_a_finished_run_without_the_metric_is_not_made_again(make, gaps):
    """One that was not tested is: what goes on from its checkpoint tests it."""
    [gap] = gaps('full', make.record('demo/full', top1=None, logged={'test/acc/top5'}))
    assert gap.jobs == () and gap.obstacle.startswith('another run would log no other')
    assert 'with test/acc/top5' in gap.reason
    assert names(gaps('full', make.record('demo/full', top1=None))) == ['full/seed0']


def test_commands_are_quoted_and_trainings_go_on():
    job = Job('a/seed3', 'train', 'configs/a b.py', 3)
    assert job.line() == "mmaction-ext train 'configs/a b.py' --seed 3 --resume"
    assert job.line(8) == "mmaction-ext train 'configs/a b.py' --seed 3 --resume --gpus 8"
    for kind, command in (('weights_of', 'test'), ('ensemble', 'test-ensemble')):
        line = f'mmaction-ext {command} c.py --seed 0'
        assert Job('c/seed0', kind, 'c.py', 0).line(8) == line


def test_each_run_is_made_once_those_of_early_seeds_first():
    jobs = [
        Job(f'{name}/seed{seed}', kind, f'configs/{name}.py', seed)
        for kind, name in (('ensemble', 'c'), ('train', 'a'), ('train', 'b'))
        for seed in (1, 0)
    ]
    again = Job('d/a/seed0', 'train', os.path.abspath('configs/a.py'), 0)  # by another path
    assert names([Gap(None, tuple(jobs)), Gap(None, (again,))]) == [
        'a/seed0',
        'b/seed0',
        'a/seed1',
        'b/seed1',
        'c/seed0',
        'c/seed1',
    ]


def test_kinds():
    assert job_kind({'weights_of': None}) == 'train' and job_kind({}) == 'train'
    assert job_kind({'weights_of': 'a.py'}) == 'weights_of'
    assert job_kind({'ensemble': {}}) == 'ensemble'


def trained(make, folder, *files, **facts):
    """A training of 2 epochs that left some checkpoints and no test."""
    home = folder / 'work_dirs/full'
    home.mkdir(parents=True, exist_ok=True)
    for name in files:
        (home / name).touch()
    return make.record('demo/full', top1=None, root=folder / 'work_dirs', folder='full', **facts)


@pytest.fixture
def scheduled(gaps, tmp_path):
    """The gaps of a row whose config says how long it trains."""
    with open(tmp_path / 'configs/demo/base.py', 'a') as file:
        file.write("train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)\n")
    return gaps


@pytest.mark.parametrize('exit_code', [0, 1, None])
def test_a_training_that_lacks_its_test_alone_is_tested(make, scheduled, tmp_path, exit_code):
    record = trained(make, tmp_path, 'epoch_2.pth', exit_code=exit_code, state='killed')
    [gap] = scheduled('full', record)
    assert gap.jobs[0].kind == 'test'
    assert gap.jobs[0].line(gpus=8) == f'mmaction-ext test {gap.jobs[0].config} --seed 0'
    assert scheduled('full', record, make.record('demo/full', job_type='test')) == []


@pytest.mark.parametrize('files', [[], ['epoch_1.pth'], ['best_acc_top1_epoch_2.pth']])
def test_without_its_last_checkpoint_a_training_goes_on(make, scheduled, tmp_path, files):
    [gap] = scheduled('full', trained(make, tmp_path, *files))
    assert gap.jobs[0].kind == 'train' and gap.jobs[0].arguments[-1] == '--resume'


def test_a_test_that_tells_nothing_is_not_repeated(make, scheduled, tmp_path):
    """The last checkpoint was damaged, so that an older one was tested."""
    record = trained(make, tmp_path, 'epoch_2.pth')
    early = make.record('demo/full', epoch=1, iteration=4, job_type='test')
    [gap] = scheduled('full', record, early)
    assert gap.jobs[0].kind == 'test', 'of that checkpoint there is none'
    [gap] = scheduled(
        'full', record, make.record('demo/full', job_type='test', values={'test/acc/top1': 'none'})
    )
    assert gap.jobs[0].kind == 'train'
