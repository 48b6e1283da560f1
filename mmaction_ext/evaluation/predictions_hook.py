"""A hook that writes down what a test predicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dataset import BaseDataset
from mmengine.dist import collect_results
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmaction_ext.datasets.samples import data_digest, sample_name
from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.files.writing import file_sha256


@HOOKS.register_module()
class PredictionsHook(Hook):
    """Write what a test predicts to a file without pickles.

    See :mod:`mmaction_ext.evaluation.predictions`. Samples with several labels are not written.

    Args:
        path: the file.
        run: ``config``, ``seed``, ``config_hash`` and ``overrides`` of the run.

    Attributes:
        written: whether the file holds what the last test predicted; of the first process.
    """

    priority = 'LOWEST'

    def __init__(self, path: str, run: dict[str, Any]) -> None:
        self.path, self.run, self.written = path, dict(run), False
        self._results: list[tuple[np.ndarray, np.ndarray]] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget an earlier test."""
        self._results, self.written = [], False

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] = ()
    ) -> None:
        """Keep labels and scores of a batch."""
        self._results += [
            (sample.gt_label.cpu().numpy(), sample.pred_score.float().cpu().numpy())
            for sample in outputs
        ]

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Gather the samples of all processes, which brings them into the data set's order."""
        dataset = runner.test_dataloader.dataset
        results = collect_results(self._results, len(dataset), 'cpu')
        self._results = []
        if results is None:  # not the first process
            return
        if any(label.size != 1 for label, _ in results):
            runner.logger.info(f'{self.path} is not written: samples have several labels')
            return
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        labels = np.array([label.item() for label, _ in results])
        if labels.tolist() != [info['label'] for info in infos]:
            raise RuntimeError('the test loader does not keep the order of its data set')
        write_predictions(
            self.path,
            Predictions(
                np.array([sample_name(info) for info in infos]),
                labels,
                np.stack([score for _, score in results]),
                self._meta(runner, dataset),
            ),
        )
        self.written = True

    def _meta(self, runner: Runner, dataset: BaseDataset) -> dict[str, Any]:
        iteration, epoch = position(runner)
        meta = dict(self.run, iter=iteration, epoch=epoch, data_digest=data_digest(dataset))
        checkpoint = runner.message_hub.runtime_info.get('test_checkpoint')
        if checkpoint:
            meta['checkpoint_sha256'] = file_sha256(checkpoint)
        return meta


def position(runner: Runner) -> tuple[int, int]:
    """Iterations and epochs completed, of the training or of the checkpoint under test."""
    if isinstance(runner._train_loop, BaseLoop):
        return runner.iter, runner.epoch
    info = runner.message_hub.runtime_info
    return info.get('iter', 0), info.get('epoch', 0)
