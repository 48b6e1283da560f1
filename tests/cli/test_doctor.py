import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.tracking.doctor import STRAY_SECONDS, examine
from mmaction_ext.tracking.ledger.facts import source_digests

FIELDS = [('run.json', name) for name in (
    'schema', 'uid', 'config', 'seed', 'config_hash', 'job_type', 'overrides', 'recipe', 'static',
    'config_files', 'env', 'git', 'sources', 'data', 'initial_checkpoint', 'attempts')]
FIELDS += [('run.json', f'attempts.{name}') for name in (
    'number', 'host', 'boot_id', 'pid', 'process_start', 'start', 'end', 'exit_code', 'signal',
    'last_error', 'commit', 'wandb', 'metrics_bytes')]
FIELDS += [('results/1-8.json', name) for name in (
    'uid', 'job_type', 'attempt', 'iter', 'epoch', 'protocol', 'metrics', 'num_samples',
    'data_digest', 'finished', 'checkpoint', 'predictions', 'metrics.test/acc/top1',
    'checkpoint.path', 'checkpoint.sha256', 'predictions.path', 'predictions.sha256')]
FIELDS += [('run.json', f'data.train.{name}') for name in ('ann_file', 'ann_sha256')]
FIELDS += [('heartbeat', name) for name in ('attempt', 'time', 'iter', 'pid')]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([10**400, -10**400, '../x', '/', 'a' * 5000, '\0', '\udcff', 'NaN']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text() | st.sampled_from(['path', 'sha256', 'number', 'train']), inner, max_size=3),
    max_leaves=5)


def findings(command, *argv):
    """Exit code, and severity and text by (check, place)."""
    code, out, err = command('doctor', 'work_dirs', *argv, '--json')
    assert not err
    content = json.loads(out)
    return code, {(item['check'], item['place']): (item['severity'], item['text'], item['advice'])
                  for item in content['findings']}


def only(found, check):
    """The one finding of a check."""
    [item] = [(place, *facts) for (name, place), facts in found.items() if name == check]
    return item


def grow_old(path, seconds=2 * STRAY_SECONDS):
    """Set a file's time back."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_sound_runs_have_no_problem(project, command):
    project.train('base', 0)
    project.train('full', 1)
    code, found = findings(command)
    assert code == 0
    assert {severity for severity, _, _ in found.values()} <= {'note'}
    code, out, _ = command('doctor')
    assert code == 0 and out.startswith('0 errors, 0 warnings')


def test_a_run_whose_process_is_dead_is_found_and_a_living_one_is_not(project, command, hold):
    folder = project.train('full', 0, exit_code=None, last=5)
    (folder / 'heartbeat').unlink()
    holder = hold(folder)
    assert findings(command)[0] == 0
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    code, found = findings(command)
    place, severity, text, advice = only(found, 'killed')
    assert (code, severity) == (1, 'warning')
    assert place == 'work_dirs/demo/full/seed0'
    assert 'at iteration 5' in text and '--resume' in advice


def test_a_process_without_a_sign_of_life(project, command, hold):
    folder = project.train('full', 0, exit_code=None, last=5)
    project.change(folder, 'heartbeat', time=time.time() - 3600)
    hold(folder)
    code, found = findings(command)
    assert code == 1 and 'no sign of life' in only(found, 'silent')[2]


def test_a_copied_run(project, command):
    folder = project.train('full', 0)
    shutil.copytree(folder, project.runs / 'backup')
    code, found = findings(command)
    place, severity, text, _ = only(found, 'duplicate')
    assert (code, severity, place) == (1, 'error', 'work_dirs/backup')
    assert text == 'is the same run as work_dirs/demo/full/seed0'


def test_an_altered_log(project, command):
    folder = project.train('full', 0)
    lines = (folder / 'metrics.jsonl').read_bytes()
    (folder / 'metrics.jsonl').write_bytes(lines.replace(b'2.0', b'9.0', 1))
    code, found = findings(command)
    place, severity, *_ = only(found, 'corrupt')
    assert (code, severity, place) == (1, 'error', 'work_dirs/demo/full/seed0/metrics.jsonl')


def test_a_result_of_another_run(project, command):
    folder = project.train('full', 0)
    project.change(folder, 'results/1-8.json', uid='of another run')
    code, found = findings(command)
    place, severity, text, _ = only(found, 'damaged')
    assert (code, severity, place) == (1, 'warning', 'work_dirs/demo/full/seed0/results/1-8.json')
    assert text.startswith('is no result of it')


def test_a_run_folder_itself(project, command):
    folder = project.train('full', 0, exit_code=None, last=5)
    code, out, _ = command('doctor', folder)
    text = ' '.join(out.split())
    assert code == 1 and text.startswith(f'warning: {folder}: its process died at iteration 5 ')
    assert not (folder / '.cache').exists()


def test_files_of_results(project, command):
    for seed in (0, 1):
        project.train('full', seed)
    project.folder('full', 0).joinpath('epoch_2.pth').unlink()
    project.folder('full', 1).joinpath('predictions.npz').write_bytes(b'other')
    code, found = findings(command)
    assert code == 1
    assert only(found, 'checkpoint gone')[:2] == (
        'work_dirs/demo/full/seed0/epoch_2.pth', 'warning')
    assert only(found, 'predictions differs')[:2] == (
        'work_dirs/demo/full/seed1/predictions.npz', 'error')
    _, found = findings(command, '--quick')
    assert not [name for name, _ in found if 'differs' in name]


def test_stale_runs(project, command):
    project.train('full', 0)
    project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=32)\n")
    code, found = findings(command)
    assert code == 1 and 'has changed since' in only(found, 'stale')[2]
    (project.root / 'configs/demo/full.py').unlink()
    code, found = findings(command)
    assert code == 0 and only(found, 'stale')[1:3] == ('note', 'its config is not in the tree')


@pytest.mark.parametrize(('name', 'content'), [
    ('run.json', '{"uid": '), ('run.json', '[]'), ('results/1-8.json', 'cut')])
def test_ledgers_that_cannot_be_read(project, command, name, content):
    folder = project.train('full', 0)
    (folder / name).write_text(content)
    code, found = findings(command)
    assert code == 1
    assert found['half-written', f'work_dirs/demo/full/seed0/{name}'][0] == 'error'


def test_metrics_of_nobody(project, command):
    folder = project.train('full', 0)
    (folder / 'run.json').unlink()
    code, found = findings(command)
    assert code == 1 and 'nobody knows whose' in only(found, 'half-written')[2]


def test_notes_are_shown_on_request(project, command):
    folder = project.train('full', 0)
    (folder.parent / 'seed1.0123456789abcdef').mkdir()
    code, out, _ = command('doctor')
    assert code == 0 and 'set aside' not in out and '--notes shows them' in out
    code, out, _ = command('doctor', '--notes')
    assert code == 0 and 'note: work_dirs/demo/full/seed1.0123456789abcdef: holds a run' in out


def test_a_copy_that_was_made_while_the_run_went_on(project, command):
    path = project.write('work_dirs/.online/me/demo/x-train.json', json.dumps(dict(
        schema=1, url='', uid='x', job_type='train', name='', group='', state='running',
        config={}, rows=[], exit_code=None, host='', commit='', start_time=None,
        imported=True)))
    _, found = findings(command)
    assert only(found, 'copied early')[0] == path.relative_to(project.root).as_posix()


def test_only_strays_of_dead_runs_are_removed(project, command, hold):
    dead, alive = project.train('full', 0), project.train('full', 1)
    hold(alive)
    names = ('run.json.tmp', 'heartbeat.tmp', 'results/1-8.json.tmp')
    strays = [dead / name for name in names]
    others = [alive / 'run.json.tmp', dead / 'notes.tmp', dead / 'epoch_2.pth.tmp']
    for path in strays + others:
        path.write_text('half')
        grow_old(path)
    fresh = dead.parent / 'seed2/run.json.tmp'
    fresh.parent.mkdir()
    fresh.write_text('about to be renamed')
    before = {path for path in project.root.rglob('*') if path.is_file()}
    code, found = findings(command)
    assert code == 1
    assert sorted(place for name, place in found if name == 'stray file') == sorted(
        path.relative_to(project.root).as_posix() for path in strays)
    code, out, _ = command('doctor', '--fix')
    after = {path for path in project.root.rglob('*') if path.is_file()}
    assert before - after == set(strays) and code == 0
    assert out.count('removed ') == 3


def test_names_cannot_paint_the_terminal(project, command, markup):
    folder = project.train('full', 0, exit_code=None)
    odd = folder.with_name('seed0 \x1b[31m\x07')
    folder.rename(odd)
    _, out, _ = command('doctor', '--notes')
    assert 'warning: ' in out and not {'\x1b', '\x07'} & set(out)


def test_texts_fit_100_columns(project, command):
    project.train('full', 0, exit_code=None)
    _, out, _ = command('doctor', '--notes')
    assert max(map(len, out.splitlines())) <= 100


def test_a_run_that_was_ended_by_a_signal(project, command):
    project.train('full', 0, exit_code=143, signal='SIGTERM', last=5)
    code, found = findings(command)
    place, severity, text, advice = only(found, 'ended')
    assert (code, severity, place) == (1, 'warning', 'work_dirs/demo/full/seed0')
    assert text == 'was ended by SIGTERM at iteration 5' and '--resume' in advice


def test_runs_of_other_code_are_told_together(project, command):
    tree = source_digests()
    block, head = 'mmaction_ext/modules/kpsem.py', 'mmaction_ext/models/__init__.py'
    assert block in tree and head in tree
    other = {**tree, block: 'f' * 64, head: f'{tree[head]} {"f" * 64}',
             'mmaction_ext/ops/gone.py': 'f' * 64}
    for row in ('base', 'full'):
        project.train(row, 0, sources=other)
    project.train('full', 1, sources={**tree, 'mmaction_ext/cli/text.py': 'f' * 64})
    code, found = findings(command)
    place, severity, text, _ = only(found, 'other code')
    assert (code, severity, place) == (0, 'note', 'work_dirs/demo/base/seed0')
    assert text == ('source files of the package have changed since it and 1 more run began: '
                    '1 of ops, 1 of modules, 1 of models')


def test_a_list_that_has_changed_since(project, command):
    path = project.root / 'train.txt'
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = dict(train=dict(ann_file='train.txt', ann_sha256=digest, num_samples=16),
                val=dict(ann_file='gone.txt', ann_sha256=digest, num_samples=16))
    for seed in (0, 1):
        project.train('full', seed, data=data)
    assert 'other list' not in {check for check, _ in findings(command)[1]}
    path.write_text('another.mp4 0\n')
    code, found = findings(command)
    place, severity, text, _ = only(found, 'other list')
    assert (code, severity, place) == (0, 'note', 'train.txt')
    assert text == 'has changed since work_dirs/demo/full/seed0 and 1 more run read it'


def end_with_size(folder, size=None):
    """Enter how long the rows were when the attempt ended, as it does itself."""
    content = json.loads((folder / 'run.json').read_text())
    size = (folder / 'metrics.jsonl').stat().st_size if size is None else size
    content['attempts'][-1]['metrics_bytes'] = size
    (folder / 'run.json').write_text(json.dumps(content))


@pytest.mark.parametrize('exit_code', [0, 1])
def test_rows_that_are_missing(project, command, exit_code):
    folder = project.train('full', 0, exit_code=exit_code)
    end_with_size(folder)
    path = folder / 'metrics.jsonl'
    lines = path.read_bytes().splitlines(keepends=True)
    assert 'incomplete' not in {check for check, _ in findings(command)[1]}
    for damage in (lambda: path.write_bytes(b''.join(lines[:3])), path.unlink):
        damage()
        code, found = findings(command)
        place, severity, text, _ = only(found, 'incomplete')
        assert (code, severity) == (1, 'error')
        assert place == 'work_dirs/demo/full/seed0/metrics.jsonl'
        assert 'rows are missing' in text
        assert not {'corrupt', 'truncated'} & {check for check, _ in found}


def test_a_run_that_failed_before_its_first_row(project, command):
    folder = project.train('full', 0, exit_code=2)
    (folder / 'metrics.jsonl').unlink()
    assert only(findings(command)[1], 'incomplete')[1] == 'note'
    end_with_size(folder, 0)
    assert 'incomplete' not in {check for check, _ in findings(command)[1]}


def test_a_result_file_that_is_gone(project, command):
    folder = project.train('full', 0)
    (folder / 'results/1-8.json').rename(folder / 'results/1-80.json')
    project.change(folder, 'results/1-80.json', finished=False)
    code, found = findings(command)
    place, severity, *_ = only(found, 'result gone')
    assert (code, severity) == (1, 'warning')
    assert place == 'work_dirs/demo/full/seed0/results/1-8.json'


def test_without_run_json_nothing_is_said_of_alterations_and_attempts(project, command):
    folder = project.train('full', 0)
    first = (folder / 'metrics.jsonl').read_bytes()
    project.log(folder, 4)
    second = (folder / 'metrics.jsonl').read_bytes().replace(b'"attempt": 1', b'"attempt": 2')
    (folder / 'metrics.jsonl').write_bytes(first + second)
    (folder / 'run.json').unlink()
    code, found = findings(command)
    assert code == 1 and ('half-written', 'work_dirs/demo/full/seed0') in found
    assert not {'corrupt', 'attempts', 'incomplete'} & {check for check, _ in found}


def test_rows_of_an_attempt_that_run_json_does_not_know(project, command):
    folder = project.train('full', 0)
    project.change(folder, attempts=[])
    _, found = findings(command)
    assert 'of which run.json does not tell' in only(found, 'corrupt')[2]


@pytest.mark.parametrize(('scores', 'top1', 'is_wrong'), [
    ([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], 0.75, False),
    ([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], 0.5, True),
    ([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]], 0.75, False),  # whichever comes first
    ([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]], 1.0, False),
    ([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]], 0.5, True)])
def test_accuracy_is_taken_again_from_predictions(project, command, scores, top1, is_wrong):
    folder = project.train('full', 0, top1)
    path = folder / 'predictions.npz'
    write_predictions(path, Predictions(np.array(list('abcd')), np.array([0, 1, 1, 0]),
                                        np.array(scores), {}))
    project.change(folder, 'results/1-8.json', predictions=dict(
        path=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    code, found = findings(command)
    if not is_wrong:
        assert code == 0 and 'accuracy differs' not in {check for check, _ in found}
        return
    place, severity, text, _ = only(found, 'accuracy differs')
    assert (code, severity, place) == (1, 'error', 'work_dirs/demo/full/seed0/predictions.npz')
    assert text.endswith(f'a result of work_dirs/demo/full/seed0 says {top1}')
    assert findings(command, '--quick')[0] == 0


@pytest.mark.parametrize('name', ['run.json', 'metrics.jsonl', 'results/1-8.json'])
def test_a_file_that_cannot_be_opened_hides_no_other_run(project, command, name):
    folder = project.train('full', 0)
    project.train('base', 0, exit_code=None)
    (folder / name).unlink()
    (folder / name).symlink_to(Path(name).name)  # goes round in circles
    code, found = findings(command)
    assert code == 1 and only(found, 'killed')[0] == 'work_dirs/demo/base/seed0'
    severity, text, _ = found['unreadable', f'work_dirs/demo/full/seed0/{name}']
    assert severity == 'error' and text.startswith('cannot be read: ')
    assert ('half-written', f'work_dirs/demo/full/seed0/{name}') not in found


def test_without_the_folder_of_configs_nothing_is_stale(project, command):
    project.train('full', 0)
    code, out, err = command('doctor', '--configs', 'nowhere')
    assert (code, out, err) == (2, '', 'error: configs folder nowhere does not exist\n')


def test_no_config_is_read_outside_the_folder_of_configs(project, command):
    trap = project.write('trap.py', "open('sprung', 'w')\n")
    for seed, name in enumerate(('../trap', str(trap.with_suffix('')))):
        project.train('full', seed, config=name)
    _, found = findings(command)
    assert sum(check == 'stale' for check, _ in found) == 2
    assert not (project.root / 'sprung').exists()


@pytest.mark.parametrize('name', ['run.json', 'results/1-8.json', 'heartbeat', 'metrics.jsonl'])
def test_brackets_without_end(project, command, name):
    folder = project.train('full', 0)
    project.train('base', 0, exit_code=None)
    (folder / name).write_text('[' * 100_000)
    code, found = findings(command)
    assert code == 1 and ('killed', 'work_dirs/demo/base/seed0') in found
    assert any('full/seed0' in place for _, place in found)


@settings(max_examples=80, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(FIELDS), VALUES)
def test_whatever_stands_in_a_ledger_is_found_and_not_raised(project, field, value):
    folder, (name, path) = project.train('full', 0), field
    content = json.loads((folder / name).read_text())
    node, (*parts, last) = content, path.split('.') if path.count('/') == 0 else \
        path.split('.', 1)
    for part in parts:
        node = node[part][0] if part == 'attempts' else node[part]
    node[last] = value
    (folder / name).write_text(json.dumps(content))
    for finding in examine(['work_dirs']):
        assert str(finding.text) and str(finding.place)
