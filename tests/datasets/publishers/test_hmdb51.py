import pytest
from published_data import imitate, write

from mmaction_ext.datasets.publishers.hmdb51 import read_hmdb51
from mmaction_ext.errors import InputError

FOLDER = 'annotations/testTrainMulti_7030_splits'


def test_flags_one_and_two_are_train_and_test_and_zero_is_neither(tmp_path):
    _, labels = imitate('hmdb51', tmp_path)
    publication = read_hmdb51(tmp_path / 'annotations')
    assert publication.labels == labels
    (train,) = [item for item in publication.splits['train_split1'] if item.label == 0]
    (test,) = [item for item in publication.splits['test_split1'] if item.label == 0]
    assert train.stems == ('April_09_brush_hair_u_nm_np1_ba_goo_0',)
    assert test.stems == ('#20_Rhythm_brush [a&b] (c)_u_nm_np1_fr_med_1',)
    assert all(len(items) == 2 for items in publication.splits.values())


@pytest.mark.parametrize('line', ['a.avi 3', 'a.avi', 'a.mp4 1', '1', 'a.avi 1 2 x'])
def test_bad_lines_are_named(tmp_path, line):
    imitate('hmdb51', tmp_path)
    write(tmp_path / FOLDER / 'wave_test_split2.txt', f'b.avi 1 \n\n{line}\n')
    with pytest.raises(InputError, match=r'wave_test_split2.txt:3: expected "<video>.avi" and 0'):
        read_hmdb51(tmp_path / 'annotations')


def test_class_without_one_of_its_splits_is_named(tmp_path):
    imitate('hmdb51', tmp_path)
    (tmp_path / FOLDER / 'wave_test_split1.txt').unlink()
    with pytest.raises(InputError, match=r'wave_test_split1.txt cannot be read: No such file'):
        read_hmdb51(tmp_path / 'annotations')


def test_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r'holds no <class>_test_split1.txt, also not below '):
        read_hmdb51(tmp_path)
