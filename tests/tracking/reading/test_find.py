"""What becomes of all the files of a run, from the folder to the record."""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import hypothesis.strategies as st
import ledger_runs
import pytest
from hypothesis import HealthCheck, given, settings
from ledger_runs import attempt, beat, write_ledger, write_test_result
from offline_runs import MARKUP, history

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.ledger.format import METRICS_FILE, decode_object, encode_object
from mmaction_ext.tracking.reading import find
from mmaction_ext.tracking.reading.find import find_runs, read_runs
from mmaction_ext.tracking.reading.rows import split_by_phase
from mmaction_ext.tracking.reading.wandb_log import read_log
from mmaction_ext.tracking.reading.wandb_offline import read_attempt

WHOLE = history(0.75)
PHASES = split_by_phase(WHOLE)
TEST = PHASES['test'][0]


def is_whole(record):
    """Whether a record has every row of the run, once, and no complaint."""
    return (
        record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
        and not record.conflicts
        and not record.disagreements
        and not record.damage
    )


def test_ledger_alone(place):
    write_ledger(place.folder, WHOLE)
    [record] = place.find()
    assert is_whole(record) and record.finished and record.state == 'finished'
    assert (record.uid, record.job_type) == (place.uid, 'train')
    assert (record.config, record.seed, record.config_hash) == ('demo/full', 0, '0123456789abcdef')
    assert (record.name, record.group) == ('full/seed0', 'demo')
    assert (record.folder, record.read_from) == ('demo/full/seed0', ('ledger',))
    assert record.code == {'mmaction_ext/a.py': 'f' * 64}
    assert record.data['train']['num_samples'] == 8 and record.heartbeat is None
    [attempt] = record.attempts
    assert (attempt.path, attempt.number, attempt.source, attempt.last_iter) == (
        'demo/full/seed0/metrics.jsonl',
        1,
        'ledger',
        8,
    )
    assert (attempt.start_time, attempt.end_time, attempt.commit) == (1000, 1100, 'abc')
    assert [item.values for item in record.evaluations] == [TEST]


@pytest.mark.parametrize('compare', [False, True])
def test_ledger_and_log_of_one_attempt_are_one_attempt(place, compare):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=place.add_log('whole'))])
    [record] = place.find(compare=compare)
    assert is_whole(record) and record.finished
    assert record.read_from == ('ledger',)
    assert record.mirrors == (('wandb-offline',) if compare else ())
    assert len(record.attempts) == len(record.evaluations) == 1
    assert record.attempts[0].source == 'ledger'


def test_log_that_a_ledger_names_is_not_opened(place, monkeypatch):
    """Wherever it lies, but only where it is of the ledger's own run."""
    read = []
    monkeypatch.setitem(
        find._READERS, 'wandb-offline', lambda path: read.append(path) or read_attempt(path)
    )
    log = place.add_log('whole')
    other = place.folder / place.add_log('whole', '2')
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=log)])
    assert is_whole(place.find()[0]) and read == [other], 'it is not known whose attempt that is'
    other = other.rename(other.with_name('run-another.wandb'))
    other.write_bytes(b'')
    write_ledger(
        place.folder,
        WHOLE,
        attempts=[attempt(wandb=other.relative_to(place.folder).as_posix())],
    )
    read.clear()
    assert len(place.find()) == 2 and other in read, 'nobody can hide the run of another'


def test_runs_are_read_from_the_source_that_is_asked_for(place):
    log = place.add_log('whole')
    write_ledger(place.folder, history(0.5), attempts=[attempt(wandb=log)])
    found = {source: place.find(source=source) for source in ('auto', 'ledger', 'wandb')}
    assert {source: record.read_from for source, [record] in found.items()} == dict(
        auto=('ledger',), ledger=('ledger',), wandb=('wandb-offline',)
    )
    [record] = found['wandb']
    assert is_whole(record) and record.folder == 'demo/full/seed0'
    (place.folder / 'run.json').unlink()
    (place.folder / METRICS_FILE).unlink()
    assert place.find(source='ledger') == [] and len(place.find()) == 1
    with pytest.raises(InputError, match='source must be one of'):
        place.find(source='csv')


def test_log_is_matched_by_its_start_where_the_ledger_does_not_name_it(place, recorded):
    place.add_log('second')
    start = read_log(recorded['second']).start_time
    host = read_log(recorded['second']).host
    write_ledger(
        place.folder,
        history(None, 1, 6, test=False),
        history(0.75, 5, 8),
        attempts=[
            attempt(1, None, start=start - 500, host='elsewhere'),
            attempt(2, 0, start=start - 3, host=host),
        ],
    )
    [record] = place.find()
    assert is_whole(record) and len(record.attempts) == 2


def test_log_that_lost_its_tail(place):
    log = place.add_log('whole')
    path = place.folder / log
    path.write_bytes(path.read_bytes()[:2500])
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=log)])
    [record] = place.find()
    assert is_whole(record) and record.finished and not record.truncated


def test_ledger_that_lost_its_tail_in_a_kill(place):
    """What the log holds beyond the ledger is there where it is asked for."""
    write_ledger(
        place.folder, WHOLE[:3], attempts=[attempt(1, None, wandb=place.add_log('whole'))]
    )
    [record] = place.find(compare=True)
    assert record.rows == {'train': PHASES['train'][:3]} and record.state == 'killed'
    assert not record.disagreements and record.evaluations == ()
    [record] = place.find(source='wandb')
    assert is_whole(record) and [item.values for item in record.evaluations] == [TEST]


def test_resumed_run_equals_an_uninterrupted_one(place):
    write_ledger(
        place.folder,
        history(None, 1, 6, test=False),
        history(0.75, 5, 8),
        attempts=[
            attempt(1, None, wandb=place.add_log('first', '1')),
            attempt(2, 0, wandb=place.add_log('second', '2')),
        ],
    )
    [record] = place.find()
    assert is_whole(record) and record.finished
    assert [attempt.number for attempt in record.attempts] == [1, 2]


def test_branch_that_was_given_up_is_gone_in_every_phase(place):
    """Also where the attempt that went on logs nothing of a phase (``--no-validate``)."""
    going_on = [row for row in history(0.75, 4, 7) if 'val/acc/top1' not in row]
    write_ledger(
        place.folder,
        history(0.25, 1, 8),
        going_on,
        attempts=[attempt(1, 1), attempt(2, 0, resumed_from_iter=3)],
    )
    [record] = place.find()
    assert [row['iter'] for row in record.rows['train']] == [1, 2, 3, 4, 5, 6, 7]
    assert 'val' not in record.rows
    assert [item.values['iter'] for item in record.evaluations] == [8, 7]
    ledger_runs.change(
        place.folder / 'run.json', attempts=[attempt(1, 1), attempt(2, 0, resumed_from_iter=4)]
    )
    assert [row['iter'] for row in place.find()[0].rows['val']] == [4]


def test_attempt_that_logged_tests_alone_cuts_nothing(place):
    write_ledger(place.folder, WHOLE[:-1], WHOLE[-1:])
    assert is_whole(place.find()[0])


def test_clock_that_goes_backwards_between_attempts(place):
    write_ledger(
        place.folder,
        history(None, 1, 6, test=False),
        history(0.75, 5, 8),
        attempts=[attempt(1, None, start=9000.0), attempt(2, 0, start=1000.0)],
    )
    [record] = place.find()
    assert is_whole(record) and record.finished
    assert [attempt.start_time for attempt in record.attempts] == [9000, 1000]


@pytest.mark.parametrize('is_at_home', [True, False])
def test_log_that_lies_elsewhere_is_of_the_attempt_that_wrote_it(
    place, recorded, is_at_home, tmp_path_factory
):
    """As in a folder into which the logs of all runs were copied."""
    collected = tmp_path_factory.mktemp('collected')
    place.add_log('second', folder=collected)
    log = read_log(recorded['second'])
    own = place.add_log('second', '2') if is_at_home else None
    for top1, conflicts in ((0.75, 0), (0.8, 3)):
        write_ledger(
            place.folder,
            history(None, 1, 6, test=False),
            history(top1, 5, 8),
            attempts=[
                attempt(1, None, start=log.start_time - 500, host=log.host),
                attempt(2, 0, start=log.start_time - 3, host=log.host, wandb=own),
            ],
        )
        [record] = read_runs([place.root, collected], compare=True, cache=False)
        assert len(record.disagreements) == (conflicts and conflicts * (1 + is_at_home))
        assert len(record.attempts) == 2 and len(record.evaluations) == 1
        assert record.evaluations[0].values['test/acc/top1'] == top1
        assert conflicts or is_whole(record)


@pytest.mark.parametrize(('end', 'attempts'), [(50.0, 1), (None, 2), (-50.0, 2)])
def test_log_of_another_host(place, recorded, tmp_path_factory, end, attempts):
    """Two hosts do not work on one run at a time: where both did, they must agree."""
    collected = tmp_path_factory.mktemp('collected')
    place.add_log('whole', folder=collected)
    start = read_log(recorded['whole']).start_time
    write_ledger(
        place.folder,
        history(0.5),
        attempts=[
            attempt(
                1,
                None if end is None else 0,
                start=start - 100,
                host='elsewhere',
                end=end and start + end,
            )
        ],
    )
    [record] = read_runs([place.root, collected], compare=True, cache=False)
    assert bool(record.disagreements) == (attempts == 1) and len(record.attempts) == attempts


def test_log_from_before_there_was_a_ledger(place):
    """A run that was begun without a ledger and resumed with one."""
    place.add_log('first')
    write_ledger(place.folder, history(0.75, 5, 8), attempts=[attempt(1, 0, start=9e9)])
    [record] = place.find()
    assert is_whole(record) and record.finished
    assert [attempt.source for attempt in record.attempts] == ['wandb-offline', 'ledger']


def test_sources_that_disagree(place):
    rows = [dict(row) for row in WHOLE]
    rows[-1]['test/acc/top1'] = 0.76
    rows[0]['train/loss'] = rows[1]['train/loss'] = 3.5
    log = place.add_log('whole')
    write_ledger(place.folder, rows, attempts=[attempt(wandb=log)])
    online, ledger = f'wandb-offline demo/full/seed0/{log}', 'ledger of demo/full/seed0, attempt 1'
    for keys in (None, {'val/acc/top1'}):
        [record] = place.find(keys=keys, compare=True)
        assert record.disagreements == (
            f'test/acc/top1 at iteration 8: 0.75 ({online}) against 0.76 ({ledger})',
            f'train/loss at iteration 1: 2 ({online}) against 3.5 ({ledger}), and so 1 more times',
        )
    assert len(record.evaluations) == 0 and record.conflicts == ()
    assert place.find()[0].disagreements == (), 'they are not compared'


def test_rounding_is_no_disagreement(place):
    rows = [dict(row) for row in WHOLE]
    rows[0]['train/loss'] *= 1 + 1e-9
    write_ledger(place.folder, rows, attempts=[attempt(wandb=place.add_log('whole'))])
    assert place.find(compare=True)[0].disagreements == ()


def test_not_finite_metrics_agree_with_themselves(place, suite):
    nan = [
        {
            'iter': 4,
            'epoch': 1,
            'train/loss': math.nan,
            'train/nested': {'grad': math.inf, 'low': -math.inf},
        }
    ]
    [logged] = [record for record in find_runs(suite, cache=False) if record.seed == 4]
    path = place.folder / '1/vis_data/wandb/x' / f'run-{logged.uid}.wandb'
    path.parent.mkdir(parents=True)
    shutil.copy(suite / logged.attempts[0].path, path)
    write_ledger(
        place.folder,
        nan,
        seed=4,
        attempts=[attempt(wandb=path.relative_to(place.folder).as_posix())],
    )
    ledger_runs.change(place.folder / 'run.json', uid=logged.uid)
    [record] = place.find(compare=True)
    assert record.disagreements == () and record.mirrors == ('wandb-offline',)
    [row] = record.rows['train']
    assert math.isnan(row['train/loss']) and row['train/nested.low'] == -math.inf
    assert record.name == 'full/seed4' and place.find(source='wandb')[0].name == MARKUP


def test_results_tell_how_it_was_tested(place):
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, TEST)
    [record] = place.find()
    [test] = record.evaluations
    assert test.values == {**TEST, 'test/data_digest': 'd'}
    assert test.protocol == dict(split='test', num_clips=10)
    assert test.checkpoint == dict(path='epoch_2.pth', sha256=TEST['test/checkpoint_sha256'])
    assert test.predictions == dict(path='predictions.npz', sha256='p')
    assert is_whole(record) and test.attempt is record.attempts[0]


def test_result_that_contradicts_its_row(place):
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, {**TEST, 'test/acc/top1': 0.9})
    assert place.find()[0].conflicts == (
        'test/acc/top1 at iteration 8: 0.9 (demo/full/seed0/results/1-8.json) against '
        '0.75 (ledger of demo/full/seed0, attempt 1)',
    )


def test_results_of_two_tests_of_one_checkpoint(place):
    again = {**TEST, 'test/acc/top1': 0.5}
    write_ledger(place.folder, [*WHOLE, again])
    write_test_result(place.folder, TEST)
    write_test_result(place.folder, again)
    [record] = place.find()
    assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75, 0.5]
    assert all(item.predictions for item in record.evaluations) and not record.conflicts


def test_rows_that_are_missing_from_a_finished_attempt(place):
    """A file that was cut between two lines looks whole, but not beside what came after it."""
    write_ledger(place.folder, WHOLE[:-1])
    write_test_result(place.folder, TEST)
    [record] = place.find()
    assert record.corrupt and not record.finished
    assert record.evaluations[0].values['test/acc/top1'] == 0.75


@pytest.fixture
def in_three_attempts(place):
    """A run of three attempts, each of which tells how long the rows were when it ended."""
    parts = [history(None, 1, 3, test=False), history(None, 4, 6, test=False), history(0.75, 7, 8)]
    sizes = [len(ledger_runs.lines(part)) for part in parts]
    write_ledger(
        place.folder,
        *parts,
        attempts=[
            attempt(number, 0 if number == 3 else 1, metrics_bytes=sum(sizes[:number]))
            for number in (1, 2, 3)
        ],
    )
    return place.folder / METRICS_FILE


@pytest.mark.parametrize('exit_code', [0, None])
def test_row_that_is_missing_from_any_attempt(place, in_three_attempts, exit_code):
    """Whatever a later attempt added to the file, and whether that has ended or not."""
    whole = in_three_attempts.read_bytes()
    assert is_whole(place.find()[0]) and place.find()[0].finished
    lines, more = whole.splitlines(keepends=True), ledger_runs.lines(history(0.5, 9, 12), 4)
    size = None if exit_code is None else len(whole + more)
    ledger_runs.change(
        place.folder / 'run.json',
        attempts=[
            *decode_object((place.folder / 'run.json').read_bytes())['attempts'],
            attempt(4, exit_code, metrics_bytes=size),
        ],
    )
    for missing in range(len(lines)):
        kept = b''.join(line for number, line in enumerate(lines) if number != missing)
        in_three_attempts.write_bytes(kept + more)
        [record] = place.find()
        assert (
            record.corrupt
            and not record.finished
            and any(attempt.truncated for attempt in record.attempts)
        ), missing
    in_three_attempts.write_bytes(whole + more)
    assert not place.find()[0].corrupt


@pytest.mark.parametrize('half', [0, 1, 2, 60])
def test_attempts_that_ended_in_half_a_row_have_lost_nothing(place, half):
    """The next one ends the line; where there was none, its newline is the first it writes."""
    first, second = ledger_runs.lines(WHOLE[:4]), ledger_runs.lines(WHOLE[4:], 3)
    cut = first + ledger_runs.lines(WHOLE[4:5])[:half]
    for ended_by in ('the next row', 'the attempt without rows'):
        size = len(cut) + (ended_by == 'the attempt without rows' and half > 0)
        write_ledger(
            place.folder,
            attempts=[
                attempt(1, 1, metrics_bytes=len(cut)),
                attempt(2, 1, metrics_bytes=size),
                attempt(
                    3, 0, resumed_from_iter=3, metrics_bytes=len(cut) + (half > 0) + len(second)
                ),
            ],
        )
        (place.folder / METRICS_FILE).write_bytes(cut + b'\n' * (half > 0) + second)
        [record] = place.find()
        assert record.finished and record.state == 'finished'


def test_row_beyond_the_end_of_its_attempt(place, in_three_attempts):
    """Such as one that was put in from another run."""
    lines = in_three_attempts.read_bytes().splitlines(keepends=True)
    in_three_attempts.write_bytes(b''.join([*lines[:2], lines[0], *lines[2:]]))
    assert place.find()[0].corrupt


def test_truncated_at_every_byte(place):
    """Never an exception, never a row that was not logged, never finished without its rows."""
    rows = WHOLE[-4:]
    content, phases = ledger_runs.lines(rows), split_by_phase(rows)
    write_ledger(place.folder, rows, attempts=[attempt(metrics_bytes=len(content))])
    for end in range(len(content) + 1):
        (place.folder / METRICS_FILE).write_bytes(content[:end])
        [record] = place.find()
        assert record.finished == (end == len(content)), end
        for phase, found in record.rows.items():
            assert found == phases[phase][: len(found)]
    assert record.rows == {phase: phases[phase] for phase in ('train', 'val')}


def test_half_line_of_a_killed_attempt_is_no_damage(place):
    write_ledger(place.folder, WHOLE[:4], attempts=[attempt(1, None)])
    path = place.folder / METRICS_FILE
    path.write_bytes(path.read_bytes()[:-30])
    [record] = place.find()
    assert record.truncated and not record.corrupt and record.damage == ()


def test_flipped_bit_in_the_ledger(place):
    log = place.add_log('whole')
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=log)])
    path = place.folder / METRICS_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    [record] = place.find()
    assert record.corrupt and not record.finished
    assert record.damage == () and len(record.rows['train']) < len(PHASES['train'])
    [record] = place.find(source='wandb')
    assert is_whole(record) and record.finished


def test_flipped_bit_in_the_mirror_of_a_whole_ledger(place):
    log = place.add_log('whole')
    path = place.folder / log
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=log)])
    [record] = place.find()
    assert record.finished and record.damage == ()
    [record] = place.find(compare=True)
    assert record.finished and record.damage == (f'demo/full/seed0/{log} is damaged',)
    os.remove(place.folder / METRICS_FILE)
    [record] = place.find()
    assert record.corrupt and record.rows == {}, 'no log takes the place of what a ledger lost'


@pytest.mark.parametrize('content', ['', '[]', '{"config": "demo', '{"config": "x"}'])
def test_damaged_run_file(place, content):
    write_ledger(place.folder, WHOLE)
    (place.folder / 'run.json').write_text(content)
    [record] = place.find()
    assert record.corrupt and not record.finished and record.state == 'unknown'
    assert (record.config, record.seed, record.config_hash) == ('demo/full', 0, None)
    place.add_log('whole')
    [record] = place.find()
    assert record.uid == place.uid and record.corrupt and record.rows['val'] == PHASES['val']


@pytest.mark.parametrize('name', ['run.json', 'results/1-8.json'])
def test_no_byte_of_a_ledger_changes_a_number_unseen(place, name):
    """Each byte flipped, and the file cut off at each; of damaged files some are read."""
    write_ledger(place.folder, WHOLE[-2:])
    write_test_result(place.folder, TEST)
    path, [whole] = place.folder / name, place.find()
    data = path.read_bytes()
    damaged = [
        data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))
    ] + [data[:end] for end in range(len(data) - 1)]
    for number, content in enumerate(damaged):
        if is_sound(content) or number % 11 == 0:
            path.write_bytes(content)
            [record] = place.find()
            assert vars(record) == vars(whole) if is_sound(content) else record.damage, number
            assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75]


def is_sound(content):
    """Whether the file of a ledger is taken for what was written."""
    try:
        return bool(decode_object(content))
    except ValueError:
        return False


@pytest.mark.parametrize('name', ['run.json', 'results/1-8.json'])
@pytest.mark.parametrize('old, new', [(b'8', b'9'), (b'": ', b'":'), (b'{', b'')])
def test_altered_file_of_a_ledger(place, name, old, new):
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, TEST)
    path = place.folder / name
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    [record] = place.find()
    assert record.damage == (f'demo/full/seed0/{name} is damaged',)
    assert record.corrupt == (name == 'run.json') and record.finished != record.corrupt
    assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75]


def test_damaged_result_of_which_no_row_tells(place):
    again = {**TEST, 'test/acc/top1': 0.5}
    write_ledger(place.folder, [*WHOLE, again])
    write_test_result(place.folder, TEST)
    path = write_test_result(place.folder, again)
    path.write_bytes(path.read_bytes()[:-30])
    assert place.find()[0].finished, 'its row tells of it'
    first = place.folder / 'results/1-8.json'
    content, _ = first.read_text(), first.write_text('')
    write_test_result(place.folder, again).replace(path)
    [record] = place.find()
    assert record.finished and not record.conflicts, 'the other result is that of the other row'
    first.write_text(content)
    path.write_text('')
    write_ledger(place.folder, WHOLE)
    [record] = place.find()
    assert record.corrupt and record.damage
    (place.folder / 'results/1-8.json').write_text('')
    write_ledger(place.folder, WHOLE[:-1], attempts=[attempt(wandb=place.add_log('whole'))])
    path.unlink()
    [record] = place.find()
    assert record.corrupt and record.evaluations == ()
    assert len(place.find(source='wandb')[0].evaluations) == 1, 'the W&B log tells of it'


def test_damaged_result_of_an_attempt_that_nobody_knows(place):
    write_ledger(place.folder, WHOLE)
    path = write_test_result(place.folder, TEST)
    path.rename(path.with_name('2-8.json')).write_text('{')
    assert place.find()[0].corrupt
    path.with_name('2-8.json').rename(path.with_name('notes.json'))
    assert place.find()[0].finished


def test_ledger_of_before_there_were_checksums(place):
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, TEST)
    for path in (place.folder / 'run.json', place.folder / 'results/1-8.json'):
        path.write_text(json.dumps(dict(decode_object(path.read_bytes()), schema=1)))
    assert is_whole(place.find()[0]) and place.find()[0].finished


def test_damaged_result_and_result_of_another_run(place):
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, TEST).write_text('{"attempt": 1')
    write_test_result(place.folder, TEST, seed=5)
    [record] = place.find()
    assert record.damage == (
        'demo/full/seed0/results/1-8-2.json is no result of it',
        'demo/full/seed0/results/1-8.json is damaged',
    )
    assert [item.values for item in record.evaluations] == [TEST]


def test_attempt_that_the_run_file_does_not_know(place):
    write_ledger(place.folder, WHOLE[:4], WHOLE[4:], attempts=[attempt(1, 0)])
    assert place.find()[0].corrupt


def test_how_an_attempt_ended(place):
    write_ledger(
        place.folder,
        WHOLE[:4],
        attempts=[attempt(1, 143, signal='SIGTERM', last_error='KeyError: <b>')],
    )
    [record] = place.find()
    assert (record.state, record.exit_code, record.last_error) == ('failed', 143, 'KeyError: <b>')
    assert record.attempts[0].signal == 'SIGTERM'


def test_killed_is_told_from_running(place):
    script = (
        'import fcntl, sys; lock = open(sys.argv[1], "a+"); '
        'fcntl.flock(lock, fcntl.LOCK_EX); print(1, flush=True); sys.stdin.read()'
    )
    write_ledger(place.folder, WHOLE[:4], attempts=[attempt(1, None, process_start=None)])
    assert place.find()[0].state == 'killed'
    process = subprocess.Popen(
        [sys.executable, '-c', script, str(place.folder / 'run.lock')],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    assert place.find()[0].state == 'running'
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert place.find()[0].state == 'killed'


def test_running_on_another_machine(place):
    write_ledger(
        place.folder, WHOLE[:4], attempts=[attempt(1, None, host='elsewhere', boot_id='b')]
    )
    ledger_runs.beat(place.folder, 20, time.time())
    [record] = place.find()
    assert record.state == 'running' and record.heartbeat.iter == 7
    ledger_runs.beat(place.folder, 200, time.time())
    assert place.find()[0].state == 'killed'


def test_log_that_has_just_been_opened_is_no_attempt_of_its_own(place):
    write_ledger(
        place.folder,
        WHOLE[:4],
        attempts=[attempt(1, None, host='elsewhere', boot_id='b', start=time.time())],
    )
    log = place.folder / place.add_log('whole')
    log.write_bytes(b'')
    [record] = place.find()
    assert len(record.attempts) == 1 and record.state == 'running'


def test_copy_of_a_run_is_the_same_run(place):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=place.add_log('whole'))])
    shutil.copytree(place.folder, place.root / 'backup/demo/full/seed0')
    [record] = place.find()
    assert is_whole(record) and len(record.attempts) == len(record.evaluations) == 1


def test_copy_that_was_made_before_the_run_ended(place):
    write_ledger(place.folder, WHOLE)
    write_ledger(place.root / 'backup/seed0', WHOLE[:5], attempts=[attempt(1, None)])
    [record] = place.find()
    assert is_whole(record) and record.finished and len(record.attempts) == 1


def test_run_that_was_trained_twice_must_give_the_same(place):
    write_ledger(place.folder, WHOLE)
    slower = [dict(row, **{'train/time': 9.0}) if 'train/loss' in row else row for row in WHOLE]
    write_ledger(place.root / 'again/seed0', slower, attempts=[attempt(start=5.0, pid=7)])
    [record] = place.find()
    assert record.conflicts == () and len(record.attempts) == 2
    write_ledger(place.root / 'again/seed0', history(0.5), attempts=[attempt(start=5.0, pid=7)])
    assert place.find()[0].conflicts[0] == (
        'test/acc/top1 at iteration 8: 0.75 (ledger of demo/full/seed0, attempt 1) against '
        '0.5 (ledger of again/seed0, attempt 1)'
    )


def test_identity_that_contradicts_the_ledger(place):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=place.add_log('whole'))])
    ledger_runs.change(place.folder / 'run.json', seed=3)
    [log] = place.folder.rglob('*.wandb')
    assert place.find(compare=True)[0].disagreements == (
        'seed: 3 (ledger of demo/full/seed0) against 0 (wandb-offline '
        f'{log.relative_to(place.root).as_posix()})',
    )


def test_page_of_a_run_that_was_logged_online(place):
    for wandb, url in (
        ('https://example.org/x', 'https://example.org/x'),
        ('a/run-x.wandb', ''),
        ('javascript://x', ''),
        ('https://x y', ''),
    ):
        write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=wandb)])
        assert place.find()[0].url == url


def test_log_of_a_test_lies_in_the_folder_of_its_run(place):
    """The nearest folder with a ``run.json`` above it."""
    log = place.folder / place.add_log('whole')
    log.rename(log.with_name('run-another.wandb'))
    log.with_name('run-another.wandb').write_bytes(b'')
    write_ledger(place.root / 'demo', WHOLE, seed=1)
    write_ledger(place.folder, WHOLE)
    write_ledger(place.folder / '1/vis_data/wandb/offline-run', WHOLE, seed=2)
    assert [record.folder for record in place.find() if record.uid == 'another'] == [
        'demo/full/seed0'
    ]


def test_several_folders_tell_of_one_run(place, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    write_ledger(place.folder, WHOLE)
    write_ledger(other / 'x', WHOLE[:5], attempts=[attempt(1, None)])
    [record] = read_runs([place.root, other], cache=False)
    assert is_whole(record) and record.finished
    records = read_runs([place.root, place.folder, place.root], cache=False)
    assert len(records) == 1 and len(records[0].attempts) == 1


def test_keys_choose_among_what_is_known(place):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=place.add_log('whole'))])
    write_test_result(place.folder, TEST)
    [record] = place.find(keys=['test/acc/top1', 'val/acc/top1'])
    assert record.rows == {'val': PHASES['val']}
    [test] = record.evaluations
    assert test.values == {'iter': 8, 'epoch': 2, 'test/acc/top1': 0.75}
    assert test.protocol and record.last_iter == 8


def test_same_records_whatever_the_order_of_the_files(suite, place, tmp_path, monkeypatch):
    shutil.copytree(suite, tmp_path / 'more', symlinks=True)
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb=place.add_log('whole'))])
    write_ledger(place.root / 'again/seed0', history(0.5), attempts=[attempt(start=5.0, pid=7)])
    expected = repr(place.find())
    listed = list(os.walk(tmp_path))
    for seed in range(5):
        draw = random.Random(seed)
        draw.shuffle(listed)
        for _, folders, names in listed:
            draw.shuffle(folders)
            draw.shuffle(names)
        monkeypatch.setattr(os, 'walk', lambda *args, **kwargs: iter(list(listed)))
        assert repr(place.find()) == expected


def test_several_processes_read_the_same(suite, monkeypatch):
    expected = repr(find_runs(suite, cache=False, jobs=1))
    monkeypatch.setattr(find, 'POOL_BYTES', 0)
    monkeypatch.setattr(find, '_can_fork', lambda: True)
    assert repr(find_runs(suite, cache=False, jobs=2)) == expected


def test_process_that_dies_while_reading(suite, monkeypatch):
    expected = repr(find_runs(suite, cache=False, jobs=1))
    monkeypatch.setattr(find, 'POOL_BYTES', 0)
    monkeypatch.setattr(find, '_can_fork', lambda: True)
    parent = os.getpid()

    def read(path):
        if os.getpid() != parent:
            os._exit(9)
        return read_attempt(path)

    monkeypatch.setitem(find._READERS, 'wandb-offline', read)
    assert repr(find_runs(suite, cache=False, jobs=2)) == expected


def test_folder_that_holds_no_run(tmp_path):
    (tmp_path / 'run.json').write_text('{"name": "not ours"}')
    assert find_runs(tmp_path) == []
    with pytest.raises(InputError, match='jobs must be at least 1'):
        find_runs(tmp_path, jobs=0)


def test_run_that_ends_while_it_is_read_has_lost_nothing(place, monkeypatch):
    """The rows are read first: the end that is read after them knows of more."""
    write_ledger(place.folder, WHOLE[:2], attempts=[attempt(exit_code=None)])

    def read_and_end(*args):
        found = read(*args)
        content = ledger_runs.lines(WHOLE)
        write_ledger(place.folder, WHOLE, attempts=[attempt(metrics_bytes=len(content))])
        write_test_result(place.folder, TEST)
        return found

    read = find._read
    monkeypatch.setattr(find, '_read', read_and_end)
    [record] = place.find()
    assert record.finished and not record.corrupt
    assert is_whole(record)


def test_rows_that_begin_while_folders_are_searched(place, monkeypatch):
    write_ledger(place.folder, attempts=[attempt(exit_code=None)])
    (place.folder / METRICS_FILE).unlink()

    def search_and_end(*args):
        found = search(*args)
        content = ledger_runs.lines(WHOLE)
        write_ledger(place.folder, WHOLE, attempts=[attempt(metrics_bytes=len(content))])
        return found

    search = find._search
    monkeypatch.setattr(find, '_search', search_and_end)
    [record] = place.find()
    assert record.finished and is_whole(record)


def test_run_that_logs_faster_than_it_is_read(place, monkeypatch):
    """It ends after its rows were read for the last time, and before its end is."""
    rows = iter(range(1, len(WHOLE) + 1))

    def log_and_read(*args):
        number = next(rows)
        content = ledger_runs.lines(WHOLE[:number])
        is_last = number == find.READS + 1
        write_ledger(
            place.folder,
            WHOLE[:number],
            attempts=[
                attempt(
                    exit_code=0 if is_last else None,
                    metrics_bytes=len(content) if is_last else None,
                )
            ],
        )
        return read(*args)

    read = find.read_ledger
    write_ledger(place.folder, attempts=[attempt(exit_code=None)])
    monkeypatch.setattr(find, 'read_ledger', log_and_read)
    [record] = place.find()
    assert record.finished and record.last_iter == find.READS + 1


def test_folder_within_another_that_is_searched(place):
    """Rows and ledger belong together, by whichever path each of them is named."""
    write_ledger(place.folder, WHOLE)
    [record] = read_runs([place.root, place.folder], cache=False)
    assert is_whole(record) and record.path.samefile(place.folder)


def test_record_knows_where_its_folder_lies(place, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    write_ledger(other / 'demo/full/seed0', WHOLE, seed=1)
    log = place.folder / place.add_log('whole')
    first = read_runs([other, place.root], cache=False)[0]
    assert first.path is None and first.folder == '', 'no ledger is there'
    write_ledger(place.folder, WHOLE)
    log.rename(log.with_name('run-another.wandb'))
    log.with_name('run-another.wandb').write_bytes(b'')
    records = read_runs([other, place.root], cache=False)
    assert {record.uid: record.path for record in records} == {
        place.uid: place.folder,
        'another': place.folder,
        ledger_runs.identity(1).uid: other / 'demo/full/seed0',
    }


def test_attempt_that_began_anew_leaves_nothing_of_the_earlier_one(place):
    given_up = [{'iter': 0, 'val/acc/top1': 0.25}, *history(None, 1, 8, test=False)]
    for attempts, epochs in (
        ([attempt(1, 1), attempt(2, 0, resumed_from_iter=0)], [8]),
        ([attempt(1, 1), attempt(2, 0)], [0, 4, 8]),
    ):
        write_ledger(place.folder, given_up, history(0.75, 5, 8), attempts=attempts)
        [record] = place.find()
        assert [row['iter'] for row in record.rows['val']] == epochs
        assert record.rows['train'][0]['iter'] == (5 if epochs == [8] else 1)


KINDS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=3)
    | st.just({})
    | st.just({'a': 'b'})
    | st.just([])
    | st.just(['a'])
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(['run.json', 'attempt', 'results/1-8.json', 'heartbeat']), st.data())
def test_no_value_in_a_ledger_is_an_error(place, which, data):
    """Whoever could write there must not be able to hide the other runs."""
    shutil.rmtree(place.folder, ignore_errors=True)
    write_ledger(place.folder, WHOLE)
    write_test_result(place.folder, TEST)
    beat(place.folder, 1, 2.0)
    path = place.folder / ('run.json' if which == 'attempt' else which)
    content = decode_object(path.read_bytes())
    target = content['attempts'][0] if which == 'attempt' else content
    names = [*target, *(['resumed_from_iter', 'metrics_bytes'] if which == 'attempt' else [])]
    target[data.draw(st.sampled_from(sorted(names)))] = data.draw(KINDS)
    path.write_text(encode_object(content))
    for record in place.find():
        assert record.state
