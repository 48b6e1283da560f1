"""Time the operators beside what else does the same, in turns within one process.

    python tools/benchmarks/operators.py                        (all of it; under 25 minutes)
    python tools/benchmarks/operators.py --sizes r50_14_L1 selfy_14 --implementations auto unfold
    python tools/benchmarks/operators.py --device cuda --dtypes float32 bfloat16 float16

First outputs and gradients of everything at every size are compared with the shift loop, or the
masks, in float64, on the first and the last clip. Where one differs by more than ``tolerance`` of
the largest magnitude the program ends: nothing is timed. Then the implementations of each size
take turns, round by round. Rows are written as each size ends.

``forward_ms`` (without autograd) and ``both_ms`` (forward and backward) are medians, the
``spread`` beside each the longest call over the shortest. ``clips`` says how many were timed where
all would not fit into memory; the times are for all. ``compile_s`` is what the first calls of a
compiled form took, which the medians do not hold. ``picked`` is what ``auto`` took.

``gflop_s`` counts each product of two pixels once, by whichever offset it is asked for, and
``gb_s`` the inputs and outputs once each, both of the forward pass; ``of_matmul`` and ``of_copy``
are their share of what the rows ``matmul`` (a large product) and ``copy`` (read and write of a
large tensor) reached in the same rounds. ``both_of_copy`` is the share for both passes.

Implementations of ours go by their names; peers are ``shift_loop``, ``unfold``, ``windows`` (views
and matrix products), ``compiled`` (torch.compile of a form that uses the symmetry of pairs and
gathers its gradient, the quickest of those tried), ``compiled_loop`` and ``compiled_windows``, and
``masks`` for regions. Compiled forms are measured in float32 only. On a GPU the cache is emptied
before each call, and what can be captured runs as a CUDA graph (``graph``).
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import common
import peers
import torch
from sizes import LOCAL, PAIR, REGIONS, CorrelationSize, PairSize, RegionsSize
from torch import Tensor

from mmaction_ext.ops import (
    local_correlation,
    pair_correlation,
    regional_key_points,
    regional_mean,
)
from mmaction_ext.ops.correlation.choice import IMPLEMENTATIONS, chosen_implementation
from mmaction_ext.ops.keypoint import maxima
from mmaction_ext.ops.keypoint.regions import MAXIMA_IMPLEMENTATIONS, MEAN_IMPLEMENTATIONS

COLUMNS = (
    'operator',
    'size',
    'shape',
    'offsets',
    'window',
    'dtype',
    'implementation',
    'picked',
    'clips',
    'graph',
    'rounds',
    'forward_ms',
    'forward_spread',
    'both_ms',
    'both_spread',
    'compile_s',
    'gflop_s',
    'of_matmul',
    'gb_s',
    'of_copy',
    'both_of_copy',
    'forward_error',
    'gradient_error',
    'tolerance',
    *common.ENVIRONMENT,
)
SHOWN = (
    'size', 'dtype', 'implementation', 'picked', 'rounds', 'forward_ms', 'both_ms', 'both_spread',
    'of_matmul', 'of_copy',
)  # fmt: skip
Size = CorrelationSize | PairSize | RegionsSize
#: Outputs of inputs; those of floating point have a gradient.
Function = Callable[..., tuple[Tensor, ...]]
_SIZES: tuple[Size, ...] = (*LOCAL, *PAIR, *REGIONS)
SIZES = {size.name: size for size in _SIZES}
CPU_IMPLEMENTATIONS = ('native', 'portable', 'auto', 'shift_loop', 'unfold', 'compiled', 'masks')
CUDA_IMPLEMENTATIONS = (
    'triton', 'portable', 'auto', 'shift_loop', 'unfold', 'compiled_loop', 'masks',
)  # fmt: skip
#: Largest error relative to the largest magnitude. Half precision is for peers, too, which sum
#: the gradient in it.
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 1e-2}
#: What a peer that lays windows out may fill.
_MOST_BYTES = 1 << 30
_MATMUL_SIDE = 2048
_COPY_BYTES = 128 << 20


@dataclass
class Case:
    """An operator at one size by one implementation.

    Attributes:
        function: outputs of inputs.
        clips: of how many clips it is timed.
        compile_s: seconds of its first calls where it is compiled.
        errors: of outputs and of gradients.
    """

    function: Function
    clips: int
    compile_s: float | None = None
    errors: tuple[float, float] = (0.0, 0.0)


def operator(size: Size) -> str:
    """Name of the operator that a size is of, as the CSV has it."""
    return {CorrelationSize: 'local', PairSize: 'pair', RegionsSize: 'regions'}[type(size)]


def inputs(size: Size, device: str, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, ...]:
    """Random inputs as modules have them: half of the values zero, KPSEM's channels last."""
    generator = torch.Generator().manual_seed(seed)
    count = 2 if isinstance(size, PairSize) else 1
    made = [torch.randn(size.shape, generator=generator).relu().to(device, dtype)] * count
    if count == 2:
        made[1] = torch.randn(size.shape, generator=generator).relu().to(device, dtype)
    if isinstance(size, RegionsSize):
        made[0] = made[0].contiguous(memory_format=torch.channels_last_3d)
    return tuple(made)


def borders(size: RegionsSize, device: str, clips: int) -> tuple[Tensor, Tensor]:
    """Whole borders of rows and columns, (N, G, T, s+1), of each frame or one for all."""
    n, _, num_frames, *sides = size.shape
    s = round(size.num_regions**0.5)
    generator = torch.Generator().manual_seed(1)
    whole = (n, size.num_sets, num_frames)
    shape = whole if size.per_frame else (1, size.num_sets, 1)
    made = []
    for side in sides:
        inner = torch.rand(*shape, side - 1, generator=generator).argsort(-1)[..., : s - 1] + 1
        edges = torch.tensor([0, side]).expand(*shape, 2)
        line = torch.cat((edges, inner), -1).sort(-1).values.float()
        made.append(line.expand(*whole, s + 1)[:clips].to(device))
    return made[0], made[1]


def ours(size: Size, implementation: str, device: str, clips: int) -> Function:
    """The operator of the project by an implementation of a name."""
    if isinstance(size, CorrelationSize):
        return lambda x: (
            local_correlation(
                x, size.offsets, size.window, size.dilations, implementation=implementation
            ),
        )
    if isinstance(size, PairSize):
        return lambda queries, keys: (
            pair_correlation(
                queries, keys, size.window, size.dilation, implementation=implementation
            ),
        )
    rows, columns = borders(size, device, clips)
    of_means = implementation if implementation in MEAN_IMPLEMENTATIONS else 'auto'

    def regions(x: Tensor) -> tuple[Tensor, ...]:
        points, values = regional_key_points(x, rows, columns, implementation)
        means = regional_mean(x, rows, columns, True, of_means)
        return values, means, points[..., 0] * x.shape[-1] + points[..., 1]

    return regions


def masks(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    """Values, means and indices of maxima of regions, by masks."""
    values, indices = peers.region_maxima(x, rows, columns)
    return values, peers.region_means(x, rows, columns), indices


def peer(size: Size, name: str, device: str, clips: int) -> Function | None:
    """What else does the same; None for what does not."""
    if isinstance(size, RegionsSize):
        if name != 'masks':
            return None
        rows, columns = borders(size, device, clips)
        return lambda x: masks(x, rows, columns)
    compiled = name.startswith('compiled')
    form = name.removeprefix('compiled').removeprefix('_')
    if compiled and isinstance(size, PairSize):
        return None  # a window of 225 displacements takes minutes to compile
    if isinstance(size, CorrelationSize) and compiled and not form:
        symmetric = peers.symmetric(size, _compile)
        return lambda x: (symmetric(x),)
    forms = dict(
        loop=peers.pair_shift_loop,
        shift_loop=peers.pair_shift_loop,
        unfold=peers.pair_unfold,
        windows=peers.pair_windows,
    )
    if form not in forms:
        return None
    form_of_pairs = _compile(forms[form]) if compiled else forms[form]
    if isinstance(size, CorrelationSize):
        local = peers.local_of(form_of_pairs, size)
        return lambda x: (local(x),)
    window, dilation = size.window, size.dilation
    return lambda queries, keys: (
        form_of_pairs(queries * queries.shape[1] ** -0.5, keys, window, dilation),
    )


@functools.cache
def _compile(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    import torch._dynamo

    # sizes share their code; past the limit it would run uncompiled
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 999
    return torch.compile(function, dynamic=False)


def fitting_clips(size: Size, name: str) -> int:
    """How many clips of a size fit into memory where every window is laid out."""
    n = size.shape[0]
    if name not in ('unfold', 'windows') or isinstance(size, RegionsSize):
        return n
    copies = len(size.offsets) if isinstance(size, CorrelationSize) else 1
    whole = 4 * torch.Size(size.shape).numel() * size.window**2 * copies
    return max(1, min(n, _MOST_BYTES * n // whole))


def cases(size: Size, names: Sequence[str], device: str) -> Iterator[tuple[str, Case]]:
    """What is measured at a size."""
    for name in names:
        clips = fitting_clips(size, name)
        function = peer(size, name, device, clips)
        if function is None and _is_ours(size, name):
            function = ours(size, name, device, clips)
        if function is not None:
            yield name, Case(function, clips)


def _is_ours(size: Size, name: str) -> bool:
    known = MAXIMA_IMPLEMENTATIONS if isinstance(size, RegionsSize) else IMPLEMENTATIONS
    return name in known


def picked(size: Size, name: str, x: Tensor) -> str:
    """What a choice of ours comes to; '' of what is no choice."""
    if name not in ('auto', 'portable'):
        return ''
    if isinstance(size, RegionsSize):
        return maxima.chosen_implementation(x, name)
    dilation = size.dilation if isinstance(size, PairSize) else size.dilations
    return chosen_implementation(x, size.window, dilation, name)


def truth(size: Size, given: Sequence[Tensor], device: str) -> tuple[Tensor, ...]:
    """Outputs and gradients of the first and the last clip, in float64."""
    ends = [0, len(given[0]) - 1]
    wide = tuple(each[ends].double() for each in given)
    if isinstance(size, RegionsSize):
        rows, columns = (each[ends] for each in borders(size, device, len(given[0])))
        return with_gradients(lambda x: masks(x, rows, columns), wide)
    function = peer(size, 'shift_loop', device, 2)
    assert function
    return with_gradients(function, wide)


def gradients(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Gradients to start from: of every clip the same values, whatever the others are."""
    made = []
    for index, each in enumerate(outputs):
        generator = torch.Generator().manual_seed(index)
        one = torch.randn(each.shape[1:], generator=generator)
        made.append(one.to(each.device, each.dtype).expand(each.shape))
    return made


def differentiable(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs that have gradients: places of maxima are whole numbers."""
    return [each for each in outputs if each.is_floating_point()]


def with_gradients(function: Function, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Outputs and, behind them, gradients of the inputs."""
    leaves = [each.detach().requires_grad_() for each in given]
    outputs = function(*leaves)
    found = differentiable(outputs)
    grads = torch.autograd.grad(found, leaves, gradients(found))
    return (*(each.detach() for each in outputs), *grads)


def check(
    size: Size, name: str, case: Case, given: Sequence[Tensor], known: Sequence[Tensor]
) -> None:
    """Compare a case with what is known; its errors and its compilation's seconds are kept.

    Raises:
        SystemExit: it is wrong.
    """
    begin = time.perf_counter()
    found = with_gradients(case.function, given)
    if name.startswith('compiled'):
        case.compile_s = time.perf_counter() - begin
    ends = [0, len(given[0]) - 1]
    errors = [
        common.largest_error(ours[ends], theirs) for ours, theirs in zip(found, known, strict=True)
    ]
    case.errors = max(errors[: -len(given)]), max(errors[-len(given) :])
    tolerance = TOLERANCES[given[0].dtype]
    if max(case.errors) > tolerance:
        sys.exit(
            f'{size.name}, {given[0].dtype}: {name} is wrong, its outputs by {case.errors[0]:.2g} '
            f'and its gradients by {case.errors[1]:.2g} of the largest magnitude, where '
            f'{tolerance:g} is allowed. Nothing was timed.'
        )


def work(size: Size) -> tuple[float, float, float]:
    """Operations of the forward pass, bytes of one value each moved by it and by both passes."""
    if isinstance(size, CorrelationSize):
        n, c, t, h, w = size.shape
        pixels, area = n * h * w, size.window**2
        volume = len(size.offsets) * area * t * pixels
        pairs = sum(max(0, t - abs(tau)) for tau in size.offsets)
        flops, features = c * area * pairs * pixels, c * t * pixels
    elif isinstance(size, PairSize):
        b, c, h, w = size.shape
        volume, features = b * h * w * size.window**2, 2 * b * c * h * w
        flops = 2 * b * c * h * w * size.window**2
    else:
        n, c, t, h, w = size.shape
        flops, features = 0, n * c * t * h * w
        volume = 2 * n * size.num_sets * size.num_regions * c * t
    return flops, features + volume, 3 * features + 2 * volume


def rates(device: str, dtype: torch.dtype, tiny: bool) -> dict[str, Callable[[], object]]:
    """A large matrix product and a large copy."""
    side, count = (64, 1 << 12) if tiny else (_MATMUL_SIDE, _COPY_BYTES // dtype.itemsize)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source, target = (torch.zeros(count, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return dict(matmul=lambda: torch.mm(a, b, out=out), copy=lambda: target.copy_(source))


def calls(case: Case, given: Sequence[Tensor]) -> dict[str, Callable[[], object]]:
    """The forward pass and both passes of a case."""
    leaves = [each.detach().requires_grad_() for each in given]
    with torch.no_grad():
        outputs = differentiable(case.function(*leaves))
        grads = [each.contiguous() for each in gradients(outputs)]

    def forward() -> None:
        with torch.no_grad():
            case.function(*leaves)

    def both() -> None:
        torch.autograd.grad(differentiable(case.function(*leaves)), leaves, grads)

    return dict(forward=forward, both=both)


def measure(
    size: Size,
    found: dict[str, Case],
    dtype: torch.dtype,
    args: argparse.Namespace,
    table: common.Table,
) -> None:
    """Time the cases of a size and write their rows."""
    given = inputs(size, args.device, dtype)
    functions: dict[tuple[str, str], Callable[[], object]] = {
        (name, kind): call
        for name, case in found.items()
        for kind, call in calls(case, tuple(each[: case.clips] for each in given)).items()
    }
    functions |= {(name, ''): call for name, call in rates(args.device, dtype, args.tiny).items()}
    graphs: dict[tuple[str, str], Callable[[], object] | None] = {}
    if args.device == 'cuda':
        graphs = {key: common.captured(call) for key, call in functions.items()}
        functions |= {key: graph for key, graph in graphs.items() if graph}
    seconds = common.in_turns(
        functions, args.rounds, args.seconds, common.clock(table.shared['clock'])
    )
    side, count = (64, 1 << 12) if args.tiny else (_MATMUL_SIDE, _COPY_BYTES // dtype.itemsize)
    flop_s = 2 * side**3 / common.median(seconds['matmul', '']) * 1e3
    byte_s = 2 * count * dtype.itemsize / common.median(seconds['copy', '']) * 1e3
    shared: dict[str, Any] = dict(
        operator=operator(size),
        size=size.name,
        shape='x'.join(map(str, size.shape)),
        offsets=' '.join(map(str, getattr(size, 'offsets', ()))),
        window=getattr(size, 'window', ''),
        dtype=str(dtype).removeprefix('torch.'),
    )
    for name, rate in (('matmul', dict(gflop_s=flop_s / 1e9)), ('copy', dict(gb_s=byte_s / 1e9))):
        table.add(
            **shared,
            implementation=name,
            rounds=len(seconds[name, '']),
            forward_ms=common.median(seconds[name, '']),
            forward_spread=common.spread(seconds[name, '']),
            **rate,
        )
    flops, forward_values, both_values = work(size)
    for name, case in found.items():
        whole = size.shape[0] / case.clips
        forward, both = (
            whole * common.median(seconds[name, kind]) for kind in ('forward', 'both')
        )
        moved, both_moved = (
            values * dtype.itemsize / ms * 1e3
            for values, ms in ((forward_values, forward), (both_values, both))
        )
        table.add(
            **shared,
            implementation=name,
            picked=picked(size, name, given[0]),
            clips=case.clips,
            graph=str(bool(graphs[name, 'both'])) if graphs else '',
            rounds=len(seconds[name, 'both']),
            forward_ms=forward,
            forward_spread=common.spread(seconds[name, 'forward']),
            both_ms=both,
            both_spread=common.spread(seconds[name, 'both']),
            compile_s='' if case.compile_s is None else case.compile_s,
            gflop_s=flops / forward / 1e6 if flops else '',
            of_matmul=flops / forward * 1e3 / flop_s if flops else '',
            gb_s=moved / 1e9,
            of_copy=moved / byte_s,
            both_of_copy=both_moved / byte_s,
            forward_error=case.errors[0],
            gradient_error=case.errors[1],
            tolerance=TOLERANCES[dtype],
        )


def add_choices(made: argparse.ArgumentParser) -> None:
    """Arguments that say what is measured."""
    common.add_choice(made, 'sizes', SIZES)
    made.add_argument(
        '--implementations', nargs='+', metavar='NAME',
        help=f'default: {" ".join(CPU_IMPLEMENTATIONS)}; '
        f'on a GPU {" ".join(CUDA_IMPLEMENTATIONS)}',
    )  # fmt: skip
    made.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')


def chosen(args: argparse.Namespace) -> argparse.Namespace:
    """Arguments with what was left open filled in.

    Raises:
        SystemExit: there is no GPU where one is asked for, or nothing of a name.
    """
    if args.device == 'cuda' and not torch.cuda.is_available():
        sys.exit('--device cuda: torch finds no GPU here')
    known = dict(cpu=CPU_IMPLEMENTATIONS, cuda=CUDA_IMPLEMENTATIONS)[args.device]
    args.implementations = args.implementations or list(known)
    kinds: tuple[Size, ...] = (LOCAL[0], PAIR[0], REGIONS[0])
    for name in args.implementations:
        if not any(dict(cases(size, [name], args.device)) for size in kinds):
            sys.exit(f'--implementations: there is no {name}')
    return args


def checked(size: Size, dtype: torch.dtype, args: argparse.Namespace) -> dict[str, Case]:
    """The cases of a size, all of them right."""
    names = [
        name
        for name in args.implementations
        if dtype == torch.float32 or not name.startswith('compiled')
    ]
    found = dict(cases(size, names, args.device))
    given = inputs(size, args.device, dtype)
    known: dict[int, tuple[Tensor, ...]] = {}
    for name, case in found.items():
        common.progress(f'checking {size.name} {dtype} {name}')
        some = tuple(each[: case.clips] for each in given)
        if case.clips not in known:
            known[case.clips] = truth(size, some, args.device)
        check(size, name, case, some, known[case.clips])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Check everything, time everything."""
    made = common.parser(__doc__, 'operators')
    add_choices(made)
    made.add_argument(
        '--dtypes', nargs='+', choices=('float32', 'bfloat16', 'float16'), default=['float32']
    )
    args = chosen(common.parse(made, argv))
    dtypes = [getattr(torch, name) for name in args.dtypes]
    sizes = [SIZES[name].tiny() if args.tiny else SIZES[name] for name in args.sizes]
    found = {(size, dtype): checked(size, dtype, args) for size in sizes for dtype in dtypes}
    table = common.Table(args.output, COLUMNS, SHOWN, common.environment(args, args.device))
    for (size, dtype), right in found.items():
        common.progress(f'timing {size.name} {dtype}')
        measure(size, right, dtype, args, table)


if __name__ == '__main__':
    common.keep_memory()
    main()
