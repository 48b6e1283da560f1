"""What looks like a secret in settings, masked before they are written down anywhere."""

import re
from collections.abc import Iterable
from typing import Any

MASK = '***'
#: last words of the names of settings that hold secrets
_SECRET = frozenset(
    [
        'password',
        'passwd',
        'passphrase',
        'passcode',
        'pwd',
        'secret',
        'secrets',
        'passwords',
        'credential',
        'credentials',
        'apikey',
        'token',
        'authtoken',
        'accesstoken',
        'bearer',
        'authorization',
    ]
)
#: what makes a secret of a setting whose last word is ``key``
_KINDS_OF_KEY = frozenset(
    ['api', 'access', 'secret', 'private', 'auth', 'encryption', 'license', 'account']
)
_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+')
_USER = re.compile(r'(?<=://)[^/@\s]+(?=@)')
_QUERY = re.compile(
    r'(?i)(?<=[?&;])([\w.-]*(?:token|secret|password|passwd|signature|sig|key))='
    r'[^&;#\s]+'
)
_HEADER = re.compile(r'(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}')
#: how keys of well-known services begin
_KNOWN = re.compile(r'\b(?:hf_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abp]-|AKIA)[\w-]{12,}')
#: a value that may be a secret under the bare name ``key``
_RANDOM = re.compile(r'(?=.*\d)(?=.*[A-Za-z])[\w+/=.-]{16,}')


def mask(node: Any, is_secret: bool = False) -> Any:
    """A copy of settings without their secrets.

    Args:
        node: dicts, lists and tuples of plain values; they are left as they are.
        is_secret: whether all of it is one.
    """
    if isinstance(node, dict):
        return {
            key: mask(value, is_secret or _is_secret(key, value)) for key, value in node.items()
        }
    if isinstance(node, (list, tuple)):
        return type(node)(mask(item, is_secret) for item in node)
    if is_secret and node is not None and not isinstance(node, bool) and node != '':
        return MASK
    return mask_text(node) if isinstance(node, str) else node


def mask_text(text: str) -> str:
    """A text without the secrets of addresses and headers in it.

    >>> mask_text('s3://me:pass@host/a?token=1')
    's3://***@host/a?token=***'
    """
    text = _QUERY.sub(rf'\1={MASK}', _USER.sub(MASK, text))
    return _KNOWN.sub(MASK, _HEADER.sub(rf'\1 {MASK}', text))


def mask_arguments(arguments: Iterable[str]) -> list[str]:
    """A command line without the secrets in its ``KEY=VALUE``."""
    pairs = [(text, *text.partition('=')) for text in arguments]
    return [
        name + equals + MASK if value and _is_secret(name, value) else mask_text(text)
        for text, name, equals, value in pairs
    ]


def _is_secret(name: object, value: object) -> bool:
    words = [word.lower() for word in _WORD.findall(str(name).rpartition('.')[2])]
    if words[-1:] != ['key']:
        return words[-1:] != [] and words[-1] in _SECRET
    if len(words) > 1:
        return words[-2] in _KINDS_OF_KEY
    return isinstance(value, str) and _RANDOM.fullmatch(value) is not None
