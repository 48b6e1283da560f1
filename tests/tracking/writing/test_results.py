"""Result files."""

import json

import pytest

from mmaction_ext.tracking.writing.results import relative_path, write_result

RESULT = dict(
    uid='u',
    job_type='test',
    iter=18,
    epoch=3,
    checkpoint=dict(path='epoch_3.pth', sha256='s'),
    protocol={},
    metrics={'test/acc/top1': 0.5, 'test/loss': float('nan')},
    num_samples=24,
    data_digest='d',
    predictions=None,
)


def test_result_by_hand(tmp_path):
    path = write_result(tmp_path, 2, RESULT)
    assert path == tmp_path / 'results/2-18.json'
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content.popitem()[0] == 'crc32'
    assert content == dict(
        RESULT,
        metrics={'test/acc/top1': 0.5, 'test/loss': 'NaN'},
        schema=2,
        attempt=2,
        finished=True,
    )


def test_no_result_replaces_another(tmp_path):
    names = [
        write_result(tmp_path, 1, dict(RESULT, num_samples=number)).name for number in range(3)
    ]
    assert names == ['1-18.json', '1-18-2.json', '1-18-3.json']
    assert [
        json.loads((tmp_path / 'results' / name).read_text())['num_samples'] for name in names
    ] == [0, 1, 2]
    assert not list((tmp_path / 'results').glob('*.tmp'))


def test_path_is_relative_to_the_folder_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert relative_path('work_dirs/a/epoch_3.pth', tmp_path / 'work_dirs/a') == 'epoch_3.pth'
    assert relative_path(tmp_path / 'b.pth', 'work_dirs/a/test') == '../../../b.pth'
