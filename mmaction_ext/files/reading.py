"""Files that anybody may have put there, read without waiting for ever or filling the memory."""

import errno
import os
import stat
from typing import BinaryIO

#: A file that holds one object, or a list of names, has no more bytes.
DOCUMENT_BYTES = 16 << 20
#: A file of rows, of predictions or of a copied history has no more.
LOG_BYTES = 4 << 30


def open_regular(path: str | os.PathLike[str], most: int = LOG_BYTES) -> BinaryIO:
    """Open a file for reading that anybody may have put there; waits for nobody.

    Args:
        path: the file, or a link to one.
        most: how many bytes it may have.

    Raises:
        OSError: it cannot be opened, is a pipe, a device or a folder, or has more bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        if stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, 'not a regular file', str(path))
        if state.st_size > most:
            raise OSError(errno.EFBIG, f'larger than {most >> 20} MiB', str(path))
        return open(descriptor, 'rb')
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str], most: int = DOCUMENT_BYTES) -> bytes:
    """The content of a file, as :func:`open_regular` opens it."""
    with open_regular(path, most) as file:
        return file.read(most)
