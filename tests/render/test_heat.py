"""Heat tables: colours and short verdict words."""

from __future__ import annotations

import math

from dlprobe.render.document import HeatCell
from dlprobe.render.heat import (
    HIGH_COLOR,
    LOW_COLOR,
    MIDDLE_COLOR,
    MISSING_COLOR,
    cell_texts,
    ink,
    legend,
    shade,
)


def test_the_scale_is_neutral_at_zero_and_clipped_at_its_ends() -> None:
    assert shade(0.0, -6, 6) == MIDDLE_COLOR
    assert shade(-6.0, -6, 6) == shade(-40.0, -6, 6) == shade(-math.inf, -6, 6) == LOW_COLOR
    assert shade(6.0, -6, 6) == shade(math.inf, -6, 6) == HIGH_COLOR
    assert shade(math.nan, -6, 6) == MISSING_COLOR


def test_ink_is_readable_on_every_shade() -> None:
    """Contrast of at least 4.5 : 1 (WCAG 2 level AA), with its relative luminance and a gamma
    of 2.2.
    """

    def luminance(color: tuple[int, int, int]) -> float:
        red, green, blue = ((part / 255) ** 2.2 for part in color)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for tenth in range(-60, 61):
        background = shade(tenth / 10, -6, 6)
        light, dark = sorted((luminance(background), luminance(ink(background))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_numbers_stand_under_each_other_with_mark_and_accuracy_behind() -> None:
    column = [
        [HeatCell(-5.73, "vanishing", beside="10")],
        [HeatCell(12.0, "exploding", beside="100")],
        [HeatCell(math.nan, "diverged")],
        [HeatCell(math.nan)],
        [HeatCell(-0.01, "level", beside="97")],
    ]
    marks = {"level": "✓", "vanishing": "▼", "exploding": "▲", "diverged": "✗"}
    assert [row[0] for row in cell_texts(column, marks)] == [
        " -5.7 ▼  10",
        "+12.0 ▲ 100",
        "      ✗",
        "    -",
        "  0.0 ✓  97",
    ]
    assert legend((row[0].verdict for row in column[:2]), marks) == "▼ vanishing  ▲ exploding"
