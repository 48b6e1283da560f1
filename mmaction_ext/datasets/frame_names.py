"""How the frames of a data set are named: found on disk, kept in its report, read by training.

Torch-free.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError

#: file beside the annotation lists that says what was found
REPORT = 'report.json'
#: endings of pictures that training can decode
PICTURES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')

_NUMBERED = re.compile(r'([^.].*?)??([0-9]+)(\.[a-z]+)', re.IGNORECASE | re.DOTALL)
#: pictures of optical flow, which may lie beside the frames
_FLOW = re.compile('flow|[xyuv]_', re.IGNORECASE)


@dataclass(frozen=True)
class FrameNames:
    """Names of the frames of a video.

    Attributes:
        filename_tmpl: of mmaction2's ``RawframeDataset``, e.g. ``'img_{:05}.jpg'``.
        start_index: number of the first frame, 0 or 1.
    """

    filename_tmpl: str = '{:05}.jpg'
    start_index: int = 1

    def __str__(self) -> str:
        return f'{self.name(self.start_index)}, {self.name(self.start_index + 1)}, ...'

    def name(self, number: int) -> str:
        """File name of the frame of a number."""
        return self.filename_tmpl.format(number)

    def settings(self) -> dict[str, Any]:
        """As arguments of a data set."""
        return asdict(self)


class MixedNames(InputError):
    """Frames of one folder are not named alike."""


def name_frames(found: Iterable[str]) -> tuple[FrameNames | None, list[int]]:
    """What the names of a folder's frames have in common, and the frames' numbers.

    Frames are pictures whose names end in a number. Hidden files do not count, nor do, beside
    frames, pictures of optical flow (``flow_x_00001.jpg``).

    Args:
        found: names of the files of a folder.

    Returns:
        The names, ``None`` without any frame; and the numbers that are there, rising. They may
        leave gaps.

    Raises:
        MixedNames: two frames have names of which one template cannot make both.
    """
    series: dict[tuple[str, str], list[str]] = {}
    for name in sorted(found):
        parts = _NUMBERED.fullmatch(name)
        if parts and parts[3].lower() in PICTURES:
            series.setdefault((parts[1] or '', parts[3]), []).append(parts[2])
    if len(series) > 1:
        series = {
            key: digits for key, digits in series.items() if not _FLOW.match(key[0])
        } or series
    if not series:
        return None, []
    (before, after), digits = next(iter(series.items()))
    if len(series) > 1:
        other, (others, *_) = list(series.items())[1]
        raise MixedNames(
            f'{before}{digits[0]}{after} and {other[0]}{others}{other[1]} are frames '
            'of different names'
        )
    padded = any(number[0] == '0' and len(number) > 1 for number in digits)
    field = f'{{:0{min(map(len, digits))}}}' if padded else '{}'
    for number in digits:
        if field.format(int(number)) != number:
            shortest = min(digits, key=len)
            raise MixedNames(
                f'{before}{shortest}{after} and {before}{number}{after} are frames '
                'with differing numbers of digits'
            )
    numbers = sorted(map(int, digits))
    before, after = (part.replace('{', '{{').replace('}', '}}') for part in (before, after))
    return FrameNames(before + field + after, min(numbers[0], 1)), numbers


def listed_names(ann_file: str, asked: FrameNames) -> FrameNames:
    """How the frames of an annotation list are named.

    What ``mmaction-ext prepare`` found, by the report beside the list, takes the place of the
    names that the configs of this project have, ``00001.jpg`` and so on; other names that a
    config asks for stand.

    Args:
        ann_file: path of the list.
        asked: what the config says.
    """
    if asked != FrameNames():
        return asked
    path = Path(ann_file)
    try:
        report = json.loads((path.parent / REPORT).read_text(encoding='utf-8'))
        lists = [split['annotation_file'] for split in report['splits'].values()]
        if path.name in lists and report['frames']:
            return FrameNames(
                str(report['frames']['filename_tmpl']), int(report['frames']['start_index'])
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # a list of somebody else's
    return asked
