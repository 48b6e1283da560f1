from pathlib import Path

import pytest
from doctor_runs import only
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.doctor import SEVERITIES, Finding, examine
from mmaction_ext.tracking.ledger.format import decode_object, encode_object

FIELDS = [
    ('run.json', name)
    for name in (
        'schema',
        'uid',
        'config',
        'seed',
        'config_hash',
        'job_type',
        'overrides',
        'recipe',
        'static',
        'config_files',
        'env',
        'git',
        'sources',
        'data',
        'initial_checkpoint',
        'attempts',
    )
]
FIELDS += [
    ('run.json', f'attempts.{name}')
    for name in (
        'number',
        'host',
        'boot_id',
        'pid',
        'process_start',
        'start',
        'end',
        'exit_code',
        'signal',
        'last_error',
        'commit',
        'wandb',
        'metrics_bytes',
    )
]
FIELDS += [
    ('results/1-8.json', name)
    for name in (
        'uid',
        'job_type',
        'attempt',
        'iter',
        'epoch',
        'protocol',
        'metrics',
        'num_samples',
        'data_digest',
        'finished',
        'checkpoint',
        'predictions',
        'metrics.test/acc/top1',
        'checkpoint.path',
        'checkpoint.sha256',
        'predictions.path',
        'predictions.sha256',
    )
]
FIELDS += [('run.json', f'data.train.{name}') for name in ('ann_file', 'ann_sha256')]
FIELDS += [('heartbeat', name) for name in ('attempt', 'time', 'iter', 'pid')]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, -(10**400), '../x', '/', 'a' * 5000, '\0', '\udcff', 'NaN']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text() | st.sampled_from(['path', 'sha256', 'number', 'train']), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def test_sound_runs_have_no_problem(runs):
    runs.train(0)
    runs.train(1)
    assert not runs.problems()


def test_the_worst_comes_first(runs):
    (runs.train(0) / 'epoch_2.pth').unlink()
    (runs.train(1) / 'epoch_2.pth').write_bytes(b'other')
    found = examine(['work_dirs'])
    assert all(isinstance(item, Finding) for item in found)
    levels = [SEVERITIES.index(item.severity) for item in found]
    assert levels == sorted(levels) and set(levels) == {0, 1, 2}


def test_a_folder_that_does_not_exist(runs):
    with pytest.raises(InputError, match='runs folder nowhere does not exist'):
        examine(['nowhere'])


def test_a_run_folder_itself(runs, cache_home):
    before = set(cache_home.parent.rglob('*'))
    folder = runs.train(exit_code=None)
    [problem] = [item for item in examine([folder]) if item.severity != 'note']
    assert (problem.check, problem.place) == ('killed', folder.as_posix())
    assert set(cache_home.parent.rglob('*')) == before


@pytest.mark.parametrize('name', ['run.json', 'metrics.jsonl', 'results/1-8.json'])
def test_a_file_that_cannot_be_opened_hides_no_other_run(runs, name):
    folder, other = runs.train(0), runs.train(1, exit_code=None)
    (folder / name).unlink()
    (folder / name).symlink_to(Path(name).name)  # goes round in circles
    found = runs.find()
    assert only(found, 'killed')[0] == other.as_posix()
    severity, text, _ = found['unreadable', f'{folder}/{name}']
    assert severity == 'error' and text.startswith('cannot be read: ')
    assert ('half-written', f'{folder}/{name}') not in found


@pytest.mark.parametrize('name', ['run.json', 'results/1-8.json', 'heartbeat', 'metrics.jsonl'])
def test_brackets_without_end(runs, name):
    folder, other = runs.train(0), runs.train(1, exit_code=None)
    (folder / name).write_text('[' * 100_000)
    found = runs.find()
    assert ('killed', other.as_posix()) in found
    assert any(folder.as_posix() in place for _, place in found)


@pytest.fixture
def trained(runs):
    """Folder of a run whose files have all of the fields."""
    folder = runs.train()
    runs.change(folder, data=dict(train=dict(ann_file='a.txt', ann_sha256='b')))
    (folder / 'heartbeat').write_text(encode_object(dict(attempt=1, time=1.5, iter=3, pid=2)))
    return folder


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(FIELDS), VALUES)
def test_whatever_stands_in_a_ledger_is_found_and_not_raised(trained, field, value):
    name, path = field
    before = (trained / name).read_bytes()
    content = decode_object(before)
    node, (*parts, last) = content, path.split('.', path.count('/') or -1)
    for part in parts:
        node = node[part][0] if part == 'attempts' else node[part]
    node[last] = value
    (trained / name).write_text(encode_object(content))
    for finding in examine(['work_dirs']):
        assert str(finding.text) and str(finding.place)
    (trained / name).write_bytes(before)
