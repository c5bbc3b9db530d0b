"""What a comparison would have found, in words: so that an empty list is not taken for a proof.

A count of errors that rises to three times what it was comes out as a binomial number around that;
the chance that the test fires on it is summed exactly.
Of other numbers the sentence says from how many times on they are seen, everything else being as it
is.
"""

from __future__ import annotations

from collections.abc import Callable

RISE = 3  # times, of which the chance to see it is said
MOST_TIMES = 1e6
STEPS = 40  # halvings of the interval, on logarithms: far below what is printed


def of_counts(metric: str, samples: int, usual: int, fires: Callable[[int], bool]) -> str:
    """How often a rise from the usual number of errors to RISE times as many is found. fires:
    whether so many errors would be an alarm; more always are.

    >>> of_counts("val_error", 36, 3, lambda count: count >= 10)
    'with these 36 val rows a rise from 3 to 9 errors is found in 41 % of cases'
    """
    risen = min(samples, RISE * max(usual, 1))
    rise = (
        f"a rise from {usual:,} to {risen:,} errors is found in {chance(samples, risen, fires)} "
        "of cases"
    )
    return f"with these {samples:,} {metric.partition('_')[0]} rows {rise}"


def chance(samples: int, expected: int, fires: Callable[[int], bool]) -> str:
    """The chance of an alarm where so many errors are expected among the samples, in percent."""
    least = smallest(samples, fires)
    return "0 %" if least is None else f"{100 * at_least(least, samples, expected / samples):.0f} %"


def smallest(samples: int, fires: Callable[[int], bool]) -> int | None:
    """The smallest number of errors, of 0 … samples, for which `fires` is True; None where it is
    False for all. `fires` must stay True once it is.
    """
    if not fires(samples):
        return None
    low, high = -1, samples
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fires(middle) else (middle, high)
    return high


def at_least(count: int, of: int, share: float) -> float:
    """P of at least so many, of so many that are each wrong with the same probability (binomial).

    >>> at_least(2, 2, 0.5)
    0.25
    """
    from scipy.special import betainc

    if count <= 0:
        return 1.0
    if share < 1:
        return float(betainc(count, of - count + 1, share))
    return float(count <= of)


def from_times(metric: str, fires: Callable[[float], bool]) -> str:
    """From how many times as large on a metric is seen. fires: whether so many times would be an
    alarm; more always are.

    >>> from_times("val_loss", lambda times: times >= 1.5)
    'val_loss is seen to rise from 1.5 times on'
    """
    if not fires(MOST_TIMES):
        return f"{metric} cannot be seen to rise"
    low, high = 1.0, MOST_TIMES
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if fires(middle) else (middle, high)
    return f"{metric} is seen to rise from {high:.3g} times on"
