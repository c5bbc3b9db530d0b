"""Heat tables: colours and short verdict words."""

from __future__ import annotations

import math

import pytest

from dlprobe.render.document import HeatCell, HeatMap
from dlprobe.render.heat import HIGH_COLOR, LOW_COLOR, MIDDLE_COLOR, MISSING_COLOR, cell_texts, drawn_map, ink, shade, shortenings


def test_the_scale_is_neutral_at_zero_and_clipped_at_its_ends() -> None:
    assert shade(0.0, -6, 6) == MIDDLE_COLOR
    assert shade(-6.0, -6, 6) == shade(-40.0, -6, 6) == shade(-math.inf, -6, 6) == LOW_COLOR
    assert shade(6.0, -6, 6) == shade(math.inf, -6, 6) == HIGH_COLOR
    assert shade(math.nan, -6, 6) == MISSING_COLOR


def test_ink_is_readable_on_every_shade() -> None:
    """Contrast of at least 4.5 : 1 (WCAG 2 level AA), with its relative luminance and a gamma of 2.2."""

    def luminance(color: tuple[int, int, int]) -> float:
        red, green, blue = ((part / 255) ** 2.2 for part in color)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for tenth in range(-60, 61):
        background = shade(tenth / 10, -6, 6)
        light, dark = sorted((luminance(background), luminance(ink(background))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_words_that_would_look_the_same_are_not_shortened_so_far() -> None:
    ways = shortenings(["diverged", "divided", "level"])
    assert [sorted(way.values()) for way in ways] == [["diverged", "divided", "level"], ["diverg", "divide", "level"], ["dive", "divi", "leve"]]


def test_numbers_stand_under_each_other_with_the_verdict_behind() -> None:
    column = [
        [HeatCell(-5.73, "vanishing")],
        [HeatCell(12.0, "exploding")],
        [HeatCell(math.nan, "diverged")],
        [HeatCell(math.nan)],
        [HeatCell(-0.01, "level")],
    ]
    words = {"vanishing": "van", "exploding": "exp", "diverged": "div", "level": "lev", "": ""}
    assert [row[0] for row in cell_texts(column, words)] == [" -5.7 van", "+12.0 exp", "      div", "    -", "  0.0 lev"]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("count", [0, 1, 20, 500])
def test_a_map_keeps_to_the_width_and_shows_both_ends(count: int, width: int) -> None:
    block = HeatMap(["hidden_1", "out\x1b"], list(range(count)), [[-2.6] * (count - 1) + [1.0] * (count > 0), [0.0] * count], "decades")
    picture = drawn_map(block, width)
    marks = min(count, width - 9)
    assert [text for _, text, _ in picture.rows] == ["3" * (marks - 1) + "a" * (marks > 0), "·" * marks]
    assert [name for name, _, _ in picture.rows] == ["hidden_1", "out\\x1b "]
    assert picture.steps.split() == ["step", *["0"][:count], *([str(count - 1)] if count > 1 else [])]
    assert len(picture.steps) <= width
