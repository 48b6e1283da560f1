import pytest
from published_data import imitate, write

from mmaction_ext.datasets.publishers.ucf101 import read_ucf101
from mmaction_ext.errors import InputError

FOLDER = 'annotations/ucfTrainTestlist'


def test_three_splits_with_ids_from_zero(tmp_path):
    _, labels = imitate('ucf101', tmp_path)
    publication = read_ucf101(tmp_path / 'annotations')
    assert publication.labels == labels
    assert {
        name: [item.label for item in items] for name, items in publication.splits.items()
    } == {
        'train_split1': [0],
        'test_split1': [1],
        'train_split2': [1],
        'test_split2': [0],
        'train_split3': [0],
        'test_split3': [1],
    }


def test_handstand_is_found_in_both_spellings(tmp_path):
    imitate('ucf101', tmp_path)
    (item,) = read_ucf101(tmp_path / 'annotations').splits['test_split1']
    assert item.stems == ('v_HandStandPushups_g01_c01', 'v_HandstandPushups_g01_c01')
    assert item.folders[:2] == ('HandstandPushups', 'HandStandPushups')


@pytest.mark.parametrize(
    'file, text, message',
    [
        ('classInd.txt', '0 ApplyEyeMakeup\n', 'classInd.txt:1: expected "1 <class>"'),
        ('classInd.txt', '1 A\n3 B\n', 'classInd.txt:2: expected "2 <class>", got \'3 B\''),
        ('trainlist01.txt', 'v_A_g01_c01.avi 1\n', 'trainlist01.txt:1: expected "<class>/<video>'),
        ('trainlist01.txt', 'ApplyEyeMakeup/v_A_g01 1\n', 'trainlist01.txt:1: expected'),
        ('trainlist01.txt', 'ApplyEyeMakeup/v.avi 2\n', 'is class 1, the line says 2'),
        ('trainlist01.txt', 'ApplyEyeMakeup/v.avi 9\n', 'class id from 1 to 2, got .9.'),
        ('testlist03.txt', '\nDrumming/v.avi\n', "testlist03.txt:2: 'Drumming' is none of the 2"),
    ],
)
def test_bad_lines_are_named(tmp_path, file, text, message):
    imitate('ucf101', tmp_path)
    write(tmp_path / FOLDER / file, text)
    with pytest.raises(InputError, match=message):
        read_ucf101(tmp_path / 'annotations')
