"""A trained recognizer and what it says about one clip."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn

from mmaction_ext.checkpoint_file import load_plain
from mmaction_ext.datasets.clip_loading import Clip, load_clip
from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError, last_line
from mmaction_ext.models.building import build_model

if TYPE_CHECKING:
    from mmaction.models import BaseRecognizer


@dataclass(frozen=True)
class Recognition:
    """A recognizer that has seen a clip.

    Attributes:
        cfg: Its config.
        model: It, in evaluation mode.
        clip: The clip.
        probabilities: How likely it thinks each class, (num_classes,).
    """

    cfg: Config
    model: BaseRecognizer
    clip: Clip
    probabilities: Tensor

    def verdict(self, names: Mapping[int, str], top: int = 1) -> str:
        """The likeliest classes and their probabilities, e.g. ``'waving (93.1%), rowing (4.2%)'``.

        KPSEM's Figure 8 shows three, in percent as here.

        Args:
            names: Class names by number; see
                :func:`mmaction_ext.evaluation.classes.class_names`.
            top: How many; all where there are fewer.
        """
        best = self.probabilities.topk(min(top, len(self.probabilities)))
        return ', '.join(
            f'{names.get(label, f"class {label}")} ({probability:.1%})'
            for probability, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )


def recognize(
    config: str | Path, checkpoint: str | Path, video: str | Path, device: str = 'cpu'
) -> Recognition:
    """Show a video to a trained recognizer.

    Args:
        config: Config file.
        checkpoint: Checkpoint file; only weights and plain data are accepted.
        video: See :func:`load_clip`.
        device: Where to run, as torch names it.

    Raises:
        InputError: If one of them cannot be used, with its name.
    """
    cfg = read_config(config)
    model = load_recognizer(cfg, checkpoint, device)
    clip = load_clip(cfg, video)
    try:
        probabilities = predict(model, clip.data)
    except (RuntimeError, InputError) as error:  # e.g. frames too small for the network
        raise InputError(f'{config} cannot run on {video}: {last_line(error)}') from error
    return Recognition(cfg, model, clip, probabilities)


def load_recognizer(cfg: Config, checkpoint: str | Path, device: str = 'cpu') -> nn.Module:
    """Build the model of a config and load its weights.

    Raises:
        InputError: If the config has no recognizer or it cannot be built, the checkpoint
            cannot be read or does not fit, or the device is not there.
    """
    load_plain(checkpoint)  # refuses what holds more than weights and plain data
    model = _build(cfg)
    try:
        load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True, logger='silent')
    except RuntimeError as error:
        reason = textwrap.shorten(str(error), 400)
        raise InputError(
            f'checkpoint {checkpoint} does not fit the model of {cfg.filename}: {reason}'
        ) from error
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f'device {device!r} cannot be used: {last_line(error)}') from error
    model.eval()
    return model


def _build(cfg: Config) -> nn.Module:
    from mmaction.models import BaseRecognizer

    if not cfg.get('model'):
        raise InputError(f'{cfg.filename} has no model')
    try:
        model = build_model(cfg.model)
    except InputError as error:
        raise InputError(f'{cfg.filename}: {error}') from error
    if not isinstance(model, BaseRecognizer):
        raise InputError(f'{cfg.filename}: {type(model).__name__} is no recognizer')
    return model


@torch.no_grad()
def predict(model: BaseRecognizer, data: dict[str, Any]) -> Tensor:
    """Probability of each class, whatever the head is told to average.

    Args:
        model: A recognizer in evaluation mode.
        data: What its ``test_step`` takes, one clip.

    Returns:
        (num_classes,), on the CPU.
    """
    inputs = model.data_preprocessor(data, False)['inputs']
    return model(inputs, mode='tensor', stage='head').softmax(dim=-1).mean(dim=0).cpu()
