import json

import pytest
from published_data import imitate, write

from mmaction_ext.datasets.publishers.sthv2 import class_of_template, read_sthv2
from mmaction_ext.errors import InputError

PREFIX = 'something-something-v2-'


def test_templates_lose_their_brackets_and_keep_their_words(tmp_path):
    _, labels = imitate('sthv2', tmp_path)
    publication = read_sthv2(tmp_path / 'annotations')
    assert publication.labels == labels
    assert [(item.stems, item.label) for item in publication.splits['train']] == [
        (('78687',), 0),
        (('42326',), 2),
    ]
    assert [item.label for item in publication.splits['val']] == [1]
    assert publication.suffixes[0] == '.webm'
    assert class_of_template('[Something] and [something else]') == 'Something and something else'


def test_short_names_in_a_labels_folder_are_found(tmp_path):
    imitate('sthv2', tmp_path)
    for path in (tmp_path / 'annotations').iterdir():
        (tmp_path / 'labels').mkdir(exist_ok=True)
        path.rename(tmp_path / 'labels' / path.name.removeprefix(PREFIX))
    assert len(read_sthv2(tmp_path).splits['train']) == 2


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(id='1', label='x'), "entry 1: expected 'template' to be str, got None"),
        (dict(id=1, template='x'), "entry 1: expected 'id' to be str, got 1"),
        (dict(id='1', template='Pulling [something]'), "entry 1: 'Pulling something' is none of"),
    ],
)
def test_bad_entries_are_named(tmp_path, entry, message):
    imitate('sthv2', tmp_path)
    write(tmp_path / f'annotations/{PREFIX}train.json', json.dumps([entry]))
    with pytest.raises(InputError, match=message):
        read_sthv2(tmp_path / 'annotations')


@pytest.mark.parametrize(
    'classes, message',
    [
        ({'a': '0', 'b': '2'}, "'b': expected a class id from 0 to 1, got '2'"),
        ({'a': '0', 'b': '0'}, 'two classes have the same id'),
    ],
)
def test_ids_must_be_without_gaps(tmp_path, classes, message):
    imitate('sthv2', tmp_path)
    write(tmp_path / f'annotations/{PREFIX}labels.json', json.dumps(classes))
    with pytest.raises(InputError, match=message):
        read_sthv2(tmp_path / 'annotations')
