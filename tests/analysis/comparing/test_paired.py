"""Paired comparisons: against scipy, against counting by hand, and calibrated on made-up
numbers.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dlprobe.analysis.comparing.paired import (
    EXACT,
    LEAST_SEEDS,
    LEVEL,
    centre,
    detectable,
    holm,
    median_interval,
    seeds_for,
    seeds_needed,
    signed_rank_p,
)

REPEATS = 200


@pytest.mark.parametrize("count", [6, 10, 25, EXACT + 20])
def test_p_is_scipys(count: int) -> None:
    differences = np.random.default_rng(count).standard_normal(count) + 0.3
    method = "exact" if count <= EXACT else "asymptotic"
    expected = stats.wilcoxon(differences, method=method, correction=True).pvalue
    assert signed_rank_p(differences) == pytest.approx(expected, rel=1e-9)


def test_p_with_ties_counts_all_patterns_of_signs() -> None:
    differences = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, np.inf])
    ranks = np.array([2, 2, 2, 4.5, 4.5, 6, 7])
    sums = [
        float(ranks[[bool(pattern >> k & 1) for k in range(7)]].sum()) for pattern in range(2**7)
    ]
    seen = float(ranks[differences > 0].sum())
    tail = min(np.mean([each >= seen for each in sums]), np.mean([each <= seen for each in sums]))
    assert signed_rank_p(differences) == pytest.approx(2 * tail)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert signed_rank_p([0.0] * 10) == 1.0
    assert signed_rank_p([]) == 1.0


def test_one_diverged_run_alone_is_no_evidence() -> None:
    assert signed_rank_p([math.inf, -0.1, 0.1, -0.2, 0.2, -0.3, 0.3, 0.05]) > 0.2


def differences(rng: np.random.Generator, effect: float, heavy: bool) -> np.ndarray:
    """Paired differences of log losses: normal with a deviation of a tenth, or heavy-tailed."""
    noise = (
        rng.standard_t(2, LEAST_SEEDS) * 0.05 if heavy else rng.standard_normal(LEAST_SEEDS) * 0.09
    )
    return np.asarray(noise + effect)


@pytest.mark.parametrize("heavy", [False, True])
def test_identical_values_are_called_different_in_at_most_five_percent(heavy: bool) -> None:
    rng = np.random.default_rng(1)
    called = sum(
        min(holm([signed_rank_p(differences(rng, 0, heavy)) for _ in range(3)])) <= LEVEL
        for _ in range(REPEATS)
    )
    assert called <= 0.05 * REPEATS


def test_planted_ten_percent_are_found_in_four_of_five() -> None:
    """Where losses of one configuration vary by 6 % from seed to seed, and seeds have nothing
    in common (pairs vary by 9 %).
    """
    rng = np.random.default_rng(2)
    found = sum(
        signed_rank_p(differences(rng, math.log(1.1), heavy=False)) <= LEVEL for _ in range(REPEATS)
    )
    assert found >= 0.8 * REPEATS


@pytest.mark.parametrize(("seeds", "comparisons"), [(10, 1), (10, 3), (20, 6)])
def test_detectable_difference_is_found_in_four_of_five(seeds: int, comparisons: int) -> None:
    rng = np.random.default_rng(3)
    effect = detectable(0.2, seeds, comparisons)
    found = np.mean(
        [
            signed_rank_p(rng.standard_normal(seeds) * 0.2 + effect) <= LEVEL / comparisons
            for _ in range(1000)
        ]
    )
    assert found == pytest.approx(0.8, abs=0.06)


def test_too_few_seeds_find_nothing() -> None:
    assert detectable(0.1, 6, 3) == math.inf
    assert seeds_needed(3) == 7
    wanted = seeds_for(0.1, 0.1, 3)
    assert wanted is not None
    assert detectable(0.1, wanted, 3) <= 0.1 < detectable(0.1, wanted - 1, 3)


def test_centre_holds_the_truth_in_95_percent() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(1000):
        found = centre(rng.standard_normal(10) + 1)
        held += found.low <= 1 <= found.high
    assert 0.93 <= held / 1000 <= 0.98


def test_interval_and_test_agree() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        sample = rng.standard_normal(9) + 0.7
        found = centre(sample)
        assert (signed_rank_p(sample) <= LEVEL) == (not found.low <= 0 <= found.high)


def test_few_seeds_have_no_interval() -> None:
    assert math.isnan(centre([1.0, 2.0, 3.0]).low)
    assert math.isnan(median_interval([1.0, 2.0]).low)


def test_median_counts_diverged_runs_as_the_worst() -> None:
    assert median_interval([1.0, 2.0, math.nan]).value == 2.0
    found = median_interval([1.0, math.nan, math.nan])
    assert (found.value, found.high) == (math.inf, math.inf)


def test_median_interval_covers() -> None:
    rng = np.random.default_rng(6)
    found = [median_interval(rng.lognormal(size=10)) for _ in range(300)]
    assert 0.9 <= np.mean([each.low <= 1 <= each.high for each in found]) <= 1.0
