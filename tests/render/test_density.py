"""The picture of a density over time."""

from __future__ import annotations

import pytest

from dlprobe.render import density
from dlprobe.render.document import Density


def of(shares: list[list[float]], **more: float) -> Density:
    return Density(
        shares, list(range(0, 10 * len(shares), 10)), more.get("low", 0.0), more.get("high", 3.0)
    )


def test_values_stand_upwards_and_time_goes_to_the_right() -> None:
    picture = density.draw(of([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), 10, density.ASCII_SHADES)
    assert [text for _, text in picture.rows] == ["    ####", "        ", "####    "]
    assert [number for number, _ in picture.rows] == ["2.5", "1.5", "0.5"]
    assert picture.steps == "0   10"


def test_what_is_not_empty_is_never_blank() -> None:
    picture = density.draw(of([[1.0, 1e-9, 0.0]]), 10, density.ASCII_SHADES)
    assert [text[0] for _, text in picture.rows] == [" ", ".", "#"]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("count", [1, 3, 20, 500])
def test_it_keeps_to_the_width(count: int, width: int) -> None:
    picture = density.draw(
        of([[0.5, 0.5]] * count, low=-1.23456e-7, high=2e9), width, density.SHADES
    )
    assert all(picture.margin + 2 + len(text) <= width for _, text in picture.rows)
    assert len(picture.steps) + picture.margin + 2 <= width + 6
    assert picture.steps.startswith("0")


def test_nothing_to_draw() -> None:
    assert density.draw(Density([], [], 0, 1), 80, density.SHADES).rows == []
