"""Writing files whole or not at all."""

import os
import tempfile
from pathlib import Path

from mmaction_ext.errors import InputError


def write_atomically(path, text: str) -> None:
    """Replace a file in one step: whoever reads it sees the old or the new one, whole.

    Args:
        path: the file; its folder is made where there is none.
        text: written as UTF-8 with the line ends it has.

    Raises:
        InputError: it cannot be written; the file is then as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        raise InputError(f'{path} cannot be written: {error.strerror}') from error


def _replace(path, text) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'w', encoding='utf-8', newline='') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
