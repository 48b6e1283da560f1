from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import Cell, CellStatus, SeedResult, Table, TableRow
from mmaction_ext.tables.power import compare, table_power
from mmaction_ext.tables.spec import Column
from mmaction_ext.tables.statistics import (
    LEAST_FOR_INTERVAL,
    MOST_PAIRS,
    POWER,
    least_effect,
    paired_power,
    pairs_needed,
    std_limit,
)

TOP1 = Column('top1', 'Top-1', 'test/acc/top1', scale=Fraction(100))


@pytest.mark.parametrize(
    ('effect', 'pairs'),
    # of G*Power and of any table of the matched-pairs t test, two-sided 5 %, 80 %
    [(0.2, 199), (0.3, 90), (0.5, 34), (0.8, 15), (1.0, 10)],
)
def test_pairs_needed_as_published(effect, pairs):
    assert pairs_needed(effect) == pairs
    assert pairs_needed(0.5, power=0.95) == 54


def test_power_against_the_distributions_of_scipy():
    stats = pytest.importorskip('scipy.stats')
    for pairs in (3, 4, 7, 20, 300):
        reach = stats.t.ppf(0.975, pairs - 1)
        for effect in (0.0, 0.05, 0.3, 1.0, 2.5):
            away = stats.nct(pairs - 1, effect * pairs**0.5)
            expected = away.sf(reach) + away.cdf(-reach)
            assert paired_power(effect, pairs) == pytest.approx(expected, abs=1e-7)
            assert paired_power(-effect, pairs) == paired_power(effect, pairs)


def test_power_against_studies_that_are_drawn():
    """The share of 20,000 drawn studies whose t test finds the difference; its error is 0.003."""
    stats = pytest.importorskip('scipy.stats')
    draw = np.random.default_rng(0)
    for effect, pairs in ((1.0, 10), (2.0, 4), (3.264, 3), (0.0, 5)):
        studies = draw.normal(effect, 1, (20_000, pairs))
        found = stats.ttest_1samp(studies, 0, axis=1).pvalue < 0.05
        assert found.mean() == pytest.approx(paired_power(effect, pairs), abs=0.012)


def test_limit_of_a_standard_deviation_against_samples_that_are_drawn():
    draw = np.random.default_rng(0)
    for values, factor in ((3, 4.415), (10, 1.645)):
        assert std_limit(1, values) == pytest.approx(factor, abs=1e-3)
        stds = draw.normal(0, 1, (20_000, values)).std(axis=1, ddof=1)
        assert (stds * std_limit(1, values) >= 1).mean() == pytest.approx(0.95, abs=0.006)


@given(st.floats(0.01, 1000))
def test_as_many_pairs_as_are_needed_and_no_fewer(effect):
    pairs = pairs_needed(effect)
    if pairs is None:
        assert paired_power(effect, MOST_PAIRS) < POWER
        return
    assert paired_power(effect, pairs) >= POWER
    assert pairs == LEAST_FOR_INTERVAL or paired_power(effect, pairs - 1) < POWER


@given(st.integers(3, 10_000))
def test_the_least_effect_has_just_the_power(pairs):
    assert paired_power(least_effect(pairs), pairs) == pytest.approx(POWER, abs=1e-6)


def cell_of(*values, fold=''):
    """A seed without a value has no run."""
    return Cell(
        CellStatus.OK,
        '',
        value=Fraction(1),
        seeds=tuple(
            SeedResult(seed, CellStatus.MISSING, reason='no run')
            if value is None
            else SeedResult(seed, CellStatus.OK, Fraction(value), fold=fold)
            for seed, value in enumerate(values)
        ),
    )


def test_a_comparison_by_hand():
    """Differences 1, 2, 3: mean 2, standard deviation 1, t interval 2 ± 2.484."""
    found = compare('full', cell_of(11, 12, 13), 'base', cell_of(10, 10, 10))
    assert (found.difference, found.std, found.seeds) == (2, 1, (0, 1, 2))
    assert float(found.interval[1]) == pytest.approx(2 + 2.4841, abs=1e-4)
    assert found.is_told_apart is False
    # twice the difference from noise of 1 standard deviation: 2.0 needs 5, 1.0 needs 10
    assert (found.needed(2).estimate, found.needed(1).estimate) == (5, 10)
    assert found.needed(1).at_most == pairs_needed(1 / 4.4153964)
    assert found.detectable == pytest.approx(3.26404, abs=1e-4)
    assert compare('base', cell_of(10, 10, 10), 'full', cell_of(15, 15, 16)).is_told_apart


@pytest.mark.parametrize(
    ('mine', 'problem'),
    [
        (cell_of(11, 12, None), '2 seeds in common, 3 are needed'),
        (cell_of(11, 11, 11), 'the differences of all seeds are alike: no spread to go by'),
        (cell_of(11, 12, 13, fold='1'), 'folds of one seed say nothing of the spread of seeds'),
    ],
)
def test_where_the_spread_is_unknown_nothing_is_borrowed(mine, problem):
    found = compare('full', mine, 'base', cell_of(10, 10, 10))
    assert found.problem == problem
    assert (found.needed(2), found.detectable, found.is_told_apart) == (None, None, None)


def table_of(**rows):
    """A table of one column; the first row is the reference."""
    reference = next(iter(rows))
    return Table(
        'demo',
        'A demo',
        '',
        (TOP1,),
        [TableRow(name, name, [cell], counterpart=reference) for name, cell in rows.items()],
    )


def test_rows_against_the_reference_and_every_pair():
    table = table_of(
        base=cell_of(10, 10, 10),
        a=cell_of(20, 21, 22),
        b=cell_of(20, 22, 21),
        c=Cell(CellStatus.OK, '–'),
    )
    found = table_power(table, 5)
    assert [(row.row, row.other) for row in found.rows] == [('a', 'base'), ('b', 'base')]
    apart = {(pair.row, pair.other): pair.is_told_apart for pair in found.pairs}
    assert apart == {('base', 'a'): True, ('base', 'b'): True, ('a', 'b'): False}
    assert found.is_enough and not table_power(table, 3).is_enough


def test_what_is_no_column_or_difference():
    table = table_of(base=cell_of(1, 2, 3))
    with pytest.raises(InputError, match="no measured column 'top5'; it has top1"):
        table_power(table, 2, 'top5')
    for wrong in (0, -1, float('nan'), float('inf')):
        with pytest.raises(InputError, match='must be positive'):
            table_power(table, wrong)
