"""tools/train.py and test.py as a user runs them: real videos, real kills, real processes."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
import torch
from disks import small_disk
from nested import assert_equal
from tool_runs import main_of, make_place, run_tool, start_tool

from mmaction_ext import compat
from mmaction_ext.cli import main
from mmaction_ext.evaluation.predictions import read_predictions
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tracking.identity import config_hash, load_config
from mmaction_ext.tracking.ledger.format import decode_row
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.writing.hooks import file_sha256

compat.apply()
pytestmark = pytest.mark.slow
make_tables = main_of('tables')

TABLE = """
id: tiny
caption: What three epochs give
seeds: [0]
select: {policy: last}
split: test
columns:
  - {key: params, head: Params, from: static.params, fmt: .0f}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .2f, best: max}
  - {key: pair, head: Within-pair, from: test/motion/within_pair, scale: 100, fmt: .2f}
rows:
  - {id: row, label: Row, config: row.py, reference: true}
"""


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_values(record):
    """Metrics of the run's one evaluation on the test split."""
    (evaluation,) = record.evaluations
    return {
        key: value
        for key, value in evaluation.values.items()
        if key.startswith('test/') and not key.endswith('time')
    }


test_values.__test__ = False


def only(records):
    (record,) = records
    return record


def read_ledger(folder):
    """What lies in a run's folder: ``run.json``, the rows of metrics and the results."""
    lines = (folder / 'metrics.jsonl').read_bytes().splitlines()
    results = [json.loads(file.read_text()) for file in sorted(folder.glob('results/*.json'))]
    run = json.loads((folder / 'run.json').read_text())
    return SimpleNamespace(
        run=run, attempts=run['attempts'], rows=list(map(decode_row, lines)), results=results
    )


def iterations(ledger, attempt, phase='train'):
    return [row.iter for row in ledger.rows if (row.attempt, row.phase) == (attempt, phase)]


def start(place, *args):
    """Start training; wait with :func:`wait_for` for it to get somewhere."""
    return start_tool(
        'train.py',
        place.config,
        *args,
        cwd=place.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for(process, iteration):
    """Read what training says until it has logged an iteration."""
    epoch, batch = divmod(iteration - 1, 6)
    for line in process.stdout:
        if re.search(rf'Epoch\(train\) +\[{epoch + 1}\]\[ *{batch + 1}/6\]', line):
            return
    raise AssertionError(f'training ended before iteration {iteration}')


def counted(folder):
    """A line of a config that leaves a mark in ``folder`` whenever the config is read."""
    return f"__mark = open({str(folder / 'read')!r}, 'a').write('x')\n"


def test_run_lies_where_its_config_says_and_is_read_back(trained):
    record = only(find_runs(trained.path / 'work_dirs'))
    assert (record.config, record.seed) == ('tiny/row', 0)
    assert record.config_hash == config_hash(load_config(trained.config))
    assert record.complexity['params'] > 3e5 and record.complexity['macs'] > 1e7
    assert (trained.run / 'epoch_3.pth').exists()
    values = test_values(record)
    assert values['test/num_samples'] == 24
    assert 0 <= values['test/acc/top1'] <= 1 and 0 <= values['test/motion/within_pair'] <= 1
    assert len(record.rows['train']) == 18 and len(record.rows['val']) == 3
    assert all('iter' in row and 'epoch' in row for rows in record.rows.values() for row in rows)


def test_test_row_names_the_checkpoint_file(trained):
    values = test_values(only(find_runs(trained.path / 'work_dirs')))
    assert values['test/checkpoint_sha256'] == file_sha256(trained.run / 'epoch_3.pth')


def test_ledger_of_a_run_tells_all(trained):
    ledger = read_ledger(trained.run)
    record = only(find_runs(trained.path / 'work_dirs'))
    assert (ledger.run['uid'], ledger.run['config_hash'], ledger.run['job_type']) == (
        record.uid,
        record.config_hash,
        'train',
    )
    assert ledger.run['data']['test']['num_samples'] == 24
    assert ledger.run['static']['macs'] == record.complexity['macs']
    attempt = ledger.attempts[0]
    assert (attempt['number'], attempt['exit_code'], attempt['signal']) == (1, 0, None)
    assert attempt['resumed_from_iter'] == 0 and attempt['start'] < attempt['end']
    assert attempt['wandb'].endswith(f'run-{record.uid}.wandb')
    assert (trained.run / attempt['wandb']).is_file()
    assert iterations(ledger, 1) == list(range(1, 19))
    assert iterations(ledger, 1, 'val') == [6, 12, 18]
    beat = json.loads((trained.run / 'heartbeat').read_text())
    assert (beat['iter'], beat['pid']) in ((17, attempt['pid']), (18, attempt['pid']))


def test_the_wandb_log_alone_tells_of_code_and_data_as_the_ledger_does(trained):
    [ledger], [wandb] = (
        find_runs(trained.path / 'work_dirs', source=source) for source in ('ledger', 'wandb')
    )
    assert (wandb.read_from, ledger.read_from) == (('wandb-offline',), ('ledger',))
    assert wandb.code == ledger.code and 'mmaction_ext/modules/dcf.py' in wandb.code
    assert wandb.data == ledger.data and wandb.data['test']['num_samples'] == 24


def test_result_of_the_test_names_checkpoint_protocol_and_predictions(trained):
    ledger = read_ledger(trained.run)
    result, values = ledger.results[0], test_values(only(find_runs(trained.path / 'work_dirs')))
    assert result['checkpoint'] == dict(
        path='epoch_3.pth', sha256=file_sha256(trained.run / 'epoch_3.pth')
    )
    assert result['predictions'] == dict(
        path='predictions.npz', sha256=file_sha256(trained.run / 'predictions.npz')
    )
    assert result['protocol'] == dict(
        split='test',
        clip_len=8,
        frame_interval=None,
        num_clips=1,
        num_crops=1,
        resolution=[64, 64],
    )
    assert (result['num_samples'], result['data_digest'], result['iter'], result['epoch']) == (
        24,
        values['test/data_digest'],
        18,
        3,
    )
    assert {name: values[name] for name in result['metrics']} == result['metrics']
    assert 'test/acc/top1' in result['metrics']
    row = next(row for row in ledger.rows if row.phase == 'test')
    assert {name: row.metrics[name] for name in values} == values


def test_predictions_of_the_test_lie_beside_the_run(trained):
    found = read_predictions(trained.run / 'predictions.npz')
    values = test_values(only(find_runs(trained.path / 'work_dirs')))
    assert (found.scores.argmax(1) == found.labels).mean() == values['test/acc/top1']
    assert found.scores.shape == (24, 12) and abs(found.scores.sum(1) - 1).max() < 1e-5
    assert found.meta['config_hash'] == config_hash(load_config(trained.config))
    for name in ('data_digest', 'checkpoint_sha256'):
        assert found.meta[name] == values[f'test/{name}']
    assert (
        found.meta['config'],
        found.meta['seed'],
        found.meta['overrides'],
        found.meta['epoch'],
    ) == ('tiny/row', 0, {}, 3)


def tables_and_state(place, monkeypatch, capsys):
    """Bytes of the run's table in every format, and the state of the run.

    The only facts in them that differ between two runs of one config are their ids and the digests
    of their checkpoints.
    """
    (place.config.parent / 'table.yaml').write_text(TABLE)
    monkeypatch.chdir(place.path)
    out = place.path.with_name(f'{place.path.name}_tables')
    assert make_tables(['--out', str(out), '--forget', '--formats', *RENDERERS]) == 0
    capsys.readouterr()
    main(['status', 'tiny', '--json'])
    [[line]] = json.loads(capsys.readouterr().out).values()
    uid = only(find_runs(place.path / 'work_dirs')).uid.encode()
    files = {name: (out / f'tiny.{name}').read_bytes().replace(uid, b'uid') for name in RENDERERS}
    final = place.run / 'epoch_3.pth'
    if final.exists():
        digest = file_sha256(final).encode()
        assert digest in files['json']
        files['json'] = files['json'].replace(digest, b'digest')
    return files, line['state']


#: signals, and the exit codes of training that gets them
SIGNALS = {
    signal.SIGKILL: -signal.SIGKILL,
    signal.SIGTERM: -signal.SIGTERM,
    signal.SIGUSR1: 75,
    signal.SIGINT: 130,
}


def interrupt(place, signum, last, luck, *args):
    """Train until an iteration, then send a signal to all processes; what was logged."""
    process = start(place, '--checkpoint-interval', 2, *args)
    wait_for(process, last)
    time.sleep(luck.random() / 4)
    os.killpg(process.pid, signum)
    process.stdout.read()
    assert process.wait(60) == SIGNALS[signum]
    assert not (place.run / 'results').exists()
    ledger = read_ledger(place.run)
    assert max(iterations(ledger, len(ledger.attempts))) >= last
    return ledger


def test_interrupted_and_resumed_run_equals_the_uninterrupted_one(
    trained, place, monkeypatch, capsys
):
    luck, last = random.Random(1), 0
    for number, signum in enumerate(SIGNALS):
        last += luck.randint(1, 3)
        before = interrupt(place, signum, last, luck, *['--resume'] * (number > 0))
        last = max(iterations(before, number + 1))
        _, state = tables_and_state(place, monkeypatch, capsys)
        assert state == ('killed' if signum == signal.SIGKILL else 'stopped')
    done = run_tool('train.py', place.config, '--resume', cwd=place.path)
    assert done.returncode == 0, done.stderr[-2000:]
    check_attempts(place, before)
    assert sorted(path.name for path in place.run.glob('*.pth')) == ['epoch_2.pth', 'epoch_3.pth']
    for name in ('epoch_2.pth', 'epoch_3.pth'):
        ours, theirs = (
            torch.load(each.run / name, weights_only=True) for each in (place, trained)
        )
        for key in ('state_dict', 'optimizer', 'param_schedulers', 'training_state'):
            assert_equal(ours[key], theirs[key], key)
    record, expected = (only(find_runs(each.path / 'work_dirs')) for each in (place, trained))
    assert len(record.attempts) == len(SIGNALS) + 1
    for phase, metric in (('train', 'train/loss'), ('val', 'val/acc/top1')):
        curves = [
            [(row['iter'], row['epoch'], row[metric]) for row in each.rows[phase]]
            for each in (record, expected)
        ]
        assert curves[0] == curves[1]
    assert [row['iter'] for row in record.rows['train']] == list(range(1, 19))
    got, want = test_values(record), test_values(expected)
    got.pop('test/checkpoint_sha256'), want.pop('test/checkpoint_sha256')
    assert got == want
    (ours, state), (theirs, _) = (
        tables_and_state(each, monkeypatch, capsys) for each in (place, trained)
    )
    assert state == 'finished' and ours == theirs


def test_warning_to_whoever_started_two_processes_stops_both_and_one_goes_on(trained, place):
    process = start(place, '--gpus', 2)
    wait_for(process, 8)
    os.kill(process.pid, signal.SIGUSR1)
    said = process.stdout.read()
    assert process.wait(60) == 75, said[-2000:]
    entry = only(read_ledger(place.run).attempts)
    assert (entry['exit_code'], entry['signal'], entry['world_size']) == (75, 'SIGUSR1', 2)
    checkpoint = only(place.run.glob('iter_*.pth'))
    reached = int(checkpoint.stem.removeprefix('iter_'))
    assert f'stopped on SIGUSR1 at iteration {reached}; --resume goes on from' in said
    damaged = bytearray(checkpoint.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    checkpoint.write_bytes(damaged)
    done = run_tool('train.py', place.config, '--resume', cwd=place.path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f'{checkpoint.name} is damaged and is passed over' in done.stdout
    assert [entry['resumed_from_iter'] for entry in read_ledger(place.run).attempts] == [0, 6]
    assert not list(place.run.glob('iter_*.pth'))
    losses = [
        [row['train/loss'] for row in only(find_runs(each.path / 'work_dirs')).rows['train']]
        for each in (place, trained)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_config_that_was_edited_in_the_queue_is_refused(place):
    digest = config_hash(load_config(place.config))
    done = run_tool('train.py', place.config, '--config-hash', '0' * 16, cwd=place.path)
    line = errors(done)
    assert f'has the hash {digest}, not {"0" * 16}: it was changed since' in line
    line = errors(
        run_tool(
            'train.py',
            place.config,
            '--config-hash',
            digest,
            '--checkpoint-interval',
            'often',
            cwd=place.path,
        )
    )
    assert 'the interval of checkpoints must be iterations' in line and "'often'" in line
    line = errors(
        run_tool('train.py', place.config, '--no-validate', '--keep-best', 'x', cwd=place.path)
    )
    assert '--keep-best x' in line and 'is not validated' in line
    assert not place.run.exists()


def check_attempts(place, before):
    """The ledger of a resumed run against what it was after it was interrupted last."""
    ledger = read_ledger(place.run)
    *interrupted, last = ledger.attempts
    assert interrupted == before.attempts and ledger.rows[: len(before.rows)] == before.rows
    told = [(None, None), (143, 'SIGTERM'), (75, 'SIGUSR1'), (130, 'SIGINT')]
    assert [(entry['exit_code'], entry['signal']) for entry in interrupted] == told
    assert [entry['end'] is not None for entry in interrupted] == [False, True, True, True]
    assert (last['exit_code'], last['number']) == (0, len(SIGNALS) + 1)
    reached = 0
    for entry in ledger.attempts:
        logged, resumed = iterations(ledger, entry['number']), entry['resumed_from_iter'] or 0
        # a kill loses the steps since the last checkpoint, which comes after its iteration's row
        assert reached - 2 <= resumed <= reached if entry['number'] == 2 else resumed == reached
        assert logged == list(range(resumed + 1, resumed + 1 + len(logged)))
        reached = logged[-1]
    assert reached == 18
    assert [(result['attempt'], result['iter']) for result in ledger.results] == [
        (last['number'], 18)
    ]


def test_weights_to_start_from_are_needed_only_to_start(trained, place):
    gone = place.path / 'gone.pth'
    place.config.write_text(
        place.config.read_text()
        + f"model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{gone}')))\n"
    )
    line = errors(run_tool('train.py', place.config, '--resume', cwd=place.path))
    assert f'{place.config} starts from {gone}, which does not exist' in line
    backbone = {
        name.removeprefix('backbone.'): value
        for name, value in weights(trained.run / 'epoch_3.pth').items()
    }
    torch.save(backbone, gone)
    for _ in range(2):
        done = run_tool('train.py', place.config, '--resume', '--no-test', cwd=place.path)
        assert done.returncode == 0, done.stderr[-2000:]
        gone.unlink(missing_ok=True)
        (place.run / 'epoch_3.pth').unlink()


def test_resuming_a_finished_run_trains_nothing_more(trained):
    before = (trained.run / 'epoch_3.pth').stat().st_mtime_ns
    results = sorted((trained.run / 'results').iterdir())
    done = run_tool('train.py', trained.config, '--resume', cwd=trained.path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not re.search(r'Epoch\((train|val|test)\)', done.stdout)
    assert 'epoch_3.pth has been tested' in done.stdout
    assert sorted((trained.run / 'results').iterdir()) == results
    assert (trained.run / 'epoch_3.pth').stat().st_mtime_ns == before


@pytest.mark.parametrize('processes', [1, 2])
def test_evaluation_gives_the_same_metrics_on_any_number_of_processes(
    trained, tmp_path, processes
):
    folder = tmp_path / 'test'
    checkpoint, options = trained.run / 'epoch_3.pth', ['--work-dir', folder]
    if processes == 1:
        done = run_tool(
            'test.py', trained.config, checkpoint, *options, cwd=trained.path, processes=1
        )
    else:
        done = run_tool(
            'dist_test.sh', trained.config, checkpoint, processes, *options, cwd=trained.path
        )
    assert done.returncode == 0, done.stderr[-2000:]
    record = only(find_runs(folder))
    assert record.job_type == 'test'
    ledger = read_ledger(folder)
    assert (ledger.run['job_type'], ledger.attempts[0]['exit_code']) == ('test', 0)
    assert (len(ledger.attempts), ledger.attempts[0]['world_size']) == (1, processes)
    assert len(ledger.rows) == 1 and only(ledger.results)['iter'] == 18
    assert (folder / only(ledger.results)['checkpoint']['path']).samefile(
        trained.run / 'epoch_3.pth'
    )
    got = test_values(record)
    want = test_values(only(find_runs(trained.path / 'work_dirs')))
    assert got.pop('test/checkpoint_sha256') == want.pop('test/checkpoint_sha256')
    assert got == pytest.approx(want, abs=1e-6)
    ours, theirs = (read_predictions(path / 'predictions.npz') for path in (folder, trained.run))
    assert ours.meta == theirs.meta and ours.names.tolist() == theirs.names.tolist()
    assert abs(ours.scores - theirs.scores).max() < 1e-5


def test_two_processes_train_what_one_trains(trained, tmp_path):
    """Same clips, same batch statistics: only the order of summation differs."""
    folder = tmp_path / 'two'
    done = run_tool(
        'train.py', trained.config, '--work-dir', folder, cwd=trained.path, processes=2
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    one, two = only(find_runs(trained.path / 'work_dirs')), only(find_runs(folder))
    assert one.config_hash == two.config_hash and one.uid != two.uid
    ledger = read_ledger(folder)
    assert only(ledger.attempts)['world_size'] == 2 and len(ledger.results) == 1
    assert iterations(ledger, 1) == list(range(1, 19))
    losses = [[row['train/loss'] for row in record.rows['train']] for record in (one, two)]
    assert losses[1][:6] == pytest.approx(losses[0][:6], rel=1e-3)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)  # AdamW amplifies rounding
    values = [test_values(record) for record in (one, two)]
    assert values[0].keys() == values[1].keys()
    assert values[0]['test/data_digest'] == values[1]['test/data_digest']
    for key in ('test/acc/top1', 'test/acc/top5', 'test/motion/within_pair'):
        assert values[1][key] == pytest.approx(values[0][key], abs=2.5 / 24), key


def test_error_of_the_second_process_is_named(place, small_data):
    """Rank 1 of two reads every second clip; what it cannot read must not end in silence."""
    data = place.path / 'copy'
    shutil.copytree(small_data, data)
    (place.path / 'data/synthmotion').unlink()
    (place.path / 'data/synthmotion').symlink_to(data)
    victim = data / 'videos' / (data / 'val.txt').read_text().splitlines()[1].split()[0]
    victim.write_bytes(b'damaged' * 10)
    done = run_tool('dist_train.sh', place.config, 2, cwd=place.path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert any('rank 1' in line and victim.name in line for line in lines), done.stderr[-2000:]


def test_pretrained_weights_of_the_config_survive_resume_without_checkpoint(trained, place):
    place.config.write_text(
        place.config.read_text()
        + f"load_from = '{trained.run / 'epoch_3.pth'}'\n"
        + "visualizer = dict(_delete_=True, type='Visualizer')\n"
        + 'train_cfg.update(max_epochs=1)\n'
        + counted(place.path)
    )
    done = run_tool(
        'train.py', place.config, '--resume', '--no-validate', '--no-test', cwd=place.path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (place.path / 'read').read_text() == 'x', 'a config is read once in a run'
    ledger = read_ledger(place.run)  # which is there without W&B
    assert ledger.run['initial_checkpoint']['sha256'] == file_sha256(trained.run / 'epoch_3.pth')
    assert ledger.attempts[0]['wandb'] is None and len(ledger.rows) == 6
    first, fresh = (
        each.rows[0].metrics['train/loss'] for each in (ledger, read_ledger(trained.run))
    )
    assert abs(first - fresh) > 1e-3


def test_checkpoint_of_another_config_is_not_resumed_from(trained, place):
    place.config.write_text(place.config.read_text() + 'edited = True\n')
    done = run_tool(
        'train.py', place.config, '--resume', trained.run / 'epoch_3.pth', cwd=place.path
    )
    assert 'epoch_3.pth was trained with another config' in errors(done)
    done = run_tool('train.py', place.config, '--resume', 'gone.pth', cwd=place.path)
    assert 'gone.pth cannot be read' in errors(done)


def test_overridden_recipe_trains_in_a_folder_of_its_own(place):
    done = run_tool(
        'train.py',
        place.config,
        '--no-validate',
        '--no-test',
        '--cfg-options',
        'train_cfg.max_epochs=1',
        cwd=place.path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    record = only(find_runs(place.path / 'work_dirs'))
    assert record.overrides == {'train_cfg.max_epochs': 1}
    assert not place.run.exists()  # the row's own folder is left alone


def errors(done):
    assert done.returncode == 2, done.stdout[-1000:] + done.stderr[-1000:]
    assert 'Traceback' not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert 'Epoch(train)' not in done.stdout
    return line


@pytest.mark.parametrize(
    'options, words',
    [
        (['model.backbone.stages=(2,9)'], ['row.py', '9']),
        (
            ['model.backbone.stages=(2,3)', 'model.backbone.backbone.type=timm.no_such_net'],
            ['row.py', 'no_such_net'],
        ),
        (['model.backbone.num_segments=1'], ['row.py', '1']),
        (['train_dataloader.dataset.ann_file=gone.txt'], ['gone.txt']),
        (['global_batch_size=0'], ['0']),
        (['model.cls_head.in_channels=7'], ['row.py']),
        (['model.cls_head.type=NoHead'], ['row.py', 'NoHead']),
    ],
)
def test_what_cannot_work_is_said_in_one_line(place, options, words):
    done = run_tool('train.py', place.config, '--cfg-options', *options, cwd=place.path)
    line = errors(done)
    assert all(word in line for word in words), line


def test_unwritable_folder_is_said_in_one_line(place):
    (place.path / 'file').touch()
    done = run_tool('train.py', place.config, '--work-dir', 'file/run', cwd=place.path)
    assert 'file/run cannot be written' in errors(done)


def test_config_that_only_tests_is_said_in_one_line(place):
    place.config.write_text("model = dict(type='Recognizer2D')\ntest_cfg = dict()\n")
    line = errors(run_tool('train.py', place.config, cwd=place.path))
    assert f'{place.config} cannot be trained: it has no train_dataloader' in line


def test_config_with_the_weights_of_another_is_not_trained(place):
    path = place.config.with_name('two_clips.py')
    path.write_text("_base_ = './row.py'\nweights_of = 'row.py'\n")
    line = errors(run_tool('train.py', path, cwd=place.path))
    assert 'has the weights of row.py' in line and f'mmaction-ext test {path}' in line


def test_checkpoint_that_is_not_there_yet_is_said_in_one_line(place):
    path = place.config.with_name('two_clips.py')
    path.write_text("_base_ = './row.py'\nweights_of = 'row.py'\n")
    line = errors(run_tool('test.py', path, '--seed', 3, cwd=place.path))
    assert 'work_dirs/tiny/row/seed3 holds no readable checkpoint' in line
    assert f'mmaction-ext train {place.config} --seed 3' in line


def test_missing_config_is_said_in_one_line(place):
    assert 'gone.py does not exist' in errors(run_tool('train.py', 'gone.py', cwd=place.path))


def test_checkpoint_that_does_not_fit_is_said_in_one_line(trained):
    done = run_tool(
        'test.py',
        trained.config,
        trained.run / 'epoch_3.pth',
        '--cfg-options',
        'model.backbone.module.window=3',
        cwd=trained.path,
    )
    assert 'epoch_3.pth' in errors(done)


def test_video_that_breaks_in_mid_training_is_named_and_loses_nothing(tmp_path, small_data):
    data = tmp_path / 'copy'
    shutil.copytree(small_data, data)
    place = make_place(tmp_path, data)
    victim = data / 'videos' / (data / 'val.txt').read_text().split()[0]
    victim.write_bytes(b'damaged' * 10)
    done = run_tool('train.py', place.config, cwd=place.path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert 'cannot be decoded' in line and victim.name in line
    assert (place.run / 'epoch_1.pth').exists()
    attempt = only(read_ledger(place.run).attempts)
    assert (attempt['exit_code'], f'error: {attempt["last_error"]}') == (2, line)


def test_unforeseen_error_is_recorded(place):
    done = run_tool(
        'train.py', place.config, '--cfg-options', 'randomness.no_such_thing=1', cwd=place.path
    )
    assert done.returncode == 1 and 'Traceback' in done.stderr
    folder = only(place.run.parent.iterdir())
    attempt = only(json.loads((folder / 'run.json').read_text())['attempts'])
    assert attempt['exit_code'] == 1 and attempt['end'] > attempt['start']
    assert (
        attempt['last_error'].startswith('TypeError: ')
        and 'no_such_thing' in attempt['last_error']
    )


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 MB."""
    with small_disk(tmp_path, '64m') as path:
        yield path


def test_full_disk_stops_training_and_loses_nothing(trained, place, disk):
    folder = disk / 'run'
    process = start(place, '--work-dir', folder)
    wait_for(process, 8)
    with open(disk / 'ballast', 'wb', buffering=0) as ballast:
        with pytest.raises(OSError, match='No space left'):
            while ballast.write(bytes(4096)):
                pass
    said = process.stdout.read()
    assert process.wait(60) == 2, said[-2000:]
    assert f'error: the disk of {folder} is full; free some and use --resume' in said
    first = read_ledger(folder)
    reached, attempt = iterations(first, 1), only(first.attempts)
    assert reached == list(range(1, len(reached) + 1)) and len(reached) >= 8
    assert attempt['exit_code'] == 2 and 'No space left on device' in attempt['last_error']
    (disk / 'ballast').unlink()
    done = run_tool('train.py', place.config, '--work-dir', folder, '--resume', cwd=place.path)
    assert done.returncode == 0, done.stderr[-2000:]
    ledger = read_ledger(folder)
    assert ledger.rows[: len(first.rows)] == first.rows and len(ledger.attempts) == 2
    assert iterations(ledger, 2) == list(range(7, 19))
    ours, theirs = weights(folder / 'epoch_3.pth'), weights(trained.run / 'epoch_3.pth')
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_unreadable_videos_are_replaced_on_demand_named_and_counted(tmp_path, small_data):
    data = tmp_path / 'copy'
    shutil.copytree(small_data, data)
    place = make_place(tmp_path, data)
    place.config.write_text(
        place.config.read_text()
        + """
train_dataloader = dict(
    num_workers=1, dataset=dict(type='GuardedVideoDataset', on_error='replace'))
"""
    )
    names = [line.split()[0] for line in (data / 'train.txt').read_text().splitlines()]
    (data / 'videos' / names[3]).write_bytes(b'damaged' * 10)
    (data / 'videos' / names[8]).unlink()
    for processes in (1, 2):
        folder = tmp_path / f'run{processes}'
        done = run_tool(
            'train.py',
            place.config,
            '--work-dir',
            folder,
            '--no-validate',
            '--no-test',
            cwd=place.path,
            processes=processes,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        record = only(find_runs(folder))
        counts = [
            row['train/replaced_samples']
            for row in record.rows['train']
            if 'train/replaced_samples' in row
        ]
        assert counts == [2, 2, 2] and len(record.rows['train']) == 18
        for name in (names[3], names[8]):
            said = [
                line
                for line in (done.stdout + done.stderr).splitlines()
                if 'replaced by another sample' in line and name in line
            ]
            assert said


def test_checkpoint_of_an_edited_config_fills_no_cell(trained, tmp_path):
    config = tmp_path / 'configs' / 'tiny' / 'row.py'
    config.parent.mkdir(parents=True)
    config.write_text(trained.config.read_text() + 'edited = True\n' + counted(tmp_path))
    done = run_tool(
        'test.py',
        config,
        trained.run / 'epoch_3.pth',
        '--work-dir',
        tmp_path / 'test',
        cwd=trained.path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / 'read').read_text() == 'x', 'a config is read once in a test'
    record = only(find_runs(tmp_path / 'test'))
    assert record.overrides == {'checkpoint_config_hash': config_hash(load_config(trained.config))}


def test_second_process_on_a_folder_is_refused(place):
    first = start(place)
    wait_for(first, 1)
    os.killpg(first.pid, signal.SIGSTOP)  # it must not end before the second one looks
    try:
        before = (place.run / 'run.json').read_bytes()
        line = errors(run_tool('train.py', place.config, cwd=place.path))
        assert 'in use' in line and str(first.pid) in line
        assert len(json.loads(before)['attempts']) == 1
        os.killpg(first.pid, signal.SIGCONT)
        wait_for(first, 3)
        assert {row.attempt for row in read_ledger(place.run).rows} == {1}
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
