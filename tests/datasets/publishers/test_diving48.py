import json

import pytest
from published_data import imitate, write

from mmaction_ext.datasets.publishers.diving48 import read_diving48
from mmaction_ext.errors import InputError

GOOD = dict(vid_name='a', label=0, start_frame=0, end_frame=48)


def test_classes_and_frames(tmp_path):
    _, labels = imitate('diving48', tmp_path)
    publication = read_diving48(tmp_path / 'annotations')
    assert publication.labels == labels and set(publication.splits) == {'train', 'test'}
    (item,) = publication.splits['train']
    assert (item.stems, item.label, item.min_frames) == (('-mmq0PT-u8k_00155',), 0, 7)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(label=2), "entry 2: expected a class id from 0 to 1, got '2'"),
        (dict(label='0'), "entry 2: expected 'label' to be int"),
        (dict(vid_name=None), "entry 2: expected 'vid_name' to be str"),
    ],
)
def test_bad_entries_are_named(tmp_path, change, message):
    imitate('diving48', tmp_path)
    write(tmp_path / 'annotations/Diving48_V2_test.json', json.dumps([GOOD, dict(GOOD, **change)]))
    with pytest.raises(InputError, match=message):
        read_diving48(tmp_path / 'annotations')


def test_entry_that_ends_before_it_starts_is_kept_as_such(tmp_path):
    imitate('diving48', tmp_path)
    write(
        tmp_path / 'annotations/Diving48_V2_test.json',
        json.dumps([GOOD, dict(GOOD, vid_name='b', start_frame=5, end_frame=3)]),
    )
    publication = read_diving48(tmp_path / 'annotations')
    (entry,), (item,) = publication.unlisted['test'], publication.splits['test']
    assert (entry.name, entry.reason) == ('b', 'the list has it from frame 5 to 3')
    assert entry.source.endswith('test.json: entry 2') and item.stems == ('a',)


def test_bad_vocabulary_is_named(tmp_path):
    imitate('diving48', tmp_path)
    write(tmp_path / 'annotations/Diving48_vocab.json', json.dumps([['Back'], 'Front']))
    with pytest.raises(
        InputError, match=r"vocab.json: class 1: expected a list of words, got 'Fr"
    ):
        read_diving48(tmp_path / 'annotations')
