"""Reading range tests whose answer is known by construction, and choosing among runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.analysis.learning import rate_range
from dlprobe.analysis.learning.rate_range import (
    RateTrial,
    best_trial,
    beyond,
    broken_at,
    candidates,
    lattice,
    quick_rate,
    read_range_test,
    reason,
    smoothed_losses,
)

RATES = np.geomspace(1e-7, 10, 161)  # twenty steps per decade


def quadratic(rate: np.ndarray, breaks: float) -> np.ndarray:
    """The loss of gradient descent on a parabola of curvature 2/breaks, from 1, one step per
    rate: it grows where the rate is above `breaks`.
    """
    return np.cumprod((1 - 2 * rate / breaks) ** 2)


def test_a_constant_loss_stays_itself_when_smoothed() -> None:
    np.testing.assert_allclose(smoothed_losses([3.0] * 50), 3.0, rtol=1e-14)


def test_two_losses_are_weighted_by_decay() -> None:
    """(.5·.1 + 1·.1·…): Σ decay^(t−i) l_i / Σ decay^(t−i) = (.5·2 + 5)/1.5."""
    np.testing.assert_allclose(smoothed_losses([2.0, 5.0], decay=0.5), [2.0, 4.0], rtol=1e-14)


def test_training_breaks_where_the_smoothed_loss_is_four_times_the_best() -> None:
    assert broken_at([1.0] * 20) is None
    assert broken_at([1.0] * 20 + [math.inf]) == 20
    assert broken_at([1.0] * 20 + [math.nan]) == 20
    losses = [1.0] * 20 + [9.0] * 20
    smooth = smoothed_losses(losses)
    found = broken_at(losses)
    assert found is not None
    assert smooth[found] > 4 >= smooth[found - 1]


def test_a_parabola_falls_then_breaks_at_its_stability_limit() -> None:
    """The loss falls once rates are no longer tiny beside 1/curvature, and grows above
    2/curvature = breaks: the smoothed curve shows it a little later.
    """
    test = read_range_test(RATES, 1.0 + 100 * quadratic(RATES, 0.1))
    assert test.falls < 0.02 < test.lowest < test.breaks
    assert 0.1 < test.breaks < 1


def test_a_loss_that_never_moves_has_no_fall_and_no_break() -> None:
    test = read_range_test(RATES, np.full(161, 2.3))
    assert math.isnan(test.falls)
    assert math.isnan(test.breaks)
    assert candidates(test)[-1] == 10


def test_candidates_end_at_the_break_and_are_what_is_printed() -> None:
    losses = np.where(RATES < 0.3, 1.0, np.inf)
    found = candidates(read_range_test(RATES, losses))
    assert found == (0.00178, 0.00316, 0.00562, 0.01, 0.0178, 0.0316, 0.0562, 0.1, 0.178, 0.316)
    assert all(float(f"{rate:g}") == rate for rate in found)


@pytest.mark.parametrize("first", range(-32, 12))
def test_places_on_the_lattice_are_those_of_its_rates(first: int) -> None:
    """Rounding to three digits moves no rate to its neighbour's place."""
    assert rate_range.place(lattice(first, 1)[0]) == first


def trials(*losses: float, status: str = "finished") -> list[RateTrial]:
    return [
        RateTrial(rate, status if math.isfinite(loss) else "diverged", loss, 1 - loss)
        for rate, loss in zip(lattice(-8, len(losses)), losses, strict=True)
    ]


def test_the_smallest_loss_is_suggested_and_its_neighbours_are_the_reason() -> None:
    found = trials(0.9, 0.2, 0.5, math.inf)
    best = best_trial(found, "train_loss")
    assert best is not None
    assert best.rate == 0.0178
    assert reason(found, best, "train_loss").endswith("0.2; 0.9 at 0.01 and 0.5 at 0.0316")


def test_equal_losses_give_the_smaller_rate_and_the_other_loss_another() -> None:
    assert best_trial(trials(0.5, 0.2, 0.2), "train_loss") == trials(0.5, 0.2)[1]
    assert best_trial(trials(0.5, 0.2, 0.2), "val_loss") == trials(0.5)[0]


def test_nothing_is_suggested_where_all_broke_down() -> None:
    assert best_trial(trials(math.inf, math.nan), "train_loss") is None
    assert max(beyond(trials(math.inf, math.nan), "train_loss")) < 0.01


def test_the_field_grows_at_the_end_where_the_best_stands() -> None:
    assert beyond(trials(0.9, 0.2, 0.5), "train_loss") == ()
    assert beyond(trials(0.1, 0.2, 0.5), "train_loss") == (0.001, 0.00178, 0.00316, 0.00562)
    assert beyond(trials(0.9, 0.2, 0.1), "train_loss") == (0.0562, 0.1, 0.178, 0.316)


def test_a_second_valley_of_the_validation_loss_is_not_the_answer_yet() -> None:
    """At large rates little is learned, and nothing by heart: below them is a deeper one, as long
    as the slowest training is not the worse for being slow.
    """

    def field(train: tuple[float, ...], val: tuple[float, ...]) -> list[RateTrial]:
        numbers = zip((0.01, 0.0178, 0.0316), train, val, strict=True)
        return [RateTrial(rate, "finished", *losses) for rate, *losses in numbers]

    overfitted = field((0.3, 0.8, 1.1), (1.5, 1.0, 1.2))
    assert beyond(overfitted, "val_loss") == (0.001, 0.00178, 0.00316, 0.00562)
    assert beyond(overfitted, "train_loss") == (0.001, 0.00178, 0.00316, 0.00562)
    assert beyond(field((1.2, 0.8, 1.1), (1.3, 1.0, 1.2)), "val_loss") == ()
    assert beyond(field((0.9, 0.8, 1.1), (1.5, 0.9, 1.2)), "train_loss") == ()


def test_the_field_ends_somewhere() -> None:
    field, rounds = trials(math.inf), 0
    while more := beyond(field, "train_loss"):
        field, rounds = (
            field + [RateTrial(rate, "diverged", math.inf, math.inf) for rate in more],
            rounds + 1,
        )
    assert rounds < 10
    assert min(trial.rate for trial in field) >= 1e-8


def test_the_quick_guess_is_a_twentieth_of_the_break() -> None:
    rate, why = quick_rate(read_range_test(RATES, np.where(RATES < 0.3, 1.0, np.inf)))
    assert rate == pytest.approx(0.3 / 20, rel=0.1)
    assert "rough guess" in why
