import hypothesis.strategies as st
import ledger_runs
import pytest
from hypothesis import given
from offline_runs import history

from mmaction_ext.files.reading import DOCUMENT_BYTES
from mmaction_ext.tracking.ledger.format import MetricsRow, encode_row
from mmaction_ext.tracking.reading.metrics import read_attempts
from mmaction_ext.tracking.reading.rows import split_by_phase

WHOLE = history(0.5)


@pytest.fixture(scope='module')
def content():
    return ledger_runs.lines(WHOLE)


@pytest.fixture
def read(tmp_path):
    """Read bytes as a metrics file."""
    path = tmp_path / 'metrics.jsonl'

    def function(data):
        path.write_bytes(data)
        return read_attempts(path)

    return function


def test_rows_by_attempt_and_phase(read):
    first, second = read(ledger_runs.lines(WHOLE[:4]) + ledger_runs.lines(WHOLE[3:], 2))
    assert (first.number, second.number, first.last_iter, second.last_iter) == (1, 2, 4, 8)
    assert first.rows == split_by_phase(WHOLE[:4])
    assert second.rows == split_by_phase(WHOLE[3:])
    assert not any((log.corrupt, log.truncated) == (True, True) for log in (first, second))


def test_truncated_at_every_byte(read):
    content = ledger_runs.lines(history(0.5, 3, 5))
    [whole] = read(content)
    boundaries = {0}
    for line in content.splitlines(keepends=True):
        boundaries |= {max(boundaries) + len(line), max(boundaries) + len(line) - 1}
    for end in range(len(content) + 1):
        logs = read(content[:end])
        assert len(logs) == (end > 0)
        for log in logs:
            assert not log.corrupt and log.truncated == (end not in boundaries), end
            for phase, rows in log.rows.items():
                assert rows == whole.rows[phase][: len(rows)]


def test_every_flipped_byte_is_seen_or_changes_nothing(read, content):
    [whole] = read(content)
    data = bytearray(content)
    for position in range(len(data)):
        data[position] ^= 1 << position % 8
        logs = read(bytes(data))
        data[position] ^= 1 << position % 8
        assert any(log.corrupt or log.truncated for log in logs) or logs == [whole], position
        for log in logs:
            for phase, rows in log.rows.items():
                assert all(row in whole.rows[phase] for row in rows), position


def test_half_line_that_the_next_attempt_ended(read, content):
    half = content[:-40]
    first, second = read(half + b'\n' + ledger_runs.lines(WHOLE[4:], 2))
    assert first.truncated and not first.corrupt
    assert not second.truncated and not second.corrupt
    assert second.rows == split_by_phase(WHOLE[4:])


def test_half_line_within_an_attempt_is_damage(read, content):
    [log] = read(content[:-40] + b'\n' + content)
    assert log.corrupt


def test_nothing_is_read_after_a_line_without_end(read, content):
    [log] = read(content + bytes(DOCUMENT_BYTES + 1) + content.replace(b'"iter": ', b'"iter": 9'))
    assert log.corrupt and log.rows == split_by_phase(WHOLE)


@pytest.mark.parametrize('half', [b'', b'{"att', b'{"attempt": 2, "phase": "tr'])
def test_attempt_that_was_killed_in_its_first_line(read, content, half):
    logs = read(content + half + b'\n' + ledger_runs.lines(WHOLE, 3))
    assert not any(log.corrupt for log in logs)
    assert logs[-1].number == 3 and logs[-1].rows == logs[0].rows


def test_not_finite_and_nested_values(read):
    metrics = {'train/loss': float('nan'), 'train/x': {'low': float('-inf'), 'text': 'Infinit'}}
    [log] = read(encode_row(MetricsRow(1, 'train', 3, None, 0.0, metrics)))
    [row] = log.rows['train']
    assert row['train/loss'] != row['train/loss'] and 'epoch' not in row
    assert (row['train/x.low'], row['train/x.text']) == (float('-inf'), 'Infinit')


def test_right_checksum_of_a_row_that_is_none(read):
    [log] = read(encode_row(MetricsRow(1, 'train', 3, None, 0.0, None)))
    assert log.corrupt and log.rows == {}


def test_long_attempt_is_thinned_and_evaluations_are_not(read):
    rows = [{'iter': i, 'epoch': 1, 'train/loss': 1 / i} for i in range(1, 3001)]
    rows += [{'iter': i, 'epoch': 1, 'val/acc': i} for i in range(1, 1501)]
    [log] = read(ledger_runs.lines(rows))
    assert log.last_iter == 3000 and len(log.rows['val']) == 1500
    train = log.rows['train']
    assert 500 <= len(train) <= 1000 and (train[0], train[-1]) == (rows[0], rows[2999])
    assert all(row in rows for row in train[::50])


@given(st.binary(max_size=300))
def test_no_content_raises(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / 'any.jsonl'
    path.write_bytes(data)
    assert all(log.rows == {} for log in read_attempts(path))
