"""Logs of W&B beside ledgers: every cut of a closed one is told of, and nothing else is."""

import pytest
from doctor_runs import history, only
from wandb_logs import encode, history_record

from mmaction_ext.tracking.reading.wandb_log import BLOCK_SIZE, read_log, record_class

NAME = '20260101_000000/vis_data/wandb/offline-run-1/run-1.wandb'
CLOSED = dict(wandb=NAME, wandb_closed=True, wandb_rows_missing=0)


def closed_log(rows, end=True) -> list:
    """Records of a log: who it is, rows, and how it ended; together longer than two blocks."""
    record = record_class()
    first, last = record(), record()
    first.run.run_id, first.run.job_type = '1', 'train'
    last.exit.exit_code = 0
    summary = record()
    summary.summary.update.add(key='x', value_json='1' * 900)
    middle = [
        item
        for number, row in enumerate(rows, 1)
        for item in (history_record(number, row), *[summary.SerializeToString()] * 8)
    ]
    return [first.SerializeToString(), *middle, *[last.SerializeToString()] * end]


@pytest.fixture
def run(runs):
    """A run and the place of its log."""
    folder = runs.train(**CLOSED)
    (folder / NAME).parent.mkdir(parents=True)
    return folder, folder / NAME


def told(runs) -> list:
    return [
        (severity, text)
        for (check, _), (severity, text, _) in runs.find().items()
        if check == 'W&B log cut'
    ]


def test_whole_log_is_no_finding(runs, run):
    path, rows = run[1], history(0.75)
    path.write_bytes(encode(closed_log(rows)))
    assert read_log(path).count == len(rows) and path.stat().st_size > 2 * BLOCK_SIZE
    path.write_bytes(encode(closed_log([*rows, {'iter': 8, 'picture': 1}])))
    assert not runs.problems()
    path.unlink()
    assert not runs.problems()


def test_every_cut_is_told(runs, run):
    data = encode(closed_log(history(0.75)))
    ends = [len(encode(closed_log(history(0.75))[:count])) for count in (1, 2, 40, 80)]
    for cut in (0, 3, 7, *ends, ends[1] + 3, BLOCK_SIZE, 2 * BLOCK_SIZE, len(data) - 3):
        for filled in (b'', bytes(len(data) - cut)):
            run[1].write_bytes(data[:cut] + filled)
            found = {
                check: facts
                for (check, place), facts in runs.find().items()
                if place == run[1].as_posix() and facts[0] != 'note'
            }
            assert found, (cut, filled[:1])
    run[1].write_bytes(data[: ends[2]])
    assert only(runs.find(), 'W&B log cut')[:2] == (run[1].as_posix(), 'warning')


def test_rows_that_were_taken_out(runs, run):
    rows = history(0.75)
    about = {'attempt_start': 1000.0, 'attempt_number': 1}
    run[1].write_bytes(encode(closed_log([about, *rows, about])))
    assert not told(runs)
    run[1].write_bytes(encode(closed_log([about, *rows[:-1], about])))
    assert told(runs) == [
        (
            'warning',
            f'holds {len(rows) - 1} of the {len(rows)} rows that W&B '
            'took: it was cut after it had been closed',
        )
    ]
    entry = dict(CLOSED, wandb_rows_missing=1)
    runs.change(
        run[0],
        attempts=[dict(number=1, start=1000.0, end=1100.0, exit_code=0, host='h', pid=1, **entry)],
    )
    assert not told(runs)


@pytest.mark.parametrize('entry', [dict(wandb_closed=False), dict(wandb_closed=None)])
def test_log_that_was_not_closed_may_end_anywhere(runs, entry):
    folder = runs.train(**dict(CLOSED, **entry))
    (folder / NAME).parent.mkdir(parents=True)
    (folder / NAME).write_bytes(encode(closed_log(history(0.75)[:3], end=False)))
    assert not told(runs)


@pytest.mark.parametrize('name', ['https://wandb.ai/e/p/runs/1', 'a\0b/run-1.wandb'])
def test_name_of_no_log(runs, name):
    runs.train(**dict(CLOSED, wandb=name))
    assert not told(runs)
