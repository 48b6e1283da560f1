"""The matrix of runs: it fits the terminal, stands in its place, leaves the rest as it was."""

import io
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from mmaction_ext.cli.board import Board, Cell, cells, how_far, matrix
from mmaction_ext.suites.executors.local import RunState
from mmaction_ext.suites.plan import Task
from mmaction_ext.suites.progress import Progress
from mmaction_ext.tables.gaps import Job

#: shows two runs, of which one ends badly, on the terminal that it is given
SCRIPT = """
import sys, time
sys.path.insert(0, {folder!r})
from test_board import state
from mmaction_ext.cli.board import Board
from mmaction_ext.suites.progress import Progress
states = [state('full', 0, 'running'), state('full', 1)]
with Board() as board:
    for number in range(4):
        states[0].progress = Progress(10 * number, 40, number / 4, 90.0)
        board.show(states)
        time.sleep(0.6)
    states[0].word = 'failed'
    board.say('full/seed0: FAILED: no [red]such[/red] \\x1b[2Jcrop')
    states[1].word = 'done'
    board.show(states)
    {end}
print('after')
"""


def state(row, seed, word='waiting', folder='demo'):
    job = Job(f'{row}/seed{seed}', 'train', Path(f'configs/{folder}/{row}.py'), seed)
    return RunState(Task(job), word)


def drawn(found, width=80, height=24):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(matrix(found, width, height))
    return console.file.getvalue().splitlines()


def test_rows_and_seeds():
    states = [state('full', 0, 'done'), state('full', 1, 'running'), state('base', 1, 'failed')]
    states[1].progress = Progress(47, 100, 0.47, 185.0)
    lines = [' '.join(line.split()) for line in drawn(cells(states))]
    assert lines == [
        'run seed 0 seed 1',
        'full done 47% 3 min',
        'base failed',
        '1 done, 1 running, 1 failed of 3 runs',
    ]


def test_rows_of_one_name_in_two_tables_are_told_apart():
    found = cells([state('full', 0, folder='a'), state('full', 0, folder='b'), state('x', 0)])
    assert [cell.row for cell in found] == ['a/full', 'b/full', 'x']


@pytest.mark.parametrize(('width', 'height'), [(80, 24), (40, 10), (20, 5), (200, 60)])
def test_it_fits_the_terminal_and_what_runs_or_failed_is_there(width, height):
    found = [
        Cell(f'a-row-with-quite-a-long-name-{row}', seed, 'waiting')
        for row in range(500)
        for seed in range(5)
    ]
    found[-1] = Cell(found[-1].row, 4, 'running', Progress(1, 2, 0.5))
    found[1000] = Cell(found[1000].row, 0, 'failed')
    lines = drawn(found, width, height)
    assert len(lines) < height and max(map(len, lines)) <= width
    assert any(line.startswith('and ') and 'more rows' in line for line in lines)
    assert any('50%' in line for line in lines)
    if height > 5:
        assert any('failed' in line for line in lines[:-1])


@pytest.mark.parametrize(
    ('found', 'said'),
    [
        (Progress(), 'starting'),
        (Progress(3), 'iteration 3'),
        (
            Progress(3, 8, 0.4, 100.0, 'train/loss', 0.25),
            'iteration 3 of 8, 2 min left, train/loss 0.25',
        ),
    ],
)
def test_progress_in_words(found, said):
    assert how_far(found) == said


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    states = [state('full', 0, 'running', folder='a\x1b[31m\u202eb'), state('full', 1)]
    with Board() as board:
        board.say('a\x1b[31m\u202eb: started \x1b]0;title\x07')
        board.show(states)
        later = time.monotonic() + 30
        monkeypatch.setattr(time, 'monotonic', lambda: later)
        states[0].progress = Progress(3, 8)
        board.show(states)
        board.show(states)
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r'\[ *\d+:\d+\]', '', line) for line in lines] == [
        ' ab: started ]0;title',
        ' full/seed0: iteration 3 of 8',
    ]


def on_terminal(end):
    """What a terminal of 60 columns and 12 lines is sent, and the exit code."""
    script = SCRIPT.format(folder=str(Path(__file__).parent), end=end)
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-c', script],
        stdin=there,
        stdout=there,
        stderr=there,
        env=dict(os.environ, TERM='xterm', COLUMNS='60', LINES='12'),
    )
    os.close(there)
    sent = b''
    while True:
        try:
            part = os.read(here, 65536)
        except OSError:  # its other end is closed
            break
        if not part:
            break
        sent += part
    os.close(here)
    return sent.decode(), process.wait()


@pytest.mark.parametrize('end', ['', 'raise SystemExit(3)'])
def test_a_terminal_is_drawn_in_place_and_left_as_it_was(end):
    sent, code = on_terminal(end)
    assert code == (3 if end else 0)
    assert sent.count('50%') == 1 and sent.count('75%') >= 1
    assert '\x1b[1A' in sent or '\x1b[2A' in sent  # back up to where it stands
    assert sent.rindex('\x1b[?25h') > sent.rindex('\x1b[?25l')
    assert 'FAILED: no [red]such[/red] crop' in sent and '\x1b[2J' not in sent
    assert ('after' in sent) == (not end)
