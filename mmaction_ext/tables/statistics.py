"""Statistics over seeds, exact as far as decimals go."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

#: An interval from fewer values says more about their number than about their spread.
LEAST_FOR_INTERVAL = 3
CONFIDENCE = Fraction(95, 100)

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
