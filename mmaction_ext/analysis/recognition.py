"""A trained recognizer and what it says about one clip."""

import csv
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn

from mmaction_ext.analysis.clip_loading import Clip, load_clip
from mmaction_ext.checkpoint_file import load_plain
from mmaction_ext.engine.building import build_model
from mmaction_ext.engine.run_config import read_config
from mmaction_ext.errors import InputError, last_line


@dataclass(frozen=True)
class Recognition:
    """A recognizer that has seen a clip.

    Attributes:
        cfg: Its config.
        model: It, in evaluation mode.
        clip: The clip.
        label: Number of the class it thinks most likely.
        probability: How likely it thinks that class.
    """

    cfg: Config
    model: nn.Module
    clip: Clip
    label: int
    probability: float

    def verdict(self, names: Mapping[int, str]) -> str:
        """The class and its probability, e.g. ``'waving (0.93)'``.

        Args:
            names: Class names by number; see :func:`class_names`.
        """
        return f'{names.get(self.label, f"class {self.label}")} ({self.probability:.2f})'


def recognize(config: str | Path, checkpoint: str | Path, video: str | Path,
              device: str = 'cpu') -> Recognition:
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
        probability = predict(model, clip.data)
    except (RuntimeError, InputError) as error:  # e.g. frames too small for the network
        raise InputError(f'{config} cannot run on {video}: {last_line(error)}') from error
    label = int(probability.argmax())
    return Recognition(cfg, model, clip, label, float(probability[label]))


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
        raise InputError(f'checkpoint {checkpoint} does not fit the model of {cfg.filename}: '
                         f'{reason}') from error
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
def predict(model: nn.Module, data: dict) -> Tensor:
    """Probability of each class, whatever the head is told to average.

    Args:
        model: A recognizer in evaluation mode.
        data: What its ``test_step`` takes, one clip.

    Returns:
        (num_classes,), on the CPU.
    """
    inputs = model.data_preprocessor(data, False)['inputs']
    return model(inputs, mode='tensor', stage='head').softmax(dim=-1).mean(dim=0).cpu()


def class_names(cfg: Config, file: Optional[str | Path] = None) -> dict[int, str]:
    """Names of the classes, by number.

    Args:
        cfg: Config; names are its test set's ``metainfo.classes``, or those in the table that
            a metric of it names as ``meta_file`` (columns ``label`` and ``class``).
        file: Text file with a name per line, which comes before the config.

    Returns:
        Empty where nobody knows them.

    Raises:
        InputError: If ``file`` cannot be read.
    """
    if file:
        try:
            return dict(enumerate(Path(file).read_text(encoding='utf-8').splitlines()))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f'labels {file} cannot be read: {error}') from error
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    stated = (dataset.get('metainfo') or {}).get('classes') or ()
    return dict(enumerate(stated)) or _names_of_metrics(cfg.get('test_evaluator') or ())


def _names_of_metrics(evaluators) -> dict[int, str]:
    """From a metric's table; a missing or other table is no error, the numbers will do."""
    evaluators = [evaluators] if isinstance(evaluators, dict) else evaluators
    for path in filter(None, (evaluator.get('meta_file') for evaluator in evaluators)):
        try:
            with open(path, newline='', encoding='utf-8') as file:
                return {int(row['label']): row['class'] for row in csv.DictReader(file)}
        except (OSError, KeyError, ValueError):
            continue
    return {}
