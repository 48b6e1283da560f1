"""Displacements as colours, with the wheel that says which colour is which direction.

As in "Dense Correlation Fields for Motion Modeling in Action Recognition", Figures 4 and 5. The
colours are those of optical flow (Baker et al., 2007), as torchvision paints them.

Shape legend: M displacement maps, T frames, H rows, W columns.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import flow_to_image

from mmaction_ext.analysis.motion_record import SeenMotion
from mmaction_ext.analysis.pictures import Legend, Row, tile_index
from mmaction_ext.modules.base import Displacements

SMALLEST_RIM = 0.25
"""Pixels of the map that get the full colour at least, or a still video would glow with noise."""

DARKENING = 0.4
"""Brightness of the frame behind the colours, which has to be told from white, no motion."""


def flow_colours(displacement: Tensor, rim: float) -> Tensor:
    """Colours of displacements.

    Args:
        displacement: (T, 2, H, W), (dy, dx).
        rim: Length of the displacement that gets the full colour; longer ones get it too, and
            shorter ones are paler. White is none.

    Returns:
        (T, 3, H, W) of uint8, RGB.
    """
    # torchvision's order is (dx, dy), and -0.0 would have the colour at the wheel's seam
    flow = displacement.float().flip(1) + 0.0
    flow = flow / flow.norm(dim=1, keepdim=True).clamp(min=rim)
    flow = F.pad(flow, (0, 1), value=0.5**0.5)  # a column of length 1 keeps the scale fixed
    return flow_to_image(flow)[..., :-1]


def wheel(size: int = 151) -> np.ndarray:
    """The colour of each direction, up as up and right as right; white outside the rim.

    Returns:
        (size, size, 3) of uint8, RGB.
    """
    axis = torch.arange(1 - size, size, 2) / (size - 1)  # from -1 to 1, exact in the middle
    directions = torch.stack(torch.meshgrid(axis, axis, indexing='ij'))
    image = flow_colours(directions[None], 1.0)[0].permute(1, 2, 0).numpy().copy()
    image[directions.norm(dim=0).numpy() > 1] = 255
    return image


def displacement_legend() -> Legend:
    """The wheel with its explanation."""
    lines = (
        'From the centre to its',
        'colour: from a pixel to its',
        'match in the other frame.',
        'White: stays. Rim: the',
        'length given at each row,',
        'in pixels of the map.',
        'Dark: plain background or',
        'poor match; the frame',
        'shows through.',
    )
    return Legend(wheel(), '\n'.join(lines))


def displacement_rows(
    seen: Mapping[int, SeenMotion[Displacements]], frames: np.ndarray, by_strength: bool = True
) -> list[Row]:
    """One row per stage and displacement map, of the first clip.

    Args:
        seen: What the module sees, by stage; displacements all.
        frames: The clip, (T, H, W, 3) of uint8; T may be a multiple of the maps' frames.
        by_strength: Colours are as opaque as the match is good and the feature stands out: the
            confidence times the squared distance of the feature from the mean of its frame.
            Cosines, which most modules have as confidence, are as high in a plain background,
            where nothing can be told. Without it the confidence alone counts.

    Returns:
        Rows with tiles of the frames' size: colours over the darkened frame.
    """
    return [
        _row(stage, at_stage, index, frames, by_strength)
        for stage, at_stage in seen.items()
        for index in range(len(at_stage.motion.names))
    ]


def _row(
    stage: int, seen: SeenMotion[Displacements], index: int, frames: np.ndarray, by_strength: bool
) -> Row:
    name, sources = seen.motion.names[index], seen.motion.sources[index]
    features = seen.features[0].detach().cpu().float()
    steps = seen.motion.displacement[0, index].detach().cpu().transpose(0, 1)  # (T, 2, H, W)
    match = seen.motion.confidence[0, index].detach().cpu().float()
    if by_strength:
        deviation = features - features.mean(dim=(2, 3), keepdim=True)
        match = match * deviation.square().sum(dim=0)[list(sources)]
    chosen = [tile_index(source, len(steps), len(frames)) for source in sources]
    rim = choose_rim(steps)
    height, width = steps.shape[-2:]
    origin = ', from the first frame' if len(set(sources)) == 1 else ''
    return Row(
        f'stage {stage} ({height} x {width}), {name}{origin}: rim {rim:.2g} px',
        _tiles(flow_colours(steps, rim), opacity(match), frames[chosen]),
    )


def choose_rim(displacement: Tensor) -> float:
    """Length that gets the full colour: 99 % of all displacements are no longer.

    Args:
        displacement: (T, 2, H, W).
    """
    lengths = displacement.float().norm(dim=1).flatten().sort().values
    return max(lengths[int(0.99 * (len(lengths) - 1))].item(), SMALLEST_RIM)


def opacity(confidence: Tensor) -> Tensor:
    """Stretch one map's confidence over [0, 1], its lowest and highest twentieth cut off.

    Args:
        confidence: (T, H, W), of any scale. Frames of zeros have no partner in the clip: they
            stay 0 and do not count.

    Returns:
        The same shape; 1 everywhere where all are equal.
    """
    confidence = confidence.float()
    partnered = confidence.flatten(1).any(dim=1)
    if not partnered.any():
        return torch.zeros_like(confidence)
    ordered = confidence[partnered].flatten().sort().values
    if ordered[0] == ordered[-1]:
        return torch.ones_like(confidence) * partnered[:, None, None]
    low, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.05, 0.95))
    if low == high:  # few pixels differ from all others
        low, high = ordered[0], ordered[-1]
    return ((confidence - low) / (high - low)).clamp(0, 1) * partnered[:, None, None]


def _tiles(colours: Tensor, opaque: Tensor, frames: np.ndarray) -> np.ndarray:
    """Colours (T, 3, H, W), as opaque as (T, H, W), over the T frames, darkened."""
    size = frames.shape[1:3]
    colours = F.interpolate(colours.float(), size, mode='nearest-exact')
    opaque = F.interpolate(opaque[:, None], size, mode='nearest-exact')
    dark = torch.from_numpy(frames).float().mean(dim=-1)[:, None] * DARKENING
    blended = opaque * colours + (1 - opaque) * dark
    return blended.round().byte().permute(0, 2, 3, 1).numpy()
