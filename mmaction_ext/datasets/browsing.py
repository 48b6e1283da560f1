"""A picture of what a pipeline feeds the network, for a person to look at.

Shape legend: M views of a clip, T frames, C = 3 colours, H rows, W columns.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from PIL import Image, ImageDraw
from torch import Tensor

from mmaction_ext.datasets.samples import sample_file
from mmaction_ext.datasets.seeding import set_epoch
from mmaction_ext.errors import InputError

#: longest side of a frame in the picture, and width of the picture, both in pixels
TILE, WIDTH = 160, 1320
_GAP, _LINE = 2, 16


@dataclass(frozen=True)
class Browsed:
    """One sample as the network gets it: a line of text, and frames (M*T, H, W, 3) of uint8."""

    text: str
    frames: np.ndarray


def choose_samples(num_samples: int, num: int, seed: int) -> list[int]:
    """Indices of ``num`` different samples out of ``num_samples``, ascending; all if fewer.

    Raises:
        InputError: ``num`` is below 1 or ``seed`` negative.
    """
    if num < 1 or seed < 0:
        raise InputError(f'num must be at least 1 and seed not negative, got {num} and {seed}')
    rng = np.random.default_rng(seed)
    chosen = rng.choice(num_samples, size=min(num, num_samples), replace=False)
    return sorted(chosen.tolist())


def browse(
    dataset: BaseDataset, indices: Iterable[int], labels: Sequence[str] = (), seed: int = 0
) -> list[Browsed]:
    """Run samples through their pipeline.

    Args:
        dataset: mmaction2's ``VideoDataset`` or ``RawframeDataset``, or a guarded one.
        indices: which samples.
        labels: class names in the order of their ids; without them the ids alone are shown.
        seed: seed of the pipeline's randomness.

    Returns:
        One :class:`Browsed` per index, or several where one reading gives several samples.

    Raises:
        InputError: a video cannot be read, or the pipeline gives something else than frames.
    """
    set_epoch(dataset, seed, 0)
    np.random.seed(seed)
    loaded = [(index, dataset[index]) for index in indices]
    return [
        _browse_one(dataset, index, sample, labels)
        for index, data in loaded
        for sample in (data if isinstance(data, list) else [data])
    ]


def _browse_one(
    dataset: BaseDataset, index: int, data: dict[str, Any], labels: Sequence[str]
) -> Browsed:
    info = dataset.get_data_info(index)
    label = data['data_samples'].gt_label.tolist()
    text = f'#{index}  {_named(label, labels)}  {sample_file(info)}'
    if [info['label']] != label:
        text += f'  (listed as {_named([info["label"]], labels)})'
    return Browsed(text, frames_of(data['inputs']))


def _named(ids: list[int], labels: Sequence[str]) -> str:
    return ', '.join(
        f'{number} {labels[number]}' if number < len(labels) else str(number) for number in ids
    )


def frames_of(inputs: Tensor) -> np.ndarray:
    """The frames in a pipeline's output, one after another.

    Args:
        inputs: ``(M, C, T, H, W)`` or ``(M*T, C, H, W)``, of uint8 or floating point; the
            latter is stretched to the range from black to white. More channels than three are
            those of frames in a row, which are shown one after another, too.

    Returns:
        ``(M*T, H, W, C)`` of uint8.

    Raises:
        InputError: the tensor has another form.
    """
    if inputs.dim() == 5:
        inputs = inputs.transpose(1, 2).flatten(0, 1)
    if inputs.dim() != 4 or not inputs.shape[1] or inputs.shape[1] % 3:
        raise InputError(f'the pipeline gives {tuple(inputs.shape)}, not frames of three colours')
    inputs = inputs.unflatten(1, (-1, 3)).flatten(0, 1)
    if inputs.is_floating_point():
        inputs = inputs - inputs.min()
        inputs = (inputs * (255 / inputs.max().clamp(min=1e-12))).round()
    return inputs.byte().permute(0, 2, 3, 1).numpy()


def draw_sheet(samples: list[Browsed]) -> Image.Image:
    """Draw samples below each other: the line of text, then the frames in reading order."""
    rows = [_draw_sample(sample) for sample in samples]
    sheet = Image.new('RGB', (WIDTH, sum(row.height for row in rows)), 'white')
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _draw_sample(sample: Browsed) -> Image.Image:
    tiles = [_tile(frame) for frame in sample.frames]
    width, height = tiles[0].width + _GAP, tiles[0].height + _GAP
    columns = max(1, WIDTH // width)
    picture = Image.new('RGB', (WIDTH, _LINE + -(-len(tiles) // columns) * height), 'white')
    ImageDraw.Draw(picture).text((2, 2), sample.text, fill='black')
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        picture.paste(tile, (column * width, _LINE + row * height))
    return picture


def _tile(frame: np.ndarray) -> Image.Image:
    image = Image.fromarray(frame)
    image.thumbnail((TILE, TILE))
    return image


def png_bytes(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()
