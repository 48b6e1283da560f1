"""Predictions that a test leaves behind."""

import hashlib
from types import SimpleNamespace

import pytest
import torch
from runner_stubs import Videos, make_runner

from mmaction_ext.datasets.samples import data_digest
from mmaction_ext.evaluation.predictions import read_predictions
from mmaction_ext.evaluation.predictions_hook import PredictionsHook


def outputs(labels):
    """What a model returns for clips of these labels."""
    return [
        SimpleNamespace(
            gt_label=torch.tensor([label] if isinstance(label, int) else label),
            pred_score=torch.full((12,), 1 / 12, dtype=torch.float16),
        )
        for label in labels
    ]


def run_predictions_hook(tmp_path, labels, name, batch=8):
    checkpoint = tmp_path / 'epoch_6.pth'
    checkpoint.write_bytes(b'weights')
    runner, _ = make_runner(name, iter=1080, epoch=6, test_checkpoint=str(checkpoint))
    hook = PredictionsHook(str(tmp_path / 'predictions.npz'), dict(config='a/b', seed=0))
    for _ in range(2):  # a second test replaces the first
        hook.before_test_epoch(runner)
        for start in range(0, len(labels), batch):
            hook.after_test_iter(runner, start, outputs=outputs(labels[start : start + batch]))
        hook.after_test_epoch(runner)
    return tmp_path / 'predictions.npz', hook


def test_predictions_are_written_with_what_they_belong_to(tmp_path):
    labels = [index % 12 for index in range(39)] + [0]
    path, hook = run_predictions_hook(tmp_path, labels, 'predict')
    found = read_predictions(path)
    assert found.names.tolist() == [f'test/{index:06d}.mp4' for index in range(40)]
    assert found.labels.tolist() == labels
    assert found.scores.shape == (40, 12) and found.scores.dtype == 'float32'
    assert hook.written
    assert found.meta == dict(
        config='a/b',
        seed=0,
        iter=1080,
        epoch=6,
        data_digest=data_digest(Videos()),
        checkpoint_sha256=hashlib.sha256(b'weights').hexdigest(),
    )


def test_predictions_out_of_order_are_an_error(tmp_path):
    with pytest.raises(RuntimeError, match='order'):
        run_predictions_hook(tmp_path, [0] * 40, 'predict_order')


def test_samples_of_several_labels_are_not_written(tmp_path):
    path, hook = run_predictions_hook(tmp_path, [[0, 1]] * 40, 'predict_many')
    assert not path.exists() and not hook.written
