"""How a network was tested: what runs record of it, and what a table asks for."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

#: What the ledger records of a test, in the order it is printed.
#: Facts to their values.
Facts = Mapping[Any, Any]
ProtocolFact = Literal[
    'split', 'clip_len', 'frame_interval', 'num_clips', 'num_crops', 'resolution'
]
PROTOCOL_FACTS: tuple[ProtocolFact, ...] = get_args(ProtocolFact)
#: In ``protocol:`` of a specification: rows may differ in this.
ANY = 'any'


def describe(protocol: Facts) -> str:
    """``num_clips 10, num_crops 3, resolution 256×256``; what is ``None`` is left out."""
    order: list[str] = [key for key in PROTOCOL_FACTS if key in protocol]
    order += sorted(protocol.keys() - set(order))
    return ', '.join(f'{key} {_text(protocol[key])}' for key in order if protocol[key] is not None)


def mismatch(found: Facts, wanted: Facts) -> str:
    """Where a test differs from what a table asks for, in words; empty where it does not.

    Args:
        found: recorded facts; what is not recorded cannot differ.
        wanted: facts to values or :data:`ANY`.
    """
    wrong = [
        f'{key} {_text(found[key])} instead of {_text(value)}'
        for key, value in wanted.items()
        if value != ANY and found.get(key) is not None and _text(found[key]) != _text(value)
    ]
    return ', '.join(wrong)


def fixed(protocol: Facts) -> dict[str, Any]:
    """The facts for which a table asks for a value."""
    return {key: value for key, value in protocol.items() if value != ANY}


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return '×'.join(map(_text, value))
    return str(value)
