"""The parts intervals are made of: traces of a covariance from few replicas, laws of sums of
squares, tables of votes; and what is degenerate.
"""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.analysis.bias_variance.loss_parts import LOSSES, decompose
from dlprobe.analysis.bias_variance.replica_laws import Spectrum, share_of_mean, shifted_gamma
from dlprobe.analysis.bias_variance.vote_tables import _binomial, _expansion, table


@pytest.mark.parametrize("replicas", [5, 12])
def test_traces_are_those_of_the_covariance_for_few_replicas(replicas: int) -> None:
    """Variances 3, 1, 1, 1: Σλ²/(Σλ)² = 12/36, Σλ³/(Σλ)³ = 30/216. One direction has 1 and 1 in
    every single draw.
    """
    rng, scale = np.random.default_rng(0), np.sqrt([3.0, 1.0, 1.0, 1.0])
    errors = rng.standard_normal((1500, replicas, 4)) * scale
    errors -= errors.mean(axis=1, keepdims=True)
    found = [Spectrum.of(each @ each.T) for each in errors]
    assert np.mean([each.second for each in found]) == pytest.approx(12 / 36, rel=0.12)
    assert np.mean([each.third for each in found]) == pytest.approx(30 / 216, rel=0.3)
    one = Spectrum.of(errors[0, :, :1] @ errors[0, :, :1].T)
    assert (one.second, one.third) == pytest.approx((1.0, 1.0))


def test_variance_of_one_sample_has_the_textbook_interval() -> None:
    """10 normal numbers: (n − 1)s²/χ², with 2.7004 and 19.0228 the points of chi-square with 9
    degrees of freedom.
    """
    low, high = Spectrum(10, 1.0, 1.0).interval()
    assert (low, high) == pytest.approx((9 / 19.0228, 9 / 2.7004), rel=1e-4)


def test_shifted_gamma_leaves_what_is_certain() -> None:
    low, high = shifted_gamma(3.0, 1.0, 4.5)
    assert (low - 2.0, high - 2.0) == pytest.approx((9 / 19.0228, 9 / 2.7004), rel=1e-4)


def test_votes_are_read_with_less_bias_than_from_their_mode() -> None:
    """15 replicas of a share q: the mean minority share read from the table is nearer to min(q,
    1 − q) than that of the votes, which is .1 off at the tie.
    """
    rates = np.linspace(0.02, 0.98, 49)
    chances, votes = _binomial(15, rates), np.arange(16) / 15
    exact = np.minimum(rates, 1 - rates)
    read, plain = (
        chances @ table(15, 400.0, "variance").values - exact,
        chances @ np.minimum(votes, 1 - votes) - exact,
    )
    assert np.max(np.abs(plain)) > 0.09
    assert np.max(np.abs(read)) < 0.4 * np.max(np.abs(plain))
    assert abs(read.mean()) < 0.1 * abs(plain.mean())


def test_terms_of_three_votes_are_all_of_their_variance() -> None:
    values, rates = np.array([0.3, -1.0, 2.0, 0.5]), np.array([0.1, 0.5, 0.8])
    chances = _binomial(3, rates)
    variance = chances @ values**2 - (chances @ values) ** 2
    assert sum(term**2 for term in _expansion(values, rates)) == pytest.approx(variance)


def test_shares_of_one_and_zero_leave_room() -> None:
    """20 of 20 by Wilson: [.839, 1]. 5 and 5 single votes spread like 9 trials: ½ ± t√(¼/9 +
    t²/324)/(1 + t²/9), t = 2.2622.
    """
    assert share_of_mean(np.ones(20)) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert share_of_mean(np.array([0.0, 1.0] * 5)) == pytest.approx((0.19896, 0.80104), abs=1e-5)


@pytest.mark.parametrize("replicas", [2, 3, 4, 8, 9, 501, 1000])
@pytest.mark.parametrize("loss", LOSSES)
def test_any_number_of_replicas_has_finite_ends_in_order(loss: str, replicas: int) -> None:
    rng = np.random.default_rng(replicas)
    made = {
        "squared": rng.standard_normal((replicas, 6)),
        "zero-one": rng.integers(0, 3, (replicas, 6)),
        "cross-entropy": rng.uniform(0.1, 0.9, (replicas, 6)),
    }
    first, again = (decompose(made[loss], np.zeros(6, int), loss).intervals for _ in range(2))
    assert first == again
    for low, high in first.values():
        assert np.isfinite([low, high]).all()
        assert low < high


@pytest.mark.parametrize("loss", LOSSES)
def test_replicas_that_agree_are_told(loss: str) -> None:
    made = np.full((6, 4), 1.0 if loss != "cross-entropy" else 0.5)
    found = decompose(made, np.zeros(4, int), loss)
    assert found.variance == pytest.approx(0.0, abs=1e-12)
    assert any("all replicas predict the same" in note for note in found.notes)
    for low, high in found.intervals.values():
        assert np.isfinite([low, high]).all()
        assert low <= high


def test_scale_goes_through() -> None:
    made = np.random.default_rng(2).standard_normal((15, 8)) + 0.3
    small, large = (
        decompose(made, np.zeros(8)).intervals,
        decompose(1e8 * made, np.zeros(8)).intervals,
    )
    for name in small:
        assert np.array(large[name]) == pytest.approx(1e16 * np.array(small[name]), rel=1e-6)


def test_modes_that_switch_are_told() -> None:
    """Five replicas that err in 45 % at 200 samples: the mode errs in a third of them and their
    variance comes out too small.
    """
    made = (np.random.default_rng(3).random((5, 200)) < 0.45).astype(int)
    found = decompose(made, np.zeros(200, int), "zero-one")
    assert found.variance < found.intervals["variance"][0]
    assert any("near a tie" in note and "variance" in note for note in found.notes)
