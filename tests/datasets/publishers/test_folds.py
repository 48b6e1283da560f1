"""Lists of folds: nothing on two sides, whatever the groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.datasets.publishers.folds import fold_lists
from mmaction_ext.errors import InputError


@given(data=st.data(), sizes=st.lists(st.integers(0, 4), min_size=3, max_size=12))
def test_parts_of_a_fold_share_no_group_and_lose_no_sample(data, sizes):
    groups = {f'g{i}': [f'g{i}_{j}' for j in range(size)] for i, size in enumerate(sizes)}
    names = st.sampled_from(list(groups))
    tested = data.draw(st.sets(names, min_size=1, max_size=len(sizes) - 2))
    lists = fold_lists('x', groups, tested)
    owner = {part: {sample.split('_')[0] for sample in each} for part, each in lists.items()}
    every = [sample for samples in groups.values() for sample in samples]
    assert list(lists) == ['train_x', 'test_x', 'inner_train_x', 'inner_val_x']
    assert owner['test_x'] <= tested and not owner['train_x'] & tested
    assert sorted(lists['train_x'] + lists['test_x']) == sorted(every)
    assert sorted(lists['inner_train_x'] + lists['inner_val_x']) == sorted(lists['train_x'])
    assert not owner['inner_train_x'] & owner['inner_val_x']
    assert all(each == [sample for sample in every if sample in each] for each in lists.values())


@pytest.mark.parametrize('count, validating', [(3, 1), (5, 1), (9, 2), (10, 2), (20, 4)])
def test_a_fifth_of_what_trains_validates(count, validating):
    groups = {str(number): [number] for number in range(count)}
    lists = fold_lists('x', groups, [str(count - 1)])
    assert lists['inner_val_x'] == list(range(validating))  # those that follow the last
    assert fold_lists('x', groups, ['0'])['inner_val_x'] == list(range(1, 1 + validating))


def test_too_little_to_choose_on_is_named():
    with pytest.raises(InputError, match='fold a: 1 groups train, two or more'):
        fold_lists('a', {'a': [1], 'b': [2]}, ['a'])
    assert fold_lists('a', {'a': [1], 'b': [2]}, ['a'], nested=False) == {
        'train_a': [2],
        'test_a': [1],
    }
