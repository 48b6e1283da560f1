import hashlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.tracking.reading import comparison
from mmaction_ext.tracking.reading.comparison import (
    code_changes,
    code_folder,
    current_sha256,
    file_state,
    list_state,
    named_file,
    top1_bounds,
)


def sha256(content: bytes) -> str:
    """Digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with two files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a').write_bytes(b'first')
    (tmp_path / 'b').write_bytes(b'second')
    return tmp_path


def test_code_that_changed_comes_with_that_of_the_network_first():
    recorded = {
        'mmaction_ext/cli/a.py': '1',
        'mmaction_ext/ops/b.py': '1 2',
        'mmaction_ext/models/c.py': '1',
        'mmaction_ext/errors.py': '1',
    }
    now = {
        'mmaction_ext/cli/a.py': '2',
        'mmaction_ext/ops/b.py': '2',
        'mmaction_ext/modules/d.py': '1',
        'mmaction_ext/errors.py': '1',
    }
    assert list(code_changes(recorded, now).items()) == [
        ('mmaction_ext/models/c.py', 'gone'),
        ('mmaction_ext/modules/d.py', 'new'),
        ('mmaction_ext/ops/b.py', 'differs'),
        ('mmaction_ext/cli/a.py', 'differs'),
    ]
    assert code_changes({}, now) == {}


@given(st.dictionaries(st.text(), st.text()))
def test_code_that_is_the_same_has_not_changed(files):
    assert code_changes(files, dict(files)) == {}


@pytest.mark.parametrize(
    ('path', 'part'),
    [
        ('mmaction_ext/ops/a.py', 'ops'),
        ('mmaction_ext/ops/b/a.py', 'ops'),
        ('mmaction_ext/a.py', ''),
        ('a.py', 'own modules'),
        ('lab/ops/a.py', 'own modules'),
    ],
)
def test_parts_of_the_package(path, part):
    assert code_folder(path) == part


@pytest.mark.parametrize(
    ('path', 'content', 'state'),
    [
        ('a', b'first', 'same'),
        ('x/../a', b'first', 'same'),
        ('a', b'second', 'differs'),
        ('c', b'first', 'gone'),
        ('.', b'first', 'gone'),
        ('a\0', b'first', 'gone'),
        ('a' * 5000, b'first', 'gone'),
        ('/proc/self/mem', b'first', 'unreadable'),
        ('https://example.org/a', b'first', 'unknown'),
    ],
)
def test_files_that_a_result_names(folder, path, content, state):
    assert file_state(folder, dict(path=path, sha256=sha256(content))) == state


@pytest.mark.parametrize(
    'facts',
    [
        None,
        [],
        'a',
        {},
        dict(path='a'),
        dict(sha256='a'),
        dict(path='', sha256='a'),
        dict(path=1, sha256='a'),
        dict(path='a', sha256=['a']),
    ],
)
def test_results_that_name_no_file(folder, facts):
    assert named_file(folder, facts) == (None, None)
    assert file_state(folder, facts) == file_state(None, facts) == 'unknown'


def test_a_run_that_is_not_on_this_machine(folder):
    """A file of that name in the working folder is not its."""
    assert file_state(None, dict(path='a', sha256=sha256(b'first'))) == 'gone'


@pytest.mark.parametrize(
    ('files', 'content', 'state'),
    [
        ('a', b'first', 'same'),
        ('a,b', b'firstsecond', 'same'),
        ('b,a', b'firstsecond', 'differs'),
        ('a,c', b'first', 'gone'),
        ('a,/proc/self/mem', b'first', 'unreadable'),
        (['a'], b'first', 'unknown'),
        ('', b'', 'unknown'),
    ],
)
def test_lists_of_data(folder, files, content, state):
    assert list_state(dict(ann_file=files, ann_sha256=sha256(content))) == state
    assert list_state('odd') == list_state(dict(ann_file=files)) == 'unknown'


def test_a_file_is_read_once_until_it_changes(folder, monkeypatch):
    read, hash_file = [], comparison.file_sha256

    def count(path):
        read.append(path)
        return hash_file(path)

    monkeypatch.setattr(comparison, 'file_sha256', count)
    path = folder / 'a'
    assert current_sha256(path) == current_sha256('a') == sha256(b'first')
    assert read == [str(path)]
    then = path.stat()
    path.write_bytes(b'other')  # as long as before
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns + 1))
    assert current_sha256(path) == sha256(b'other')
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    os.replace(folder / 'b', path)
    assert current_sha256(path) == sha256(b'second')
    assert len(read) == 3
    path.unlink()
    with pytest.raises(FileNotFoundError):
        current_sha256(path)


@pytest.mark.parametrize(
    ('scores', 'bounds'),
    [
        ([[0.9, 0.1], [0.2, 0.8]], (1, 1)),
        ([[0.1, 0.9], [0.2, 0.8]], (0.5, 0.5)),
        ([[0.5, 0.5], [0.2, 0.8]], (0.5, 1)),
        ([[0.5, 0.5], [0.5, 0.5]], (0, 1)),
    ],
)
def test_accuracies_that_predictions_can_stand_for(tmp_path, scores, bounds):
    path = tmp_path / 'predictions.npz'
    write_predictions(
        path, Predictions(np.array(['a', 'b']), np.array([0, 1]), np.array(scores), {})
    )
    assert top1_bounds(path) == bounds


@pytest.mark.parametrize('content', [b'', b'scores', b'PK\x03\x04'])
def test_files_that_hold_no_predictions(tmp_path, content):
    path = tmp_path / 'predictions.npz'
    path.write_bytes(content)
    assert top1_bounds(path) is None and top1_bounds(tmp_path / 'gone') is None


def test_files_of_the_users_that_other_runs_recorded_are_not_new():
    changes = code_changes(
        {'mine.py': '1', 'gone.py': '1', 'mmaction_ext/a.py': '1'},
        {'mine.py': '2', 'others.py': '1', 'mmaction_ext/a.py': '2'},
    )
    assert list(changes.items()) == [
        ('gone.py', 'gone'),
        ('mine.py', 'differs'),
        ('mmaction_ext/a.py', 'differs'),
    ]
