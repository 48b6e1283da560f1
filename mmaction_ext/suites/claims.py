"""One process at a time, of whichever machine, also on shared folders whose locks do nothing.

A claim is a file, made by a hard link: that a name is given once holds on every file system.
``flock`` (:mod:`mmaction_ext.files.locks`) is better where it works, as the system takes it away
from the dead; on a network folder two login nodes may each have it.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.ledger import process

#: seconds between two signs of life of a holder
BEAT_SECONDS = 5.0
#: without a sign for so long, a holder on another machine is dead
STALE_SECONDS = 60.0


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Attributes:
        host, boot_id, pid, process_start: the process, see
            :mod:`mmaction_ext.tracking.ledger.process`; the boot with the container on it.
        purpose: what for, in words.
        nonce: of this claim alone.
    """

    host: str
    boot_id: str | None
    pid: int
    process_start: int | None
    purpose: str
    nonce: str

    def __str__(self) -> str:
        return f'process {self.pid} on {self.host} ({self.purpose})'


class Taken(InputError):
    """A claim is held by another process.

    Attributes:
        holder: who that is; ``None`` where nobody can tell.
    """

    def __init__(self, path: Path, holder: Holder | None) -> None:
        super().__init__(f'{path} is held by {holder or "another process"}')
        self.holder = holder


class Claim:
    """A claim on a name in a folder.

    Each claim is a file ``<name>.<number>``, of which the highest counts. Who finds the highest
    one dead or given back makes the next: of several, the file system lets one. So a claim is
    never taken away from under a holder by one that was late.

    Args:
        path: the name, in a folder that exists.
        stale: seconds without a sign of life after which a holder on another machine is dead.
    """

    def __init__(self, path: Path, stale: float = STALE_SECONDS) -> None:
        self.path, self.stale = path, stale

    def holder(self) -> Holder | None:
        """Who holds it now; ``None`` where nobody alive does.

        A holder on another machine that has given no sign of life for long is watched until it
        gives one, or for :attr:`stale` seconds: clocks of machines disagree, and jump.
        """
        number, found = self._highest()
        if not found or self._is_alive(number, found):
            return found
        return None

    @contextlib.contextmanager
    def held(self, purpose: str) -> Iterator[None]:
        """Hold it for a block.

        Args:
            purpose: what for, told to whoever comes meanwhile.

        Raises:
            Taken: another process holds it.
            InputError: the folder cannot be written.
        """
        number = self._take(purpose)
        stop = threading.Event()
        file = self._file(number)
        beats = threading.Thread(target=_beat, args=(file, stop, self.stale / 12), daemon=True)
        beats.start()
        try:
            yield
        finally:
            stop.set()
            beats.join()
            # emptied, not removed: a number must not be given twice
            with contextlib.suppress(OSError):
                os.truncate(file, 0)

    def _take(self, purpose: str) -> int:
        """Make the next claim; its number."""
        number, found = self._highest()
        if found and self._is_alive(number, found):
            raise Taken(self.path, found)
        me = Holder(
            process.host() or socket.gethostname(),
            _numbering(),
            os.getpid(),
            process.process_start(),
            purpose,
            secrets.token_hex(8),
        )
        draft = self.path.with_name(f'{self.path.name}.{me.nonce}.tmp')
        file = self._file(number + 1)
        try:
            draft.write_text(json.dumps(asdict(me)))
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(draft, file)
                # over a network a link that was made may be reported as one that was not
                won = _read(file) == me and self._highest()[0] == number + 1
            finally:
                draft.unlink()
        except OSError as error:
            raise InputError(f'{file} cannot be written: {error.strerror}') from error
        if not won:
            raise Taken(self.path, _read(file))
        for older in range(number, 0, -1):
            try:
                self._file(older).unlink()
            except OSError:
                break
        return number + 1

    def _file(self, number: int) -> Path:
        return self.path.with_name(f'{self.path.name}.{number}')

    def _highest(self) -> tuple[int, Holder | None]:
        """Number of the newest claim, 0 without any, and whose it is; ``None`` if given back."""
        numbers = [
            int(suffix)
            for each in self.path.parent.glob(f'{self.path.name}.*')
            if (suffix := each.name.rpartition('.')[2]).isdecimal()
        ]
        number = max(numbers, default=0)
        return number, _read(self._file(number)) if number else None

    def _is_alive(self, number: int, holder: Holder) -> bool:
        if (holder.host, holder.boot_id) == (process.host(), _numbering()):
            started = process.process_start(holder.pid)
            return started is not None and started == holder.process_start
        file = self._file(number)
        first = _sign(file)
        if first is not None and abs(time.time() - first) < self.stale:
            return True
        until = time.monotonic() + self.stale
        while True:
            # looked at once more when time is up: this process may have been stopped meanwhile
            is_up = time.monotonic() >= until
            if _read(file) != holder:
                return False
            if _sign(file) != first:
                return True
            if is_up:
                return False
            time.sleep(min(1.0, self.stale / 20))


def _numbering() -> str | None:
    """Where a number means the same process: a boot of a machine, and a container on it."""
    try:
        return f'{process.boot_id()} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return process.boot_id()


def _beat(file: Path, stop: threading.Event, seconds: float) -> None:
    while not stop.wait(min(seconds, BEAT_SECONDS)):
        with contextlib.suppress(OSError):
            os.utime(file)


def _sign(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _read(file: Path) -> Holder | None:
    """Whose a claim is; ``None`` of one that is given back, gone or none."""
    try:
        content = json.loads(read_regular(file))
        return Holder(**content)
    except (OSError, ValueError, TypeError):
        return None
