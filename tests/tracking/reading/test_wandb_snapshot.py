import json
import math
import time

import ledger_runs
import pytest
from ledger_runs import CONFIG_HASH, attempt, write_ledger
from offline_runs import MARKUP, history, of_attempt

from mmaction_ext.tracking.identity import RunIdentity
from mmaction_ext.tracking.ledger.format import decode_object, encode_object
from mmaction_ext.tracking.reading.record import tellers
from mmaction_ext.tracking.reading.rows import split_by_phase

WHOLE = history(0.75)
PHASES = split_by_phase(WHOLE)


@pytest.fixture
def snapshot(place):
    """Write a snapshot of the run; returns its path."""

    def write(rows, project='lab/p', **facts):
        path = place.root / '.online' / project / f'{place.uid}-train.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            encode_object(
                {
                    **dict(
                        schema=2,
                        url='https://example.org/x',
                        uid=place.uid,
                        job_type='train',
                        name=MARKUP,
                        group='g',
                        state='finished',
                        exit_code=0,
                        host='h',
                        commit='c',
                        start_time=5.0,
                        imported=False,
                        config=config_of(),
                        rows=rows,
                    ),
                    **facts,
                }
            )
        )
        return path

    return write


def config_of(config='demo/full', seed=0):
    """W&B config of a run of this project."""
    return dict(identity=dict(config=config, seed=seed, config_hash=CONFIG_HASH))


def test_online_run_alone(place, snapshot):
    snapshot(WHOLE)
    [record] = place.find()
    assert record.finished and record.state == 'finished' and not record.imported
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert (record.name, record.config, record.read_from) == (
        MARKUP,
        'demo/full',
        ('wandb-online',),
    )
    assert record.attempts[0].path == f'.online/lab/p/{place.uid}-train.json'
    assert (record.attempts[0].host, record.folder) == ('h', '')


def test_history_of_a_resumed_run_is_cut_where_it_goes_back(place, snapshot):
    snapshot([*history(0.5, 1, 6), *history(0.75, 5, 8)])
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert [attempt.exit_code for attempt in record.attempts] == [None, 0]
    assert [item.attempt.exit_code for item in record.evaluations] == [None, 0]


@pytest.mark.parametrize(
    ('told', 'exit_code', 'state', 'code'),
    [
        ('finished', None, 'finished', 0),
        ('failed', 7, 'failed', 7),
        ('failed', None, 'failed', 1),
        ('crashed', None, 'killed', None),
        ('crashed', 255, 'killed', None),
        ('running', None, 'unknown', None),
        ('preempted', None, 'killed', None),
        ('odd', None, 'unknown', None),
    ],
)
def test_state(place, snapshot, told, exit_code, state, code):
    snapshot(WHOLE, state=told, exit_code=exit_code)
    [record] = place.find()
    assert (record.state, record.exit_code) == (state, code)


@pytest.mark.parametrize(
    ('seconds_ago', 'state'),
    [(0, 'running'), (170, 'running'), (-170, 'running'), (190, 'unknown'), (-190, 'unknown')],
)
def test_copy_of_a_running_run_grows_old(place, snapshot, seconds_ago, state):
    """Nobody can tell what has become of it since."""
    snapshot(WHOLE, state='running', exit_code=None, seen=dict(updated=time.time() - seconds_ago))
    assert place.find()[0].state == state
    snapshot(WHOLE, state='finished', seen=dict(updated=time.time() - seconds_ago))
    assert place.find()[0].state == 'finished'


@pytest.mark.parametrize(
    ('url', 'expected'),
    [
        ('https://example.org/x', 'https://example.org/x'),
        ('http://localhost:8080/a?b=c',) * 2,
        ('javascript:alert(1)', ''),
        ('https://x\nHost: y', ''),
        (7, ''),
        (None, ''),
    ],
)
def test_page_of_the_run(place, snapshot, url, expected):
    snapshot(WHOLE, url=url)
    assert place.find()[0].url == expected


def test_phase_that_nobody_else_has_replaces_nothing(place, snapshot):
    write_ledger(
        place.folder,
        [row for row in history(None, 1, 6, test=False) if 'train/loss' in row],
        attempts=[attempt(1, None)],
    )
    snapshot(WHOLE, config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}


def test_snapshot_of_a_run_that_is_here(place, snapshot):
    write_ledger(place.folder, WHOLE, attempts=[attempt(wandb='https://example.org/x')])
    snapshot(WHOLE, config={})
    [record] = place.find(compare=True)
    assert record.read_from == ('ledger',) and record.mirrors == ('wandb-online',)
    assert len(record.attempts) == 1 and not record.disagreements
    assert not record.conflicts and len(record.evaluations) == 1 and record.finished


def test_snapshot_that_disagrees(place, snapshot):
    log = place.add_log('whole')
    path = snapshot(history(0.8)).relative_to(place.root)
    [record] = place.find(compare=True)
    assert record.disagreements[0] == (
        f'test/acc/top1 at iteration 8: 0.8 (wandb-online {path}) against 0.75 '
        f'(wandb-offline demo/full/seed0/{log})'
    )


def test_two_snapshots_that_disagree(place, snapshot):
    snapshot(WHOLE)
    snapshot(history(0.8), 'lab/q')
    assert [text.partition(' ')[0] for text in place.find()[0].conflicts] == [
        'test/acc/top1',
        'test/checkpoint_sha256',
        'test/motion/within_pair',
    ]


def test_run_that_went_on_elsewhere(place, snapshot):
    write_ledger(place.folder, history(None, 1, 6, test=False), attempts=[attempt(1, None)])
    snapshot([*history(None, 1, 6, test=False), *history(0.75, 5, 8)], config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert record.state == 'finished' and not record.conflicts
    assert [item.values['test/acc/top1'] for item in record.evaluations] == [0.75]


def test_run_that_began_elsewhere(place, snapshot):
    write_ledger(place.folder, history(0.75, 5, 8))
    snapshot(history(None, 1, 6, test=False), state='crashed', config={})
    [record] = place.find()
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}
    assert record.finished and [attempt.source for attempt in record.attempts] == [
        'wandb-online',
        'ledger',
    ]


def test_run_of_another_project(place, snapshot):
    snapshot(WHOLE, imported=True)
    [record] = place.find()
    assert record.imported and record.uid == f'lab/p/{place.uid}'
    write_ledger(place.folder, history(0.5))
    own, imported = sorted(place.find(), key=lambda record: record.imported)
    assert not own.imported and imported.imported
    assert (own.uid, own.conflicts, imported.conflicts) == (place.uid, (), ())


def test_runs_of_two_projects_with_one_id_are_two(place, snapshot):
    snapshot(history(0.5), 'lab/one', imported=True, config=config_of('demo/full'))
    snapshot(history(0.9), 'lab/two', imported=True, config=config_of('demo/base'))
    assert [
        (record.config, record.evaluations[0].values['test/acc/top1'], record.conflicts)
        for record in place.find()
    ] == [('demo/base', 0.9, ()), ('demo/full', 0.5, ())]


def test_any_two_sources_that_tell_of_different_runs(place, snapshot):
    first = snapshot(WHOLE, 'lab/one').relative_to(place.root)
    second = snapshot(WHOLE, 'lab/two', config=config_of('demo/base')).relative_to(place.root)
    snapshot(WHOLE, 'lab/wee', config={})
    assert place.find()[0].conflicts == (
        f"config: 'demo/full' (wandb-online {first}) against 'demo/base' (wandb-online {second})",
    )
    write_ledger(place.folder, WHOLE, seed=3)
    ledger_runs.change(place.folder / 'run.json', uid=place.uid)
    assert [text.partition(':')[0] for text in place.find(compare=True)[0].disagreements] == [
        'config',
        'seed',
    ]


def test_numbers_that_json_does_not_have_and_nested_ones(place, snapshot):
    snapshot([{'iter': 1, 'train/loss': 'NaN', 'train/x': {'low': '-Infinity'}}])
    [row] = place.find()[0].rows['train']
    assert row['train/loss'] != row['train/loss'] and row['train/x.low'] == float('-inf')


@pytest.mark.parametrize(
    'content', ['', '[]', '{"uid": "x"}', '{"uid": "x", "rows": 3}', '{"uid": "x", "rows": [1]}']
)
def test_damaged_snapshot_is_seen(place, snapshot, content):
    snapshot(WHOLE).write_text(content)
    [record] = place.find()
    assert record.corrupt and not record.finished and record.damage
    assert (record.uid, record.job_type) == (place.uid, 'train')


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-30],
        lambda data: data.replace(b'0.75', b'0.95', 1),
        lambda data: data.replace(b'crc32', b'crc64'),
        lambda data: encode_object(dict(decode_object(data), rows=[1])).encode(),
        lambda data: encode_object(dict(decode_object(data), seen=dict(updated='x'))).encode(),
    ],
)
@pytest.mark.parametrize('imported', [False, True])
def test_damaged_snapshot_is_still_of_its_run(place, snapshot, damage, imported):
    path = snapshot(WHOLE, imported=imported)
    [sound] = place.find()
    path.write_bytes(damage(path.read_bytes()))
    [record] = place.find()
    assert record.corrupt and record.rows == {} and record.evaluations == ()
    assert record.imported == imported and record.uid == sound.uid
    assert (record.config, record.seed, record.config_hash) == ('demo/full', 0, CONFIG_HASH)


def test_damaged_snapshot_takes_nothing_from_a_sound_ledger(place, snapshot):
    write_ledger(place.folder, WHOLE)
    path = snapshot(WHOLE)
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 9'))
    [record] = place.find()
    assert record.finished and record.damage and record.name == 'full/seed0'
    assert RunIdentity(record.config, record.seed, record.config_hash).uid == place.uid


@pytest.mark.parametrize(
    'facts',
    [
        dict(config=[1]),
        dict(config=dict(identity=[1])),
        dict(seen=3),
        dict(uid=''),
        dict(uid=None),
        dict(exit_code='x'),
    ],
)
def test_value_of_another_kind_stops_nobody(place, snapshot, facts):
    snapshot(WHOLE, **facts)
    assert len(place.find()) == 1


def test_snapshot_of_another_form_is_refused_with_its_name_and_key(place, snapshot):
    path = snapshot(WHOLE, seen=dict(rows='many')).relative_to(place.root).as_posix()
    [record] = place.find()
    text = f'{path} is damaged: seen.rows: input should be a valid integer'
    assert record.corrupt and record.damage == (text,)


def test_name_of_the_file_tells_which_run_a_damaged_snapshot_is_of(place, snapshot):
    path = snapshot(WHOLE)
    for name, uid, job_type in (
        ('a%2Fb-train', 'a/b', 'train'),
        ('u-2-test-test', 'u-2', 'test'),
        ('u-eval', 'u', 'eval'),
        ('u', 'u', 'train'),
    ):
        path = path.rename(path.with_name(f'{name}.json'))
        path.write_text('{')
        assert [(each.uid, each.job_type) for each in place.find()] == [(uid, job_type)]


def test_snapshot_of_before_there_were_checksums(place, snapshot):
    path = snapshot(WHOLE)
    content = decode_object(path.read_bytes())
    path.write_text(json.dumps(dict(content, schema=1)))
    assert place.find()[0].finished
    path.write_text(json.dumps(content))
    assert place.find()[0].corrupt, 'the checksum is lost'


@pytest.mark.parametrize('name', ['NaN', 'Infinity'])
def test_name_that_reads_as_a_number(place, snapshot, name):
    snapshot(WHOLE, name=name, group=name)
    [record] = place.find()
    assert record.finished and record.name == record.group == ''


def test_only_snapshots_at_their_place_count(place, snapshot):
    path = snapshot(WHOLE)
    other = place.root / 'x/.online/lab/p'
    other.mkdir(parents=True)
    path.rename(other / path.name)
    assert place.find() == []


def test_long_history_is_thinned(place, snapshot):
    rows = [{'iter': i, 'train/loss': 1 / i} for i in range(1, 2501)]
    snapshot(rows)
    [record] = place.find()
    assert 500 <= len(record.rows['train']) <= 1000 and record.last_iter == 2500
    assert record.rows['train'][-1] == rows[-1]
    assert ledger_runs.identity().uid == record.uid


def test_attempts_say_who_they_are(place, snapshot):
    """The server tells of the second that it was killed: it was uploaded before the first."""
    snapshot(
        [
            *of_attempt(history(0.75, 5, 8), 2, resumed_from_iter=4),
            *of_attempt(history(None, 1, 6, test=False), 1, None),
        ],
        state='crashed',
    )
    [record] = place.find()
    assert record.finished and record.state == 'finished' and not record.conflicts
    assert [
        (item.number, item.start_time, item.host, item.pid, item.exit_code)
        for item in record.attempts
    ] == [(1, 1100, 'h', 1, None), (2, 1200, 'h', 2, 0)]
    assert record.rows == {phase: PHASES[phase] for phase in ('train', 'val')}


def test_clock_that_went_back_changes_no_order(place, snapshot):
    snapshot(
        [
            *of_attempt(history(0.75, 5, 8), 2, start=0.0),
            *of_attempt(history(None, 1, 6, test=False), 1, 1),
        ],
        state='failed',
    )
    assert [item.number for item in place.find()[0].attempts] == [1, 2]


@pytest.mark.parametrize('last, state', [(None, 'killed'), (3, 'failed')])
def test_last_attempt_that_did_not_finish(place, snapshot, last, state):
    """Nor does it where the log of the one before, which did, was uploaded last."""
    snapshot(
        [*of_attempt(history(0.5), 1), *of_attempt(history(None, 5, 6, test=False), 2, last)],
        state='crashed' if last is None else 'finished',
    )
    [record] = place.find()
    assert (record.state, record.exit_code) == (state, last)


def test_end_of_another_attempt_is_not_that_of_the_last(place, snapshot):
    snapshot(
        [*of_attempt(history(0.5), 1), *of_attempt(history(None, 5, 6, test=False), 2, None)],
        state='finished',
    )
    [record] = place.find()
    assert record.exit_code is None and record.state == 'unknown'


def test_test_in_the_run_of_its_training_counts_for_itself(place, snapshot):
    sha = 'sha of 0.5 at 1'
    snapshot(
        [
            *of_attempt(history(0.5), 1),
            *of_attempt(history(0.5, sha=sha)[-1:], 1, pid=9, start=2000.0, job_type='test'),
        ]
    )
    [record] = place.find()
    assert not record.conflicts and [item.number for item in record.attempts] == [1, None]


@pytest.mark.parametrize('start', ['x', None, math.nan, math.inf, 10**400, [1], {}])
def test_start_that_is_none(place, snapshot, start):
    snapshot([dict(row, attempt_start=start, attempt_number='1') for row in WHOLE])
    [record] = place.find()
    assert record.finished and record.attempts[0].number is None


def test_two_attempts_of_one_number_are_two_runs(place, snapshot):
    snapshot(
        [*of_attempt(history(0.75), 1), *of_attempt(history(0.75), 1, start=2000.0, host='b')]
    )
    [record] = place.find()
    assert record.conflicts == (
        "host, process and start of the attempt: ('b', 1, 2100.0) (wandb-online .online/lab/p/"
        f"{place.uid}-train.json) against ('h', 1, 1100.0) (wandb-online .online/lab/p/"
        f'{place.uid}-train.json)',
    )


def test_attempt_that_a_ledger_tells_of_is_the_same_one(place, snapshot):
    mine = attempt(1, 0, 1100.0002, host='h', pid=1)
    write_ledger(place.folder, WHOLE, attempts=[mine])
    snapshot(of_attempt(WHOLE, 1), config={})
    [record] = place.find()
    assert not record.conflicts and len(record.attempts) == 1
    snapshot(of_attempt(WHOLE, 1, host='elsewhere'), config={})
    assert [text.partition(':')[0] for text in place.find()[0].conflicts] == [
        'host, process and start of the attempt'
    ]


@pytest.mark.parametrize(
    'change, names',
    [
        ({}, []),
        ({'test/checkpoint_sha256': 'other'}, ['test/checkpoint_sha256 at iteration 8']),
        ({'test/data_digest': 'other'}, ['test/data_digest at iteration 8']),
        (
            {'test/data_digest': 'other', 'iter': 9, 'test/checkpoint_sha256': 'other'},
            ['test/data_digest at iteration 9'],
        ),
    ],
)
def test_runs_of_before_attempts_had_numbers(place, snapshot, change, names):
    """Two people's runs in one history, one after the other or, as online, interleaved."""
    mine = [
        dict(row, **{'test/data_digest': 'd'} if 'test/acc/top1' in row else {}) for row in WHOLE
    ]
    yours = [*mine[:-1], dict(mine[-1], **change)]
    for rows in (mine + yours, [row for pair in zip(mine, yours, strict=True) for row in pair]):
        snapshot(rows)
        assert [text.partition(':')[0] for text in place.find()[0].conflicts] == names


def test_a_copy_of_an_offline_log_is_not_told_of_online():
    assert tellers('imported/logs-0a/r1', ['wandb-online']) == ['copy of an offline W&B log']
    assert tellers('lab/p/r1', ['ledger', 'wandb-online']) == ['ledger', 'wandb-online']
