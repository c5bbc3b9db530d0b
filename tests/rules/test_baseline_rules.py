"""R001–R003: what leaves the baseline is found, what repeats it is not; the rank test against
its definition and SciPy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import rule_runs
from scipy import stats

from dlprobe.analysis.comparing import baseline, rank_test
from dlprobe.analysis.comparing.baseline import (
    BaselineComparison,
    Numbers,
    configuration_changes,
    numbers_of,
)
from dlprobe.rules import Fired, NotEvaluated, Outcome, Passed, all_rules
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.files import configuration_of
from dlprobe.runs import Run

SEEDS, SPREAD = (
    10,
    0.03,
)  # runs on each side; standard deviation of the logarithm of a loss from seed to seed


def outcome(
    code: str, new: Sequence[Numbers], old: Sequence[Numbers], **settings: float
) -> Outcome:
    return all_rules()[code].apply(
        Evidence(rule_runs.made(steps=2), BaselineComparison(tuple(new), tuple(old))), settings
    )


def losses(
    rng: np.random.Generator, count: int, factor: float = 1.0, spread: float = SPREAD
) -> list[Numbers]:
    """Runs with a training and a validation loss that share most of their luck, and a
    validation error in steps of 1/360.
    """
    return [_losses(rng, factor, spread) for _ in range(count)]


def _losses(rng: np.random.Generator, factor: float, spread: float) -> Numbers:
    luck = rng.normal(0.0, spread)
    val = 0.2 * factor * np.exp(luck)
    metrics = {
        "train_loss": 0.1 * factor * np.exp(luck + rng.normal(0.0, spread / 3)),
        "val_loss": val,
        "val_error": rng.binomial(360, 0.05 * factor) / 360,
    }
    return Numbers("run.h5", "{}", (), (), "same", "0", metrics, {})


def fired(found: Outcome) -> bool:
    return isinstance(found, Fired)


@pytest.mark.parametrize("runs", [6, SEEDS, 25])
def test_the_same_code_fails_in_at_most_5_percent_of_200_repeats(runs: int) -> None:
    rng = np.random.default_rng(1)
    assert (
        sum(fired(outcome("R002", losses(rng, runs), losses(rng, runs))) for _ in range(200)) <= 10
    )


@pytest.mark.parametrize("old", [5, 10, 30])
def test_one_run_of_the_same_code_fails_in_at_most_5_percent_of_200_repeats(old: int) -> None:
    rng = np.random.default_rng(2)
    assert sum(fired(outcome("R002", losses(rng, 1), losses(rng, old))) for _ in range(200)) <= 10


def test_a_planted_loss_of_10_percent_is_found_in_at_least_80_percent() -> None:
    rng = np.random.default_rng(3)
    assert (
        sum(fired(outcome("R002", losses(rng, SEEDS, 1.1), losses(rng, SEEDS))) for _ in range(200))
        >= 160
    )


def test_a_change_that_is_surely_smaller_than_the_factor_is_not_reported() -> None:
    rng = np.random.default_rng(4)
    new, old = losses(rng, 20, 1.05, 0.005), losses(rng, 20, 1.0, 0.005)
    assert (
        rank_test.p_larger(
            [run.metrics["val_loss"] for run in new], [run.metrics["val_loss"] for run in old]
        )
        < 1e-6
    )
    assert isinstance(outcome("R002", new, old), Passed)
    assert fired(outcome("R002", new, old, factor=1.02))


def test_too_few_runs_are_not_evaluated_and_the_number_needed_is_named() -> None:
    """Three metrics share the level of .01: 5 against 5 reach p = 1/252 = .0040 > .0033, 6
    against 6 1/924 = .0011.
    """
    rng = np.random.default_rng(5)
    found = outcome("R002", losses(rng, 2, 3.0), losses(rng, 2))
    assert isinstance(found, NotEvaluated)
    assert "at least 3 runs in the baseline are needed, or 6 against 6" in found.reason
    assert fired(outcome("R002", losses(rng, 2, 3.0), losses(rng, 2), level=0.5))
    assert isinstance(outcome("R002", losses(rng, 1, 3.0), losses(rng, 1)), NotEvaluated)


@pytest.mark.parametrize(
    ("runs", "test"), [(5, "a further run like those of the baseline"), (6, "rank test")]
)
def test_groups_too_small_for_a_rank_test_are_held_against_the_spread_of_the_baseline(
    runs: int, test: str
) -> None:
    rng = np.random.default_rng(5)
    found = outcome("R002", losses(rng, runs, 3.0), losses(rng, runs))
    assert isinstance(found, Fired)
    assert test in found.findings[0].evidence


def test_all_metrics_together_raise_a_false_alarm_no_more_often_than_the_level_says() -> None:
    """Three independent losses of one law, 1 run against 5: 5 % of 400 comparisons at most, plus
    three standard deviations (13). Each for itself at .05 would make it one in seven.
    """
    rng = np.random.default_rng(13)

    def one() -> Numbers:
        return Numbers(
            "run.h5",
            "{}",
            (),
            (),
            "same",
            "0",
            {name: float(np.exp(rng.normal())) for name in baseline.METRICS if "error" not in name},
            {},
        )

    alarms = sum(
        fired(outcome("R002", [one()], [one() for _ in range(5)], level=0.05)) for _ in range(400)
    )
    assert alarms <= 33


def test_one_run_is_compared_with_the_spread_of_many() -> None:
    rng = np.random.default_rng(6)
    old = losses(rng, 10)
    assert fired(outcome("R002", losses(rng, 1, 2.0), old))
    assert isinstance(outcome("R002", losses(rng, 1, 1.0), old), Passed)


def test_identical_numbers_pass_however_few_they_are() -> None:
    one = losses(np.random.default_rng(7), 1)
    assert isinstance(outcome("R002", one, one), Passed)


def test_a_run_that_diverged_is_the_worst() -> None:
    rng = np.random.default_rng(8)
    lost = [
        Numbers("d.h5", "{}", (), (), "same", "0", {**run.metrics, "val_loss": np.nan}, {})
        for run in losses(rng, 8)
    ]
    found = outcome("R002", lost, losses(rng, 8))
    assert isinstance(found, Fired)
    assert any(
        "val_loss" in each.evidence and " to inf " in each.evidence for each in found.findings
    )


@pytest.mark.parametrize(
    "values", [[1, 2, 3, 4, 5, 6, 7], [1, 1, 2, 2, 2, 3, 4], [0, 0, 0, 0, 0, 1, 1]]
)
@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_exact_p_is_the_share_of_relabellings_with_as_large_a_rank_sum(
    values: list[float], size: int
) -> None:
    ranks = stats.rankdata(values)
    sums = [sum(ranks[list(chosen)]) for chosen in itertools.combinations(range(len(values)), size)]
    seen = sum(ranks[-size:])
    assert rank_test.p_larger(values[-size:], values[:-size]) == pytest.approx(
        np.mean(np.array(sums) >= seen), rel=1e-12
    )


@pytest.mark.parametrize(
    ("runs", "method", "tolerance"), [(8, "exact", 1e-12), (30, "asymptotic", 1e-9)]
)
def test_the_p_is_that_of_scipy(runs: int, method: str, tolerance: float) -> None:
    rng = np.random.default_rng(9)
    new, old = rng.normal(0.4, 1, runs), rng.normal(0, 1, runs)
    expected = stats.mannwhitneyu(
        new, old, alternative="greater", method=method, use_continuity=True
    ).pvalue
    assert rank_test.p_larger(new, old) == pytest.approx(expected, rel=tolerance)


def test_the_interval_of_the_factor_covers_it_in_95_percent() -> None:
    rng = np.random.default_rng(10)
    held = 0
    for _ in range(400):
        _, low, high = rank_test.factor_between(
            np.exp(rng.normal(0.3, 0.2, 12)), np.exp(rng.normal(0, 0.2, 12))
        )
        held += low <= np.exp(0.3) <= high
    assert 0.92 <= held / 400 <= 0.985


def test_a_further_run_stays_below_its_prediction_limit_as_often_as_said() -> None:
    rng = np.random.default_rng(11)
    beyond = 0
    for _ in range(2000):
        *old, new = np.exp(rng.normal(0, 0.3, 7))
        found = rank_test.factor_of_one(float(new), old, 0.05)
        assert (found.p < 0.05) is (found.factor > found.limit)
        beyond += found.factor > found.limit
    assert 0.035 <= beyond / 2000 <= 0.065


def numbers(**changes: object) -> Numbers:
    return read(rule_runs.made(**changes))  # type: ignore[arg-type]


def read(run: Run) -> Numbers:
    return numbers_of(run, "run.h5", configuration_of(run))


def test_a_profile_outside_the_band_is_found_with_its_worst_layer_first() -> None:
    found = outcome(
        "R001", [numbers(statistics={"error_signal_rms": [0.1, 0.9, 0.015, 0.1]})], [numbers()]
    )
    assert isinstance(found, Fired)
    assert [(each.layers, each.measured, each.threshold) for each in found.findings] == [
        (
            ("hidden_2", "hidden_3"),
            pytest.approx(0.9),
            pytest.approx(0.3 * baseline.chance([100, 100, 100, 10])),
        ),
    ] * 2  # at the start and at the end


@pytest.mark.parametrize(
    ("value", "fires"), [(2.9e-3, False), (3.1e-3, True), (0.34e-3, False), (0.33e-3, True)]
)
def test_the_band_of_a_magnitude_is_a_factor_both_ways(value: float, fires: bool) -> None:
    assert (
        fired(outcome("R001", [numbers(statistics={"update_ratio": value})], [numbers()])) is fires
    )


def test_the_band_of_signals_is_wider_by_what_random_weights_do() -> None:
    """Three layers of 100 units before the output: s = √(5 · 3/100)/(2 ln 10) = .0841, 10^(2 s)
    = 1.47; 3 × 1.47 = 4.42.
    """
    assert not fired(outcome("R001", [numbers(statistics={"error_signal_rms": 0.44})], [numbers()]))
    assert fired(outcome("R001", [numbers(statistics={"error_signal_rms": 0.45})], [numbers()]))


@pytest.mark.parametrize(
    ("value", "fires"), [(0.74, False), (0.76, True), (0.26, False), (0.24, True)]
)
def test_the_band_of_a_share_is_a_difference_both_ways(value: float, fires: bool) -> None:
    assert (
        fired(outcome("R001", [numbers(statistics={"active_fraction": value})], [numbers()]))
        is fires
    )


def test_a_band_is_as_wide_as_the_baseline_runs_are_apart() -> None:
    old = [numbers(statistics={"weight_rms": value}) for value in (0.1, 0.2)]
    assert not fired(outcome("R001", [numbers(statistics={"weight_rms": 0.24})], old))
    assert fired(outcome("R001", [numbers(statistics={"weight_rms": 0.26})], old))
    assert not fired(
        outcome("R001", [numbers(statistics={"weight_rms": 0.26})], old, weight_rms=2.0)
    )


def test_several_new_runs_are_represented_by_their_median() -> None:
    new = [numbers(statistics={"gradient_rms": value}) for value in (0.01, 0.01, 5.0)]
    assert isinstance(outcome("R001", new, [numbers()]), Passed)


def test_exact_zeros_on_both_sides_are_no_change() -> None:
    still = numbers(statistics={"update_ratio": 0.0})
    assert isinstance(outcome("R001", [still], [still]), Passed)
    assert fired(outcome("R001", [numbers()], [still]))


@pytest.mark.parametrize(("value", "fires"), [(1e-12, False), (1e-5, True)])
def test_a_signal_that_cannot_be_told_from_0_has_not_drifted(value: float, fires: bool) -> None:
    """A net that came to rest exactly, and one that almost did: 1e-12 is less than what float32
    rounds of the 0.01 that it started with.
    """
    old = numbers(steps=20, statistics={"gradient_rms": [[0.01]] * 10 + [[0.0]] * 10})
    new = numbers(steps=20, statistics={"gradient_rms": [[0.01]] * 10 + [[value]] * 10})
    assert fired(outcome("R001", [new], [old])) is fires


def test_what_one_side_lacks_is_not_evaluated() -> None:
    bare = replace(numbers(), profiles={("weight_rms", "start"): np.ones(4)})
    assert isinstance(
        outcome(
            "R001", [bare], [replace(numbers(), profiles={("gradient_rms", "start"): np.ones(4)})]
        ),
        NotEvaluated,
    )
    rng = np.random.default_rng(12)
    new = [
        replace(each, metrics={"train_loss": each.metrics["train_loss"]}) for each in losses(rng, 8)
    ]
    found = outcome("R002", new, losses(rng, 8))
    assert isinstance(found, NotEvaluated)
    assert "val_loss, val_error" in found.reason


def test_drift_is_not_evaluated_between_other_layers() -> None:
    assert isinstance(outcome("R001", [numbers(hidden=2)], [numbers()]), NotEvaluated)


def test_another_configuration_is_said_with_its_keys() -> None:
    found = outcome("R003", [numbers(config={"training": {"lr": "0.1"}})], [numbers()])
    assert isinstance(found, Fired)
    assert "training.lr: auto → 0.1" in found.findings[0].evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"training": {"seed": "3"}}},
        {"config": {"recording": {"record_every": "5"}}},
        {"steps": 300},
    ],
)
def test_seeds_recording_and_length_of_the_record_are_no_other_experiment(
    changes: dict[str, object],
) -> None:
    assert isinstance(outcome("R003", [numbers(**changes)], [numbers()]), Passed)


def test_other_data_are_another_experiment_only_for_the_same_seed_of_the_split() -> None:
    new, old = numbers(data={"fingerprint": "b" * 64}), numbers(data={"fingerprint": "a" * 64})
    other_seed = numbers(data={"fingerprint": "b" * 64}, config={"training": {"seed": "3"}})
    assert fired(outcome("R003", [new], [old]))
    assert isinstance(outcome("R002", [new], [old]), NotEvaluated)
    assert isinstance(outcome("R003", [other_seed], [old]), Passed)


def test_without_a_baseline_they_are_not_evaluated() -> None:
    for code in ("R001", "R002", "R003"):
        found = all_rules()[code].apply(Evidence(rule_runs.made(steps=2)))
        assert isinstance(found, NotEvaluated)
        assert "--against" in found.reason


def test_changed_keys_are_listed_as_before_and_after() -> None:
    assert configuration_changes('{"a": {"x": 1, "y": 2}}', '{"a": {"x": 1, "z": "s"}}') == [
        "a.z: s → (not there)",
        "a.y: (not there) → 2",
    ]
