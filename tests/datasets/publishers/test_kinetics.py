import pytest
from published_data import HEADER, KINETICS_TRAIN, imitate, write

from mmaction_ext.datasets.publishers.kinetics import read_kinetics400, read_minikinetics200
from mmaction_ext.errors import InputError


def test_labels_items_and_where_they_may_lie(tmp_path):
    _, labels = imitate('kinetics400', tmp_path)
    publication = read_kinetics400(tmp_path / 'annotations')
    assert publication.labels == labels
    item = publication.splits['train'][1]
    assert item.stems == ('a0000000001_000000_000010', 'a0000000001') and item.label == 0
    assert item.source == f'{tmp_path}/annotations/train.csv:3'
    assert {
        'train/arm wrestling',
        'train/arm_wrestling',
        'train',
        'arm_wrestling',
        '',
        'videos_train/arm_wrestling',
        'train_256/arm wrestling',
    } <= set(item.folders)
    assert not [folder for folder in item.folders if 'val' in folder]
    (val,) = publication.splits['val']
    assert val.label == 2 and val.stems[0] == 'c0000000001_000030_000040'


@pytest.mark.parametrize(
    'text, message',
    [
        ('label,youtube_id\n', 'train.csv:1: .*time_start, time_end missing'),
        (HEADER, 'train.csv is empty'),
        (HEADER + 'a,b,x,10,train,0\n', "train.csv:2: expected seconds, got 'x' and '10'"),
        (HEADER + 'a,b\n', 'train.csv:2: expected 6 fields'),
    ],
)
def test_bad_tables_are_named(tmp_path, text, message):
    imitate('kinetics400', tmp_path)
    write(tmp_path / 'annotations/train.csv', text)
    with pytest.raises(InputError, match=message):
        read_kinetics400(tmp_path / 'annotations')


def test_validation_class_without_training_videos_is_named(tmp_path):
    imitate('kinetics400', tmp_path)
    write(tmp_path / 'annotations/kinetics_val.csv', HEADER + 'abseiling,x,0,10,val,0\n')
    with pytest.raises(InputError, match=r"kinetics_val.csv:2: 'abseiling' is none of the 3"):
        read_kinetics400(tmp_path / 'annotations')


def test_subset_takes_its_classes_from_the_full_lists(tmp_path):
    _, labels = imitate('minikinetics200', tmp_path)
    publication = read_minikinetics200(tmp_path / 'annotations')
    assert publication.labels == labels
    assert [(item.stems[1], item.label) for item in publication.splits['train']] == [
        ('b0000000001', 0),
        ('A0000000001', 1),
    ]
    assert publication.splits['train'][1].source.endswith('train_ytid_list.txt:3')
    assert not any(publication.unlisted.values())


def test_class_list_decides_the_order(tmp_path):
    imitate('minikinetics200', tmp_path)
    write(tmp_path / 'annotations/classes.txt', 'petting animal (not cat)\narm wrestling\n')
    assert read_minikinetics200(tmp_path / 'annotations').splits['val'][0].label == 0
    write(tmp_path / 'annotations/classes.txt', 'arm wrestling\n')
    with pytest.raises(InputError, match=r"classes.txt: 'petting animal \(not cat\)' is missing"):
        read_minikinetics200(tmp_path / 'annotations')


def test_ids_that_the_full_lists_lack_are_kept_as_such(tmp_path):
    imitate('minikinetics200', tmp_path)
    write(tmp_path / 'annotations/train.csv', KINETICS_TRAIN.replace('b0000000001', 'elsewhere'))
    publication = read_minikinetics200(tmp_path / 'annotations')
    (entry,) = publication.unlisted['train']
    assert entry.name == 'b0000000001' and entry.source.endswith('train_ytid_list.txt:1')
    assert len(publication.splits['train']) == 1


@pytest.mark.parametrize(
    'row, told',
    [
        ('petting animal (not cat),b0000000001,7,17,train,0', "'petting animal (not cat)' from 7"),
        ('arm wrestling,b0000000001,30,40,train,0', "'arm wrestling' from 30 to 40"),
    ],
)
def test_wanted_id_with_two_different_rows_is_named_with_both(tmp_path, row, told):
    imitate('minikinetics200', tmp_path)
    path = tmp_path / 'annotations/train.csv'
    write(path, f'{KINETICS_TRAIN}{row}\n')
    with pytest.raises(InputError) as caught:
        read_minikinetics200(tmp_path / 'annotations')
    assert str(caught.value).startswith(f'{path}:7: b0000000001 is {told}')
    assert f"but 'arm wrestling' from 7 to 17 in {path}:6" in str(caught.value)


@pytest.mark.parametrize(
    'row',
    [
        'arm wrestling,b0000000001,7,17,train,1',  # the same again
        "massaging person's head,a0000000001,30,40,train,0",
    ],
)  # the subset does not have it
def test_other_rows_that_are_there_twice_do_not_matter(tmp_path, row):
    imitate('minikinetics200', tmp_path)
    write(tmp_path / 'annotations/train.csv', f'{KINETICS_TRAIN}{row}\n')
    assert len(read_minikinetics200(tmp_path / 'annotations').splits['train']) == 2
