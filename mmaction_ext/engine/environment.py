"""What a run's numbers depend on beside its files: versions, devices and the commit."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from typing import Any

from mmaction_ext.tracking.ledger.facts import gpus


def environment() -> dict[str, Any]:
    """Versions of what the numbers depend on, and the devices they ran on.

    Returns:
        Version by package, ``python``, ``host``, and what
        :func:`mmaction_ext.tracking.ledger.facts.gpus` says; ``device`` is the first GPU or,
        without one, the processor.
    """
    names = ('torch', 'torchvision', 'timm', 'mmengine', 'mmaction2', 'numpy', 'av')
    found = gpus()
    device = next(iter(found['gpus']), None) or platform.processor() or platform.machine()
    return dict(
        {name: version(name) for name in names},
        python=platform.python_version(),
        device=device,
        host=platform.node(),
        **found,
    )


def git_state(folder: str) -> dict[str, Any]:
    """Commit of the checkout that holds ``folder``, and whether and how it is modified.

    Returns:
        ``{'commit': str, 'dirty': bool, 'diff_sha256': str | None}``, the last the digest of
        ``git diff HEAD`` where that says anything; empty outside a git checkout or without git.
    """

    def git(*args: str) -> bytes:
        return subprocess.run(('git', '-C', folder) + args, check=True, capture_output=True).stdout

    try:
        diff = git('diff', '--no-ext-diff', '--no-color', 'HEAD')
        return dict(
            commit=git('rev-parse', 'HEAD').decode().strip(),
            dirty=bool(git('status', '--porcelain', '--untracked-files=no')),
            diff_sha256=hashlib.sha256(diff).hexdigest() if diff else None,
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
