"""Measure the peak memory of the operators and of their peers, each in a fresh process.

    python tools/benchmarks/memory.py
    python tools/benchmarks/memory.py --sizes r50_28_L1 k16_static --implementations auto unfold
    python tools/benchmarks/memory.py --device cuda

``forward_mb`` and ``both_mb`` are MiB beyond what the inputs and the gradient of the outputs take,
at the peak of the forward pass and of both passes; ``volume_mb`` and ``gradient_mb`` are what the
outputs and the gradient of the inputs take by themselves, which nobody can do without.
``forward_over`` and ``both_over`` are the multiples of that, ``over_input`` what both passes take
as a multiple of the input.

On the CPU: the process's largest resident size (``VmHWM``, reset after a call at a small size)
less what was resident before, with the system's allocator as it is. On a GPU, in one process, what
PyTorch's allocator had given out. What lays windows out is measured for fewer clips where all
would not fit (``clips``). It takes about twenty minutes on two cores.
Whether the operators are right is for ``operators.py`` to say, which this one asks at small sizes.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import common
import operators
import torch

COLUMNS = (
    'operator',
    'size',
    'shape',
    'implementation',
    'clips',
    'forward_mb',
    'both_mb',
    'volume_mb',
    'gradient_mb',
    'forward_over',
    'both_over',
    'over_input',
    *common.ENVIRONMENT,
)
SHOWN = COLUMNS[1:2] + COLUMNS[3:4] + COLUMNS[5:12]
_MIB = 1 << 20


def measured(name: str, implementation: str, device: str, tiny: bool) -> dict[str, Any]:
    """What an implementation takes at a size, in this process."""
    size = operators.SIZES[name].tiny() if tiny else operators.SIZES[name]
    case = dict(operators.cases(size, [implementation], device))[implementation]
    given = operators.inputs(size, device, torch.float32)
    given = tuple(each[: case.clips].clone() for each in given)
    # a compiled form knows one size only, the others load what they need at any
    first = size if implementation.startswith('compiled') else size.tiny()
    warm = dict(operators.cases(first, [implementation], device))[implementation]
    for call in operators.calls(warm, operators.inputs(first, device, torch.float32)).values():
        call()
    peaks = {kind: _peak(call, device) for kind, call in operators.calls(case, given).items()}
    with torch.no_grad():
        outputs = operators.differentiable(case.function(*given))
    volume, gradient = (
        sum(each.numel() * each.element_size() for each in tensors) / _MIB
        for tensors in (outputs, given)
    )
    return dict(
        clips=case.clips,
        forward_mb=peaks['forward'],
        both_mb=peaks['both'],
        volume_mb=volume,
        gradient_mb=gradient,
        forward_over=peaks['forward'] / volume,
        both_over=peaks['both'] / (volume + gradient),
        over_input=peaks['both'] / gradient,
    )


def _peak(call: Callable[[], object], device: str) -> float:
    """MiB that a call takes at most, beyond what was there."""
    gc.collect()
    if device == 'cuda':
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - before) / _MIB
    ctypes.CDLL(None).malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')  # the peak is what is resident now
    resident = common.status_mb('VmRSS')
    call()
    return common.peak_mb() - resident


def in_a_process(name: str, implementation: str, args: argparse.Namespace) -> dict[str, Any]:
    """:func:`measured` in a process of its own, with the system's allocator.

    Raises:
        SystemExit: it fails.
    """
    environment = {key: each for key, each in os.environ.items() if key not in common.ALLOCATOR}
    options = ['--measure', name, implementation, '--device', args.device]
    options += ['--threads', str(args.threads), *(['--tiny'] if args.tiny else [])]
    done = subprocess.run(
        [sys.executable, __file__, *options, '--output', os.devnull],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f'{name}, {implementation}: {done.stderr.strip()}')
    return json.loads(done.stdout.splitlines()[-1])


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = common.parser(__doc__, 'memory', timed=False)
    operators.add_choices(made)
    made.add_argument('--measure', nargs=2, help=argparse.SUPPRESS)
    return operators.chosen(common.parse(made, argv))


def main(argv: Sequence[str] | None = None) -> None:
    """Check at small sizes, then measure one process after the other."""
    args = parse_args(argv)
    if args.measure:
        name, implementation = args.measure
        print(json.dumps(measured(name, implementation, args.device, args.tiny)))
        return
    for name in args.sizes:
        operators.checked(operators.SIZES[name].tiny(), torch.float32, args)
    table = common.Table(args.output, COLUMNS, SHOWN, common.environment(args, args.device))
    for name in args.sizes:
        size = operators.SIZES[name].tiny() if args.tiny else operators.SIZES[name]
        for implementation, _ in operators.cases(size, args.implementations, args.device):
            common.progress(f'measuring {name} {implementation}')
            table.add(
                operator=operators.operator(size),
                size=name,
                shape='x'.join(map(str, size.shape)),
                implementation=implementation,
                **(
                    measured(name, implementation, args.device, args.tiny)
                    if args.device == 'cuda'
                    else in_a_process(name, implementation, args)
                ),
            )


if __name__ == '__main__':
    main()
