import pytest
from published_data import SIDES, imitate, write

from mmaction_ext.datasets.publishers import Item
from mmaction_ext.datasets.publishers.sthv1 import read_sthv1
from mmaction_ext.errors import InputError

TRAIN = 'something-something-v1-train.csv'


def test_ids_follow_the_alphabet_whatever_the_order_of_the_file(tmp_path):
    imitate('sthv1', tmp_path)
    publication = read_sthv1(tmp_path / 'annotations')
    assert publication.labels[:2] == list(SIDES) and publication.frames
    path = tmp_path / 'annotations' / TRAIN
    assert publication.splits['train'] == [
        Item(('',), ('100218',), 0, f'{path}:1'),
        Item(('',), ('24413',), 2, f'{path}:3'),
    ]
    assert set(publication.splits) == {'train', 'val'}


@pytest.mark.parametrize(
    'line, message',
    [
        ('12 Pulling', '{0}:2: expected "<id>;<class>", got \'12 Pulling\''),
        (f';{SIDES[0]}', '{0}:2: expected "<id>;<class>"'),
        ('12;Pulling something', "{0}:2: 'Pulling something' is none of the 3 classes"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    imitate('sthv1', tmp_path)
    write(tmp_path / 'annotations' / TRAIN, f'5;{SIDES[0]}\n{line}\n')
    with pytest.raises(InputError) as caught:
        read_sthv1(tmp_path / 'annotations')
    assert message.format(tmp_path / 'annotations' / TRAIN) in str(caught.value)


def test_missing_lists_are_named(tmp_path):
    with pytest.raises(InputError, match=r'holds none of something-something-v1-labels.csv'):
        read_sthv1(tmp_path)
