"""What Slurm tells the tasks of a step, in the words of ``torchrun``.

Nothing here asks ``scontrol``: some clusters install it on login nodes alone
(facebookincubator/submitit#1601). The variables: https://slurm.schedmd.com/srun.html,
"OUTPUT ENVIRONMENT VARIABLES".
"""

import re
from collections.abc import Mapping

from mmaction_ext.errors import InputError

#: below those that Linux gives to connections by itself (32768 on)
PORTS = range(20000, 32768)


def process_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Which of the processes a task of a step is: one task is one process.

    Args:
        environment: of a process that ``srun`` started.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``; the last
        two as they are in the environment, if they are.

    Raises:
        InputError: ``srun`` did not start it.
    """
    step = _Step(environment, '--launcher slurm')
    return dict(
        RANK=step['SLURM_PROCID'],
        WORLD_SIZE=step['SLURM_STEP_NUM_TASKS'],
        LOCAL_RANK=step['SLURM_LOCALID'],
        MASTER_ADDR=environment.get('MASTER_ADDR') or step.master,
        MASTER_PORT=environment.get('MASTER_PORT') or str(step.port),
    )


def node_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Which of the nodes a task of a step is that has one task on each of several nodes.

    Args:
        environment: of any process.

    Returns:
        ``NNODES``, ``NODE_RANK``, ``MASTER_ADDR`` and ``PORT``, the last two as they are in the
        environment, if they are; nothing elsewhere than in such a step.

    Raises:
        InputError: the step has several nodes and another number of tasks.
    """
    if int(environment.get('SLURM_STEP_NUM_NODES') or 1) == 1:
        return {}
    step = _Step(environment, '--gpus')
    nodes, tasks = step['SLURM_STEP_NUM_NODES'], step['SLURM_STEP_NUM_TASKS']
    if nodes != tasks:
        raise InputError(
            f'--gpus on {nodes} nodes of Slurm takes one task on each (srun --ntasks-per-node=1), '
            f'and there are {tasks}; with one task for each process use --launcher slurm'
        )
    return dict(
        NNODES=nodes,
        NODE_RANK=step['SLURM_NODEID'],
        MASTER_ADDR=environment.get('MASTER_ADDR') or step.master,
        PORT=environment.get('PORT') or str(step.port),
    )


def first_host(hosts: str) -> str:
    """The first of a list of hosts as Slurm abbreviates them.

    >>> first_host('rack[02-03,7]-node[5,9],login')
    'rack02-node5'
    """
    return re.sub(r'\[(\w+)[^]]*\]', r'\1', hosts).partition(',')[0]


class _Step:
    """The variables of a step; one that is missing is an :class:`InputError`.

    Args:
        environment: of a process.
        option: the option that needs them.
    """

    def __init__(self, environment: Mapping[str, str], option: str) -> None:
        self._environment, self._option = environment, option

    def __getitem__(self, name: str) -> str:
        value = self._environment.get(name)
        if not value:
            raise InputError(
                f'{self._option}: {name} is not set, as it is in what srun starts: start it with '
                'srun (tools/slurm_train.sh)'
            )
        return value

    @property
    def master(self) -> str:
        """The host of the first task."""
        return first_host(self['SLURM_STEP_NODELIST'])

    @property
    def port(self) -> int:
        """A port that all tasks of the step agree on, and the next steps and jobs have others."""
        job, step = int(self['SLURM_JOB_ID']), int(self['SLURM_STEP_ID'])
        return PORTS[(16 * job + step) % len(PORTS)]
