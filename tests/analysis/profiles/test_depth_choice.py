"""What a grid advises at a depth, on scores made by hand."""

from __future__ import annotations

import math

import pytest

from dlprobe.analysis.profiles.depth_choice import Candidate, choose, noise, told


def net(
    label: str, *scores: float, skill: float = 0.9, extras: int = 0, cost: float = 1.0
) -> Candidate:
    return Candidate(label, scores, (skill,) * len(scores), extras, cost)


def used(*candidates: Candidate) -> str | None:
    found = choose(10, candidates).use
    return None if found is None else found.label


def test_the_better_one_beyond_noise() -> None:
    assert used(net("plain", 0.80, 0.81, 0.82), net("norm", 0.95, 0.96, 0.94, extras=1)) == "norm"


def test_the_plainer_one_within_noise() -> None:
    """Means .90 and .93 with deviations of .04: a standard error of .033 of the difference."""
    assert used(net("norm", 0.93, 0.97, 0.89, extras=1), net("plain", 0.90, 0.94, 0.86)) == "plain"


def test_all_within_noise_are_named_and_none_beyond_it() -> None:
    """Deviations of .04, .04 and .01 over three seeds: with .04, two standard errors of .033."""
    choice = choose(
        10,
        [
            net("norm", 0.92, 0.96, 0.88, extras=1),
            net("plain", 0.93, 0.97, 0.89),
            net("worse", 0.80, 0.81, 0.79),
            net("dead", 0.93, 0.97, 0.89, skill=0.0),
        ],
    )
    assert (choice.alike, choice.others) == (("plain", "norm"), ["norm"])
    assert "as good within the noise of seeds: norm;" in choice.sentence


def test_a_net_that_scatters_widely_is_not_as_good_as_the_best() -> None:
    """Deviations of .1, .02 and .02 over three seeds: of two nets with .02, means .95 and .93 have
    a standard error of .016, and .85 is far below.
    """
    wide, best, other = (
        net("wide", 0.95, 0.85, 0.75),
        net("best", 0.95, 0.97, 0.93),
        net("other", 0.93, 0.95, 0.91),
    )
    assert choose(20, [wide, best, other]).alike == ("best", "other")


def test_of_one_seed_no_noise_is_claimed() -> None:
    choice = choose(5, [net("best", 0.95), net("other", 0.945), net("third", 0.93)])
    assert choice.as_good == "; as good to a hundredth: other"


def test_the_cheaper_one_of_equally_plain_ones() -> None:
    assert (
        used(net("wide", 0.93, 0.97, 0.89, cost=9.0), net("narrow", 0.92, 0.96, 0.88, cost=2.0))
        == "narrow"
    )


def test_one_dead_seed_of_three_is_no_advice() -> None:
    dies = Candidate("dies", (0.99, 0.99, 0.10), (1.0, 1.0, 0.0))
    assert used(dies, net("steady", 0.85, 0.84, 0.86)) == "steady"
    diverges = Candidate("diverges", (0.99, 0.99, -math.inf), (1.0, 1.0, 1.0))
    assert used(diverges, net("steady", 0.85, 0.84, 0.86)) == "steady"


def test_nothing_that_learns_is_said() -> None:
    found = choose(50, [net("a", 0.1, 0.1, skill=0.0), Candidate("b", (0.9, 0.1), (0.9, 0.0))])
    assert (found.use, found.failing) == (None, ("a", "b"))
    assert (
        found.sentence
        == "at 50 layers nothing of this learned in every seed: the closest is b, 1 of 2"
    )


def test_the_noise_of_a_difference() -> None:
    """Deviations of .02 and .02 over four seeds each: a standard error of .02 · √(1/4 + 1/4),
    twice that.
    """
    four = (0.9 - 0.02 * math.sqrt(0.75), 0.9 + 0.02 * math.sqrt(0.75)) * 2
    assert noise([net("a", *four), net("b", *four)]) == pytest.approx(2 * 0.02 * math.sqrt(0.5))
    assert noise([net("a", 0.9), net("b", 0.5)]) == 0.01


def test_depths_with_one_advice_are_one_sentence() -> None:
    shallow, deep = (
        [net("relu", 0.95, 0.95), net("sigmoid", 0.9, 0.9)],
        [net("relu", 0.9, 0.9), net("sigmoid", 0.1, 0.1, skill=0.0)],
    )
    assert told([choose(20, deep), choose(5, shallow), choose(10, shallow)]) == [
        (
            "at 5, 10, 20 layers use relu (95, 90 %, 2 of 2 seeds learned); sigmoid does not "
            "learn in every seed"
        )
    ]


def test_no_candidate_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a candidate for 3 layers"):
        choose(3, [])


def test_a_regression_is_told_by_its_r2() -> None:
    shallow, deep = (Candidate("relu", (r2, r2), (r2, r2), measure="R²") for r2 in (0.912, 0.874))
    other = Candidate("tanh", (0.2, 0.2), (0.2, 0.2), measure="R²")
    assert told([choose(2, [shallow, other]), choose(4, [deep, other])]) == [
        "at 2, 4 layers use relu (R² 0.91, 0.87, 2 of 2 seeds learned); tanh does not learn in "
        "every seed"
    ]
