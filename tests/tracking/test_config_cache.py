"""What is kept of configs is what mmengine reads, as long as nothing that decides it changes."""

import os
import shutil
from pathlib import Path

import pytest

from mmaction_ext.files import cache_folder
from mmaction_ext.tracking import config_cache
from mmaction_ext.tracking.identity import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """Configs that mmengine reads; nothing is kept at first."""
    from mmengine.config import Config

    monkeypatch.setattr(cache_folder, '_home', lambda: tmp_path / 'home')
    found, parse = [], Config.fromfile

    def count(path, **options):
        found.append(os.path.basename(path))
        return parse(path, **options)

    monkeypatch.setattr(Config, 'fromfile', count)
    return found


@pytest.fixture
def config(tmp_path):
    """A config, its base, and a module of the user's."""
    folder = tmp_path / 'configs'
    folder.mkdir()
    (folder / 'base.py').write_text('a = (1, [2.5, None])\nb = {1: {"x": (True,)}, 2: "é"}\n')
    (folder / 'row.py').write_text(
        '_base_ = "base.py"\nfrom mmaction_ext.networks import dcf_x3d_s\n'
        'model = dcf_x3d_s(num_classes=7)\nname = "{{ fileBasenameNoExtension }}"\n'
    )
    return folder / 'row.py'


def test_config_is_parsed_once_and_each_reader_gets_a_copy_of_its_own(config, parsed):
    first = load_config(config)
    again = load_config(config)
    assert parsed == ['row.py']
    assert repr(again) == repr(first) and again['a'] == (1, [2.5, None]) and 1 in again['b']
    again['model']['type'] = 'changed'
    assert repr(load_config(config)) == repr(first)


@pytest.mark.parametrize('name', ['row.py', 'base.py'])
def test_change_of_any_file_of_the_chain_counts_whatever_its_time(config, parsed, name):
    load_config(config)
    path = config.with_name(name)
    state, text = path.stat(), path.read_text()
    path.write_text(text.replace('2.5', '2.6') if name == 'base.py' else text + 'c = 1\n')
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    changed = load_config(config)
    assert parsed == ['row.py', 'row.py']
    assert changed['a'][1][0] == 2.6 or changed['c'] == 1


def test_nothing_is_kept_by_a_process_whose_modules_are_older_than_their_files(
    config, parsed, monkeypatch
):
    """A launch of hours under which the tree was updated made later ones see old configs."""
    networks = config_cache.PACKAGE / 'networks.py'
    with monkeypatch.context() as older:
        older.setattr(config_cache, '_LOADED', networks.stat().st_mtime - 1)
        load_config(config)
    load_config(config)
    load_config(config)
    assert parsed == ['row.py', 'row.py']


def test_change_of_a_module_that_a_config_imports_counts(config, parsed, monkeypatch):
    load_config(config)
    digest = config_cache._digest
    monkeypatch.setattr(
        config_cache, '_digest', lambda path: 'x' if path.endswith('networks.py') else digest(path)
    )
    load_config(config)
    assert parsed == ['row.py', 'row.py']


@pytest.mark.parametrize(
    'line',
    [
        'import os\nc = os.getpid()',
        'import time\nc = time.time()',
        'from datetime import datetime\nc = str(datetime.now())',
        'c = open("/dev/null").read()',
        'c = __import__("os").getpid()',
        'c = eval("1")',
        'c = "{{$HOME:x}}"',
        'from own_module import size',
        'c = [].__class__.__name__',
    ],
)
def test_config_that_asks_for_more_than_files_is_read_every_time(
    config, parsed, line, monkeypatch, tmp_path
):
    (tmp_path / 'own_module.py').write_text('size = 1')
    monkeypatch.syspath_prepend(str(tmp_path))
    config.write_text(f'{config.read_text()}{line}\n')
    load_config(config)
    load_config(config)
    assert parsed == ['row.py', 'row.py']


def test_copy_elsewhere_is_another_config(config, parsed, tmp_path):
    load_config(config)
    other = tmp_path / 'configs/other.py'
    shutil.copy(config, other)
    assert load_config(other)['name'] == 'other'
    assert load_config(config)['name'] == 'row'


def test_damaged_entry_is_passed_over(config, parsed, tmp_path):
    expected = repr(load_config(config))
    [entry] = (tmp_path / 'home/configs').rglob('*.json')
    good = entry.read_bytes()
    for damage in (b'', good[:-1], good[:99], good.replace(b'2.5', b'2.6')):
        entry.write_bytes(damage)
        assert repr(load_config(config)) == expected
    assert len(parsed) == 5 and entry.read_bytes() == good


@pytest.mark.parametrize(
    'path', sorted(CONFIGS.glob('*/*/*.py'))[::60], ids=lambda path: path.stem
)
def test_rows_of_this_project_are_kept_as_they_are(path, parsed):
    first = load_config(path)
    count = len(parsed)
    assert repr(load_config(path)) == repr(first)
    assert len(parsed) == count
