"""Values beside each other: what is called different, better, diverged or the same, on made-up
runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pytest

from dlprobe.analysis.comparing.comparison import Comparison, compare, compare_margins
from dlprobe.analysis.comparing.outcome import Outcome, curve
from dlprobe.analysis.comparing.paired import LEAST_SEEDS
from dlprobe.analysis.profiles.flow import Flow

REPEATS = 200


def run(seed: int, loss: float, curve: Sequence[float] = (), **more: float) -> Outcome:
    """A run that ends with this loss; NaN is one that diverged."""
    values = np.array([*curve, loss])
    return Outcome(
        seed=seed,
        status="diverged" if math.isnan(loss) else "finished",
        steps=np.arange(len(values)) * 10.0,
        curves=MappingProxyType({"val_loss": values}),
        final=MappingProxyType({"val_loss": loss, **more}),
        first="level",
        last="vanishing" if seed % 3 else "level",
        first_flow=Flow(np.ones(2), np.ones(3), np.array([1.0, 2.0])),
        last_flow=Flow(np.ones(2), np.ones(3), np.array([1.0, 10.0 ** (1 + seed % 2)])),
        updates=100,
        step_seconds=1e-4,
        parameters=12,
        state="learned well",
    )


def made_up(
    rng: np.random.Generator,
    factors: Sequence[float],
    scatter: float = 0.06,
    seeds: int = LEAST_SEEDS,
) -> Comparison:
    """Losses that scatter by 6 % from seed to seed, and by as much again for each value, as
    with one split and one order of batches.
    """
    shared = rng.standard_normal(seeds) * scatter
    return compare(
        {
            f"v{k}": [
                run(s, factor * math.exp(shared[s] + scatter * rng.standard_normal()))
                for s in range(seeds)
            ]
            for k, factor in enumerate(factors)
        },
        "val_loss",
    )


@pytest.mark.parametrize("values", [2, 3, 5])
def test_values_that_do_the_same_are_called_different_in_at_most_five_percent_of_comparisons(
    values: int,
) -> None:
    rng = np.random.default_rng(values)
    called = sum(
        any(pair.different for pair in made_up(rng, [1.0] * values).pairs) for _ in range(REPEATS)
    )
    assert called <= 0.05 * REPEATS


@pytest.mark.parametrize("values", [2, 3])
def test_planted_ten_percent_are_found_in_four_of_five(values: int) -> None:
    rng = np.random.default_rng(7)
    found = sum(
        made_up(rng, [1.0] + [1.1] * (values - 1)).values[-1].standing == "worse"
        for _ in range(REPEATS)
    )
    assert found >= 0.8 * REPEATS


def test_what_is_said_to_be_detectable_is() -> None:
    rng = np.random.default_rng(8)
    detectable = float(np.median([made_up(rng, [1.0, 1.0]).power.detectable for _ in range(50)]))
    found = np.mean(
        [made_up(rng, [1.0, math.exp(detectable)]).pairs[0].different for _ in range(REPEATS)]
    )
    assert 0.65 <= found <= 0.92


def test_effect_is_a_factor_of_losses_with_the_best_first() -> None:
    found = compare(
        {
            "worse": [run(s, 0.2 * 1.1**s) for s in range(8)],
            "better": [run(s, 0.1 * 1.1**s) for s in range(8)],
        },
        "val_loss",
    )
    assert [value.label for value in found.values] == ["better", "worse"]
    assert [value.standing for value in found.values] == ["best", "worse"]
    (pair,) = found.pairs
    assert (pair.effect.value, pair.effect.low, pair.effect.high) == pytest.approx((2, 2, 2))
    assert pair.turned().effect.value == pytest.approx(0.5)


def test_shares_of_wrong_answers_are_compared_as_differences() -> None:
    runs = {
        label: [run(s, 1.0, val_error=error, val_accuracy=1 - error) for s in range(8)]
        for label, error in (("a", 0.0), ("b", 0.05))
    }
    found = compare(runs, "val_error")
    assert not found.ratio
    assert found.pairs[0].effect.value == pytest.approx(-0.05)


def test_diverged_runs_are_the_worst_and_counted() -> None:
    found = compare(
        {
            "stable": [run(s, 1.0 + s / 100) for s in range(8)],
            "wild": [run(s, math.nan) for s in range(8)],
        },
        "val_loss",
    )
    wild = found.values[1]
    assert (wild.label, wild.standing, wild.diverged, wild.metrics["final_val_loss"].value) == (
        "wild",
        "worse",
        8,
        math.inf,
    )
    assert wild.diverged_low > 0.6
    assert math.isnan(found.power.detectable)


def test_both_diverged_do_not_differ() -> None:
    found = compare({label: [run(s, math.nan) for s in range(8)] for label in "ab"}, "val_loss")
    assert found.pairs[0].identical
    assert not found.pairs[0].different


def test_few_seeds_show_nothing_and_say_so() -> None:
    found = compare(
        {"a": [run(s, 1.0) for s in range(3)], "b": [run(s, 9.0 + s) for s in range(3)]}, "val_loss"
    )
    assert not found.pairs[0].different
    assert (found.power.seeds, found.power.needed) == (3, 6)


def test_target_is_what_every_value_reaches() -> None:
    fast = [run(s, 0.1, curve=(1.0, 0.3, 0.2)) for s in range(4)]
    slow = [run(s, 0.3, curve=(1.0, 0.8, 0.5)) for s in range(4)]
    found = compare({"fast": fast, "slow": slow}, "val_loss")
    assert found.target == 0.3
    assert {value.label: value.steps_to_target.value for value in found.values} == {
        "fast": 10.0,
        "slow": 30.0,
    }
    assert compare({"fast": fast, "slow": slow}, "val_loss", target=0.15).values[1].reached == 0


def test_what_learns_nothing_sets_no_target() -> None:
    learns = [run(s, 0.3, curve=(2.0, 0.8)) for s in range(4)]
    stuck = [run(s, 2.0, curve=(2.0, 1.99)) for s in range(4)]
    found = compare({"learns": learns, "stuck": stuck}, "val_loss")
    assert found.target == 0.3
    assert {value.label: value.reached for value in found.values} == {"learns": 4, "stuck": 0}
    assert compare({"stuck": stuck}, "val_loss").target == 1.99


def test_health_is_the_most_frequent_verdict_with_the_median_profile() -> None:
    (value,) = compare({"a": [run(s, 1.0) for s in range(3)]}, "val_loss").values
    assert (value.start.verdict, value.end.verdict, dict(value.end.counts)) == (
        "level",
        "vanishing",
        {"level": 1, "vanishing": 2},
    )
    assert value.end.flow.error_signal_rms.tolist() == pytest.approx([1.0, 10.0])


def test_only_seeds_that_both_have_are_paired() -> None:
    found = compare(
        {"a": [run(s, 1.0) for s in range(8)], "b": [run(s, 2.0) for s in range(4, 10)]}, "val_loss"
    )
    assert found.pairs[0].seeds == 4


def test_margin_averages_over_the_other_axis() -> None:
    a = [[run(s, 1.0) for s in range(8)], [run(s, 4.0) for s in range(8)]]
    b = [[run(s, 2.0) for s in range(8)], [run(s, 8.0) for s in range(8)]]
    margin = compare_margins({"a": a, "b": b}, "val_loss")
    assert margin is not None
    assert {label: each.value for label, each in margin.values.items()} == pytest.approx(
        {"a": 2.0, "b": 4.0}
    )
    assert margin.pairs[0].different


def test_curve_is_the_median_over_seeds() -> None:
    steps, middle = curve(
        [run(0, 1.0, curve=(3.0,)), run(1, 2.0, curve=(5.0,)), run(2, math.nan, curve=(4.0,))],
        "val_loss",
    )
    assert (steps.tolist(), middle.tolist()) == ([0.0, 10.0], [4.0, 2.0])
