"""When an error is certain while a run trains, worked by hand."""

from __future__ import annotations

import pytest

from dlprobe.rules.certainty import Seen, certain
from dlprobe.rules.outcome import Finding


def looks(*each: tuple[int, str, bool]) -> list[Seen]:
    """Looks from (last step, codes of its errors, whether the run has not learned)."""
    return [Seen(step, tuple(Finding(1.0, 0.0, "", code=code) for code in codes.split()), failed) for step, codes, failed in each]


STOOD = ((99, "G001", True), (249, "G001 L001", True), (349, "G001 L001", True), (499, "L001 G001", True))


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
def test_an_error_is_certain_once_the_run_had_time_to_disprove_it(seen: tuple[tuple[int, str, bool], ...], planned: int | None, code: str | None) -> None:
    found = certain(looks(*seen), planned)
    assert (found and found.code) == code
