"""Splits of one's own clips, whatever they are: no group on two sides, no clip lost."""

import random
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmaction_ext.datasets.publishers.clips import Clip, Splitting, split_clips
from mmaction_ext.errors import InputError

LABELS = ['kick', 'punch', 'wave']


@st.composite
def own_clips(draw):
    """Clips of two or three classes, of four groups or more, each class in three or more."""
    labels = LABELS[: draw(st.integers(2, 3))]
    sizes = draw(
        st.lists(
            st.lists(st.integers(0, 3), min_size=len(labels), max_size=len(labels)),
            min_size=4,
            max_size=9,
        )
    )
    assume(all(sum(size[label] > 0 for size in sizes) > 2 for label in range(len(labels))))
    return labels, [
        Clip(labels[label], f'g{place}_{take}.avi', label, f'g{place}', 'clips')
        for place, size in enumerate(sizes)
        for label, number in enumerate(size)
        for take in range(number)
    ]


def paths(publication):
    return {
        split: [f'{item.folders[0]}/{item.stems[0]}' for item in items]
        for split, items in publication.splits.items()
    }


def group_of(path):
    return path.split('/')[1].split('_')[0]


def split_or_assume(clips, labels, folder, how, is_grouped=True):
    """What is drawn may leave a class nothing to train on, which is refused by its name."""
    try:
        return split_clips(clips, labels, folder, folder, how, is_grouped=is_grouped)
    except InputError as error:
        assert 'is left for training in' in str(error)
        assume(False)


@given(own_clips(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_split_of_groups_is_whole_and_follows_from_names_and_seed(drawn, seed, shuffling):
    labels, clips = drawn
    how = Splitting(seed, 'g')
    found = paths(split_or_assume(clips, labels, Path('x'), how))
    owners = [{group_of(path) for path in each} for each in found.values()]
    assert list(found) == ['train', 'val', 'test'] and all(found.values())
    assert sum(map(len, owners)) == len(set.union(*owners))
    assert sorted(chain(*found.values())) == sorted(clip.path for clip in clips)
    shuffling.shuffle(clips)
    again = paths(split_clips(clips, labels, Path('x'), Path('x'), how, is_grouped=True))
    assert {split: sorted(each) for split, each in again.items()} == {
        split: sorted(each) for split, each in found.items()
    }


@given(own_clips(), st.integers(2, 6), st.integers(0, 5), st.booleans())
def test_folds_are_whole_groups_and_as_equal_as_the_largest_allows(drawn, count, seed, nested):
    labels, clips = drawn
    groups = Counter(clip.group for clip in clips)
    assume(count <= len(groups) and (count > 2 or not nested))
    found = paths(split_or_assume(clips, labels, Path('x'), Splitting(seed, 'g', count, nested)))
    tests = [found[f'test_{number}'] for number in range(1, count + 1)]
    assert sorted(chain(*tests)) == sorted(clip.path for clip in clips)
    assert max(map(len, tests)) - min(map(len, tests)) <= max(groups.values())
    for number in range(1, count + 1):
        parts = {
            part: found[f'{part}_{number}']
            for part in ('train', 'test', 'inner_train', 'inner_val')
            if f'{part}_{number}' in found
        }
        owners = {part: {group_of(path) for path in each} for part, each in parts.items()}
        assert not owners['train'] & owners['test']
        assert len(parts['train']) + len(parts['test']) == len(clips)
        assert ('inner_val' in parts) == nested
        if nested:
            assert not owners['inner_train'] & owners['inner_val'] and parts['inner_val']
            assert sorted(parts['inner_train'] + parts['inner_val']) == sorted(parts['train'])


@given(
    sizes=st.lists(st.integers(2, 12), min_size=2, max_size=3),
    count=st.integers(2, 6),
    seed=st.integers(0, 5),
)
def test_folds_of_single_clips_have_their_share_of_every_class(sizes, count, seed):
    clips = [
        Clip(LABELS[label], f'{place}.avi', label, f'{label}/{place}', 'clips')
        for label, size in enumerate(sizes)
        for place in range(size)
    ]
    assume(count <= len(clips))
    found = split_or_assume(
        clips, LABELS[: len(sizes)], Path('x'), Splitting(seed, None, count), False
    )
    tests = [found.splits[f'test_{number}'] for number in range(1, count + 1)]
    lengths = list(map(len, tests))
    assert max(lengths) - min(lengths) <= 1
    for label in range(len(sizes)):
        shares = [sum(item.label == label for item in items) for items in tests]
        assert max(shares) - min(shares) <= 1


def test_another_seed_deals_otherwise():
    clips = [
        Clip(name, f'{i}.avi', label, f'{label}/{i}', 'x')
        for label, name in enumerate(LABELS)
        for i in range(9)
    ]
    random.Random(0).shuffle(clips)
    found = {
        tuple(
            sorted(
                paths(
                    split_clips(
                        clips,
                        LABELS,
                        Path('x'),
                        Path('x'),
                        Splitting(seed, None, 3),
                        is_grouped=False,
                    )
                )['test_1']
            )
        )
        for seed in range(5)
    }
    assert len(found) == 5


@pytest.mark.parametrize(
    ('how', 'reason'),
    [
        (Splitting(folds=1), '--folds 1: two or more'),
        (Splitting(folds=0), '--folds 0: two or more'),
        (Splitting(folds=99), '--folds 99: .* no more than the 18 groups or single clips'),
        (Splitting(folds=2, nested=True), 'fold 1: 1 groups train, two or more'),
        (Splitting(nested=True), '--nested divides what trains in folds, and there are none'),
    ],
)
def test_what_cannot_be_dealt_is_named(how, reason):
    clips = [
        Clip(name, f'{i}.avi', label, f'{name}/{i}', 'x')
        for label, name in enumerate(LABELS)
        for i in range(6)
    ]
    with pytest.raises(InputError, match=reason):
        split_clips(clips, LABELS, Path('x'), Path('x'), how, is_grouped=False)
