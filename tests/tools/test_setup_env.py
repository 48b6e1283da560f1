"""tools/setup_env.sh: one clear sentence when the environment cannot be made."""

import os
import subprocess
import sys

import pytest
from tool_runs import ROOT


def setup_env(venv, **env):
    clean = {key: value for key, value in os.environ.items() if not key.startswith('PIP_')}
    return subprocess.run(
        ['bash', ROOT / 'tools' / 'setup_env.sh', venv],
        text=True,
        capture_output=True,
        env=dict(clean, **env),
        timeout=300,
    )


def sentence(done):
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    return line


def test_missing_python_is_said(tmp_path):
    assert 'no Python from 3.10 to 3.13' in sentence(setup_env(tmp_path / 'venv', PYTHON='gone'))


def test_full_disk_is_said_before_anything_is_downloaded(tmp_path):
    line = sentence(setup_env(tmp_path / 'venv', NEEDED_GB='99999999'))
    assert str(tmp_path) in line and 'GB free' in line
    assert not (tmp_path / 'venv').exists()


def test_python_without_venv_is_said_with_the_package_to_install(tmp_path):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    line = sentence(setup_env(tmp_path / 'venv', PYTHON=str(python), PATH='/usr/bin:/bin'))
    assert '-venv' in line


def test_folder_of_the_user_is_left_alone(tmp_path):
    (tmp_path / 'thesis').write_text('years of work')
    assert f'{tmp_path} exists and is no virtual environment' in sentence(setup_env(tmp_path))
    assert (tmp_path / 'thesis').read_text() == 'years of work'


def test_environment_of_another_checkout_is_left_alone(tmp_path):
    other = tmp_path / 'other'
    (other / 'tools').mkdir(parents=True)
    (other / 'tools/setup_env.sh').touch()
    (other / '.venv').mkdir()
    (tmp_path / 'venv').symlink_to(other / '.venv')
    assert f'is a link to the environment of {other}' in sentence(setup_env(tmp_path / 'venv'))
    assert not list((other / '.venv').iterdir())


@pytest.mark.slow
def test_missing_network_is_said_and_can_be_mended(tmp_path):
    done = setup_env(
        tmp_path / 'venv',
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES='0',
        PIP_INDEX_URL='http://127.0.0.1:9/simple',
        PIP_TIMEOUT='2',
    )
    line = sentence(done)
    assert 'index cannot be reached' in line and 'again' in line
    assert not (tmp_path / 'venv' / '.installed').exists()


def test_mmaction2_without_decord_where_that_has_no_build(tmp_path):
    python = tmp_path / 'venv/bin/python'
    python.parent.mkdir(parents=True)
    (tmp_path / 'venv/pyvenv.cfg').touch()
    python.write_text(
        f'#!/bin/sh\n[ "$1" = - ] && exec {sys.executable} -\necho "$@" >>{tmp_path}/calls\n'
    )
    python.chmod(0o755)
    done = setup_env(tmp_path / 'venv', WITHOUT_DECORD='1')
    assert done.returncode == 0, done.stdout + done.stderr
    asked = (tmp_path / 'venv/requirements.txt').read_text().splitlines()
    assert 'torch>=2.11' in asked and {'einops', 'pytest>=8'} < set(asked)
    assert [line for line in asked if line.startswith('ruff==')]
    assert not [line for line in asked if line.startswith(('mmaction2', 'decord'))]
    calls = [line for line in (tmp_path / 'calls').read_text().splitlines() if 'install' in line]
    assert calls == [
        f'-m pip install -r {tmp_path}/venv/requirements.txt',
        '-m pip install --no-deps mmaction2>=1.2,<1.3',
        '-m pip install --no-deps -e .',
    ]
