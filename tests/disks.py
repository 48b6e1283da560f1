"""Disks that fill up."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder, size: str):
    """A disk of so many bytes (``64k``); skips the test where this user may not mount one."""
    disk = Path(folder) / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(disk)]
    if shutil.which('mount') is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('this user may not mount a small disk')
    try:
        yield disk
    finally:
        subprocess.run(['umount', '--lazy', str(disk)], check=True)
