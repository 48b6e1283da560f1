import hashlib
from pathlib import Path

import pytest

import mmaction_ext
from mmaction_ext.files.writing import file_sha256
from mmaction_ext.tables.code import DEFAULT_GLOBS, TrackedCode, finds, matches, tracked_code

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
