"""When an error is certain while a run trains, worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dlprobe.rules.certainty import Glance, certain
from dlprobe.rules.outcome import Finding


def looks(*each: tuple[int, str, bool], losses: tuple[float, ...] = ()) -> list[Glance]:
    """Looks from (last step, codes of its errors, whether the run has not learned), and the
    loss at each.
    """
    found = [
        Glance(step, tuple(Finding(1.0, 0.0, "", code=code) for code in codes.split()), failed)
        for step, codes, failed in each
    ]
    return [
        replace(seen, loss=loss)
        for seen, loss in zip(found, losses or [math.nan] * len(found), strict=True)
    ]


STOOD = (
    (99, "G001", True),
    (249, "G001 L001", True),
    (349, "G001 L001", True),
    (499, "L001 G001", True),
)


@pytest.mark.parametrize(
    ("seen", "planned", "code"),
    [
        (STOOD, 1000, "L001"),
        (STOOD, 1001, None),  # not yet half of the plan
        (STOOD, None, None),  # nobody knows how long it is to be
        (STOOD[1:], 1000, "L001"),
        (STOOD[2:], 1000, None),  # it is watched for too short a time
        (((99, "", True), *STOOD[1:]), 1000, "L001"),  # before half of it nobody asks
        ((*STOOD[:2], (349, "G001", True), STOOD[3]), 1000, "G001"),  # L001 was gone for a while
        ((*STOOD[:2], (349, "G001 L001", False), STOOD[3]), 1000, None),  # it had learned something
        ((*STOOD[:2], (349, "", True), STOOD[3]), 1000, None),
        ((*STOOD[:3], (499, "", True)), 1000, None),
        ((STOOD[0], STOOD[1], STOOD[3]), 1000, None),  # two looks are too few
        (((0, "N001", True),), None, "N001"),  # what is not finite stays so
        (((10, "G001 N001", True),), 1000, "N001"),
    ],
)
def test_an_error_is_certain_once_the_run_had_time_to_disprove_it(
    seen: tuple[tuple[int, str, bool], ...], planned: int | None, code: str | None
) -> None:
    found = certain(looks(*seen), planned)
    assert (found and found.code) == code


@pytest.mark.parametrize(
    ("losses", "is_certain"),
    [
        ((2.0, 1.0, 1.0, 1.0), True),
        ((2.0, 1.0, 0.995, 0.991), True),  # less than a hundredth of it went in the second half
        ((2.0, 1.0, 0.995, 0.98), False),  # it is slow, and learns
        ((2.0, 1.0, 5.0, 1.2), True),
        ((2.0, 1.0, 1.0, math.inf), True),
        ((-2.0, -1.0, -1.0, -1.02), False),
    ],
)
def test_nothing_is_certain_of_a_run_whose_loss_falls(
    losses: tuple[float, ...], is_certain: bool
) -> None:
    assert (certain(looks(*STOOD, losses=losses), 1000) is not None) == is_certain
