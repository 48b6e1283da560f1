"""Time how long clips take to read from video, beside decord on the same files.

    python tools/benchmarks/read_videos.py --output reports/benchmarks/read_videos.csv

Files like those of four data sets are encoded into a temporary folder. First every frame of each
is compared with FFmpeg's decoding in order; nothing is timed if one differs. Then, for each kind
of file and each rule that samples frames, our reader and decord (one thread each) open and read
the same clips in turns, in a process of their own each, after one clip that does not count.

``cpu_ms`` is the median of the processor time of a clip, ``clips_per_core`` how many of them a
core reads in a second; ``of_decord`` is the ratio of the medians of one run. ``peak_mb`` is the
largest resident size of the process, imports included. ``right`` says of how many clips all frames
are those asked for.
"""

import argparse
import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import av
import common
import numpy as np

from mmaction_ext.datasets.video_reader import VideoReader

COLUMNS = (
    'file',
    'codec',
    'size',
    'frames',
    'sampling',
    'reader',
    'clips',
    'cpu_ms',
    'clips_per_core',
    'of_decord',
    'peak_mb',
    'right',
    'device',
    'cores',
    'python',
    'av',
    'decord',
    'date',
)
READERS = ('ours', 'decord')
#: name -> file name, encoder, (width, height), frames, frames a second, encoder's settings, rules
FILES = {
    'SynthMotion': (
        'a.mp4',
        'libx264',
        (80, 80),
        24,
        12,
        dict(g='1', bf='0', qp='26', preset='ultrafast'),
        ('8 segments',),
    ),
    'UCF101-like': (
        'b.avi',
        'mpeg4',
        (320, 240),
        175,
        25,
        dict(g='250', bf='1', flags='+qscale', global_quality='472'),
        ('8 segments',),
    ),
    'Something-like, WebM': (
        'c.webm',
        'libvpx-vp9',
        (426, 240),
        48,
        12,
        {'b': '300k', 'cpu-used': '6'},
        ('8 segments',),
    ),
    'Something-like, MP4': ('d.mp4', 'libx264', (426, 240), 48, 12, {}, ('8 segments',)),
    'Kinetics-like, GOP 12': (
        'e.mp4',
        'libx264',
        (340, 256),
        300,
        30,
        dict(g='12'),
        ('8 segments', '8x8', '16x5'),
    ),
    'Kinetics-like, GOP 250': (
        'f.mp4',
        'libx264',
        (340, 256),
        300,
        30,
        dict(g='250'),
        ('8 segments', '8x8', '16x5'),
    ),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--clips', type=int, default=60, help='clips of each kind (default: 60)')
    parser.add_argument(
        '--output', type=Path, required=True, metavar='FILE.csv', help='table to write'
    )
    return parser.parse_args()


def write_video(
    path: Path, codec: str, size: tuple[int, int], frames: int, rate: int, options: dict[str, str]
) -> None:
    """Encode a textured picture that a camera pans over, with some noise."""
    rng, (width, height) = np.random.default_rng(0), size
    coarse = rng.integers(0, 256, (height // 8 + 40, width // 8 + 60, 3), np.uint8)
    scene = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = *size, 'yuv420p', 1
        if path.suffix == '.avi':
            stream.codec_context.codec_tag = 'XVID'
        for number in range(frames):
            view = scene[number // 2 : number // 2 + height, number : number + width]
            noise = rng.integers(0, 6, view.shape, np.uint8)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(view // 2 + 60 + noise, 'rgb24'))
            )
        container.mux(stream.encode())


def frames_in_order(path: Path) -> list[np.ndarray]:
    """Frames as FFmpeg decodes them."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


def check(path: Path) -> list[np.ndarray]:
    """:func:`frames_in_order`; ends the program where ours are others."""
    truth = frames_in_order(path)
    rng = np.random.default_rng(1)
    for _ in range(5):
        numbers = rng.integers(len(truth), size=8)
        if not np.array_equal(VideoReader(path).read(numbers), [truth[n] for n in numbers]):
            sys.exit(f'{path.name}: frames {numbers.tolist()} are not those asked for')
    return truth


def sample(rule: str, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of a clip's frames: one of each segment, or so many at an interval."""
    if rule == '8 segments':
        return ((np.arange(8) + rng.random(8)) * num_frames / 8).astype(int)
    length, interval = map(int, rule.split('x'))
    start = rng.integers(max(1, num_frames - length * interval + 1))
    return np.minimum(start + interval * np.arange(length), num_frames - 1)


def read_ours(path: str, rule: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and frames of a clip."""
    reader = VideoReader(path)
    numbers = sample(rule, reader.num_frames, rng)
    return numbers, reader.read(numbers)


def read_decord(path: str, rule: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and frames of a clip, as mmaction2's ``DecordInit`` and ``DecordDecode`` do it."""
    import decord

    reader = decord.VideoReader(io.BytesIO(Path(path).read_bytes()), num_threads=1)
    numbers = sample(rule, len(reader), rng)
    return numbers, reader.get_batch(numbers).asnumpy()


def serve(reader: str, path: str, rule: str, pipe: Connection) -> None:
    """In a process of its own: read clip after clip, as often as asked."""
    read = dict(ours=read_ours, decord=read_decord)[reader]
    read(path, rule, np.random.default_rng(0))
    while (seed := pipe.recv()) is not None:
        begin = time.process_time()
        numbers, images = read(path, rule, np.random.default_rng(seed))
        seconds = time.process_time() - begin
        pipe.send((seconds, numbers, images, common.peak_mb()))


def measure(
    path: Path, rule: str, clips: int, truth: list[np.ndarray]
) -> dict[str, list[tuple[float, bool, float]]]:
    """Seconds, whether all frames were right, and memory, of each reader's clips in turns."""
    context, workers = multiprocessing.get_context('spawn'), {}
    found: dict[str, list[tuple[float, bool, float]]] = {}
    for reader in READERS:
        pipe, other = context.Pipe()
        worker = context.Process(target=serve, args=(reader, str(path), rule, other), daemon=True)
        worker.start()
        workers[reader], found[reader] = (worker, pipe), []
    for seed in range(1, clips + 1):
        for reader in READERS[:: 1 if seed % 2 else -1]:
            workers[reader][1].send(seed)
            seconds, numbers, images, peak = workers[reader][1].recv()
            found[reader].append((seconds, is_right(images, numbers, truth), peak))
    for worker, pipe in workers.values():
        pipe.send(None)
        worker.join()
    return found


def is_right(images: Sequence[np.ndarray], numbers: np.ndarray, truth: list[np.ndarray]) -> bool:
    """Whether frames are those asked for, but for how colours are rounded."""
    return all(
        number < len(truth) and np.abs(image.astype(int) - truth[number]).mean() < 3
        for image, number in zip(images, numbers, strict=True)
    )


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    table = common.Table(args.output, COLUMNS, COLUMNS[:12], common.machine('av', 'decord'))
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, codec, size, frames, rate, options, rules) in FILES.items():
            path = Path(folder) / file
            write_video(path, codec, size, frames, rate, options)
            truth = check(path)
            for rule in rules:
                found = measure(path, rule, args.clips, truth)
                medians = {
                    reader: common.median([each[0] for each in found[reader]])
                    for reader in READERS
                }
                for reader in READERS:
                    table.add(
                        file=name,
                        codec=codec,
                        size='x'.join(map(str, size)),
                        frames=frames,
                        sampling=rule,
                        reader=reader,
                        clips=args.clips,
                        cpu_ms=medians[reader],
                        clips_per_core=1000 / medians[reader],
                        of_decord=medians[reader] / medians['decord'],
                        peak_mb=round(max(each[2] for each in found[reader])),
                        right=sum(each[1] for each in found[reader]),
                    )


if __name__ == '__main__':
    main()
