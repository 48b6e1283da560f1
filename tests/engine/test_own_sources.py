"""The files of the user's classes: found wherever they are, and no library's."""

import sys

import pytest
from mmaction.registry import HOOKS, MODELS

from mmaction_ext.engine.own_sources import own_sources
from mmaction_ext.files.writing import file_sha256

FILES = {
    'lab/__init__.py': '',
    'lab/maths.py': 'import math\n\ndef twice(x):\n    return 2 * x\n',
    'lab/base.py': 'class Base:\n    pass\n',
    'lab/unused.py': '',
    'lab/net.py': """
import numpy as np
from mmaction.registry import MODELS
from lab import maths
from lab.base import Base

@MODELS.register_module()
class LabNet(Base):
    pass
""",
    'single.py': """
from mmaction.registry import HOOKS

@HOOKS.register_module()
class SingleHook:
    pass
""",
    'other.py': 'class Other:\n    pass\n',
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Modules of a user, imported; what they register is taken back."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ('lab.net', 'single', 'other'):
        __import__(name)
    yield tmp_path
    MODELS.module_dict.pop('LabNet')
    HOOKS.module_dict.pop('SingleHook')
    for name in [
        name for name in sys.modules if f'{name.split(".")[0]}' in ('lab', 'single', 'other')
    ]:
        del sys.modules[name]


def digests(folder, *names):
    return {name: file_sha256(folder / name) for name in names}


def test_files_of_classes_of_their_bases_and_of_what_they_import(folder):
    config = dict(
        model=dict(type='TSN', backbone=dict(type='mmaction.LabNet'), neck=dict(type='ResNet')),
        custom_hooks=[dict(type='SingleHook'), dict(type='CheckpointHook')],
    )
    assert own_sources(config) == digests(
        folder, 'lab/__init__.py', 'lab/base.py', 'lab/maths.py', 'lab/net.py', 'single.py'
    )


def test_a_class_itself_and_its_path_name_its_file(folder):
    expected = digests(folder, 'other.py')
    assert own_sources(dict(model=dict(type=sys.modules['other'].Other))) == expected
    assert own_sources(dict(model=dict(type='other.Other'))) == expected


def test_libraries_and_this_package_have_none(folder):
    names = ('TSN', 'DCF', 'LocalVisBackend', 'VideoInit', 'torch.nn.Conv2d', 'NoSuchThing', None)
    assert own_sources(dict(model=[dict(type=name) for name in names])) == {}
