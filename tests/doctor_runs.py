"""Runs in a working folder, written by the ledger's own functions, and what is found of them."""

import hashlib
import os
import time
from pathlib import Path

import ledger_runs
import offline_runs

from mmaction_ext.tracking.doctor import LEFTOVER_SECONDS, examine
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger.format import LOCK_FILE, METRICS_FILE, RUN_FILE
from mmaction_ext.tracking.writing.attempts import read_run_file

CONFIG = 'model = dict(width=8)\n'


class Runs:
    """Configs and runs in the working folder.

    Attributes:
        root: the working folder.
        config: the one config that there is.
    """

    def __init__(self, root: Path):
        self.root, self.config = root, root / f'configs/{ledger_runs.CONFIG}.py'
        self.config.parent.mkdir(parents=True)
        self.config.write_text(CONFIG)
        self._hash = config_hash(load_config(self.config))

    def train(
        self, seed=0, top1=0.75, *, exit_code=0, last=8, predictions=b'scores', **entry
    ) -> Path:
        """Write the ledger of a run of one attempt; returns its folder, from the root on.

        Args:
            seed: which run.
            top1: result of its test; it has none where ``exit_code`` is not 0.
            exit_code: how it ended; ``None`` for one that did not.
            last: its last iteration.
            predictions: bytes of those of its test.
            entry: what else ``run.json`` says of the attempt.
        """
        folder = Path(f'work_dirs/{ledger_runs.CONFIG}/seed{seed}')
        rows = history(top1 if exit_code == 0 else None, last)
        size = len(ledger_runs.lines(rows))
        known = dict(dict(metrics_bytes=size) if exit_code is not None else {}, **entry)
        ledger_runs.write_ledger(
            folder, rows, seed=seed, attempts=[ledger_runs.attempt(exit_code=exit_code, **known)]
        )
        identity = RunIdentity(ledger_runs.CONFIG, seed, self._hash)
        self.change(folder, config_hash=identity.config_hash, uid=identity.uid, sources={})
        (folder / LOCK_FILE).touch()
        if exit_code == 0:
            self.test(folder, top1, last, predictions=predictions)
        return folder

    def test(self, folder, top1=0.75, last=8, number=1, predictions=b'scores') -> Path:
        """Write checkpoint, predictions and the result that names them; returns its path."""
        files = dict(
            checkpoint=('epoch_2.pth', b'weights'), predictions=('predictions.npz', predictions)
        )
        named = {
            kind: dict(path=name, sha256=hashlib.sha256(content).hexdigest())
            for kind, (name, content) in files.items()
        }
        for name, content in files.values():
            (folder / name).write_bytes(content)
        path = ledger_runs.write_test_result(folder, history(top1, last)[-1], number)
        self.change(path, uid=read_run_file(folder)['uid'], **named)
        return path

    def attempt(self, folder, rows, number=2, **facts) -> None:
        """Add an attempt, with ``metrics_bytes`` where it ended."""
        self.append(folder, rows, number)
        entry = ledger_runs.attempt(number, **facts)
        if entry['exit_code'] is not None:
            entry['metrics_bytes'] = (folder / METRICS_FILE).stat().st_size
        self.change(folder, attempts=[*read_run_file(folder)['attempts'], entry])

    def append(self, folder, rows, number=1) -> None:
        """Add rows to those of an attempt."""
        with open(folder / METRICS_FILE, 'ab') as file:
            file.write(ledger_runs.lines(rows, number))

    def change(self, path, **values) -> None:
        """Write other values into ``run.json`` of a folder, or a result, with a right checksum."""
        ledger_runs.change(path / RUN_FILE if path.is_dir() else path, **values)

    def find(self, hash_files=True) -> dict:
        """Severity, text and advice of what is found by (check, place)."""
        return {
            (item.check, item.place): (item.severity, item.text, item.advice)
            for item in examine(['work_dirs'], hash_files=hash_files)
        }

    def problems(self) -> set:
        """(check, place) of what is found, without the notes."""
        return {key for key, (severity, *_) in self.find().items() if severity != 'note'}


def history(top1, last=8) -> list:
    """Rows of a training, and of its test where ``top1`` is a number."""
    return offline_runs.history(
        top1, last_iter=last, test=top1 is not None, sha=hashlib.sha256(b'weights').hexdigest()
    )


def only(found, check) -> tuple:
    """Place, severity, text and advice of the one finding of a check."""
    [item] = [(place, *facts) for (name, place), facts in found.items() if name == check]
    return item


def grow_old(path, seconds=2 * LEFTOVER_SECONDS) -> None:
    """Set a file's time back."""
    then = time.time() - seconds
    os.utime(path, (then, then))
