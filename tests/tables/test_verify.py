import hashlib

import numpy as np

from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.tables import build_table
from mmaction_ext.tables.verify import differing_files, unused_imports


def test_files_that_are_not_those_of_a_result(make, tmp_path):
    folder, other = tmp_path / 'b' / 'runs', tmp_path / 'a' / 'runs'
    for place, content in ((folder, b'as measured'), (other, b'of another run')):
        place.mkdir(parents=True)
        for name in ('weights.pth', 'predictions.pkl'):
            (place / name).write_bytes(content)
    good = hashlib.sha256(b'as measured').hexdigest()
    test = dict(
        checkpoint=dict(path='weights.pth', sha256=good),
        predictions=dict(path='predictions.pkl', sha256=good),
    )
    odd = dict(checkpoint=dict(path=3, sha256=good), predictions=dict(path='s3://a', sha256=good))
    root = tmp_path / 'b'
    records = [
        make.record('demo/base', 0, 0.5, folder='runs', root=root, test=test),
        make.record('demo/base', 1, 0.6, folder='runs', root=root, test=odd),
        make.record('demo/full', 0, 0.5, folder='gone', root=root, test=test),
    ]
    table = build_table(make.spec('base', 'full'), records, make.configs('demo/base', 'demo/full'))
    assert differing_files([table], records) == []
    (folder / 'weights.pth').write_bytes(b'trained on')
    assert differing_files([table], records) == [
        f'not sound: demo, row base, seed 0: {folder}/weights.pth is not the checkpoint that was '
        'measured'
    ]


def test_predictions_that_refute_the_result(make, tmp_path):
    path = tmp_path / 'predictions.npz'
    write_predictions(
        path,
        Predictions(
            np.array(['a', 'b']), np.array([0, 1]), np.array([[2.0, 1.0], [2.0, 1.0]]), {}
        ),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    test = dict(predictions=dict(path=path.name, sha256=digest))
    records = [
        make.record('demo/base', seed, value, folder='.', root=tmp_path, test=test)
        for seed, value in ((0, 0.5), (1, 0.6))
    ]
    table = build_table(make.spec('base'), records, make.configs('demo/base'))
    assert differing_files([table], records) == [
        f'not sound: demo, row base, seed 1: {path.as_posix()} gives a top-1 accuracy of 0.5'
    ]


def test_imported_numbers_that_no_row_takes(make):
    def imported(config, seed, line):
        record = make.record(config, seed, imported=True, attempt=dict(path=f'r.csv:{line}'))
        record.uid = ''
        return record

    spec = make.spec('base', 'full')
    records = [
        imported('demo/base', 0, 2),
        imported('demo/bose', 0, 3),
        imported('demo/base', 7, 4),
        make.record('demo/other'),
    ]
    assert unused_imports(records, [spec]) == [
        'r.csv:3: no row has config demo/bose and seed 0',
        'r.csv:4: no row has config demo/base and seed 7',
    ]
