"""A picture of what the clips look like: one row per reversal pair."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mmaction_ext.datasets.synthmotion.scenes import (
    CLASSES,
    FRAME_SIZE,
    PRESETS,
    pair_labels,
    render,
    sample_scene,
)
from mmaction_ext.files.writing import write_atomically

_COLUMNS = 6
_TILE = FRAME_SIZE + 2
_HEAD = 16  # height of a line of text
_GAP = 14  # between the two classes of a pair


def write_contact_sheet(path: str | Path, seed: int = 0, preset: str = 'default') -> None:
    """Draw six frames of one training clip per class into a PNG file.

    A row holds the two classes of a pair. The frames are spread over the motion, first and
    last included; the picture is 1020 pixels wide.

    Args:
        path: The PNG file; its folder must exist.
        seed: Seed of the data set.
        preset: A key of ``scenes.PRESETS``.

    Raises:
        ValueError: If an argument is out of range.
        OSError: If the file cannot be written.
    """
    width = 2 * _COLUMNS * _TILE + _GAP + 22
    pairs = PRESETS[preset].pairs
    sheet = Image.new('RGB', (width, len(pairs) * (_HEAD + _TILE + 4)), 'white')
    for row, pair in enumerate(pairs):
        _draw_pair(sheet, row, pair, _strip(seed, row, preset))
    buffer = io.BytesIO()
    sheet.save(buffer, 'PNG', optimize=True)
    write_atomically(path, buffer.getvalue())


def _strip(seed: int, row: int, preset: str) -> np.ndarray:
    """Frames (6, H, W, 3) of a clip of a pair; sizes take turns from row to row."""
    # Of six pairs clips 6..11 are of medium and 12..17 of large size, all slow.
    scene = sample_scene(seed, 'train', row + len(PRESETS[preset].pairs) * (1 + row % 2), preset)
    picked = np.linspace(scene.onset, scene.onset + scene.duration, _COLUMNS).round()
    return render(scene)[picked.astype(int)]


def _draw_pair(sheet: Image.Image, row: int, pair: str, frames: np.ndarray) -> None:
    top, canvas = row * (_HEAD + _TILE + 4), ImageDraw.Draw(sheet)
    names = [CLASSES[label] for label in pair_labels(pair)]
    for side, clip in enumerate((frames, frames[::-1])):
        left = 11 + side * (_COLUMNS * _TILE + _GAP)
        canvas.text((left, top + 2), names[side], fill='black')
        for column, frame in enumerate(clip):
            sheet.paste(Image.fromarray(frame), (left + column * _TILE, top + _HEAD))
