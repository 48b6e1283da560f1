"""Files of predictions: what is written is read back, nothing else is, and averages by hand."""

import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation import predictions as module
from mmaction_ext.evaluation.predictions import (
    Predictions,
    average,
    read_predictions,
    write_predictions,
)

SCORES = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]


def predictions(scores=SCORES, names=('a/1.mp4', 'b/é.mp4'), labels=(0, 2), **meta):
    return Predictions(
        np.array(names),
        np.array(labels),
        np.array(scores, np.float32),
        dict(dict(config='x', seed=0), **meta),
    )


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / 'predictions.npz'
    written = predictions(overrides={'lr': 1})
    write_predictions(path, predictions(scores=[[1, 0, 0], [0, 0, 1]]))
    write_predictions(path, written)
    found = read_predictions(path)
    assert found.names.tolist() == ['a/1.mp4', 'b/é.mp4'] and found.labels.tolist() == [0, 2]
    assert found.labels.dtype == np.int64 and found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.scores, written.scores)
    assert found.meta == written.meta
    assert [each.name for each in tmp_path.iterdir()] == ['predictions.npz']


def test_crash_half_way_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions())
    before = path.read_bytes()

    def crash(file, **arrays):
        file.write(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(np, 'savez', crash)
    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, predictions(seed=1))
    assert path.read_bytes() == before


def save(path, **arrays):
    with open(path, 'wb') as file:
        np.savez(file, **arrays)


def test_file_holds_no_pickles_and_none_is_loaded(tmp_path):
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions())
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype.hasobject for name in file.files} == {False}
    save(
        path,
        names=np.array([print], dtype=object),
        labels=np.zeros(1),
        scores=np.zeros((1, 2)),
        meta=np.array('{}'),
    )
    with pytest.raises(InputError, match='no file of predictions'):
        read_predictions(path)


@pytest.mark.parametrize(
    'change',
    [
        lambda path: path.write_bytes(b''),
        lambda path: path.write_bytes(b'no archive'),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: save(path, names=np.array(['a'])),
        lambda path: save(
            path,
            names=np.array(['a']),
            labels=np.zeros(2, int),
            scores=np.zeros((1, 3)),
            meta=np.array('{}'),
        ),
        lambda path: save(
            path,
            names=np.array('a'),
            labels=np.zeros(1, int),
            scores=np.zeros((1, 3)),
            meta=np.array('{}'),
        ),
        lambda path: save(
            path,
            names=np.array(['a']),
            labels=np.zeros(1, int),
            scores=np.zeros((1, 3)),
            meta=np.array('['),
        ),
        lambda path: save(
            path,
            names=np.array(['a']),
            labels=np.zeros(1, int),
            scores=np.zeros((1, 3)),
            meta=np.array('[]'),
        ),
    ],
)
def test_other_files_are_refused(tmp_path, change):
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions())
    change(path)
    with pytest.raises(InputError, match=r'predictions.npz is no file of predictions'):
        read_predictions(path)


def test_no_flip_of_a_bit_is_believed_or_escapes(tmp_path):
    """One of every byte of the file, another one each time."""
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions())
    whole, intact = path.read_bytes(), read_predictions(path)
    for place in range(len(whole)):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        )
        try:
            found = read_predictions(path)
        except InputError:
            continue
        assert found.meta == intact.meta  # what was changed is a date and the like
        for name in ('names', 'labels', 'scores'):
            mine, other = getattr(found, name), getattr(intact, name)
            assert mine.dtype == other.dtype and mine.tolist() == other.tolist()


def zipped(path, members, **how):
    with zipfile.ZipFile(path, 'w', **how) as archive:
        for name, data in members:
            archive.writestr(name, data)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


@pytest.mark.parametrize(
    'change',
    [
        lambda parts: [*parts, ('more.npy', parts[0][1])],
        lambda parts: [(name, data + b'x' * (name == 'labels.npy')) for name, data in parts],
        lambda parts: [
            (name, data.replace(b"'shape': (2,)", b"'shape': (9,)")) for name, data in parts
        ],
        lambda parts: [
            (name, data.replace(b"'shape': (2,), }      ", b"'shape': (2**40,), }  "))
            for name, data in parts
        ],
        lambda parts: [(name, data.replace(b'<i8', b'|O8')) for name, data in parts],
        lambda parts: [(name, data.replace(b'<i8', b'<f8')) for name, data in parts],
    ],
)
def test_other_members_are_refused(tmp_path, change):
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions())
    parts = members(path)
    zipped(path, parts)
    assert read_predictions(path).labels.tolist() == [0, 2]
    assert change(parts) != parts
    zipped(path, change(parts))
    with pytest.raises(InputError, match=r'predictions.npz is no file of predictions'):
        read_predictions(path)


def test_archive_that_grows_when_it_is_unpacked_is_refused(tmp_path, monkeypatch):
    path = tmp_path / 'predictions.npz'
    write_predictions(path, predictions(scores=np.zeros((2, 1 << 20))))
    zipped(path, members(path), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16 and read_predictions(path)
    monkeypatch.setattr(module, 'MOST_BYTES', 1 << 22)
    tracemalloc.start()
    with pytest.raises(InputError, match=r'predictions.npz is no file of predictions'):
        read_predictions(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_labels_of_no_class(tmp_path):
    for labels in ((0, 3), (-1, 0)):
        write_predictions(tmp_path / 'a.npz', predictions(labels=labels))
        with pytest.raises(InputError, match=r'a.npz has labels that are none of its 3 classes'):
            read_predictions(tmp_path / 'a.npz')


def test_pipe_and_device(tmp_path):
    os.mkfifo(tmp_path / 'pipe.npz')
    (tmp_path / 'zero.npz').symlink_to('/dev/zero')
    for name in ('pipe', 'zero'):
        with pytest.raises(InputError, match=f'{name}.npz cannot be read: not a regular file'):
            read_predictions(tmp_path / f'{name}.npz')


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r'gone.npz cannot be read: No such file'):
        read_predictions(tmp_path / 'gone.npz')


def test_average_by_hand():
    other = predictions(scores=[[0, 1, 0], [0.25, 0.25, 0.5]])
    found = average([predictions(), other], ['a', 'b'])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0.25, 0.625, 0.125], [0.1875, 0.5, 0.3125]])


@pytest.mark.parametrize(
    'other, message',
    [
        (predictions(SCORES[:1], ['a/1.mp4'], [0]), '2 and 1 samples'),
        (predictions([[0.5, 0.5], [0.5, 0.5]]), '3 and 2 classes'),
        (
            predictions(names=('a/1.mp4', 'b/2.mp4')),
            'differing samples, first b/é.mp4 and b/2.mp4 at place 1',
        ),
        (predictions(labels=(1, 2)), 'differing labels, first 0 and 1 at place 0'),
        (predictions(data_digest='d'), 'other files'),
    ],
)
def test_what_cannot_be_averaged(other, message):
    with pytest.raises(InputError, match='a and b cannot be averaged: .*' + message):
        average([predictions(), other], ['a', 'b'])


@pytest.mark.parametrize(
    'scores',
    [
        [[2, 1, 0], [0.5, 0.25, 0.25]],
        [[1.5, -0.25, -0.25], [0.5, 0.25, 0.25]],
        [[np.nan] * 3, [0.5, 0.25, 0.25]],
        [[np.inf, 0, 0], [0.5, 0.25, 0.25]],
    ],
)
def test_scores_must_be_probabilities(scores):
    reason = "no probabilities.*'prob'" if np.isfinite(scores).all() else 'not finite.*diverged'
    with pytest.raises(InputError, match=f'b holds scores that are {reason}'):
        average([predictions(), predictions(scores)], ['a', 'b'])
