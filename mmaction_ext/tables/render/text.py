"""What all renderers do to a text before they escape it.

No text of a run moves a cursor, sets a title or turns the reading order of what stands beside it.
"""

import unicodedata

#: marks, embeddings, overrides and isolates of writing direction
_DIRECTION = frozenset('\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069')


def visible(text: str) -> str:
    """Text with U+FFFD for each character that shows nothing.

    These are control characters that are no white space, direction marks and what UTF-8 cannot
    hold.
    """
    return ''.join('\ufffd' if _is_hidden(char) else char for char in text)


def one_line(text: str) -> str:
    """:func:`visible` text on one line: runs of white space become a space."""
    return visible(' '.join(text.split()))


def _is_hidden(char: str) -> bool:
    if char in _DIRECTION:
        return True
    return unicodedata.category(char) in ('Cc', 'Cs') and char not in '\t\n\r'
