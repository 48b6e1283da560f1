"""What all renderers do to a text before they escape it."""

import unicodedata


def one_line(text: str) -> str:
    """Text on one line: runs of white space become a space, control characters visible."""
    text = ' '.join(text.split())
    return ''.join('\ufffd' if unicodedata.category(char) == 'Cc' else char for char in text)
