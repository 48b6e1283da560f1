"""Which process on which machine this is, told so that it cannot be mistaken for a later one."""

import os
import platform
from pathlib import Path


def host() -> str:
    """Name of this machine."""
    return platform.node()


def boot_id() -> str | None:
    """What Linux drew when this machine was started; ``None`` on other systems."""
    try:
        return Path('/proc/sys/kernel/random/boot_id').read_text().strip()
    except OSError:
        return None


def process_start(pid: int | None = None) -> int | None:
    """When a process was started, in clock ticks since the machine was.

    Together with the number of the process it names the process for good, since numbers are used
    again.

    Args:
        pid: the process; this one if ``None``.

    Returns:
        Ticks; ``None`` without such a process, or where the system does not say.
    """
    try:
        text = Path(f'/proc/{pid or os.getpid()}/stat').read_text()
    except OSError:
        return None
    # the second field, the command, may itself hold spaces and brackets
    return int(text.rpartition(')')[2].split()[19])
