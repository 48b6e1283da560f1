"""A disk that fills up."""

import os

import pytest
from disks import small_disk


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB."""
    with small_disk(tmp_path, '64k') as disk:
        yield disk


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
