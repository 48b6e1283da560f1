"""What kernels for GPUs are compiled to, and the bytes that they move; no GPU is needed.

    python tools/benchmarks/triton_static.py --output reports/benchmarks/triton_static.csv

The operators are called with tensors without values, and what they would start is compiled for
named devices: A100 (sm_80) and H100 or H200 (sm_90). Registers, spills and local memory are those
that ``ptxas -v`` tells of Triton's PTX. ``occupancy`` is the share of the 64 warps of a
multiprocessor that are resident where it holds as many blocks as

    min(32, 64 / warps, 65536 / (warps * 256 * ceil(32 * registers / 256)),
        memory / (shared + 1024))

with 164 KiB of shared memory on sm_80 and 228 KiB on sm_90, of which a block takes 1 KiB for
itself (CUDA Programming Guide, "Technical Specifications per Compute Capability").

Bytes are those of the addresses that Triton's interpreter, running the kernel of this very case,
loads from and stores to. The programs of one frame in the middle of a clip are run; those of the
others do the same, some frames on. The ends of a clip, which do less, are counted as its middle.

- ``issued_mb``: bytes of all loads and stores that are not masked, whoever serves them.
- ``distinct_mb``: sectors of 32 bytes that a program touches, each once, summed over programs.
  That would be moved if L1 kept all that a program touches, and L2 nothing.
- ``moved_mb``: sectors that the programs which are resident at once touch, each once, summed over
  such waves: programs start in the order of their numbers, and neighbours share frames. That is
  moved if L2 keeps what one wave touches and nothing of the one before. Where a wave touches more
  than L2 holds (40 and 50 MB), it is ``distinct_mb``.

``floor_mb`` is each tensor once, as in the study of the operators; ``ratio`` is ``moved_mb`` by
it. ``why`` argues where occupancy is below a half. Nothing here was measured on a GPU.
"""

import argparse
import csv
import importlib
import math
import multiprocessing
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from mmaction_ext.ops.correlation import triton as correlation
from mmaction_ext.ops.keypoint import triton as keypoint
from mmaction_ext.ops.keypoint.borders import coverage
from mmaction_ext.ops.launch import Launch, digest

SECTOR = 32
#: bytes of shared memory and of L2, multiprocessors
DEVICES = {80: (164 * 1024, 40e6, 108), 90: (228 * 1024, 50e6, 132)}
DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
TYPES = {torch.int64: 'i64', torch.int32: 'i32', **{v: k for k, v in DTYPES.items()}}
#: name -> N, C, T and the side of a map
SIZES = {
    'x3d_10': (8, 48, 13, 10),
    'x3d_20': (8, 24, 13, 20),
    'x3d_40': (8, 12, 13, 40),
    'r50_14': (8, 256, 8, 14),
    'r50_28': (8, 128, 8, 28),
    'r50_56': (8, 64, 8, 56),
}
SELFY_SIZES = {'selfy_14': (8, 128, 8, 14), 'selfy_28': (8, 128, 8, 28)}
#: Why a kernel has fewer than half of the warps, where it has.
WHY = {
    'forward_by_tiles': 'products, indices and window of a tile stay in registers; its products '
    'do not depend on each other, which hides what 16 to 24 warps do not',
    'backward_by_tiles': 'sums, gradients and indices of a tile stay in registers; fewer would '
    'spill, and its loads do not wait for its products',
    'backward_by_pixels': 'each of 24 or 28 warps has ten loads under '
    'way, and fewer registers would spill',
}
COLUMNS = (
    'operator', 'direction', 'size', 'offsets', 'dtype', 'target', 'kernel', 'programs',
    'constants', 'warps', 'stages', 'registers', 'spill_bytes', 'local_bytes', 'shared_bytes',
    'occupancy', 'why', 'issued_mb', 'distinct_mb', 'moved_mb', 'wave_mb', 'floor_mb', 'ratio',
    'source', 'triton', 'ptxas', 'date',
)  # fmt: skip


class Case(NamedTuple):
    """A kernel at a size.

    Attributes:
        names: values of the first columns.
        launch: what is started.
        arguments: what it is started with; tensors have no values but where these are places.
        steps: for each tensor, elements from one frame to the next.
        clips: how many there are, outermost in each tensor and in the grid.
        frames: of a clip; the programs of each are neighbours.
        channels: what the kernel loops over, loading the same of each and storing afterwards; one
            is run and counted as often as there are.
        parts: neighbours in the grid that do the same some elements further, so that one is run.
        part_steps: for each tensor, elements from one of them to the next.
    """

    names: dict[str, str]
    launch: Launch
    arguments: tuple[torch.Tensor | float, ...]
    steps: tuple[int, ...]
    clips: int
    frames: int
    channels: int = 1
    parts: int = 1
    part_steps: tuple[int, ...] = ()

    def tensors(self) -> dict[torch.Tensor, int]:
        """Those it is started with, each once, and the step between frames of each."""
        found = [x for x in self.arguments if isinstance(x, torch.Tensor)]
        return dict(zip(found, self.steps, strict=True))

    def programs(self) -> int:
        """How many programs a frame has."""
        return self.launch.grid // (self.clips * self.frames)


def recorded(module: Any, call: Callable[[], object]) -> tuple[Launch, tuple[Any, ...]]:
    """What an operator's module starts."""
    with mock.patch.object(module, 'start') as start:
        call()
    launch, *arguments = start.call_args.args
    return launch, tuple(arguments)


def correlation_cases() -> Iterator[Case]:
    """Both directions of the operator at every size."""
    for name, size in {**SIZES, **SELFY_SIZES}.items():
        plans = (
            {'-2..2': ((-2, -1, 0, 1, 2), (1,) * 5, (9, 9))}
            if name in SELFY_SIZES
            else {'L1': ((-1, 1), (1, 1), (5, 5)), 'L2': ((-2, -1, 1, 2), (2, 1, 1, 2), (5, 5))}
        )
        for offsets, plan in plans.items():
            for dtype in DTYPES:
                yield from _correlation_cases(name, size, offsets, plan, dtype)


def _correlation_cases(
    name: str, size: Sequence[int], offsets: str, plan: Any, dtype: str
) -> Iterator[Case]:
    n, channels, frames, side = size
    what = correlation.Correlation(*plan)
    x = torch.empty(n, channels, frames, side, side, dtype=DTYPES[dtype], device='meta')
    grad = x.new_empty(n, len(plan[0]) * plan[2][0] * plan[2][1], frames, side, side)
    calls: dict[str, Callable[[], object]] = dict(
        forward=lambda: correlation.forward(x, x, what, 1.0),
        backward=lambda: correlation.backward(grad, x, x, what, 1.0),
    )
    pixels = side * side
    steps = dict(
        forward=(pixels, pixels, pixels),
        backward=(pixels, pixels, pixels, channels * pixels, channels * pixels),
    )
    for direction, call in calls.items():
        names = dict(
            operator='local_correlation', direction=direction, size=name, offsets=offsets,
            dtype=dtype,
        )  # fmt: skip
        launch, arguments = recorded(correlation, call)
        more: dict[str, Any] = {}
        if launch.kernel == 'forward_by_pixels':
            more = dict(channels=channels)
        elif direction == 'backward':
            width = launch.constants['CHANNELS'] * pixels
            assert channels * pixels % width == 0, launch
            steps_of_parts = (0, width * frames, width * frames, width, width)
            more = dict(parts=channels * pixels // width, part_steps=steps_of_parts)
        yield Case(names, launch, arguments, steps[direction], n, frames, **more)


def regions_cases() -> Iterator[Case]:
    """Key points and means of KPSEM, on even grids: borders decide what a program touches."""
    for regions in (4, 9, 16):
        for dtype in DTYPES:
            yield from _regions_cases(regions, dtype)


def _regions_cases(regions: int, dtype: str) -> Iterator[Case]:
    (n, channels, frames, length, _), sets, side = (8, 384, 8, 14, 14), 8, math.isqrt(regions)
    x = torch.empty(n, channels, frames, length, length, dtype=DTYPES[dtype], device='meta')
    x = x.to(memory_format=torch.channels_last_3d)
    even = (torch.arange(side + 1) * length / side).round()
    rows, columns = (even.long().expand(n, sets, frames, -1).contiguous() for _ in range(2))
    of_rows, of_columns = (
        coverage(even, length).expand(n, frames, sets, -1, -1).contiguous() for _ in range(2)
    )
    found = x.new_empty(n, frames, sets, regions, channels)
    points = x.new_empty(*found.shape, 2, dtype=torch.int64)
    pixels, outputs, share = length**2 * channels, sets * regions * channels, sets * side * length
    calls: dict[tuple[str, str], tuple[Callable[[], object], tuple[int, ...]]] = {
        ('regional_key_points', 'forward'): (
            lambda: keypoint.maxima(x, rows, columns),
            (pixels, side + 1, side + 1, outputs, 2 * outputs),
        ),
        ('regional_key_points', 'backward'): (
            lambda: keypoint.maxima_backward(found, points, rows, length, length),
            (outputs, 2 * outputs, side + 1, pixels),
        ),
        ('regional_mean', 'forward'): (
            lambda: keypoint.sums(x, of_rows, of_columns),
            (pixels, share, share, outputs),
        ),
        ('regional_mean', 'backward'): (
            lambda: keypoint.sums_backward(found.float(), of_rows, of_columns, x),
            (outputs, share, share, pixels),
        ),
    }
    for (operator, direction), (call, steps) in calls.items():
        names = dict(
            operator=operator, direction=direction, size=f'k{regions}', offsets='', dtype=dtype
        )
        launch, arguments = recorded(keypoint, call)
        yield Case(names, launch, arguments, steps, n, frames)


# every operator with kernels
CASES = (correlation_cases, regions_cases)


def compiled(case: Case, target: int) -> dict[str, Any]:
    """Resources of a kernel on a device."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    launch = case.launch
    kernel = getattr(importlib.import_module(launch.module), launch.kernel)
    signature, constants, attributes = {}, dict(launch.constants), {}
    for index, name in enumerate(kernel.arg_names):
        if name in launch.constants:
            signature[name] = 'constexpr'
            continue
        value = case.arguments[index]
        if isinstance(value, torch.Tensor):
            signature[name] = f'*{TYPES[value.dtype]}'
        elif isinstance(value, float):
            signature[name] = 'fp32'
        elif value == 1:  # as the launcher of Triton does
            signature[name], constants[name] = 'constexpr', 1
        else:
            signature[name] = 'i32' if value < 2**31 else 'i64'
        if signature[name].startswith('*') or (isinstance(value, int) and value % 16 == 0):
            attributes[(index,)] = [['tt.divisibility', 16]]
    done = triton.compile(
        ASTSource(kernel, signature, constants, attributes),
        target=GPUTarget('cuda', target, 32),
        options=launch.options(),
    )
    resources = _resources(done.asm['ptx'])
    shared = done.metadata.shared
    resources.update(
        shared_bytes=shared,
        occupancy=_blocks(resources['registers'], shared, launch.warps, target)
        * launch.warps
        / 64,
    )
    return resources


def ptxas() -> str:
    """The assembler that Triton brings."""
    import triton

    return str(Path(triton.__file__).parent / 'backends/nvidia/bin/ptxas')


def _resources(ptx: str) -> dict[str, Any]:
    """What the assembler tells of a kernel."""
    device = re.search(r'\.target (\w+)', ptx)
    assert device, ptx[:200]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'kernel.ptx'
        file.write_text(ptx)
        told = subprocess.run(
            [ptxas(), '-v', '--regAllocOptLevel=2', f'--gpu-name={device[1]}', str(file),
             '-o', str(file.with_suffix('.cubin'))],
            check=True, capture_output=True, text=True,
        ).stderr  # fmt: skip
    numbers = {
        name: sum(map(int, re.findall(pattern, told)))
        for name, pattern in dict(
            registers=r'Used (\d+) registers',
            spills=r'(\d+) bytes spill',
            stack=r'(\d+) bytes stack frame',
            local=r'(\d+) bytes lmem',
        ).items()
    }
    return dict(
        registers=numbers['registers'],
        spill_bytes=numbers['spills'],
        local_bytes=numbers['stack'] + numbers['local'],
    )


def _blocks(registers: int, shared: int, warps: int, target: int) -> int:
    """Blocks that a multiprocessor holds at once."""
    by_registers = 65536 // (256 * math.ceil(32 * registers / 256) * warps)
    return min(32, by_registers, DEVICES[target][0] // (shared + 1024), 64 // warps)


class Touched(NamedTuple):
    """Bytes of the programs of one frame.

    Attributes:
        issued: of all their loads and stores.
        distinct: of their sectors, each once a program.
        addresses: for each program and tensor, offsets of sectors.
    """

    issued: int
    distinct: int
    addresses: list[list[Any]]


def touched(case: Case) -> Touched:
    """What the programs of one frame touch, in a process that interprets kernels."""
    from triton.runtime import interpreter

    tensors = {x: torch.empty_like(x, device='cpu') if x.is_meta else x for x in case.tensors()}
    arguments = [tensors[x] if isinstance(x, torch.Tensor) else x for x in case.arguments]
    bases = np.array([x.data_ptr() for x in tensors.values()])
    builder = interpreter.InterpreterBuilder
    programs = case.programs() // case.parts
    issued = 0
    sectors: list[list[list[Any]]] = [[[] for _ in bases] for _ in range(programs)]

    def note(self: Any, pointers: Any, mask: Any, channels: int = 1) -> None:
        nonlocal issued
        found = pointers.data[mask.data.astype(bool)].astype(np.int64)
        if not found.size:
            return
        size = _size(pointers)
        issued += found.size * size * channels
        which = int(np.flatnonzero(bases <= found[0])[np.argmax(bases[bases <= found[0]])])
        offsets = np.unique(found - bases[which])
        planes = np.arange(channels) * case.launch.constants.get('PLANE', 0) * size
        sectors[self.grid_idx[0]][which].append((offsets + planes[:, None]).ravel())

    load = builder.create_masked_load
    number = builder.create_get_program_id

    def create_masked_load(self: Any, pointers: Any, mask: Any, *more: Any) -> Any:
        note(self, pointers, mask, case.channels)
        return load(self, pointers, mask, *more)

    def create_masked_store(self: Any, pointers: Any, value: Any, mask: Any, *more: Any) -> Any:
        note(self, pointers, mask)
        return None

    def create_get_program_id(self: Any, axis: int) -> Any:
        found = number(self, axis)
        found.data = found.data * np.int32(case.parts) + np.int32(
            case.frames // 2 * case.programs()
        )
        return found

    options = interpreter.InterpreterOptions(sanitize_overflow=False)
    with (
        mock.patch.object(builder, 'create_masked_load', create_masked_load),
        mock.patch.object(builder, 'create_masked_store', create_masked_store),
        mock.patch.object(builder, 'create_get_program_id', create_get_program_id),
        mock.patch.object(interpreter.interpreter_builder, 'options', options),
    ):
        kernel = getattr(importlib.import_module(case.launch.module), case.launch.kernel)
        constants = dict(case.launch.constants)
        if case.channels > 1:
            constants['C'] = 1
        kernel[programs,](*arguments, **constants)
    found = [x for x in case.arguments if isinstance(x, torch.Tensor)]
    by_tensor = dict(zip(found, case.part_steps or (0,) * len(found), strict=True))
    of_parts = [step * x.element_size() for x, step in by_tensor.items()]
    addresses = [
        [
            np.unique(np.concatenate(each)) + part * step if each else np.empty(0, np.int64)
            for each, step in zip(of_program, of_parts, strict=True)
        ]
        for of_program in sectors
        for part in range(case.parts)
    ]
    distinct = sum(
        len(np.unique(each // SECTOR)) * SECTOR for of_program in addresses for each in of_program
    )
    return Touched(issued * case.parts, distinct, addresses)


def _size(pointers: Any) -> int:
    """Bytes of what pointers point to."""
    return int(pointers.get_element_ty().primitive_bitwidth) // 8


def bytes_moved(case: Case, seen: Touched, resident: int, target: int) -> dict[str, float]:
    """Columns of bytes, in MB.

    Args:
        case: the kernel.
        seen: by the programs of one frame.
        resident: programs that a multiprocessor holds.
        target: the device.
    """
    programs = case.programs()
    wave = min(resident * DEVICES[target][2], case.launch.grid)
    bytes_of_wave = 0
    for index, (x, step) in enumerate(case.tensors().items()):
        whole = _union(each[index] for each in seen.addresses)
        rest = _union(each[index] for each in seen.addresses[: wave % programs])
        parts = []
        for frame in range(wave // programs + 1):
            clip, t = divmod(frame, case.frames)
            elements = clip * x.numel() // case.clips + (t - case.frames // 2) * step
            part = whole if frame < wave // programs else rest
            parts.append((part + elements * x.element_size()) // SECTOR)
        bytes_of_wave += len(_union(parts)) * SECTOR
    moved = bytes_of_wave * case.launch.grid / wave
    distinct = seen.distinct * case.clips * case.frames
    if bytes_of_wave > DEVICES[target][1]:
        moved = distinct
    floor = sum(x.nbytes for x in case.tensors())
    return dict(
        issued_mb=seen.issued * case.clips * case.frames / 1e6,
        distinct_mb=distinct / 1e6,
        moved_mb=moved / 1e6,
        wave_mb=bytes_of_wave / 1e6,
        floor_mb=floor / 1e6,
        ratio=moved / floor,
    )


def _union(parts: Any) -> Any:
    parts = list(parts)
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def interpret() -> None:
    """Prepare a process that interprets kernels."""
    os.environ['TRITON_INTERPRET'] = '1'
    torch.set_num_threads(1)


def lines(cases: Sequence[Case], bytes_too: bool = True) -> Iterator[dict[str, Any]]:
    """The rows of the table."""
    import triton
    from triton.backends.nvidia.compiler import get_ptxas_version

    assembler = re.search(r'release [\d.]+, (V[\d.]+)', get_ptxas_version())
    shared = dict(
        triton=triton.__version__,
        ptxas=assembler[1] if assembler else '',
        date=datetime.now(timezone.utc).strftime('%Y-%m-%d'),
    )
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, context, interpret) as pool:
        waiting = [pool.submit(touched, case) if bytes_too else None for case in cases]
        for case, seen in zip(cases, waiting, strict=True):
            for target in DEVICES:
                line = dict(
                    case.names,
                    target=f'sm_{target}',
                    kernel=case.launch.kernel,
                    programs=case.launch.grid,
                    constants=_told(case.launch.constants),
                    warps=case.launch.warps,
                    stages=case.launch.stages,
                    **compiled(case, target),
                    source=digest(case.launch.module),
                    **shared,
                )
                if line['occupancy'] < 0.5:
                    line['why'] = WHY[case.launch.kernel]
                if seen:
                    resident = round(line['occupancy'] * 64 / case.launch.warps)
                    line.update(bytes_moved(case, seen.result(), resident, target))
                yield line


def _told(constants: dict[str, Any]) -> str:
    """Those that are a choice."""
    chosen = ('ROWS', 'COLUMNS', 'PIXELS', 'HIGH', 'WIDTH', 'CHANNELS', 'STRIP', 'REACH', 'SLOTS')
    return ' '.join(f'{name}={constants[name]}' for name in chosen if name in constants)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--output', type=Path, help='CSV to write')
    parser.add_argument(
        '--only', nargs='*', default=[], help='words that the first columns of a case must hold'
    )
    parser.add_argument('--no-bytes', action='store_true', help='leave out the bytes')
    return parser.parse_args()


def main() -> None:
    """Compile, count, report."""
    args = parse_args()
    cases = [
        case
        for of_operator in CASES
        for case in of_operator()
        if set(args.only) <= set(case.names.values())
    ]
    found = []
    for line in lines(cases, not args.no_bytes):
        found.append(line)
        print(
            *(line[name] for name in COLUMNS[:7]), line['constants'], line['warps'],
            *(
                f'{name}={line[name]:.4g}'
                for name in (
                    'registers', 'spill_bytes', 'local_bytes', 'shared_bytes', 'occupancy',
                    'ratio', 'wave_mb', 'distinct_mb', 'issued_mb', 'floor_mb',
                )
                if name in line
            ),
            flush=True,
        )  # fmt: skip
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with open(args.output, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            writer.writeheader()
            writer.writerows(
                {k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}
                for line in found
            )


if __name__ == '__main__':
    main()
