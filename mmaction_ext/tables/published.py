"""Figures printed in papers, each with its source.

A ``published.yaml`` is a tree; a dot-separated name leads to an entry::

    dcf:
      paper: DCF
      table1:
        table: Table 1
        protocol: Something-Something V1, 13 frames, 1 clip, centre crop
        source: text of the paper
        unit: percent
        none: {top1: 44.6}
        full: {top1: 47.6, delta: 3.0}

``paper``, ``table``, ``protocol``, ``source``, ``unit``, ``note`` and ``caption`` describe
everything below the level they stand on. Everything else in an entry is a figure: a number, which
tables print with the digits that it has in the file (``82.88``, ``73.50``); a text such as
``'86x6'``, which they print as it stands; or ``null``, which says that the paper prints none or
that nobody here could read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmaction_ext.tables.cells import LARGEST
from mmaction_ext.tables.document import Document

_DESCRIPTION = ('paper', 'table', 'protocol', 'source', 'unit', 'note', 'caption')
_DECIMAL = re.compile(r'[+-]?\d+(\.\d+)?')


class PrintedNumber(float):
    """A number that keeps the digits it was printed with; they are its ``repr``.

    Args:
        text: the number as printed, e.g. ``73.50``.
    """

    text: str

    def __new__(cls, text: str) -> PrintedNumber:
        """The number that a text prints."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


@dataclass(frozen=True)
class PublishedEntry:
    """What a paper prints for one row.

    Attributes:
        name: dot-separated place in the file.
        figures: metric to number (a :class:`PrintedNumber`), or to text printed as it stands, or
            to ``None``.
        citation: paper, table, protocol, source and note in one line.
    """

    name: str
    figures: dict[str, Any]
    citation: str


class Published:
    """The figures of one ``published.yaml``.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._document = Document(path)

    def entry(self, name: str) -> PublishedEntry:
        """Entry at a dot-separated place.

        Raises:
            InputError: there is none, it holds no figures, or no source is given for it.
        """
        node = self._document.value
        where: tuple[Any, ...] = ()
        described = _description(node)
        for key in name.split('.'):
            if not isinstance(node, dict) or key not in node:
                raise self._document.error(where, f'there is no entry {name!r}')
            node, where = node[key], where + (key,)
            described.update(_description(node))
        figures = self._figures(node, where, name)
        if not described.get('source') and not described.get('paper'):
            raise self._document.error(where, f'{name!r} names neither a paper nor a source')
        return PublishedEntry(name, figures, _citation(described))

    def names(self) -> list[str]:
        """Names of all entries: the mappings that hold no further mapping, but a figure."""
        root = self._document.value
        return list(_entry_names(root, ())) if isinstance(root, dict) else []

    def _figures(self, node: Any, where: tuple[Any, ...], name: str) -> dict[str, Any]:
        if not isinstance(node, dict):
            raise self._document.error(where, f'{name!r} is no mapping of metrics to figures')
        figures = {key: value for key, value in node.items() if key not in _DESCRIPTION}
        for key, value in figures.items():
            if not isinstance(key, str):  # what a decimal comma makes of {top1: 47,6}
                raise self._document.error(where, f'{key!r} in {name!r} is no name of a metric')
            if not _is_figure(value):
                raise self._document.error(
                    where + (key,), f'{name}.{key} is {value!r}, not a number, text or null'
                )
        return {key: self._as_printed(where + (key,), value) for key, value in figures.items()}

    def _as_printed(self, where: tuple[Any, ...], value: Any) -> Any:
        """A number with its digits, whether the file quotes it or not; all else as it is."""
        text = self._document.written(where).strip()
        if value is None or not _DECIMAL.fullmatch(text):
            return value
        return PrintedNumber(text)


def _is_figure(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return value is None or (
        isinstance(value, (int, float)) and type(value) is not bool and abs(value) <= LARGEST
    )


def _description(node: Any) -> dict[str, Any]:
    """What a level of the tree says about everything below it."""
    if not isinstance(node, dict):
        return {}
    return {key: node[key] for key in _DESCRIPTION if node.get(key) is not None}


def _entry_names(node: Mapping[Any, Any], where: tuple[str, ...]) -> Iterator[str]:
    inner = {key: value for key, value in node.items() if isinstance(value, dict)}
    for key, value in inner.items():
        yield from _entry_names(value, where + (str(key),))
    if not inner and node.keys() - set(_DESCRIPTION):
        yield '.'.join(where)


def _citation(described: Mapping[str, Any]) -> str:
    """``DCF, Table 1, protocol (source); note``."""
    parts = [str(described[key]) for key in ('paper', 'table', 'protocol') if key in described]
    source = described.get('source')
    text = ', '.join(parts) or str(source)
    if source and parts:
        text += f' (read from: {source})'
    return f'{text}; {described["note"]}' if 'note' in described else text
