"""H.264 in mp4, encoded so that a reversed clip decodes to exactly the reversed frames.

Ordinary encoding tells which end of a clip came first: inter frames inherit the losses of
the frames before them, and rate control spends its bits by position. Only intra frames at a
constant quantiser are free of that, so every frame is coded alike wherever it stands.
"""

import io
from pathlib import Path

import av
import numpy as np

from mmaction_ext.files.writing import write_atomically

ENCODING = {
    'codec': 'libx264',
    'g': '1',
    'bf': '0',
    'qp': '26',
    'preset': 'ultrafast',
    'threads': '1',
    'pix_fmt': 'yuv420p',
}
"""Encoder and its settings: all intra (g, bf), constant quantiser (qp, not crf)."""


def check_encoder() -> None:
    """Make sure that this build of PyAV can encode H.264.

    Raises:
        ValueError: If it cannot.
    """
    if ENCODING['codec'] not in av.codecs_available:
        raise ValueError(
            f'PyAV {av.__version__} was built without {ENCODING["codec"]}: '
            'install its binary wheel (pip install --only-binary=:all: av)'
        )


def encode_mp4(frames: np.ndarray, fps: int = 12) -> bytes:
    """Encode a clip.

    Args:
        frames: Array (T, H, W, 3) of uint8, RGB; ``H`` and ``W`` even.
        fps: Frames per second.

    Returns:
        The bytes of an mp4 file. Same frames and same libraries give the same bytes.

    Raises:
        ValueError: If the array is not such a clip.
    """
    _check_frames(frames)
    settings = {key: ENCODING[key] for key in ('g', 'bf', 'qp', 'preset', 'threads')}
    buffer = io.BytesIO()
    with av.open(buffer, 'w', format='mp4') as container:
        stream = container.add_stream(ENCODING['codec'], rate=fps, options=settings)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = ENCODING['pix_fmt']
        stream.thread_count = 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return buffer.getvalue()


def _check_frames(frames: np.ndarray) -> None:
    shape = frames.shape
    if frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise ValueError(f'frames must be uint8 (T, H, W, 3), got {frames.dtype} {shape}')
    if shape[1] % 2 or shape[2] % 2:
        raise ValueError(f'yuv420p needs an even height and width, got {shape[1:3]}')


def write_mp4(frames: np.ndarray, path: str | Path, fps: int = 12) -> bytes:
    """Encode a clip into a file that appears only once it is complete.

    No other process writes that file at the same time.

    Args:
        frames: Array (T, H, W, 3) of uint8, RGB; ``H`` and ``W`` even.
        path: The mp4 file; its folder must exist.
        fps: Frames per second.

    Returns:
        The bytes written.

    Raises:
        ValueError: If the array is not a clip.
        OSError: If the file cannot be written.
    """
    data = encode_mp4(frames, fps)
    write_atomically(path, data)
    return data
