"""Which log is of which attempt, and in which order attempts stand."""

from pathlib import Path

import pytest
from offline_runs import history

from mmaction_ext.tracking.ledger.forms import AttemptEntry, RunFile
from mmaction_ext.tracking.reading.attempts import (
    CLOCK_SECONDS,
    attempts_of,
    compare_mirror,
)
from mmaction_ext.tracking.reading.conflicts import Conflicts
from mmaction_ext.tracking.reading.ledger import LedgerRun
from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.rows import split_by_phase

ROOT = Path('/runs')


def log(start, rows=(), path='elsewhere/run-u.wandb', **facts):
    phases = split_by_phase(rows)
    return Attempt(
        'wandb-offline',
        root=ROOT,
        path=path,
        uid='u',
        start_time=start,
        rows=phases,
        last_iter=max((row['iter'] for row in rows), default=None),
        **facts,
    )


def ledger(*entries, folder='a', **rows):
    """A ledger whose attempts ``_1``, ``_2``, ... logged rows."""
    logs = [
        Attempt(
            'ledger', number=int(name[1:]), rows=split_by_phase(each), last_iter=each[-1]['iter']
        )
        for name, each in rows.items()
    ]
    return LedgerRun(ROOT, folder, RunFile(uid='u'), list(entries), lambda: logs)


def entry(number, start, end=None, **facts):
    return AttemptEntry.of(
        dict(
            number=number,
            start=start,
            end=end,
            host='h',
            boot_id='b',
            pid=number,
            process_start=number,
            exit_code=None if end is None else 0,
        )
        | facts
    )


def shown(attempts):
    return [(each.source, each.number, each.start_time) for each in attempts]


def found(ledgers, logs):
    conflicts = Conflicts()
    attempts, mirrors = attempts_of(ledgers, logs, conflicts)
    for each, own in mirrors:
        compare_mirror(each, own, conflicts)
    return attempts, conflicts.texts()


@pytest.mark.parametrize(
    'start, host, own',
    [
        (10 - CLOCK_SECONDS, 'h', True),
        (10 - CLOCK_SECONDS - 1, 'h', False),
        (20 + CLOCK_SECONDS, 'h', True),
        (20 + CLOCK_SECONDS + 1, 'h', False),
        (15, 'other', True),
        (15, '', True),
    ],
)
def test_log_that_began_during_an_attempt_is_of_it(start, host, own):
    """By as much as clocks may differ; on whatever host, since only one works on a run."""
    attempts, _ = found([ledger(entry(1, 10, 20))], [log(start, host=host)])
    assert len(attempts) == (1 if own else 2)


def test_log_of_another_host_beside_an_attempt_without_an_end_is_one_of_its_own():
    attempts, _ = found([ledger(entry(1, 10))], [log(15, host='other'), log(16, host='h')])
    assert shown(attempts) == [('ledger', 1, 10), ('wandb-offline', None, 15)]


def test_log_is_of_the_attempt_that_names_it_whatever_the_clock_says():
    rows = history(0.75, 1, 2)
    _, [(_, attempt)] = attempts_of(
        [ledger(entry(1, 10, 20, wandb='w/run-u.wandb'), entry(2, 30, 40))],
        [log(35, rows, 'a/w/run-u.wandb')],
        Conflicts(),
    )
    assert attempt.number == 1


def test_attempts_stand_in_the_order_of_the_ledger_and_logs_before_what_began_later():
    attempts, _ = found(
        [ledger(entry(1, 100, 110), entry(2, 50, 60))], [log(200), log(20), log(80), log(None)]
    )
    assert shown(attempts)[:-1] == [
        ('wandb-offline', None, 20),
        ('wandb-offline', None, 80),
        ('ledger', 1, 100),
        ('ledger', 2, 50),
        ('wandb-offline', None, 200),
    ]
    assert attempts[-1].start_time is None, 'just opened, so the newest'


def test_log_adds_nothing_to_an_attempt_in_a_ledger_and_must_agree():
    whole = history(0.75, 1, 8)
    attempts, conflicts = found([ledger(entry(1, 10, 20), _1=whole[:3])], [log(10, whole)])
    assert conflicts == () and attempts[0].last_iter == 3
    assert list(attempts[0].phases['train']) == [(number, 0) for number in range(1, 4)]
    _, conflicts = found(
        [ledger(entry(1, 10, 20), _1=whole)], [log(10, [dict(whole[0], **{'train/loss': 3.0})])]
    )
    assert conflicts == (
        'train/loss at iteration 1: 3.0 (wandb-offline elsewhere/run-u.wandb) '
        'against 2.0 (ledger of a, attempt 1)',
    )


def test_copy_of_a_ledger_adds_how_an_attempt_ended():
    """Copied by hand while it ran: the same process at the same start."""
    early, late = entry(1, 10), entry(1, 10, 20, last_error='x')
    for ledgers in (
        [ledger(early), ledger(late, folder='b')],
        [ledger(late), ledger(early, folder='b')],
    ):
        [attempt], _ = found(ledgers, [])
        assert (attempt.exit_code, attempt.end_time) == (0, 20)
    attempts, _ = found([ledger(early), ledger(entry(1, 11, 20), folder='b')], [])
    assert len(attempts) == 2


def test_attempt_that_the_run_file_does_not_know_is_not_trusted():
    attempts, _ = found(
        [ledger(entry(1, 10, 20), _1=history(0.5, 1, 4), _2=history(0.75, 5, 8))], []
    )
    assert [each.corrupt for each in attempts] == [False, True]


def test_who_tells_of_an_attempt():
    [attempt], _ = found([ledger(entry(3, 10, 20))], [])
    assert attempt.teller == 'ledger of a, attempt 3'
    assert log(1, path='x').teller == 'wandb-offline x'
