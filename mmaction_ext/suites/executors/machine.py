"""What this machine has for runs: GPUs, found without torch, or CPU cores."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmaction_ext.errors import InputError, check_at_least

#: seconds that `nvidia-smi` may take; it waits for drivers that are being loaded
_ASK_SECONDS = 60
_LISTED = re.compile(r'^(GPU|\s+MIG) .*\(UUID: ([\w./-]+)\)', re.MULTILINE)
_NAME = re.compile(r'(GPU|MIG)-')


def find_gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs that runs may use, each as ``CUDA_VISIBLE_DEVICES`` names it.

    Where that is set, those that it names, up to the first that there is not, as CUDA reads it.
    Of a GPU that is divided (MIG), its instances, of which a process can use one. GPUs are found
    by ``nvidia-smi -L``, without it by their device files.
    """
    there = _listed_gpus() or _device_files()
    visible = environment.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        return there
    found = []
    for word in visible.split(','):
        word = word.strip()
        if word.isdecimal():
            known = int(word) < len(there)
        else:
            known = bool(_NAME.match(word)) and any(
                gpu.startswith(word) or gpu.isdecimal() for gpu in there
            )
        if not known:
            break
        found.append(word)
    return tuple(dict.fromkeys(found))


def _listed_gpus() -> tuple[str, ...]:
    """Ids of GPUs, or of the instances that they are divided into."""
    if not shutil.which('nvidia-smi'):
        return ()
    try:
        done = subprocess.run(
            ['nvidia-smi', '-L'], capture_output=True, text=True, timeout=_ASK_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found: list[str] = []
    for kind, name in _LISTED.findall(done.stdout) if done.returncode == 0 else ():
        if kind.strip() == 'MIG' and found and found[-1].startswith('GPU-'):
            found.pop()  # no process can use the whole of it
        found.append(name)
    return tuple(found)


def _device_files() -> tuple[str, ...]:
    numbers = (path.name.removeprefix('nvidia') for path in Path('/dev').glob('nvidia*'))
    return tuple(sorted(filter(str.isdecimal, numbers), key=int))


@dataclass
class Slots:
    """What runs get of this machine.

    Attributes:
        gpus: the GPUs; empty where runs are on the CPU.
        per_run: GPUs of a training, or processes on the CPU.
        parallel: how many runs there are at a time; GPUs are shared where they do not suffice.
        threads: of each process on the CPU; ``None`` as the environment says.
    """

    gpus: tuple[str, ...]
    per_run: int
    parallel: int
    threads: int | None = None
    _used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_machine(
        cls,
        per_run: int = 1,
        parallel: int | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> 'Slots':
        """What this machine has.

        On the CPU each process has the threads of ``OMP_NUM_THREADS``; without it one, or where
        ``parallel`` is given as many as there are cores for each.

        Args:
            per_run: GPUs of each training.
            parallel: how many runs at a time; as many as GPUs or cores suffice for if ``None``.
            environment: ``CUDA_VISIBLE_DEVICES`` and ``OMP_NUM_THREADS`` count.

        Raises:
            InputError: there are fewer GPUs, or cores, than a run is to have.
        """
        check_at_least('--gpus-per-run', per_run, 1)
        if parallel is not None:
            check_at_least('--max-parallel', parallel, 1)
        gpus = find_gpus(environment)
        if gpus:
            if per_run > len(gpus):
                raise InputError(
                    f'--gpus-per-run {per_run}: this machine has {len(gpus)} GPUs to be used'
                )
            if per_run > 1 and any(gpu.startswith('MIG-') for gpu in gpus):
                raise InputError(
                    f'--gpus-per-run {per_run}: the GPUs of this machine are divided (MIG), and '
                    'a run cannot use more than one part'
                )
            return cls(gpus, per_run, parallel or len(gpus) // per_run)
        cores = len(os.sched_getaffinity(0))
        if per_run > cores:
            raise InputError(
                f'--gpus-per-run {per_run}: this machine has no GPU to be used, and {cores} CPU '
                'cores'
            )
        told = environment.get('OMP_NUM_THREADS', '').partition(',')[0]
        if told.isdecimal() and int(told):
            return cls((), per_run, parallel or max(1, cores // (int(told) * per_run)))
        threads = max(1, cores // (parallel * per_run)) if parallel else 1
        return cls((), per_run, parallel or cores // per_run, threads)

    def __str__(self) -> str:
        """``2 at a time on 2 CPU cores``, for instance."""
        if self.gpus:
            place = f'{len(self.gpus)} GPU{"s" * (len(self.gpus) > 1)}'
        else:
            place = f'{len(os.sched_getaffinity(0))} CPU cores'
        each = f', {self.per_run} {"GPUs" if self.gpus else "processes"} each'
        return f'{self.parallel} at a time on {place}{each * (self.per_run > 1)}'

    def take(self, width: int) -> tuple[str, ...]:
        """The GPUs for a run, those with the fewest others; to be given back in the end.

        Args:
            width: how many.
        """
        taken = tuple(sorted(self.gpus, key=self._used.__getitem__)[:width])
        self._used.update(taken)
        return taken

    def give_back(self, gpus: tuple[str, ...]) -> None:
        """What :meth:`take` gave is free again."""
        self._used.subtract(gpus)

    def environment(self, gpus: tuple[str, ...]) -> dict[str, str]:
        """Variables of a run beside those of this process."""
        variables = {'CUDA_VISIBLE_DEVICES': ','.join(gpus)} if gpus else {}
        if self.threads is not None:
            variables['OMP_NUM_THREADS'] = str(self.threads)
        return variables
