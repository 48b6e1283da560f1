import json
import signal

import pytest
from doctor_runs import grow_old, only


def findings(command, *argv):
    """Exit code, and severity, text and advice by (check, place)."""
    code, out, err = command('doctor', 'work_dirs', *argv, '--json')
    assert not err
    content = json.loads(out)
    return code, {
        (item['check'], item['place']): (item['severity'], item['text'], item['advice'])
        for item in content['findings']
    }


def test_sound_runs_have_no_problem(project, command):
    project.train('base', 0)
    project.train('full', 1)
    code, found = findings(command)
    assert code == 0
    assert {severity for severity, _, _ in found.values()} <= {'note'}
    code, out, _ = command('doctor')
    assert code == 0 and out.startswith('0 errors, 0 warnings')


def test_a_run_whose_process_was_killed(project, command, hold):
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


def test_a_run_folder_itself(project, command):
    folder = project.train('full', 0, exit_code=None, last=5)
    code, out, _ = command('doctor', folder)
    text = ' '.join(out.split())
    assert code == 1 and text.startswith(f'warning: {folder}: its process died at iteration 5 ')


def test_files_of_results_are_read_unless_it_is_to_be_quick(project, command):
    project.train('full', 0)
    (project.folder('full', 0) / 'predictions.npz').write_bytes(b'other')
    code, found = findings(command)
    assert code == 1 and only(found, 'predictions differs')[1] == 'error'
    code, found = findings(command, '--quick')
    assert code == 0 and not [name for name, _ in found if 'differs' in name]


def test_a_config_that_has_changed(project, command):
    project.train('full', 0)
    project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=32)\n")
    code, found = findings(command)
    assert code == 1 and 'has changed since' in only(found, 'stale')[2]
    project.write(
        'elsewhere/demo/full.py',
        "_base_ = ['../../configs/demo/common.py']\nmodel = dict(width=16)\n",
    )
    assert findings(command, '--configs', 'elsewhere')[0] == 0


def test_notes_are_shown_on_request(project, command):
    folder = project.train('full', 0)
    (folder.parent / 'seed1.0123456789abcdef').mkdir()
    code, out, _ = command('doctor')
    assert code == 0 and 'set aside' not in out and '--notes shows them' in out
    code, out, _ = command('doctor', '--notes')
    assert code == 0 and 'note: work_dirs/demo/full/seed1.0123456789abcdef: holds a run' in out


@pytest.mark.parametrize('argv', [[], ['--json']])
def test_leftovers_are_removed_on_request(project, command, argv):
    path = project.train('full', 0) / 'run.json.tmp'
    path.write_text('half')
    grow_old(path)
    code, out, _ = command('doctor', *argv)
    assert code == 1 and path.exists()
    code, out, _ = command('doctor', '--fix', *argv)
    assert code == 0 and not path.exists()
    name = 'work_dirs/demo/full/seed0/run.json.tmp'
    assert json.loads(out)['removed'] == [name] if argv else f'removed {name}\n' in out


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


def test_without_the_folder_of_configs_nothing_is_stale(project, command):
    project.train('full', 0)
    code, out, err = command('doctor', '--configs', 'nowhere')
    assert (code, out, err) == (2, '', 'error: configs folder nowhere does not exist\n')
