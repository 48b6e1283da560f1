"""Time how long it takes to plan a thousand runs and to show how they are doing.

    python tools/benchmarks/suites.py --runs 50 --output /tmp/suites.csv
    python tools/benchmarks/suites.py                        (full size)

The ledgers of a thousand runs of this checkout's own tables are written into a temporary folder,
table by table and row by row under five seeds each: of twenty, fourteen finished, two run, one
was killed, one failed, one waits and was never started, one is of an earlier version of its
config. Each has the log of 30 epochs of 20 training rows, a whole recipe and the digests of all
source files, as ``train`` writes them.

Then whole processes are timed, imports and all: ``plan`` and ``status`` of the tables that the
runs are of, and ``plan`` of every table in ``configs/``. ``cold`` is without anything that was
kept of runs or configs, ``warm`` with what the process before has kept; a new clock of each
ledger (``touched``) makes one run in a hundred be read again, as it is while runs go on. What a
process prints must be the same whatever was kept. Other programs on the machine disturb the
figures: ``load`` is the system's load average before the measurement.

Full size needs 150 MB of disk for a while and a few minutes.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common

COLUMNS = (
    'command',
    'tables',
    'rows_seeds',
    'runs',
    'megabytes',
    'kept',
    'seconds',
    'cpu_seconds',
    'load',
    'device',
    'cores',
    'python',
    'mmengine',
    'pydantic',
    'commit',
    'date',
)
SHOWN = COLUMNS[:8]
SEEDS = 5
EPOCHS, ROWS = 30, 20
#: what becomes of twenty runs
ENDS = ('finished',) * 14 + ('running',) * 2 + ('killed', 'failed', 'waiting', 'stale')
#: of so many runs one goes on between two looks at them
TOUCHED = 100


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument('--runs', type=int, default=1000, help='how many (default: 1000)')
    made.add_argument(
        '--repeats', type=int, default=5, help='turns of all but the cold ones (default: 5)'
    )
    made.add_argument(
        '--folder',
        type=Path,
        help="where the runs are written for a while (default: the system's temporary folder)",
    )
    made.add_argument(
        '--output',
        type=Path,
        default=common.REPORTS / 'suites.csv',
        metavar='CSV',
        help='where the figures go (default: reports/benchmarks/suites.csv)',
    )
    return made.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the runs, time the commands, write the figures."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        common.progress(f'writing {args.runs} runs')
        tables, started = write_runs(Path(folder) / 'work_dirs', args.runs)
        measure(Path(folder), tables, started, args)


def write_runs(runs: Path, count: int) -> tuple[list[Path], int]:
    """Write ledgers, as many as are asked for or there are rows and seeds.

    Returns:
        The tables that they are of, and how many ledgers there are: some runs have none yet.
    """
    from mmaction_ext.tables import load_spec
    from mmaction_ext.tracking.identity import config_hash, load_config
    from mmaction_ext.tracking.ledger.facts import config_digests, source_digests

    runs.mkdir()
    sources = source_digests()
    metrics = log()
    tables, written, started = [], set(), 0
    for path in sorted((common.CHECKOUT / 'configs').rglob('table.yaml')):
        spec = load_spec(path)
        tables.append(path)
        for row in spec.with_runs:
            resolved = load_config(*row.load_arguments)
            name = str(row.config_name)
            if name in written or 'ensemble' in resolved or 'weights_of' in resolved:
                continue
            written.add(name)
            digest, files = config_hash(resolved), config_digests(row.load_arguments[0])
            for seed in range(SEEDS):
                end = ENDS[started % len(ENDS)]
                started += 1
                if end != 'waiting':
                    facts = dict(
                        config=name,
                        seed=seed,
                        config_hash='0' * 16 if end == 'stale' else digest,
                        recipe=resolved,
                        config_files=files,
                        sources=sources,
                    )
                    write_run(runs / name / f'seed{seed}', facts, end, metrics)
                if started == count:
                    return tables, count
    return tables, started


def log() -> tuple[list[bytes], bytes]:
    """Lines of the log of a whole run, and that of its test."""
    import random

    from mmaction_ext.tracking.ledger.format import MetricsRow, encode_row

    draw = random.Random(0).random
    lines = []
    for epoch in range(1, EPOCHS + 1):
        for number in range(1, ROWS + 1):
            place = ((epoch - 1) * ROWS + number) * 50
            names = ('loss', 'top1_acc', 'top5_acc', 'lr', 'time', 'data_time')
            values = {f'train/{name}': draw() for name in names}
            lines.append(MetricsRow(1, 'train', place, epoch, 1.7e9 + place, values))
        values = {f'val/acc/{name}': draw() for name in ('top1', 'top5', 'mean1')}
        lines.append(MetricsRow(1, 'val', place, epoch, 1.7e9 + place, values))
    test = MetricsRow(1, 'test', place, EPOCHS, 1.7e9 + place, tested())
    return [encode_row(line) for line in lines], encode_row(test)


def tested() -> dict[str, Any]:
    """What a test logs."""
    return {
        'test/acc/top1': 0.5,
        'test/acc/top5': 0.75,
        'test/num_samples': 480,
        'test/checkpoint_sha256': 'a' * 64,
        'test/data_digest': 'b' * 64,
    }


def write_run(
    folder: Path, facts: dict[str, Any], end: str, metrics: tuple[list[bytes], bytes]
) -> None:
    """Write one ledger.

    Args:
        folder: the run's.
        facts: who it is.
        end: of :data:`ENDS`.
        metrics: see :func:`log`.
    """
    from mmaction_ext.tracking.identity import RunIdentity
    from mmaction_ext.tracking.ledger.forms import ResultFile, RunFile
    from mmaction_ext.tracking.writing.attempts import write_run_file

    (folder / 'results').mkdir(parents=True)
    identity = RunIdentity(facts['config'], facts['seed'], facts['config_hash'])
    lines, test = metrics
    is_over = end in ('finished', 'stale')
    lines = [*lines, test] if is_over else lines[: len(lines) // 2]
    (folder / 'metrics.jsonl').write_bytes(b''.join(lines))
    attempt = dict(number=1, host='elsewhere', boot_id='b', pid=1, start=1.7e9, commit='c0ffee')
    attempt['resumed_from_iter'] = 0
    if is_over or end == 'failed':
        size = (folder / 'metrics.jsonl').stat().st_size
        attempt.update(end=1.7e9 + 3600, exit_code=int(end == 'failed'), metrics_bytes=size)
    content = dict(
        facts,
        schema=2,
        uid=identity.uid,
        job_type='train',
        overrides={},
        static=dict(params=1500000, macs=2000000, input_shape=[3, 8, 64, 64]),
        env=dict(python='3.11', torch='2.11', host='elsewhere'),
        git=dict(commit='c0ffee', dirty=False),
        data=dict(train=dict(ann_file='train.txt', ann_sha256='abc', num_samples=67200)),
        attempts=[attempt],
    )
    write_run_file(folder, RunFile.of(json.loads(json.dumps(content, default=str))))
    beat(folder, time.time() - (0 if end == 'running' else 86400))
    if is_over:
        content = dict(
            schema=2,
            attempt=1,
            uid=identity.uid,
            job_type='train',
            iter=EPOCHS * ROWS * 50,
            epoch=EPOCHS,
            protocol=dict(split='test', num_clips=1),
            metrics=tested(),
            num_samples=480,
            data_digest='b' * 64,
            finished=True,
            checkpoint=dict(path='last.pth', sha256='a' * 64),
        )
        (folder / f'results/1-{EPOCHS * ROWS * 50}.json').write_text(ResultFile.of(content).text())


def beat(folder: Path, when: float) -> None:
    """Write a sign of life of a run."""
    from mmaction_ext.tracking.ledger.forms import HeartbeatFile

    facts = dict(attempt=1, pid=1, host='elsewhere', boot_id='b', iter=15000, beat=9, time=when)
    (folder / 'heartbeat').write_text(json.dumps(HeartbeatFile.of(facts).facts()))


def measure(folder: Path, tables: Sequence[Path], started: int, args: argparse.Namespace) -> None:
    """Time every command on what was written; see the top."""
    runs = folder / 'work_dirs'
    size = sum(path.stat().st_size for path in runs.rglob('*') if path.is_file()) / 1e6
    shared = dict(
        common.machine('mmengine', 'pydantic'),
        commit=common.commit(),
        runs=started,
        megabytes=size,
    )
    table = common.Table(args.output, COLUMNS, SHOWN, shared)
    names = [str(path) for path in tables]
    time.sleep(2.5)  # what was just written is not kept by any cache
    for words, listed in ((['plan', *names], names), (['status', *names], names), (['plan'], [])):
        shutil.rmtree(folder / 'cache', ignore_errors=True)
        found = {}
        for kept in ('cold', *('warm', 'touched') * args.repeats):
            if kept == 'touched':
                touch(runs)
            keep_alive(runs)
            spent, found[kept] = run([*words, '--runs', str(runs)], folder)
            table.add(
                command=words[0],
                tables=len(listed) or 'all',
                kept=kept,
                rows_seeds=found[kept].count('"seed"'),
                **spent,
            )
            if found[kept] != found['cold']:
                sys.exit(f'{words[0]}: {kept} differs from cold')


def keep_alive(runs: Path) -> None:
    """Let those beat that go on."""
    for path in runs.rglob('heartbeat'):
        if time.time() - json.loads(path.read_text())['time'] < 3600:
            beat(path.parent, time.time())


def touch(runs: Path) -> None:
    """Have some logs changed, though what they tell stays."""
    for path in sorted(runs.rglob('metrics.jsonl'))[::TOUCHED]:
        state = path.stat()
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns - 10**9))


def run(words: Sequence[str], folder: Path) -> tuple[dict[str, float], str]:
    """Run a command as a process of its own: what it took, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        ['/usr/bin/env', sys.executable, '-m', 'mmaction_ext', *words, '--json'],
        stdout=subprocess.PIPE,
        text=True,
        cwd=common.CHECKOUT,
        env=dict(
            os.environ,
            XDG_CACHE_HOME=str(folder / 'cache'),
            PYTHONDONTWRITEBYTECODE='',  # an installed package is compiled once, too
            PYTHONPATH=str(common.CHECKOUT),
        ),
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f'{words[0]} ended with {done.returncode}')
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ages = re.compile(r'"heartbeat_age": [^,\n]*')
    return dict(seconds=seconds, cpu_seconds=spent), ages.sub('', done.stdout)


if __name__ == '__main__':
    main()
