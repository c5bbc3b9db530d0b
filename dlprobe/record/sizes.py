"""Sizes as people read them, the same in every sentence."""

from __future__ import annotations

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: float) -> str:
    """A size by its logarithm, to the nearest whole power.

    >>> power_of_ten(-12.1), power_of_ten(8), power_of_ten(math.inf), power_of_ten(-math.inf)
    ('10⁻¹²', '10⁸', 'infinity', '0')
    """
    if not math.isfinite(exponent):
        return "nan" if math.isnan(exponent) else "infinity" if exponent > 0 else "0"
    return f"10{str(round(exponent)).translate(_RAISED)}"
