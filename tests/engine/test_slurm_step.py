"""Who a task of Slurm is among the others, from its environment alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.engine.slurm_step import PORTS, first_host, node_variables, process_variables
from mmaction_ext.errors import InputError

#: of the fourth task of a step on two nodes, as slurmstepd sets it
TASK = dict(
    SLURM_JOB_ID='1234',
    SLURM_STEP_ID='0',
    SLURM_PROCID='3',
    SLURM_LOCALID='1',
    SLURM_NODEID='1',
    SLURM_STEP_NUM_TASKS='4',
    SLURM_STEP_NUM_NODES='2',
    SLURM_STEP_NODELIST='gpu[07-08]',
    SLURM_JOB_NODELIST='gpu[01-08]',
)


def test_a_task_is_one_of_the_processes():
    found = process_variables(TASK)
    assert int(found.pop('MASTER_PORT')) in PORTS
    assert found == dict(RANK='3', WORLD_SIZE='4', LOCAL_RANK='1', MASTER_ADDR='gpu07')


def test_a_task_is_one_of_the_nodes():
    one_each = dict(TASK, SLURM_PROCID='1', SLURM_STEP_NUM_TASKS='2')
    found = node_variables(one_each)
    assert found.pop('PORT') == process_variables(TASK)['MASTER_PORT']
    assert found == dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='gpu07')
    with pytest.raises(InputError, match=r'2 nodes .* one task on each .* there are 4'):
        node_variables(TASK)


def test_what_the_user_set_is_left_alone():
    where = dict(MASTER_ADDR='10.0.0.1', MASTER_PORT='1', PORT='2')
    assert where.items() - process_variables(dict(TASK, **where)).items() == {('PORT', '2')}
    one_each = dict(TASK, SLURM_STEP_NUM_TASKS='2')
    found = node_variables(dict(one_each, **where))
    assert where.items() - found.items() == {('MASTER_PORT', '1')}


@pytest.mark.parametrize(
    'environment',
    [{}, dict(SLURM_JOB_ID='1', SLURM_STEP_NUM_NODES='1'), dict(SLURM_JOB_NUM_NODES='2')],
)
def test_elsewhere_than_in_a_step_on_several_nodes_nothing_is_set(environment):
    assert node_variables(environment) == {}


def test_a_batch_script_without_srun_is_told():
    script = {name: value for name, value in TASK.items() if 'STEP' not in name}
    with pytest.raises(InputError, match='--launcher slurm: SLURM_STEP_NUM_TASKS is not set'):
        process_variables(script)


def test_steps_and_jobs_have_ports_of_their_own():
    ports = {
        process_variables(dict(TASK, SLURM_JOB_ID=str(job), SLURM_STEP_ID=str(step)))[
            'MASTER_PORT'
        ]
        for job in range(100)
        for step in range(16)
    }
    assert len(ports) == 1600


def numbers(width):
    return st.integers(0, 10**width - 1).map(lambda number: f'{number:0{width}}')


names = st.from_regex(r'[a-z][a-z0-9-]{0,6}', fullmatch=True)
ranges = st.tuples(numbers(3), numbers(3)).map(lambda pair: '-'.join(sorted(pair)))
brackets = st.lists(numbers(3) | ranges, min_size=1, max_size=3).map(','.join)
hosts = st.lists(st.tuples(names, brackets) | names.map(lambda name: (name, '')), min_size=1)


@given(st.lists(hosts, min_size=1, max_size=3))
def test_the_first_host_of_a_list(given):
    """Whatever comes after it, and however many numbers a name has."""
    text = ','.join(
        ''.join(name + (f'[{inside}]' if inside else '') for name, inside in host)
        for host in given
    )
    expected = ''.join(name + re.split('[-,]', inside)[0] for name, inside in given[0])
    assert first_host(text) == expected
