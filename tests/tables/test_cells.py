from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.tables.cells import exact, format_number, parse_format

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    'value, fmt, text',
    [
        ('2.25', '.1f', '2.2'),
        ('2.35', '.1f', '2.4'),
        ('-2.25', '.1f', '-2.2'),
        ('0.5', '.0f', '0'),
        ('1.5', '.0f', '2'),
        ('99.95', '.1f', '100.0'),
        ('0.04', '.1f', '0.0'),
        ('-0.04', '.1f', '0.0'),
        ('-0.04', '+.1f', '0.0'),
        ('0.06', '+.1f', '+0.1'),
        ('-0.06', '+.1f', '-0.1'),
        ('3.249', '.2f', '3.25'),
        ('0.005', '.3f', '0.005'),
        ('12', '.2f', '12.00'),
        ('1e-7', '.7f', '0.0000001'),
    ],
)
def test_format_number(value, fmt, text):
    assert format_number(Fraction(value), fmt) == text


@given(FLOATS, st.integers(0, 6))
def test_format_number_against_the_decimal_module(value, digits):
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    expected = f'{abs(rounded) if rounded == 0 else rounded:f}'
    assert format_number(exact(value), f'.{digits}f') == expected


@pytest.mark.parametrize('fmt', ['', '1f', '.1', '.1e', 'd', '.10f', '-.1f', '.1f\n', None, 1])
def test_unknown_formats(fmt):
    with pytest.raises(ValueError, match='is no format'):
        parse_format(fmt)


def test_exact_takes_the_decimals_that_were_logged():
    """0.575 * 100 is 57.49999999999999 in binary; on paper it is 57.5."""
    assert exact(0.575) * 100 == Fraction('57.5')
    assert format_number(exact(0.575) * 100, '.0f') == '58'
