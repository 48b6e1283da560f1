"""A project of one table with runs whose ledgers are written by hand, file by file."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmaction_ext import cli
from mmaction_ext.tracking.identity import RunIdentity, config_below, config_hash, load_config
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.facts import config_digests
from mmaction_ext.tracking.ledger.format import MetricsRow, encode_row

MARKUP = '\x1b[31mred\x1b[0m <script>alert(1)</script>\u202e\nnext\x07 | $x$'
COMMON = """
model = dict(type='Tiny', width=8)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
train_dataloader = dict(batch_size=4, dataset=dict(type='VideoDataset', ann_file='train.txt'))
"""
TABLE = """
id: demo
caption: A demo
seeds: [0, 1]
published: published.yaml
columns:
  - {key: big, head: Big, from: row.big}
  - {key: params, head: Params, from: static.params, scale: 1.0e-6, fmt: .2f}
  - {key: paper, head: Paper, from: published.top1}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, best: max}
  - {key: delta, head: Delta, from: top1, relative_to: reference, fmt: +.1f}
  - {key: gap, head: Gap, from: top1, relative_to: published.top1, tolerance: 5, fmt: +.1f}
rows:
  - {id: base, config: base.py, reference: true, published: paper.base, big: false}
  - {id: full, label: Full, config: full.py, published: paper.full, big: true}
  - {id: other, label: Other, published: paper.other, reason: nobody has its code, big: false}
  - {id: both, label: Both, mean_of: [base, full], big: false}
"""
PUBLISHED = """
paper:
  paper: A Paper
  table: Table 7
  protocol: one clip
  source: its text
  unit: percent
  base: {top1: 70.0}
  full: {top1: 75.5}
  other: {top1: 60.0}
"""
#: holds a run's folder as a training does, and says when it has it
HOLDER = """
import fcntl, os, sys, time
lock = open(sys.argv[1], 'a+')
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(f'{os.getpid()}\\n')
lock.flush()
print('held', flush=True)
time.sleep(600)
"""


class Project:
    """Configs, table, data list and runs in a folder of their own.

    Attributes:
        root: the folder.
        table: ``table.yaml``.
        runs: folder of the runs.
    """

    def __init__(self, root: Path):
        self.root, self.runs = root, root / 'work_dirs'
        self.table = root / 'configs/demo/table.yaml'
        self.runs.mkdir()
        self.write('configs/demo/common.py', COMMON)
        self.write('configs/demo/base.py', "_base_ = ['common.py']\n")
        self.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=16)\n")
        self.write('configs/demo/table.yaml', TABLE)
        self.write('configs/demo/published.yaml', PUBLISHED)
        self.write('train.txt', ''.join(f'{name}.mp4 0\n' for name in range(16)))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def config(self, row: str) -> Path:
        """Config file of a row."""
        return self.root / f'configs/demo/{row}.py'

    def resolved(self, row: str) -> dict:
        """What the config of a row, or of a fold of one (``row_fold2``), resolves to."""
        return load_config(*self.file_and_fold(row))

    def file_and_fold(self, row: str) -> tuple[Path, str]:
        """Config file of a row, or of a fold of one, and that fold or nothing."""
        return config_below(self.root / 'configs', f'demo/{row}')

    def identity(self, row: str, seed: int) -> RunIdentity:
        """Who a run is."""
        return RunIdentity(f'demo/{row}', seed, config_hash(self.resolved(row)))

    def folder(self, row: str, seed: int) -> Path:
        """Folder of a run."""
        return self.runs / f'demo/{row}/seed{seed}'

    def complexity(self, **macs) -> Path:
        """Write the file of costs for some rows."""
        lines = [
            f'demo/{row},{self.identity(row, 0).config_hash},1500000,{count}'
            for row, count in macs.items()
        ]
        return self.write(
            'reports/complexity.csv', '\n'.join(['config,config_hash,params,macs', *lines, ''])
        )

    def train(
        self,
        row: str,
        seed: int,
        top1: float = 0.75,
        *,
        last: int = 8,
        exit_code=0,
        last_error=None,
        signal=None,
        **facts,
    ) -> Path:
        """Write the ledger of a run of 8 iterations.

        Args:
            row, seed: which run.
            top1: result of its test; without one where ``exit_code`` is not 0.
            last: last iteration.
            exit_code, signal, last_error: how it ended; ``exit_code=None`` for one that did not.
            facts: what else ``run.json`` says.

        Returns:
            The run's folder.
        """
        folder, identity = self.folder(row, seed), self.identity(row, seed)
        (folder / 'results').mkdir(parents=True, exist_ok=True)
        (folder / 'run.lock').touch()
        attempt = dict(
            number=1,
            host=process.host(),
            boot_id=process.boot_id(),
            pid=2**22 + 1,
            process_start=1,
            slurm_job=None,
            start=1.7e9,
            end=1.7e9 + 60,
            exit_code=exit_code,
            signal=signal,
            last_error=last_error,
            world_size=1,
            resumed_from_iter=None,
            commit='c0ffee',
            wandb=None,
        )
        if exit_code is None:
            attempt['end'] = None
        content = dict(
            schema=1,
            uid=identity.uid,
            config=identity.config,
            seed=seed,
            config_hash=identity.config_hash,
            job_type='train',
            overrides={},
            recipe=self.resolved(row),
            config_files=config_digests(self.file_and_fold(row)[0]),
            static=dict(params=1500000, macs=2000000, input_shape=[3, 8, 64, 64]),
            env=dict(python='3.11', torch='2.11'),
            git=dict(commit='c0ffee', dirty=True, diff_sha256='d1ff'),
            sources={},
            data=dict(train=dict(ann_file='train.txt', ann_sha256='abc', num_samples=16)),
            initial_checkpoint=None,
            attempts=[attempt],
        )
        (folder / 'run.json').write_text(json.dumps(dict(content, **facts), indent=1))
        self.log(folder, last)
        if exit_code == 0:
            self.result(folder, identity, top1, last)
        return folder

    def log(self, folder: Path, last: int) -> None:
        """Write rows of metrics and a heartbeat up to an iteration."""
        lines = []
        for number in range(1, last + 1):
            metrics = {'train/loss': 2.0 / number, 'train/time': 0.5}
            lines.append(MetricsRow(1, 'train', number, (number + 3) // 4, 1.7e9, metrics))
            if number % 4 == 0:
                lines.append(
                    MetricsRow(1, 'val', number, number // 4, 1.7e9, {'val/acc/top1': number / 16})
                )
        (folder / 'metrics.jsonl').write_bytes(b''.join(map(encode_row, lines)))
        beat = dict(
            attempt=1,
            pid=2**22 + 1,
            host=process.host(),
            boot_id=process.boot_id(),
            iter=last,
            time=time.time() - 45,
            beat=7,
        )
        (folder / 'heartbeat').write_text(json.dumps(beat))

    def result(self, folder: Path, identity, top1: float, last: int) -> None:
        """Write checkpoint, predictions and the result that names them."""
        files = {}
        for key, name in (('checkpoint', 'epoch_2.pth'), ('predictions', 'predictions.npz')):
            (folder / name).write_bytes(f'{key} of {folder}'.encode())
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            files[key] = dict(path=name, sha256=digest)
        metrics = {
            'test/acc/top1': top1,
            'test/num_samples': 240,
            'test/checkpoint_sha256': files['checkpoint']['sha256'],
            'test/data_digest': 'f00d',
        }
        row = MetricsRow(1, 'test', last, 2, 1.7e9, metrics)
        with open(folder / 'metrics.jsonl', 'ab') as file:
            file.write(encode_row(row))
        result = dict(
            schema=1,
            uid=identity.uid,
            job_type='train',
            attempt=1,
            iter=last,
            epoch=2,
            protocol=dict(split='test', num_clips=1),
            metrics=metrics,
            num_samples=240,
            data_digest='f00d',
            finished=True,
            **files,
        )
        (folder / f'results/1-{last}.json').write_text(json.dumps(result))

    def change(self, folder: Path, name: str = 'run.json', **values) -> None:
        """Change entries of a JSON file of a run."""
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(dict(content, **values)))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('RANK', raising=False)
    return Project(tmp_path)


@pytest.fixture
def command(capsys):
    """Run a command in this process: exit code, standard output and standard error."""

    def command(*argv):
        capsys.readouterr()
        try:
            code = cli.main([str(word) for word in argv])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def hold():
    """Hold the lock of a run's folder in a process of its own, as a training does."""
    holders = []

    def hold(folder):
        holder = subprocess.Popen(
            [sys.executable, '-c', HOLDER, str(folder / 'run.lock')],
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        assert holder.stdout.readline() == 'held\n'
        content = json.loads((folder / 'run.json').read_text())
        content['attempts'][-1].update(
            pid=holder.pid, process_start=process.process_start(holder.pid)
        )
        (folder / 'run.json').write_text(json.dumps(content))
        return holder

    yield hold
    for holder in holders:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.fixture
def markup():
    """A name that would paint a terminal red, ring its bell and break lines."""
    return MARKUP
