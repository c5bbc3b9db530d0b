"""The verdict on depth profiles that are made by hand to sit just inside and just outside the
band.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.analysis.profiles.depth_profiles import (
    FlowVerdict,
    classify,
    combine_seeds,
    seed_medians,
    seed_range,
)

WIDE = (10_000,) * 6  # so wide that chance plays no part: the band is one decade


def sloped(log10_ratio: float, depth: int = 6, last: float = 0.02) -> np.ndarray:
    """A profile that changes by the same factor per layer, with log10 RMS δ_1/RMS δ_n as given."""
    return last * 10.0 ** np.linspace(log10_ratio, 0.0, depth)


@pytest.mark.parametrize(
    ("log10_ratio", "verdict"),
    [
        (0.0, "level"),
        (-0.99, "level"),
        (-1.01, "vanishing"),
        (0.99, "level"),
        (1.01, "exploding"),
        (-30.0, "vanishing"),
        (30.0, "exploding"),
    ],
)
def test_one_decade_is_the_smallest_band(log10_ratio: float, verdict: str) -> None:
    found = classify(sloped(log10_ratio), WIDE)
    assert found.verdict == verdict
    assert found.log10_ratio == pytest.approx(log10_ratio)
    assert found.band == 1.0


@pytest.mark.parametrize("sign", [-1, 1])
def test_narrow_deep_nets_are_judged_by_what_chance_does_to_a_critical_one(sign: int) -> None:
    """50 ReLU layers of 25 units: s = √(49·5/25)/(2 ln 10) = .68, so the band is 2.72 decades."""
    units, band = (25,) * 50, 4 * math.sqrt(49 * 5 / 25) / (2 * math.log(10))
    inside, outside = (
        classify(sloped(sign * (band - 0.01), 50), units),
        classify(sloped(sign * (band + 0.01), 50), units),
    )
    assert inside.band == pytest.approx(band)
    assert inside.verdict == "level"
    assert outside.verdict == ("exploding" if sign > 0 else "vanishing")


def test_linear_units_fluctuate_less_than_relu() -> None:
    assert classify(sloped(-2.0, 50), (25,) * 50, 5.0).verdict == "level"
    assert classify(sloped(-2.0, 50), (25,) * 50, 2.0).verdict == "vanishing"


def test_widths_and_kappas_count_layer_by_layer_without_the_last() -> None:
    found = classify(sloped(0.0, 3), (4, 2, 1), (8.0, 3.0, 1e9))
    assert found.band == pytest.approx(4 * math.sqrt(8 / 4 + 3 / 2) / (2 * math.log(10)))
    assert classify(sloped(0.0, 3), (4, 2, 1), (math.nan,) * 3).band == pytest.approx(
        4 * math.sqrt(5 / 4 + 5 / 2) / (2 * math.log(10))
    )


def test_relu_with_glorot_weights_at_depth_ten_vanishes() -> None:
    """Width 512: the signal halves nine times in mean square, −1.355 decades, outside the
    decade.
    """
    assert classify(2.0 ** (-np.arange(9, -1, -1) / 2), (512,) * 10).verdict == "vanishing"


def test_exact_zero_at_the_input_is_vanishing() -> None:
    found = classify([0.0, 0.0, 0.0, 1e-30, 1e-12, 0.1], WIDE)
    assert (found.verdict, found.log10_ratio) == ("vanishing", -math.inf)
    assert (
        found.reason
        == "the error signal is exactly zero in hidden_1 … hidden_3 while hidden_6 has 0.1"
    )


def test_subnormal_numbers_of_float32_are_compared_like_others() -> None:
    found = classify(np.array([1e-44, 1e-22, 0.1], dtype=np.float32), (100,) * 3)
    assert found.verdict == "vanishing"
    assert found.log10_ratio == pytest.approx(-43, abs=0.1)


def test_zero_at_the_last_layer_is_not_called_exploding() -> None:
    found = classify([0.1, 0.1, 0.0], (100,) * 3)
    assert found.verdict == "not evaluated"
    assert math.isnan(found.log10_ratio)
    assert "hidden_3 is exactly zero" in found.reason


def test_all_zeros_below_a_live_output_is_vanishing() -> None:
    found = classify([0.0, 0.0, 0.0], (100,) * 3, output_error_signal_rms=0.3)
    assert found.verdict == "vanishing"
    assert (
        found.reason
        == "the error signal is exactly zero in every hidden layer while the output layer has 0.3"
    )


def test_all_zeros_of_a_finished_run_accuse_nobody() -> None:
    assert (
        classify([0.0, 0.0, 0.0], (100,) * 3, output_error_signal_rms=0.0).verdict
        == "not evaluated"
    )
    assert classify([0.0, 0.0, 0.0], (100,) * 3).verdict == "not evaluated"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_profile_is_diverged_and_names_where_it_starts(bad: float) -> None:
    found = classify([bad, bad, bad, 1.0], (100,) * 4)
    assert found.verdict == "diverged"
    assert found.reason == (
        "the error signal is not finite in hidden_1 … hidden_3; on the way back this starts "
        "at hidden_3"
    )


def test_diverged_run_overrules_a_good_profile_and_a_short_one() -> None:
    assert (
        classify([1.0, 1.0], (9, 9), diverged="step 12, hidden_2").reason
        == "the run became non-finite at step 12, hidden_2"
    )
    assert classify([1.0], (9,), diverged="step 0, output").verdict == "diverged"


@pytest.mark.parametrize("depth", [0, 1])
def test_fewer_than_two_layers_have_nothing_to_compare(depth: int) -> None:
    found = classify([0.5] * depth, (10,) * depth, activation_sample_variance=[0.0] * depth)
    assert found.verdict == "not evaluated"
    assert found.reason.startswith("nothing to compare")


@pytest.mark.parametrize(
    ("decades", "verdict"), [(-0.99, "level"), (-1.01, "collapsed"), (2.0, "level")]
)
def test_samples_that_become_alike_are_collapsed(decades: float, verdict: str) -> None:
    spread = 0.3 * 10.0 ** np.linspace(0.0, 2 * decades, 6)
    assert classify(sloped(0.0), WIDE, activation_sample_variance=spread).verdict == verdict


def test_identical_outputs_are_collapsed_whatever_the_signal() -> None:
    found = classify([0.0, 0.0], (10, 10), activation_sample_variance=[0.0, 0.0])
    assert (found.verdict, found.reason) == (
        "collapsed",
        "every sample has exactly the same activations in hidden_1, hidden_2",
    )


def test_vanishing_comes_before_collapse() -> None:
    assert (
        classify(
            sloped(-5.0), WIDE, activation_sample_variance=10.0 ** -np.arange(0.0, 12.0, 2.0)
        ).verdict
        == "vanishing"
    )


def test_batch_of_one_has_no_spread_to_judge() -> None:
    assert classify(sloped(0.0), WIDE, activation_sample_variance=[math.nan] * 6).verdict == "level"


def test_reason_in_plain_numbers() -> None:
    assert (
        classify(sloped(-1.355), WIDE).reason
        == "the error signal of hidden_1 is 0.044 × that of hidden_6, below the band 0.1 … 10"
    )
    assert (
        classify(sloped(7.26), WIDE).reason
        == "the error signal of hidden_1 is 10⁷ × that of hidden_6, above the band 0.1 … 10"
    )


def test_wrong_lengths_and_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one error signal for each of 3"):
        classify([1.0, 1.0], (9, 9, 9))
    with pytest.raises(ValueError, match="cannot be negative"):
        classify([1.0, -1.0], (9, 9))
    with pytest.raises(ValueError, match="between-sample variances"):
        classify([1.0, 1.0], (9, 9), activation_sample_variance=[1.0])


def test_extreme_profiles_of_float64_do_not_overflow() -> None:
    assert classify([1e300, 1e-300], (100, 100)).log10_ratio == pytest.approx(600)
    assert classify([1e-300, 1e300], (100, 100)).verdict == "vanishing"


def verdict(name: str, ratio: float) -> FlowVerdict:
    return FlowVerdict(name, ratio, 1.0, f"because {ratio}")  # type: ignore[arg-type]


def test_seeds_that_agree_give_the_median_seeds_reason() -> None:
    found = combine_seeds(
        [verdict("vanishing", -3.0), verdict("vanishing", -5.0), verdict("vanishing", -4.0)]
    )
    assert found == FlowVerdict("vanishing", -4.0, 1.0, "because -4.0")


def test_seeds_that_disagree_are_counted_and_a_tie_goes_to_the_worse() -> None:
    found = combine_seeds(
        [verdict("vanishing", -1.2), verdict("level", -0.9), verdict("vanishing", -1.1)]
    )
    assert (found.verdict, found.reason) == ("vanishing", "in 2 of 3 seeds: because -1.2")
    assert (
        combine_seeds([verdict("level", 0.0), verdict("diverged", math.nan)]).verdict == "diverged"
    )


def test_no_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match="one per seed"):
        combine_seeds([])


def test_range_over_seeds_leaves_out_the_diverged_and_counts_them() -> None:
    found = seed_range([1.0, math.nan, 3.0, 8.0])
    assert (found.median, found.low, found.high, found.missing) == (3.0, 1.0, 8.0, 1)
    assert seed_range([-math.inf, -math.inf, -2.0]).median == -math.inf
    assert math.isnan(seed_range([math.nan]).median)


def test_medians_of_profiles_are_taken_in_log_space() -> None:
    profiles = [[1e-6, 1.0, 0.0, math.nan], [1e-2, 4.0, 0.0, math.nan]]
    assert seed_medians(profiles) == pytest.approx([1e-4, 2.0, 0.0, math.nan], nan_ok=True)


def test_a_signal_that_only_shrinks_is_not_collapsed() -> None:
    """A linear net of small weights: samples differ by the same share of a smaller signal in
    every layer.
    """
    shrinking = 10.0 ** -np.arange(0.0, 12.0, 2.0)
    assert (
        classify(
            sloped(0.0),
            WIDE,
            activation_sample_variance=shrinking,
            activation_mean_square=2 * shrinking,
        ).verdict
        == "level"
    )
    assert (
        classify(
            sloped(0.0),
            WIDE,
            activation_sample_variance=shrinking,
            activation_mean_square=[1.0] * 6,
        ).verdict
        == "collapsed"
    )
