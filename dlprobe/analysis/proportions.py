"""How sure a share of a few runs is."""

from __future__ import annotations

import math

NORMAL_95 = 1.959964  # 97.5 % point of the standard normal law


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score (Wilson 1927, J. Am. Stat. Assoc. 22:209); it
    stays between 0 and 1 and is right for few runs too.

    Raises ValueError unless 0 <= count <= of and of > 0.

    >>> [round(end, 3) for end in wilson(4, 5)]
    [0.376, 0.964]
    """
    if not 0 <= count <= of or of == 0:
        raise ValueError(f"{count} of {of} is no share")
    share, square = count / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = (
        NORMAL_95 * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    )
    return max(0.0, middle - half), min(1.0, middle + half)
