import hashlib
from pathlib import Path

import pytest

import mmaction_ext
from mmaction_ext.tables.code import DEFAULT_GLOBS, TrackedCode, matches, tracked_code

PACKAGE = Path(mmaction_ext.__file__).parent


@pytest.mark.parametrize(
    'path, globs, expected',
    [
        ('m/a.py', ['m/a.py'], True),
        ('m/a.py', ['m/*.py'], True),
        ('m/n/a.py', ['m/*.py'], True),
        ('m/a.py', ['a.py'], False),
        ('m/a.py', [], False),
        ('m/A.py', ['m/a.py'], False),
        ('m/a.py', ['n/*', 'm/*'], True),
        ('m/a.py', ['m/**/*.py'], True),
        ('m/n/o/a.py', ['m/**/*.py'], True),
        ('n/a.py', ['m/**/*.py'], False),
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
    tree = TrackedCode(('m/*',), {'m/a.py': '1', 'm/b.py': '2'})
    assert tree.changes({'m/a.py': '1', 'm/b.py': '2', 'other': '9'}) == []
    # edited since, made since, deleted since
    assert tree.changes({'m/a.py': '0', 'm/c.py': '3'}) == ['m/a.py', 'm/b.py', 'm/c.py']
    assert tree.changes({}) == []  # nobody recorded it


def test_digest_is_that_of_the_tracked_files_alone():
    tree = TrackedCode(('m/*',), {'m/a.py': '1'})
    assert tree.digest({'m/a.py': '1', 'x': '2'}) == tree.digest(tree.files)
    assert tree.digest({'m/a.py': '2'}) != tree.digest(tree.files)
    assert tree.digest({}) is None and TrackedCode().digest({'m/a.py': '1'}) is None


def test_default_files():
    files = tracked_code(DEFAULT_GLOBS).files
    names = ('modules/dcf', 'ops/window', 'ops/correlation/__init__', 'models/host/stages')
    assert {f'mmaction_ext/{name}.py' for name in names} <= set(files)
    assert not [name for name in files if name.split('/')[1] not in ('modules', 'ops', 'models')]


def test_digest_of_another_tree():
    tree = TrackedCode(('m/*',), {'m/a.py': '1'})
    assert not tree.is_other(tree.digest({'m/a.py': '1'})) and not tree.is_other(None)
    assert tree.is_other(tree.digest({'m/a.py': '2'}))
    assert not TrackedCode().is_other('0123')
