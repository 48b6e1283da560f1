"""What is read of Slurm's words, without one."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.suites.executors import slurm
from mmaction_ext.suites.executors.slurm import Unanswered, ask, partitions, read_time
from mmaction_ext.suites.executors.slurm_task import is_done_by, starts_in_vain
from mmaction_ext.suites.store import Suite
from mmaction_ext.tracking.ledger.forms import AttemptEntry

SINFO = """
Welcome to the cluster | be kind
cpu*|up|2:00:00|30:00|10|64|250000|(null)
gpu|up|7-00:00:00|n/a|4|128|500000|gpu:a100:4(S:0-1),nvme:1
gpu|up|7-00:00:00|n/a|1|96|1000000|gpu:8
old|inact|infinite|n/a|1|96|1000000|gpu:8
"""


def test_partitions_of_many_kinds(monkeypatch):
    monkeypatch.setattr(slurm, 'ask', lambda *words: SINFO.strip())
    cpu, gpu = partitions().values()
    assert (cpu.name, cpu.is_default, cpu.limit, cpu.usual) == ('cpu', True, 7200, 1800)
    assert [each.gpus for each in (*cpu.nodes, *gpu.nodes)] == [0, 4, 8]
    assert (gpu.is_default, gpu.limit, gpu.usual) == (False, 7 * 86400, 7 * 86400)
    share = slurm.Resources(8, 'gpu').share()
    assert (share.nodes, share.gpus, share.processes, share.cpus) == (1, 8, 8, 96)
    share = slurm.Resources(16, 'gpu', cpus=32, time='1-12').share()
    assert (share.nodes, share.gpus, share.cpus) == (4, 4, 32)
    share = slurm.Resources(3).share()
    assert (share.nodes, share.gpus, share.cpus, share.time) == (1, 0, 15, '30')


@pytest.mark.parametrize(
    ('asked', 'told'),
    [
        (dict(cpus=-1), '--cpus-per-node must be at least 0'),
        (dict(time='0'), '--time 0: partition cpu ends jobs after 2 h'),
        (dict(options={'job_name': 'mine'}), '--sbatch job_name: launch decides that itself'),
        (dict(options={'arr': '0-5'}), '--sbatch arr: launch decides that itself'),
        (dict(options={'time': '1'}), '--sbatch time: launch decides that itself'),
    ],
)
def test_what_no_job_can_have(monkeypatch, asked, told):
    monkeypatch.setattr(slurm, 'ask', lambda *words: SINFO.strip())
    with pytest.raises(InputError, match=told):
        slurm.Resources(**asked).share()
    slurm.Resources(options=dict(account='vision', mail_user='me', nice='5', exclude='n1')).share()


@pytest.mark.parametrize('name', ['50%', 'a\\\\b'])
def test_folders_in_whose_names_slurm_reads_something_else(tmp_path, name):
    """Jobs would end without a word: their logs cannot be opened."""
    with pytest.raises(InputError, match='Slurm has a meaning of its own for'):
        slurm.SlurmExecutor(Suite(tmp_path / name, 'demo'), tmp_path, slurm.Resources())


def test_jobs_are_found_among_what_else_is_said(monkeypatch):
    lines = 'Welcome!\na.1f|0|7|RUNNING|node1\na.1f|1|7|COMPLETED|node1\nb|0|8|PENDING|(Priority)'
    monkeypatch.setattr(slurm, 'ask', lambda *words: lines)
    found = slurm.queued({'a.1f_0', 'a.1f_1'})
    assert found == {'a.1f_0': slurm.QueuedJob('7_0', 'RUNNING', 'node1')}


@given(st.integers(0, 6), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_times(days, hours, minutes, seconds):
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert read_time(f'{days}-{hours}:{minutes:02}:{seconds:02}') == total
    assert read_time(f'{days * 24 + hours}:{minutes}:{seconds}') == total
    assert read_time(f'{days}-{hours:02}:{minutes}') == total - seconds
    assert read_time(f'{days}-{hours}') == total - seconds - 60 * minutes
    assert read_time(f'{minutes}') == 60 * minutes
    assert read_time(f'{minutes}:{seconds}') == 60 * minutes + seconds
    assert read_time('UNLIMITED') == read_time('infinite') == math.inf


@pytest.mark.parametrize('said', ['', '-1', '1:2:3:4', '1h', '90 ', '1.5'])
def test_what_is_no_time(said):
    with pytest.raises(InputError, match='--time'):
        read_time(said)


@pytest.mark.parametrize(
    'begun, count',
    [
        ([], 0),
        ([0], 1),
        ([0, 0, None], 3),
        ([0, 5, 5, 9], 1),
        ([0, 5, 5], 2),
        ([4, None], 1),
    ],
)
def test_starts_that_got_no_further(begun, count):
    """Those of another job do not count; one that came to no step began where it was."""
    entries = [AttemptEntry(slurm_job='7', resumed_from_iter=each) for each in begun]
    other = AttemptEntry(slurm_job='6', resumed_from_iter=begun[-1] if begun else 0)
    assert starts_in_vain([other, *entries], '7') == count


def says(words, code):
    return [sys.executable, '-c', f'import sys; print({words!r}, file=sys.stderr); exit({code})']


def test_what_slurm_says_is_told(monkeypatch):
    with pytest.raises(InputError, match='cannot be called') as told:
        ask('no-such-command-of-slurm')
    assert not isinstance(told.value, Unanswered)
    with pytest.raises(InputError, match='invalid account') as told:
        ask(*says('error: time limit\nerror: invalid account', 1))
    assert not isinstance(told.value, Unanswered)
    with pytest.raises(InputError, match=r"unrecognized option '--nonsense=1'$"):
        ask(*says('x: unrecognized option \'--nonsense=1\'\nTry "x --help" for more', 1))
    for words in ('Unable to contact slurm controller', 'Socket timed out on send/recv operation'):
        with pytest.raises(Unanswered, match=words):
            ask(*says(words, 1))


def test_a_job_in_which_launch_runs_is_no_part_of_the_jobs(monkeypatch):
    monkeypatch.setenv('SLURM_MEM_PER_CPU', '1')
    monkeypatch.setenv('SQUEUE_FORMAT', '%i')
    monkeypatch.setenv('SLURM_CONF', '/here')
    monkeypatch.setenv('SBATCH_ACCOUNT', 'mine')
    code = "import os; print(*(n for n in os.environ if n.startswith(('S'))))"
    found = set(ask(sys.executable, '-c', code).split())
    assert {'SLURM_CONF', 'SBATCH_ACCOUNT'} <= found
    assert not found & {'SLURM_MEM_PER_CPU', 'SQUEUE_FORMAT'}


@pytest.mark.parametrize('code, job, done', [(0, '7', True), (1, '7', False), (0, '8', False)])
def test_job_that_starts_again_after_a_node_that_was_taken_for_lost_finished_it(code, job, done):
    first = AttemptEntry(number=1, slurm_job='7', exit_code=None)
    assert not is_done_by([], '7') and not is_done_by([first], '7')
    assert is_done_by([first, AttemptEntry(number=2, slurm_job=job, exit_code=code)], '7') == done
