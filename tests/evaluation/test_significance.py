import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.evaluation.significance import compare


def recognized(both, first, second, neither):
    """Which samples two models recognize, by how many there are of each kind."""
    counts = (both, first, second, neither)
    return (
        np.repeat([True, True, False, False], counts),
        np.repeat([True, False, True, False], counts),
    )


def test_mcnemar_by_hand():
    """12 samples are recognized by one alone, 2 of them by the second: 2 (1 + 12 + 66) / 2**12."""
    found = compare(*recognized(30, 10, 2, 8))
    assert (found.samples, found.first_alone, found.second_alone) == (50, 10, 2)
    assert found.difference == pytest.approx(0.16)
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)


@pytest.mark.parametrize('counts', [(30, 0, 0, 8), (0, 0, 0, 1), (5, 4, 4, 0)])
def test_models_that_do_as_well(counts):
    found = compare(*recognized(*counts))
    assert (found.p_value, found.difference) == (1, 0)
    assert found.interval[0] <= 0 <= found.interval[1]


@given(st.tuples(*[st.integers(0, 30)] * 4).filter(any))
def test_the_other_way_round(counts):
    first, second = recognized(*counts)
    found, other = compare(first, second), compare(second, first)
    assert found.p_value == pytest.approx(other.p_value)
    assert found.difference == -other.difference
    assert found.interval[0] <= found.difference <= found.interval[1]


def test_interval_against_the_bootstrap_of_scipy():
    stats = pytest.importorskip('scipy.stats')
    first, second = recognized(200, 60, 30, 110)
    found = compare(first, second)
    theirs = stats.bootstrap(
        (first.astype(float), second.astype(float)),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        vectorized=True,
        method='percentile',
        n_resamples=9999,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.interval == pytest.approx(theirs, abs=0.004)


def test_the_same_interval_every_time():
    pair = recognized(20, 6, 3, 11)
    assert compare(*pair) == compare(*pair)
