"""Heat maps over time, in characters."""

from __future__ import annotations

import pytest

from dlprobe.render.document import HeatMap
from dlprobe.render.heat_map import drawn_map


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
