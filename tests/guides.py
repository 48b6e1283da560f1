"""Guides in Markdown: what is in ``bash`` blocks is run, what is in ``text`` blocks is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(guide: Path, kind: str) -> list[str]:
    """The fenced blocks of a guide that are of a kind."""
    text = guide.read_text(encoding='utf-8')
    return [body for language, body in _BLOCK.findall(text) if language == kind]


def follow(guide: Path, folder: Path, **environment: str) -> None:
    """Run the commands of a guide, as they are written and in their order, in a folder.

    A command that fails ends it, as does a line of a ``text`` block that none of them has printed.
    Blocks of other kinds are for reading.

    Args:
        guide: the Markdown file.
        folder: where they are run.
        environment: variables beside those of this process; its interpreter is first in ``PATH``.
    """
    own = {
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': str(ROOT),
        'OMP_NUM_THREADS': '1',
        'CUDA_VISIBLE_DEVICES': '',
        'WANDB_MODE': 'offline',
        'COLUMNS': '100',
    }
    commands = '\n'.join(blocks(guide, 'bash'))
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', commands],
        cwd=folder,
        env=os.environ | own | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    printed = {line.strip() for line in done.stdout.splitlines()}
    shown = [line.strip() for text in blocks(guide, 'text') for line in text.splitlines()]
    lacking = [line for line in shown if line not in printed]
    assert not lacking, (lacking, done.stdout[-6000:])
