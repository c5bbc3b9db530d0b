"""Curves of decompositions: false alarms of double descent, the sweet spot and its company,
advice that does not ask for what was tried.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlprobe.analysis.bias_variance.curve import (
    Point,
    advice,
    as_good,
    double_descent,
    levels,
    sweet_spot,
    zones,
)
from dlprobe.analysis.bias_variance.loss_parts import LossSources, decompose


def point(
    at: str | float, bias: float, spread: float, rng: np.random.Generator, replicas: int = 12
) -> Point:
    """Replicas that are `bias` off with a standard deviation of `spread`, on 30 samples."""
    return Point(at, decompose(bias + spread * rng.standard_normal((replicas, 30)), np.zeros(30)))


RNG = np.random.default_rng(0)
SHAPES = {
    "flat": [(0.3, 0.5)] * 16,
    "falling": [(1.0 / (k + 1), 0.3) for k in range(12)],
    "rising": [(0.1, 0.2 + 0.1 * k) for k in range(12)],
    "one valley": [(1.0 / (k + 1), 0.1 * k) for k in range(12)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_noisy_curves_without_a_peak_raise_few_false_alarms(shape: str) -> None:
    """30 curves of 8 replicas to a point: at most 3 alarms, of which 5 % would make 1.5."""
    rng = np.random.default_rng(0)
    curves = (
        [point(k + 1.0, *parts, rng, replicas=8) for k, parts in enumerate(SHAPES[shape])]
        for _ in range(30)
    )
    assert sum(double_descent(curve) is not None for curve in curves) <= 3


@pytest.mark.parametrize(("height", "clear"), [(1.70, False), (1.75, True)])
def test_clear_of_chance_counts_all_pairs(height: float, clear: bool) -> None:
    """Three points, three pairs: 2.394 standard errors for 2 × .025/3, where 1.960 make a 95 %
    interval. Half-widths of 1 and 1: √2 · 2.394/1.960 = 1.727.
    """
    some = decompose([[1.0], [3.0]], [0.0])
    losses = {1: 3.0, 2: 3.0 + height, 3: 3.0}
    curve = [
        Point(
            at, replace(some, expected_loss=loss, intervals={"expected_loss": (loss - 1, loss + 1)})
        )
        for at, loss in losses.items()
    ]
    assert (double_descent(curve) is not None) == clear


def test_a_planted_peak_is_found_in_whatever_order_the_values_come() -> None:
    """Twice the loss of its neighbours on both sides, 12 replicas: found in 20 of 20 curves."""
    rng = np.random.default_rng(1)
    spreads = {1.0: 0.9, 2.0: 0.5, 4.0: 1.0, 8.0: 0.5, 16.0: 0.4}
    for _ in range(20):
        curve = [point(at, 0.1, spreads[at], rng) for at in rng.permutation(list(spreads))]
        top = double_descent(curve)
        assert top is not None
        assert top.at == 4.0


def test_an_axis_without_order_has_no_descents() -> None:
    rng = np.random.default_rng(2)
    curve = [
        point(name, 0.0, spread, rng)
        for name, spread in (("relu", 0.2), ("tanh", 2.0), ("sigmoid", 0.2))
    ]
    assert double_descent(curve) is None
    assert double_descent([Point(None, curve[0].parts)]) is None


def test_points_that_are_not_told_apart_from_the_best_are_named() -> None:
    rng = np.random.default_rng(3)
    curve = [point(at, 0.5, spread, rng) for at, spread in ((1, 0.3), (2, 0.3), (3, 2.0))]
    best = sweet_spot(curve)
    assert [each.at for each in as_good(curve)] == [each for each in (1, 2) if each != best.at]
    assert "not told apart from it by these replicas" in advice(curve, "width")[0]
    assert "not told apart" not in advice([curve[2], point(4, 0.1, 0.1, rng)], "width")[0]


def test_ends_of_the_values_are_told_only_where_there_are_further_ones() -> None:
    rng = np.random.default_rng(4)
    falling = [point(at, 1.0 / at, 0.05, rng) for at in (1, 2, 4)]
    rising = [point(at, 0.2 + at, 0.05, rng) for at in (0, 2, 4)]
    assert "try larger ones" in " ".join(advice(falling, "width"))
    assert "more of it may well help" in " ".join(advice(falling, "train_size"))
    assert "try" not in " ".join(advice(rising, "l2"))
    assert "try smaller ones" in " ".join(
        advice([point(at, 1.0 + at, 0.05, rng) for at in (1, 2)], "l2")
    )
    assert "try" not in " ".join(
        advice([point(at, 1.0 + at, 0.05, rng) for at in (1, 2)], "epochs")
    )
    assert "try" not in " ".join(
        advice([point(at, 1.0, 0.05, rng) for at in ("relu", "tanh")], "activation")
    )


def test_cures_that_were_tried_are_not_advised() -> None:
    rng = np.random.default_rng(5)
    valley = [point(at, bias, 0.05, rng) for at, bias in ((1, 1.0), (4, 0.5), (16, 0.8))]
    assert "a bigger net" not in " ".join(advice(valley, "width"))
    assert "a bigger net" in " ".join(advice(valley, "epochs"))
    assert "longer training" not in " ".join(advice(valley, "epochs"))
    assert "a bigger net" in " ".join(advice(valley[:2], "width"))
    noisy = [point(at, 0.0, spread, rng) for at, spread in ((0, 0.5), (0.1, 0.9))]
    assert "a penalty or dropout" not in " ".join(advice(noisy, "dropout"))
    assert "a penalty or dropout" in " ".join(advice(noisy, "width"))


def test_a_part_above_the_whole_and_one_outside_its_interval_are_said() -> None:
    """Bias 2/3 and expected loss 7/12, as worked by hand beside decompose."""
    votes = decompose([[0, 1, 2], [0, 1, 1], [0, 1, 1], [1, 0, 0]], [0, 0, 0], "zero-one")
    found = replace(votes, replicas=20, intervals={**votes.intervals, "bias": (0.1, 0.9)})
    said = " ".join(advice([Point(None, found)], None))
    assert "bias is 0.667, more than the reducible loss of 0.583" in said
    assert "outside its interval" not in said
    beside = replace(found, intervals={**found.intervals, "bias": (0.7, 0.9)})
    assert "outside its interval: the estimated bias;" in " ".join(
        advice([Point(None, beside)], None)
    )


def test_advice_names_the_numbers_and_where_the_variance_comes_from() -> None:
    rng = np.random.default_rng(6)
    found = replace(
        decompose([[1.0], [3.0]], [0.0]), replicas=20
    )  # bias² 3, variance 2, as worked by hand beside decompose; two tell nothing
    said = advice([Point(None, found, LossSources("squared", 0.001, 0.009))], None)
    assert "bias is 3 of 5 reducible loss (60 %): a bigger net" in said[0]
    assert "noise counts as bias where it is not known" in said[0]
    assert (
        "noise"
        not in advice(
            [Point(None, replace(decompose([[1.0], [3.0]], [0.0], noise=0.0), replicas=20))], None
        )[0]
    )
    assert "variance is 2 of 5 reducible loss (40 %): more data" in said[1]
    assert "most variance comes from seeds (0.009), not from training data (0.001)" in said[-1]
    (spread,) = advice([point("", 0.0, 1.0, rng)], None)
    assert "averaging several nets" in spread
    perfect = Point(None, decompose(np.zeros((3, 4)), np.zeros(4)))
    assert advice([perfect], None) == ["neither part stands out in an expected loss of 0"]


def test_a_verdict_within_its_interval_is_not_settled() -> None:
    """Loss 3, so a part is high from 1 on: bias² 2 in [1.5, 2.5] is, variance 1 in [.5, 1.5]
    may be.
    """
    some = replace(
        decompose([[1.0], [3.0]], [0.0]),
        expected_loss=3.0,
        bias=2.0,
        variance=1.0,
        net_variance=1.0,
    )
    said = advice(
        [Point(None, replace(some, intervals={"bias": (1.5, 2.5), "net_variance": (0.5, 1.5)}))],
        None,
    )
    assert "turn the verdict on variance (0.5 … 1.5) round, which is high from 1 on" in said[-1]
    sure = advice(
        [Point(None, replace(some, intervals={"bias": (1.5, 2.5), "net_variance": (1.0, 1.5)}))],
        None,
    )
    assert "turn the verdict" not in " ".join(sure)


def test_zones_of_a_capacity_curve() -> None:
    """Expected losses of 1, .1, .1 and 1 with narrow intervals: the two in the middle are one
    good fit; a penalty goes the other way.
    """
    curve = [
        replace(point(at, bias, 0.01, RNG), training=loss)
        for at, bias, loss in ((1, 1.0, 0.9), (2, 0.3, 0.05), (4, 0.3, 0.02), (8, 1.0, 0.0))
    ]
    assert zones(curve, "width") == ["underfitting", "good fit", "good fit", "overfitting"]
    assert zones(curve, "l2") == ["overfitting", "good fit", "good fit", "underfitting"]
    assert zones(curve, "batch_size") == [None] * 4
    assert zones([Point(None, curve[0].parts)], None) == [None]


def test_zones_of_a_learning_curve() -> None:
    """Expected loss 1: a training loss of .5 leaves a gap of half of it, one of .9 a tenth."""
    curve = [
        replace(point(at, 1.0, 0.01, RNG), training=loss)
        for at, loss in ((10, 0.5), (100, 0.9), (1000, np.nan))
    ]
    assert zones(curve, "train_size") == ["more data helps", "curves have met", None]


@pytest.mark.parametrize(("replicas", "said"), [(3, "unknown"), (20, "low")])
def test_an_interval_that_holds_everything_is_no_verdict(replicas: int, said: str) -> None:
    """Three replicas whose variance lies between −9 and 242,821, of a loss of 1.1."""
    some = point(1, 1.0, 0.1, RNG).parts
    wide = replace(
        some, replicas=replicas, intervals={**some.intervals, "net_variance": (-9.0, 242_821.0)}
    )
    assert levels(wide) == {"bias": "high", "variance": said}
    told = " ".join(advice([Point(None, wide)], None))
    assert ("3 replicas do not tell the variance" in told) is (said == "unknown")
