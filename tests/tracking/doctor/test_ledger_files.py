import json

import pytest
from doctor_runs import only
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILES = ['run.json', 'results/1-8.json']


@pytest.mark.parametrize(
    ('name', 'content'),
    [('run.json', '{"uid": '), ('run.json', '[]'), ('results/1-8.json', 'cut')],
)
def test_ledgers_that_cannot_be_read(runs, name, content):
    folder = runs.train()
    (folder / name).write_text(content)
    assert runs.find()['half-written', f'{folder}/{name}'][:2] == ('error', 'is no JSON object')


@pytest.mark.parametrize(
    ('name', 'old', 'new'),
    [
        ('run.json', '"seed": 0', '"seed": 1'),
        ('run.json', '"exit_code": 0', '"exit_code": 1'),
        ('run.json', '"metrics_bytes": ', '"metrics_bytes": 1'),
        ('run.json', '"uid"', '"uid'),
        ('results/1-8.json', '"test/acc/top1": 0.75', '"test/acc/top1": 0.95'),
        ('results/1-8.json', '"num_samples": 240', '"num_samples": 241'),
    ],
)
def test_a_file_that_was_altered(runs, name, old, new):
    folder = runs.train()
    text = (folder / name).read_text()
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new))
    place, severity, text, advice = only(runs.find(), 'altered')
    assert (place, severity) == (f'{folder}/{name}', 'error')
    assert text == 'was altered after it was written; tables do not trust it'
    assert advice.startswith('restore it from a backup, or ')
    assert {check for check, _ in runs.problems()} == {'altered'}


@pytest.fixture
def trained(runs):
    """Folder of a sound run."""
    return runs.train()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.data())
def test_any_bit_that_was_turned_over_is_an_error(runs, trained, name, data):
    path = trained / name
    before = path.read_bytes()
    content = bytearray(before)
    place = data.draw(st.integers(0, content.rindex(b'"crc32"') - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert 'error' in {
        severity for (_, place), (severity, *_) in runs.find().items() if place == path.as_posix()
    }
    path.write_bytes(before)


def test_an_altered_result_without_its_row_is_told_of_once(runs):
    """The attempt is not trusted for it, and its rows were not altered."""
    folder = runs.train(metrics_bytes=None)
    lines = (folder / 'metrics.jsonl').read_bytes().splitlines(keepends=True)
    (folder / 'metrics.jsonl').write_bytes(b''.join(lines[:-1]))
    path = folder / 'results/1-8.json'
    path.write_text(path.read_text().replace('0.75', '0.95'))
    assert runs.problems() == {('altered', path.as_posix())}


def test_an_older_ledger_has_no_checksum(runs):
    folder = runs.train()
    for name in FILES:
        content = json.loads((folder / name).read_text())
        del content['crc32']
        (folder / name).write_text(json.dumps(dict(content, schema=1)))
    assert not runs.problems()


def test_a_checksum_that_was_taken_away_is_missed(runs):
    folder = runs.train()
    for name in FILES:
        content = json.loads((folder / name).read_text())
        del content['crc32']
        (folder / name).write_text(json.dumps(content))
    assert {place for _, place in runs.problems()} == {
        (folder / name).as_posix() for name in FILES
    }


def test_metrics_of_nobody(runs):
    folder = runs.train()
    (folder / 'run.json').unlink()
    assert 'nobody knows whose' in only(runs.find(), 'half-written')[2]


def test_a_result_of_another_run(runs):
    folder = runs.train()
    runs.change(folder / 'results/1-8.json', uid='of another run')
    place, severity, text, _ = only(runs.find(), 'damaged')
    assert (severity, place) == ('warning', f'{folder}/results/1-8.json')
    assert text == 'is no result of it; another source makes up for it'


def test_values_of_another_kind_that_no_source_makes_up_for(runs):
    folder = runs.train()
    runs.change(folder, static='none')
    place, severity, text, _ = only(runs.find(), 'damaged')
    assert (severity, place) == ('error', f'{folder}/run.json')
    reason = 'static: input should be a valid dictionary'
    assert text == f'is damaged: {reason}; tables do not trust its run'


@pytest.mark.parametrize(('state', 'check'), [('running', 'copied early'), (None, 'half-written')])
def test_copies_of_online_runs(runs, state, check):
    path = runs.root / 'work_dirs/.online/me/demo/x-train.json'
    path.parent.mkdir(parents=True)
    path.write_text(
        'cut'
        if state is None
        else json.dumps(
            dict(
                schema=1,
                url='',
                uid='x',
                job_type='train',
                name='',
                group='',
                state=state,
                config={},
                rows=[],
                exit_code=None,
                host='',
                commit='',
                start_time=None,
                imported=True,
            )
        )
    )
    place, severity, *_ = only(runs.find(), check)
    assert place == path.relative_to(runs.root).as_posix()
    assert severity == ('error' if state is None else 'note')


@pytest.mark.parametrize('name', [*FILES, 'heartbeat'])
def test_a_file_of_a_newer_version_is_neither_altered_nor_to_be_deleted(runs, name):
    folder = runs.train()
    if name == 'heartbeat':
        (folder / name).write_text('{"schema": 3, "pulse": 60}')
    else:
        runs.change(folder / name, schema=3, rhythm='new')
    found = runs.find()
    place, severity, text, _advice = only(found, 'newer')
    assert (place, severity) == (f'{folder}/{name}', 'error')
    assert text.startswith('was written by a newer version of this program')
    assert {check for check, _ in runs.problems()} == {'newer'}
    assert not any('delete' in advice for _, _, advice in found.values())


@pytest.mark.parametrize('schema', [3, 4.5])
def test_a_copy_of_a_newer_version(runs, schema):
    path = runs.root / 'work_dirs/.online/me/demo/x-train.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dict(schema=schema, runs=[])))
    assert {check for check, _ in runs.problems()} == {'newer'}
