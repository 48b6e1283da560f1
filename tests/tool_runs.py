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

from mmaction_ext import cli

ROOT = Path(__file__).parents[1]
FULL = ROOT / 'configs/synthmotion/dcf/table1_components/full.py'

ROW = f"""
_base_ = ['{FULL}']
train_cfg = dict(max_epochs=3)
train_dataloader = dict(num_workers=1)
default_hooks = dict(logger=dict(interval=1))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=True)]
"""


def run_tool(name, *args, cwd, processes=None, **environment):
    """Run ``tools/<name>`` and capture what it says.

    A Python tool is forked from a process that has imported what it needs, which is most of what a
    short run costs; :func:`start_tool` and shell scripts start interpreters.

    Args:
        name, args, cwd: the tool, its arguments and its working directory.
        processes: so many train or test together, as if torchrun had started them.
        environment: more of it.

    Returns:
        The completed process; its exit code is the first that is not 0.
    """
    command, environment = [str(ROOT / 'tools' / name), *map(str, args)], variables(**environment)
    if name.endswith('.sh'):
        return subprocess.run(
            ['bash', *command],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
    environments = [environment]
    if processes:
        command += ['--launcher', 'pytorch']
        environment.update(
            WORLD_SIZE=str(processes), MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port()
        )
        environments = [
            dict(environment, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(processes)
        ]
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / stream for stream in ('stdout', 'stderr')]
        started = [
            multiprocessing.get_context('forkserver').Process(
                target=_run, args=(command, str(cwd), each, said)
            )
            for each in environments
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(600)
            process.kill()
            process.join()
        codes = [process.exitcode for process in started]
        return subprocess.CompletedProcess(
            command, next(filter(None, codes), 0), *(path.read_text() for path in said)
        )


def main_of(command):
    """``main`` of one command, in this process."""

    def main(argv=()):
        return cli.main([command, *map(str, argv)])

    return main


def start_tool(name, *args, cwd, **options):
    """Start ``tools/<name>`` in a new interpreter; returns its process."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools' / name), *map(str, args)],
        cwd=cwd,
        text=True,
        env=variables(),
        **options,
    )


def variables(**more):
    """The environment of a tool."""
    return dict(os.environ, PYTHON=sys.executable, CUDA_VISIBLE_DEVICES='', **more)


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return str(found.getsockname()[1])


def _run(command, cwd, environment, said):
    """Be a new interpreter in which all is imported, and so are those that it starts."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    subprocess.Popen = ForkedTool
    _be(command, *(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in said))


class ForkedTool(subprocess.Popen):
    """A process; a tool that is to run in this interpreter is forked from this process."""

    def __init__(self, command, *args, stdout=None, preexec_fn=None, **options):
        self._process = None
        if command[:3] != [sys.executable, '-m', 'mmaction_ext']:
            super().__init__(command, *args, stdout=stdout, preexec_fn=preexec_fn, **options)
            return
        self._process = multiprocessing.get_context('fork').Process(
            target=_be, args=(command[3:], stdout.fileno(), stdout.fileno(), preexec_fn)
        )
        self._process.start()
        self.returncode, self.pid = None, self._process.pid

    def poll(self):
        """As of any process."""
        if not self._process:
            return super().poll()
        self.returncode = self._process.exitcode
        return self.returncode


def _be(command, stdout, stderr, preexec_fn=None):
    if preexec_fn:
        preexec_fn()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.argv = command
    try:
        if command[0].endswith('.py'):
            sys.path.insert(0, os.path.dirname(command[0]))
            runpy.run_path(command[0], run_name='__main__')
        else:
            sys.exit(cli.main(command))
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
