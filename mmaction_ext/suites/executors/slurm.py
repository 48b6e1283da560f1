"""Runs on a Slurm cluster: arrays of jobs that Slurm starts, and starts again, without us.

``submitit`` writes the batch scripts (arrays, dependencies, the warning before a job is ended).
It pickles nothing for the jobs: what they do stands in a file of plain data, for
:mod:`mmaction_ext.suites.executors.slurm_task`. So no job is left without its task where a
submission is cut off, and none goes back to the checkpoint that was the newest when it was
submitted (facebookresearch/fairchem#1055): ``--resume`` looks when it starts.

Jobs are known by names that are noted before they are submitted. A Slurm that answers late, or
not, is asked for the name; a job that turns up later yet finds that its runs have been handed to
another one, and does nothing.
"""

import contextlib
import json
import math
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError, check_at_least, did_you_mean
from mmaction_ext.files.writing import write_atomically
from mmaction_ext.suites.plan import Task
from mmaction_ext.suites.store import Handed, Suite, handing_time

#: seconds after which a command of Slurm has not answered
ANSWER_SECONDS = 60.0
#: jobs of an array: one more has an index that Slurm's MaxArraySize does not allow by default
ARRAY_SIZE = 1000
#: file of an array's tasks, in the folder with what submitit keeps of it
TASKS_FILE = 'tasks.json'
#: states in which a job has ended
_ENDED = (
    *('BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY'),
    *('PREEMPTED', 'REVOKED', 'TIMEOUT'),
)
#: what commands say that cannot reach Slurm, or got no answer
_UNANSWERED = re.compile('timed out|[Uu]nable to contact|[Cc]onnection|Zero Bytes')
#: variables of Slurm that are the user's, not those of a job in which ``launch`` may run
_OF_THE_USER = ('SLURM_CONF', 'SLURM_CLUSTERS', 'SLURM_JWT')
#: options of sbatch by which jobs are found, started once for each task, and come back
_OWN = (
    *('array', 'cpus-per-task', 'dependency', 'error', 'gpus-per-node', 'job-name'),
    *('kill-on-invalid-dep', 'no-requeue', 'nodes', 'ntasks', 'ntasks-per-node', 'open-mode'),
    *('output', 'parsable', 'requeue', 'signal', 'test-only', 'wait', 'wrap'),
    *('mem', 'partition', 'time'),  # options of `launch`
)
#: cores of each process on nodes without GPUs, as mmaction2's scripts have it
_CPUS_PER_PROCESS = 5


def ask(*command: str) -> str:
    """What a command of Slurm prints.

    Args:
        command: its words.

    Raises:
        Unanswered: it said nothing in :data:`ANSWER_SECONDS`, or cannot reach Slurm.
        InputError: it is not installed, or Slurm refuses.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('SQUEUE_', 'SINFO_', 'SLURM_')) or name in _OF_THE_USER
    }
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            timeout=ANSWER_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise Unanswered(f'{command[0]}: Slurm did not answer in {ANSWER_SECONDS:g} s') from None
    except OSError as error:
        raise InputError(
            f'{command[0]} cannot be called ({error.strerror}): Slurm is used from where its '
            'commands are installed'
        ) from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or 'no reason').splitlines()
        told = [line for line in lines if not line.startswith('Try "')] or lines  # to see --help
        said = told[-1].removeprefix(f'{command[0]}: ')
        kind = Unanswered if _UNANSWERED.search(done.stderr) else InputError
        raise kind(f'{command[0]}: {said}')
    return done.stdout


class Unanswered(InputError):
    """Slurm does not answer: what it was asked for may have happened, or happen yet."""


@dataclass(frozen=True)
class Nodes:
    """Nodes of a partition that are alike.

    Attributes:
        count, cpus, gpus: how many there are, and of each one's.
        memory: of each, in MB.
    """

    count: int
    cpus: int
    gpus: int
    memory: int


@dataclass(frozen=True)
class Partition:
    """A partition of the cluster.

    Attributes:
        name: its name.
        is_default: whether jobs that name none go there.
        limit: seconds after which any job there is ended.
        usual: the same of a job that does not say how long it takes.
        nodes: its nodes.
    """

    name: str
    is_default: bool
    limit: float
    usual: float
    nodes: tuple[Nodes, ...]


def partitions() -> dict[str, Partition]:
    """Partitions of the cluster that take jobs, by name.

    Raises:
        InputError: as :func:`ask`.
    """
    found: dict[str, Partition] = {}
    for line in ask(
        'sinfo', '--noheader', '--all', '--exact', '--format=%P|%a|%l|%L|%D|%c|%m|%G'
    ).splitlines():
        facts = line.strip().split('|')
        if len(facts) != 8 or facts[1] != 'up':  # some clusters greet whoever calls a command
            continue
        name, _, limit, usual, count, cpus, memory, devices = facts
        gpus = sum(
            int(match[1] or 1)
            for device in re.sub(r'\([^)]*\)', '', devices).split(',')
            if (match := re.fullmatch(r'gpu(?::[^:]*[^:\d][^:]*)?(?::(\d+))?', device))
        )
        nodes = Nodes(int(count), int(cpus), gpus, int(memory))
        known = found.get(name.rstrip('*'))
        found[name.rstrip('*')] = Partition(
            name.rstrip('*'),
            name.endswith('*'),
            read_time(limit),
            read_time(limit if usual == 'n/a' else usual),
            (*(known.nodes if known else ()), nodes),
        )
    return found


def read_time(text: str) -> float:
    """Seconds that a time in Slurm's notation means: ``90`` minutes, ``1:30:00``, ``1-12``.

    Raises:
        InputError: it is none.
    """
    if text.lower() in ('infinite', 'unlimited'):
        return math.inf
    match = re.fullmatch(r'(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?', text)
    if not match:
        raise InputError(f'--time {text!r} is none of minutes, H:MM:SS, D-HH and D-HH:MM:SS')
    days, *parts = (None if part is None else int(part) for part in match.groups())
    numbers = [part for part in parts if part is not None]
    units = (3600, 60, 1) if days is not None or len(numbers) == 3 else (60, 1)
    return (days or 0) * 86400 + sum(
        number * unit for number, unit in zip(numbers, units, strict=False)
    )


def _megabytes(text: str) -> float:
    match = re.fullmatch(r'(\d+)([KMGT]?)B?', text.upper())
    if not match:
        raise InputError(f'--mem {text!r} is no size: 16G, for instance')
    return int(match[1]) * dict(K=2**-10, M=1, G=2**10, T=2**20)[match[2] or 'M']


@dataclass(frozen=True)
class Share:
    """What each job gets; see :class:`Resources`.

    Attributes:
        nodes: nodes.
        gpus, processes, cpus: of each node.
        time: its limit in Slurm's notation.
    """

    nodes: int
    gpus: int
    processes: int
    cpus: int
    time: str


@dataclass(frozen=True)
class Resources:
    """What runs get of the cluster.

    Attributes:
        processes: how many train a run together: one for each GPU in a partition with GPUs.
        partition: its name; the cluster's own choice without one.
        time: limit of a job in Slurm's notation, after which it goes on in another one; that of
            the partition without one.
        cpus: cores of each node that a job runs on; without any a process's share of the node.
        memory: of each node, as ``16G``; Slurm's own choice without one.
        parallel: how many jobs run at a time; as many as the cluster allows without it.
        warning: seconds before the end at which a job is told to save and stop.
        options: more of sbatch: ``{'account': 'vision'}``.
    """

    processes: int = 1
    partition: str = ''
    time: str = ''
    cpus: int = 0
    memory: str = ''
    parallel: int | None = None
    warning: int = 120
    options: Mapping[str, str] = field(default_factory=dict)

    def share(self, processes: int | None = None) -> Share:
        """What a job gets, once it is sure that the partition has it.

        Args:
            processes: if not :attr:`processes`.

        Raises:
            InputError: the partition is unknown, has not so many GPUs, cores or memory, or does
                not let jobs take so long; an option of sbatch is none that can be chosen; Slurm
                cannot be asked.
        """
        processes = self.processes if processes is None else processes
        check_at_least('--gpus-per-run', processes, 1)
        check_at_least('--cpus-per-node', self.cpus, 0)
        for name in self.options:
            if any(own.startswith(name.replace('_', '-')) for own in _OWN):  # as sbatch reads it
                raise InputError(f'--sbatch {name}: launch decides that itself')
        place = self._place()
        where = f'partition {place.name}'
        gpus, nodes = 0, 1
        if any(each.gpus for each in place.nodes):
            nodes = _fewest_nodes(processes, place)
            gpus = processes // nodes
        fit = [each for each in place.nodes if each.gpus >= gpus]
        cpus = self.cpus or min(
            each.cpus * gpus // each.gpus if gpus else _CPUS_PER_PROCESS * processes
            for each in fit
        )
        most = max(each.cpus for each in fit)
        if self.cpus > most or (not gpus and processes > most):
            raise InputError(
                f'{max(self.cpus, processes)} cores: {where} has no node with more than {most}'
            )
        memory = max(each.memory for each in fit)
        if self.memory and _megabytes(self.memory) > memory:
            raise InputError(
                f'--mem {self.memory}: {where} has no node with more than {memory} MB'
            )
        if self.time and (read_time(self.time) or math.inf) > place.limit:  # 0: without a limit
            raise InputError(
                f'--time {self.time}: {where} ends jobs after {place.limit / 3600:g} h'
            )
        seconds = min(place.usual, place.limit)
        minutes = '0' if math.isinf(seconds) else str(max(1, int(seconds // 60)))
        return Share(
            nodes, gpus, processes // nodes, max(1, min(cpus, most)), self.time or minutes
        )

    def _place(self) -> Partition:
        found = partitions()
        if not found:
            raise InputError('the Slurm here has no partition that takes jobs')
        if self.partition and self.partition not in found:
            raise InputError(
                f'--partition {self.partition}: the Slurm here has {", ".join(found)}'
                f'{did_you_mean(self.partition, found)}'
            )
        if self.partition:
            return found[self.partition]
        defaults = [each for each in found.values() if each.is_default]
        if not defaults:
            raise InputError(f'name a --partition: {", ".join(found)}')
        return defaults[0]


def _fewest_nodes(gpus: int, place: Partition) -> int:
    """On how many nodes of a partition a run has its GPUs, as many on each."""
    for width in sorted({each.gpus for each in place.nodes if each.gpus}, reverse=True):
        nodes = -(-gpus // width)
        there = sum(each.count for each in place.nodes if each.gpus >= gpus / nodes)
        if gpus % nodes == 0 and there >= nodes:
            return nodes
    each = ' + '.join(f'{each.count} x {each.gpus}' for each in place.nodes)
    raise InputError(
        f'--gpus-per-run {gpus}: partition {place.name} has {each} GPUs, on which these cannot be '
        'spread evenly'
    )


@dataclass(frozen=True)
class QueuedJob:
    """A job that has not ended.

    Attributes:
        id: how commands of Slurm name it.
        state: Slurm's word for what it does, as ``PENDING``.
        where: its nodes, or why it has none.
    """

    id: str
    state: str
    where: str


def queued(handles: Collection[str]) -> dict[str, QueuedJob]:
    """Which jobs of some the cluster still has.

    Args:
        handles: see :class:`mmaction_ext.suites.store.Handed`.

    Raises:
        InputError: as :func:`ask`.
    """
    names = sorted({handle.rpartition('_')[0] for handle in handles})
    found = {}
    for start in range(0, len(names), 500):
        for line in ask(
            'squeue',
            '--noheader',
            '--array',
            '--all',
            '--states=all',
            f'--name={",".join(names[start : start + 500])}',
            '--format=%j|%K|%F|%T|%R',
        ).splitlines():
            facts = line.strip().split('|', 4)
            if len(facts) != 5:  # as in :func:`partitions`
                continue
            name, index, array, state, where = facts
            handle = f'{name}_{index}'
            if handle in handles and state not in _ENDED:
                found[handle] = QueuedJob(f'{array}_{index}', state, where.strip('()'))
    return found


def cancel(handles: Collection[str]) -> int:
    """Have the cluster end jobs, and forget those that wait; how many there were.

    Raises:
        InputError: as :func:`ask`.
    """
    jobs = sorted(job.id for job in queued(handles).values())
    for start in range(0, len(jobs), 500):
        ask('scancel', *jobs[start : start + 500])
    return len(jobs)


class SlurmExecutor:
    """Hands the runs of a suite to Slurm.

    Args:
        suite: the suite.
        runs: folder of all runs, which the nodes see under the same name.
        resources: what runs get.
        retries: how often a job is started again that got no further since its last start.

    Raises:
        InputError: ``submitit`` or Slurm is not installed, the cluster has not what is asked for,
            or Slurm would find no such folder.
    """

    def __init__(self, suite: Suite, runs: Path, resources: Resources, retries: int = 2) -> None:
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise InputError(
                '--executor slurm needs the library submitit, which is not installed '
                '(pip install submitit)'
            ) from error
        self.suite, self.runs, self.resources, self.retries = suite, runs, resources, retries
        folder = str(suite.folder.absolute())
        for sign in '%\\':
            if sign in folder:
                raise InputError(f'{folder}: Slurm has a meaning of its own for {sign} in a path')
        self._shares = {
            processes: resources.share(processes) for processes in {resources.processes, 1}
        }
        try:
            self._writer = submitit.SlurmExecutor(folder=suite.folder)
        except RuntimeError as error:
            raise InputError('srun is not installed here, as it is where jobs run') from error
        self._jobs: dict[str, str] = {}

    def submit(self, tasks: Sequence[Task]) -> list[Handed]:
        """Hand tasks over; comes back when Slurm has all of them.

        Args:
            tasks: each after those that it needs.

        Returns:
            What was handed over, as the suite's journal has it.

        Raises:
            InputError: Slurm does not take them. Those that it has taken by then are in the
                journal, those that it refused are not, and of those of which nobody can tell a
                later job is the one that counts.
        """
        groups: dict[tuple[str, tuple[str, ...]], list[Task]] = {}
        here = {task.run for task in tasks}
        for task in tasks:
            needs = tuple(sorted(here.intersection(task.needs)))
            groups.setdefault((task.job.kind, needs), []).append(task)
        handed = []
        for (kind, needs), group in groups.items():
            processes = self.resources.processes if kind == 'train' else 1
            chunks = [
                group[start : start + ARRAY_SIZE] for start in range(0, len(group), ARRAY_SIZE)
            ]
            parallel = self.resources.parallel
            for chunk in chunks:
                handed += self._submit(
                    chunk,
                    self._shares[processes],
                    [self._jobs[run] for run in needs],
                    max(1, parallel // len(chunks)) if parallel else len(chunk),
                )
        return handed

    def _submit(
        self, tasks: Sequence[Task], share: Share, needs: Sequence[str], parallel: int
    ) -> list[Handed]:
        """Submit one array."""
        name = f'{self.suite.name[:80]}.{secrets.token_hex(4)}'
        folder = self.suite.folder / 'slurm' / name
        now = handing_time(self.runs, {task.run for task in tasks})
        handed = [
            Handed(task.run, 'slurm', f'{name}_{index}', task.config_hash, now, task.job.name)
            for index, task in enumerate(tasks)
        ]
        several = share.nodes > 1 or share.processes > 1
        content = dict(
            suite=self.suite.name,
            runs=str(self.runs.absolute()),
            retries=self.retries,
            tasks=[
                dict(
                    vars(each),
                    arguments=_arguments(task, share.processes if several else 0),
                )
                for each, task in zip(handed, tasks, strict=True)
            ],
        )
        try:
            folder.mkdir(parents=True)
            write_atomically(folder / TASKS_FILE, json.dumps(content, indent=1))
            script = folder / 'batch.sh'
            script.write_text(self._script(name, folder, share, needs, parallel, len(tasks)))
        except OSError as error:
            raise InputError(f'{folder} cannot be written: {error.strerror}') from error
        self.suite.hand(handed)
        array = self._sbatch(script, name, [task.run for task in tasks])
        self._jobs.update((task.run, f'{array}_{index}') for index, task in enumerate(tasks))
        return handed

    def _script(
        self,
        name: str,
        folder: Path,
        share: Share,
        needs: Sequence[str],
        parallel: int,
        count: int,
    ) -> str:
        """The batch script of an array."""
        resources, more = self.resources, dict(self.resources.options)
        if resources.memory:
            more['mem'] = resources.memory
        parameters: dict[str, Any] = dict(
            job_name=name,
            partition=resources.partition or None,
            time=share.time,
            nodes=share.nodes,
            ntasks_per_node=1,
            cpus_per_task=share.cpus,
            gpus_per_node=share.gpus or None,
            array_parallelism=parallel,
            signal_delay_s=resources.warning,
            stderr_to_stdout=True,
            # since 22.05 a step does not inherit the cores of its job
            srun_args=[f'--cpus-per-task={share.cpus}'],
            additional_parameters=dict(more, requeue=True),
        )
        if needs:
            parameters['dependency'] = f'afterok:{":".join(needs)}'
            parameters['additional_parameters']['kill-on-invalid-dep'] = 'yes'
        self._writer.folder = folder.absolute()
        self._writer.parameters = {'map_count': count}
        self._writer.update_parameters(**parameters)
        command = [sys.executable, '-u', '-m', f'{__package__}.slurm_task']
        return self._writer._make_submission_file_text(
            shlex.join([*command, str(folder.absolute() / TASKS_FILE)]), ''
        )

    def _sbatch(self, script: Path, name: str, runs: Iterable[str]) -> str:
        """Submit a script; the number of the array."""
        try:
            return self._writer._get_job_id_from_submission_command(ask('sbatch', str(script)))
        except Unanswered as error:
            jobs = ''
            with contextlib.suppress(Unanswered):
                jobs = ask('squeue', '-h', '--all', '--states=all', f'--name={name}', '-o%F')
            numbers = [word for word in jobs.split() if word.isdecimal()]
            if numbers:
                return numbers[0]
            raise Unanswered(
                f'{error}; launch again once it does: if it takes job {name} later yet, that job '
                'does nothing'
            ) from error
        except InputError as error:
            self.suite.take_back(runs, f'refused: {error}')
            raise


def _arguments(task: Task, processes: int) -> list[str]:
    """Words after ``mmaction-ext`` on each node; ``processes`` there, or 0 for just one."""
    words = task.arguments(1)
    return [*words, '--gpus', str(processes)] if processes else words
