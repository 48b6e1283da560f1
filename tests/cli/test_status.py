import json
import math
import shutil
import signal

import pytest

from mmaction_ext.cli.status import RunStatus, describe
from mmaction_ext.errors import Diverged
from mmaction_ext.suites.progress import progress, schedule_of
from mmaction_ext.tracking.ledger.format import MetricsRow, encode_row
from mmaction_ext.tracking.ledger.forms import HeartbeatFile
from mmaction_ext.tracking.reading.record import Attempt, RunRecord


def lines(out):
    """Words of the line of each row and seed."""
    words = [line.split() for line in out.splitlines()]
    return {(word[0], word[1]): word[2:] for word in words if len(word) > 2 and word[1].isdigit()}


def as_json(command, *argv):
    """Exit code, and (run, seed) to its status."""
    code, out, _ = command('status', *argv, '--json')
    return code, {
        (line['run'], line['seed']): line for group in json.loads(out).values() for line in group
    }


def test_matrix_of_states(project, command):
    project.train('base', 0, 0.7)
    project.train('base', 1, exit_code=1, last=3, last_error='ValueError: no such crop')
    project.train('full', 0, exit_code=None, last=5)
    code, out, _ = command('status', 'demo')
    assert code == 1
    assert out.startswith('demo: 1 failed, 1 finished, 1 killed, 1 missing\n')
    found = lines(out)
    assert found['base', '0'] == ['finished', '8/8', '100%', 'test/acc/top1', '0.7']
    assert found['base', '1'] == ['failed', '3/8', '38%', 'train/loss', '0.6667']
    assert found['full', '0'][:5] == ['killed', '5/8', '62%', 'val/acc/top1', '0.25']
    assert found['full', '1'] == ['missing']
    assert '    ended with exit code 1: ValueError: no such crop' in out.splitlines()
    assert '    killed at iteration 5' in out.splitlines()


def test_a_living_run_is_running_and_a_killed_one_is_killed(project, command, hold):
    """A process holds the folder, then is really killed."""
    folder = project.train('full', 0, exit_code=None, last=3)
    holder = hold(folder)
    code, found = as_json(command, 'demo')
    running = found['full', 0]
    assert code == 0 and running['state'] == 'running'
    # 5 of 8 iterations at half a second each
    assert running['progress']['seconds_left'] == 2.5
    assert 44 < running['progress']['heartbeat_age'] < 100
    assert (running['progress']['iteration'], running['progress']['total']) == (3, 8)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    code, found = as_json(command, 'demo')
    assert code == 1 and found['full', 0]['state'] == 'killed'
    assert found['full', 0]['progress']['seconds_left'] is None


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
def test_a_damaged_log_is_a_problem(project, command, target):
    folder = project.train('full', 0, 0.75)
    (folder / 'metrics.jsonl').write_bytes(
        (folder / 'metrics.jsonl').read_bytes().replace(b'0.5', b'0.6', 1)
    )
    code, found = as_json(command, target)
    assert (code, found['full' if target == 'demo' else 'demo/full', 0]['state']) == (
        1,
        'untrusted',
    )


@pytest.mark.parametrize('lives', ['seed0', 'test'])
def test_the_living_of_two_runs_of_a_row_is_shown(project, command, hold, lives):
    """A training that died, and the test of it, or the other way round."""
    training = project.train('full', 0, exit_code=None, last=3)
    test = project.folder('full', 0).with_name('test')
    shutil.copytree(training, test)
    project.change(test, job_type='test')
    hold(training if lives == 'seed0' else test)
    code, found = as_json(command, 'demo')
    assert (code, found['full', 0]['state']) == (0, 'running')
    assert found['full', 0]['folder'] == f'demo/full/{lives}'


def test_stale_conflict_and_finished_without_result(project, command):
    project.train('base', 0)
    project.log(project.folder('base', 0), 8)
    project.folder('base', 0).joinpath('results/1-8.json').unlink()
    folder = project.train('full', 0, 0.75)
    content = json.loads((folder / 'results/1-8.json').read_text())
    content['metrics']['test/acc/top1'] = 0.5
    (folder / 'results/1-8-2.json').write_text(json.dumps(content))
    code, found = as_json(command, 'demo')
    assert code == 1
    assert found['base', 0]['state'] == 'no result'
    assert found['full', 0]['state'] == 'conflict' and '0.75' in found['full', 0]['reason']
    project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=32)\n")
    code, found = as_json(command, 'demo')
    assert code == 0 and found['full', 0]['state'] == 'stale'


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
def test_a_result_that_is_no_number_is_a_failure(project, command, target):
    project.train('full', 0, float('nan'))
    code, found = as_json(command, target)
    line = found['full' if target == 'demo' else 'demo/full', 0]
    assert (code, line['state'], line['reason']) == (1, 'diverged', 'test/acc/top1 is nan')
    _, out, _ = command('status', target)
    assert '    test/acc/top1 is nan' in out.splitlines()


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
def test_a_training_that_diverged(project, command, target):
    project.train('full', 0, exit_code=3, last_error=str(Diverged('no loss')), last=5)
    code, found = as_json(command, target)
    line = found['full' if target == 'demo' else 'demo/full', 0]
    assert (code, line['state']) == (1, 'diverged')
    assert line['reason'] == 'ended with exit code 3: training diverged: no loss'
    _, out, _ = command('plan', 'demo', '--missing')
    assert 'it would diverge again' in ' '.join(out.split())


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
@pytest.mark.parametrize('end', [dict(exit_code=0), dict(exit_code=None, end=None)])
def test_a_training_without_a_test_whose_last_loss_is_not_finite(project, command, target, end):
    folder = project.train('full', 0, exit_code=1, last=7)
    (attempt,) = json.loads((folder / 'run.json').read_text())['attempts']
    project.change(folder, attempts=[dict(attempt, **end)])
    with open(folder / 'metrics.jsonl', 'ab') as file:
        file.write(encode_row(MetricsRow(1, 'train', 8, 2, 1.7e9, {'train/loss': float('nan')})))
    code, found = as_json(command, target)
    line = found['full' if target == 'demo' else 'demo/full', 0]
    assert (code, line['state'], line['reason']) == (
        1,
        'diverged',
        'the last loss of training is nan',
    )
    _, out, _ = command('plan', 'demo', '--missing')
    assert 'it would diverge again' in ' '.join(out.split())


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
def test_a_test_whose_scores_are_not_finite(project, command, target):
    path = project.train('full', 0, 0.25) / 'results/1-8.json'
    content = json.loads(path.read_text())
    content['metrics']['test/nonfinite_samples'] = 7
    path.write_text(json.dumps(content))
    code, found = as_json(command, target)
    line = found['full' if target == 'demo' else 'demo/full', 0]
    assert (code, line['state'], line['reason']) == (
        1,
        'diverged',
        'the scores of 7 test samples are not finite',
    )


@pytest.mark.parametrize('target', ['demo', 'work_dirs'])
def test_a_run_that_was_stopped_by_a_signal(project, command, target):
    project.train('full', 0, exit_code=143, signal='SIGTERM', last=5)
    code, found = as_json(command, target)
    line = found['full' if target == 'demo' else 'demo/full', 0]
    assert (code, line['state']) == (0, 'stopped')
    assert line['progress']['error'] == 'ended by SIGTERM'
    assert line['reason'] == 'stopped by SIGTERM'


def test_a_folder_of_runs_needs_no_table(project, command):
    project.train('full', 0, 0.75)
    folder = project.train('full', 1, exit_code=2, last=4, last_error='InputError: no list')
    code, out, _ = command('status', folder.parent)
    assert code == 1 and out.startswith(f'{folder.parent}: 1 failed, 1 finished\n')
    assert lines(out)['demo/full', '0'] == ['finished', '8/8', '100%', 'test/acc/top1', '0.75']
    code, found = as_json(command, project.folder('full', 0))
    assert code == 0 and list(found) == [('demo/full', 0)]


def test_without_arguments_only_tables_with_runs_are_shown(project, command):
    code, out, _ = command('status')
    assert code == 0 and 'no table has a run yet' in out
    project.train('full', 0)
    _, out, _ = command('status')
    assert out.startswith('demo: 1 finished, 3 missing\n')


def test_watch_ends_when_nothing_runs(project, command, hold, monkeypatch):
    holder = hold(project.train('full', 0, exit_code=None, last=3))
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        holder.kill()
        holder.wait()

    monkeypatch.setattr('time.sleep', sleep)
    code, out, _ = command('status', 'demo', '--watch', '7')
    assert code == 1 and slept == [7]
    assert 'demo: 3 missing, 1 running' in out and 'demo: 1 killed, 3 missing' in out
    assert '\x1b' not in out


def test_names_cannot_paint_the_terminal(project, command, markup):
    project.train('full', 0, exit_code=1, last_error=markup, config=markup)
    _, out, _ = command('status', project.runs)
    assert 'red <script>alert(1)</script> next' in out
    assert not {'\x1b', '\x07', '\u202e'} & set(out)


def test_lines_fit_the_terminal(project, command, monkeypatch):
    project.train('full', 0, exit_code=1, last_error='long ' * 60, config='deep/' * 40 + 'full')
    _, whole, _ = command('status', project.runs)
    assert 'deep/' * 40 + 'full' in whole and '…' not in whole
    monkeypatch.setattr('sys.stdout.isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '100')
    monkeypatch.setenv('TERM', 'dumb')
    _, out, _ = command('status', project.runs)
    assert max(map(len, out.splitlines())) <= 100


ODD = (0, -1, True, 10**400, 1.5, math.nan, math.inf, 'x', None, [], {})


@pytest.mark.parametrize('odd', ODD, ids=lambda odd: str(odd)[:5])
def test_odd_numbers_in_a_record_are_as_good_as_none(odd):
    attempt = Attempt(
        path='path',
        start_time=1.0,
        host='host',
        commit='commit',
        last_iter=8,
        exit_code=None,
        corrupt=False,
        truncated=False,
    )
    recipe = dict(train_cfg=dict(max_epochs=2), train_dataloader=dict(batch_size=4))
    facts = dict(
        recipe=recipe,
        data=dict(train=dict(num_samples=16)),
        heartbeat=HeartbeatFile.model_construct(iter=odd),
        rows={'train': [{'iter': 8, 'epoch': odd, 'train/time': odd}]},
    )
    for change in (
        {},
        dict(recipe=dict(recipe, train_cfg=odd)),
        dict(data=dict(train=dict(num_samples=odd))),
        dict(recipe=dict(recipe, train_cfg=dict(max_epochs=odd))),
        dict(recipe=dict(recipe, train_dataloader=odd)),
        dict(heartbeat=HeartbeatFile.model_construct(time=odd)),
        dict(recipe=dict(recipe, train_dataloader=dict(batch_size=odd))),
    ):
        record = RunRecord(
            'uid', 'train', attempts=(attempt,), state='running', **{**facts, **change}
        )
        found = progress(record, schedule_of(record))
        assert found.iteration == 8 and found.total in (None, 8) and found.fraction in (None, 1, 0)
        assert describe('title', [RunStatus('run', 0, 'running', progress=found)])


def test_runs_of_no_table_are_named_once(project, command, hold, monkeypatch):
    project.write('configs/demo/gone.py', project.config('full').read_text())
    project.train('gone', 5)
    project.config('gone').unlink()
    holder = hold(project.train('full', 0, exit_code=None, last=3))
    monkeypatch.setattr('time.sleep', lambda seconds: (holder.kill(), holder.wait()))
    _, out, err = command('status', '--watch', '7')
    assert 'demo: 1 killed, 3 missing' in out
    assert err == (
        'note: 1 run belongs to no row of any table and no config below configs: '
        'demo/gone seed 5\n'
    )
    assert command('status', 'demo')[2] == ''  # there may be a row in another table
