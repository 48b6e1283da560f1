"""The benchmark of data loading on three clips."""

import common
import data_loading
import numpy as np
import pytest

NAMES = ['synthmotion', 'dcf_sthv1']


def test_rows_of_stages(tmp_path):
    path = tmp_path / 'data_loading.csv'
    data_loading.main(['--tiny', '--pipelines', *NAMES, '--output', str(path)])
    rows = common.read(path)
    assert set(rows[0]) == set(data_loading.COLUMNS)
    for name, frames, decoding in zip(NAMES, ['8', '13'], data_loading.DECODING, strict=True):
        own = [row for row in rows if row['pipeline'] == name]
        assert decoding in [row['stage'] for row in own] and own[-1]['stage'] == 'all'
        assert {row['frames'] for row in own} == {frames}
        assert sum(float(row['share']) for row in own[:-1]) == pytest.approx(1, abs=0.01)
        speed = float(own[-1]['clips_per_core']) * float(own[-1]['ms'])
        assert speed == pytest.approx(1000, rel=0.01)


def test_wrong_frames_are_not_timed(tmp_path, monkeypatch):
    path, right = tmp_path / 'rows.csv', data_loading.write_media

    def others(folder, media):
        *found, truth = right(folder, media)
        return *found, [np.flip(frame) for frame in truth]

    monkeypatch.setattr(data_loading, 'write_media', others)
    with pytest.raises(SystemExit, match=r'synthmotion: frames .* not those asked for'):
        data_loading.main(['--tiny', '--pipelines', NAMES[0], '--output', str(path)])
    assert not path.exists()
