"""Hooks that log rows which say where they belong, in W&B and in the ledger."""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch.utils.data import DataLoader

from mmaction_ext.datasets.configs import evaluation_protocol
from mmaction_ext.datasets.guarded import replaced_samples, replaces_samples
from mmaction_ext.datasets.samples import data_digest
from mmaction_ext.evaluation.predictions_hook import PredictionsHook, position
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.results import relative_path, write_result


@HOOKS.register_module()
class RunLoggerHook(LoggerHook):
    """mmengine's ``LoggerHook`` made fit for tables.

    Set ``log_processor.log_with_hierarchy=True`` beside it, so that metrics are prefixed with
    ``train/``, ``val/`` or ``test/``. mmengine's own hook logs validation rows without
    iteration or epoch and test rows nowhere; here each row carries both, and a test row names
    the checkpoint it was measured on (``test/checkpoint_sha256``), the number of samples and a
    digest of the data (``test/data_digest``).

    Where the training set replaces what it cannot read (``on_error='replace'`` of
    :mod:`mmaction_ext.datasets.guarded`), each file is named in the log when it is first met, and
    each epoch logs how many samples were replaced on all processes
    (``train/replaced_samples``), zero included.

    The visualiser is left open at the end of training, since the test that follows belongs to
    the same run; whoever made the runner closes it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._replaced = 0
        self._named: set[str] = set()

    def before_train_epoch(self, runner: Runner) -> None:
        """Start counting."""
        self._replaced = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Count and name the replaced samples of a batch, and log as mmengine does."""
        for name, reason in replaced_samples(data_batch):
            self._replaced += 1
            if name not in self._named:
                self._named.add(name)
                # an error, so that processes other than the first may speak
                runner.logger.error(f'replaced by another sample: {reason}')
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the number of replaced samples, where samples may be replaced."""
        if replaces_samples(runner.train_dataloader.dataset):
            count = torch.tensor(self._replaced, device=get_device())
            all_reduce(count)
            row = {
                'train/replaced_samples': count.item(),
                'iter': runner.iter,
                'epoch': runner.epoch,
            }
            runner.visualizer.add_scalars(row, step=runner.iter, file_path=self.json_log_path)
        super().after_train_epoch(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Log one ``val/`` row."""
        self._log_epoch(runner, 'val', runner.val_dataloader)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Log one ``test/`` row."""
        dataset = runner.test_dataloader.dataset
        row = {'test/num_samples': len(dataset), 'test/data_digest': data_digest(dataset)}
        checkpoint = runner.message_hub.runtime_info.get('test_checkpoint')
        if checkpoint:
            row['test/checkpoint_sha256'] = file_sha256(checkpoint)
        self._log_epoch(runner, 'test', runner.test_dataloader, row)

    def after_run(self, runner: Runner) -> None:
        """Keep the visualiser open."""

    def _log_epoch(
        self,
        runner: Runner,
        phase: str,
        dataloader: DataLoader[Any],
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        tag, text = runner.log_processor.get_log_after_epoch(runner, len(dataloader), phase)
        runner.logger.info(text)
        iteration, epoch = position(runner)
        row = dict(tag, iter=iteration, epoch=epoch, **(facts or {}))
        runner.visualizer.add_scalars(row, step=iteration, file_path=self.json_log_path)


class RunLedgerHook(Hook):
    """Enter into the ledger where training goes on from, and what a test measured.

    Args:
        attempt: the attempt that the runner's process makes at the run.
    """

    priority = 'LOWEST'

    def __init__(self, attempt: RunLedger) -> None:
        self.attempt = attempt

    def before_train(self, runner: Runner) -> None:
        """Note the iteration of the checkpoint that training goes on from; 0 without one."""
        self.attempt.update(resumed_from_iter=runner.iter)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Write the result file of one evaluation."""
        iteration, epoch = position(runner)
        dataset = runner.test_dataloader.dataset
        write_result(
            self.attempt.folder,
            self.attempt.number,
            dict(
                **self.attempt.run,
                iter=iteration,
                epoch=epoch,
                checkpoint=self._file(runner.message_hub.runtime_info.get('test_checkpoint')),
                protocol=evaluation_protocol(runner.cfg.test_dataloader.dataset),
                metrics={f'test/{name}': value for name, value in (metrics or {}).items()},
                num_samples=len(dataset),
                data_digest=data_digest(dataset),
                predictions=self._file(
                    next(
                        (
                            hook.path
                            for hook in runner.hooks
                            if isinstance(hook, PredictionsHook) and hook.written
                        ),
                        None,
                    )
                ),
            ),
        )

    def _file(self, path: str | None) -> dict[str, Any] | None:
        """A file by its path relative to the run's folder, and its digest."""
        if not path:
            return None
        return dict(path=relative_path(path, self.attempt.folder), sha256=file_sha256(path))


def record_progress(runner: Runner, attempt: object) -> None:
    """Have the ledger follow a runner: its iterations, its W&B log and its tests.

    Args:
        runner: a runner whose visualiser is open.
        attempt: the attempt that this process makes at the run. Whatever else stands for one on
            processes that keep no ledger is passed over.
    """
    if not isinstance(attempt, RunLedger):
        return
    attempt.heartbeat.iteration = functools.partial(runner.message_hub.get_info, 'iter', 0)
    record_mirror(runner.visualizer, attempt)
    runner.register_hook(RunLedgerHook(attempt))


def record_mirror(visualizer: Visualizer, attempt: RunLedger) -> None:
    """Have the ledger say where the W&B log is and what it lacks, and that of which attempt it is.

    The attempt's entry gets ``wandb``, ``wandb_closed`` and ``wandb_rows_missing`` of
    :class:`~mmaction_ext.tracking.writing.wandb_backend.RunWandbBackend`; without that,
    ``wandb=None``.

    Args:
        visualizer: an open visualiser.
        attempt: the attempt that this process makes at the run.
    """
    backend = visualizer.get_backend('RunWandbBackend')
    attempt.update(wandb=backend.log_location() if backend else None)
    if backend:
        backend.when_closed, backend.entry = attempt.update, attempt.entry
    attempt.expect_termination()  # closing the W&B log may hang, and comes after
