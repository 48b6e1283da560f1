"""Statistics over seeds, exact as far as decimals go; the power of a comparison in floats."""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

#: An interval from fewer values says more about their number than about their spread.
LEAST_FOR_INTERVAL = 3
CONFIDENCE = Fraction(95, 100)
#: Share of comparisons that are to find a difference which is there (Cohen 1988, section 2.4).
POWER = 0.8
#: More pairs than that are not counted: no study has as many seeds.
MOST_PAIRS = 10_000

Interval = tuple[Fraction, Fraction]


def mean(values: Sequence[Fraction]) -> Fraction:
    """Arithmetic mean, exact."""
    return sum(values, Fraction(0)) / len(values)


def sample_std(values: Sequence[Fraction]) -> Fraction:
    """Standard deviation with ddof=1, to 50 digits; needs two values at least."""
    return _square_root(_variance(values))


def _variance(values: Sequence[Fraction]) -> Fraction:
    """With ddof=1."""
    centre = mean(values)
    squares = [(value - centre) * (value - centre) for value in values]
    return sum(squares, Fraction(0)) / (len(values) - 1)


def t_interval(values: Sequence[Fraction], confidence: Fraction = CONFIDENCE) -> Interval | None:
    """Confidence interval of the mean of normally distributed values, Student's t.

    Of paired differences it is the interval of the paired t test.

    Args:
        values: :class:`fractions.Fraction` list.
        confidence: share of such intervals that hold the true mean, in (0, 1).

    Returns:
        ``(low, high)``, or ``None`` for fewer than :data:`LEAST_FOR_INTERVAL` values.
    """
    if len(values) < LEAST_FOR_INTERVAL:
        return None
    centre = mean(values)
    error = sample_std(values) * _square_root(Fraction(1, len(values)))
    reach = _t_quantile(len(values) - 1, Fraction(confidence)) * error
    return centre - reach, centre + reach


def welch_interval(
    values: Sequence[Fraction], others: Sequence[Fraction], confidence: Fraction = CONFIDENCE
) -> Interval | None:
    """Confidence interval of the difference of two means, of which nobody assumes equal spread.

    Welch's t with the degrees of freedom of Welch and Satterthwaite.

    Args:
        values, others: :class:`fractions.Fraction` lists, of independent measurements.
        confidence: as for :func:`t_interval`.

    Returns:
        ``(low, high)`` of the mean of ``values`` less that of ``others``, or ``None`` where one
        of them has fewer than :data:`LEAST_FOR_INTERVAL` values.
    """
    if min(len(values), len(others)) < LEAST_FOR_INTERVAL:
        return None
    centre = mean(values) - mean(others)
    parts = [(_variance(each) / len(each), len(each) - 1) for each in (values, others)]
    squared_error = sum(part for part, _ in parts)
    if not squared_error:
        return centre, centre
    degrees = squared_error**2 / sum(part**2 / freedom for part, freedom in parts)
    reach = _t_quantile(degrees, Fraction(confidence)) * _square_root(squared_error)
    return centre - reach, centre + reach


def paired_power(effect: float, pairs: int, confidence: Fraction = CONFIDENCE) -> float:
    """Power of the two-sided paired t test: how often it finds a difference that is there.

    Exact, by the noncentral t distribution with ``pairs - 1`` degrees of freedom and the
    noncentrality ``effect * sqrt(pairs)`` (Cohen, *Statistical Power Analysis for the Behavioral
    Sciences*, 1988, chapter 2; Johnson and Welch, Biometrika 31, 1940).

    Args:
        effect: true mean of the differences over their true standard deviation.
        pairs: number of pairs, :data:`LEAST_FOR_INTERVAL` or more.
        confidence: of the interval that must not hold 0.

    Returns:
        A share in (0, 1].
    """
    from scipy.special import nctdtr

    degrees, shift = pairs - 1, abs(effect) * pairs**0.5
    if shift > 30:  # 1 to a double's last digits; SciPy's distribution ends soon behind
        return 1.0
    reach = float(_t_quantile(degrees, confidence))
    wrong_sign = nctdtr(degrees, shift, -reach) if shift < 5 else 0  # below 1e-8 from there on
    return float(1 - nctdtr(degrees, shift, reach) + wrong_sign)


def pairs_needed(effect: float, power: float = POWER) -> int | None:
    """Least number of pairs with which the two-sided paired t test has a power.

    Args:
        effect: as for :func:`paired_power`, not 0.
        power: the least that is wanted.

    Returns:
        :data:`LEAST_FOR_INTERVAL` or more; ``None`` for more than :data:`MOST_PAIRS`.
    """
    counts = range(LEAST_FOR_INTERVAL, MOST_PAIRS + 1)
    place = bisect_left(counts, power, key=lambda pairs: paired_power(effect, pairs))
    return counts[place] if place < len(counts) else None


def least_effect(pairs: int, power: float = POWER) -> float:
    """Least effect, see :func:`paired_power`, that so many pairs find with a power."""
    from scipy.optimize import brentq

    most = 30 / pairs**0.5
    return float(brentq(lambda effect: paired_power(effect, pairs) - power, 0, most))


def std_limit(std: float, values: int, confidence: Fraction = CONFIDENCE) -> float:
    """Upper confidence limit of the standard deviation of normally distributed values.

    ``std * sqrt((values - 1) / chi2)`` with the lower quantile of chi-square with ``values - 1``
    degrees of freedom: a factor of 4.4 from 3 values, of 1.6 from 10.

    Args:
        std: standard deviation (ddof=1) of the values.
        values: their number, 2 or more.
        confidence: share of such limits that lie above the true one.
    """
    from scipy.special import chdtri

    return float(std * ((values - 1) / chdtri(values - 1, float(confidence))) ** 0.5)


@lru_cache
def _t_quantile(degrees: Fraction | int, confidence: Fraction) -> Fraction:
    """Where Student's t has ``confidence`` between the value and its negative.

    To 10 digits: no version of SciPy differs in those.
    """
    from scipy.special import stdtrit

    return Fraction(f'{stdtrit(float(degrees), float((1 + confidence) / 2)):.9e}')


def _square_root(value: Fraction) -> Fraction:
    context = Context(prec=50)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Fraction(context.sqrt(quotient))
