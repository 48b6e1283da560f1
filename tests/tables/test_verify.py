import hashlib

from mmaction_ext.tables import build_table
from mmaction_ext.tables.verify import differing_files, unused_imports


def test_files_that_are_not_those_of_a_result(make, tmp_path):
    folder = tmp_path / 'b' / 'runs'
    folder.mkdir(parents=True)
    for name in ('weights.pth', 'predictions.pkl'):
        (folder / name).write_bytes(b'as measured')
    good = hashlib.sha256(b'as measured').hexdigest()
    test = dict(checkpoint=dict(path='weights.pth', sha256=good),
                predictions=dict(path='predictions.pkl', sha256=good))
    odd = dict(checkpoint=dict(path=3, sha256=good), predictions=dict(path='s3://a', sha256=good))
    records = [make.record('demo/base', 0, 0.5, folder='runs', test=test),
               make.record('demo/base', 1, 0.6, folder='runs', test=odd),
               make.record('demo/full', 0, 0.5, folder='gone', test=test)]
    table = build_table(make.spec('base', 'full'), records,
                        make.configs('demo/base', 'demo/full'))
    roots = [tmp_path / 'a', tmp_path / 'b']
    assert differing_files([table], roots) == []
    (folder / 'weights.pth').write_bytes(b'trained on')
    assert differing_files([table], roots) == [
        f'not sound: demo, row base, seed 0: {folder}/weights.pth is not the checkpoint that was '
        'measured']


def test_imported_numbers_that_no_row_takes(make):
    def imported(config, seed, line):
        record = make.record(config, seed, imported=True, fragment=dict(path=f'r.csv:{line}'))
        record.uid = ''
        return record

    spec = make.spec('base', 'full')
    records = [imported('demo/base', 0, 2), imported('demo/bose', 0, 3),
               imported('demo/base', 7, 4), make.record('demo/other')]
    assert unused_imports(records, [spec]) == [
        'r.csv:3: no row has config demo/bose and seed 0',
        'r.csv:4: no row has config demo/base and seed 7']
