"""Real offline W&B runs for the tests of the readers, the tables and their tools.

Run as a program it logs the runs that standard input describes (a JSON list); a run that is
to die takes the program with it, so each of those has a process of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARKUP = '<script>alert(1)</script> | \\input{x} 50% & $a_b$\nline'


def describe(
    folder,
    *,
    config='demo/full',
    seed=0,
    config_hash='0123456789abcdef',
    overrides=None,
    job_type='train',
    rows=(),
    exit_code=0,
    die=False,
    uid=None,
    **init,
):
    """Description of one attempt at a run, with the config that the training tool writes."""
    facts = dict(
        identity=dict(
            config=config, seed=seed, config_hash=config_hash, overrides=overrides or {}
        ),
        static=dict(params=3250000, macs=2000000000, input_shape=[3, 8, 80, 80]),
        recipe=dict(train_cfg=dict(max_epochs=2)),
        env=dict(python='3'),
        git=dict(commit='abc'),
    )
    uid = uid or f'{config.replace("/", "-")}-{seed}-{config_hash[:6]}'
    return dict(
        folder=str(folder),
        id=uid,
        config=facts,
        rows=list(rows),
        exit_code=exit_code,
        die=die,
        init=dict(group='demo', job_type=job_type, **init),
    )


def history(top1, first_iter=1, last_iter=8, test=True, samples=240, sha=None):
    """Rows of two epochs of four iterations, as the training tool logs them."""
    rows = []
    for iteration in range(first_iter, last_iter + 1):
        epoch = (iteration + 3) // 4
        rows.append({'iter': iteration, 'epoch': epoch, 'train/loss': 2.0 / iteration})
        if iteration % 4 == 0:
            rows.append({'iter': iteration, 'epoch': epoch, 'val/acc/top1': iteration / 16})
    if test:
        rows.append(
            {
                'iter': last_iter,
                'epoch': 2,
                'test/acc/top1': top1,
                'test/motion/within_pair': top1,
                'test/num_samples': samples,
                'test/checkpoint_sha256': sha or f'sha of {top1!r} at {first_iter}',
            }
        )
    return rows


def of_attempt(rows, number, exit_code=0, start=1000.0, **facts):
    """Rows with what the training tool has W&B say of the attempt; ``None``: it was killed."""
    start += 100 * number
    facts = dict(dict(number=number, job_type='train', host='h', pid=number), **facts)
    ends = [] if exit_code is None else [{'attempt_exit_code': exit_code}]
    first = {f'attempt_{name}': value for name, value in facts.items()}
    return [dict(row, attempt_start=start) for row in [first, *rows, *ends]]


def write(runs) -> None:
    """Log runs with the wandb SDK, in processes of their own."""
    batches = [[run for run in runs if not run['die']]] + [[run] for run in runs if run['die']]
    environment = dict(
        os.environ, WANDB_MODE='offline', WANDB_SILENT='true', WANDB_ERROR_REPORTING='false'
    )
    processes = []
    for batch in filter(None, batches):
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            text=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        process.stdin.write(json.dumps(batch))
        process.stdin.close()
        processes.append((process, -signal.SIGKILL if batch[0]['die'] else 0))
    for process, expected in processes:
        code = process.wait(timeout=120)
        if code != expected:
            raise RuntimeError(f'the run writer ended with {code} instead of {expected}')


def log_file(folder) -> Path:
    """The one log below a folder."""
    [path] = Path(folder).rglob('run-*.wandb')
    return path


def _log(run) -> None:
    import wandb

    os.makedirs(run['folder'], exist_ok=True)
    settings = dict(console='off', x_disable_stats=True, save_code=False)
    if 'x_transaction_log_flush_interval' in wandb.Settings.model_fields:
        settings['x_transaction_log_flush_interval'] = 0.2
    opened = wandb.init(
        project='test',
        dir=run['folder'],
        id=run['id'],
        config=run['config'],
        settings=wandb.Settings(**settings),
        **run['init'],
    )
    opened.define_metric('*', step_metric='iter')
    for row in run['rows']:
        opened.log(row)
    if run['die']:
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGKILL)
    opened.finish(exit_code=run['exit_code'])


if __name__ == '__main__':
    for description in json.load(sys.stdin):
        _log(description)
