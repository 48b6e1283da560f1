"""Options of the commands that read a config: overrides of its settings, processes that run it."""

import argparse
import contextlib
import os
import random
import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from mmaction_ext.engine.slurm_step import node_variables
from mmaction_ext.errors import check_at_least

#: one machine: any port of so many, so that two runs do not meet
_PORTS = range(20000, 40000)


class _Overrides(argparse.Action):
    """Reads ``KEY=VALUE`` as mmengine does, which is imported where there is one to read."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from mmengine.config import DictAction

        for word in values or ():
            if '=' not in word:
                raise argparse.ArgumentError(self, f'{word!r} is not KEY=VALUE')
        DictAction(self.option_strings, self.dest)(parser, namespace, values, option_string)


def add_overrides_option(
    parser: argparse._ActionsContainer, role: str = 'override settings of the config'
) -> None:
    """``--cfg-options``, dotted keys to values; ``role`` is its help."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=_Overrides, metavar='KEY=VALUE', help=role
    )


def add_fold_option(parser: ArgumentParser) -> None:
    """``--fold``: which fold of a config that declares ``folds``."""
    parser.add_argument(
        '--fold', metavar='FOLD', help='fold of the data, of a config that declares folds'
    )


def add_processes_options(parser: ArgumentParser) -> None:
    """``--gpus`` and ``--launcher``; see :func:`spread`."""
    group = parser.add_argument_group('processes')
    group.add_argument(
        '--gpus',
        type=int,
        metavar='N',
        help='start N processes on this machine with torchrun: one per GPU, or on the CPU where '
        'there is none. Several machines: start it on each, with NNODES, NODE_RANK, MASTER_ADDR '
        'and PORT set, or with srun --ntasks-per-node=1',
    )
    group.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how processes were started by something else (slurm: by srun, one task for each)',
    )
    group.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def spread(args: Namespace) -> int | None:
    """Run the same command line in ``args.gpus`` processes.

    Environment variables ``NNODES``, ``NODE_RANK``, ``MASTER_ADDR`` and ``PORT`` say which other
    machines take part; in a step of Slurm with one task on each of several nodes, Slurm does.
    Warnings ahead of a preemption reach the processes, too.

    Returns:
        The exit code of the first process that failed, or 0; ``None`` where this process itself
        is to do the work.

    Raises:
        KeyboardInterrupt: Ctrl-C, once the processes have ended.
        InputError: there are to be no processes, or Slurm has not one task on each node.
    """
    if args.gpus is None or args.launcher != 'none':
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        return None
    check_at_least('--gpus', args.gpus, 1)
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    if 'NNODES' not in os.environ:
        os.environ.update(node_variables(os.environ))
    nodes = os.environ.get('NNODES', '1')
    port = random.choice(_PORTS) if nodes == '1' else 29500
    for warning in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(warning, _pass_on)
    try:
        torchrun(
            [
                f'--nnodes={nodes}',
                f'--node_rank={os.environ.get("NODE_RANK", 0)}',
                f'--nproc_per_node={args.gpus}',
                f'--master_addr={os.environ.get("MASTER_ADDR", "127.0.0.1")}',
                f'--master_port={os.environ.get("PORT", port)}',
                '--module',
                'mmaction_ext',
                *args.argv,
                '--launcher',
                'pytorch',
            ]
        )
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return 128 - code if code < 0 else code
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        return 128 + error.sigval
    return 0


def _pass_on(signum: int, frame: FrameType | None) -> None:
    """Send a signal to the processes that torchrun has started; each has a session of its own."""
    for children in Path('/proc/self/task').glob('*/children'):
        for child in map(int, children.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signum)
