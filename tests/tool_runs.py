"""Tools run as their users run them, on a config of three short epochs."""

import atexit
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
FULL = ROOT / 'configs/synthmotion/dcf/table1_components/full.py'

ROW = f"""
_base_ = ['{FULL}']
train_cfg = dict(max_epochs=3)
train_dataloader = dict(num_workers=1)
default_hooks = dict(logger=dict(interval=1))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=True)]
"""


def run_tool(name, *args, cwd, **kwargs):
    """Run ``tools/<name>`` in a process of its own and capture what it says.

    A Python tool is forked from a process that has imported what it needs, which costs most of a
    short run; :func:`start_tool` and a shell script start interpreters.
    """
    if name.endswith('.py'):
        return run_forked(name, *args, cwd=cwd, **kwargs)
    return subprocess.run(['bash', str(ROOT / 'tools' / name), *map(str, args)], cwd=cwd,
                          env=dict(os.environ, **environment(kwargs)), capture_output=True,
                          text=True, timeout=600)


def start_tool(name, *args, cwd, **options):
    """Start ``tools/<name>`` in a new interpreter; returns its process."""
    return subprocess.Popen([sys.executable, str(ROOT / 'tools' / name), *map(str, args)], cwd=cwd,
                            text=True, env=dict(os.environ, **environment({})), **options)


def environment(more):
    """What a tool's environment has beside that of the tests."""
    return dict(PYTHON=sys.executable, CUDA_VISIBLE_DEVICES='', **more)


def run_forked(name, *args, cwd, processes=None, **more):
    """As :func:`run_tool`; with ``processes``, so many that train or test together.

    Returns:
        A completed process; its exit code is the first that is not 0.
    """
    command = [str(ROOT / 'tools' / name), *map(str, args)]
    if processes:
        command += ['--launcher', 'pytorch']
        more.update(WORLD_SIZE=str(processes), MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / stream for stream in ('stdout', 'stderr')]
        server = multiprocessing.get_context('forkserver')
        started = [server.Process(target=_run, args=(
            command, str(cwd), environment(dict(more, RANK=str(rank), LOCAL_RANK=str(rank))
                                           if processes else more), said))
            for rank in range(processes or 1)]
        for process in started:
            process.start()
        for process in started:
            process.join(600)
            process.kill()
            process.join()
        codes = [process.exitcode for process in started]
        return subprocess.CompletedProcess(
            command, next(filter(None, codes), 0), *(path.read_text() for path in said))


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return str(found.getsockname()[1])


def _run(command, cwd, more, said):
    """Be an interpreter that was started with ``command``."""
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.update(more)
    os.chdir(cwd)
    sys.argv, sys.path[0] = command, os.path.dirname(command[0])
    try:
        runpy.run_path(command[0], run_name='__main__')
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out


def make_place(folder, data):
    """Lay out a working directory in ``folder``."""
    (folder / 'data').mkdir()
    (folder / 'data' / 'synthmotion').symlink_to(data)
    config = folder / 'configs' / 'tiny' / 'row.py'
    config.parent.mkdir(parents=True)
    config.write_text(ROW)
    return SimpleNamespace(path=folder, config=config, run=folder / 'work_dirs/tiny/row/seed0')
