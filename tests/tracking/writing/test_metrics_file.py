"""Rows in a file: none lost that was written, none spoiled by the end of another."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from mmaction_ext.tracking.ledger.format import DamagedLine, MetricsRow, decode_row, encode_row
from mmaction_ext.tracking.writing.metrics_file import MetricsFile


def lines(folder):
    return (folder / 'metrics.jsonl').read_bytes().split(b'\n')


def rows(folder):
    """Rows of a file that ends with a whole line."""
    *found, rest = lines(folder)
    assert rest == b''
    return [decode_row(line) for line in found]


def test_rows_are_there_before_the_file_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(time, 'time', lambda: 7.5)
    file = MetricsFile(tmp_path, 3)
    file.append('train', 1, 1, {'train/loss': 0.5})
    file.append('val', 1, None, {'val/acc': float('inf')})
    assert rows(tmp_path) == [
        MetricsRow(3, 'train', 1, 1, 7.5, {'train/loss': 0.5}),
        MetricsRow(3, 'val', 1, None, 7.5, {'val/acc': float('inf')}),
    ]
    file.close()


def test_only_evaluations_and_the_end_wait_for_the_disk(tmp_path, monkeypatch):
    file = MetricsFile(tmp_path, 1)
    synced, real = [], os.fsync
    monkeypatch.setattr(
        os,
        'fsync',
        lambda descriptor: (synced.append(len(rows(tmp_path))), real(descriptor)),
    )
    for phase in ('train', 'train', 'val', 'train', 'test', 'train'):
        file.append(phase, 1, 1, {})
    file.close()
    assert synced == [3, 5, 6]


def test_half_a_line_is_ended_and_spoils_no_other(tmp_path):
    whole = encode_row(MetricsRow(1, 'train', 1, 1, 0, {'train/loss': 1.0}))
    for length in range(len(whole)):
        (tmp_path / 'metrics.jsonl').write_bytes(whole + whole[:length])
        file = MetricsFile(tmp_path, 2)
        file.append('train', 2, 1, {})
        file.close()
        first, *half, last, rest = lines(tmp_path)
        assert (first + b'\n', half, rest) == (whole, [whole[:length]] * bool(length), b'')
        assert decode_row(last).attempt == 2
        for line in half if length < len(whole) - 1 else ():  # the last lacks only its newline
            with pytest.raises(DamagedLine):
                decode_row(line)


def test_clock_that_goes_back_changes_no_order(tmp_path, monkeypatch):
    clock = iter([1e9, 5e8, -3.0])
    monkeypatch.setattr(time, 'time', lambda: next(clock))
    file = MetricsFile(tmp_path, 1)
    for iteration in (1, 2, 3):
        file.append('train', iteration, 1, {})
    file.close()
    assert [(row.iter, row.time) for row in rows(tmp_path)] == [(1, 1e9), (2, 5e8), (3, -3.0)]


def test_full_disk_takes_whole_rows_only(tiny_disk, fill):
    file = MetricsFile(tiny_disk, 1)
    fill(tiny_disk, left=10_000)
    written = 0
    with pytest.raises(OSError, match='No space left on device'):
        for iteration in range(100):
            file.append('train', iteration, 1, {'train/loss': 'x' * 700})
            written += 1
    assert written > 3
    assert [row.iter for row in rows(tiny_disk)] == list(range(written))
    (tiny_disk / 'ballast').unlink()  # somebody made room: the next row is sound
    file.append('train', written, 1, {})
    assert [row.iter for row in rows(tiny_disk)] == list(range(written + 1))
    file.close()


WRITER = """
import sys
from mmaction_ext.tracking.writing.metrics_file import MetricsFile
file = MetricsFile(sys.argv[1], 1)
for iteration in range(10**6):
    file.append('train', iteration, 1, {'train/loss': 0.5, 'train/text': 'x' * (iteration % 999)})
    print(iteration, flush=True)
"""


@pytest.mark.parametrize('attempt', range(3))
def test_killed_writer_loses_nothing_that_it_had_written(tmp_path, attempt):
    writer = subprocess.Popen(
        [sys.executable, '-c', WRITER, str(tmp_path)], text=True, stdout=subprocess.PIPE
    )
    last = random.Random(attempt).randrange(50, 500)
    while writer.stdout.readline().strip() != str(last):
        pass
    writer.send_signal(signal.SIGKILL)
    last = max([last, *map(int, writer.stdout.read().split('\n')[:-1])])
    writer.wait()
    MetricsFile(tmp_path, 2).close()
    found = [row.iter for row in rows(tmp_path)]
    assert found == list(range(len(found))) and len(found) > last
