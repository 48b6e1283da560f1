import json
import os
import shutil
import signal
import time

import pytest

from mmaction_ext.tracking.doctor import STRAY_SECONDS


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
