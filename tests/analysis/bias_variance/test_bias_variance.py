"""Decomposition of given predictions: worked by hand, exact designs, coverage of the intervals,
and what circulated implementations get right.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import dlprobe
from dlprobe.analysis.bias_variance.loss_parts import Decomposition, decompose, sources
from dlprobe.analysis.bias_variance.replica_laws import student
from dlprobe.errors import DataError

Floats = npt.NDArray[np.float64]


def adds_up(found: Decomposition) -> None:
    assert found.expected_loss == pytest.approx(
        found.bias + found.net_variance + found.noise, rel=1e-10, abs=1e-12
    )


def test_squared_worked_by_hand() -> None:
    """One sample, predictions 1 and 3, target 0: mean 2, bias² 4, s² = 2, so unbiased bias² = 4
    − 2/2 = 3, variance 2, loss (1 + 9)/2 = 5.
    """
    found = decompose([[1.0], [3.0]], [0.0])
    assert (found.expected_loss, found.bias, found.variance) == pytest.approx((5.0, 3.0, 2.0))
    assert found.plug_in == pytest.approx({"bias": 4.0, "variance": 1.0})
    adds_up(found)


def test_squared_sums_over_outputs() -> None:
    made = np.random.default_rng(0).standard_normal((5, 7, 3))
    whole = decompose(made, np.zeros((7, 3)))
    parts = [decompose(made[:, :, k], np.zeros(7)) for k in range(3)]
    assert whole.variance == pytest.approx(sum(part.variance for part in parts))
    assert whole.bias == pytest.approx(sum(part.bias for part in parts))


def test_known_noise_leaves_the_bias() -> None:
    noisy = decompose([[1.0], [3.0]], [0.0], noise=0.5)
    assert (noisy.bias, noisy.noise, noisy.expected_loss) == pytest.approx((2.5, 0.5, 5.0))
    truth = decompose([[1.0], [3.0]], [0.0], noise=0.5, noise_in_targets=False)
    assert (truth.bias, truth.noise, truth.expected_loss) == pytest.approx((3.0, 0.5, 5.5))
    adds_up(noisy)
    adds_up(truth)


def test_zero_one_worked_by_hand() -> None:
    """Three samples, truth 0. Votes 0,0,0,1 (right, V = 1/4), 1,1,1,0 (wrong, hurts less by
    1/4), 2,1,1,0 (three classes: wrong, V = 1/2, of it 1/4 right).
    """
    found = decompose([[0, 1, 2], [0, 1, 1], [0, 1, 1], [1, 0, 0]], [0, 0, 0], "zero-one")
    assert found.bias == pytest.approx(2 / 3)
    assert found.variance == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
    assert found.expected_loss == pytest.approx((1 / 4 + 3 / 4 + 3 / 4) / 3)
    assert found.net_variance == pytest.approx((1 / 4 - 1 / 4 - 1 / 4) / 3)
    adds_up(found)


def test_kohavi_wolpert_adds_up_and_is_unbiased() -> None:
    """One sample, P(right) = .7 of two classes: bias² = .09, variance = ½(1 − .49 − .09) = .21;
    mean over many experiments of 5 replicas.
    """
    rng = np.random.default_rng(0)
    found = [
        decompose((rng.random((5, 40)) < 0.3).astype(int), np.zeros(40, int), "zero-one")
        for _ in range(300)
    ]
    means = {
        name: float(np.mean([each.kohavi_wolpert[name] for each in found]))
        for name in ("bias", "variance")
    }
    assert means == pytest.approx(
        {"bias": 0.09, "variance": 0.21}, abs=4 * 0.2 / math.sqrt(300 * 40)
    )
    one = found[0]
    assert sum(one.kohavi_wolpert.values()) == pytest.approx(one.expected_loss)


def test_cross_entropy_worked_by_hand() -> None:
    """Chances of the right class .5 and .8: the main prediction has odds √(1·4) = 2, so 2/3;
    loss −½ ln .4, KL(y‖main) = −ln 2/3, rest is variance.
    """
    found = decompose([[[0.5, 0.5]], [[0.8, 0.2]]], [0], "cross-entropy")
    assert found.expected_loss == pytest.approx(-0.5 * math.log(0.4))
    assert found.plug_in["bias"] == pytest.approx(-math.log(2 / 3))
    assert found.plug_in["bias"] + found.plug_in["variance"] == pytest.approx(found.expected_loss)
    main = np.array([2 / 3, 1 / 3])
    divergence = np.mean([np.sum(main * np.log(main / p)) for p in ([0.5, 0.5], [0.8, 0.2])])
    assert found.plug_in["variance"] == pytest.approx(divergence)
    adds_up(found)
    assert decompose([[0.5], [0.2]], [0], "cross-entropy").expected_loss == pytest.approx(
        found.expected_loss
    )  # the second of two classes


def test_jackknife_takes_the_bias_of_the_cross_entropy_variance() -> None:
    """Binary logits N(0, s²): −ln Z is concave in the mean, so few replicas overstate nothing
    after correction: 4 replicas against 4000.
    """
    rng = np.random.default_rng(1)

    def replicas(count: int) -> Floats:
        return 1.0 / (1.0 + np.exp(-1.5 * rng.standard_normal((count, 20))))

    exact = decompose(replicas(4000), np.zeros(20, int), "cross-entropy").variance
    few = [decompose(replicas(4), np.zeros(20, int), "cross-entropy") for _ in range(200)]
    corrected, plain = (
        np.mean([each.variance for each in few]),
        np.mean([each.plug_in["variance"] for each in few]),
    )
    assert abs(corrected - exact) < 0.25 * abs(plain - exact)


def descent(rng: np.random.Generator, repeats: int, replicas: int) -> tuple[Floats, float, float]:
    """Gradient descent from 0 on ½n⁻¹‖Xw − y‖² with fixed X, t steps: predictions on X of all
    replicas of all repeats, exact bias² and variance.

    bias² = Σ λ_i r_i² β_i², variance = σ²/n Σ (1 − r_i)², r_i = (1 − ηλ_i)^t, per sample, λ_i
    eigenvalues of XᵀX/n, β_i the true weights along them.
    """
    samples, features, noise, rate, steps = 30, 6, 0.5, 0.3, 8
    design = np.random.default_rng(9).standard_normal((samples, features)) * np.array(
        [1.5, 1.2, 1.0, 0.8, 0.5, 0.3]
    )
    values, vectors = np.linalg.eigh(design.T @ design / samples)
    truth = np.ones(features)
    left = (1.0 - rate * values) ** steps
    bias = float(np.sum(values * left**2 * (vectors.T @ truth) ** 2))
    variance = float(noise**2 / samples * np.sum((1.0 - left) ** 2))
    # w_t = Q (1 − r)/λ Qᵀ Xᵀ y/n
    hat = design @ vectors @ np.diag((1.0 - left) / values) @ vectors.T @ design.T / samples
    targets = design @ truth + noise * rng.standard_normal((repeats, replicas, samples))
    return targets @ hat.T, bias, variance


def truth_of_descent() -> Floats:
    design = np.random.default_rng(9).standard_normal((30, 6)) * np.array(
        [1.5, 1.2, 1.0, 0.8, 0.5, 0.3]
    )
    total: Floats = design @ np.ones(6)
    return total


def test_fixed_design_gradient_descent_is_met_without_bias_and_covered() -> None:
    """500 repeats of 25 replicas: means within 4 standard errors of the exact values, 95 %
    intervals hold them in 95 ± 3 (three standard errors of the share).

    More designs, and the mean over them, in test_interval_coverage.
    """
    made, bias, variance = descent(np.random.default_rng(0), 500, 25)
    found = [decompose(each, truth_of_descent()) for each in made]
    for name, exact in (("bias", bias), ("variance", variance), ("expected_loss", bias + variance)):
        values = np.array([getattr(each, name) for each in found])
        assert values.mean() == pytest.approx(exact, abs=4 * values.std() / math.sqrt(500))
        covered = np.mean(
            [each.intervals[name][0] <= exact <= each.intervals[name][1] for each in found]
        )
        assert 0.92 <= covered <= 0.98, name


@pytest.mark.parametrize(("features", "exact"), [(5, 0.0892857), (15, 0.9375)])
def test_least_squares_on_normal_designs(features: int, exact: float) -> None:
    """n = 20, σ = .5: bias 0, excess variance σ²p/(n − p − 1). With p = 15 the law has heavy
    tails: 4,000 replicas, within 10 %.
    """
    rng = np.random.default_rng(3)
    truth = np.ones(features)
    designs = rng.standard_normal((4000, 20, features))
    weights = np.linalg.solve(
        designs.transpose(0, 2, 1) @ designs,
        (
            designs.transpose(0, 2, 1)
            @ (designs @ truth + 0.5 * rng.standard_normal((4000, 20)))[..., None]
        ),
    )
    points = rng.standard_normal((400, features))
    found = decompose(
        weights[..., 0] @ points.T, points @ truth, noise=0.25, noise_in_targets=False
    )
    assert found.variance == pytest.approx(exact, rel=0.1)
    assert abs(found.bias) < 0.01 * found.variance
    assert found.noise == 0.25
    adds_up(found)


def test_ridge_shrinks_towards_zero_by_the_closed_form() -> None:
    """Fixed orthonormal design, λ = 1: every weight is halved, so bias² = Σβ²/4 per sample and
    variance σ²p/4 per sample.
    """
    rng = np.random.default_rng(4)
    design = np.linalg.qr(rng.standard_normal((20, 4)))[0]
    truth = np.array([1.0, -2.0, 0.5, 0.0])
    made = (design @ truth + 0.5 * rng.standard_normal((3000, 20))) @ design @ design.T / 2.0
    found = decompose(made, design @ truth)
    assert found.bias == pytest.approx(float(truth @ truth) / 4 / 20, rel=0.02)
    assert found.variance == pytest.approx(0.25 * 4 / 4 / 20, rel=0.05)


def test_nearest_neighbours_have_their_closed_form() -> None:
    """k-NN at fixed inputs: variance σ²/k, bias² (f − mean of the k nearest f)² (Hastie,
    Tibshirani & Friedman 2009, eq. 7.10).
    """
    rng = np.random.default_rng(5)
    x = np.linspace(0, 1, 21)
    curve = x**2
    for k in (1, 3, 7):
        nearest = np.argsort(np.abs(x[:, None] - x[None]), axis=1, kind="stable")[:, :k]
        made = (curve + 0.2 * rng.standard_normal((2000, 21)))[:, nearest].mean(axis=2)
        found = decompose(made, curve)
        assert found.variance == pytest.approx(0.04 / k, rel=0.05)
        assert found.bias == pytest.approx(
            float(np.mean((curve - curve[nearest].mean(axis=1)) ** 2)), abs=4e-4
        )


def test_textbook_loop_on_canned_predictions() -> None:
    """What the usual bias_variance_decomp loops compute, written out: plug-in forms for the
    squared loss; for 0-1 the mode's error and P(f ≠ mode).
    """
    rng = np.random.default_rng(6)
    made, truth = rng.integers(0, 3, (9, 30)), rng.integers(0, 3, 30)
    mode = np.apply_along_axis(lambda votes: np.bincount(votes, minlength=3).argmax(), 0, made)
    found = decompose(made, truth, "zero-one")
    assert (found.bias, found.variance) == pytest.approx(
        (np.mean(mode != truth), np.mean(made != mode))
    )
    assert found.expected_loss == pytest.approx(np.mean(made != truth))
    assert found.bias + found.variance != pytest.approx(
        found.expected_loss
    )  # those two do not add up: the net variance does
    real, wanted = rng.standard_normal((9, 30)), rng.standard_normal(30)
    squared = decompose(real, wanted)
    assert squared.plug_in == pytest.approx(
        {
            "bias": np.mean((real.mean(axis=0) - wanted) ** 2),
            "variance": np.mean((real.mean(axis=0) - real) ** 2),
        }
    )


def test_sources_of_variance_add_up() -> None:
    """40 training sets (s.d. 2) × 3 seeds (s.d. 1), 50 samples of their own."""
    rng = np.random.default_rng(7)
    made = (2.0 * rng.standard_normal((40, 1, 50)) + rng.standard_normal((40, 3, 50))).reshape(
        120, 50
    )
    found = sources(made, np.repeat(np.arange(40), 3), "squared")
    assert found.training_data == pytest.approx(4.0, rel=0.15)
    assert found.seed == pytest.approx(1.0, rel=0.1)


def test_scores_and_class_indices_are_the_same_zero_one_loss() -> None:
    scores = np.random.default_rng(8).random((6, 11, 4))
    truth = np.arange(11) % 4
    assert decompose(scores, truth, "zero-one") == decompose(
        scores.argmax(axis=2), truth, "zero-one"
    )


@pytest.mark.parametrize(
    ("made", "wanted", "loss", "problem"),
    [
        ([1.0, 2.0], [1.0], "squared", "predictions have shape"),
        ([[1.0, 2.0]], [1.0, 2.0], "squared", "at least 2 rows"),
        ([[1.0], [2.0]], [1.0, 2.0], "squared", "of 1 samples, targets of 2"),
        ([[1.0], [math.nan]], [1.0], "squared", "NaN"),
        ([[0.5], [0.2]], [1], "zero-one", "class indices"),
        ([[0], [-1]], [0], "zero-one", "below 0"),
        ([[1.5], [0.2]], [1], "cross-entropy", "sum to 1"),
        ([[0.5], [0.2]], [2], "cross-entropy", "targets name class 2"),
        ([["a"], ["b"]], [0], "zero-one", "expected numbers"),
        ([[1.0], [2.0]], [1.0], "hinge", "unknown loss"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    made: object, wanted: object, loss: str, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        decompose(made, wanted, loss)


def test_student_against_tables() -> None:
    assert [round(student(n), 2) for n in (1, 5, 6, 10, 20, 100)] == [
        12.71,
        2.57,
        2.45,
        2.23,
        2.09,
        1.98,
    ]


def test_one_odd_replica_does_not_blow_an_interval_up() -> None:
    """Eleven replicas close to each other and one far off: ends stay within a few times the
    spread, and what cannot be negative is not.
    """
    rng = np.random.default_rng(11)
    made = 0.1 * rng.standard_normal((12, 20))
    made[3] += 3.0
    found = decompose(made, np.zeros(20))
    assert found.intervals["variance"][0] >= 0.0
    assert found.intervals["expected_loss"][0] >= 0.0
    assert -10.0 < found.intervals["bias"][0] <= found.bias <= found.intervals["bias"][1]


def test_a_mean_error_of_exactly_zero_is_the_limit_of_a_small_one() -> None:
    """One direction only, so that the limit does not depend on where it is approached from."""
    made = np.array([[1.0, 1.0], [2.5, 2.5], [2.5, 2.5]])
    zero, small = (decompose(made, np.full(2, 2.0 + error)) for error in (0.0, 1e-6))
    assert zero.bias == pytest.approx(-0.25)  # −Var/K = −0.75/3
    assert zero.intervals["bias"] == pytest.approx(small.intervals["bias"], rel=1e-3, abs=1e-3)


def test_public_name() -> None:
    assert dlprobe.decompose is decompose
