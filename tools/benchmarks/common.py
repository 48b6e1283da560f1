"""What the benchmarks share: the machine, clocks, rounds in turns, tables that grow row by row.

Nothing is printed or written before what is measured was found right.
"""

import argparse
import csv
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

CHECKOUT = Path(__file__).resolve().parents[2]
REPORTS = CHECKOUT / 'reports/benchmarks'
#: Columns of :func:`environment`.
ENVIRONMENT = (
    'device',
    'cores',
    'threads',
    'clock',
    'python',
    'torch',
    'triton',
    'compiler',
    'instructions',
    'commit',
    'load',
    'date',
)
#: glibc keeps what is freed: pages given back and faulted in anew would be timed with the rest.
ALLOCATOR = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': '100000000000'}
_FEWEST_ROUNDS = 3
_FLUSH_BYTES = 256 << 20


def keep_memory() -> None:
    """Start this program again with ``ALLOCATOR`` set, which glibc reads before a process begins.

    Call it first where a benchmark is a program.
    """
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.environ.update(ALLOCATOR)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def parser(doc: str | None, name: str, timed: bool = True) -> argparse.ArgumentParser:
    """A command line with what every benchmark takes.

    Args:
        doc: the module's docstring, which ``--help`` prints.
        name: of the table, without ``.csv``.
        timed: whether it takes time.
    """
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        '--output',
        type=Path,
        default=REPORTS / f'{name}.csv',
        metavar='CSV',
        help=f'table to write, row by row (default: reports/benchmarks/{name}.csv)',
    )
    made.add_argument('--threads', type=int, default=1, help='threads of torch (default: 1)')
    made.add_argument(
        '--tiny', action='store_true', help='sizes of a test, which say nothing of speed'
    )
    if not timed:
        made.set_defaults(clock='')
        return made
    made.add_argument(
        '--clock',
        choices=('cpu', 'wall'),
        help='processor time of the thread, which other programs disturb less, or time that '
        'passes (default: cpu with one thread, else wall)',
    )
    made.add_argument(
        '--rounds',
        type=int,
        default=9,
        help='rounds, in each of which everything is called once, in turns (default: 9)',
    )
    made.add_argument(
        '--seconds',
        type=float,
        default=4.0,
        help=f'what would take longer than this in all rounds sits some of them out, but for '
        f'{_FEWEST_ROUNDS} (default: 4)',
    )
    return made


def add_choice(made: argparse.ArgumentParser, name: str, known: Iterable[str]) -> None:
    """The argument that says which of some things are measured: all, if it does not.

    Args:
        made: gets it.
        name: what they are, in the plural.
        known: their names.
    """
    made.add_argument(
        f'--{name}',
        nargs='+',
        choices=list(known),
        metavar=name.removesuffix('s').upper(),
        default=list(known),
        help=f'of {", ".join(known)} (default: all)',
    )


def parse(made: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line and set torch's threads accordingly."""
    import torch

    args = made.parse_args(argv)
    if args.tiny and args.output.parent == REPORTS:
        made.error('--tiny needs an --output of its own')
    if args.clock is None:
        args.clock = 'cpu' if args.threads == 1 else 'wall'
    if args.clock == 'cpu' and args.threads > 1:
        made.error('--clock cpu is the time of one thread; with more, --clock wall')
    torch.set_num_threads(args.threads)
    return args


def processor() -> str:
    """Name of the processor."""
    for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()


def machine(*packages: str) -> dict[str, Any]:
    """What every figure depends on, with the versions of packages, '' for one that is missing."""
    return dict(
        device=processor(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        **{name: _version(name) for name in packages},
        date=datetime.now(timezone.utc).date().isoformat(),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ''


def environment(args: argparse.Namespace, device: str = 'cpu') -> dict[str, Any]:
    """The columns ``ENVIRONMENT`` but for ``load``: :func:`machine`, torch, the commit."""
    import torch

    facts = machine('triton') | dict(
        torch=torch.__version__,
        threads=args.threads,
        clock=args.clock,
        compiler=_first_line([*os.environ.get('CC', 'cc').split(), '--version']),
        instructions=torch.backends.cpu.get_cpu_capability(),
        commit=commit(),
    )
    if device == 'cuda':
        major, minor = torch.cuda.get_device_capability()
        facts.update(
            device=torch.cuda.get_device_name(), clock='cuda', instructions=f'sm_{major}{minor}'
        )
    return facts


def commit(checkout: Path = CHECKOUT) -> str:
    """The commit of a checkout, with ``+`` where tracked files differ; '' where git has none."""
    git = ['git', '-C', str(checkout)]
    name = _first_line([*git, 'rev-parse', '--short', 'HEAD'])
    changed = name and _first_line([*git, 'status', '--porcelain', '--untracked-files=no'])
    return f'{name}+' if changed else name


def _first_line(command: Sequence[str]) -> str:
    """The first line a program prints; '' where it is missing or fails."""
    if not shutil.which(command[0]):
        return ''
    done = subprocess.run(command, capture_output=True, text=True)
    return '' if done.returncode else done.stdout.partition('\n')[0]


def peak_mb() -> float:
    """Largest resident size of this process; ``ru_maxrss`` would count its parent's."""
    return status_mb('VmHWM')


def status_mb(name: str) -> float:
    """A size of this process in MiB: ``VmHWM``, the largest resident, or ``VmRSS``."""
    status = Path('/proc/self/status').read_text(encoding='ascii')
    return int(status.partition(f'{name}:')[2].split()[0]) / 1024


class Table:
    """Rows that are in the file and on the screen as soon as they are measured.

    Args:
        path: where; None keeps them from files. It is written at the first row.
        columns: in their order.
        shown: columns that are printed, too.
        shared: what all rows have.
    """

    def __init__(
        self,
        path: Path | None,
        columns: Sequence[str],
        shown: Sequence[str],
        shared: Mapping[str, Any],
    ) -> None:
        self.path, self.columns, self.shown = path, tuple(columns), tuple(shown)
        self.shared = dict(shared)
        self.rows: list[dict[str, Any]] = []

    def add(self, **values: Any) -> dict[str, Any]:
        """A row; four digits of its fractions are kept. ``load`` is that of the machine now."""
        row = {'load': os.getloadavg()[0], **self.shared, **values}
        row = {name: _rounded(row.get(name, '')) for name in self.columns}
        if self.path:
            first = not self.rows
            if first:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, 'w' if first else 'a', encoding='utf-8', newline='') as file:
                writer = csv.DictWriter(file, self.columns, lineterminator='\n')
                if first:
                    writer.writeheader()
                writer.writerow(row)
        self.rows.append(row)
        said = (f'{name} {row[name]}' for name in self.shown if row[name] != '')
        print('  '.join(said), flush=True)
        return row


def _rounded(value: Any) -> Any:
    return float(f'{value:.4g}') if isinstance(value, float) else value


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a table."""
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def progress(text: str) -> None:
    """Say what is going on, apart from results."""
    print(text, file=sys.stderr, flush=True)


Name = TypeVar('Name')
#: Seconds that a call takes.
Clock = Callable[[Callable[[], object]], float]


def clock(name: str) -> Clock:
    """The clock of a name: ``'cpu'``, ``'wall'`` or ``'cuda'``."""
    if name == 'cuda':
        return _CudaClock()
    now = dict(cpu=time.thread_time, wall=time.perf_counter)[name]

    def measure(function: Callable[[], object]) -> float:
        begin = now()
        function()
        return now() - begin

    return measure


class _CudaClock:
    """Time on the device between two events, with the cache emptied before."""

    def __init__(self) -> None:
        import torch

        self.flush = torch.empty(_FLUSH_BYTES, dtype=torch.int8, device='cuda')
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]

    def __call__(self, function: Callable[[], object]) -> float:
        self.flush.zero_()
        self.events[0].record()
        function()
        self.events[1].record()
        self.events[1].synchronize()
        return self.events[0].elapsed_time(self.events[1]) / 1000


def captured(function: Callable[[], object]) -> Callable[[], object] | None:
    """A function's work on the GPU as a CUDA graph, without the time that Python takes.

    Returns:
        ``None`` where it waits for the GPU in between and so cannot be captured.
    """
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            function()
    except RuntimeError as error:
        progress(f'not as a CUDA graph: {str(error).splitlines()[0]}')
        torch.cuda.synchronize()
        return None
    return graph.replay


def in_turns(
    functions: Mapping[Name, Callable[[], object]], rounds: int, seconds: float, measure: Clock
) -> dict[Name, list[float]]:
    """Seconds of each call of functions that take turns, so that all meet the same disturbances.

    Each is called once before, which does not count but for how often it takes part: one that
    would take longer than ``seconds`` in all sits out some rounds, evenly.
    """
    turns = {}
    for name, function in functions.items():
        once = measure(function)
        affordable = int(seconds / once) if once else rounds
        turns[name] = min(rounds, max(_FEWEST_ROUNDS, affordable))
    found: dict[Name, list[float]] = {name: [] for name in functions}
    for number in range(rounds):
        for name, function in functions.items():
            if (number + 1) * turns[name] // rounds > number * turns[name] // rounds:
                found[name].append(measure(function))
    return found


def median(seconds: Sequence[float]) -> float:
    """The median of a function's calls, in milliseconds."""
    return 1000 * statistics.median(seconds)


def spread(seconds: Sequence[float]) -> float:
    """The longest of a function's calls over the shortest."""
    return max(seconds) / min(seconds) if min(seconds) else float('inf')


def largest_error(found: 'torch.Tensor', truth: 'torch.Tensor') -> float:
    """Largest difference, relative to the largest magnitude of the truth; of indices 0 or inf."""
    import torch

    if not truth.is_floating_point():
        return 0.0 if torch.equal(found, truth) else float('inf')
    largest = truth.abs().max().item() or 1.0
    error = (found.to(truth.dtype) - truth).abs().max().item() / largest
    return error if error == error else float('inf')
