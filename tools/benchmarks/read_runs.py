"""Time how long the runs of a suite take to read, beside wandb's own reader of the same files.

    python tools/benchmarks/read_runs.py --runs 10 --output /tmp/read_runs.csv
    python tools/benchmarks/read_runs.py --output reports/benchmarks/read_runs.csv   (full size)

Two suites are written into a temporary folder: a few long runs and many short ones. The W&B SDK
logs one run of each (six training metrics per step, a validation every 1000 steps, a test at the
end); the others are copies of its records under ids of their own, in the log's own framing. Then,
in this order:

1. Our values are checked against what ``wandb-core leet inspect --json`` prints of a log, and
   every run against what was logged. Nothing is timed if they differ.
2. ``wandb-core --summary --json`` (state, config, last values) and ``find_runs``, cold, read all
   long logs in turns, so that both meet the same disturbances. As many at a time as there are
   jobs. In the smallest suite ``wandb-core --json`` (every record) reads them once, too.
3. ``find_runs`` reads the same logs cold by one process, and again with nothing changed, both
   with all metrics, whose rows it then returns, and with those that a table needs.
4. The same for us alone after a ledger has been put beside each log, which then is the record of
   the run: the log is not opened. With ``--before``, a reader of another commit reads the same
   files cold in turns with this one.
5. The short runs, cold and again.

Each measurement is a process of its own and includes the imports. "cold" means without our cache;
the files themselves have just been written and lie in the system's page cache, for wandb-core as
for us. ``peak_mb`` is the largest resident size of any one process. Other programs on the machine
disturb the figures: ``load`` is the system's load average before the measurement.

Full size needs 3.5 GB of disk for a while and about half an hour on two cores.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common

COLUMNS = (
    'suite',
    'files',
    'reader',
    'metrics',
    'jobs',
    'seconds',
    'cpu_seconds',
    'peak_mb',
    'runs',
    'steps',
    'megabytes',
    'load',
    'device',
    'cores',
    'python',
    'wandb',
    'date',
)
SHOWN = COLUMNS[:8]
#: which metrics are asked for
METRICS = ('all', 'table')
#: what a table needs of a run
TABLE_METRICS = ('test/acc/top1', 'test/num_samples', 'test/checkpoint_sha256', 'test/data_digest')
BLOCK_SIZE = 32 * 1024
UID_LENGTH = 16
CHECKOUT = Path(__file__).resolve().parents[2]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--runs',
        type=int,
        nargs='+',
        default=[10, 100],
        help='long runs; of several numbers, each is measured, which shows what '
        'grows with the suite (default: 10 100)',
    )
    parser.add_argument(
        '--steps', type=int, default=20000, help='logged steps of a long run (default: 20000)'
    )
    parser.add_argument(
        '--small-runs',
        type=int,
        default=1000,
        help='short runs; 0 leaves them out (default: 1000)',
    )
    parser.add_argument(
        '--small-steps', type=int, default=100, help='logged steps of a short run (default: 100)'
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=len(os.sched_getaffinity(0)),
        help='processes (default: one per core)',
    )
    parser.add_argument(
        '--repeats', type=int, default=3, help='turns of wandb-core and us (default: 3)'
    )
    parser.add_argument(
        '--folder',
        type=Path,
        help="where the runs are written for a while (default: the system's temporary folder)",
    )
    parser.add_argument('--output', type=Path, metavar='CSV', help='also write the figures here')
    parser.add_argument(
        '--before',
        type=Path,
        metavar='FOLDER',
        help='checkout of another commit, which reads ledgers and logs in turns with this one',
    )
    parser.add_argument('--measure', nargs='+', help=argparse.SUPPRESS)
    parser.add_argument('--log', nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


@dataclass
class Suite:
    """Runs of one length in one folder."""

    name: str
    folder: Path
    runs: int
    steps: int

    def logs(self) -> list[Path]:
        """Its W&B logs."""
        return sorted(self.folder.rglob('run-*.wandb'))

    def megabytes(self) -> float:
        """Size of all files with rows."""
        files = [*self.logs(), *self.folder.rglob('metrics.jsonl')]
        return sum(file.stat().st_size for file in files) / 1e6


def rows(steps: int) -> Iterator[dict[str, Any]]:
    """What one run logs, the same for all of that length."""
    import random

    draw = random.Random(steps).random
    for step in range(1, steps + 1):
        place = {'iter': step, 'epoch': (step - 1) // 1000 + 1}
        yield dict(
            place,
            **{
                f'train/{name}': draw()
                for name in ('loss', 'top1_acc', 'top5_acc', 'lr', 'time', 'data_time')
            },
        )
        if step % 1000 == 0 or step == steps:
            yield dict(place, **{f'val/acc/{name}': draw() for name in ('top1', 'top5', 'mean1')})
    yield dict(
        place,
        **{
            'test/acc/top1': draw(),
            'test/num_samples': 480,
            'test/checkpoint_sha256': 'a' * 64,
            'test/data_digest': 'b' * 64,
        },
    )


def uid(number: int) -> str:
    """Id of a run of a suite."""
    return f'{number:0{UID_LENGTH}d}'


def log_with_sdk(folder: str, steps: int) -> None:
    """Log one run; the process is to end afterwards."""
    import wandb

    run = wandb.init(
        project='benchmark',
        dir=folder,
        id=uid(0),
        mode='offline',
        job_type='train',
        config=dict(identity=identity(0), static=dict(params=1, macs=2)),
        settings=wandb.Settings(
            console='off', x_disable_stats=True, x_disable_meta=True, silent=True
        ),
    )
    for row in rows(steps):
        run.log(row)
    run.finish()


def identity(seed: int) -> dict[str, Any]:
    """Identity of a run of a suite."""
    return dict(config='benchmark/row', seed=seed, config_hash='0123456789abcdef', overrides={})


def write_suite(suite: Suite) -> None:
    """Write the logs of a suite."""
    from mmaction_ext.tracking.reading.record import Attempt
    from mmaction_ext.tracking.reading.wandb_log import iter_payloads

    with tempfile.TemporaryDirectory(dir=suite.folder.parent) as folder:
        subprocess.run(
            [sys.executable, __file__, '--log', folder, str(suite.steps)],
            check=True,
            env=dict(os.environ, WANDB_ERROR_REPORTING='false'),
        )
        [template] = Path(folder).rglob('run-*.wandb')
        with open(template, 'rb') as stream:
            payloads = list(iter_payloads(stream, Attempt()))
    for number in range(suite.runs):
        place = run_folder(suite, number) / f'20260101_000000/vis_data/wandb/offline-run-{number}'
        place.mkdir(parents=True)
        with open(place / f'run-{uid(number)}.wandb', 'wb') as file:
            file.write(encode_log(renamed(payloads, number)))


def run_folder(suite: Suite, number: int) -> Path:
    """Folder of a run of a suite."""
    return suite.folder / f'benchmark/row/seed{number}'


def renamed(payloads: list[bytes], number: int) -> Iterator[bytes]:
    """The records of a log under the id and seed of another run."""
    from mmaction_ext.tracking.reading.wandb_log import record_class

    for payload in payloads:
        if uid(0).encode() in payload:
            record = record_class().FromString(payload)
            if record.WhichOneof('record_type') == 'run':
                record.run.run_id = uid(number)
                for item in record.run.config.update:
                    if (item.key or item.nested_key[0]) == 'identity':
                        item.value_json = json.dumps(identity(number))
                payload = record.SerializeToString()
        yield payload


def encode_log(payloads: Iterable[bytes]) -> bytes:
    """Records in the framing of W&B's logs."""
    data = bytearray(b':W&B\xe1\xbe\x00')
    for payload in payloads:
        first, rest = True, payload
        while first or rest:
            room = BLOCK_SIZE - len(data) % BLOCK_SIZE
            if room < 7:
                data += bytes(room)
                room = BLOCK_SIZE
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if not rest else 2) if first else (4 if not rest else 3)
            data += zlib.crc32(part, zlib.crc32(bytes([kind]))).to_bytes(4, 'little')
            data += len(part).to_bytes(2, 'little') + bytes([kind]) + part
            first = False
    return bytes(data)


def write_ledgers(suite: Suite) -> None:
    """Put a ledger beside each log, with the same rows."""
    from mmaction_ext.tracking.ledger.format import METRICS_FILE, MetricsRow, encode_row
    from mmaction_ext.tracking.ledger.forms import RunFile
    from mmaction_ext.tracking.writing.attempts import write_run_file

    lines = []
    for row in rows(suite.steps):
        place = row.pop('iter'), row.pop('epoch')
        phase = next(iter(row)).partition('/')[0]
        lines.append(encode_row(MetricsRow(1, phase, *place, 1.7e9, row)))
    content = b''.join(lines)
    for number in range(suite.runs):
        folder = run_folder(suite, number)
        [log] = folder.rglob('*.wandb')
        write_run_file(
            folder,
            RunFile.of(
                dict(
                    identity(number),
                    schema=1,
                    uid=uid(number),
                    job_type='train',
                    attempts=[
                        dict(
                            number=1,
                            start=1.0,
                            end=2.0,
                            exit_code=0,
                            wandb=log.relative_to(folder).as_posix(),
                        )
                    ],
                )
            ),
        )
        (folder / METRICS_FILE).write_bytes(content)


def check(suite: Suite) -> None:
    """Compare what we read with what wandb-core reads, and with what was logged.

    Raises:
        SystemExit: there is a difference.
    """
    from mmaction_ext.tracking.reading.find import find_runs
    from mmaction_ext.tracking.reading.rows import split_by_phase
    from mmaction_ext.tracking.reading.wandb_log import read_log

    log = suite.logs()[-1]
    printed = subprocess.run(core_command(log, '--json'), check=True, capture_output=True).stdout
    records = [json.loads(line) for line in printed.splitlines()]
    theirs = [
        {
            name: value
            for name, value in record['history']['item'].items()
            if not name.startswith('_')
        }
        for record in records
        if record['type'] == 'history'
    ]
    ours = read_log(log)
    logged = split_by_phase(rows(suite.steps))
    if theirs != list(rows(suite.steps)):
        sys.exit(f'{log}: wandb-core does not read what was logged')
    if any(row not in theirs for row in ours.history[:3] + ours.history[-30:]):
        sys.exit(f'{log}: our rows are not those of wandb-core')
    for record in find_runs(suite.folder, cache=False):
        train = {row['iter']: row for row in logged['train']}
        if (
            record.rows['val'] != logged['val']
            or record.state != 'finished'
            or record.evaluations[0].values != logged['test'][0]
            or record.conflicts
            or any(train[row['iter']] != row for row in record.rows['train'])
            or record.last_iter != suite.steps
        ):
            sys.exit(f'{record.folder} {record.uid}: not what was logged')


def core_command(log: Path, *options: str) -> list[str]:
    """wandb's own reader, without the second that Python takes to import wandb."""
    import wandb

    core = Path(wandb.__file__).parent / 'bin' / 'wandb-core'
    return [
        str(core),
        'leet',
        'inspect',
        '--no-observability',
        *options,
        '--run-file',
        str(log),
        str(log.parent),
    ]


def time_core(suite: Suite, jobs: int, *options: str) -> dict[str, Any]:
    """Read every log of a suite with wandb-core, ``jobs`` at a time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(
            pool.map(
                lambda log: subprocess.run(
                    core_command(log, *options), check=True, stdout=subprocess.DEVNULL
                ),
                suite.logs(),
            )
        )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return dict(seconds=seconds, cpu_seconds=cpu(after) - cpu(before), peak_mb='')


def cpu(usage: resource.struct_rusage) -> float:
    """Seconds of processor time."""
    return usage.ru_utime + usage.ru_stime


def cache_home(suite: Suite) -> Path:
    """Where our cache of a suite lies, apart from that of the user."""
    return suite.folder.with_name(f'{suite.folder.name}-cache')


def time_ours(
    suite: Suite, jobs: int, cache: bool, metrics: str, checkout: Path = CHECKOUT
) -> dict[str, Any]:
    """Read a suite with the ``find_runs`` of a checkout in a process of its own."""
    command = [
        sys.executable,
        str(checkout / 'tools/benchmarks/read_runs.py'),
        '--measure',
        str(suite.folder),
        str(jobs),
        str(int(cache)),
        metrics,
    ]
    start = time.perf_counter()
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ, XDG_CACHE_HOME=str(cache_home(suite)), PYTHONPATH=str(checkout)),
    )
    return dict(json.loads(done.stdout), seconds=time.perf_counter() - start)


def measure(folder: str, jobs: str, cache: str, metrics: str) -> None:
    """What the process of :func:`time_ours` does."""
    from mmaction_ext.tracking.reading.find import find_runs

    keys = TABLE_METRICS if metrics == 'table' else None
    records = find_runs(folder, keys, cache=bool(int(cache)), jobs=int(jobs))
    if not records or any(record.state != 'finished' for record in records):
        sys.exit(f'{folder}: {len(records)} runs, not all of them finished')
    own, below = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        json.dumps(
            dict(
                cpu_seconds=cpu(own) + cpu(below),
                peak_mb=max(common.peak_mb(), below.ru_maxrss / 1024),
            )
        )
    )


class Report:
    """Prints figures as they come and keeps them."""

    def __init__(self, path: Path | None) -> None:
        self.table = common.Table(path, COLUMNS, SHOWN, common.machine('wandb'))

    def add(
        self,
        suite: Suite,
        files: str,
        reader: str,
        metrics: str,
        jobs: int,
        function: Callable[..., dict[str, Any]],
        *args: Any,
    ) -> None:
        """Measure once."""
        load = os.getloadavg()[0]
        found = function(suite, jobs, *args)
        self.table.add(
            suite=suite.name,
            files=files,
            reader=reader,
            metrics=metrics,
            jobs=jobs,
            runs=suite.runs,
            steps=suite.steps,
            megabytes=suite.megabytes(),
            load=load,
            **found,
        )

    def add_before(self, suite: Suite, checkout: Path, jobs: int) -> None:
        """Read everything for the first time with the reader of another checkout."""
        shutil.rmtree(cache_home(suite), ignore_errors=True)
        name = f'ours at {common.commit(checkout)}, cold'
        where = checkout.resolve()
        self.add(suite, 'ledgers + W&B logs', name, 'all', jobs, time_ours, True, 'all', where)

    def add_cold(self, suite: Suite, files: str, jobs: int, metrics: str = 'all') -> None:
        """Read everything for the first time."""
        shutil.rmtree(cache_home(suite), ignore_errors=True)
        self.add(suite, files, 'ours, cold', metrics, jobs, time_ours, True, metrics)

    def add_unchanged(self, suite: Suite, files: str) -> None:
        """Read with nothing changed since."""
        for metrics in METRICS:
            self.add(suite, files, 'ours, nothing changed', metrics, 1, time_ours, True, metrics)


def main() -> None:
    """Write the suites, check, measure, report."""
    args = parse_args()
    if args.measure:
        return measure(*args.measure)
    if args.log:
        return log_with_sdk(args.log[0], int(args.log[1]))
    report = Report(args.output)
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for number in args.runs:
            long = Suite('long', Path(folder) / f'long{number}', number, args.steps)
            run_long(long, args, report)
            shutil.rmtree(long.folder)
        if args.small_runs:
            run_short(
                Suite('short', Path(folder) / 'short', args.small_runs, args.small_steps),
                args,
                report,
            )
    return None


def run_long(suite: Suite, args: argparse.Namespace, report: Report) -> None:
    """Points 1 to 4."""
    write_suite(suite)
    check(suite)
    if suite.runs == min(args.runs):
        report.add(suite, 'W&B logs', 'wandb-core --json', 'all', args.jobs, time_core, '--json')
    compare(suite, 'W&B logs', args, report)
    for metrics in METRICS:
        report.add_cold(suite, 'W&B logs', 1, metrics)
    report.add_unchanged(suite, 'W&B logs')
    write_ledgers(suite)
    check(suite)
    settle()
    compare_ledgers(suite, args, report)
    report.add_cold(suite, 'ledgers + W&B logs', 1, 'table')
    report.add_unchanged(suite, 'ledgers + W&B logs')


def run_short(suite: Suite, args: argparse.Namespace, report: Report) -> None:
    """Point 5."""
    write_suite(suite)
    compare(suite, 'W&B logs', args, report)
    write_ledgers(suite)
    check(suite)
    settle()
    compare_ledgers(suite, args, report)
    report.add_unchanged(suite, 'ledgers + W&B logs')


def compare(suite: Suite, files: str, args: argparse.Namespace, report: Report) -> None:
    """Point 2."""
    settle()
    for _ in range(args.repeats):
        report.add(
            suite,
            files,
            'wandb-core --summary --json',
            'all',
            args.jobs,
            time_core,
            '--summary',
            '--json',
        )
        report.add_cold(suite, files, args.jobs)


def compare_ledgers(suite: Suite, args: argparse.Namespace, report: Report) -> None:
    """Point 4; cold, each number of jobs in turns with the other checkout."""
    for jobs in sorted({1, args.jobs}, reverse=True):
        for _ in range(args.repeats if args.before else 1):
            if args.before:
                report.add_before(suite, args.before, jobs)
            report.add_cold(suite, 'ledgers + W&B logs', jobs)


def settle() -> None:
    """Wait until what was just written is old enough to be remembered."""
    time.sleep(2.5)


if __name__ == '__main__':
    main()
