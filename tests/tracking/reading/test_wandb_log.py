import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import offline_runs
import pytest
from hypothesis import given, settings
from wandb_logs import HEADER, encode, history_record

from mmaction_ext.tracking.reading import wandb_log
from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.wandb_log import BLOCK_SIZE, iter_payloads, read_log

WRITTEN_BY = {
    version: Path(__file__).with_name('data') / f'wandb-{version}.log'
    for version in ('0.28.2', '0.31.0')
}


def decode(data):
    damage = Attempt()
    return list(iter_payloads(io.BytesIO(data), damage)), damage


def read_bytes(tmp_path, data):
    """Read a log that holds these bytes."""
    path = tmp_path / 'run-x.wandb'
    path.write_bytes(data)
    return read_log(path)


def is_sound(log):
    return log.exit_code == 0 and not log.corrupt and not log.truncated


def test_reads_what_was_logged(suite):
    log = read_log(offline_runs.log_file(suite / 'demo/full/seed0/a'))
    assert log.history == offline_runs.history(0.8125)
    assert (log.uid, log.group, log.job_type) == ('demo-full-0-012345', 'demo', 'train')
    assert log.config['identity'] == dict(
        config='demo/full', seed=0, overrides={}, config_hash='0123456789abcdef'
    )
    assert log.config['static']['input_shape'] == [3, 8, 80, 80]
    assert '_wandb' not in log.config
    assert log.start_time > 1.7e9 and log.last_iter == 8 and is_sound(log)


def test_agrees_with_wandb_own_reader(suite):
    """``wandb leet inspect`` (wandb 0.31 on) is the independent reference."""
    for folder in ('seed0/a', 'seed1/first', 'seed3', 'seed4'):
        path = offline_runs.log_file(suite / 'demo/full' / folder)
        command = [sys.executable, '-m', 'wandb', 'leet', 'inspect', '--json', str(path)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            env=dict(os.environ, WANDB_ERROR_REPORTING='false'),
        )
        if done.returncode:
            pytest.skip(f'this wandb cannot print logs as JSON: {done.stderr.strip()[-80:]}')
        records = [json.loads(line) for line in done.stdout.splitlines()]
        theirs = [record['history']['item'] for record in records if record['type'] == 'history']
        ours = read_log(path).history
        assert [_spelled(row) for row in ours] == [
            {key: value for key, value in row.items() if not key.startswith('_')} for row in theirs
        ]
        exits = [record['exit'] for record in records if record['type'] == 'exit']
        assert read_log(path).exit_code == (exits[0].get('exit_code', 0) if exits else None)


def _spelled(row):
    words = {math.inf: 'Infinity', -math.inf: '-Infinity'}
    return {
        key: 'NaN' if value != value else words.get(value, value) for key, value in row.items()
    }


def test_killed_run_has_its_rows_and_no_exit(suite):
    log = read_log(offline_runs.log_file(suite / 'demo/full/seed2/a'))
    assert log.exit_code is None and log.last_iter == 5
    assert log.history == offline_runs.history(None, 1, 5, test=False)


def test_exit_code_and_markup(suite):
    assert read_log(offline_runs.log_file(suite / 'demo/full/seed3/a')).exit_code == 3
    name = read_log(offline_runs.log_file(suite / 'demo/full/seed4/a')).name
    assert name == offline_runs.MARKUP


def test_not_finite_and_nested_values(suite):
    [row] = read_log(offline_runs.log_file(suite / 'demo/full/seed4/a')).history
    assert math.isnan(row['train/loss'])
    assert (row['train/nested.grad'], row['train/nested.low']) == (math.inf, -math.inf)


def test_id_that_was_lost_is_that_of_the_file(tmp_path, small_log):
    assert read_bytes(tmp_path, small_log).uid == 'demo-full-5-012345'
    assert read_bytes(tmp_path, b'').uid == 'x'
    (tmp_path / 'log').write_bytes(b'')
    assert read_log(tmp_path / 'log').uid == ''


def test_truncated_at_every_byte(tmp_path, small_log):
    whole = read_bytes(tmp_path, small_log)
    assert is_sound(whole)
    for end in reversed(range(len(small_log))):
        os.truncate(whole.path, end)
        log = read_log(whole.path)
        assert log.exit_code is None and not log.corrupt
        assert log.history == whole.history[: len(log.history)]


def test_truncation_inside_a_record_is_seen(small_log):
    """Every cut is flagged except those between two records, where nothing is cut."""
    payloads, _ = decode(small_log)
    boundaries = {7}
    for payload in payloads:
        boundaries.add(max(boundaries) + 7 + len(payload))
    assert max(boundaries) == len(small_log) < BLOCK_SIZE
    for end in range(len(small_log) + 1):
        assert decode(small_log[:end])[1].truncated == (end not in boundaries), end


def test_every_flipped_byte_is_seen(tmp_path, small_log):
    whole = read_bytes(tmp_path, small_log)
    with open(whole.path, 'r+b', buffering=0) as file:
        for position, byte in enumerate(small_log):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << position % 8]), position)
            log = read_log(whole.path)
            assert log.corrupt or log.truncated, position
            assert all(row in whole.history for row in log.history)
            os.pwrite(file.fileno(), bytes([byte]), position)
    assert is_sound(read_log(whole.path))


@pytest.mark.parametrize('tail', [b'x', b'\0' * 5, b'\0' * 5000, b'junk' * 50])
def test_bytes_after_the_exit_record_are_damage(tmp_path, small_log, tail):
    log = read_bytes(tmp_path, small_log + tail)
    assert log.exit_code == 0 and log.corrupt


def test_reading_goes_on_at_the_block_after_the_damage():
    payloads = [bytes([i]) * 9000 for i in range(1, 30)]
    data = bytearray(encode(payloads))
    data[BLOCK_SIZE * 2 + 5000] ^= 4
    found, damage = decode(bytes(data))
    assert damage.corrupt and not damage.truncated
    lost = [i for i, payload in enumerate(payloads) if payload not in found]
    assert lost and lost == list(range(lost[0], lost[-1] + 1)) and len(lost) <= 5
    assert [payload for payload in payloads if payload in found] == found


def test_zeros_at_the_end_are_a_cut_and_in_the_middle_a_loss():
    payloads = [bytes([i]) * 9000 for i in range(1, 30)]
    data = encode(payloads)
    cut = data[: BLOCK_SIZE * 2] + bytes(BLOCK_SIZE)
    assert decode(cut)[1] == Attempt(corrupt=False, truncated=True)
    hole = data[: BLOCK_SIZE * 2] + bytes(BLOCK_SIZE) + data[BLOCK_SIZE * 3 :]
    assert decode(hole)[1].corrupt


@pytest.mark.parametrize('following, corrupt', [(0, False), (1, True), (2, True)])
def test_zeros_from_a_record_to_the_end_of_its_block_hide_no_loss(following, corrupt):
    """As of a page that was never written; records that follow show that it was not the end."""
    inside = [bytes([number]) * 1000 for number in range(1, 9)]
    block = encode([*inside, bytes(BLOCK_SIZE - 7 - 8 * 1007 - 7)])
    assert len(block) == BLOCK_SIZE
    sound = bytes(BLOCK_SIZE - 7)  # one record, and one block
    data = bytearray(encode([*inside, bytes(BLOCK_SIZE - 7 - 8 * 1007 - 7), *[sound] * following]))
    data[7 + 3 * 1007 : BLOCK_SIZE] = bytes(BLOCK_SIZE - 7 - 3 * 1007)
    found, damage = decode(bytes(data))
    assert found == inside[:3] + [sound] * following
    assert damage.truncated and damage.corrupt == corrupt


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 60),
            st.integers(0, 70_000),
            st.integers(BLOCK_SIZE - 20, BLOCK_SIZE + 5),
        ),
        max_size=6,
    ),
    st.integers(0, 255),
)
def test_framing_round_trip(sizes, fill):
    payloads = [bytes([(fill + i) % 256]) * size for i, size in enumerate(sizes)]
    assert decode(encode(payloads)) == (payloads, Attempt())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_content_raises(tmp_path_factory, data, with_header):
    path = tmp_path_factory.getbasetemp() / 'run-any.wandb'
    path.write_bytes((HEADER if with_header else b'') + data)
    assert read_log(path).exit_code is None


def test_intact_frame_around_nonsense_is_corrupt(tmp_path):
    from wandb.proto.wandb_internal_pb2 import Record

    broken = Record()
    broken.history.item.add(key='iter', value_json='{"a":')
    deep = Record()
    deep.history.item.add(key='iter', value_json='[' * 100_000)
    for payload in (broken.SerializeToString(), deep.SerializeToString(), b'\xff\xff\xff'):
        log = read_bytes(tmp_path, encode([payload]))
        assert log.corrupt and log.history == []


def test_typed_values_and_both_kinds_of_key(tmp_path):
    """What ``x_history_value_encoding`` may leave in a log."""
    from wandb.proto.wandb_internal_pb2 import Record

    record = Record()
    items = record.history.item
    items.add(key='iter', integer=3)
    items.add(nested_key=['train', 'a'], number=0.5)
    items.add(nested_key=['b'], text='x')
    items.add(nested_key=['c'], boolean=True)
    items.add(nested_key=['d'], json='[1, 2]')
    items.add(nested_key=['e'], none=0)
    log = read_bytes(tmp_path, encode([record.SerializeToString()]))
    assert log.history == [
        {'iter': 3, 'train.a': 0.5, 'b': 'x', 'c': True, 'd': [1, 2], 'e': None}
    ]


@pytest.mark.parametrize('version', WRITTEN_BY)
def test_logs_of_several_wandb_versions(version):
    log = read_log(WRITTEN_BY[version])
    rows = offline_runs.history(0.8125)
    [not_finite] = [row for row in log.history if 'train/bad' in row]
    assert [row for row in log.history if row is not not_finite] == rows
    assert not_finite.pop('train/bad') != not_finite
    assert not_finite == {'iter': 1, 'epoch': 1, 'train/nested.grad': math.inf}
    assert (log.uid, log.group, log.job_type, log.host) == ('versions', 'demo', 'train', 'host')
    assert log.name == offline_runs.MARKUP and log.config['identity']['config'] == 'demo/full'
    assert log.last_iter == 8 and is_sound(log)
    assert version.encode() in WRITTEN_BY[version].read_bytes()


@pytest.mark.parametrize('version', WRITTEN_BY)
def test_shortened_logs_of_several_wandb_versions(tmp_path, version):
    whole, content = read_log(WRITTEN_BY[version]), WRITTEN_BY[version].read_bytes()
    for end in range(0, len(content), 7):
        log = read_bytes(tmp_path, content[:end])
        assert log.exit_code is None and repr(log.history) == repr(
            whole.history[: len(log.history)]
        )


@pytest.mark.parametrize('typed', [False, True])
def test_long_log_is_thinned_by_what_rows_hold(tmp_path, typed):
    rows = [
        {'iter': i, 'epoch': 1, 'train/loss': i / 7, 'train/lr': 1 / i} for i in range(1, 2501)
    ]
    rare = [{'iter': i, 'train/replaced_samples': i} for i in (700, 2100)]
    tests = [{'iter': i, 'train/loss': 0.5, 'test/acc': i} for i in range(1, 1300)]
    log = read_bytes(
        tmp_path,
        encode(
            [
                history_record(number, {**row, '_step': number}, typed, step=number)
                for number, row in enumerate([*rows, *rare, *tests])
            ]
        ),
    )
    assert log.last_iter == 2500 and not log.corrupt
    assert log.history[-1299:] == tests and log.history[-1301:-1299] == rare
    train = log.history[:-1301]
    assert 500 <= len(train) <= 1000 and (train[0], train[-1]) == (rows[0], rows[-1])
    assert train == [row for row in rows if row in train]


def test_rows_without_iteration_do_not_count_as_training(tmp_path):
    log = read_bytes(
        tmp_path,
        encode(
            [
                history_record(1, {'train/loss': 1}),
                history_record(2, {'train/loss': 2, 'iter': 7.5}),
            ]
        ),
    )
    assert log.history == [{'train/loss': 1}, {'train/loss': 2, 'iter': 7.5}]
    assert log.last_iter is None


@given(
    st.dictionaries(
        st.sampled_from(['iter', 'epoch', '_step', 'train/loss', 'train/a b', 'é/x', 'x' * 130]),
        st.one_of(
            st.integers(-(10**25), 10**25),
            st.floats(),
            st.none(),
            st.text(max_size=4),
            st.just('\n\x12\x03iter'),
        ),
    ),
    st.integers(0, 1 << 40),
    st.one_of(st.none(), st.integers(0, 1 << 40)),
)
def test_numbers_are_read_without_protobuf_as_with_it(values, number, step):
    payload = history_record(number, values, **({} if step is None else dict(step=step)))
    fast = wandb_log._row_of_numbers(payload)
    record = wandb_log.record_class().FromString(payload)
    exact = wandb_log._history_row(record.history.item)
    assert fast is None or repr(fast) == repr(exact)
    if (
        values
        and all(isinstance(value, (int, float)) for value in values.values())
        and not (values.keys() & {'train/a b', 'é/x', 'x' * 130})
    ):
        assert fast is not None


def test_config_updates_and_removals(tmp_path):
    from wandb.proto.wandb_internal_pb2 import Record

    first, second = Record(), Record()
    first.run.config.update.add(key='a', value_json='{"b": 1, "c": 2}')
    first.run.config.update.add(key='gone', value_json='1')
    second.config.update.add(nested_key=['a', 'b'], value_json='7')
    second.config.update.add(nested_key=['gone', 'deep'], value_json='8')
    second.config.remove.add(nested_key=['a', 'c'])
    log = read_bytes(tmp_path, encode([r.SerializeToString() for r in (first, second)]))
    assert log.config == {'a': {'b': 7}, 'gone': {'deep': 8}}


@pytest.mark.parametrize(
    'start, newer', [(HEADER, False), (HEADER[:-1] + b'\1', True), (b':W&C' + HEADER[4:], False)]
)
def test_log_of_a_later_version_is_told_from_a_damaged_one(tmp_path, start, newer):
    damage = read_bytes(tmp_path, start)
    assert (damage.newer, damage.corrupt) == (newer, start != HEADER)
