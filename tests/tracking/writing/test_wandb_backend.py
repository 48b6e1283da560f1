"""The W&B mirror: offline by default, rows that know their iteration, no way to stop training."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from wandb_logs import records, written_whole

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.ledger.format import decode_row
from mmaction_ext.tracking.ledger.forms import AttemptEntry
from mmaction_ext.tracking.reading.wandb_log import read_log
from mmaction_ext.tracking.writing import wandb_backend
from mmaction_ext.tracking.writing.attempts import read_run_file
from mmaction_ext.tracking.writing.wandb_backend import RunWandbBackend, wandb_mode

RUN = dict(uid='0123456789abcdef', group='paper/table', name='row/seed0')


def backend_code(folder):
    return f"""
from mmaction_ext.tracking.writing.wandb_backend import RunWandbBackend
backend = RunWandbBackend({str(folder)!r}, run={RUN!r}, config=dict(identity=dict(seed=0)))
"""


def run(code, **env):
    clean = {key: value for key, value in os.environ.items() if not key.startswith('WANDB')}
    return subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env=dict(clean, **env),
        timeout=120,
    )


def logs(folder):
    return sorted(Path(folder).glob('wandb/offline-run-*/run-*.wandb'))


def test_mode_follows_the_user(monkeypatch, tmp_path):
    for name in ('WANDB_MODE', 'WANDB_API_KEY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('NETRC', str(tmp_path / 'none'))
    monkeypatch.setenv('HOME', str(tmp_path))
    assert wandb_mode() == 'offline'
    (tmp_path / 'netrc').write_text('machine my.server login user password secret\n')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    assert wandb_mode() == 'offline'
    monkeypatch.setenv('WANDB_BASE_URL', 'https://my.server:8080')
    assert wandb_mode() == 'online'
    (tmp_path / 'wandb').mkdir()
    (tmp_path / 'wandb' / 'settings').write_text('[default]\nmode = offline\n')
    monkeypatch.chdir(tmp_path)
    assert wandb_mode() == 'offline'  # the user said `wandb offline`
    monkeypatch.setenv('WANDB_MODE', 'disabled')
    assert wandb_mode() == 'disabled'


@pytest.mark.slow
def test_without_an_account_a_run_is_offline_and_asks_nothing(tmp_path):
    home = tmp_path / 'home'
    home.mkdir()
    done = run(
        backend_code(tmp_path)
        + """
import numpy as np, torch
backend.add_scalars({'train/loss': torch.tensor(0.5), 'iter': 3, 'epoch': 1}, step=99)
backend.add_scalar('val/acc', np.float32(0.25), step=4)
backend.close()
""",
        HOME=str(home),
        PATH=os.environ['PATH'],
    )
    assert done.returncode == 0, done.stderr
    assert 'login' not in (done.stdout + done.stderr).lower()
    (log,) = logs(tmp_path)
    text = repr(read_log(log))
    assert RUN['uid'] in text and RUN['group'] in text
    assert 'train/loss' in text and 'val/acc' in text


@pytest.mark.slow
def test_signals_are_written_into_the_log(tmp_path):
    """SIGUSR1 announces a preemption and the run goes on; SIGTERM ends it with its code."""
    process = subprocess.Popen(
        [
            sys.executable,
            '-c',
            backend_code(tmp_path)
            + """
import time
for step in range(1000):
    backend.add_scalars({'train/loss': 1.0, 'iter': step, 'epoch': 0})
    if step in (5, 15):
        print('going', flush=True)
    time.sleep(0.05)
""",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == 'going'
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline().strip() == 'going'
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    (path,) = logs(tmp_path)
    log = read_log(written_whole(path))
    assert log.exit_code == 143
    assert [row['iter'] for row in log.history][:16] == list(range(16))
    kinds = [kind for kind, _ in records(path)]
    assert kinds.index('preempting') < kinds.index('exit')


@pytest.mark.slow
def test_sigkill_loses_little_of_the_log(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            '-c',
            backend_code(tmp_path)
            + """
import time
for step in range(10000):
    backend.add_scalars({'train/loss': 1.0, 'iter': step, 'epoch': 0})
    print(step, flush=True)
    time.sleep(0.05)
""",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    while process.stdout.readline().strip() != '20':
        pass
    time.sleep(2.5)  # two flush intervals
    process.kill()
    process.wait()
    (log,) = logs(tmp_path)
    result = read_log(log)
    assert result.exit_code is None
    assert len(result.history) >= 20


FROZEN = """
import os, signal, sys
from mmengine.visualization import Visualizer
from mmaction_ext.tracking.writing import hooks, ledger_backend, wandb_backend
from mmaction_ext.tracking.writing.attempts import RunLedger
wandb_backend.GRACE_SECONDS = wandb_backend.PATIENCE_SECONDS = 1
wandb_backend.TERMINATION_SECONDS = 1, 1
wandb_backend.QUEUE_ROWS, folder, then = int(sys.argv[1]), sys.argv[2], sys.argv[3]
wandb_backend.DRAIN_SECONDS = 60 if then == 'thaw' else 1

def tell_service(signum):
    for thread in os.listdir('/proc/self/task'):
        for child in open(f'/proc/self/task/{thread}/children').read().split():
            print('service', child, flush=True)
            os.kill(int(child), signum)

with RunLedger(folder, dict(uid='u', job_type='train')) as attempt:
    visualizer = Visualizer(name='x', save_dir=folder, vis_backends=[
        dict(type='RunWandbBackend', save_dir=folder, run=dict(uid='u'), config=dict(a=1),
             finish_seconds=1 if then == 'end' else 60),
        dict(type='RunLedgerBackend', save_dir=folder, folder=folder, attempt=attempt.number)])
    visualizer.add_config(None)
    hooks.record_mirror(visualizer, attempt)
    tell_service(signal.SIGSTOP)
    for step in range(3000):
        visualizer.add_scalars({'train/loss': 1 / (step + 1), 'iter': step, 'epoch': 1})
    if then == 'terminate':
        os.kill(os.getpid(), signal.SIGTERM)
    if then == 'thaw':
        tell_service(signal.SIGCONT)
    visualizer.close()
"""


@pytest.fixture
def frozen(tmp_path):
    """Trains while the W&B service stands still: exit code, output, ledger entry, W&B log."""
    services = set()

    def train(capacity, then):
        command = [sys.executable, '-c', FROZEN, str(capacity), str(tmp_path), then]
        with open(tmp_path / 'said', 'w+') as said:  # a pipe would stay open with the service
            code = subprocess.call(command, stdout=said, stderr=said, timeout=300)
            text = said.seek(0) or said.read()
        services.update(re.findall(r'^service (\d+)$', text, re.MULTILINE))
        rows = map(decode_row, (tmp_path / 'metrics.jsonl').read_bytes().splitlines())
        assert [row.iter for row in rows] == list(range(3000)), text
        return code, text, read_run_file(tmp_path)['attempts'][0], logs(tmp_path)[0]

    yield train
    for service in services:  # what nobody wakes any more does not end by itself
        command = Path(f'/proc/{service}/cmdline')
        if command.exists() and b'wandb-core' in command.read_bytes():
            os.kill(int(service), signal.SIGKILL)


@pytest.mark.slow
def test_service_that_stands_still_does_not_keep_training_from_its_end(frozen):
    """Its socket takes some hundred rows before W&B waits for it."""
    code, text, entry, _ = frozen(500, 'end')
    assert code == 0 and text.count('500 rows wait for W&B') == 1, text
    assert (entry['exit_code'], entry['wandb_closed']) == (0, False)
    assert 500 < entry['wandb_rows_missing'] < 3000


@pytest.mark.slow
def test_service_that_stands_still_does_not_keep_a_job_from_being_ended(frozen):
    code, text, entry, _ = frozen(5000, 'terminate')
    assert code == -signal.SIGTERM, text
    assert (entry['exit_code'], entry['wandb_closed']) == (143, False)
    assert 500 < entry['wandb_rows_missing'] < 3000


@pytest.mark.slow
def test_service_that_went_on_has_every_row_in_order(frozen):
    code, text, entry, log = frozen(5000, 'thaw')
    assert code == 0, text
    assert (entry['wandb_closed'], entry['wandb_rows_missing']) == (True, 0)
    rows = [
        {item.key or item.nested_key[-1]: json.loads(item.value_json) for item in row.item}
        for kind, row in records(written_whole(log))
        if kind == 'history'
    ]
    assert [row['iter'] for row in rows if 'attempt_number' not in row] == list(range(3000))


class FakeRun:
    """A W&B run whose methods named in ``failing`` raise."""

    offline, disabled = True, False
    settings = SimpleNamespace(sync_file='/nowhere/run-x.wandb')

    def __init__(self, *failing):
        self.failing, self.rows, self.exit_codes = failing, [], []

    def define_metric(self, *args, **kwargs):
        self._fail('define_metric')

    def log(self, row):
        self._fail('log')
        self.rows.append(row)

    def finish(self, exit_code):
        self.exit_codes.append(exit_code)
        self._fail('finish')

    def log_artifact(self, *args, **kwargs):
        self._fail('log_artifact')

    def _fail(self, name):
        if name in self.failing:
            raise RuntimeError(f'{name} of W&B is broken')


@pytest.fixture
def fake(monkeypatch):
    """Makes ``wandb.init`` return a fake run, or raise without one."""
    import wandb

    def use(run):
        def init(**kwargs):
            if run is None:
                raise RuntimeError('no service')
            return run

        monkeypatch.setattr(wandb, 'init', init)
        monkeypatch.setenv('WANDB_MODE', 'offline')
        return run

    return use


@pytest.mark.parametrize('failing', [None, 'define_metric', 'log', 'finish', 'log_artifact'])
def test_failures_of_wandb_never_reach_the_caller(tmp_path, fake, failing, monkeypatch):
    warnings = []
    monkeypatch.setattr(wandb_backend, 'print_log', lambda text, **kwargs: warnings.append(text))
    run = fake(failing and FakeRun(failing))
    checkpoint = tmp_path / 'epoch_1.pth'
    checkpoint.write_bytes(b'weights')
    backend = RunWandbBackend(str(tmp_path), dict(RUN), dict(a=1), log_artifact=True)
    backend.add_config(Config(dict(a=1)))
    backend.add_scalar('x', 1)
    with backend.attempt('no media'):
        backend.add_media({'test_clips': None}, 4, 1)
    backend.add_checkpoint(str(checkpoint), iter=4)
    backend.close()
    backend.close()
    assert len(warnings) == 1 and (failing or 'no service') in warnings[0]
    if run:
        assert run.exit_codes == [0]  # the log is closed whatever failed before


@pytest.mark.parametrize(
    'error, code',
    [
        (ValueError('x'), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(3), 3),
        (SystemExit(), 0),
        (SystemExit('text'), 1),
        (InputError('x'), 2),
        (OSError(errno.ENOSPC, 'full'), 2),
    ],
)
def test_exit_record_tells_how_the_run_ended(tmp_path, fake, error, code):
    run = fake(FakeRun())
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    with pytest.raises(type(error)):
        try:
            backend.add_scalar('x', 1)
            raise error
        finally:
            backend.close()
    assert run.exit_codes == [code]


def test_exit_record_of_an_interrupt_that_a_library_turned_into_an_error(tmp_path, fake):
    run = fake(FakeRun())
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalar('x', 1)
    with pytest.raises(SyntaxError):
        try:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                raise SyntaxError('half a config')  # noqa: B904  as that library does
        finally:
            backend.close()
    assert run.exit_codes == [130]


def test_warning_of_a_preemption_waits_for_nothing(tmp_path, fake):
    run, released = fake(FakeRun()), threading.Event()
    run.mark_preempting = lambda: released.wait() and run.rows.append('preempted')
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalar('x', 1)
    os.kill(os.getpid(), signal.SIGUSR1)
    backend.add_scalar('x', 2)
    released.set()
    backend.close()
    assert run.rows == [{'iter': 0, 'x': 1}, 'preempted', {'iter': 0, 'x': 2}]


def test_what_wandb_lacks_is_told_once_it_is_closed(tmp_path, fake):
    run, told = fake(FakeRun()), []
    run.log = lambda row: run.rows.append(row) if len(run.rows) < 3 else 1 / 0
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.when_closed = lambda **facts: told.append(facts)
    for step in range(5):
        backend.add_scalar('x', 1, step)
    assert not told
    backend.close()
    assert told == [dict(wandb_closed=True, wandb_rows_missing=2)]


def test_rows_name_their_attempt_and_how_it_ended(tmp_path, fake):
    run, told = fake(FakeRun()), []
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.when_closed = lambda **facts: told.append(facts)
    backend.entry = AttemptEntry(
        number=2, host='h', pid=7, start=1.23456789, end=None, exit_code=None
    )
    backend.entry.resumed_from_iter = 0  # known once training begins
    backend.add_scalars({'train/loss': 0.5, 'iter': 1})
    backend.add_scalars({'train/loss': 0.25, 'iter': 2})
    with pytest.raises(KeyError):
        try:
            raise KeyError('x')
        finally:
            backend.close()
    start = {'attempt_start': 1.235}
    facts = {
        'attempt_number': 2,
        'attempt_job_type': 'train',
        'attempt_host': 'h',
        'attempt_pid': 7,
        'attempt_resumed_from_iter': 0,
        **start,
    }
    assert run.rows == [
        facts,
        {'iter': 1, 'train/loss': 0.5, **start},
        {'iter': 2, 'train/loss': 0.25, **start},
        {**facts, 'attempt_exit_code': 1},
    ]
    assert told == [dict(wandb_closed=True, wandb_rows_missing=0)]


def test_handlers_are_gone_once_the_log_is_closed(tmp_path, fake):
    fake(FakeRun())
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalar('x', 1)
    assert signal.getsignal(signal.SIGTERM) != before[0]
    backend.close()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)) == before


def test_wrong_options_are_the_users_to_mend(tmp_path):
    with pytest.raises(InputError, match='clipz'):
        RunWandbBackend(str(tmp_path), media=dict(clipz=1))


@pytest.fixture
def service():
    """End the W&B service with the test."""
    import wandb

    yield
    wandb.teardown()


def test_run_is_described_whole(tmp_path, service):
    """Identity, group, tags and settings reach the log; what the user sets comes on top."""
    backend = RunWandbBackend(
        str(tmp_path / 'time' / 'vis_data'),
        run=RUN,
        config=dict(identity=dict(seed=0)),
        job_type='test',
        tags=['dcf', 'x' * 80],
        init_kwargs=dict(notes='mine', settings=dict(x_disable_meta=True)),
    )
    assert backend.log_location() is None and not backend.is_logging
    backend.add_config(Config(dict(a=1)))
    backend.add_scalars({'val/acc': torch.tensor(0.5), 'iter': 3, 'epoch': 1}, step=99)
    backend.add_image('picture', np.zeros((2, 2, 3), np.uint8), step=4)
    settings = backend.experiment.run.settings
    assert settings.x_transaction_log_flush_interval == 1 and settings.finish_timeout == 60
    assert settings.x_disable_meta and settings.run_notes == 'mine'
    assert tuple(settings.run_tags) == ('dcf', 'x' * 64)
    place = backend.log_location()
    backend.close()
    assert place == backend.log_location() and place.startswith('time/vis_data/wandb/offline-run-')
    log = read_log(written_whole(tmp_path / place))
    assert (log.uid, log.group, log.name) == (RUN['uid'], RUN['group'], RUN['name'])
    assert (log.job_type, log.exit_code) == ('test', 0)
    assert log.config == dict(identity=dict(seed=0))
    assert log.history[0] == {'iter': 3, 'epoch': 1, 'val/acc': 0.5}
    [axis] = [content for kind, content in records(log.path) if kind == 'metric']
    assert (axis.glob_name, axis.step_metric) == ('*', 'iter')


def test_attempts_at_a_run_have_one_id(tmp_path, service):
    for attempt in '12':
        backend = RunWandbBackend(str(tmp_path / attempt), run=RUN)
        backend.add_scalar('train/loss', 1.0, step=int(attempt))
        backend.close()
    paths = tmp_path.glob('*/wandb/offline-run-*/run-*.wandb')
    ids = [read_log(written_whole(path)).uid for path in paths]
    assert ids == [RUN['uid']] * 2


@pytest.mark.parametrize(
    'mode, job_type, expected',
    [
        ('online', 'train', dict(id=RUN['uid'], resume='allow')),
        ('online', 'test', dict(id=f'{RUN["uid"]}-test', resume='allow')),
        ('offline', 'train', dict(id=RUN['uid'])),
        ('offline', 'test', dict(id=RUN['uid'])),
    ],
)
def test_later_attempts_go_on_in_the_run_of_their_job(
    tmp_path, monkeypatch, mode, job_type, expected
):
    import wandb

    seen = {}
    monkeypatch.setattr(wandb, 'init', lambda **kwargs: seen.update(kwargs) or FakeRun())
    monkeypatch.setenv('WANDB_MODE', mode)
    backend = RunWandbBackend(str(tmp_path), RUN, dict(a=1), job_type)
    backend.add_config(Config(dict(a=1)))
    backend.close()
    assert {key: seen[key] for key in ('id', 'resume') if key in seen} == expected
    assert (seen['mode'], seen['job_type'], seen['group']) == (mode, job_type, RUN['group'])


def test_disabled_by_the_user_nothing_is_written(tmp_path, service, monkeypatch):
    monkeypatch.setenv('WANDB_MODE', 'disabled')
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalars({'train/loss': 1.0})
    assert backend.log_location() is None and not backend.is_logging
    backend.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_only_the_first_process_logs(tmp_path):
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                '-c',
                f"""
import torch
torch.distributed.init_process_group(
    'gloo', init_method='file://{tmp_path}/meeting', rank={rank}, world_size=2)
{backend_code(tmp_path / str(rank))}
backend.add_scalars({{'train/loss': 1.0, 'iter': 1, 'epoch': 0}})
backend.close()
torch.distributed.barrier()
""",
            ]
        )
        for rank in range(2)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(logs(tmp_path / '0')) == 1 and not (tmp_path / '1').exists()


class Server(BaseHTTPRequestHandler):
    """Opens a run as a W&B server does, and answers nothing once it was told of a row."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.path.endswith('/file_stream'):
            self.server.rows += 1
            self.server.released.wait()
        bucket = dict(
            id='b',
            name=RUN['uid'],
            displayName='x',
            project=dict(id='p', name='mmaction_ext', entity=dict(id='e', name='me')),
        )
        data = dict(viewer=dict(id='v', entity='me', flags='{}', teams=dict(edges=[])))
        if b'UpsertBucket' in body:
            data = dict(upsertBucket=dict(bucket=bucket, inserted=True))
        elif b'RunResumeStatus' in body:
            data = dict(model=None)
        answer = json.dumps(dict(data=data)).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.mark.slow
def test_hanging_server_of_ones_own_does_not_hang_the_run(tmp_path):
    """``WANDB_BASE_URL`` is where the run goes, and closing it ends though that never answers."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Server)
    server.rows, server.released, server.daemon_threads = 0, threading.Event(), True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}'
    try:
        done = run(
            backend_code(tmp_path).replace('run=', 'finish_seconds=2, run=')
            + """
backend.add_scalars({'test/acc/top1': 0.5, 'iter': 3, 'epoch': 1})
print('at', backend.log_location())
with backend.attempt('no table'):
    backend.add_media({'t': backend.experiment.Table(columns=['a'], data=[[1]])}, 3, 1)
backend.close()
print('closed')
""",
            WANDB_MODE='online',
            WANDB_API_KEY='0' * 40,
            WANDB_BASE_URL=url,
        )
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
    assert (done.returncode, server.rows > 0) == (0, True), done.stderr
    assert f'at {url}/me/mmaction_ext/runs/{RUN["uid"]}' in done.stdout
    assert 'closed' in done.stdout


@pytest.mark.slow
def test_real_sdk_without_a_server_logs_offline_instead(tmp_path):
    """Port 9 of this machine refuses every connection, as a laptop without network would."""
    done = run(
        backend_code(tmp_path).replace(
            'backend =',
            """
from mmaction_ext.tracking.writing import wandb_backend
wandb_backend.INIT_SECONDS = 3
backend =""",
            1,
        )
        + """
backend.add_scalars({'test/acc/top1': 0.5, 'iter': 3, 'epoch': 1})
backend.close()
""",
        WANDB_MODE='online',
        WANDB_API_KEY='0' * 40,
        WANDB_BASE_URL='http://127.0.0.1:9',
        WANDB_ERROR_REPORTING='false',
    )
    assert done.returncode == 0, done.stderr
    (log,) = logs(tmp_path)
    assert [row['test/acc/top1'] for row in read_log(log).history] == [0.5]


def test_unreachable_server_falls_back_to_offline(tmp_path, monkeypatch):
    import wandb

    modes, run = [], FakeRun()

    def init(**kwargs):
        modes.append(kwargs['mode'])
        if kwargs['mode'] == 'online':
            raise wandb.errors.CommError('no route')
        return run

    monkeypatch.setattr(wandb, 'init', init)
    monkeypatch.setenv('WANDB_MODE', 'online')
    backend = RunWandbBackend(str(tmp_path), run=RUN)
    backend.add_scalars({'train/loss': torch.tensor([1.0, 2.0]), 'epoch': 1}, step=7)
    backend.close()
    assert modes == ['online', 'offline']
    assert run.rows == [{'iter': 7, 'train/loss': [1.0, 2.0], 'epoch': 1}]
