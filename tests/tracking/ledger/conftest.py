"""A disk that fills up."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB, where this user may mount one."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(disk)]
    if shutil.which('mount') is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('this user may not mount a small disk')
    yield disk
    subprocess.run(['umount', '--lazy', str(disk)], check=True)


@pytest.fixture
def fill():
    """Function that takes all but so many bytes of a disk."""
    def take(disk, left=0):
        with open(disk / 'ballast', 'wb', buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                file.truncate(os.fstat(file.fileno()).st_size - left)

    return take
