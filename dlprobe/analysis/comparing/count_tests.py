"""Exact one-sided tests of two counts of errors: on the same samples, and on others.

Sources: McNemar 1947, Psychometrika 12:153 (exact form: binomial on the samples that changed);
    Fisher 1935, J. R. Stat. Soc. 98:39, with the noncentral law of §5 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def p_newly_wrong(wrong: int, right: int) -> float:
    """P that as many of the `wrong + right` samples that changed got wrong, where each is as likely
    to get right: McNemar's exact test.

    >>> p_newly_wrong(9, 1)  # (10 + 1) / 2**10
    0.0107421875
    """
    from scipy.special import betainc

    return float(betainc(wrong, right + 1, 0.5)) if wrong else 1.0


def p_more_errors(new: int, of_new: int, old: int, of_old: int, odds: float = 1.0) -> float:
    """P of as many errors among the `of_new` samples, where the odds of an error there are `odds`
    times those of the others: Fisher's exact test.

    With odds of 1 all errors fall on any sample alike; more asks whether the new errors are *surely
    more than so many times* as frequent (Fisher's noncentral hypergeometric law). Raises ValueError
    unless 0 <= errors <= samples.

    >>> round(p_more_errors(1, 1078, 0, 6 * 1078), 4)  # the one error falls on one of seven runs
    0.1429
    """
    from scipy.special import logsumexp

    if not (0 <= new <= of_new and 0 <= old <= of_old):
        raise ValueError(
            f"{new} of {of_new} against {old} of {of_old}: expected no more errors than samples"
        )
    errors = new + old
    # errors among the new samples
    there = np.arange(max(0, errors - of_old), min(errors, of_new) + 1, dtype=np.float64)
    logs = _log_ways(of_new, there) + _log_ways(of_old, errors - there) + there * np.log(odds)
    return min(1.0, float(np.exp(logsumexp(logs[there >= new]) - logsumexp(logs))))


def _log_ways(of: int, count: Any) -> Any:
    """Logarithm of the number of ways to choose `count` of so many."""
    from scipy.special import gammaln

    return gammaln(of + 1) - gammaln(count + 1) - gammaln(of - count + 1)
