"""Runs of a suite as jobs of a real Slurm: arrays, dependencies, refusals, late answers."""

import os
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
from tool_runs import ROOT

from mmaction_ext.errors import InputError
from mmaction_ext.suites.executors import slurm as slurm_executor
from mmaction_ext.suites.executors.slurm import (
    Resources,
    SlurmExecutor,
    Unanswered,
    cancel,
    partitions,
    queued,
)
from mmaction_ext.suites.store import Suite

pytestmark = pytest.mark.slow
#: commands that end well, badly, and never
GOOD, BAD, ENDLESS = ['--version'], ['plan', 'no such table'], ['status', '--watch', '5']


def task(run, words, *needs, kind='train'):
    return SimpleNamespace(
        run=run,
        needs=needs,
        config_hash='c0ffee',
        job=SimpleNamespace(kind=kind, name=run),
        arguments=lambda processes: words,
    )


@pytest.fixture
def suite(slurm, tmp_path, monkeypatch):
    """A suite in a folder of its own, which is where jobs run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    return Suite(tmp_path / 'work_dirs', 'tables').make()


def launcher(suite, **resources):
    return SlurmExecutor(suite, suite.folder.parents[1], Resources(**resources))


def wait(handed, seconds=90):
    """Wait until jobs have ended; what Slurm says of each, and of what it waited for."""
    until = time.monotonic() + seconds
    handles = [each.handle for each in handed]
    while queued(handles):
        assert time.monotonic() < until, queued(handles)
        time.sleep(0.3)
    return states(handles)


def states(handles):
    said = subprocess.run(
        ['squeue', '--array', '--noheader', '--states=all', '--format=%j_%K|%T'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = dict(line.split('|') for line in said.splitlines())
    return [found.get(handle) for handle in handles]


def log(suite, run):
    return (suite.folder.parents[1] / f'.logs/{run}.log').read_text()


def jobs_of(suite):
    """How many arrays Slurm has ever had of a suite."""
    said = subprocess.run(
        ['squeue', '--noheader', '--states=all', '--format=%j'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return len({name for name in said if (suite.folder / 'slurm' / name).is_dir()})


def test_one_that_fails_takes_along_what_needs_it_and_nothing_else(suite):
    tasks = [
        task('a/seed0', GOOD),
        task('b/seed0', BAD),
        task('a/test', GOOD, 'a/seed0', kind='weights_of'),
        task('both', GOOD, 'a/seed0', 'b/seed0', kind='ensemble'),
    ]
    handed = launcher(suite, parallel=1, cpus=1).submit(tasks)
    assert [each.run for each in handed] == [each.run for each in tasks]
    assert suite.handed() == {each.run: each for each in handed}
    assert wait(handed) == ['COMPLETED', 'FAILED', 'COMPLETED', 'CANCELLED']
    assert log(suite, 'a/seed0').startswith('mmaction-ext ')
    assert 'no such table' in log(suite, 'b/seed0').splitlines()[-1]
    assert not (suite.folder.parents[1] / '.logs/both.log').exists()
    # what has ended is in nobody's hands, and can be launched anew
    again = launcher(suite, cpus=1).submit(tasks[1:2])
    assert wait(again) == ['FAILED'] and len(log(suite, 'b/seed0').splitlines()) == 2


def test_jobs_that_are_cancelled_are_gone(suite):
    handed = launcher(suite, parallel=1, cpus=1).submit(
        [task(name, ENDLESS) for name in ('a', 'b')]
    )
    handles = [each.handle for each in handed]
    until = time.monotonic() + 60
    while queued(handles)[handles[0]].state != 'RUNNING':
        assert time.monotonic() < until
        time.sleep(0.2)
    found = queued(handles)
    assert found[handles[0]].where in ('node1', 'node2')
    assert (found[handles[1]].state, found[handles[1]].where) == ('PENDING', 'JobArrayTaskLimit')
    assert queued(['other_0', *handles[:1]]).keys() == {handles[0]}
    assert cancel(handles) == 2
    assert wait(handed) == ['CANCELLED', 'CANCELLED'] and cancel(handles) == 0


def test_a_run_of_several_nodes_has_a_task_on_each(suite):
    handed = launcher(suite, processes=4, time='5').submit([task('wide', ['doctor'])])
    assert wait(handed) == ['FAILED']  # which knows no --gpus
    for name in ('wide', 'wide.node1'):
        assert log(suite, name).count('unrecognized arguments: --gpus') == 1


@pytest.mark.parametrize(
    'asked, told',
    [
        (dict(partition='mian'), r'--partition mian: .*main, urgent, short; did you mean main\?'),
        (dict(processes=3), r'--gpus-per-run 3: partition main has 2 x 2 GPUs'),
        (dict(processes=6), r'--gpus-per-run 6: partition main has 2 x 2 GPUs'),
        (dict(partition='short', time='10'), r'--time 10: partition short ends jobs after 0.03'),
        (dict(time='soon'), r"--time 'soon' is none of minutes"),
        (dict(cpus=9), r'9 cores: partition main has no node with more than 8'),
        (dict(memory='8G'), r'--mem 8G: partition main has no node with more than 4000 MB'),
        (dict(memory='much'), r"--mem 'much' is no size"),
    ],
)
def test_what_the_cluster_has_not_is_refused_before_anything_is_submitted(suite, asked, told):
    with pytest.raises(InputError, match=told):
        launcher(suite, **asked)
    assert not jobs_of(suite)


def test_what_slurm_refuses_is_in_nobodys_hands(suite):
    executor = launcher(suite, cpus=1, options=dict(reservation='none'))
    with pytest.raises(InputError, match=r'sbatch: .*reservation'):
        executor.submit([task('a', GOOD)])
    assert suite.handed() == {} and not jobs_of(suite)


def test_partitions_as_they_are(slurm):
    main, urgent, short = partitions().values()
    assert main.is_default and not urgent.is_default
    assert (main.limit, urgent.limit, short.limit) == (86400, float('inf'), 120)
    [alike] = main.nodes
    assert (alike.count, alike.cpus, alike.gpus, alike.memory) == (2, 8, 2, 4000)


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Have sbatch answer too late, after it has submitted the job or before."""

    def slow(first):
        script = tmp_path / 'bin/sbatch'
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\n{first}\nexec sleep 60\n')
        script.chmod(0o755)
        monkeypatch.setenv('PATH', f'{script.parent}:{os.environ["PATH"]}')
        monkeypatch.setattr(slurm_executor, 'ANSWER_SECONDS', 2.0)

    return slow


def test_a_job_whose_submission_was_not_confirmed_is_found(suite, slow):
    executor = launcher(suite, cpus=1)
    slow('/usr/bin/sbatch "$@"')
    handed = executor.submit([task('a', GOOD), task('b', GOOD)])
    assert wait(handed) == ['COMPLETED', 'COMPLETED'] and jobs_of(suite) == 1


def test_a_job_that_slurm_takes_too_late_does_nothing(suite, slow):
    executor = launcher(suite, cpus=1)
    slow('')
    with pytest.raises(Unanswered, match=r'sbatch: Slurm did not answer in 2 s; launch again'):
        executor.submit([task('a', GOOD)])
    slow('exec /usr/bin/sbatch "$@"')
    [late] = suite.handed().values()
    assert not queued([late.handle])
    [now] = launcher(suite, cpus=1).submit([task('a', GOOD)])
    [script] = (suite.folder / 'slurm').glob(f'{late.handle[:-2]}/batch.sh')
    subprocess.run(['/usr/bin/sbatch', script], check=True)
    assert wait([now, late]) == ['COMPLETED', 'FAILED']
    assert len(log(suite, 'a').splitlines()) == 1
    [said] = script.parent.glob('*_log.out')
    assert f'nothing is done, {now.handle} has it since' in said.read_text()


def test_a_slurm_that_stands_still_is_told(suite, cluster, monkeypatch):
    executor = launcher(suite, cpus=1)
    monkeypatch.setattr(slurm_executor, 'ANSWER_SECONDS', 2.0)
    daemon = int((cluster / 'slurmctld.pid').read_text())
    os.kill(daemon, signal.SIGSTOP)
    try:
        with pytest.raises(Unanswered, match='sinfo: Slurm did not answer in 2 s'):
            launcher(suite)
        with pytest.raises(Unanswered, match='squeue: Slurm did not answer in 2 s'):
            queued(['a_0'])
        with pytest.raises(Unanswered, match='sbatch: Slurm did not answer in 2 s; launch again'):
            executor.submit([task('a', GOOD)])
    finally:
        os.kill(daemon, signal.SIGCONT)
    # it has taken it after all
    assert wait(suite.handed().values())[0] in ('COMPLETED', None)
    assert jobs_of(suite) <= 1
