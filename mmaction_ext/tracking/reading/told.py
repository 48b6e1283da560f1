"""What a run that is over tells, in a form that a cache can keep.

Rows are many and what a table asks of them is little: read once, they need not be put together
again as long as neither they nor the ledger change. What stands in the ledger is taken from there.
"""

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
        rows={phase: pack(rows) for phase, rows in record.rows.items()},
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
        rows={phase: unpack(blocks) for phase, blocks in told['rows'].items()},
        evaluations=tuple(
            Evaluation(**{**item, 'attempt': attempts[item['attempt']]})
            for item in told['evaluations']
        ),
        logged=frozenset(told['logged']),
        folder=ledger.folder,
        root=ledger.root,
        heartbeat=ledger.heartbeat,
    )
