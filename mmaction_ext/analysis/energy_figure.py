"""How strong the features of a module are, and what it changes: of one that tells no motion."""

from collections.abc import Mapping

import numpy as np
import torch.nn.functional as F
from matplotlib import colormaps
from torch import Tensor

from mmaction_ext.analysis.motion_record import SeenMotion
from mmaction_ext.analysis.pictures import Legend, Row, ramp, tile_index

COLOURS = 'inferno'


def energy_legend() -> Legend:
    """The colours from nothing to the strongest place of a row."""
    return Legend(
        ramp(COLOURS),
        'Root mean square over the\nchannels, over the frame.\n'
        'Top: the most in the row, as\nits title says; bottom: 0.',
    )


def energy_rows(seen: Mapping[int, SeenMotion[None]], frames: np.ndarray) -> list[Row]:
    """Two rows per stage, of the first clip: what the module gets, and what it changes.

    Args:
        seen: As :func:`mmaction_ext.analysis.motion_record.watch_motion` gives it.
        frames: (T, H, W, 3) of uint8, RGB, what the model sees.
    """
    return [
        _row(f'stage {stage}: {what}', features[0], frames)
        for stage, item in seen.items()
        for what, features in (
            ('features', item.features),
            ('what the module changes in them', item.output - item.features),
        )
    ]


def _row(title: str, features: Tensor, frames: np.ndarray) -> Row:
    """Args: features (C, T, H, W)."""
    energy = features.float().square().mean(0).sqrt()
    most = energy.max().item()
    maps = F.interpolate(energy[None] / (most or 1), frames.shape[1:3], mode='bilinear')[0]
    behind = [tile_index(i, len(maps), len(frames)) for i in range(len(maps))]
    heat = 255 * colormaps[COLOURS](maps.cpu().numpy())[..., :3]
    return Row(f'{title}, at most {most:.3g}', ((heat + frames[behind]) / 2).astype(np.uint8))
