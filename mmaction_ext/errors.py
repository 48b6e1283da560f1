"""The error that tools show as one sentence instead of a traceback."""

import os
import sys


class InputError(ValueError):
    """What the user gave cannot be used; the message names the value and the file."""

    def sentence(self) -> str:
        """The message alone, also when a loader process has wrapped it in its traceback."""
        text = str(self).strip()
        if not text.startswith('Caught '):
            return text
        name = f'{type(self).__module__}.{type(self).__name__}: '
        return text.splitlines()[-1].removeprefix(name)

    def exit(self, every_rank: bool = False) -> int:
        """Say the sentence on standard error; returns exit code 2.

        Args:
            every_rank: whether the processes of a run may fail for different reasons. If not,
                only the first one speaks.
        """
        rank = os.environ.get('RANK', '0')
        if rank == '0' or every_rank:
            where = f'rank {rank}: ' if rank != '0' else ''
            print(f'error: {where}{self.sentence()}', file=sys.stderr)
        return 2


def last_line(error: Exception) -> str:
    """What an exception says at the end, where libraries put the reason."""
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
