"""What a job of :class:`mmaction_ext.suites.executors.slurm.SlurmExecutor` does on each node.

It starts the command of its task and waits for it. One that was warned and has saved where it was
goes back into the queue, as do those that Slurm itself preempts. A job whose starts get no further
gives up.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean
from mmaction_ext.suites.executors.local import LOGS, PROGRAM
from mmaction_ext.suites.executors.slurm import ask
from mmaction_ext.suites.store import all_suites
from mmaction_ext.tracking.ledger.forms import AttemptEntry
from mmaction_ext.tracking.reading.ledger import read_ledger

#: seconds after which a journal on a shared folder tells what was written elsewhere
JOURNAL_SECONDS = 60
#: warnings ahead of the end: Slurm's, and that of submitit
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
#: ``mmaction-ext train`` ends with it, or dies of a warning that came before it could save
_AGAIN = (os.EX_TEMPFAIL, *(128 + number for number in _WARNINGS))


def main(path: str) -> int:
    """Do the task of this array index; the exit code of its command, or 1.

    Args:
        path: file of the array's tasks.
    """
    content = json.loads(Path(path).read_text())
    task, runs = content['tasks'][int(os.environ['SLURM_ARRAY_TASK_ID'])], Path(content['runs'])
    obstacle = _obstacle(runs, content['suite'], task)
    if not obstacle and int(os.environ.get('SLURM_RESTART_COUNT', 0)):
        entries, job = read_ledger(runs, task['run']).entries, os.environ['SLURM_JOB_ID']
        if is_done_by(entries, job):
            print(clean(f'{task["run"]}: an earlier start of this job has finished it'))
            return 0
        starts = starts_in_vain(entries, job)
        if starts > content['retries']:
            obstacle = f'{starts} starts of this job got no further'
    if obstacle:
        print(clean(f'{task["run"]}: nothing is done, {obstacle}'))
        return 1
    code = _run(task, runs)
    if code in _AGAIN and os.environ.get('SLURM_NODEID', '0') == '0':
        _requeue(task['run'])
    return code


def _obstacle(runs: Path, suite: str, task: dict[str, Any]) -> str:
    """Why a run is not to be started, in words; empty if it is."""
    until = time.monotonic() + JOURNAL_SECONDS
    while True:
        known = {each.name: each.known().get(task['run']) for each in all_suites(runs)}
        for name, (handed, event) in ((name, each) for name, each in known.items() if each):
            is_other = handed.handle != task['handle']
            if event != 'back' and is_other and handed.time > task['time']:
                return f'{handed.handle or handed.executor} has it since, of suite {name}'
        own = known.get(suite)
        if own and own[0].handle == task['handle']:
            return dict(cancel='it was cancelled', back='it was taken back').get(own[1], '')
        if time.monotonic() > until:
            return 'the journal does not have it'
        time.sleep(1)


def is_done_by(entries: Sequence[AttemptEntry], job: str) -> bool:
    """Whether a job that starts again has done its run: on a node that Slurm took for lost.

    Args:
        entries: attempts at the run, oldest first.
        job: Slurm's number of the job.
    """
    return bool(entries) and entries[-1].exit_code == 0 and entries[-1].slurm_job == job


def starts_in_vain(entries: Sequence[AttemptEntry], job: str) -> int:
    """How many of a job's last attempts began at one and the same iteration.

    Args:
        entries: attempts at the run, oldest first.
        job: Slurm's number of the job.
    """
    of_job = [entry for entry in entries if entry.slurm_job == job]
    begun = {entry.resumed_from_iter or 0 for entry in of_job[-1:]}
    count = 0
    for entry in reversed(of_job):
        if (entry.resumed_from_iter or 0) not in begun:
            break
        count += 1
    return count


def _run(task: dict[str, Any], runs: Path) -> int:
    """Have the command done, with a log of its own; 128 + the signal if one ended it."""
    node = os.environ.get('SLURM_NODEID', '0')
    log = runs / LOGS / f'{task["run"]}{f".node{node}" if node != "0" else ""}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    # Slurm signals all processes of the step, so the command as well; this one waits for it
    for number in (*_WARNINGS, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with open(log, 'ab') as said:
        process = subprocess.Popen(
            [*PROGRAM, *task['arguments']],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        code = process.wait()
    code = 128 - code if code < 0 else code
    print(clean(f'{task["run"]}: exit code {code}, log in {log}'), flush=True)
    return code


def _requeue(run: str) -> None:
    """Put this job back into the queue, where a node can; else the next launch goes on."""
    try:
        ask('scontrol', 'requeue', os.environ['SLURM_JOB_ID'])
    except InputError as error:  # on some clusters login nodes alone have scontrol
        print(clean(f'{run}: not put back into the queue ({error}); launch goes on with it'))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
