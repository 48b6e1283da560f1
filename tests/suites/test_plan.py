"""What a suite is to run: each run once, what completes the most cells first."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.suites.compute import TrainingCompute
from mmaction_ext.suites.plan import Goal, SuitePlan, Task, plan_suite
from mmaction_ext.tables import load_spec
from mmaction_ext.tables.gaps import Job
from mmaction_ext.tracking.identity import load_config, network_of
from mmaction_ext.tracking.reading.find import find_runs

OTHER = """
id: other
caption: Another
seeds: [0, 1]
select: {policy: best, metric: val/acc/top1}
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100}
rows:
  - {id: full, config: full.py}
"""


def task(run, seconds=1.0, needs=()):
    return Task(Job(run, 'train', Path(f'configs/{run}.py'), 0), needs=needs, seconds=seconds)


def plan_of(project, *tables, **asked):
    specs = [load_spec(path) for path in tables or (project.table,)]
    return plan_suite(specs, find_runs(project.runs, cache=False), {}, **asked)


def test_run_that_two_tables_share_is_there_once(project):
    other = project.write('configs/demo/other/table.yaml', OTHER.replace('full.py', '../full.py'))
    plan = plan_of(project, project.table, other)
    assert [task.run for task in plan.tasks] == [
        f'demo/{row}/seed{seed}' for seed in (0, 1) for row in ('base', 'full')
    ]
    full = plan.tasks[1]
    assert full.job.name == 'demo/full/seed0'  # as other tables may have a row of that id
    assert full.serves == ('demo: full/seed0', 'other: full/seed0')
    assert full.keep_best == ('acc/top1',)
    assert plan.tasks[0].keep_best == ()
    assert (plan.done, plan.total) == (0, 6)
    assert {(goal.table, goal.row, goal.cells) for goal in plan.goals} == {
        ('demo', 'base', 1),
        ('demo', 'full', 1),
        ('other', 'full', 1),
    }


def test_command_names_the_config_hash(project):
    [task] = plan_of(project, rows=['full'], seeds=[1]).tasks
    digest = project.identity('full', 1).config_hash
    assert task.arguments(2) == [
        *('train', str(project.config('full')), '--seed', '1', '--resume'),
        *('--checkpoint-interval', '10min', '--gpus', '2', '--config-hash', digest),
    ]
    [task] = plan_of(project, rows=['full'], seeds=[1], checkpoint_interval='5').tasks
    assert task.checkpoint_interval == '5'
    project.write('configs/demo/full.py', "_base_ = ['common.py']\ncheckpoint_interval = '1min'\n")
    [task] = plan_of(project, rows=['full'], seeds=[1]).tasks
    assert '--checkpoint-interval' not in task.arguments()


def test_what_is_done_or_cannot_be_mended_is_left(project):
    project.train('base', 0)
    project.train('base', 1, exit_code=3, last_error='training diverged: x')
    plan = plan_of(project)
    assert [task.run for task in plan.tasks] == ['demo/full/seed0', 'demo/full/seed1']
    assert [(table, gap.row_seed.name) for table, gap in plan.left] == [('demo', 'base/seed1')]
    assert [goal.row for goal in plan.goals] == ['full']


def test_rows_that_no_table_has(project):
    with pytest.raises(InputError, match=r'has no row ful to train.*did you mean full'):
        plan_of(project, rows=['ful'])


def test_time_that_runs_took_here(project):
    project.train('base', 0)
    plan = plan_of(project)
    assert {task.run: task.seconds for task in plan.tasks} == {
        'demo/base/seed1': 60.0,  # that of its other seed, from start to end
        'demo/full/seed0': None,  # nobody knows its multiply-adds
        'demo/full/seed1': None,
    }


def test_multiply_adds_by_the_network_of_a_row_that_never_ran(project):
    network = network_of(project.config('full'), load_config)
    counts = {network: dict(params=5, macs=7)}
    plan = plan_suite([load_spec(project.table)], [], counts)
    macs = {task.job.name: task.compute.macs for task in plan.tasks}
    assert macs == {'base/seed0': None, 'base/seed1': None, 'full/seed0': 7, 'full/seed1': 7}


def test_what_needs_what_is_left_out_is_left_out_too():
    plan = SuitePlan((task('a'), task('b', needs=('a/seed0',)), task('c', needs=('b/seed0',))))
    assert plan.without(['a/seed0']).tasks == ()
    assert [each.job.name for each in plan.without(['c/seed0']).tasks] == ['a', 'b']


def test_lengths_that_nobody_knew_go_by_what_was_timed():
    def costly(name, macs, seconds=None):
        compute = TrainingCompute(macs=macs, clips=1) if macs else TrainingCompute()
        return replace(task(name, seconds), config_hash=name, compute=compute)

    plan = SuitePlan(
        (costly('a', 10), costly('b', 20), costly('c', 30), costly('d', 10, 7.0), costly('e', 0))
    )
    found = plan.timed({'a': 5.0, 'b': 14.0, 'e': 3.0, 'gone': 9.0})
    by_name = {each.job.name: each.seconds for each in found.tasks}
    assert by_name == {'a': 5.0, 'b': 14.0, 'c': pytest.approx(18.0), 'd': 7.0, 'e': 3.0}
    assert plan.timed({}) == plan


def completed(plan, order):
    runs = {each.run for each in order}
    return sum(goal.cells for goal in plan.goals if goal.runs <= runs)


def test_budget_takes_the_row_with_the_most_cells_for_its_time():
    tasks = [task('long', 8), task('a', 2), task('b', 2), task('c', 3)]
    goals = (
        Goal('t', 'long', frozenset({'long/seed0'}), 9),
        Goal('t', 'ab', frozenset({'a/seed0', 'b/seed0'}), 4),
        Goal('t', 'bc', frozenset({'b/seed0', 'c/seed0'}), 4),
    )
    plan = SuitePlan(tuple(tasks), goals)
    chosen = plan.within(8).tasks
    assert [each.job.name for each in chosen] == ['long']
    chosen = plan.within(7).tasks
    assert [each.job.name for each in chosen] == ['a', 'b', 'c']
    assert plan.within(0.5).tasks == ()
    # what is left over goes to runs that complete nothing
    assert [each.job.name for each in plan.within(3).tasks] == ['a']


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.lists(st.tuples(st.sets(st.integers(0, 4), min_size=1), st.integers(1, 4)), max_size=4),
    st.integers(0, 15),
)
def test_budget_is_kept_and_completes_a_row_where_one_fits(lengths, wanted, budget):
    tasks = [task(f't{number}', float(length)) for number, length in enumerate(lengths)]
    goals = tuple(
        Goal('t', str(number), frozenset(f't{each}/seed0' for each in runs), cells)
        for number, (runs, cells) in enumerate(wanted)
        if max(runs) < len(tasks)
    )
    plan = SuitePlan(tuple(tasks), goals)
    chosen = plan.within(budget).tasks
    assert sum(each.seconds for each in chosen) <= budget
    assert len({each.run for each in chosen}) == len(chosen)
    possible = [
        order
        for size in range(len(tasks) + 1)
        for order in itertools.combinations(tasks, size)
        if sum(each.seconds for each in order) <= budget
    ]
    if any(completed(plan, order) for order in possible):
        assert completed(plan, chosen)
