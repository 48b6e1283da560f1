"""What a terminal is shown of names and texts that others wrote."""

import re
from collections.abc import Sequence

_ESCAPE = re.compile(r'(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]')


def clean(text: object) -> str:
    r"""One line of printable characters: no escape sequence, control or direction mark.

    >>> clean('a\\x1b[31m red\\x07\\nname\\u202e')
    'a red name'
    """
    text = str(text)
    if text.isprintable():  # which is quick to tell
        return ' '.join(text.split())
    kept = (
        char if char.isprintable() else ' ' if char.isspace() else ''
        for char in _ESCAPE.sub('', text)
    )
    return ' '.join(''.join(kept).split())


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of several names, and how many more there are."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return f'{", ".join(names[:most])}{more}'
