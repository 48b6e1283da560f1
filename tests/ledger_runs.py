"""Ledgers of runs for the tests of the readers, written by the ledger's own functions."""

import os
from pathlib import Path

from mmaction_ext.files.writing import write_atomically
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import (
    METRICS_FILE,
    SCHEMA,
    MetricsRow,
    decode_object,
    encode_object,
    encode_row,
    to_json,
)
from mmaction_ext.tracking.ledger.forms import AttemptEntry, RunFile
from mmaction_ext.tracking.writing.attempts import write_run_file
from mmaction_ext.tracking.writing.results import write_result

CONFIG, CONFIG_HASH = 'demo/full', '0123456789abcdef'


def identity(seed=0):
    """Identity of the run that :func:`write_ledger` writes."""
    return RunIdentity(CONFIG, seed, CONFIG_HASH)


def attempt(number=1, exit_code=0, start=1000.0, **facts):
    """Entry of an attempt of this machine whose process is dead."""
    return dict(
        dict(
            number=number,
            host=process.host(),
            boot_id=process.boot_id(),
            pid=4_000_000 + number,
            process_start=number,
            slurm_job=None,
            start=start,
            end=None if exit_code is None else start + 100,
            exit_code=exit_code,
            signal=None,
            last_error=None,
            world_size=1,
            resumed_from_iter=None,
            commit='abc',
            wandb=None,
        ),
        **facts,
    )


def entry(*args, **facts):
    """:func:`attempt` as it is read."""
    return AttemptEntry.of(attempt(*args, **facts))


def lines(rows, number=1):
    """Rows as :func:`offline_runs.history` gives them, as lines of ``metrics.jsonl``."""
    encoded = []
    for row in rows:
        metrics = {name: value for name, value in row.items() if '/' in name}
        phase = next(iter(metrics)).partition('/')[0]
        encoded.append(
            encode_row(MetricsRow(number, phase, row['iter'], row.get('epoch'), 1.5e9, metrics))
        )
    return b''.join(encoded)


def write_ledger(folder, *histories, attempts=None, seed=0, job_type='train', **facts):
    """Write a ledger with the rows of each attempt; returns the folder."""
    folder, known = Path(folder), identity(seed)
    folder.mkdir(parents=True, exist_ok=True)
    attempts = attempts or [
        attempt(number, None if number < len(histories) else 0)
        for number in range(1, len(histories) + 1)
    ]
    write_run_file(
        folder,
        RunFile.of(
            dict(
                schema=SCHEMA,
                uid=known.uid,
                config=CONFIG,
                seed=seed,
                config_hash=CONFIG_HASH,
                job_type=job_type,
                overrides={},
                recipe=dict(train_cfg=dict(max_epochs=2)),
                static=dict(params=3250000),
                env=dict(python='3'),
                git=dict(commit='abc', dirty=False),
                sources={'mmaction_ext/a.py': 'f' * 64},
                data=dict(train=dict(ann_file='a.txt', num_samples=8)),
                **facts,
                attempts=attempts,
            )
        ),
    )
    content = b''.join(lines(rows, number) for number, rows in enumerate(histories, 1))
    (folder / METRICS_FILE).write_bytes(content)
    return folder


def write_test_result(folder, values, number=1, seed=0, job_type='train'):
    """Write the result file of a test row; returns its path."""
    metrics = {
        name: value
        for name, value in values.items()
        if name.startswith('test/') and name not in ('test/num_samples', 'test/checkpoint_sha256')
    }
    return write_result(
        folder,
        number,
        dict(
            uid=identity(seed).uid,
            job_type=job_type,
            iter=values['iter'],
            epoch=values['epoch'],
            checkpoint=dict(path='epoch_2.pth', sha256=values['test/checkpoint_sha256']),
            protocol=dict(split='test', num_clips=10),
            metrics=metrics,
            num_samples=values['test/num_samples'],
            data_digest='d',
            predictions=dict(path='predictions.npz', sha256='p'),
        ),
    )


def change(path, **values):
    """Change entries of ``run.json`` or of a result file as their writer would."""
    content = decode_object(Path(path).read_bytes())
    write_atomically(path, encode_object(dict(content, **values)))


def beat(folder, seconds_ago, now, number=1, **facts):
    """Write a heartbeat of some time ago."""
    write_atomically(
        Path(folder) / 'heartbeat',
        to_json(
            dict(
                attempt=number,
                pid=4_000_000 + number,
                host='elsewhere',
                boot_id='b',
                iter=7,
                time=now - seconds_ago,
                beat=3,
                **facts,
            )
        ),
    )


def age(folder, seconds=60):
    """Make all files below a folder older, so that what is read of them is kept."""
    for path in Path(folder).rglob('*'):
        if path.is_file() and not path.is_symlink():
            state = path.stat()
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns - int(seconds * 1e9)))
