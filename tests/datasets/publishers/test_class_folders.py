"""Clips of one's own: every one in one split, none apart from those it belongs with."""

import os
from collections import Counter
from itertools import chain

import pytest

from mmaction_ext.datasets.publishers.class_folders import read_class_folders
from mmaction_ext.errors import InputError


def lay_out(root, classes, people=range(5), takes=2, suffix='.avi'):
    for name in classes:
        (root / name).mkdir(parents=True)
        for person in people:
            for take in range(takes):
                (root / name / f'p{person}_{take}{suffix}').touch()
    return root


def files(publication):
    return {
        split: [f'{item.folders[0]}/{item.stems[0]}' for item in items]
        for split, items in publication.splits.items()
    }


def test_every_clip_is_in_one_split_and_every_class_in_all(tmp_path):
    found = read_class_folders(lay_out(tmp_path, ['punch', 'kick']))
    assert found.labels == ['kick', 'punch']
    names = files(found)
    assert {split: len(each) for split, each in names.items()} == dict(train=12, val=4, test=4)
    assert len(set(chain(*names.values()))) == 20
    for items in found.splits.values():
        assert {item.label for item in items} == {0, 1}
        assert all(found.labels[item.label] == item.folders[0] for item in items)


def test_a_split_follows_from_names_and_seed_alone(tmp_path):
    root = lay_out(tmp_path / 'a', ['kick', 'punch'])
    other = lay_out(tmp_path / 'b', ['punch', 'kick'])
    assert files(read_class_folders(root)) == files(read_class_folders(other))
    seeds = {tuple(files(read_class_folders(root, seed))['test']) for seed in range(5)}
    assert len(seeds) > 1


def test_clips_of_one_person_stay_together(tmp_path):
    root = lay_out(tmp_path, ['kick', 'punch'])
    names = files(read_class_folders(root, group=r'/(p\d)'))
    people = {split: {name.split('/')[1][:2] for name in each} for split, each in names.items()}
    assert not people['train'] & people['test'] and not people['val'] & people['test']
    assert Counter(map(len, people.values())) == Counter([3, 1, 1])
    assert files(read_class_folders(root, group=r'(?<=/)p\d')).keys() == names.keys()


def test_each_person_is_left_out_in_turn(tmp_path):
    root = lay_out(tmp_path, ['kick', 'punch'], range(3))
    found = files(read_class_folders(root, group=r'/(p\d)', folds=True))
    assert list(found) == [f'{split}_p{i}' for i in range(3) for split in ('train', 'test')]
    for i in range(3):
        assert {name.split('/')[1][:2] for name in found[f'test_p{i}']} == {f'p{i}'}
        both = found[f'train_p{i}'] + found[f'test_p{i}']
        assert len(both) == len(set(both)) == len(found['train_p0'] + found['test_p0'])


@pytest.mark.parametrize(
    ('group', 'reason'),
    [
        (None, 'two or more groups .*: there are 0'),
        (r'avi', 'two or more groups .*: there are 1'),
        (r'.+', "'kick/p0_0.avi' is no plain name"),
        (r'^\w+', 'no clip of kick is left for training in train_kick'),
    ],
)
def test_what_is_no_fold_is_named(tmp_path, group, reason):
    with pytest.raises(InputError, match=reason):
        read_class_folders(lay_out(tmp_path, ['kick', 'punch']), group=group, folds=True)


def test_what_is_no_clip_does_not_count_and_is_named(tmp_path):
    root = lay_out(tmp_path, ['kick', 'punch'])
    before = read_class_folders(root)
    lay_out(root, ['.cache', 'wave/deeper'])
    (root / 'kick/.hidden.avi').touch()
    (root / 'kick/readme.txt').touch()
    after = read_class_folders(root)
    assert files(after) == files(before) and not before.notes
    assert after.notes == [
        'only videos right in the folder of their class count, not wave/, kick/readme.txt'
    ]
    (root / 'kick/UPPER.MP4').touch()
    assert list(chain(*files(read_class_folders(root)).values())).count('kick/UPPER.MP4') == 1


@pytest.mark.parametrize(
    ('classes', 'people', 'group', 'reason'),
    [
        (['kick'], 5, None, 'holds 1 folders with videos'),
        (['kick', 'punch'], 1, None, 'class kick has 2 clips'),
        (['kick', 'punch'], 2, r'p\d', r'--group finds 2 groups \(p0, p1\)'),
        (['kick', 'punch'], 5, '(x)|p', 'matches nothing in kick/p0_0.avi'),
        (['kick', 'punch'], 5, 'person', "'person' matches nothing in kick/p0_0.avi"),
        (['kick', 'punch'], 5, '(', r"--group '\(' is no regular expression"),
        (['kick', 'punch', 'wave'], 5, r'^\w+', 'no clip of .* is left for training'),
    ],
)
def test_what_cannot_be_split_is_named(tmp_path, classes, people, group, reason):
    with pytest.raises(InputError, match=reason):
        read_class_folders(lay_out(tmp_path, classes, range(people)), group=group)


def test_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match='gone is no folder'):
        read_class_folders(tmp_path / 'gone')


def test_name_that_is_no_text_is_named(tmp_path):
    root = lay_out(tmp_path, ['kick', 'punch'])
    os.close(os.open(os.fsencode(root / 'kick') + b'/\xff.avi', os.O_CREAT))
    with pytest.raises(InputError, match=r"kick: 'kick/.udcff\.avi' cannot be written"):
        read_class_folders(root)


def test_folders_that_differ_in_case_alone_are_named(tmp_path):
    with pytest.raises(InputError, match="classes 'Kick' and 'kick' differ in case"):
        read_class_folders(lay_out(tmp_path, ['kick', 'Kick', 'wave']))


def test_folds_can_be_nested(tmp_path):
    root = lay_out(tmp_path, ['kick', 'punch'], range(3))
    found = files(read_class_folders(root, group=r'/(p\d)', folds=True, nested=True))
    assert {name.split('/')[1][:2] for name in found['inner_val_p0']} == {'p1'}
    assert {name.split('/')[1][:2] for name in found['inner_val_p2']} == {'p0'}
