import hypothesis.strategies as st
from hypothesis import given

from mmaction_ext.tracking.reading.rows import EvenSample, by_place, flat, project, thin


@given(st.integers(2, 12), st.integers(0, 400))
def test_even_sample(limit, length):
    sample = EvenSample(limit)
    for item in range(length):
        sample.add(item)
    kept = sample.items()
    assert len(kept) <= limit
    if length <= limit:
        assert kept == list(range(length))
        return
    assert (kept[0], kept[-1]) == (0, length - 1) and len(kept) >= limit // 2
    steps = {after - before for before, after in zip(kept, kept[1:-1])}
    assert len(steps) <= 1, 'all distances but the last are the same'


def test_thin_keeps_the_last_row_with_each_metric():
    rows = [{'iter': i, 'train/loss': i} for i in range(1, 5001)]
    rows[2500:2500] = [{'iter': 2500, 'train/replaced_samples': 1}]
    rows.append({'iter': 5000, 'train/replaced_samples': 2})
    kept = thin(rows)
    assert [row for row in kept if 'train/replaced_samples' in row] == [rows[2500], rows[-1]]
    losses = [row for row in kept if 'train/loss' in row]
    assert (losses[0], losses[-1]) == (rows[0], rows[-2]) and 500 <= len(losses) <= 1000
    assert [row['iter'] for row in kept] == sorted(row['iter'] for row in kept)


def test_parts_of_one_evaluation_are_joined_and_repetitions_are_not():
    rows = [{'iter': 4, 'test/acc': 1}, {'iter': 4, 'test/table.path': 'x'},
            {'iter': 4, 'test/acc': 2}, {'iter': 8, 'test/acc': 3}]
    assert by_place(rows) == {
        (4, 0): {'iter': 4, 'test/acc': 1, 'test/table.path': 'x'},
        (4, 1): {'iter': 4, 'test/acc': 2}, (8, 0): {'iter': 8, 'test/acc': 3}}


def test_project():
    rows = [{'iter': 1, 'epoch': 1, 'a/b': 2, 'a/c': 3}, {'iter': 2, 'a/c': 3}]
    assert project(rows, {'a/b'}) == [{'iter': 1, 'epoch': 1, 'a/b': 2}]
    assert project(rows, None) == rows


def test_flat():
    assert flat({'a': 1, 'b': {'c': 2, 'd': {'e': [3]}}}) == {'a': 1, 'b.c': 2, 'b.d.e': [3]}
