"""Versions, devices and the commit that a run is made with."""

import platform
import subprocess
from importlib.metadata import version

import pytest

from mmaction_ext.engine.environment import environment, git_state


def test_git_state_of_a_checkout_and_of_a_plain_folder(tmp_path):
    assert git_state(str(tmp_path)) == {}
    assert git_state(str(tmp_path / 'gone')) == {}


def test_git_state_names_what_was_changed(tmp_path):
    def git(*args):
        subprocess.run(
            ['git', '-C', str(tmp_path), '-c', 'user.name=x', '-c', 'user.email=x', *args],
            check=True,
            capture_output=True,
        )

    git('init')
    (tmp_path / 'a').write_text('one\n')
    git('add', 'a'), git('commit', '-m', 'a')
    clean = git_state(str(tmp_path))
    assert (clean['dirty'], clean['diff_sha256'], len(clean['commit'])) == (False, None, 40)
    (tmp_path / 'untracked').touch()
    assert git_state(str(tmp_path)) == clean, 'no file of the commit is changed'
    digests = set()
    for text in ('two\n', 'three\n', b'\xff\n'):
        (tmp_path / 'a').write_bytes(text if isinstance(text, bytes) else text.encode())
        state = git_state(str(tmp_path))
        assert state['dirty'] and state['commit'] == clean['commit']
        digests.add(state['diff_sha256'])
    assert len(digests) == 3 and None not in digests


@pytest.mark.parametrize(
    'names, device', [([], None), (['NVIDIA H200', 'NVIDIA A100'], 'NVIDIA H200')]
)
def test_environment_tells_versions_and_devices(monkeypatch, names, device):
    found = dict(gpus=names, num_gpus=len(names), cuda=None, driver=None)
    monkeypatch.setattr('mmaction_ext.engine.environment.gpus', lambda: found)
    told = environment()
    assert told.items() >= dict(found, torch=version('torch'), host=platform.node()).items()
    assert told['device'] == (device or platform.processor() or platform.machine())
