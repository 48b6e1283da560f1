"""What a run that is over tells, in a form that a cache can keep.

Rows are many and what a table asks of them is little: read once, they need not be put together
again as long as neither they nor the ledger change. What stands in the ledger is taken from there.
"""

import json
from collections.abc import Iterator, Mapping

from mmaction_ext.tracking.ledger.format import parse_json
from mmaction_ext.tracking.ledger.forms import Facts
from mmaction_ext.tracking.reading.cache import pack, unpack
from mmaction_ext.tracking.reading.ledger import LedgerRun
from mmaction_ext.tracking.reading.merge import known
from mmaction_ext.tracking.reading.record import Attempt, Evaluation, Row, RunRecord

_TUPLES = ('mirrors', 'conflicts', 'disagreements', 'damage')
_AS_THEY_ARE = (
    *('config', 'seed', 'config_hash', 'overrides', 'name', 'group', 'state', 'last_error'),
    *('imported', 'url', 'summary'),
)
_UNSAID = vars(Attempt())


class KeptRows(Mapping[str, list[Row]]):
    """Rows by phase, unpacked when they are asked for: of most runs nobody asks.

    Args:
        packed: phase to JSON of what :func:`mmaction_ext.tracking.reading.cache.pack` gives.
    """

    def __init__(self, packed: Mapping[str, str]) -> None:
        self._packed: Mapping[str, str] = packed
        self._rows: dict[str, list[Row]] = {}

    def __getitem__(self, phase: str) -> list[Row]:
        """Rows of a phase, always the same list."""
        if phase not in self._rows:
            self._rows[phase] = unpack(parse_json(self._packed[phase]))
        return self._rows[phase]

    def __iter__(self) -> Iterator[str]:
        """The phases."""
        return iter(self._packed)

    def __len__(self) -> int:
        """How many phases there are."""
        return len(self._packed)

    def __repr__(self) -> str:
        """As a dict of them."""
        return repr(dict(self))


def told_by(record: RunRecord) -> Facts:
    """What a record says of a run of which one ledger alone tells, as plain data.

    See :func:`as_told` for the inverse.
    """
    attempts = {id(attempt): number for number, attempt in enumerate(record.attempts)}
    facts = {name: getattr(record, name) for name in (*_AS_THEY_ARE, *_TUPLES)}
    return dict(
        facts,
        attempts=[
            {name: value for name, value in vars(attempt).items() if value != _UNSAID[name]}
            for attempt in record.attempts
        ],
        rows={phase: json.dumps(pack(rows)) for phase, rows in record.rows.items()},
        evaluations=[
            {**vars(item), 'attempt': attempts[id(item.attempt)]} for item in record.evaluations
        ],
        logged=sorted(record.logged),
    )


def as_told(uid: str, job_type: str, ledger: LedgerRun) -> RunRecord:
    """The record of a run, by its ledger and what that has been :attr:`told`.

    Args:
        uid, job_type: which run it is.
        ledger: the ledger that alone tells of it.
    """
    told: Row = dict(ledger.told or {})
    attempts = [Attempt(**facts) for facts in told['attempts']]
    facts: Row = known(ledger.run.facts(), {}) if ledger.run else {}
    facts |= {name: told[name] for name in _AS_THEY_ARE}
    facts |= {name: tuple(told[name]) for name in _TUPLES}
    return RunRecord(
        uid,
        job_type,
        **facts,
        attempts=tuple(attempts),
        rows=KeptRows(told['rows']),
        evaluations=tuple(
            Evaluation(**{**item, 'attempt': attempts[item['attempt']]})
            for item in told['evaluations']
        ),
        logged=frozenset(told['logged']),
        folder=ledger.folder,
        root=ledger.root,
        heartbeat=ledger.heartbeat,
    )
