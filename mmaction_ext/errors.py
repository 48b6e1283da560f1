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

    def exit(self) -> int:
        """Say the sentence on standard error, once for all ranks; returns exit code 2."""
        if os.environ.get('RANK', '0') == '0':
            print(f'error: {self.sentence()}', file=sys.stderr)
        return 2


def last_line(error: Exception) -> str:
    """What an exception says at the end, where libraries put the reason."""
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
