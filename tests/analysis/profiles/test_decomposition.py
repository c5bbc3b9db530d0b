"""What a decay is made of, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.analysis.profiles.decomposition import decompose, short

UNITS = (100, 100, 100)


def test_sigmoid_like_profile_splits_into_slope_and_weight() -> None:
    """Slope factor .04 and weight factor 100·.1² = 1: the mean square falls ×.04, the RMS ×.2
    per layer.
    """
    found = decompose(
        [0.04, 0.2, 1.0],
        [0.04, 0.04, 0.05],
        [0.3, 0.1, 0.1],
        UNITS,
        activation_variance=[0.5, 0.25, 0.05],
    )
    assert found.backward == pytest.approx([0.04, 0.04])
    assert found.slope == pytest.approx([0.04, 0.04])
    assert found.weight == pytest.approx([1.0, 1.0])
    assert found.remainder == pytest.approx([1.0, 1.0])
    assert found.forward == pytest.approx([0.5, 0.2])
    assert (found.decay_factor, found.e_folding_depth) == pytest.approx((0.2, 1 / math.log(5)))
    assert found.sentence == (
        "error signal falls ×0.2 per layer towards the input: mean square ×0.04 = slope "
        "factor 0.04 × weight factor 1.0"
    )


def test_weight_factor_takes_the_width_of_the_layer_above() -> None:
    assert decompose([1.0] * 3, [1.0] * 3, [9.0, 0.1, 0.5], (10, 20, 40)).weight == pytest.approx(
        [20 * 0.01, 40 * 0.25]
    )


def test_what_is_left_over_is_told_where_it_matters() -> None:
    found = decompose([4.0, 2.0, 1.0], [0.5, 0.5, 0.5], [0.1, 0.2, 0.2], UNITS)
    assert found.remainder == pytest.approx([2.0, 2.0])
    assert found.sentence.endswith(
        "grows ×2.0 per layer towards the input: mean square ×4.0 = slope factor 0.5 × weight "
        "factor 4.0 × remainder 2.0"
    )


def test_norm_before_the_activation_is_a_factor_of_its_own() -> None:
    found = decompose([4.0, 2.0, 1.0], [0.5] * 3, [0.2] * 3, UNITS, norm_variance=[0.5, 0.5, 7.0])
    assert found.normalization == pytest.approx([2.0, 2.0])
    assert found.remainder == pytest.approx([1.0, 1.0])
    assert "norm factor 2.0" in found.sentence


def test_healthy_profile_keeps_its_size() -> None:
    found = decompose([1.0] * 3, [0.5] * 3, [math.sqrt(0.02)] * 3, UNITS)
    assert found.sentence == (
        "error signal keeps its size per layer towards the input: mean square ×1.0 = slope "
        "factor 0.5 × weight factor 2.0"
    )
    assert found.e_folding_depth == math.inf


def test_vanished_signal_does_not_underflow_when_squared() -> None:
    assert decompose(
        [1e-300, 1e-299, 1e-298], [1.0] * 3, [0.1] * 3, UNITS
    ).backward == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize(
    "signal", [[0.0, 0.0, 1.0], [math.nan] * 3, [math.inf, 1.0, 1.0], [0.0] * 3, [1.0, 1.0, 0.0]]
)
def test_degenerate_profiles_have_factors_but_no_sentence(signal: list[float]) -> None:
    found = decompose(signal, [0.5] * 3, [0.1] * 3, UNITS)
    assert found.sentence == ""
    assert len(found.backward) == 2


def test_softmax_slopes_are_unknown_and_say_nothing() -> None:
    assert decompose([0.1, 0.5, 1.0], [math.nan] * 3, [0.1] * 3, UNITS).sentence == ""


@pytest.mark.parametrize("depth", [0, 1])
def test_short_nets_have_no_steps(depth: int) -> None:
    found = decompose([1.0] * depth, [1.0] * depth, [1.0] * depth, (5,) * depth)
    assert len(found.backward) == 0
    assert (found.decay_factor, found.e_folding_depth, found.sentence) == (1.0, math.inf, "")


def test_one_entry_per_layer_is_required() -> None:
    with pytest.raises(ValueError, match="weight RMS have shape"):
        decompose([1.0] * 3, [1.0] * 3, [1.0] * 2, UNITS)


def test_factors_of_a_simulated_relu_net_multiply_to_its_decay() -> None:
    """He weights at half their deviation: slope factor 1/2, weight factor 1/2, next to nothing
    left over.
    """
    rng = np.random.default_rng(3)
    a, widths, signal, slopes, rms = rng.standard_normal((64, 400)), (400,) * 6, [], [], []
    weights, masks = [], []
    for fan_out in widths:
        weights.append(rng.standard_normal((a.shape[1], fan_out)) * math.sqrt(0.5 / a.shape[1]))
        z = a @ weights[-1]
        masks.append(z > 0)
        a = np.maximum(z, 0)
    d = rng.standard_normal(a.shape)
    for w, mask in zip(reversed(weights), reversed(masks), strict=True):
        d = d * mask
        signal.insert(0, math.sqrt(np.mean(d**2)))
        slopes.insert(0, np.mean(mask))
        rms.insert(0, math.sqrt(np.mean(w**2)))
        d = d @ w.T
    found = decompose(signal, slopes, rms, widths)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.weight == pytest.approx(0.5, abs=0.01)
    assert found.remainder == pytest.approx(1.0, abs=0.1)
    assert found.decay_factor == pytest.approx(0.5, abs=0.03)


def test_short_numbers() -> None:
    assert [short(x) for x in (-0.5, 9.94, 9.96, 0.95, 12345.6, 2e5, math.inf)] == [
        "-0.5",
        "9.9",
        "10",
        "0.95",
        "12346",
        "2.0e5",
        "inf",
    ]
