"""Hook that shows W&B what a test predicted, and hands it the checkpoint a run ends with."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint

from mmaction_ext.datasets.samples import sample_name
from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import class_names, predicted_classes
from mmaction_ext.evaluation.predictions import Predictions, read_predictions
from mmaction_ext.evaluation.predictions_hook import PredictionsHook
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tracking.writing import wandb_media
from mmaction_ext.tracking.writing.wandb_backend import RunWandbBackend


@HOOKS.register_module()
class WandbResultsHook(Hook):
    """Log what a test predicted to the run's :class:`RunWandbBackend`.

    After a test, ``test_per_class`` (accuracy of each class), ``test_confusion`` (the cells of
    the confusion matrix that are not zero) and ``test_clips`` (a few test clips with label,
    prediction and score) go into one row, which carries ``iter`` and ``epoch``. Their names have
    no slash, by which whoever reads the log knows that they are no metrics of the phase
    ``test``. The numbers come from the file that
    :class:`~mmaction_ext.evaluation.predictions_hook.PredictionsHook` writes: without that hook,
    or where samples have several labels, there is nothing to log. How much is logged is the
    backend's ``media``. Where the backend's ``log_artifact`` is set, it is given the checkpoint
    that was tested, or the last one of a training without a test.

    Nothing here can make a run fail: what cannot be shown is a warning.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}

    def after_train(self, runner: Runner) -> None:
        """Name the last checkpoint of the training."""
        backend = _backend_of(runner)
        if backend and backend.log_artifact:
            with backend.attempt('the checkpoint is no artifact'):
                path = find_latest_checkpoint(runner.work_dir)
                if path:
                    backend.add_checkpoint(
                        path, iter=runner.iter, epoch=runner.epoch, sha256=file_sha256(path)
                    )

    def after_test_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Keep the metrics for the checkpoint."""
        self._metrics = {f'test/{name}': value for name, value in (metrics or {}).items()}

    def after_test(self, runner: Runner) -> None:
        """Log tables and clips, and name the checkpoint that was tested."""
        backend = _backend_of(runner)
        if backend is None:
            return
        if backend.log_artifact:
            with backend.attempt('the checkpoint is no artifact'):
                self._add_checkpoint(runner, backend)
        for path in _written_predictions(runner):
            with backend.attempt('tables and clips of the test are not logged'):
                _add_media(runner, backend, read_predictions(path))

    def _add_checkpoint(self, runner: Runner, backend: RunWandbBackend) -> None:
        info = runner.message_hub.runtime_info
        path = info.get('test_checkpoint')
        if path:
            backend.add_checkpoint(
                path,
                iter=info.get('iter', 0),
                epoch=info.get('epoch', 0),
                sha256=file_sha256(path),
                metrics=_scalars(self._metrics),
            )


def _scalars(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics that are one number; a metric may also be a whole matrix."""
    return {name: float(value) for name, value in metrics.items() if np.ndim(value) == 0}


def _backend_of(runner: Runner) -> RunWandbBackend | None:
    """The backend; ``None`` where it logs nothing, as on other processes than the first."""
    backend = runner.visualizer.get_backend('RunWandbBackend')
    return backend if backend is not None and backend.is_logging else None


def _written_predictions(runner: Runner) -> list[Path]:
    """Files with the predictions of this test; an earlier one's may lie about."""
    return [
        Path(hook.path)
        for hook in runner.hooks
        if isinstance(hook, PredictionsHook) and hook.written
    ]


def _add_media(runner: Runner, backend: RunWandbBackend, predictions: Predictions) -> None:
    """One row with the tables and clips that the backend's options ask for."""
    options, names = backend.media, class_names(runner.cfg)
    predicted = predicted_classes(predictions.scores)
    values = {}
    if options.tables:
        for name, columns, rows in (
            ('per_class', wandb_media.CLASS_COLUMNS, wandb_media.class_rows),
            ('confusion', wandb_media.CONFUSION_COLUMNS, wandb_media.confusion_rows),
        ):
            data = rows(predictions.labels, predicted, names)
            values[f'test_{name}'] = backend.experiment.Table(columns=list(columns), data=data)
    clips = _clips(runner, backend, predictions, predicted, names)
    if clips:
        values['test_clips'] = clips
    if values:
        backend.add_media(
            values, predictions.meta.get('iter', 0), predictions.meta.get('epoch', 0)
        )


def _clips(
    runner: Runner,
    backend: RunWandbBackend,
    predictions: Predictions,
    predicted: np.ndarray,
    names: Mapping[int, str],
) -> list[Any]:
    """W&B videos of a few samples; those that cannot be read are passed over with a warning."""
    videos = []
    for place in wandb_media.choose_clips(len(predictions.labels), backend.media.clips):
        text = wandb_media.caption(
            predictions.names[place],
            predictions.labels[place],
            predicted[place],
            predictions.scores[place],
            names,
        )
        try:
            frames = _frames(runner, place, predictions.names[place])
        except InputError as error:
            print_log(
                f'clip not shown in W&B: {error.sentence()}',
                logger='current',
                level=logging.WARNING,
            )
            continue
        data = wandb_media.encode_clip(frames, backend.media)
        videos.append(
            backend.experiment.Video(io.BytesIO(data), caption=text, format=backend.media.format)
        )
    return videos


def _frames(runner: Runner, place: int, name: str) -> np.ndarray:
    """Frames (T, H, W, 3) of a test sample as the network sees them, of uint8."""
    from mmaction_ext.datasets.clip_loading import load_clip

    info = runner.test_dataloader.dataset.get_data_info(place)
    if sample_name(info) != name:
        raise InputError(f'sample {place} is {sample_name(info)}, not {name}')
    frames = load_clip(runner.cfg, info.get('filename') or info['frame_dir']).frames
    return frames.clip(0, 255).astype(np.uint8)
