"""Statistics over seeds, exact as far as decimals go."""

from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

#: An interval from fewer values says more about their number than about their spread.
LEAST_FOR_INTERVAL = 3
CONFIDENCE = Fraction(95, 100)


def mean(values) -> Fraction:
    """Arithmetic mean, exact."""
    return sum(values, Fraction(0)) / len(values)


def sample_std(values) -> Fraction:
    """Standard deviation with ddof=1, to 50 digits; needs two values at least."""
    centre = mean(values)
    return _square_root(sum((value - centre) ** 2 for value in values) / (len(values) - 1))


def t_interval(values, confidence=CONFIDENCE) -> tuple | None:
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


@lru_cache
def _t_quantile(degrees, confidence) -> Fraction:
    """Where Student's t has ``confidence`` between the value and its negative, to 10 digits:
    no version of SciPy differs in those."""
    from scipy.special import stdtrit
    return Fraction(f'{stdtrit(degrees, float((1 + confidence) / 2)):.9e}')


def _square_root(value) -> Fraction:
    context = Context(prec=50)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Fraction(context.sqrt(quotient))
