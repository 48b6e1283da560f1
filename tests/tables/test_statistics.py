import statistics
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from mmaction_ext.tables.cells import exact
from mmaction_ext.tables.statistics import mean, sample_std, t_interval, welch_interval

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(FLOATS, min_size=2, max_size=8))
def test_mean_and_std_against_numpy(values):
    values = [round(value, 6) for value in values]
    fractions = [exact(value) for value in values]
    np.testing.assert_allclose(float(mean(fractions)), np.mean(values), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        float(sample_std(fractions)), np.std(values, ddof=1), rtol=1e-6, atol=1e-6
    )


def test_std_is_exact():
    values = [exact(value) for value in (0.83, 0.8412, 0.799)]
    # before Python 3.11 the standard library's own is off in the last digit
    assert float(sample_std(values)) == pytest.approx(statistics.stdev(values), rel=1e-15)
    assert sample_std([Fraction(1), Fraction(1)]) == 0


def test_interval_by_hand():
    """1, 2, 3: mean 2, std 1, error 1/sqrt(3); t(2) at 97.5 % is 4.3027 in any table of it."""
    low, high = t_interval([Fraction(1), Fraction(2), Fraction(3)])
    assert float(low) == pytest.approx(2 - 4.302652730 / 3**0.5, rel=1e-9)
    assert low + high == 4
    low, high = t_interval([Fraction(value) for value in (0, 0, 2, 2)])
    # std 2 / sqrt(3), error 1 / sqrt(3), t(3) = 3.1824
    assert float(high) == pytest.approx(1 + 3.182446305 / 3**0.5, rel=1e-9)


@pytest.mark.parametrize('values', [[], [1], [1, 2]])
def test_no_interval_from_fewer_than_three_values(values):
    assert t_interval([Fraction(value) for value in values]) is None


@given(st.lists(FLOATS, min_size=3, max_size=8), st.integers(1, 99))
def test_interval_against_scipy(values, percent):
    stats = pytest.importorskip('scipy.stats')
    values = [round(value, 3) for value in values]
    found = t_interval([exact(value) for value in values], Fraction(percent, 100))
    expected = values[:1] * 2  # without spread, where scipy has no interval
    if len(set(values)) > 1:
        expected = stats.t.interval(
            percent / 100,
            len(values) - 1,
            np.mean(values),
            np.std(values, ddof=1) / len(values) ** 0.5,
        )
    np.testing.assert_allclose([float(end) for end in found], expected, rtol=1e-6, atol=1e-6)


def test_interval_of_differences_is_that_of_the_paired_t_test():
    stats = pytest.importorskip('scipy.stats')
    mine, reference = (0.83, 0.8412, 0.799, 0.85), (0.8, 0.82, 0.801, 0.81)
    found = t_interval([exact(a) - exact(b) for a, b in zip(mine, reference, strict=True)])
    expected = stats.ttest_rel(mine, reference).confidence_interval(0.95)
    assert [float(end) for end in found] == pytest.approx([expected.low, expected.high], rel=1e-8)


@pytest.mark.parametrize(
    'values, difference, reach',
    [
        # equal variances of 1: error² 2/3 and (2/3)² / (2 * 1/9 / 2) = 4 degrees, t = 2.7764
        ((11, 12, 13), 10, 2.776445105 * (2 / 3) ** 0.5),
        # all spread on one side: error² 1/3 and its own 2 degrees, t = 4.3027
        ((12, 12, 12, 12), 10, 4.302652730 * (1 / 3) ** 0.5),
    ],
)
def test_welch_interval_by_hand(values, difference, reach):
    values, others = [Fraction(i) for i in values], [Fraction(i) for i in (1, 2, 3)]
    low, high = welch_interval(values, others)
    assert (low + high) / 2 == difference
    assert float(high) == pytest.approx(difference + reach, rel=1e-9)
    assert [-end for end in welch_interval(others, values)] == [high, low]


def test_welch_interval_without_spread_and_from_too_few():
    ones, twos = [Fraction(1)] * 3, [Fraction(2)] * 4
    assert welch_interval(twos, ones) == (1, 1)
    assert welch_interval(ones[:2], twos) is None and welch_interval(twos, ones[:2]) is None


@given(
    st.lists(st.integers(-500, 500), min_size=3, max_size=6),
    st.lists(st.integers(-500, 500), min_size=3, max_size=6),
)
def test_welch_interval_against_scipy(values, others):
    stats = pytest.importorskip('scipy.stats')
    assume(len(set(values)) > 1 and len(set(others)) > 1)
    found = welch_interval([Fraction(value) for value in values], [Fraction(o) for o in others])
    expected = stats.ttest_ind(values, others, equal_var=False).confidence_interval(0.95)
    assert [float(end) for end in found] == pytest.approx(
        [expected.low, expected.high], rel=1e-7, abs=1e-7
    )
