"""UT-Interaction: twenty sequences in two sets, each tested by the others of its set."""

from collections import Counter

import pytest
from published_data import UT_INTERACTION

from mmaction_ext.datasets.publishers.ut_interaction import read_ut_interaction
from mmaction_ext.errors import InputError


def lay_out(root, prefixes=('', ''), sets=(1, 2)):
    """Empty files, by name alone."""
    sequence = 0
    for number, sequences in enumerate(UT_INTERACTION, 1):
        index = 0
        for labels in sequences.split():
            sequence += 1
            for label in labels:
                path = root / f'{prefixes[number - 1]}{index}_{sequence}_{label}.avi'
                index += 1
                if number in sets:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
    return root


def sequences(items):
    return Counter(int(item.stems[0].removesuffix('.avi').split('_')[-2]) for item in items)


@pytest.mark.parametrize(
    'prefixes', [('', ''), ('set1_', 'set2_'), ('set1/', 'set_2/'), ('segmented_set1/a/', 'b/')]
)
def test_every_sequence_is_tested_once_by_the_others_of_its_set(tmp_path, prefixes):
    found = read_ut_interaction(lay_out(tmp_path, prefixes))
    for own in (range(1, 11), range(11, 21)):
        for number in own:
            parts = {
                part: sequences(found.splits[f'{part}_seq{number}'])
                for part in ('train', 'test', 'inner_train', 'inner_val')
            }
            assert parts['test'].keys() == {number}
            assert parts['train'].keys() == set(own) - {number}
            assert parts['inner_train'] + parts['inner_val'] == parts['train']
            assert not parts['inner_train'].keys() & parts['inner_val'].keys()
            after = [own[(own.index(number) + step) % 10] for step in (1, 2)]
            assert sorted(parts['inner_val']) == sorted(after)
        tested = [item for number in own for item in found.splits[f'test_seq{number}']]
        assert Counter(item.label for item in tested) == dict.fromkeys(range(6), 10)


def test_across_sets_nothing_of_the_tested_one_trains_or_validates(tmp_path):
    found = read_ut_interaction(lay_out(tmp_path))
    for fold, trained, validated in (
        ('set1_to_set2', range(1, 11), {1, 2}),
        ('set2_to_set1', range(11, 21), {11, 12}),
    ):
        assert sequences(found.splits[f'train_{fold}']).keys() == set(trained)
        assert sequences(found.splits[f'test_{fold}']).keys() == set(range(1, 21)) - set(trained)
        assert sequences(found.splits[f'inner_val_{fold}']).keys() == validated
        assert sequences(found.splits[f'inner_train_{fold}']).keys() == set(trained) - validated


def test_one_set_alone_has_its_folds(tmp_path):
    found = read_ut_interaction(lay_out(tmp_path, sets=(2,)))
    assert {split.rpartition('_')[2] for split in found.splits} == {
        f'seq{number}' for number in range(11, 21)
    }


def test_what_is_not_there_is_missed_by_its_name(tmp_path):
    root = lay_out(tmp_path)
    (root / '43_8_4.avi').unlink()
    assert '43_8_4.avi' in [
        item.stems[0] for item in read_ut_interaction(root).splits['test_seq8']
    ]


@pytest.mark.parametrize(
    ('extra', 'reason'),
    [
        ('60_10_6.avi', '60_10_6.avi is none of the clips'),
        ('0_1_5.avi', '0_1_5.avi is none of the clips'),
        ('seq1.avi', 'seq1.avi is none of the clips'),
        ('set2/0_1_4.avi', 'of set 2 by its place, of set1 by its name'),
        ('set2_0_1_4.avi', 'of set 2 by its place, of set1 by its name'),
        ('set1/0_1_4.avi', 'set1/0_1_4.avi and .*0_1_4.avi are the same clip'),
    ],
)
def test_what_contradicts_is_named(tmp_path, extra, reason):
    (lay_out(tmp_path) / extra).parent.mkdir(exist_ok=True)
    (tmp_path / extra).touch()
    with pytest.raises(InputError, match=reason):
        read_ut_interaction(tmp_path)
