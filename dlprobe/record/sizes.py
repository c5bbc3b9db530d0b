"""Sizes as people read them, the same in every sentence."""

from __future__ import annotations

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def percent_number(share: float, digits: int = 1) -> str:
    """A share in percent without the sign; its power of ten where nobody reads the digits.

    >>> percent_number(0.0343), percent_number(-0.5, 2), percent_number(-2e63)
    ('3.4', '-50.00', '-10⁶⁵')
    """
    if math.isfinite(share) and abs(share) >= 100.0:
        return f"{'-' if share < 0 else ''}{power_of_ten(math.log10(100.0 * abs(share)))}"
    return f"{100 * share:.{digits}f}"


def power_of_ten(exponent: float) -> str:
    """A size by its logarithm, to the nearest whole power.

    >>> power_of_ten(-12.1), power_of_ten(8), power_of_ten(math.inf), power_of_ten(-math.inf)
    ('10⁻¹²', '10⁸', 'infinity', '0')
    """
    if not math.isfinite(exponent):
        return "nan" if math.isnan(exponent) else "infinity" if exponent > 0 else "0"
    return f"10{str(round(exponent)).translate(_RAISED)}"


def factor_text(factor: float) -> str:
    """A factor of 0 or more: two digits while it is a plain number, its power of ten beyond.

    >>> factor_text(1.02), factor_text(0.00042), factor_text(4970.0), factor_text(1e-12), factor_text(0.0)
    ('1', '0.00042', '5,000', '10⁻¹²', '0')
    """  # noqa: E501
    if not math.isfinite(factor) or factor == 0.0 or abs(math.log10(factor)) < 4:
        return f"{float(f'{factor:.2g}'):,.0f}" if 100 <= factor < math.inf else f"{factor:.2g}"
    return power_of_ten(math.log10(factor))


def percent(share: float) -> str:
    """A share with its unit, `8.3 %`."""
    return f"{percent_number(share)} %"
