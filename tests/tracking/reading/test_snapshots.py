"""Snapshots: only what changed is copied, nothing newer is lost, no run id leaves the folder."""

import json
import math
import tempfile

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from offline_runs import history, of_attempt

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.format import decode_object, encode_object, to_json
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.rows import split_by_phase
from mmaction_ext.tracking.reading.snapshots import (
    Copier,
    SourceRun,
    history_rows,
    read_snapshot,
    run_uid,
    snapshot_path,
)

IDENTITY = dict(config='demo/full', seed=3, config_hash='0123456789abcdef', overrides={})
ROWS = [
    {'_step': 0, '_timestamp': 5.0, 'iter': 1, 'train/loss': math.nan},
    {'_step': 1, '_timestamp': 6.0, 'iter': 2, 'val/acc/top1': 0.5},
]


class Source:
    """A run at its source, which counts how often its history is read."""

    def __init__(self, **facts):
        self.reads, self.rows = 0, ROWS
        self.facts = dict(
            place=('lab', 'p'),
            run_id='u1',
            name='full',
            group='g',
            job_type='train',
            state='running',
            config=dict(identity=IDENTITY),
            updated=100.0,
            row_count=2,
            **facts,
        )

    def run(self, **changes):
        return SourceRun(**dict(self.facts, **changes), read_rows=self._read)

    def _read(self):
        self.reads += 1
        return self.rows


def test_snapshot_says_what_the_source_said(tmp_path):
    run = Source().run(
        name='<script> | \\input{x}\nline',
        state='finished',
        exit_code=0,
        url='http://x',
        host='h',
        commit='c',
        start_time=7.5,
    )
    copied = Copier(tmp_path)(run)
    assert copied.path == tmp_path / '.online/lab/p/u1-train.json'
    assert copied.identity == RunIdentity('demo/full', 3, '0123456789abcdef')
    content = json.loads(copied.path.read_text(), parse_constant=pytest.fail)
    del content['seen'], content['crc32']
    assert content == dict(
        schema=2,
        url='http://x',
        uid='u1',
        job_type='train',
        name='<script> | \\input{x}\nline',
        group='g',
        state='finished',
        exit_code=0,
        host='h',
        commit='c',
        start_time=7.5,
        imported=False,
        config=dict(identity=IDENTITY),
        rows=[{'iter': 1, 'train/loss': 'NaN'}, {'iter': 2, 'val/acc/top1': 0.5}],
    )


def test_what_did_not_change_is_not_read_again(tmp_path):
    source, copier = Source(), Copier(tmp_path)
    assert copier(source.run()).outcome == 'new'
    assert copier(source.run()).outcome == 'unchanged'
    assert source.reads == 1


@pytest.mark.parametrize(
    'change',
    [
        dict(state='finished'),
        dict(updated=101.0),
        dict(row_count=1),
        dict(name='other'),
        dict(config=dict(identity=IDENTITY, note='x')),
    ],
)
def test_what_changed_is_read_again(tmp_path, change):
    source, copier = Source(), Copier(tmp_path)
    copier(source.run())
    assert copier(source.run(**change)).outcome == 'changed'
    assert source.reads == 2


def test_newer_snapshot_is_kept(tmp_path):
    source, copier = Source(), Copier(tmp_path)
    path = copier(source.run(updated=200.0)).path
    content = path.read_bytes()
    assert copier(source.run(updated=150.0, state='crashed')).outcome == 'newer'
    assert path.read_bytes() == content and source.reads == 1


def test_history_that_came_short_is_read_again(tmp_path):
    source, copier = Source(), Copier(tmp_path)
    source.rows = ROWS[:1]
    copier(source.run())
    source.rows = ROWS
    assert copier(source.run()).outcome == 'changed'
    assert copier(source.run()).outcome == 'unchanged'


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: b'',
        lambda data: data[:-9],
        lambda data: b'[]',
        lambda data: b'\xff\xfe',
        lambda data: b'{"schema": 0}',
        lambda data: data.replace(b'0.5', b'0.6'),
        lambda data: data.replace(b'crc32', b'crc64'),
        lambda data: encode_object(dict(decode_object(data), config=[1])).encode(),
    ],
)
def test_damaged_snapshot_is_replaced(tmp_path, damage):
    source, copier = Source(), Copier(tmp_path)
    path = copier(source.run()).path
    path.write_bytes(damage(path.read_bytes()))
    assert read_snapshot(path) is None
    assert copier(source.run()).outcome == 'new'
    assert len(read_snapshot(path).rows) == 2


def test_copy_of_before_there_were_checksums_is_copied_anew(tmp_path):
    source, copier = Source(), Copier(tmp_path)
    path = copier(source.run()).path
    content = dict(read_snapshot(path).facts(), schema=1)
    content['seen']['digest'] = 'of another schema'
    path.write_text(to_json(content))
    assert copier(source.run()).outcome == 'changed'
    assert b'crc32' in path.read_bytes() and copier(source.run()).outcome == 'unchanged'


def test_dry_run_reads_and_writes_nothing(tmp_path):
    source = Source()
    assert Copier(tmp_path, dry_run=True)(source.run()).outcome == 'new'
    assert source.reads == 0 and not list(tmp_path.iterdir())


def test_foreign_run_is_what_it_is_said_to_be(tmp_path):
    source = Source()
    foreign = source.run(config=dict(lr=1))
    skipped = Copier(tmp_path)(foreign)
    assert (skipped.outcome, skipped.reason) == (
        'skipped',
        'it does not say which config and seed it is',
    )
    identity = RunIdentity('demo/full', 7, 'f' * 16)
    source.rows = [{'_step': 0, 'acc': 0.5, 'gs': 9}, {'_step': 1, 'acc': 0.75, 'gs': 10}]
    copied = Copier(tmp_path, lambda run: identity, {'acc': 'test/acc/top1', 'gs': 'iter'})(
        foreign
    )
    content = read_snapshot(copied.path).facts()
    assert content['imported'] is True
    assert content['config'] == dict(
        identity=dict(config='demo/full', seed=7, config_hash='f' * 16, overrides={})
    )
    assert content['rows'] == [
        {'test/acc/top1': 0.5, 'iter': 9},
        {'test/acc/top1': 0.75, 'iter': 10},
    ]
    moved = Copier(tmp_path, lambda run: RunIdentity('demo/full', 8, 'f' * 16))(foreign)
    assert moved.outcome == 'changed' and moved.identity.seed == 8


def test_problem_of_the_source_is_said_and_nothing_written(tmp_path):
    copied = Copier(tmp_path)(Source().run(problem='its log is damaged'))
    assert (copied.outcome, copied.reason) == ('skipped', 'its log is damaged')
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_is_an_input_error(tmp_path):
    (tmp_path / '.online').write_text('a file')
    with pytest.raises(InputError, match=r'u1-train.json cannot be written'):
        Copier(tmp_path)(Source().run())


def test_test_logged_into_the_training_run_makes_no_test_run_of_it(tmp_path):
    """Both have one id where an offline suite was synced, and the last job type wins there."""
    source = Source()
    assert read_snapshot(Copier(tmp_path)(source.run(job_type='test')).path).job_type == 'train'
    source.rows = ROWS[1:]
    own = Copier(tmp_path)(source.run(run_id='u2-test', job_type='test'))
    assert {key: getattr(read_snapshot(own.path), key) for key in ('uid', 'job_type')} == dict(
        uid='u2', job_type='test'
    )


@pytest.mark.parametrize(
    'run_id, job_type, uid',
    [
        ('a', 'train', 'a'),
        ('a-test', 'test', 'a'),
        ('a', 'test', 'a'),
        ('a-test', '', 'a-test'),
        ('a-train', 'train', 'a-train'),
    ],
)
def test_uid_of_a_run_id(run_id, job_type, uid):
    assert run_uid(run_id, job_type) == uid


@given(
    st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=20),
    st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=20),
)
def test_no_name_leads_out_of_the_folder(run_id, place):
    path = snapshot_path('runs', Source().run(run_id=run_id, place=('lab', place)))
    assert path.parts[:3] == ('runs', '.online', 'lab') and len(path.parts) == 5
    assert '..' not in path.parts and '\0' not in str(path) and path.suffix == '.json'
    assert str(path.resolve()).startswith(str((path.parents[2]).resolve()))


def test_names_that_differ_have_files_that_differ():
    names = ['a/b', 'a%2Fb', 'a b', '.', '..', '%2E', 'a', 'A']
    assert len({snapshot_path('r', Source().run(run_id=name)) for name in names}) == len(names)
    assert len({snapshot_path('r', Source().run(place=('l', name))) for name in names}) == 8


@given(st.permutations(range(8)))
def test_order_of_arrival_does_not_matter(order):
    rows = [{'_step': step, '_timestamp': 1.0, 'iter': step + 1} for step in range(8)]
    assert history_rows([rows[i] for i in order]) == [{'iter': i} for i in range(1, 9)]


@given(st.permutations(range(7)))
def test_attempts_that_count_from_zero_again_follow_each_other(order):
    rows = [
        {'_step': step % 4, '_timestamp': 10.0 + step, 'iter': iteration}
        for step, iteration in enumerate([1, 2, 3, 4, 3, 4, 5])
    ]
    assert [row['iter'] for row in history_rows([rows[i] for i in order])] == [1, 2, 3, 4, 3, 4, 5]


def test_row_uploaded_twice_is_there_once():
    rows = [{'_step': step, '_timestamp': 10.0 + step, 'iter': step} for step in range(3)]
    assert history_rows(rows + rows) == [{'iter': 0}, {'iter': 1}, {'iter': 2}]


def test_clock_that_goes_back_does_not_reorder_a_resumed_run():
    rows = [
        {'_step': step, '_timestamp': time, 'iter': step}
        for step, time in enumerate([100.0, 101.0, 50.0, 51.0])
    ]
    assert [row['iter'] for row in history_rows(rows)] == [0, 1, 2, 3]


def test_nested_values_are_named_as_logs_name_them():
    picture = {'_type': 'image-file', 'path': 'x.png'}
    assert history_rows(
        [
            {'_step': 0, 'iter': 1, 'a': {'b': {'c': 1}, 'd': 2}, 'p': picture},
            {'_step': 1, '_runtime': 3},
        ]
    ) == [{'iter': 1, 'a.b.c': 1, 'a.d': 2, 'p._type': 'image-file', 'p.path': 'x.png'}]


@pytest.mark.parametrize('row', [{'gs': 8, 'iter': 0}, {'iter': 0, 'gs': 8}])
def test_renamed_metric_wins_over_one_that_has_the_name(row):
    assert history_rows([row], {'gs': 'iter'}) == [{'iter': 8}]
    assert history_rows([dict(row, _step=5)], {'_step': 'iter', 'gs': 'gs'}) == [
        {'iter': 5, 'gs': 8}
    ]


def test_rows_without_iterations_are_numbered():
    assert history_rows([{'_step': 4, 'x': 1}, {'_step': 9, 'x': 2}]) == [
        {'iter': 1, 'x': 1},
        {'iter': 2, 'x': 2},
    ]
    assert history_rows([{'x': 1}, {'x': 1}]) == [{'iter': 1, 'x': 1}, {'iter': 2, 'x': 1}]


ATTEMPTS = [history(None, 1, 3, test=False), history(None, 2, 6, test=False), history(0.75, 5, 8)]


@pytest.mark.parametrize('tells', [True, False])
@given(
    order=st.lists(st.sampled_from(range(3)), min_size=3, max_size=5).filter(
        lambda order: len(set(order)) == 3
    )
)
@settings(max_examples=50, deadline=None)
def test_order_in_which_logs_are_uploaded_changes_nothing(tells, order):
    """The server keeps rows as they come, and the state of the log that came last."""
    codes, uploads = [None, 1, 0], []
    for number, (rows, code) in enumerate(zip(ATTEMPTS, codes, strict=True), 1):
        rows = of_attempt(rows, number, code) if tells else rows
        uploads.append(
            [
                dict(row, _step=step, _timestamp=100.0 * number + step)
                for step, row in enumerate(rows)
            ]
        )
    source = Source()
    source.rows = [row for number in order for row in uploads[number]]
    state = 'failed' if codes[order[-1]] else 'finished' if order[-1] == 2 else 'crashed'
    with tempfile.TemporaryDirectory() as root:
        Copier(root)(source.run(state=state, row_count=None))
        [record] = find_runs(root, cache=False)
    assert record.finished and record.state == 'finished' and not record.conflicts
    assert [item.exit_code for item in record.attempts] == (codes if tells else [None, None, 0])
    assert record.rows == {
        phase: split_by_phase(history(0.75))[phase] for phase in ('train', 'val')
    }
    assert [
        (item.values['test/acc/top1'], item.attempt.exit_code) for item in record.evaluations
    ] == [(0.75, 0)]


def test_last_attempt_of_old_that_did_not_come_to_test(tmp_path):
    """What is told is the state of the first, which was uploaded last: not how the last ended."""
    first, last = (
        [dict(row, _step=step, _timestamp=time + step) for step, row in enumerate(rows)]
        for rows, time in ((history(0.5), 0.0), (history(None, 5, 6, test=False), 100.0))
    )
    source = Source()
    source.rows = last + first
    Copier(tmp_path)(source.run(state='finished', row_count=None))
    [record] = find_runs(tmp_path, cache=False)
    assert record.exit_code is None and record.state == 'unknown'
