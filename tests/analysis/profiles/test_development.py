"""What a ratio of error signals did over training: courses whose events are known by
construction.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.analysis.profiles.development import Course, changes, course, develop

STEPS = np.arange(401)


def made(log_ratios: np.ndarray) -> Course:
    return course(STEPS[: len(log_ratios)], 10.0**log_ratios, np.ones(len(log_ratios)))


@pytest.mark.parametrize(
    ("ratios", "healed", "relapsed"),
    [
        (np.zeros(401), False, False),
        (np.full(401, -3.0), False, False),
        (np.where(STEPS < 200, -3.0, 0.0), 200, False),
        (np.where(STEPS < 100, 0.0, 2.0), False, 100),
        (np.where(STEPS < 100, -3.0, np.where(STEPS < 300, 0.0, 2.0)), 100, 300),
        (np.where(STEPS == 200, -9.0, 0.0), False, False),  # one odd batch is no relapse
        (np.where(STEPS < 300, 0.0, np.nan), False, 300),  # not finite is outside
    ],
)
def test_events_are_found_where_they_were_put(
    ratios: np.ndarray, healed: float, relapsed: float
) -> None:
    found = changes(made(ratios), 1.0)
    for seen, put in zip(found, (healed, relapsed), strict=True):
        assert math.isnan(seen) if put is False else abs(seen - put) <= 11  # a stretch is ten steps


def test_first_point_is_the_initialization_alone() -> None:
    found = made(np.where(STEPS == 0, -5.0, 0.0))
    assert (found.ratios[0], found.ratios[1]) == (-5.0, 0.0)
    assert len(found.steps) == 41


def test_batches_that_jump_around_the_band_are_no_events() -> None:
    noise = np.random.default_rng(0).standard_normal(401) * 0.5
    assert all(map(math.isnan, changes(made(noise), 1.0)))


def test_seeds_are_counted_and_a_short_one_ends_early() -> None:
    found = develop(
        [made(np.where(STEPS < 200, -3.0, 0.0)), made(np.full(401, -3.0)), made(np.full(30, -3.0))],
        1.0,
    )
    assert (found.healed.seeds, found.relapsed.seeds) == (1, 0)
    assert math.isnan(found.relapsed.step)
    assert len(found.ratios) == 41


def test_run_of_one_step_has_no_development() -> None:
    found = develop([made(np.array([-3.0]))], 1.0)
    assert (found.healed.seeds, found.ratios.tolist()) == (0, [-3.0])
    assert develop([], 1.0).healed.seeds == 0
