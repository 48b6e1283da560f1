import ast
import hashlib
from pathlib import Path

import pytest

import mmaction_ext
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tables.code import (
    DEFAULT_GLOBS,
    TrackedCode,
    finds,
    matches,
    network_files,
    tracked_code,
)

PACKAGE = Path(mmaction_ext.__file__).parent


@pytest.mark.parametrize(
    'path, globs, expected',
    [
        ('mmaction_ext/m/a.py', ['mmaction_ext/m/a.py'], True),
        ('mmaction_ext/m/a.py', ['mmaction_ext/m/*.py'], True),
        ('mmaction_ext/m/n/a.py', ['mmaction_ext/m/*.py'], True),
        ('mmaction_ext/m/a.py', ['a.py'], False),
        ('mmaction_ext/m/a.py', [], False),
        ('mmaction_ext/m/A.py', ['mmaction_ext/m/a.py'], False),
        ('mmaction_ext/m/a.py', ['n/*', 'mmaction_ext/m/*'], True),
        ('mmaction_ext/m/a.py', ['mmaction_ext/m/**/*.py'], True),
        ('mmaction_ext/m/n/o/a.py', ['mmaction_ext/m/**/*.py'], True),
        ('n/a.py', ['mmaction_ext/m/**/*.py'], False),
    ],
)
def test_matches(path, globs, expected):
    assert matches(path, globs) is expected


def test_files_of_the_package():
    found = tracked_code(['mmaction_ext/tables/cod*'])
    assert found.globs == ('mmaction_ext/tables/cod*',)
    assert found.files == {
        'mmaction_ext/tables/code.py': hashlib.sha256(
            (PACKAGE / 'tables' / 'code.py').read_bytes()
        ).hexdigest()
    }
    assert tracked_code([]) == TrackedCode()


def test_changes():
    tree = TrackedCode(
        ('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/b.py': '2'}
    )
    assert (
        tree.changes({'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/b.py': '2', 'other': '9'}) == []
    )
    # edited since, made since, deleted since
    assert tree.changes({'mmaction_ext/m/a.py': '0', 'mmaction_ext/m/c.py': '3'}) == [
        'mmaction_ext/m/a.py',
        'mmaction_ext/m/b.py',
        'mmaction_ext/m/c.py',
    ]
    assert tree.changes({}) == []  # nobody recorded it


def test_digest_is_that_of_the_tracked_files_alone():
    tree = TrackedCode(('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '1'})
    assert tree.digest({'mmaction_ext/m/a.py': '1', 'x': '2'}) == tree.digest(tree.files)
    assert tree.digest({'mmaction_ext/m/a.py': '2'}) != tree.digest(tree.files)
    assert tree.digest({}) is None and TrackedCode().digest({'mmaction_ext/m/a.py': '1'}) is None


def test_default_files():
    files = tracked_code(DEFAULT_GLOBS).files
    names = ('modules/dcf', 'ops/window', 'ops/correlation/__init__', 'models/host/stages')
    assert {f'mmaction_ext/{name}.py' for name in names} <= set(files)
    assert not [name for name in files if name.split('/')[1] not in ('modules', 'ops', 'models')]


def test_digest_of_another_tree():
    tree = TrackedCode(('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '1'})
    assert not tree.is_other(tree.digest({'mmaction_ext/m/a.py': '1'})) and not tree.is_other(None)
    assert tree.is_other(tree.digest({'mmaction_ext/m/a.py': '2'}))
    assert not TrackedCode().is_other('0123')


def test_the_users_own_files_are_compared_as_far_as_they_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('x = 1\n')
    package = {'mmaction_ext/ops/a.py': '1'}
    recorded = {'mine.py': file_sha256('mine.py'), 'gone.py': '0', **package}
    for tree in (TrackedCode(DEFAULT_GLOBS, package), TrackedCode(('*mine.py',))):
        digest = tree.digest(recorded)
        assert digest == tree.digest(package)  # their own stand by themselves
        assert tree.changes(recorded) == [] and not tree.is_other(digest, recorded)
    (tmp_path / 'mine.py').write_text('x = -1\n')
    for tree in (TrackedCode(DEFAULT_GLOBS, package), TrackedCode(('*mine.py',))):
        assert tree.changes(recorded) == ['mine.py']
        assert tree.is_other(tree.digest(recorded), recorded)
    assert TrackedCode(('mmaction_ext/ops/*',), package).changes(recorded) == []


def test_a_pattern_may_be_of_the_users_own_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('')
    assert finds('m*.py') and finds('mmaction_ext/modules/dcf.py')
    assert not [glob for glob in ('', 'other.py', '/etc/*', 'mmaction_ext/none.py') if finds(glob)]


def test_a_module_that_a_network_does_not_name_is_none_of_its_files():
    dcf, block = (
        network_files(dict(model=dict(backbone=dict(type='mmaction_ext.Host', module=[module]))))
        for module in (dict(type='DCF'), dict(type='CorrelationBlock'))
    )
    assert 'mmaction_ext/modules/dcf.py' in dcf - block
    assert 'mmaction_ext/modules/correlation_block.py' in block - dcf
    shared = ('modules/base.py', 'ops/correlation/native.py', 'ops/window.py')
    assert {f'mmaction_ext/{name}' for name in shared} <= dcf & block
    host = network_files(dict(model=dict(type='MotionBackbone')))
    assert {'mmaction_ext/models/host/stages.py', 'mmaction_ext/modules/base.py'} <= host
    assert not [name for name in host if name.startswith('mmaction_ext/ops/')]
    assert network_files(dict(train_cfg=dict(type='DCF'))) == frozenset()


def test_everything_that_registers_or_computes_is_of_some_network():
    """Loaded in some other way than by an import, a file would be missed."""
    names = (
        node.name
        for file in (PACKAGE / 'modules').glob('*.py')
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.decorator_list
    )
    used = network_files(dict(model=[dict(type=name) for name in ('MotionBackbone', *names)]))
    tracked = set(tracked_code(DEFAULT_GLOBS).files)
    assert {file for file in tracked - used if Path(file).name != '__init__.py'} == set()


def test_files_that_a_network_does_not_use_change_nothing():
    globs, used = ('mmaction_ext/m/*',), frozenset({'mmaction_ext/m/a.py'})
    tree = TrackedCode(globs, {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/new.py': '2'}, used)
    ran = {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/gone.py': '3'}
    assert tree.changes(ran) == [] and not tree.is_other(tree.digest(ran))
    for now in ('0', ''):
        files = {'mmaction_ext/m/a.py': now} if now else {}
        later = TrackedCode(globs, files, used)
        assert later.changes(ran) == ['mmaction_ext/m/a.py'] and later.is_other(tree.digest(ran))


def test_digests_that_were_kept_of_all_files_still_count():
    files = {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/b.py': '2'}
    kept = TrackedCode(('mmaction_ext/m/*',), files).digest(files)
    tree = TrackedCode(('mmaction_ext/m/*',), files, frozenset({'mmaction_ext/m/a.py'}))
    assert kept != tree.digest(files) and not tree.is_other(kept)
    assert tree.is_other(
        TrackedCode(('mmaction_ext/m/*',), {**files, 'mmaction_ext/m/b.py': '0'}).digest(
            {**files, 'mmaction_ext/m/b.py': '0'}
        )
    )
