"""Values that two sources tell differently."""

import math
from collections.abc import Sequence
from typing import Any

from mmaction_ext.tracking.reading.rows import Row

#: Two numbers closer than this (relative) are the same.
SAME_VALUE = 1e-6
#: last parts of the names of metrics that are different each time the same thing is computed
TIMINGS = frozenset({'time', 'data_time', 'memory', 'eta'})


def same(one: Any, other: Any) -> bool:
    """Whether two values of a metric are the same; what is not a number is as itself."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and one != other:
        try:
            return math.isclose(one, other, rel_tol=SAME_VALUE) or (
                math.isnan(one) and math.isnan(other)
            )
        except OverflowError:  # a whole number beyond all floats
            return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


class Conflicts:
    """Collects disagreements, one for each metric and pair of sources."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], dict[str, None]] = {}

    def compare(
        self, row: Row, told: Sequence[tuple[Row, str]], source: str, timings: bool = True
    ) -> None:
        """Compare a row with what others logged at that iteration.

        Args:
            row: values with ``iter``.
            told: (row, source) pairs; for each metric one that agrees is enough.
            source: who tells ``row``.
            timings: whether to compare :data:`TIMINGS`, too.
        """
        if not told or any(row == other for other, _ in told):
            return
        for name, value in row.items():
            known = [(other[name], by) for other, by in told if name in other]
            if (
                known
                and not any(same(value, each) for each, _ in known)
                and (timings or name.rpartition('/')[2] not in TIMINGS)
            ):
                where = f'{name} at iteration {row["iter"]}'
                self.add(where, name, (value, source), known[0])

    def add(self, what: str, name: str, one: tuple[Any, str], other: tuple[Any, str]) -> None:
        """Enter a disagreement about ``name`` between two (value, source)."""
        text = ' against '.join(f'{_spelled(value)} ({source})' for value, source in (one, other))
        self._found.setdefault((name, one[1], other[1]), {})[f'{what}: {text}'] = None

    def texts(self) -> tuple[str, ...]:
        """The disagreements in words, the first of each kind, sorted."""
        texts = []
        for found in self._found.values():
            more = f', and so {len(found) - 1} more times' if len(found) > 1 else ''
            texts.append(next(iter(found)) + more)
        return tuple(sorted(texts))


def _spelled(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
