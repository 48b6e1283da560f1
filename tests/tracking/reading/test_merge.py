"""One record of several sources: which of them tells what."""

from pathlib import Path

import pytest
from offline_runs import history

from mmaction_ext.tracking.ledger.forms import AttemptEntry, RunFile
from mmaction_ext.tracking.reading.ledger import LedgerRun
from mmaction_ext.tracking.reading.merge import merge
from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.rows import split_by_phase

WHOLE = split_by_phase(history(0.75))
OTHER = dict(config='demo/other', seed=1, config_hash='f' * 16)


def log(rows=(), source='wandb-offline', identity=None, **facts):
    """A log of rows as :func:`offline_runs.history` gives them."""
    known = identity or dict(config='demo/full', seed=0, config_hash='0' * 16)
    return Attempt(
        source,
        path=f'{facts.get("start_time", 1.0)}',
        uid='u',
        job_type='train',
        rows=split_by_phase(rows),
        config=dict(identity=known),
        last_iter=max((row['iter'] for row in rows), default=None),
        **{'start_time': 1.0, **facts},
    )


def copy(rows, **facts):
    """What was copied from a server, alone in a list."""
    return [log(rows, 'wandb-online', start_time=None, **facts)]


def ledger(**facts):
    """A ledger of no attempt but in its name."""
    return LedgerRun(
        Path('root'),
        'folder',
        RunFile.of(dict(dict(config='demo/full', seed=0, config_hash='0' * 16, uid='u'), **facts)),
        [AttemptEntry(number=1, start=5.0, exit_code=0)],
        read_rows=list,
    )


def without_tests(record):
    return {phase: rows for phase, rows in record.rows.items() if phase != 'test'}


def test_beginning_that_only_a_copy_still_has_comes_first():
    """Both reach as far; rows, tests and validations are there once."""
    record = merge('u', 'train', [], [log(history(0.75, 5, 8))], [copy(history(0.75))])
    assert without_tests(record) == {phase: WHOLE[phase] for phase in ('train', 'val')}
    assert [item.values for item in record.evaluations][-1]['test/acc/top1'] == 0.75
    assert [each.source for each in record.attempts] == ['wandb-online', 'wandb-offline']


def test_copy_that_goes_on_takes_the_place_of_nothing():
    """It tells the last row that is known otherwise; that is a conflict, and the row stays."""
    rows = history(0.75)
    rows[6] = {**rows[6], 'train/loss': 9.0}
    assert rows[6]['iter'] == 6
    logs = [log(history(None, 1, 6, test=False))]
    record = merge('u', 'train', [], logs, [copy(rows)], compare=True)
    assert without_tests(record) == {phase: WHOLE[phase] for phase in ('train', 'val')}
    assert record.disagreements == (
        'train/loss at iteration 6: 9.0 (wandb-online None) against '
        '0.3333333333333333 (wandb-offline 1.0)',
    )


def test_damaged_log_does_not_say_who_a_run_is():
    """Unless no other does."""
    damaged = log(start_time=2.0, identity=OTHER, corrupt=True)
    record = merge('u', 'train', [], [log(), damaged], [])
    assert (record.config, record.seed, record.conflicts) == ('demo/full', 0, ())
    assert merge('u', 'train', [], [damaged], []).config == 'demo/other'


def test_newest_log_says_who_a_run_is_and_older_ones_contradict_it():
    record = merge(
        'u',
        'train',
        [],
        [log(start_time=2.0, identity=OTHER, name='new', group='g'), log(name='old', group='g')],
        [],
    )
    assert (record.config, record.seed, record.config_hash) == ('demo/other', 1, 'f' * 16)
    assert (record.name, record.group) == ('new', 'g')
    assert [text.partition(':')[0] for text in record.conflicts] == [
        'config',
        'config_hash',
        'seed',
    ]


def test_last_ledger_says_who_a_run_is():
    record = merge(
        'u', 'train', [ledger(code_of=1), ledger(data=dict(train=dict(num_samples=3)))], [], []
    )
    assert record.data == dict(train=dict(num_samples=3)) and record.conflicts == ()
    assert (record.name, record.group, record.folder) == ('full/seed0', 'demo', 'folder')


@pytest.mark.parametrize(
    'entry, urls, expected',
    [
        ('https://a/ledger', ['https://a/1', 'https://a/2'], 'https://a/2'),
        ('https://a/ledger', ['', 'javascript:x'], 'https://a/ledger'),
        ('offline/run-u.wandb', [''], ''),
    ],
)
def test_page_is_that_of_the_newest_copy_else_that_of_the_ledger(entry, urls, expected):
    found = ledger()
    found.entries[0].wandb = entry
    assert merge('u', 'train', [found], [], [copy((), url=url) for url in urls]).url == expected


def test_folder_says_who_a_run_is_where_nothing_else_does():
    anonymous = Attempt('wandb-offline', path='a/b/seed3/wandb/run-u.wandb', uid='u')
    record = merge('u', 'train', [], [anonymous], [], home=(Path('root'), 'a/b/seed3'))
    assert (record.config, record.seed, record.config_hash) == ('a/b', 3, None)
    assert (record.folder, record.root) == ('a/b/seed3', Path('root'))
