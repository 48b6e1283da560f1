"""Code, lists and weights that a run's numbers depend on."""

import hashlib
from pathlib import Path

import pytest
import torch

from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tracking.ledger import facts

ROOT = Path(__file__).parents[3]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_module_of_the_package_has_its_digest():
    digests = facts.source_digests()
    assert set(digests) == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / 'mmaction_ext').rglob('*.py')
    }
    assert digests['mmaction_ext/modules/dcf.py'] == file_sha256(
        ROOT / 'mmaction_ext/modules/dcf.py'
    )


def test_config_and_all_it_inherits_from_have_theirs(tmp_path):
    for name, text in (('a.py', "_base_ = ['../_base_/b.py', 'c.py']\n"), ('c.py', 'x = 1\n')):
        path = tmp_path / 'configs' / 'paper' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    base = tmp_path / 'configs/_base_/b.py'
    base.parent.mkdir()
    base.write_text("_base_ = './d.py'\n")
    base.with_name('d.py').write_text('y = 2\n')
    assert facts.config_digests(tmp_path / 'configs/paper/a.py') == {
        'configs/paper/a.py': sha256("_base_ = ['../_base_/b.py', 'c.py']\n"),
        'configs/paper/c.py': sha256('x = 1\n'),
        'configs/_base_/b.py': sha256("_base_ = './d.py'\n"),
        'configs/_base_/d.py': sha256('y = 2\n'),
    }


def test_config_on_top_of_one_of_mmaction2():
    digests = facts.config_digests(ROOT / 'configs/kpsem/table1_mini_kinetics/i3d.py')
    assert 'mmaction::_base_/models/i3d_r50.py' in digests
    assert digests['configs/_base_/default_runtime.py'] == file_sha256(
        ROOT / 'configs/_base_/default_runtime.py'
    )


def test_first_weights(tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_text('weights')
    assert facts.weights_file(str(path)) == dict(path=str(path), sha256=sha256('weights'))
    url = 'https://example.com/weights.pth'
    assert facts.weights_file(url) == dict(path=url, sha256=None)
    assert facts.weights_file(None) is None


DRIVERS = [
    (
        'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  '
        'Sat Aug 19 01:15:15 UTC 2023\n'
        'GCC version:  gcc version 11.4.0\n',
        '535.104.05',
    ),
    (
        'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n',
        '570.124.06',
    ),
    ('of another form', None),
    (None, None),
]


@pytest.mark.parametrize('text, driver', DRIVERS)
def test_gpus_and_what_drives_them(monkeypatch, tmp_path, text, driver):
    names = ['NVIDIA H200', 'NVIDIA A100']
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'get_device_name', names.__getitem__)
    monkeypatch.setattr(torch.version, 'cuda', '12.8')
    monkeypatch.setattr(facts, 'DRIVER_FILE', tmp_path / 'version')
    if text:
        (tmp_path / 'version').write_text(text)
    assert facts.gpus() == dict(gpus=names, num_gpus=2, cuda='12.8', driver=driver)


def test_without_a_gpu_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(torch.version, 'cuda', '12.8')
    assert facts.gpus() == dict(gpus=[], num_gpus=0, cuda=None, driver=None)


def test_files_of_the_user_are_found_from_where_the_process_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('x = 1\n')
    found = facts.source_digests(['mine.py', 'gone.py', '../mine.py', '/etc/hostname'])
    assert {name: found[name] for name in found if facts.is_own(name)} == {
        'mine.py': sha256('x = 1\n')
    }
