"""One run against one: exact tests against SciPy and worked examples, false alarms under the
null, planted differences, and numbers near 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from command_line import ROOT
from scipy import stats

from dlprobe.analysis.comparing import (
    baseline,
    count_tests,
    metric_changes,
    paired,
    rank_test,
    run_diff,
    single_runs,
)
from dlprobe.analysis.comparing.baseline import BaselineComparison, Numbers, numbers_of
from dlprobe.analysis.comparing.change import Change
from dlprobe.analysis.comparing.misses import Misses, misses_of
from dlprobe.runs import open_run

LEVEL, FACTOR = 0.002, 1.1
REPEATS = 2000


def run(
    sizes: Sequence[float] | np.ndarray,
    *,
    seed: str = "0",
    classes: bool = True,
    first_row: int = 0,
    **changes: object,
) -> Numbers:
    """A run whose validation part has these misses: 1 or 0 for classes, |residual| for values."""
    sizes = np.asarray(sizes, dtype=np.float64)
    error = float(sizes.mean() if classes else np.sqrt(np.mean(sizes**2)))
    floors = {"val_error": 0.5 / len(sizes) if classes else 0.0}
    misses = {"val": Misses(np.arange(first_row, first_row + len(sizes)), sizes)}
    found = Numbers(
        "run.h5",
        "{}",
        (),
        (),
        "same",
        seed,
        {"val_error": error},
        {},
        (),
        {"val": len(sizes)},
        classes,
        floors,
        seed,
        misses,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def changed(new: Sequence[Numbers], old: Sequence[Numbers]) -> Change | None:
    found = metric_changes.changes(
        BaselineComparison(tuple(new), tuple(old)), ["val_error"], FACTOR, LEVEL
    )
    return found[0] if found else None


def worse(new: Sequence[Numbers], old: Sequence[Numbers]) -> bool:
    found = changed(new, old)
    assert found is not None
    return found.worse


def test_mcnemar_by_hand_and_as_scipy_has_it() -> None:
    """Ten samples changed, nine of them got wrong: (10 over 9) + (10 over 10) of 2¹⁰ patterns,
    11/1024.
    """
    assert count_tests.p_newly_wrong(9, 1) == pytest.approx(11 / 1024, rel=1e-12)
    for wrong, right in ((0, 0), (0, 7), (1, 0), (12, 5), (121, 59), (700, 650)):
        expected = (
            stats.binomtest(wrong, wrong + right, alternative="greater").pvalue
            if wrong + right
            else 1.0
        )
        assert count_tests.p_newly_wrong(wrong, right) == pytest.approx(expected, rel=1e-9)


def test_fisher_by_hand_and_as_scipy_has_it() -> None:
    """The lady tasting tea: 4 of 4 cups right, none of the other 4, is 1 of (8 over 4) = 70
    ways; 3 of 4 or better is 17.
    """
    assert count_tests.p_more_errors(4, 4, 0, 4) == pytest.approx(1 / 70, rel=1e-10)
    assert count_tests.p_more_errors(3, 4, 1, 4) == pytest.approx(17 / 70, rel=1e-10)
    for new, of_new, old, of_old in (
        (0, 5, 0, 9),
        (1, 1078, 0, 6468),
        (215, 360, 24, 360),
        (24, 360, 26, 360),
        (5, 5, 1, 40),
    ):
        expected = stats.fisher_exact(
            [[new, of_new - new], [old, of_old - old]], alternative="greater"
        ).pvalue
        assert count_tests.p_more_errors(new, of_new, old, of_old) == pytest.approx(
            expected, rel=1e-8
        )
    with pytest.raises(ValueError, match="expected no more errors than samples"):
        count_tests.p_more_errors(3, 2, 0, 1)


@pytest.mark.parametrize("odds", [0.5, 1.1, 3.0])
def test_fisher_with_other_odds_is_that_of_scipy(odds: float) -> None:
    """Errors of the first sample given both sums, each of its samples `odds` times as likely:
    Fisher's noncentral hypergeometric law.
    """
    for new, of_new, old, of_old in (
        (0, 5, 0, 9),
        (9, 36, 3, 36),
        (30, 300, 10, 300),
        (5, 5, 1, 40),
        (143, 360, 100, 360),
    ):
        law = stats.nchypergeom_fisher(of_new + of_old, new + old, of_new, odds)
        assert count_tests.p_more_errors(new, of_new, old, of_old, odds) == pytest.approx(
            law.sf(new - 1), rel=1e-8
        )


@pytest.mark.parametrize(
    ("count", "method", "tolerance"),
    [(12, "exact", 1e-12), (150, "exact", 1e-9), (500, "asymptotic", 1e-9)],
)
def test_the_signed_rank_p_is_that_of_scipy(count: int, method: str, tolerance: float) -> None:
    differences = np.random.default_rng(1).normal(0.1, 1.0, count)
    expected = stats.wilcoxon(
        differences, alternative="greater", method=method, correction=method == "asymptotic"
    ).pvalue
    assert paired.p_larger(differences, single_runs.EXACT) == pytest.approx(expected, rel=tolerance)


def test_the_stored_predictions_count_to_the_stored_errors() -> None:
    with open_run(ROOT / "sample_runs" / "healthy.h5") as healthy:
        numbers, misses = numbers_of(healthy, "healthy.h5", "{}"), misses_of(healthy)
    assert set(misses) == {"val", "test"}
    for part, each in misses.items():
        assert each.sizes.mean() == pytest.approx(numbers.metrics[f"{part}_error"], rel=1e-12)
        assert numbers.errors(f"{part}_error") == (int(each.sizes.sum()), len(each.rows))


def classes(rng: np.random.Generator, hard: np.ndarray, extra: float = 0.0) -> np.ndarray:
    """Which samples a net gets wrong: each with its own probability, plus the same for all."""
    return (rng.random(len(hard)) < np.minimum(hard + extra, 1.0)).astype(float)


@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize("kind", ["classes", "values"])
def test_two_of_the_same_law_are_an_alarm_no_more_often_than_the_level_says(
    kind: str, twins: bool
) -> None:
    """At most LEVEL of 2,000 pairs, plus three standard deviations of that count: 4 + 3 · 2 =
    10.
    """
    rng, alarms = np.random.default_rng(2), 0
    hard = rng.beta(0.3, 3.0, 300)
    for _ in range(REPEATS):
        if kind == "classes":
            pair = classes(rng, hard), classes(rng, hard)
        else:
            shared = rng.normal(size=120)
            pair = np.abs(shared + rng.normal(size=120)), np.abs(shared + rng.normal(size=120))
        new, old = (
            run(sizes, seed=seed, classes=kind == "classes")
            for sizes, seed in zip(pair, "00" if twins else "01", strict=True)
        )
        alarms += worse([new], [old])
    assert alarms <= 10


def test_three_times_the_errors_are_found_in_19_of_20_pairs() -> None:
    """18 of 300 against 54 of 300: McNemar on the same rows, Fisher on others."""
    rng = np.random.default_rng(3)
    for seed in ("0", "1"):
        found = 0
        for _ in range(200):
            old = np.zeros(300)
            old[rng.choice(300, 18, replace=False)] = 1
            new = old.copy()
            new[rng.choice(np.flatnonzero(old == 0), 36, replace=False)] = 1
            found += worse([run(new, seed=seed)], [run(old)])
        assert found >= 190


def test_seeds_that_differ_by_more_than_their_samples_explain_are_no_alarm() -> None:
    """20,000 rows and a tenth of errors: chance of rows moves an error by 2 %, the luck of a
    seed by 4 % more. At most LEVEL of 500 pairs, plus 3 s.d.: 4.
    """
    rng = np.random.default_rng(5)
    rows = 20_000

    def seed(number: int) -> Numbers:
        wrong = int(rng.binomial(rows, 0.1 * np.exp(rng.normal(0.0, 0.04))))
        found = run(np.zeros(2), seed=str(number), samples={"val": rows}, misses={})
        return replace(found, metrics={"val_error": wrong / rows}, floors={"val_error": 0.5 / rows})

    assert sum(worse([seed(2 * k)], [seed(2 * k + 1)]) for k in range(500)) <= 4


def test_residuals_that_grew_by_half_are_found() -> None:
    rng = np.random.default_rng(4)
    old = np.abs(rng.normal(size=150))
    assert worse([run(1.5 * old, classes=False)], [run(old, classes=False)])
    assert not worse([run(old / 1.5, classes=False)], [run(old, classes=False)])
    assert not worse(
        [run(1.05 * old, classes=False)], [run(old, classes=False)]
    )  # sure, but less than the factor


def test_pairs_see_what_two_samples_cannot() -> None:
    """30 of 300 wrong, and 12 more: none got right, so 1/2¹² by McNemar; two samples of 30 and
    42 are no alarm (Fisher: .08).
    """
    old, new = np.zeros(300), np.zeros(300)
    old[:30], new[:42] = 1, 1
    assert worse([run(new)], [run(old)])
    assert not worse([run(new, seed="1")], [run(old)])
    assert not worse([run(new, first_row=7)], [run(old)])
    assert not worse([run(new, fingerprint="other")], [run(old)])


def test_the_sentence_counts_what_changed() -> None:
    old, new = np.zeros(300), np.zeros(300)
    old[:10], new[8:40] = 1, 1
    found = changed([run(new)], [run(old)])
    assert found is not None
    assert found.words == "val_error went from 3.33 % (10 of 300) to 10.7 % (32 of 300), 3.2 times"
    assert found.how == (
        "of the same 300 samples 30 are newly wrong and 8 newly right: McNemar's exact test "
        f"p = {stats.binomtest(30, 38, alternative='greater').pvalue:.2g}"
    )


def test_several_pairs_count_a_row_once() -> None:
    """Two pairs of runs on the same rows that changed alike are no more evidence than one: 8
    rows got wrong, 1/2⁸ = .0039 > .002.
    """
    old, new = np.zeros(100), np.zeros(100)
    old[:20], new[:28] = 1, 1
    pairs = [run(new, seed=seed) for seed in "01"], [run(old, seed=seed) for seed in "01"]
    found = changed(*pairs)
    assert found is not None
    assert (found.worse, found.how.endswith("p = 0.0039")) == (False, True)
    elsewhere = (
        [run(new, seed=seed, first_row=1000 * int(seed)) for seed in "01"],
        [run(old, seed=seed, first_row=1000 * int(seed)) for seed in "01"],
    )
    assert worse(*elsewhere)  # 16 rows: 1/2¹⁶


def test_of_several_without_twins_the_best_new_one_stands_against_the_worst_old_one() -> None:
    good, bad = np.zeros(300), np.zeros(300)
    good[:10], bad[:60] = 1, 1
    old = [run(good, seed=seed) for seed in "56"]
    assert worse([run(bad, seed=seed) for seed in "01"], old)
    assert not worse([run(bad, seed="0"), run(good, seed="1")], old)
    assert not worse([run(bad, seed=seed) for seed in "01"], [*old, run(bad, seed="7")])


def test_a_twin_stands_before_the_spread_of_three() -> None:
    """Three baseline runs that differ much leave a prediction interval in which nothing is an
    alarm; the pair of the same seed shows the change.
    """
    sizes = [np.zeros(300) for _ in range(4)]
    for each, count in zip(sizes, (10, 30, 60, 70), strict=True):
        each[:count] = 1
    old = [run(each, seed=str(seed)) for seed, each in enumerate(sizes[:3])]
    assert not worse([run(sizes[3], seed="9")], old)
    assert worse([run(sizes[3], seed="0")], old)


def test_without_predictions_and_counts_there_is_nothing_to_compare() -> None:
    bare = run(np.zeros(10), samples={}, misses={})
    assert changed([bare], [bare]) is None


def train_errors(wrong: int, samples: int = 1078) -> Numbers:
    return Numbers(
        "r.h5",
        "{}",
        (),
        (),
        "f",
        str(wrong),
        {"train_error": wrong / samples},
        {},
        (),
        {"train": samples},
        True,
        {"train_error": 0.5 / samples},
    )


def one_against(new: Numbers, old: Sequence[Numbers], metric: str) -> Change:
    return metric_changes.changes(BaselineComparison((new,), tuple(old)), [metric], FACTOR, LEVEL)[
        0
    ]


def test_one_new_error_against_six_runs_without_any_is_no_alarm() -> None:
    """It falls on one of seven runs alike: p = 1/7. Four errors on the same run: (1/7)⁴ = .0004."""
    old = [train_errors(0) for _ in range(6)]
    found = one_against(train_errors(1), old, "train_error")
    assert not found.worse
    assert "times" not in found.words
    assert "1 wrong of 1,078 against 0 of 6,468: Fisher's exact test p = 0.14" in found.how
    assert [one_against(train_errors(count), old, "train_error").worse for count in (3, 4)] == [
        False,
        True,
    ]


def loss(value: float, first: float = 2.0) -> Numbers:
    return Numbers(
        "r.h5",
        "{}",
        (),
        (),
        "f",
        "0",
        {"train_loss": value},
        {},
        floors={"train_loss": baseline.ROUNDING * first},
    )


@pytest.mark.parametrize("zero", [0.0, 1e-13])
def test_a_loss_that_is_0_but_for_rounding_has_no_factor(zero: float) -> None:
    old = [loss(zero * scale) for scale in (1, 2, 3, 4, 5, 6)]
    for value, alarm in ((1e-9, False), (1e-6, False), (0.1, True)):
        found = one_against(loss(value), old, "train_loss")
        assert found.worse is alarm
        assert "times" not in found.words
    several = BaselineComparison(
        tuple(loss(1e-9 * k) for k in range(1, 9)), tuple(loss(zero) for _ in range(8))
    )
    assert not metric_changes.changes(several, ["train_loss"], FACTOR, LEVEL)[0].worse


def test_losses_that_can_be_told_from_0_keep_their_factor() -> None:
    old = [loss(value) for value in (0.1, 0.101, 0.099, 0.1, 0.1005, 0.0995)]
    found = one_against(loss(0.2), old, "train_loss")
    assert (found.worse, found.factor) == (True, pytest.approx(2.0, rel=1e-3))
    assert "2 times" in found.words
    assert rank_test.factor_of_one(0.2, [0.1, 0.101, 0.099], LEVEL)[0] == pytest.approx(
        2.0, rel=1e-3
    )


def test_diff_says_no_factor_of_what_cannot_be_told_from_0() -> None:
    found = run_diff.metric_diffs([train_errors(0)], [train_errors(1)])[0]
    assert (found.a, found.b, found.factor) == (0.0, pytest.approx(1 / 1078), None)
    assert run_diff.metric_diffs([train_errors(2)], [train_errors(4)])[0].factor == pytest.approx(
        2.0
    )


def test_the_power_is_the_binomial_chance_of_the_smallest_count_that_is_an_alarm() -> None:
    """3 of 36 errors, another seed: the alarm starts where SciPy's p of the odds first reaches
    the level; 9 of 36 are expected after the rise.
    """
    old = np.zeros(36)
    old[:3] = 1
    found = changed([run(old, seed="1")], [run(old)])
    assert found is not None
    first = next(
        count
        for count in range(37)
        if stats.nchypergeom_fisher(72, count + 3, 36, FACTOR).sf(count - 1) <= LEVEL
    )
    chance = stats.binom.sf(first - 1, 36, 9 / 36)
    assert found.power() == (
        f"with these 36 val rows a rise from 3 to 9 errors is found in {100 * chance:.0f} % "
        "of cases"
    )
    twin = changed([run(old)], [run(old)])
    assert twin is not None
    first = (
        next(
            more
            for more in range(37)
            if stats.binomtest(more, max(more, 1), alternative="greater").pvalue <= LEVEL
        )
        + 3
    )  # all newly wrong: 1/2ⁿ
    assert twin.power() == (
        "with these 36 val rows a rise from 3 to 9 errors is found in "
        f"{100 * stats.binom.sf(first - 1, 36, 9 / 36):.0f} % of cases"
    )


def test_the_power_of_other_numbers_is_the_rise_from_which_on_they_are_seen() -> None:
    rng = np.random.default_rng(6)
    sizes = np.abs(rng.normal(size=88))
    for seed in ("0", "1"):
        new, old = run(sizes, seed=seed, classes=False), run(sizes, classes=False)
        found = changed([new], [old])
        assert found is not None
        times = float(found.power().split()[-3])
        assert found.power() == f"val_error is seen to rise from {times:.3g} times on"
        grown = [run(sizes * times * share, seed=seed, classes=False) for share in (0.99, 1.01)]
        assert [worse([each], [old]) for each in grown] == [False, True]
