"""C sources of operators, compiled where they are first used and kept in the user's cache.

A wheel for every platform and no compiler at installation: the sources are plain C without headers
of Python or torch, which take a compiler seconds, and what it makes serves every version of both.
Where there is no compiler the portable operators of PyTorch do the same, slower.
"""

import ctypes
import functools
import hashlib
import itertools
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import platformdirs
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import locked_folder

#: Set to 0, no compiled operator is used.
SWITCH = 'MMACTION_EXT_NATIVE'
_HEADER = Path(__file__).with_name('instructions.h')
_FLAGS = ('-O3', '-fno-tree-loop-distribute-patterns', '-std=gnu11', '-shared', '-fPIC')


def load(source: Path) -> ctypes.CDLL | None:
    """The library of a C source, compiled now unless it was before.

    Args:
        source: the file; its compiled form is kept by its content, compiler and platform.

    Returns:
        ``None`` where it is switched off, or cannot be compiled, of which a warning tells once.
    """
    if os.environ.get(SWITCH) == '0':
        return None
    return _load(source)


@functools.cache
def _load(source: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(_library(source)))
    except (OSError, InputError) as error:
        warnings.warn(
            f'{source.name} is not compiled, so the slower, portable operators serve: {error}',
            RuntimeWarning,
            stacklevel=3,
        )
        return None


def _library(source: Path) -> Path:
    compiler = _compiler()
    sources = source.read_text(), _HEADER.read_text()
    facts = (sources, compiler, _FLAGS, platform.machine(), platform.system())
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    folder = platformdirs.user_cache_path('mmaction_ext', appauthor=False) / 'compiled'
    _check_own(folder)
    path = folder / f'{source.stem}-{name}.so'
    with locked_folder(folder):  # of many processes that start at once, one compiles
        if not _is_whole(path):  # to load a damaged one would end the process
            _compile(compiler, source, path)
            _checksum(path).write_bytes(_digest(path))
    return path


def _checksum(path: Path) -> Path:
    return path.with_suffix('.sha256')


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _is_whole(path: Path) -> bool:
    try:
        return _checksum(path).read_bytes() == _digest(path)
    except FileNotFoundError:
        return False


def _compiler() -> list[str]:
    """The C compiler: that of ``CC``, or the system's.

    Raises:
        InputError: there is none.
    """
    try:
        asked = shlex.split(os.environ.get('CC', ''))
    except ValueError as error:
        raise InputError(f'CC is no command: {error}') from error
    for command in [asked] if asked else [['cc'], ['gcc'], ['clang']]:
        found = shutil.which(command[0])
        if found:
            return [found, *command[1:]]
    raise InputError(f'no C compiler {asked[0]}' if asked else 'no C compiler is installed')


def _check_own(folder: Path) -> None:
    """Make the folder of what is loaded as code; nobody else may write to it.

    Raises:
        InputError: somebody else may.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise InputError(f'{folder} is not this user’s alone')


def _compile(compiler: Sequence[str], source: Path, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        done = subprocess.run(
            [*compiler, *_FLAGS, '-o', str(made), str(source)],
            capture_output=True,
            text=True,
            errors='replace',
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f'exit code {done.returncode}']
            reason = next((line for line in lines if 'error' in line), lines[0])
            raise InputError(f'{compiler[0]} fails: {reason}')
        os.replace(made, path)


@functools.cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process; those of the process that it was forked from are not there."""
    return ThreadPoolExecutor(threads, 'mmaction_ext')


def run(function: Callable[[int, int], int], items: int) -> None:
    """Call a function on ranges of items, each in a thread of its own, as many as torch takes.

    Args:
        function: of (begin, end); returns whether it lacked memory. It releases the GIL.
        items: how many there are.

    Raises:
        MemoryError: there was too little memory.
    """
    threads = min(torch.get_num_threads(), items)
    if threads < 1:
        return
    bounds = [items * part // threads for part in range(threads + 1)]
    ranges = list(itertools.pairwise(bounds))
    others = [_pool(os.getpid(), threads - 1).submit(function, *each) for each in ranges[1:]]
    try:
        failed = [function(*ranges[0]), *(other.result() for other in others)]
    finally:
        wait(others)  # interrupted, they still use the memory of the caller
    if any(failed):
        raise MemoryError('too little memory for a compiled operator')
