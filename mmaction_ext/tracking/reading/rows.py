"""Rows of metrics: by phase, joined over attempts, and not more of them than a curve needs."""

import math
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from mmaction_ext.tracking.ledger.forms import AttemptEntry

Row = dict[str, Any]
#: Where a row stands: its iteration, and which of the rows of that iteration it is.
Place = tuple[int, int]
Item = TypeVar('Item')

#: what every row in W&B tells of its attempt: when that began, in seconds since the epoch
ATTEMPT_START = 'attempt_start'
#: no clock shows a later time
_LAST_SECOND = 1e12
#: what else a row may tell of it, as :func:`attempt_fact` names it, and of which kind it is
ATTEMPT_FACTS = dict(
    number=int, job_type=str, host=str, pid=int, resumed_from_iter=int, exit_code=int
)

#: training rows that are kept of an attempt, of those with the same metrics
MAX_TRAIN_ROWS = 1000


class EvenSample(Generic[Item]):
    """Keeps the first and the last of a stream of items, and others in even distances.

    Args:
        limit: how many items to keep, at least 2. Of a longer stream half as many or more are.
    """

    def __init__(self, limit: int = MAX_TRAIN_ROWS) -> None:
        self._limit, self._stride, self._count = limit, 1, 0
        self._kept: list[Item] = []
        self._last: Item | None = None

    def add(self, item: Item) -> None:
        """Take the next item."""
        if len(self._kept) == self._limit:
            self._kept = self._kept[::2]
            self._stride *= 2
        if self._count % self._stride == 0:
            self._kept.append(item)
            self._last = None
        else:
            self._last = item
        self._count += 1

    def items(self) -> list[Item]:
        """What was kept, in the order it came."""
        return self._kept if self._last is None else [*self._kept, self._last]


def split_by_phase(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Sort history rows by the phase their metrics belong to.

    Args:
        rows: dicts with ``iter``, ``epoch`` and metrics named ``<phase>/<metric>``.

    Returns:
        Phase to rows; a row with metrics of two phases is in both, each time with the metrics
        of that phase. Rows without an integer ``iter`` and metrics without a phase are left
        out.
    """
    phases: dict[str, list[Row]] = {}
    for row in rows:
        if not isinstance(row.get('iter'), int):
            continue
        place: Row = {key: row[key] for key in ('iter', 'epoch') if key in row}
        parts: dict[str, Row] = {}
        for key, value in row.items():
            phase, slash, _ = key.partition('/')
            if slash:
                parts.setdefault(phase, dict(place))[key] = value
        for phase, part in parts.items():
            phases.setdefault(phase, []).append(part)
    return phases


def attempt_fact(name: str) -> str:
    """How a fact about an attempt is called in W&B."""
    return f'attempt_{name}'


def about_attempt(entry: 'AttemptEntry | None', job_type: str | None = None, **more: Any) -> Row:
    """What a row in W&B tells of the attempt that logs it.

    Args:
        entry: the attempt in the ledger; without one, nothing is told.
        job_type: ``'train'`` or ``'test'``, for a row that tells all that is known of it; without,
            it is told when the attempt began.
        more: facts that the entry has not yet.
    """
    if entry is None or entry.start is None:
        return {}
    known = dict(entry.facts(), job_type=job_type, **more) if job_type else {}
    facts = {
        attempt_fact(name): known[name] for name in ATTEMPT_FACTS if known.get(name) is not None
    }
    return {ATTEMPT_START: round(entry.start, 3), **facts}


def start_of(row: Row) -> float | None:
    """When the attempt began that logged a row from W&B; ``None`` where that does not say."""
    start = row.get(ATTEMPT_START)
    return start if isinstance(start, (int, float)) and abs(start) < _LAST_SECOND else None


def told_of_attempts(rows: Iterable[Row]) -> dict[float, Row]:
    """What rows from W&B say of the attempts that logged them, in whatever order they came.

    Returns:
        Start of each attempt, in seconds since the epoch, to those of :data:`ATTEMPT_FACTS` that
        are known of it.
    """
    told: dict[float, Row] = {}
    for row in rows:
        start = start_of(row)
        if start is not None:
            facts = told.setdefault(start, {})
            for name, kind in ATTEMPT_FACTS.items():
                value = row.get(attempt_fact(name))
                if type(value) is kind:
                    facts[name] = value
    return told


def stitch(
    attempts: Sequence[tuple[Mapping[str, list[Row]], float | None]],
) -> dict[str, list[Row]]:
    """Join the rows of successive attempts into one history.

    A later attempt went on from a checkpoint: whatever earlier attempts had logged of any phase
    beyond that checkpoint belongs to a branch that was given up.

    Args:
        attempts: for each attempt, oldest first, its rows by phase, each with ``iter``, and the
            iteration it went on from: 0 where it began anew, which leaves nothing of the earlier
            ones; where it is ``None``, it is the one before its first row.

    Returns:
        Phase to rows, no iteration twice; rows of one phase at one iteration are merged.
    """
    parts: dict[str, list[list[Row]]] = {}
    limit = math.inf
    for phases, resumed_from in reversed(attempts):
        for phase, rows in phases.items():
            parts.setdefault(phase, []).append([row for row in rows if row['iter'] <= limit])
        limit = min(limit, before_first(phases) if resumed_from is None else resumed_from or -1)
    return {
        phase: _merged([row for rows in reversed(found) for row in rows])
        for phase, found in parts.items()
    }


def before_first(phases: Mapping[str, Iterable[Row]]) -> float:
    """The iteration before the first one of any row; infinite without rows."""
    return min((row['iter'] for rows in phases.values() for row in rows), default=math.inf) - 1


def _merged(rows: list[Row]) -> list[Row]:
    """Rows of which those of one iteration have become one; the last tells."""
    merged = {row['iter']: row for row in rows}
    if len(merged) == len(rows):
        return rows
    merged = {}
    for row in rows:
        merged[row['iter']] = {**merged.get(row['iter'], {}), **row}
    return list(merged.values())


def by_place(rows: Sequence[Row]) -> dict[Place, Row]:
    """Rows of one attempt by (iteration, which one of that iteration).

    Successive rows of one iteration that have no metric in common are parts of one row; rows with
    a common metric are two.
    """
    placed = {(row['iter'], 0): row for row in rows}
    if len(placed) == len(rows):
        return placed
    placed = {}
    last: dict[int, int] = {}
    for row in rows:
        iteration = row['iter']
        number = last.setdefault(iteration, 0)
        before = placed.get((iteration, number))
        if before is None:
            placed[iteration, number] = row
        elif before.keys() & row.keys() <= {'iter', 'epoch'}:
            placed[iteration, number] = {**before, **row}
        else:
            last[iteration] = number + 1
            placed[iteration, number + 1] = row
    return placed


def project(rows: list[Row], keys: Collection[str] | None) -> list[Row]:
    """Rows with the wanted metrics alone; those that have none of them are left out.

    Args:
        rows: rows of metrics.
        keys: names of metrics, ``None`` for all; ``iter`` and ``epoch`` are kept always.
    """
    if keys is None:
        return rows
    wanted = frozenset(keys) - {'iter', 'epoch'}
    return [
        {name: value for name, value in row.items() if name in wanted or name in ('iter', 'epoch')}
        for row in rows
        if not wanted.isdisjoint(row)
    ]


def last_iteration(phases: Mapping[str, Iterable[Row]]) -> int | None:
    """Largest iteration of any row; ``None`` without rows."""
    return max((row['iter'] for rows in phases.values() for row in rows), default=None)


def flat(row: Row) -> Row:
    """A row with the names of nested values joined by dots, as W&B writes them down."""
    if dict not in map(type, row.values()):
        return row
    joined: Row = {}
    for name, value in row.items():
        inner = flat(value) if isinstance(value, dict) else None
        joined.update(
            {name: value}
            if inner is None
            else {f'{name}.{key}': item for key, item in inner.items()}
        )
    return joined


def thin(rows: list[Row]) -> list[Row]:
    """An :class:`EvenSample` of the rows with the same metrics, in the order of the rows."""
    if len(rows) <= MAX_TRAIN_ROWS:
        return rows
    samples: dict[tuple[str, ...], EvenSample[tuple[int, Row]]] = {}
    for place, row in enumerate(rows):
        samples.setdefault(tuple(sorted(row)), EvenSample()).add((place, row))
    kept = [item for sample in samples.values() for item in sample.items()]
    return [row for _, row in sorted(kept, key=operator.itemgetter(0))]
